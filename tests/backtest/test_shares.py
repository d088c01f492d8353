"""Wilson's interval against values that others published."""

from __future__ import annotations

import pytest

from worker.backtest.result import Share
from worker.backtest.shares import share, wilson

PUBLISHED = {
    # R. G. Newcombe, Statist. Med. 17 (1998), 857-872, table I, method 3.
    (81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0000, 0.1611), (1, 29): (0.0061, 0.1718),
}  # fmt: skip


@pytest.mark.parametrize("counts", PUBLISHED)
def test_the_interval_is_the_published_one(counts: tuple[int, int]) -> None:
    assert wilson(*counts) == pytest.approx(PUBLISHED[counts], abs=6e-5)


def test_the_interval_holds_the_share_and_stays_within_0_and_1() -> None:
    for whole in range(1, 40):
        for found in range(whole + 1):
            low, high = wilson(found, whole)
            assert 0 <= low <= found / whole + 1e-12
            assert found / whole - 1e-12 <= high <= 1
            assert (low, high) == pytest.approx(tuple(1 - one for one in reversed(wilson(whole - found, whole))))


def test_there_is_no_share_of_nothing_nor_of_what_is_not_shown() -> None:
    assert share(0, 0) is None
    assert share(None, 20) is None
    assert share(10, None) is None
    assert share(15, 20) == Share(0.75, 0.5313, 0.8881)
