"""The drain in one process, against a real server: time limits, lone attempts, back-pressure, tending."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.errors import AuditUnwritable
from worker.monitoring.reconciliation import books
from worker.pipeline import batch
from worker.pipeline.consumer import Drain
from worker.pipeline.inbox import Inbox
from worker.pipeline.maintenance import tend_once
from worker.pipeline.notification import Bell
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.keys import GROUP

from .helpers import claim, event


class OutOfTime(Exception):
    """Stands for the soft time limit, which Celery raises in the middle of whatever runs."""


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    times = {"drain_budget": 0.1, "soft_time_limit": 0.2, "hard_time_limit": 0.3, "reclaim": 0.4, "tend": 0.01}
    return load_settings(state_dir=home, **times)


@pytest.fixture
def rung() -> list[int]:
    return []


@pytest.fixture
def bell(store: Store, rung: list[int]) -> Bell:
    return Bell(store.redis, store.keys, gate_ms=10_000, send=lambda: rung.append(1))


@pytest.fixture
def drain(store: Store, bell: Bell) -> Iterator[Drain]:
    drain = bootstrap.drain(store, bell, interrupts=(OutOfTime,))
    yield drain
    drain.audit.close()


def put(store: Store, count: int) -> None:
    events = (event(number) for number in range(count))
    send(store.redis, store.keys, events, source="test", settings=store.settings)


def test_a_claim_that_runs_out_of_time_is_tried_alone_three_times_and_then_quarantined(
    store: Store, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tried = batch.check, list[int]()

    def slow(claim: Any, *arguments: Any, **options: Any) -> Any:
        if claim.claim_id == "PCN-00001":
            tried.append(1)
            raise OutOfTime
        return real(claim, *arguments, **options)

    monkeypatch.setattr(batch, "check", slow)
    put(store, 3)
    for _ in range(12):
        try:
            drain.run()
        except OutOfTime:
            time.sleep(0.41)
        if books(store.redis, store.keys).settled:
            break
    assert len(tried) == 1 + 3
    assert books(store.redis, store.keys).settled
    (entry,) = tail(store.redis, store.keys, "quarantine")
    assert entry.data["reason"] == "attempts_exhausted"
    sentences = [problem["sentence"] for problem in entry.data["problems"]]
    assert [sentence.partition(", at ")[0] for sentence in sentences] == [
        f"lone attempt {number}: out of time after 0.2 s" for number in (1, 2, 3)
    ]
    assert "test_drain.py:" in sentences[0]
    (line,) = [line for line in _audit_lines(store.settings) if line["event.action"] == "claim.quarantined"]
    assert line["claim.problems"] == sentences


def test_a_try_that_failed_because_the_audit_disk_did_is_not_counted_against_the_claim(
    store: Store, drain: Drain
) -> None:
    put(store, 1)
    Inbox(store.redis, store.keys, "dead").take(1)
    store.settings.audit_path.write_text("in the way")
    for _ in range(6):
        time.sleep(0.41)
        with pytest.raises(AuditUnwritable):
            bootstrap.drain(store, drain.bell).run()  # each a new process, as a supervisor would start it
    store.settings.audit_path.unlink()
    time.sleep(0.41)
    drain.run()
    found = books(store.redis, store.keys)
    assert (found.settled, found.outlet("quarantine").count) == (True, 0)


def _audit_lines(settings: Settings) -> list[dict[str, Any]]:
    files = sorted(settings.audit_path.glob("audit-*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_a_batch_whose_audit_line_cannot_be_written_waits_and_is_taken_up_again(store: Store, drain: Drain) -> None:
    store.settings.audit_path.write_text("in the way")
    put(store, 2)
    with pytest.raises(AuditUnwritable):
        drain.run()
    assert books(store.redis, store.keys).in_flight == 2
    store.settings.audit_path.unlink()
    drain.run()
    assert books(store.redis, store.keys).settled


def test_a_batch_that_others_keep_overtaking_is_taken_up_again_at_once(
    store: Store, bell: Bell, drain: Drain, rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.pipeline.consumer._ROUNDS", 1)
    other = bootstrap.drain(store, bell)
    commit = drain.committer.commit

    def late(*arguments: Any) -> Any:
        drain.committer.commit = commit  # type: ignore[method-assign]
        other.process(theirs)
        return commit(*arguments)

    drain.committer.commit = late  # type: ignore[method-assign]
    send(store.redis, store.keys, [event(9, data=claim(0))], source="test", settings=store.settings)
    theirs = other.inbox.take(1)
    put(store, 1)
    drain.run()
    other.audit.close()
    assert books(store.redis, store.keys).in_flight == 1
    assert rung
    drain.run()
    assert books(store.redis, store.keys).settled


def test_a_full_batch_and_a_spent_budget_ring(store: Store, drain: Drain, rung: list[int]) -> None:
    put(store, store.settings.batch + 1)
    drain.run()
    assert rung
    drain.run()  # as the worker does when the bell rings; the first run may have spent its budget on the full batch
    assert books(store.redis, store.keys).settled


def test_a_drain_that_is_to_stop_takes_nothing(store: Store, bell: Bell) -> None:
    drain = bootstrap.drain(store, bell, stopping=lambda: True)
    put(store, 1)
    drain.run()
    assert books(store.redis, store.keys).waiting == 1


def test_streams_that_were_wiped_are_made_again(store: Store, drain: Drain) -> None:
    store.redis.flushall()
    drain.run()
    put(store, 1)
    drain.run()
    assert books(store.redis, store.keys).settled


def test_tending_rings_for_work_that_waits_or_has_expired_and_for_no_other(
    store: Store, drain: Drain, bell: Bell, rung: list[int]
) -> None:
    def tended() -> int:
        time.sleep(0.02)
        rung.clear()
        bell.answer()
        assert tend_once(store, bell)
        return len(rung)

    assert tended() == 0
    put(store, 1)
    assert tended() == 1
    Inbox(store.redis, store.keys, "dead").take(1)
    assert tended() == 0
    time.sleep(0.4)
    assert tended() == 1


def test_tending_forgets_dead_consumers_and_never_one_with_something_pending(store: Store, bell: Bell) -> None:
    inbox = Inbox(store.redis, store.keys, "holds one")
    inbox.ensure()
    put(store, 1)
    inbox.take(1)
    Inbox(store.redis, store.keys, "holds none").take(1)
    time.sleep(10 * store.settings.reclaim + 0.1)
    assert tend_once(store, bell)
    assert [one.name for one in books(store.redis, store.keys).consumers] == ["holds one"]


def test_only_one_worker_tends_in_a_period(store: Store, bell: Bell) -> None:
    slow = replace(store, settings=store.settings.model_copy(update={"tend": 60.0}))
    assert tend_once(slow, bell)
    assert not tend_once(slow, bell)


def test_the_books_balance_where_a_failover_lost_how_far_the_group_had_read(store: Store, drain: Drain) -> None:
    put(store, 3)
    drain.run()
    last = store.redis.xinfo_stream(store.keys.inbox)["last-generated-id"]
    store.redis.execute_command("XGROUP", "SETID", store.keys.inbox, GROUP, last, "ENTRIESREAD", 1)
    found = books(store.redis, store.keys)
    assert (found.waiting, found.balance) == (0, 0)


def test_the_books_never_settle_when_an_entry_is_taken_away_from_outside(store: Store, drain: Drain) -> None:
    put(store, 2)
    drain.run()
    assert books(store.redis, store.keys).balance == 0
    entry = store.redis.xadd(store.keys.inbox, {"event": event(3)})
    store.redis.xdel(store.keys.inbox, entry)
    assert not books(store.redis, store.keys).settled
