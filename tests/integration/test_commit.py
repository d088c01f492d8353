"""The commit script against a real server."""

from __future__ import annotations

from typing import Any

import pytest

from worker.audit.log import Head
from worker.errors import CommitRefused
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.commit import UNCHECKED, Committer, Item
from worker.pipeline.inbox import Expired, Inbox
from worker.store.connections import Store
from worker.store.keys import FIELD
from worker.store.outletspecs import OUTLETS

MEMORY_MS = 60_000


@pytest.fixture
def committer(store: Store) -> Committer:
    return Committer(store.once, store.keys, "me", memory_ms=MEMORY_MS)


def taken(store: Store, inbox: Inbox, count: int) -> list[str]:
    for number in range(count):
        store.redis.xadd(store.keys.inbox, {FIELD: f"event {number}"})
    return [entry.id for entry in inbox.take(count)]


def in_outlet(store: Store, outlet: str) -> list[bytes]:
    return [fields[b"event"] for _, fields in store.redis.xrange(store.keys.outlet(outlet))]


def test_each_route_gets_its_claim_and_the_books_balance(store: Store, inbox: Inbox, committer: Committer) -> None:
    number = len(OUTLETS)
    entries = taken(store, inbox, number)
    items = [Item(entry, route, route.encode()) for entry, route in zip(entries, OUTLETS, strict=True)]
    assert committer.commit(items, Head("chain", 4, "abc")) == ["done"] * number
    assert [in_outlet(store, route) for route in OUTLETS] == [[route.encode()] for route in OUTLETS]
    found = reconcile(store.redis, store.keys)
    assert (found.accepted, found.settled, [one.count for one in found.outlets]) == (number, True, [1] * number)
    assert store.redis.xlen(store.keys.inbox) == 0
    assert store.redis.hget(store.keys.chains, "chain") == b"4 abc"


