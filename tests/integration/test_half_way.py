"""A commit that stops half way: Redis rolls nothing back. What `commit.lua` says of that, with a server's own errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError

from worker import bootstrap
from worker.audit.log import Head
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.commit import Committer, Item
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.inbox import Inbox
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.keys import FIELD
from worker.store.outletspecs import OUTLETS

from .helpers import claim, counting, each_once, event, quiet

COUNT = 12
FULL = f"{2**64 - 1}-{2**64 - 1}"


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    found = bootstrap.inbox_consumer(store, quiet(store))
    yield found
    found.audit.close()


def put(store: Store) -> None:
    """Every third one goes to rework: its side is there beside "both sides"."""
    lines = claim()["lines"]
    faulty = [{**lines[0], "modifiers": ["50", "RT"]}]
    events = [event(n, data=claim(n, lines=faulty) if n % 3 == 2 else claim(n)) for n in range(COUNT)]
    send(store.redis, store.keys, iter(events), source="test", settings=store.settings)


def published(store: Store) -> Counter[str]:
    return Counter(entry.event["eventid"] for name in OUTLETS for entry in tail(store.redis, store.keys, name))


def test_an_outlet_that_takes_no_more_stops_the_batch_and_after_it_is_mended_each_claim_is_out_once(
    store: Store, consumer: InboxConsumer
) -> None:
    """The third claim of the batch fails, behind two that are out. It is tried thrice before it is mended."""
    put(store)
    rework = store.keys.outlet("rework")
    store.redis.xdel(rework, store.redis.xadd(rework, {FIELD: b"{}"}, id=FULL))
    for _ in range(3):
        with pytest.raises(ResponseError, match="exhausted"):
            consumer.run()
        assert published(store) == {"evt-0": 1, "evt-1": 1}
        assert reconcile(store.redis, store.keys).in_flight == COUNT, "none was taken off"
    store.redis.delete(rework)
    consumer.run()
    each_once(store, COUNT)
    found = reconcile(store.redis, store.keys)
    assert (found.settled, found.balance, found.repeated) == (True, 0, 2)
    assert counting(store) == sorted(f"PCN-{n:05}" for n in range(COUNT) if n % 3 != 2)


def test_a_counter_that_cannot_count_stops_the_batch_when_all_is_out_and_nothing_goes_out_again(
    store: Store, consumer: InboxConsumer
) -> None:
    put(store)
    store.redis.hset(store.keys.counters, "billing", "many")
    for _ in range(3):
        with pytest.raises(ResponseError, match="not an integer"):
            consumer.run()
        each_once(store, COUNT)
        assert store.redis.xlen(store.keys.inbox) == COUNT
        store.redis.hset(store.keys.counters, "repeated", "many")
    store.redis.hdel(store.keys.counters, "billing", "repeated")
    consumer.run()
    each_once(store, COUNT)
    assert store.redis.xlen(store.keys.inbox) == 0
    assert len(counting(store)) == COUNT * 2 // 3


def test_the_one_claim_that_is_struck_between_its_two_writes_is_published_again_under_the_same_name(
    store: Store, inbox: Inbox
) -> None:
    """No server refuses the second write of a worker. Here it is made to, by an expiry that there is not: the claim
    before it is known, and this one alone is not."""
    entries = [store.redis.xadd(store.keys.inbox, {FIELD: f"{number}"}).decode() for number in range(3)]
    inbox.take(3)
    items = [
        Item(entry, "billing", b"%d" % number, store.keys.event(f"{number}"), "", "known", store.keys.ledger("p"),
             str(number), f"{number + 1} []", 2**52)
        for number, entry in enumerate(entries)
    ]  # fmt: skip
    items[0] = items[0]._replace(ledger_version="")
    struck = [items[0], items[1]._replace(ledger_until=-1), items[2]]
    committer = Committer(store.once, store.keys, "me", memory_ms=60_000)
    with pytest.raises(ResponseError, match="expire"):
        committer.commit(struck, Head())
    outlet = store.keys.outlet("billing")
    assert [fields[b"event"] for _, fields in store.redis.xrange(outlet)] == [b"0", b"1"]
    assert [store.redis.exists(item.event_key) for item in items] == [1, 0, 0]
    assert committer.commit(items, Head()) == ["retry", "retry", "retry"], "judged anew, on what was written"
    left = [
        items[0]._replace(route="repeated", expects="known", writes="", ledger_key=None, ledger_writes=""),
        *items[1:],
    ]
    assert committer.commit(left, Head()) == ["done"] * 3
    assert [fields[b"event"] for _, fields in store.redis.xrange(outlet)] == [b"0", b"1", b"1", b"2"]
