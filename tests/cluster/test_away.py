"""A node that is away, and has no replica: the partitions of the others go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.server import Server
from tests.integration.helpers import each_once, event, quiet, until
from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import OutletEntry, Reader
from worker.pipeline.producer import send
from worker.pipeline.quarantine import entries
from worker.store import opening, reachability
from worker.store.cluster import LOST, NodeLost
from worker.store.connections import Store
from worker.store.keys import Keys
from worker.store.rediserrors import NodeAway

from .conftest import PARTITIONS
from .nodes import Nodes

PARTS = Keys(0, PARTITIONS).all


@pytest.fixture
def nodes(home: Path) -> Iterator[Nodes]:
    """A cluster of its own, whose nodes have no replica."""
    found = Nodes(home / "nodes", replicas=False)
    try:
        yield found.start()
    finally:
        found.end()


@pytest.fixture
def settings(nodes: Nodes, broker: Server, home: Path, unset: None) -> Settings:
    options = {"reclaim": 1, "hard_time_limit": 0.9, "soft_time_limit": 0.8, "drain_budget": 0.5}
    where = {"redis_url": nodes.url, "broker_url": broker.url}
    return load_settings(**where, state_dir=home, partitions=PARTITIONS, **options)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with opening.open_store(settings) as found:
        yield found


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    made = bootstrap.inbox_consumer(store, quiet(store))
    yield made
    made.audit.close()


def run(consumer: InboxConsumer, seconds: float = 3) -> None:
    """Some runs, as a worker does them, whatever fails."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            consumer.run()
        except LOST:
            time.sleep(0.05)


def those(store: Store, parts: list[Keys]) -> Reconciliation:
    return reconcile(store.redis, store.keys, parts)


@pytest.mark.slow
def test_the_partitions_of_the_other_nodes_go_on_and_nothing_is_lost_when_it_is_back(
    store: Store, nodes: Nodes, consumer: InboxConsumer
) -> None:
    gone = next(nodes.holds(part.partition) for part in PARTS if nodes.holds(part.partition) != nodes.holds(0))
    there = [part for part in PARTS if nodes.holds(part.partition) != gone]
    send(store.redis, store.keys, [event(number) for number in range(200)], source="x", settings=store.settings)
    nodes.kill(gone)
    run(consumer)
    found = those(store, there)
    assert found.waiting == 0
    decided = sum(one.count for one in found.outlets)
    assert decided > 20
    assert found.in_flight > 0  # their events are to be registered on the node that is away

    inbox = there[0].inbox
    for number in range(200, 300):
        store.redis.xadd(inbox, {"event": event(number)})
    run(consumer)
    assert those(store, there).waiting == 0
    assert sum(one.count for one in those(store, there).outlets) > decided

    notified: list[int] = []
    store.redis.delete(store.keys.tend, store.keys.tend_log)
    assert maintain(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: notified.append(1)))
    assert notified

    reader = Reader(store.redis, store.keys, "billing", "mine", "me").entries(follow=False)
    read = set[str]()
    with pytest.raises(NodeLost):  # once it has had all that the others have
        read |= _taken(reader, read)
    assert len(read) == those(store, there).outlet("billing").count > decided

    nodes.servers[gone].start()
    until(nodes.whole, 30)
    until(lambda: _worked_off(store, consumer), 60, lambda: reconcile(store.redis, store.keys))
    each_once(store, 300)
    rest = Reader(store.redis, store.keys, "billing", "mine", "me").entries(follow=False)
    assert len(read | {entry.event["eventid"] for entry in rest}) == 300
    assert not list(entries(store.redis, store.keys))
    found = reconcile(store.redis, store.keys)
    assert [part.balance for part in found.parts] == [0] * PARTITIONS
    assert found.balance == 0


def _taken(entries: Iterator[OutletEntry], read: set[str]) -> set[str]:
    for entry in entries:
        read.add(entry.event["eventid"])
    return read


def _worked_off(store: Store, consumer: InboxConsumer) -> bool:
    run(consumer, 0.5)
    return reconcile(store.redis, store.keys).settled


def test_the_sentence_names_the_node(store: Store, nodes: Nodes) -> None:
    part = PARTS[1]
    nodes.kill(nodes.holds(1))
    with pytest.raises(NodeLost) as lost:
        store.once.exists(part.meta)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(NodeLost):
            store.once.exists(part.meta)
    assert time.monotonic() - began < 0.5
    found = reachability.trouble(lost.value, reachability.claims(store.settings))
    assert isinstance(found, NodeAway)
    assert f"127.0.0.1:{nodes.servers[nodes.holds(1)].port}" in str(found)
