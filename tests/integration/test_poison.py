"""Claims that end their workers, with real processes: each goes to quarantine alone, with what is known of its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import Worker, claim, event, settled

pytestmark = pytest.mark.slow

Start = Callable[..., Worker]
HERE = str(Path(__file__).parent)


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("SPIN", "out of time after 2 s, at poison.py:"),
        ("STUCK", "killed at the hard limit of 3 s"),
        # By which signal is said where the pool has not taken its exit status before the time limit.
        ("KILL", "its process was ended by "),
    ],
)
def test_a_claim_that_ends_its_worker_is_quarantined_with_the_kind_of_end(
    store: Store, start_worker: Start, kind: str, end: str
) -> None:
    poisoned: dict[str, Any] = claim(1, claim_id=f"{kind}-1")
    events = [event(0), event(1, data=poisoned), event(2)]
    send(store.redis, store.keys, events, source="t", settings=store.settings)
    worker = start_worker("-I", "poison", env={"SCRUB_ATTEMPTS": "1", "PYTHONPATH": HERE}).wait_ready()
    found = settled(store, 3, 90)
    assert found.outlet("quarantine").count == 1, worker.text()
    (entry,) = tail(store.redis, store.keys, "quarantine")
    assert entry.data["reason"] == "attempts_exhausted"
    (problem,) = entry.data["problems"]
    assert problem["sentence"].startswith(f"lone attempt 1: {end}"), worker.text()
    assert not store.redis.exists(store.keys.attempts)
