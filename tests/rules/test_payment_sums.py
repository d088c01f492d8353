"""What a claim is expected to bring, of its lines: unknown is never 0, and a part is never taken for the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.payment.sums import UNKNOWN, ClaimExpected, claim_expected

CENTS = st.integers(0, 10**9)
AMOUNT = CENTS.map(lambda cents: ("amount", cents, cents))
RANGE = st.tuples(CENTS, CENTS).map(lambda both: ("range", min(both), max(both)))
PACKAGED, NOTHING = st.just(("packaged", 0, 0)), st.just(("unknown", None, None))
LINES = st.lists(st.one_of(AMOUNT, RANGE, PACKAGED, NOTHING), max_size=6)


@given(lines=LINES)
def test_a_claim_is_unknown_where_no_line_is_known_and_a_part_where_some_are_not(
    lines: list[tuple[str, int | None, int | None]],
) -> None:
    found = claim_expected(lines)
    known = [one for one in lines if one[1] is not None]
    assert (found == UNKNOWN) == (not known)
    assert (found.low_cents is None) == (found.high_cents is None) == (found.kind == "unknown")
    assert (found.kind == "part") == (0 < len(known) < len(lines))
    assert found.whole == (0 < len(known) == len(lines))
    if found.low_cents is not None and found.high_cents is not None:
        assert found.low_cents == sum(low or 0 for _, low, _ in known)
        assert found.low_cents <= found.high_cents == sum(high or 0 for _, _, high in known)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], UNKNOWN),
        ([("packaged", 0, 0)], ClaimExpected("packaged", 0, 0)),
        ([("packaged", 0, 0), ("packaged", 0, 0)], ClaimExpected("packaged", 0, 0)),
        ([("packaged", 0, 0), ("amount", 900, 900)], ClaimExpected("amount", 900, 900)),
        ([("packaged", 0, 0), ("unknown", None, None)], ClaimExpected("part", 0, 0)),
        ([("amount", 0, 0)], ClaimExpected("amount", 0, 0)),
        ([("range", 100, 200), ("amount", 50, 50)], ClaimExpected("range", 150, 250)),
    ],
)
def test_packaged_lines_add_nothing_and_say_so_alone(
    lines: list[tuple[str, int | None, int | None]], expected: ClaimExpected
) -> None:
    assert claim_expected(lines) == expected
