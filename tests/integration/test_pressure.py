"""Back-pressure and trimming against a real server: workers and producers wait, and nothing unread is deleted."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from worker import bootstrap
from worker.bench.claims import event as bench_event
from worker.config.settings import Settings
from worker.errors import InboxFull
from worker.monitoring import pressure
from worker.monitoring.line import reconciliation_line
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.inbox import Inbox
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.process import celeryapp
from worker.store import agreement, memory, opening
from worker.store.connections import Store
from worker.store.layout import NEWEST
from worker.store.registry import Producer, producers_of

from .helpers import Worker, claim, event, settled, until

Start = Callable[..., Worker]


@pytest.fixture
def notified() -> list[int]:
    return []


@pytest.fixture
def notifier(store: Store, notified: list[int]) -> Notifier:
    return Notifier(store.redis, store.keys, gate_ms=1, send=lambda: notified.append(1))


@pytest.fixture
def consumer(store: Store, notifier: Notifier) -> Iterator[InboxConsumer]:
    consumer = bootstrap.inbox_consumer(store, notifier)
    yield consumer
    consumer.audit.close()


def put(store: Store, count: int, **more: Any) -> None:
    send(store.redis, store.keys, (event(n) for n in range(count)), source="t", settings=store.settings, **more)


def maintenance(store: Store, notifier: Notifier, **changes: Any) -> None:
    store.redis.delete(store.keys.tend)
    changed = store.settings.model_copy(update=changes)
    assert maintain(Store(changed, store.keys, store.redis, store.once), notifier)


def limit_memory(store: Store, per_cent: float) -> None:
    """Sets the limit so that so much of it is in use."""
    used = memory.memory(store.redis).used
    store.redis.config_set("maxmemory", int(used * 100 / per_cent))


def test_an_outlet_that_nobody_reads_makes_the_workers_wait_and_loses_nothing(
    store: Store, consumer: InboxConsumer, notifier: Notifier, notified: list[int]
) -> None:
    put(store, 10)
    consumer.run()
    for number in range(10, 15):
        store.redis.xadd(store.keys.inbox, {"event": event(number)})
    maintenance(store, notifier, outlet_limit=10)
    found = reconcile(store.redis, store.keys)
    assert found.hold is not None
    assert found.hold.reason in [
        f"10 entries of {name} are unread or not acknowledged by group {name} (limit 10)"
        for name in ("billing", "rework")
    ]
    consumer.run()
    assert reconcile(store.redis, store.keys).waiting == 5

    outlet = max(found.outlets, key=lambda outlet: outlet.count).name
    stream = store.keys.outlet(outlet)
    ((_, page),) = store.redis.xreadgroup(outlet, "me", {stream: ">"}, count=1)
    store.redis.xack(stream, outlet, page[0][0])
    maintenance(store, notifier, outlet_limit=10)
    assert reconcile(store.redis, store.keys).hold, "it ends a tenth below, not at once"
    ((_, page),) = store.redis.xreadgroup(outlet, "me", {stream: ">"}, count=9)
    maintenance(store, notifier, outlet_limit=10)
    assert reconcile(store.redis, store.keys).hold, "what is read and not acknowledged is not done"
    store.redis.xack(stream, outlet, *[entry for entry, _ in page])
    maintenance(store, notifier, outlet_limit=10)
    assert reconcile(store.redis, store.keys).hold is None
    assert notified
    consumer.run()
    assert reconcile(store.redis, store.keys).settled


def test_a_redis_near_its_limit_makes_the_workers_wait_until_well_below(
    store: Store, consumer: InboxConsumer, notifier: Notifier, notified: list[int]
) -> None:
    put(store, 3)
    limit_memory(store, 93)
    maintenance(store, notifier)
    found = reconcile(store.redis, store.keys)
    assert found.hold is not None
    assert "of its memory (limit 90 %)" in found.hold.reason
    consumer.run()
    assert reconcile(store.redis, store.keys).waiting == 3
    limit_memory(store, 87)
    maintenance(store, notifier)
    assert reconcile(store.redis, store.keys).hold
    limit_memory(store, 60)
    maintenance(store, notifier)
    assert reconcile(store.redis, store.keys).hold is None
    consumer.run()
    assert reconcile(store.redis, store.keys).settled


def test_a_redis_without_any_memory_left_is_maintained_and_what_is_in_hand_is_committed(
    store: Store, consumer: InboxConsumer, notifier: Notifier
) -> None:
    put(store, 3)
    entries = consumer.partitions[0].inbox.take(3)
    limit_memory(store, 150)
    with pytest.raises(OutOfMemoryError):
        store.redis.set("x", "1")
    consumer.partitions[0].process(entries)
    maintenance(store, notifier)
    found = reconcile(store.redis, store.keys)
    assert (found.settled, found.hold is not None, found.rate is not None) == (True, True, True)
    with opening.open_store(store.settings) as again:  # `scrub status` still works
        assert reconcile(again.redis, again.keys).settled
        consumer.partitions[0].inbox.ensure()


def test_what_was_registered_is_put_back_once_an_emptied_redis_has_room_for_it(
    store: Store, notifier: Notifier
) -> None:
    producers.add(store.redis, store.keys, Producer("east", "east"))
    maintenance(store, notifier)
    store.redis.flushall()
    limit_memory(store, 150)
    with pytest.raises(OutOfMemoryError):  # the groups that were lost are not to be had either
        maintenance(store, notifier)
    assert store.redis.exists(store.keys.samples), "this round was gone through to its end"
    assert reconcile(store.redis, store.keys).hold, "a full Redis stops nothing of what makes the workers wait"
    assert not producers_of(store.redis, store.keys)
    limit_memory(store, 50)
    store.redis.delete(store.keys.tend_log)
    maintenance(store, notifier)
    assert [*producers_of(store.redis, store.keys)] == ["east"]


def test_what_one_installation_registered_comes_into_no_other(
    store: Store, notifier: Notifier, tmp_path_factory: pytest.TempPathFactory
) -> None:
    producers.add(store.redis, store.keys, Producer("east", "east"))
    maintenance(store, notifier)
    store.redis.flushall()
    agreement.write(store.redis, agreement.Standing(layout=NEWEST))
    other = store.settings.model_copy(update={"state_dir": tmp_path_factory.mktemp("other")})
    assert maintain(Store(other, store.keys, store.redis, store.once), notifier)
    assert not producers_of(store.redis, store.keys)


def test_a_hold_ends_by_itself_when_no_worker_is_left_to_end_it(store: Store, notifier: Notifier) -> None:
    maintenance(store, notifier)
    limit_memory(store, 95)
    maintenance(store, notifier)
    assert 0 < store.redis.pttl(store.keys.hold) <= 10_000


def test_a_producer_is_refused_above_the_ceiling_until_well_below_it(store: Store, notifier: Notifier) -> None:
    store.redis.set(
        "ballast", b"0" * 40_000_000
    )  # beside which a connection's buffer, as Redis 8.6 has them, is nothing
    put(store, 1)
    limit_memory(store, 78)
    put(store, 1)
    limit_memory(store, 85)
    with pytest.raises(InboxFull, match=r"80 %.*0 claim"):
        put(store, 1)
    maintenance(store, notifier)
    limit_memory(store, 78)
    maintenance(store, notifier)
    with pytest.raises(InboxFull):
        put(store, 1)
    limit_memory(store, 60)
    maintenance(store, notifier)
    put(store, 1)
    assert store.redis.xlen(store.keys.inbox) == 3


def test_a_producer_that_waits_says_so_and_goes_on_when_there_is_room(store: Store) -> None:
    limit_memory(store, 95)
    said: list[str] = []
    threading.Timer(1.5, lambda: store.once.config_set("maxmemory", 0)).start()
    put(store, 1_200, wait=None, on_wait=said.append)
    assert store.redis.xlen(store.keys.inbox) == 1_200
    assert "waiting for room, 0 accepted so far" in said[0]


def test_a_producer_waits_no_longer_than_it_asked_for(store: Store) -> None:
    limit_memory(store, 95)
    started = time.monotonic()
    with pytest.raises(InboxFull):
        put(store, 1, wait=1.2)
    assert 1.2 <= time.monotonic() - started < 3


def test_what_redis_refuses_in_the_middle_of_a_batch_is_sent_again_and_nothing_twice(
    store: Store, settings: Settings
) -> None:
    """The ceiling is as high as the limit, so that Redis itself runs out while the batch is sent."""
    changed = settings.model_copy(update={"memory_ceiling": 100, "worker_ceiling": 100})
    big = [claim(number, diagnoses=["M54.31"] * 2_000) for number in range(600)]
    store.redis.config_set("maxmemory", store.redis.info("memory")["used_memory"] + 4_000_000)
    threading.Timer(2, lambda: store.once.config_set("maxmemory", 0)).start()
    receipt = send(store.redis, store.keys, big, source="x", settings=changed, wait=None)
    assert len(receipt) == len(set(receipt.entries)) == store.redis.xlen(store.keys.inbox) == 600


def test_a_producer_waits_where_what_waits_would_not_fit_once_it_is_decided(store: Store, notifier: Notifier) -> None:
    """Raw XADD of one kilobyte each, which become 2.7 to 4.4 (and so a tenth of the memory, four and a half)."""
    maintenance(store, notifier)
    before = memory.memory(store.redis).used
    put(store, 3_000)
    used = memory.memory(store.redis).used
    limit = int((before + (used - before) * 3) / 0.9)
    assert used / limit < 0.7, "far below the ceiling"
    store.redis.config_set("maxmemory", limit)
    maintenance(store, notifier)
    with pytest.raises(InboxFull):
        put(store, 1)
    store.redis.config_set("maxmemory", limit * 3)
    maintenance(store, notifier)
    put(store, 1)


def test_the_claims_of_the_bench_grow_by_less_than_producers_leave_room_for(
    store: Store, consumer: InboxConsumer
) -> None:
    """And not by so much less that they would be told to wait for nothing."""
    store.redis.xadd(store.keys.inbox, {"event": bench_event(10_000)})
    consumer.run()
    before = memory.memory(store.redis).used
    for number in range(400):
        store.redis.xadd(store.keys.inbox, {"event": bench_event(number)})
    waiting = pressure.waiting_bytes(store.redis, [store.keys.inbox])
    while not reconcile(store.redis, store.keys).settled:  # a slow machine's budget is spent before
        consumer.run()
    grown = (memory.memory(store.redis).used - before) / waiting
    assert pressure.GROWTH / 2 < grown < pressure.GROWTH, grown


def test_producers_do_not_believe_what_no_worker_has_said_of_late(store: Store) -> None:
    now = int(store.redis.time()[0])
    store.redis.hset(store.keys.meta, "full", f"{now * 1000} 90 100")
    with pytest.raises(InboxFull, match="90 of 100"):
        put(store, 1)
    store.redis.hset(store.keys.meta, "full", f"{(now - 20) * 1000} 90 100")
    put(store, 1)


def test_a_flood_past_every_ceiling_is_worked_off_as_soon_as_the_outlets_are_read(
    store: Store, consumer: InboxConsumer, notifier: Notifier
) -> None:
    """XADD asks nobody: workers hold with nothing in an outlet that anybody could take away."""
    for one in consumer.partitions:
        one.settings = store.settings.model_copy(update={"batch": 20})  # as small to the memory as is usual
    consumer.run()
    maintenance(store, notifier)
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(400):
            data = claim(number, documentation=[{"response": "x" * 1_500}])  # larger than what is remembered of it
            pipeline.xadd(store.keys.inbox, {"event": event(number, data=data)})
        pipeline.execute()
    limit_memory(store, 97)
    rounds = 0
    while (found := reconcile(store.redis, store.keys)).waiting or found.hold:
        rounds += 1
        assert rounds < 60, found
        maintenance(store, notifier)
        consumer.run()
        assert memory.memory(store.redis).per_cent < 125
        found = reconcile(store.redis, store.keys)
        if found.hold and any(outlet.unread for outlet in found.outlets):
            waiting = found.waiting
            maintenance(store, notifier)
            consumer.run()
            assert reconcile(store.redis, store.keys).waiting == waiting, "while something is to be read, they wait"
            held = reconcile(store.redis, store.keys).hold
            assert held
            assert "most unread is billing" in held.reason or "most unread is rework" in held.reason
        for name in ("billing", "rework"):
            stream = store.keys.outlet(name)
            for _, page in store.redis.xreadgroup(name, "me", {stream: ">"}, count=5_000):
                store.redis.xack(stream, name, *[entry for entry, _ in page])
    assert rounds > 2, "it was held at all"
    assert sum(outlet.count for outlet in found.outlets) == 400
    assert found.balance == 0


def test_what_no_group_reads_holds_nobody_and_is_named_apart(
    store: Store, consumer: InboxConsumer, notifier: Notifier
) -> None:
    """One entry of `unchecked` that nobody wants kept all workers waiting for ever, and `quarantine` was named for it."""
    consumer.partitions[0].settings = store.settings.model_copy(update={"batch": 20})
    other = claim(1)
    other["lines"][0]["procedure"] = "99213"
    store.redis.xadd(store.keys.inbox, {"event": event(50, data=other)})
    store.redis.xadd(store.keys.inbox, {"event": "no claim"})
    store.redis.xadd(store.keys.inbox, {"event": "no claim either"})
    put(store, 3)
    consumer.run()
    assert [reconcile(store.redis, store.keys).outlet(name).unread for name in ("unchecked", "quarantine")] == [1, 2]
    for number in range(100, 160):
        store.redis.xadd(store.keys.inbox, {"event": event(number)})
    limit_memory(store, 95)
    maintenance(store, notifier)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert found.hold
    assert "most unread is billing, with " in found.hold.reason, "that one is read, and the others are not"
    assert reconciliation_line(found, "", [])["queue.held_by"] == "billing", "so says the alert"
    assert found.waiting == 60
    for name in ("billing", "rework"):
        stream = store.keys.outlet(name)
        for _, page in store.redis.xreadgroup(name, "me", {stream: ">"}):
            store.redis.xack(stream, name, *[entry for entry, _ in page])
    limit_memory(store, 95)
    maintenance(store, notifier)
    found = reconcile(store.redis, store.keys)
    assert reconciliation_line(found, "", [])["queue.held_by"] == "", "nobody is to be called for an outlet"
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert found.waiting == 40, "a batch a period"
    assert found.hold
    sentence = "nothing is left to read, so what waits is worked off slowly; no group reads quarantine, which keeps 2"
    assert sentence in found.hold.reason


def test_while_they_are_held_workers_drop_what_was_sent_again_and_leave_the_rest_in_its_order(
    store: Store, consumer: InboxConsumer, notifier: Notifier
) -> None:
    """A sender that sends a file again and again fills Redis with what makes no result."""
    producers.add(store.redis, store.keys, Producer("ehr"))
    put(store, 30)
    for number in range(10):
        store.redis.xadd(store.keys.stream("ehr"), {"event": event(number)})
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    consumer.run()
    for _ in range(20):
        put(store, 30)
        store.redis.xadd(store.keys.inbox, {"event": event(1, requeue_of="1-1")})
        store.redis.xadd(store.keys.stream("ehr"), {"event": event(3)})
    new = [store.redis.xadd(store.keys.inbox, {"event": event(number)}) for number in range(100, 110)]
    reused = store.redis.xadd(store.keys.inbox, {"event": event(2, data=claim(77))})
    maintenance(store, notifier, outlet_limit=10)
    assert reconcile(store.redis, store.keys).hold
    for _ in range(8):
        consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (found.waiting, found.in_flight, found.balance) == (11, 0, 0)
    assert found.repeated == 20 * 32
    assert [entry for entry, _ in store.redis.xrange(store.keys.inbox)] == [*new, reused]
    assert not found.short
    lines = [
        json.loads(line)["event.action"]
        for file in store.settings.audit_path.glob("*.jsonl")
        for line in file.read_bytes().splitlines()
    ]
    assert lines.count("claim.repeated") == 20 * 32
    assert "claim.superseded" not in lines
    maintenance(store, notifier)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (found.settled, found.outlet("quarantine").count) == (True, 1)


def test_a_repeat_that_a_worker_was_handed_meanwhile_is_that_workers(
    store: Store, consumer: InboxConsumer, notifier: Notifier
) -> None:
    put(store, 2)
    consumer.run()
    put(store, 2)
    one = consumer.partitions[0]
    assert one.repeats
    waiting = one.inbox.waiting
    taken: list[Any] = []

    def overtaken(stream: str, after: str, count: int) -> Any:
        found = waiting(stream, after, count)
        if found:
            taken.extend(Inbox(store.redis, store.keys, "other").take(10))
        return found

    one.inbox.waiting = overtaken  # type: ignore[method-assign]
    assert one.repeats.drop(one.context, 10) == 0
    assert len(taken) == 2
    found = reconcile(store.redis, store.keys)
    assert (found.repeated, found.in_flight, found.balance) == (0, 2, 0)


def filled(store: Store, outlet: str, count: int) -> list[bytes]:
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(count):
            pipeline.xadd(store.keys.outlet(outlet), {"event": f"{number}"})
        return list(pipeline.execute())


def trimmed(store: Store, outlet: str, retention_ms: int = 0) -> int:
    time.sleep(0.002)
    return memory.trim(store.redis, store.keys.outlet(outlet), retention_ms, 100_000)


def test_an_outlet_is_trimmed_only_behind_what_every_group_has_acknowledged(store: Store) -> None:
    stream = store.keys.outlet("billing")
    entries = filled(store, "billing", 1_000)
    for group in ("billing", "archive"):
        store.redis.xgroup_create(stream, group, id="0")
    assert trimmed(store, "billing") == 0, "nobody has read it"
    store.redis.xreadgroup("billing", "me", {stream: ">"}, count=1_000)
    store.redis.xack(stream, "billing", *entries)
    assert trimmed(store, "billing") == 0, "one group has not read it"
    store.redis.xreadgroup("archive", "me", {stream: ">"}, count=1_000)
    assert trimmed(store, "billing") == 0, "one group has read and not acknowledged it"
    store.redis.xack(stream, "archive", *entries[:450], *entries[451:])
    assert trimmed(store, "billing") == 400, "whole nodes of the stream, of 100 entries each"
    left = [entry for entry, _ in store.redis.xrange(stream)]
    assert left == entries[400:]
    store.redis.xack(stream, "archive", entries[450])
    assert trimmed(store, "billing") == 600


def test_an_outlet_keeps_what_is_younger_than_the_retention(store: Store) -> None:
    stream = store.keys.outlet("billing")
    store.redis.xgroup_create(stream, "billing", id="0", mkstream=True)
    filled(store, "billing", 200)
    time.sleep(0.6)
    later = filled(store, "billing", 200)
    ((_, page),) = store.redis.xreadgroup("billing", "me", {stream: ">"}, count=400)
    store.redis.xack(stream, "billing", *[entry for entry, _ in page])
    assert trimmed(store, "billing", 300) == 200
    assert store.redis.xrange(stream, count=1)[0][0] == later[0]


def test_an_outlet_without_a_group_is_not_trimmed_and_quarantine_never(store: Store, notifier: Notifier) -> None:
    maintenance(store, notifier)
    for outlet in ("unchecked", "quarantine"):
        entries = filled(store, outlet, 300)
        maintenance(store, notifier, retention=0)
        assert store.redis.xlen(store.keys.outlet(outlet)) == 300
        store.redis.xgroup_create(store.keys.outlet(outlet), "g", id="0")
        store.redis.xreadgroup("g", "me", {store.keys.outlet(outlet): ">"}, count=300)
        store.redis.xack(store.keys.outlet(outlet), "g", *entries)
    time.sleep(0.002)
    maintenance(store, notifier, retention=0)
    assert store.redis.xlen(store.keys.outlet("quarantine")) == 300
    assert store.redis.xlen(store.keys.outlet("unchecked")) == 0


def test_maintenance_trims_and_the_reconciliation_still_balances(
    store: Store, consumer: InboxConsumer, notifier: Notifier
) -> None:
    put(store, 400)
    consumer.run()
    outlet = max(reconcile(store.redis, store.keys).outlets, key=lambda outlet: outlet.count)
    stream = store.keys.outlet(outlet.name)
    maintenance(store, notifier, retention=0)
    assert store.redis.xlen(stream) == 400
    ((_, page),) = store.redis.xreadgroup(outlet.name, "me", {stream: ">"}, count=400)
    store.redis.xack(stream, outlet.name, *[entry for entry, _ in page])
    maintenance(store, notifier)
    assert store.redis.xlen(stream) == 400, "it is kept for its retention"
    time.sleep(0.002)
    maintenance(store, notifier, retention=0)
    found = reconcile(store.redis, store.keys)
    assert found.outlet(outlet.name).length < 100
    assert (found.settled, found.outlet(outlet.name).count) == (True, 400)
    assert found.outlet(outlet.name).groups[0].lag == 0


def test_a_worker_outlives_a_redis_without_memory_and_goes_on_when_there_is_some(
    store: Store, start_worker: Start
) -> None:
    """Also a notifier that was used before: kombu cannot even register it then."""
    worker = start_worker().wait_ready()
    put(store, 50)
    settled(store, 50)
    limit_memory(store, 150)
    until(lambda: '"the workers wait: Redis uses' in worker.text(), output=worker.text)
    assert reconcile(store.redis, store.keys).hold
    with pytest.raises(OutOfMemoryError):
        store.redis.xadd(store.keys.inbox, {"event": event(50)})
    time.sleep(6)
    assert worker.process.poll() is None, worker.text()
    assert reconcile(store.redis, store.keys).alive, "it still says that it lives"
    store.redis.config_set("maxmemory", 0)
    put(store, 20, wait=30)
    found = settled(store, 70)
    assert (found.repeated, found.hold) == (20, None)
    until(lambda: "the workers wait no longer" in worker.text())


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_flood_to_the_last_byte_is_worked_off_by_a_worker_that_no_message_reaches_any_more(
    store: Store, start_worker: Start, pool: str
) -> None:
    """Redis refuses the notifications too (celery#5716), and what waits alone is too much: nothing can be trimmed."""
    worker = start_worker("-P", pool, env={"SCRUB_BATCH": "20"}).wait_ready()
    put(store, 3)
    settled(store, 3)
    time.sleep(1)  # nothing is on its way
    os.killpg(worker.process.pid, signal.SIGSTOP)
    sent = 503
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(3, sent):
            data = claim(number, documentation=[{"response": "x" * 2_000}] * 4)
            pipeline.xadd(store.keys.inbox, {"event": event(number, data=data)})
        pipeline.execute()
    celeryapp.notifier(store).notify()  # kombu cannot note that it took this one
    limit_memory(store, 104)
    with pytest.raises(OutOfMemoryError):
        store.redis.xadd(store.keys.inbox, {"event": "x"})
    os.killpg(worker.process.pid, signal.SIGCONT)

    def read() -> bool:
        for name in ("billing", "rework"):
            stream = store.keys.outlet(name)
            for _, page in store.redis.xreadgroup(name, "me", {stream: ">"}, count=5_000):
                store.redis.xack(stream, name, *[entry for entry, _ in page])
        found = reconcile(store.redis, store.keys)
        return found.settled and not found.hold

    until(read, 90, lambda: f"{reconcile(store.redis, store.keys)} {worker.text()}")
    assert sum(outlet.count for outlet in reconcile(store.redis, store.keys).outlets) == sent


def test_a_worker_that_starts_on_a_full_redis_trims_and_waits_for_room(store: Store, start_worker: Start) -> None:
    """Celery would end; and with it whoever trims the outlets, so that there never would be room again."""
    put(store, 5)
    stream = store.keys.outlet("billing")
    entries = filled(store, "billing", 1_000)
    store.redis.xgroup_create(stream, "billing", id="0")
    store.redis.xreadgroup("billing", "me", {stream: ">"}, count=1_000)
    store.redis.xack(stream, "billing", *entries)
    limit_memory(store, 150)
    worker = start_worker(env={"SCRUB_RETENTION": "0"})
    until(lambda: not store.redis.xlen(stream), output=worker.text)
    assert "Redis has no memory left" in worker.text()
    assert worker.process.poll() is None
    store.redis.config_set("maxmemory", 0)
    settled(store, 5)
