"""Back-pressure and trimming against a real server: workers and producers wait, and nothing unread is deleted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from worker import bootstrap
from worker.config.settings import Settings
from worker.errors import InboxFull
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.store import memory, opening
from worker.store.connections import Store

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
    put(store, 5)
    maintenance(store, notifier, outlet_limit=10)
    found = reconcile(store.redis, store.keys)
    assert found.hold is not None
    assert found.hold.reason in [
        f"10 entries of {name} are unread or not acknowledged by group {name} (limit 10)"
        for name in ("billing", "rework")
    ]
    assert not notified
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


def test_a_hold_ends_by_itself_when_no_worker_is_left_to_end_it(store: Store, notifier: Notifier) -> None:
    maintenance(store, notifier)
    limit_memory(store, 95)
    maintenance(store, notifier)
    assert 0 < store.redis.pttl(store.keys.hold) <= 10_000


def test_a_producer_is_refused_above_the_ceiling_until_well_below_it(store: Store) -> None:
    store.redis.set(
        "ballast", b"0" * 8_000_000
    )  # beside which a connection's buffer, as Redis 8.6 has them, is nothing
    put(store, 1)
    limit_memory(store, 78)
    put(store, 1)
    limit_memory(store, 85)
    with pytest.raises(InboxFull, match=r"80 %.*0 claim"):
        put(store, 1)
    limit_memory(store, 78)
    with pytest.raises(InboxFull):
        put(store, 1)
    limit_memory(store, 60)
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
    put(store, 20)
    found = settled(store, 70)
    assert (found.repeated, found.hold) == (20, None)
    until(lambda: "the workers wait no longer" in worker.text())


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
