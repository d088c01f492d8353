"""Taking the next batch while one is committed: what becomes of it where something goes wrong meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.errors import AuditUnwritable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import batch
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import each_once, event

SIZE = 2


class OutOfTime(Exception):
    """Plays the soft time limit."""


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    times = {"drain_budget": 0.5, "soft_time_limit": 0.6, "hard_time_limit": 0.7, "reclaim": 0.8}
    return load_settings(state_dir=home, batch=SIZE, **times)


@pytest.fixture
def notified() -> list[int]:
    return []


@pytest.fixture
def consumer(store: Store, notified: list[int]) -> Iterator[InboxConsumer]:
    notifier = Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: notified.append(1))
    consumer = bootstrap.inbox_consumer(store, notifier, interrupts=(OutOfTime,))
    yield consumer
    consumer.audit.close()


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has something happen while the first commit is on its way and the second batch is to be decoded."""
    read, calls = batch.read, list[int]()

    def happen(what: Callable[[], None]) -> None:
        def reading(entries: Any, context: Any) -> Any:
            calls.extend([1] * bool(entries))
            if entries and len(calls) == 2:
                what()
            return read(entries, context)

        monkeypatch.setattr(batch, "read", reading)

    return happen


def put(store: Store, count: int) -> None:
    send(store.redis, store.keys, map(event, range(count)), source="test", settings=store.settings)


def run_until_each_is_done_once(store: Store, consumer: InboxConsumer) -> None:
    for _ in range(20):
        consumer.run()
        if reconcile(store.redis, store.keys).settled:
            return each_once(store, 3 * SIZE)
        time.sleep(0.1)
    raise AssertionError("the books do not settle")


def test_the_next_batch_is_in_hand_before_the_answer_to_a_commit(
    store: Store, consumer: InboxConsumer, during: Callable[[Callable[[], None]], None]
) -> None:
    seen = list[int]()
    during(lambda: seen.append(reconcile(store.redis, store.keys).waiting))
    put(store, 3 * SIZE)
    consumer.run()
    assert seen == [SIZE]
    assert reconcile(store.redis, store.keys).settled


def test_the_next_batch_is_handed_out_while_one_is_judged(
    store: Store, consumer: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, seen = batch.judge, list[tuple[int, int]]()

    def look(*arguments: Any) -> Any:
        found = reconcile(store.redis, store.keys)
        seen.append((found.in_flight, found.waiting))
        return judge(*arguments)

    monkeypatch.setattr(batch, "judge", look)
    put(store, 3 * SIZE)
    consumer.run()
    # Of a batch that is asked for ahead, what a second look at the streams brings is had when its answer is read.
    assert [in_flight > SIZE for in_flight, _ in seen] == [True, True, False]
    assert seen[-1] == (SIZE, 0)


def test_workers_that_are_held_back_ask_for_nothing(store: Store, consumer: InboxConsumer) -> None:
    put(store, SIZE)
    store.redis.set(store.keys.hold, "1", px=60_000)
    assert consumer.partitions[0].inbox.ask(SIZE) is None
    store.redis.delete(store.keys.hold)
    asked = consumer.partitions[0].inbox.ask(SIZE)
    assert asked is not None
    assert len(consumer.partitions[0].inbox.given(asked)) == SIZE


def test_a_log_that_cannot_be_written_loses_no_batch_that_was_asked_for(
    store: Store, consumer: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(consumer.audit, "_put", full_disk)
        put(store, 3 * SIZE)
        with pytest.raises(AuditUnwritable):
            consumer.run()
        assert reconcile(store.redis, store.keys).in_flight > SIZE
    run_until_each_is_done_once(store, consumer)


def full_disk(_: bytes) -> None:
    raise OSError(28, "No space left on device")


def test_a_batch_that_was_decoded_under_one_book_is_decoded_again_under_the_next(
    store: Store, consumer: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    books_, read, procedures = [consumer.partitions[0].book()], batch.read, list[str]()
    consumer.partitions[0].book = lambda: books_[-1]

    def reading(entries: Any, context: Any) -> Any:
        procedures.append(context.book.procedure)
        if len(procedures) == 2:
            books_.append(replace(books_[0], procedures={"64447": books_[0].procedures["64445"]}))
        return read(entries, context)

    monkeypatch.setattr(batch, "read", reading)
    put(store, 3 * SIZE)
    consumer.run()
    assert procedures == ["64445", "64445", "64447", "64447"]
    assert reconcile(store.redis, store.keys).settled


def test_a_batch_that_is_not_full_takes_none_ahead(
    store: Store, consumer: InboxConsumer, during: Callable[[Callable[[], None]], None]
) -> None:
    seen = list[int]()
    during(lambda: seen.append(1))
    put(store, SIZE - 1)
    consumer.run()
    assert not seen
    assert reconcile(store.redis, store.keys).settled


def test_a_consumer_that_is_to_stop_finishes_what_it_took_ahead_and_takes_no_more(
    store: Store, consumer: InboxConsumer
) -> None:
    def stopping() -> bool:
        return bool(consumer.done.total())

    for one in (consumer, *consumer.partitions):
        one.stopping = stopping
    put(store, 3 * SIZE)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (consumer.done.total(), found.in_flight, found.waiting) == (2 * SIZE, 0, SIZE)


def test_a_commit_whose_answer_is_lost_is_taken_up_again_with_the_batch_behind_it_and_nothing_is_twice(
    store: Store, consumer: InboxConsumer, during: Callable[[Callable[[], None]], None]
) -> None:
    during(store.once.connection_pool.disconnect)
    put(store, 3 * SIZE)
    with pytest.raises(RedisConnectionError):
        consumer.run()
    run_until_each_is_done_once(store, consumer)


def test_out_of_time_while_a_commit_is_on_its_way_mistakes_no_answer_for_another(
    store: Store, consumer: InboxConsumer, during: Callable[[Callable[[], None]], None]
) -> None:
    def late() -> None:
        raise OutOfTime

    during(late)
    put(store, 3 * SIZE)
    with pytest.raises(OutOfTime):
        consumer.run()
    run_until_each_is_done_once(store, consumer)


def test_out_of_time_leaves_the_batch_ahead_to_the_next_run_and_notifies_it(
    store: Store, consumer: InboxConsumer, notified: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, calls = batch.judge, list[int]()

    def slow(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise OutOfTime
        return judge(*arguments)

    monkeypatch.setattr(batch, "judge", slow)
    put(store, 3 * SIZE)
    with pytest.raises(OutOfTime):
        consumer.run()
    assert notified
    consumer.run()
    assert reconcile(store.redis, store.keys).in_flight == SIZE, "those that ran out of time, and not those behind them"
    run_until_each_is_done_once(store, consumer)
