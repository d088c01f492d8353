"""A node's primary is killed under load, and its replica takes over."""

from __future__ import annotations

import pytest

from .failover import PARTITIONS, measure

COUNT = 4_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("wait", "lag"), [(False, 0.3), (True, 0.3), (False, 0.0)])
def test_what_a_failover_forgets_is_decided_again_under_the_same_id_or_named(
    wait: bool, lag: float, unset: None
) -> None:
    found = measure(COUNT, wait=wait, kills=2, lag=lag)
    assert found.accepted == COUNT
    assert found.decided_unlike == []
    assert set(found.unlike) <= found.sent_again  # by their sender, as other entries
    assert found.twice <= {one.decision for one in found.behind.repeated}
    assert [part.balance for part in found.books.parts] == [0] * PARTITIONS
    if wait:
        assert found.lost == []
        # An entry that nobody confirmed may have been decided and forgotten: its sender sent it again, as another.
        assert len(found.behind.lost) <= len(found.sent_again)
        assert found.books.balance == 0
    # What is lost and was decided is named; what was never decided is in no file, and known to its sender alone.
    assert len(found.behind.lost) <= len(found.lost) + len(found.twice) + len(found.sent_again)
    assert "Traceback" not in found.logs
