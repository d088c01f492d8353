"""The consumer in one process, against a real server: time limits, lone attempts, back-pressure, maintenance."""

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
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import deciding
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.inbox import Inbox
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.keys import GROUP

from .helpers import claim, event, until


class OutOfTime(Exception):
    """Plays the soft time limit, which Celery raises in the middle of whatever runs."""


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    times = {"drain_budget": 0.1, "soft_time_limit": 0.2, "hard_time_limit": 0.3, "reclaim": 0.4, "tend": 0.01}
    return load_settings(state_dir=home, **times)


@pytest.fixture
def notified() -> list[int]:
    return []


@pytest.fixture
def notifier(store: Store, notified: list[int]) -> Notifier:
    return Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: notified.append(1))


@pytest.fixture
def consumer(store: Store, notifier: Notifier) -> Iterator[InboxConsumer]:
    consumer = bootstrap.inbox_consumer(store, notifier, interrupts=(OutOfTime,))
    yield consumer
    consumer.audit.close()


def put(store: Store, count: int) -> None:
    events = (event(number) for number in range(count))
    send(store.redis, store.keys, events, source="test", settings=store.settings)


def test_a_claim_that_runs_out_of_time_is_tried_alone_three_times_and_then_quarantined(
    store: Store, consumer: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tried = deciding.check, list[int]()

    def slow(claim: Any, *arguments: Any, **options: Any) -> Any:
        if claim.claim_id == "PCN-00001":
            tried.append(1)
            raise OutOfTime
        return real(claim, *arguments, **options)

    monkeypatch.setattr(deciding, "check", slow)
    put(store, 3)
    for _ in range(12):
        try:
            consumer.run()
        except OutOfTime:
            time.sleep(0.41)
        if reconcile(store.redis, store.keys).settled:
            break
    assert len(tried) == 1 + 3
    assert reconcile(store.redis, store.keys).settled
    (entry,) = tail(store.redis, store.keys, "quarantine")
    assert entry.data["reason"] == "attempts_exhausted"
    sentences = [problem["sentence"] for problem in entry.data["problems"]]
    assert [sentence.partition(", at ")[0] for sentence in sentences] == [
        f"lone attempt {number}: out of time after 0.2 s" for number in (1, 2, 3)
    ]
    assert "test_consumer.py:" in sentences[0]
    (line,) = [line for line in _audit_lines(store.settings) if line["event.action"] == "claim.quarantined"]
    assert line["claim.problems"] == sentences


def test_a_try_that_failed_because_the_audit_disk_did_is_not_counted_against_the_claim(
    store: Store, consumer: InboxConsumer
) -> None:
    put(store, 1)
    Inbox(store.redis, store.keys, "dead").take(1)
    store.settings.audit_path.write_text("in the way")
    for _ in range(6):
        time.sleep(0.41)
        with pytest.raises(AuditUnwritable):
            bootstrap.inbox_consumer(
                store, consumer.notifier
            ).run()  # each a new process, as a supervisor would start it
    store.settings.audit_path.unlink()
    time.sleep(0.41)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (found.settled, found.outlet("quarantine").count) == (True, 0)


def _audit_lines(settings: Settings) -> list[dict[str, Any]]:
    files = sorted(settings.audit_path.glob("audit-*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_a_batch_whose_audit_line_cannot_be_written_waits_and_is_taken_up_again(
    store: Store, consumer: InboxConsumer
) -> None:
    store.settings.audit_path.write_text("in the way")
    put(store, 2)
    with pytest.raises(AuditUnwritable):
        consumer.run()
    assert reconcile(store.redis, store.keys).in_flight == 2
    store.settings.audit_path.unlink()
    consumer.run()
    assert reconcile(store.redis, store.keys).settled


def test_a_batch_that_others_keep_overtaking_is_taken_up_again_at_once(
    store: Store, notifier: Notifier, consumer: InboxConsumer, notified: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.pipeline.consumer._ROUNDS", 1)
    other = bootstrap.inbox_consumer(store, notifier)
    commit = consumer.partitions[0].committer.commit

    def late(*arguments: Any) -> Any:
        consumer.partitions[0].committer.commit = commit  # type: ignore[method-assign]
        other.partitions[0].process(theirs)
        return commit(*arguments)

    consumer.partitions[0].committer.commit = late  # type: ignore[method-assign]
    send(store.redis, store.keys, [event(9, data=claim(0))], source="test", settings=store.settings)
    theirs = other.partitions[0].inbox.take(1)
    put(store, 1)
    consumer.run()
    other.audit.close()
    assert reconcile(store.redis, store.keys).in_flight == 1
    assert notified
    consumer.run()
    assert reconcile(store.redis, store.keys).settled


def test_a_full_batch_and_a_spent_budget_notify(store: Store, consumer: InboxConsumer, notified: list[int]) -> None:
    put(store, store.settings.batch + 1)
    consumer.run()
    assert notified

    def settled() -> bool:
        consumer.run()  # as the worker does when it is notified; a slow machine spends a budget or two on a full batch
        return reconcile(store.redis, store.keys).settled

    until(settled, 60)


def test_a_consumer_that_is_to_stop_takes_nothing(store: Store, notifier: Notifier) -> None:
    consumer = bootstrap.inbox_consumer(store, notifier, stopping=lambda: True)
    put(store, 1)
    consumer.run()
    assert reconcile(store.redis, store.keys).waiting == 1


def test_streams_that_were_wiped_are_made_again(store: Store, consumer: InboxConsumer) -> None:
    store.redis.flushall()
    consumer.run()
    put(store, 1)
    consumer.run()
    assert reconcile(store.redis, store.keys).settled


def test_maintenance_notifies_of_work_that_waits_or_has_expired_and_of_no_other(
    store: Store, consumer: InboxConsumer, notifier: Notifier, notified: list[int]
) -> None:
    def maintenance() -> int:
        time.sleep(0.02)
        notified.clear()
        notifier.acknowledge()
        assert maintain(store, notifier)
        return len(notified)

    assert maintenance() == 0
    put(store, 1)
    assert maintenance() == 1
    Inbox(store.redis, store.keys, "dead").take(1)
    assert maintenance() == 0
    time.sleep(0.4)
    assert maintenance() == 1


def test_maintenance_forgets_dead_consumers_and_never_one_with_something_pending(
    store: Store, notifier: Notifier
) -> None:
    inbox = Inbox(store.redis, store.keys, "holds one")
    inbox.ensure()
    put(store, 1)
    inbox.take(1)
    Inbox(store.redis, store.keys, "holds none").take(1)
    time.sleep(10 * store.settings.reclaim + 0.1)
    assert maintain(store, notifier)
    assert [one.name for one in reconcile(store.redis, store.keys).consumers] == ["holds one"]


def test_only_one_worker_does_the_maintenance_of_a_period(store: Store, notifier: Notifier) -> None:
    slow = replace(store, settings=store.settings.model_copy(update={"tend": 60.0}))
    assert maintain(slow, notifier)
    assert not maintain(slow, notifier)


def test_the_books_balance_where_a_failover_lost_how_far_the_group_had_read(
    store: Store, consumer: InboxConsumer
) -> None:
    put(store, 3)
    consumer.run()
    last = store.redis.xinfo_stream(store.keys.inbox)["last-generated-id"]
    store.redis.execute_command("XGROUP", "SETID", store.keys.inbox, GROUP, last, "ENTRIESREAD", 1)
    found = reconcile(store.redis, store.keys)
    assert (found.waiting, found.balance) == (0, 0)


def test_the_books_never_settle_when_an_entry_is_taken_away_from_outside(store: Store, consumer: InboxConsumer) -> None:
    put(store, 2)
    consumer.run()
    assert reconcile(store.redis, store.keys).balance == 0
    entry = store.redis.xadd(store.keys.inbox, {"event": event(3)})
    store.redis.xdel(store.keys.inbox, entry)
    assert not reconcile(store.redis, store.keys).settled