def test_an_outlet_that_there_is_not_refuses_the_batch_before_anything_is_written(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    first, second = taken(store, inbox, 2)
    nowhere: Any = "nowhere"
    with pytest.raises(CommitRefused, match="nowhere"):
        committer.commit([Item(first, "billing", b"x"), Item(second, nowhere, b"y")], Head("chain", 1, "m"))
    assert (in_outlet(store, "billing"), reconcile(store.redis, store.keys).in_flight) == ([], 2)
    assert not store.redis.exists(store.keys.chains)


def test_a_claim_that_another_worker_took_over_is_not_published(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    mine, theirs = taken(store, inbox, 2)
    store.redis.xclaim(store.keys.inbox, "scrub", "another", 0, [theirs])
    assert committer.commit([Item(theirs, "billing", b"no"), Item(mine, "billing", b"yes")], Head()) == [
        "not_mine",
        "done",
    ]
    assert in_outlet(store, "billing") == [b"yes"]
    assert reconcile(store.redis, store.keys).in_flight == 1


def test_entries_among_many_others_of_the_same_worker_are_found_to_be_its_own(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    """Of what it has pending the script looks at as many as the batch has; the others are asked for one by one."""
    entries = taken(store, inbox, 40)
    batch = [entries[30], entries[0], entries[39], entries[20]]
    store.redis.xclaim(store.keys.inbox, "scrub", "another", 0, [entries[20]])
    items = [Item(entry, "billing", entry.encode()) for entry in batch]
    assert committer.commit(items, Head()) == ["done", "done", "done", "not_mine"]
    assert in_outlet(store, "billing") == [entry.encode() for entry in batch[:3]]
    assert reconcile(store.redis, store.keys).in_flight == 37


def test_a_batch_of_the_largest_size_is_committed_whole(store: Store, inbox: Inbox, committer: Committer) -> None:
    """SCRUB_BATCH allows 5,000; with an event key and a ledger each, more than one command takes of arguments."""
    entries = taken(store, inbox, 5_000)
    for entry in entries[:1_500]:
        store.redis.hset(store.keys.attempts, entry, "one")
        store.redis.hset(store.keys.receipts, entry, "1")
    items = [
        Item(entry, "billing", b"x", store.keys.event(entry), "", "v", store.keys.ledger(entry), "", "1 []", 2**42)
        for entry in entries
    ]
    assert committer.commit(items, Head()) == ["done"] * 5_000
    assert store.redis.xlen(store.keys.outlet("billing")) == 5_000
    assert store.redis.xlen(store.keys.inbox) == 0
    assert store.redis.xpending(store.keys.inbox, "scrub")["pending"] == 0
    assert not store.redis.exists(store.keys.attempts, store.keys.receipts)
    assert store.redis.exists(*[store.keys.event(entry) for entry in entries]) == 5_000
    assert reconcile(store.redis, store.keys).settled


def test_most_commands_are_given_once_a_batch(store: Store, inbox: Inbox, committer: Committer) -> None:
    items = [
        Item(entry, "billing", b"x", store.keys.event(entry), "", "v", store.keys.ledger(entry), "", "1 []", 2**42)
        for entry in taken(store, inbox, 200)
    ]
    store.redis.config_resetstat()
    committer.commit(items, Head("chain", 1, "m"))
    stats = store.redis.info("commandstats")
    once = {"xack", "xdel", "xpending", "mget", "hincrby", "hset"}
    assert {name: stats[f"cmdstat_{name}"]["calls"] for name in once} == dict.fromkeys(once, 1)
    assert (stats["cmdstat_xadd"]["calls"], stats["cmdstat_set"]["calls"]) == (200, 400)


def test_a_ledger_of_the_wrong_type_refuses_the_batch(store: Store, inbox: Inbox, committer: Committer) -> None:
    key = store.keys.ledger("p")
    store.redis.hset(key, "a", "b")
    entries = taken(store, inbox, 2)
    items = [Item(entries[0], "billing", b"x"), Item(entries[1], "billing", b"y", ledger_key=key)]
    with pytest.raises(CommitRefused, match="ledger:p"):
        committer.commit(items, Head())
    assert in_outlet(store, "billing") == []


def test_a_second_commit_of_the_same_entry_publishes_nothing(store: Store, inbox: Inbox, committer: Committer) -> None:
    item = Item(taken(store, inbox, 1)[0], "rework", b"once")
    assert committer.commit([item], Head()) == ["done"]
    assert committer.commit([item], Head()) == ["not_mine"]
    assert in_outlet(store, "rework") == [b"once"]


def test_an_entry_that_nobody_took_is_not_committed(store: Store, inbox: Inbox, committer: Committer) -> None:
    entry = store.redis.xadd(store.keys.inbox, {FIELD: "event"}).decode()
    assert committer.commit([Item(entry, "billing", b"x")], Head()) == ["not_mine"]


def test_an_event_key_that_changed_answers_retry_and_leaves_the_entry_pending(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    key = store.keys.event("e")
    entry = taken(store, inbox, 1)[0]
    store.redis.set(key, "other")
    assert committer.commit([Item(entry, "billing", b"x", key, "", "mine")], Head()) == ["retry"]
    assert (in_outlet(store, "billing"), reconcile(store.redis, store.keys).in_flight) == ([], 1)
    assert store.redis.get(key) == b"other"


def test_an_earlier_item_of_the_batch_counts_for_a_later_one(store: Store, inbox: Inbox, committer: Committer) -> None:
    key = store.keys.event("e")
    first, second, third = taken(store, inbox, 3)
    items = [
        Item(first, "billing", b"x", key, "", "written"),
        Item(second, "billing", b"y", key, "", "written"),
        Item(third, "repeated", b"", key, "written"),
    ]
    assert committer.commit(items, Head()) == ["done", "retry", "done"]
    assert in_outlet(store, "billing") == [b"x"]
    assert 0 < store.redis.pttl(key) <= MEMORY_MS
    assert reconcile(store.redis, store.keys).repeated == 1


def test_an_item_that_is_not_mine_promises_nothing_to_a_later_one(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    key = store.keys.event("e")
    theirs, mine = taken(store, inbox, 2)
    store.redis.xclaim(store.keys.inbox, "scrub", "another", 0, [theirs])
    items = [Item(theirs, "billing", b"x", key, "", "written"), Item(mine, "repeated", b"", key, "written")]
    assert committer.commit(items, Head()) == ["not_mine", "retry"]


def test_a_requeued_event_is_not_measured_against_its_key(store: Store, inbox: Inbox, committer: Committer) -> None:
    key = store.keys.event("e")
    store.redis.set(key, "first")
    entry = taken(store, inbox, 1)[0]
    assert committer.commit([Item(entry, "billing", b"x", key, UNCHECKED, "again")], Head()) == ["done"]
    assert store.redis.get(key) == b"again"


def test_a_ledger_version_that_changed_answers_retry(store: Store, inbox: Inbox, committer: Committer) -> None:
    key = store.keys.ledger("p")
    entry = taken(store, inbox, 1)[0]
    store.redis.set(key, "2 []")
    item = Item(entry, "billing", b"x", ledger_key=key, ledger_version="1")
    assert committer.commit([item], Head()) == ["retry"]
    assert committer.commit([Item(entry, "billing", b"x", ledger_key=key, ledger_version="2")], Head()) == ["done"]


@pytest.mark.parametrize("wrong", ["billing", "quarantine", "counters", "chains", "attempts"])
def test_a_key_of_the_wrong_type_refuses_the_batch_before_anything_is_written(
    store: Store, inbox: Inbox, committer: Committer, wrong: str
) -> None:
    entries = taken(store, inbox, 2)
    key = f"{{claims:0}}:{wrong}"
    store.redis.delete(key)
    store.redis.set(key, "not what it should be")
    items = [Item(entries[0], "rework", b"x", store.keys.event("e"), "", "v"), Item(entries[1], "billing", b"y")]
    with pytest.raises(CommitRefused, match=wrong):
        committer.commit(items, Head("chain", 1, "m"))
    assert in_outlet(store, "rework") == []
    assert not store.redis.exists(store.keys.event("e"))
    assert store.redis.xpending(store.keys.inbox, "scrub")["pending"] == 2


def test_an_event_key_of_the_wrong_type_refuses_the_batch(store: Store, inbox: Inbox, committer: Committer) -> None:
    key = store.keys.event("e")
    store.redis.hset(key, "a", "b")
    first, second = taken(store, inbox, 2)
    with pytest.raises(CommitRefused, match="event:e"):
        committer.commit([Item(first, "billing", b"x"), Item(second, "billing", b"y", key, "", "v")], Head())
    assert in_outlet(store, "billing") == []


def test_the_commit_goes_through_when_memory_is_full(store: Store, inbox: Inbox, committer: Committer) -> None:
    entry = taken(store, inbox, 1)[0]
    store.redis.config_set("maxmemory", "1mb")
    assert committer.commit([Item(entry, "billing", b"x")], Head()) == ["done"]


def test_the_attempts_of_a_committed_claim_are_forgotten(store: Store, inbox: Inbox, committer: Committer) -> None:
    entry = taken(store, inbox, 1)[0]
    assert [len(inbox.tries(Expired(entry, "host-1-ab"))) for _ in range(2)] == [1, 2]
    committer.commit([Item(entry, "quarantine", b"x")], Head())
    assert not store.redis.exists(store.keys.attempts)
