"""What one node forgets is named, though the others know more of the same audit chain."""

from __future__ import annotations

import orjson

from tests.integration.helpers import event, quiet
from worker import bootstrap
from worker.audit.behind import Behind, behind
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.keyring import load_ring
from worker.store.keys import Keys


def look(store: Store) -> Behind:
    return behind(store, load_ring(store.settings.secret_path, "audit"), pause=0)


def decide(store: Store, consumer: InboxConsumer, *numbers: int) -> None:
    events = [event(number) for number in numbers]
    send(store.redis, store.keys, events, source="x", settings=store.settings)
    while not reconcile(store.redis, store.keys).settled:
        consumer.run()


def test_a_partition_that_went_back_is_found_out_and_what_is_decided_again_is_listed(store: Store) -> None:
    consumer = bootstrap.inbox_consumer(store, quiet(store))
    try:
        decide(store, consumer, *range(40))
        assert look(store) == Behind()
        part = Keys(1, store.keys.count)
        kept = sorted(store.redis.scan_iter(match="{claims:1}:*"))
        copy = {key: store.redis.dump(key) for key in kept}  # as the replica of this node had it
        decide(store, consumer, *range(40, 80))
        later = store.redis.xrange(part.outlet("billing"))
        first = consumer.audit.head.chain
        for key in store.redis.scan_iter(match="{claims:1}:*"):
            store.redis.delete(key)
        for key, value in copy.items():
            store.redis.restore(key, 0, value or b"")
        gone = len(later) - store.redis.xlen(part.outlet("billing"))
        assert gone > 0
        found = look(store)
        assert len(found.lost) == gone
        assert (found.again, found.waiting) == (0, 0)

        send(  # their sender sends the night's file again, and goes on
            store.redis, store.keys, [event(number) for number in range(100)], source="x", settings=store.settings
        )
        while not reconcile(store.redis, store.keys).settled:
            consumer.run()
        assert consumer.audit.head.chain != first
        # Sent again, it is another entry, and has another decision id: what the first one said is in the files alone.
        assert len(look(store).lost) == gone
    finally:
        consumer.audit.close()


def test_what_was_accepted_and_is_decided_again_has_the_same_decision_id(store: Store) -> None:
    consumer = bootstrap.inbox_consumer(store, quiet(store))
    try:
        decide(store, consumer, *range(20))
        events = [event(number) for number in range(20, 60)]
        send(store.redis, store.keys, events, source="x", settings=store.settings)
        part = Keys(1, store.keys.count)
        copy = {key: store.redis.dump(key) for key in store.redis.scan_iter(match="{claims:1}:*")}
        while not reconcile(store.redis, store.keys).settled:
            consumer.run()
        before = {entry[1][b"event"] for entry in store.redis.xrange(part.outlet("billing"))}
        for key in store.redis.scan_iter(match="{claims:1}:*"):
            store.redis.delete(key)
        for key, value in copy.items():
            store.redis.restore(key, 0, value or b"")
        waiting = look(store).waiting
        assert waiting > 0
        while not reconcile(store.redis, store.keys).settled:
            consumer.run()
        found = look(store)
        assert (found.lost, found.again, found.waiting) == ((), waiting, 0)
        assert len({one.decision for one in found.repeated}) == waiting
        after = {entry[1][b"event"] for entry in store.redis.xrange(part.outlet("billing"))}
        assert {_decision(one) for one in after} == {_decision(one) for one in before}
        assert {one.decision for one in found.repeated} <= {_decision(one) for one in after}
    finally:
        consumer.audit.close()


def _decision(event: bytes) -> str:
    return str(orjson.loads(event)["id"])
