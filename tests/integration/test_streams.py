"""Streams of registered producers under one consumer: shares, names, receipt, identities, and how they come and go."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from worker import bootstrap
from worker.audit.log import Head
from worker.config.settings import Settings, load_settings
from worker.errors import ProducerBusy, ProducerRefused, ProducerUnknown
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers, quarantine
from worker.pipeline.commit import Committer, Item
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.inbox import Inbox, InboxEntry
from worker.pipeline.ledger import order
from worker.pipeline.maintenance import maintain
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.producer import send
from worker.store import opening, registry
from worker.store.agreement import Standing, write
from worker.store.connections import Store
from worker.store.keys import FIELD, FORWARDED, GROUP, INNER, REQUEUE, SHARED, Keys
from worker.store.outletspecs import OUTLETS
from worker.store.registry import Producer, producers_of, streams_of

from .helpers import claim, event, quiet

A, B = "alpha", "beta"


@pytest.fixture
def two(store: Store) -> Store:
    """With two registered producers of one facility."""
    for name in (A, B):
        producers.add(store.redis, store.keys, Producer(name))
    return store


@pytest.fixture
def inbox(two: Store) -> Inbox:
    found = Inbox(two.redis, two.keys, "me")
    found.ensure()
    return found


@pytest.fixture
def consumer(two: Store) -> Iterator[InboxConsumer]:
    found = bootstrap.inbox_consumer(two, quiet(two))
    yield found
    found.audit.close()


def put(store: Store, name: str, *events: bytes, keys: Keys | None = None, **more: Any) -> list[str]:
    stream = (keys or store.keys).stream(name)
    return [store.redis.xadd(stream, {FIELD: one}, **more).decode() for one in events]


def by_stream(entries: Any) -> Counter[str]:
    return Counter(entry.stream for entry in entries)


def everything(store: Store) -> list[OutletEntry]:
    return [entry for name in OUTLETS for entry in tail(store.redis, store.keys, name)]


# Shares of a batch.


def test_a_flood_on_one_stream_leaves_the_others_their_share(two: Store, inbox: Inbox) -> None:
    put(two, A, *(b"x" for _ in range(1_000)))
    put(two, B, *(b"x" for _ in range(30)))
    put(two, SHARED, *(b"x" for _ in range(10)))
    found = inbox.take(200)
    assert len(found) == 200
    assert by_stream(found) == {A: 160, B: 30, SHARED: 10}


def test_a_stream_that_is_alone_has_the_batch_but_for_what_is_kept_free_for_the_others(
    two: Store, inbox: Inbox
) -> None:
    put(two, B, *(b"x" for _ in range(500)))
    assert by_stream(inbox.take(200)) == {B: 200}
    assert inbox.more
    assert by_stream(inbox.take(200)) == {B: 197}
    assert inbox.more
    assert by_stream(inbox.take(200)) == {B: 103}
    assert not inbox.more
    assert inbox.take(200) == []


def test_a_stream_that_was_quiet_has_an_entry_of_the_next_batch_and_then_its_share(two: Store, inbox: Inbox) -> None:
    put(two, B, *(b"x" for _ in range(1_000)))
    inbox.take(200)
    inbox.take(200)
    put(two, A, *(b"x" for _ in range(300)))
    assert by_stream(inbox.take(200)) == {B: 197, A: 1}
    assert by_stream(inbox.take(200)) == {B: 99, A: 99}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 20])
def test_a_batch_is_never_larger_than_asked_for_and_nothing_is_left(two: Store, inbox: Inbox, count: int) -> None:
    sizes = {A: 31, B: 5, SHARED: 17, INNER: 1}
    for name, size in sizes.items():
        put(two, name, *(b"x" for _ in range(size)))
    taken = list(iter(lambda: inbox.take(count), []))
    assert max(map(len, taken)) <= count
    assert by_stream(entry for page in taken for entry in page) == sizes


def test_receipts_are_kept_where_redis_had_forgotten_the_script(two: Store, inbox: Inbox) -> None:
    put(two, A, b"x", b"y")
    two.redis.script_flush()
    found = inbox.take(10)
    assert {name.decode() for name in two.redis.hkeys(two.keys.receipts)} == {entry.name for entry in found}
    assert [entry.receipt for entry in inbox.unfinished(10)] == [entry.receipt for entry in found]


def test_an_entry_that_is_handed_out_twice_keeps_its_first_receipt(two: Store, inbox: Inbox) -> None:
    put(two, A, b"x", b"y")
    first = inbox.take(10)
    time.sleep(0.01)
    two.redis.xgroup_setid(two.keys.stream(A), GROUP, "0")
    assert len(inbox.take(10)) == 2
    put(two, A, b"z")
    inbox.take(10)
    assert [entry.receipt for entry in inbox.unfinished(10)][:2] == [entry.receipt for entry in first]
    assert two.redis.hlen(two.keys.receipts) == 3


def test_one_stream_without_its_group_keeps_nothing_of_the_others(two: Store, inbox: Inbox) -> None:
    put(two, A, *(b"x" for _ in range(50)))
    inbox.take(20)
    two.redis.xgroup_destroy(two.keys.stream(B), GROUP)
    put(two, A, b"x")
    taken = 0
    while page := _taken(inbox):
        taken += len(page)
    with pytest.raises(ResponseError, match="NOGROUP"):
        inbox.take(20)
    assert 20 + taken == two.redis.xpending(two.keys.stream(A), GROUP)["pending"]
    inbox.ensure()
    while page := inbox.take(20):
        taken += len(page)
    assert 20 + taken == 51


def _taken(inbox: Inbox) -> Sequence[InboxEntry]:
    try:
        return inbox.take(20)
    except ResponseError:
        return ()


def test_with_more_streams_than_the_batch_has_entries_each_has_its_turn(two: Store, inbox: Inbox) -> None:
    for name in (A, B, SHARED, INNER):
        put(two, name, *(b"x" for _ in range(100)))
    taken = by_stream(entry for _ in range(40) for entry in inbox.take(2))
    assert taken.total() == 80
    assert min(taken.values()) >= 15, taken


def test_a_batch_of_one_finds_the_stream_that_has_something(two: Store, inbox: Inbox) -> None:
    put(two, A, *(b"x" for _ in range(8)))
    assert [len(inbox.take(1)) for _ in range(9)] == [1] * 8 + [0]


def test_entries_keep_the_order_of_their_stream(two: Store, inbox: Inbox) -> None:
    for name in (A, B):
        put(two, name, *(b"x" for _ in range(300)))
    taken: dict[str, list[tuple[int, ...]]] = {A: [], B: []}
    while page := inbox.take(100):
        for entry in page:
            taken[entry.stream].append(order(entry.id))
    assert all(found == sorted(found) and len(found) == 300 for found in taken.values())


# Names: two streams may hold one id.


def test_two_entries_of_one_id_are_two(two: Store, inbox: Inbox) -> None:
    for name in (A, B, SHARED):
        put(two, name, b"x", id="5-1")
    found = {entry.stream: entry for entry in inbox.take(10)}
    assert {entry.name for entry in found.values()} == {f"{A}:5-1", f"{B}:5-1", "5-1"}
    assert {one.entry for one in inbox.expired(0)} == {f"{A}:5-1", f"{B}:5-1", "5-1"}
    inbox.keep_tries(f"{A}:5-1", ["once"])
    committer = Committer(two.once, two.keys, "me", memory_ms=60_000)
    items = [Item(f"{B}:5-1", "billing", b"b"), Item("5-1", "rework", b"s")]
    assert committer.commit(items, Head()) == ["done", "done"]
    assert two.redis.hkeys(two.keys.attempts) == [f"{A}:5-1".encode()]
    assert [entry.name for entry in inbox.unfinished(10)] == [f"{A}:5-1"]
    again = inbox.reclaim(f"{A}:5-1", 0)
    assert again is not None
    assert again.name == f"{A}:5-1"
    assert committer.commit([Item(f"{A}:5-1", "billing", b"a")], Head()) == ["done"]
    assert not two.redis.exists(two.keys.attempts, two.keys.receipts)
    found_now = reconcile(two.redis, two.keys)
    assert (found_now.settled, [one.count for one in found_now.outlets]) == (True, [2, 1, 0, 0, 0])


def test_decisions_ledgers_and_memory_tell_entries_of_one_id_apart(two: Store, consumer: InboxConsumer) -> None:
    for number, name in enumerate((A, B, SHARED)):
        # One patient, so that each decision rests on what the one before wrote.
        data = claim(1, claim_id=f"C-{number}")
        data["lines"][0]["service_date"] = f"2026-10-0{number + 1}"
        put(two, name, event(number, data=data), id="1700000000000-1")
    consumer.run()
    found = everything(two)
    assert len({entry.decision_id for entry in found}) == len(found) == 3
    assert {entry.event["inboxentry"] for entry in found} == {f"{name}:1700000000000-1" for name in (A, B)} | {
        "1700000000000-1"
    }
    memory = {two.redis.get(key).split()[2].decode() for key in two.redis.scan_iter("*:event:*")}
    assert memory == {entry.event["inboxentry"] for entry in found}


# Receipt.


def day_of(store: Store, claim_id: str) -> date:
    (entry,) = (entry for entry in everything(store) if entry.data["claim"]["claim_id"] == claim_id)
    report, given = entry.data["report"], entry.data["claim"].get("received_date")
    assert report["claim_id"] == claim_id
    return date.fromisoformat(entry.event.get("receiveddate") or given)


def utc() -> date:
    return datetime.now(UTC).date()


@pytest.mark.parametrize("chosen", ["1-1", "1700000000000-0", "253402300800001-0", f"{2**64 - 1}-{2**64 - 1}", "*"])
def test_neither_date_time_nor_id_of_a_registered_producer_is_receipt(
    two: Store, consumer: InboxConsumer, chosen: str
) -> None:
    put(two, A, event(1, time="2026-01-02T00:00:00Z", data=claim(1, received_date="2026-01-01")), id=chosen)
    consumer.run()
    assert day_of(two, "PCN-00001") == utc()
    assert not list(tail(two.redis, two.keys, "quarantine"))
    assert not two.redis.exists(two.keys.receipts)


def test_of_a_trusted_one_they_are(two: Store, consumer: InboxConsumer) -> None:
    producers.add(two.redis, two.keys, Producer(A, trusted=True))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    put(two, A, event(1, data=claim(1, received_date="2026-10-11")), id="253402300800001-0")
    undated = claim(2)
    del undated["received_date"]
    put(two, A, event(2, time="2026-10-12T23:00:00-06:00", data=undated), id="253402300800002-0")
    bare = json.loads(event(3, data={**undated, "claim_id": "PCN-00003"}))
    del bare["time"]
    put(two, A, json.dumps(bare).encode(), id="253402300800003-0")
    consumer.run()
    days = [day_of(two, f"PCN-{number:05}") for number in (1, 2, 3)]
    assert days == [date(2026, 10, 11), date(2026, 10, 12), utc()], "its id is never receipt"


def test_on_the_inbox_an_id_ahead_of_the_clock_is_no_receipt_and_refuses_no_claim(
    two: Store, consumer: InboxConsumer
) -> None:
    """Also a clock of the Redis host that was put forward for a moment: its ids never go back."""
    bare = json.loads(event(1))
    del bare["time"], bare["data"]["received_date"]
    put(two, SHARED, json.dumps(bare).encode(), id="253402300800001-0")
    later = {**bare, "id": "e-2", "data": {**bare["data"], "claim_id": "L", "subscriber": {"member_id": "9"}}}
    put(two, SHARED, json.dumps(later).encode())
    consumer.run()
    assert [day_of(two, name) for name in ("PCN-00001", "L")] == [utc(), utc()]
    assert not list(tail(two.redis, two.keys, "quarantine"))


def test_receipt_is_when_a_worker_first_read_it_whoever_decides_it(two: Store, inbox: Inbox) -> None:
    put(two, A, b"x", b"y")
    put(two, SHARED, b"z", id="253402300800001-0")
    first = {entry.name: entry for entry in inbox.take(10)}
    now = time.time() * 1000
    assert all(abs(entry.milliseconds - now) < 60_000 for entry in first.values())
    time.sleep(0.05)
    for entry in (*inbox.unfinished(10), *filter(None, (inbox.reclaim(name, 0) for name in first))):
        assert (entry.milliseconds, entry.revision) == (
            first[entry.name].milliseconds,
            first[entry.name].revision,
        )


def test_versions_are_in_the_order_of_receipt_across_streams_whatever_their_ids(
    two: Store, consumer: InboxConsumer
) -> None:
    put(two, A, event(1, data=claim(1)), id="253402300800001-0")
    consumer.run()
    put(two, B, event(2, data=claim(1, diagnoses=["M54.31", "M54.16"], frequency_code="7",
                                    original_reference_number="ICN1")), id="1-1")  # fmt: skip
    consumer.run()
    put(two, SHARED, event(3, data=claim(1, diagnoses=["M54.16"])))
    consumer.run()
    assert not any(entry.data["report"]["reason"] for entry in everything(two)), "none came before another"
    put(two, SHARED, event(4, data=claim(2)))
    put(two, A, event(5, data=claim(2, diagnoses=["M54.16"])), id="253402300800002-0")
    entries = {entry.stream: entry for entry in Inbox(two.redis, two.keys, "x").take(10)}
    assert order(entries[SHARED].revision) < order(entries[A].revision)


# Who an event is of.


def test_an_event_is_known_by_its_producer_too(two: Store, consumer: InboxConsumer) -> None:
    nobody = claim(1, subscriber=None)
    put(two, A, event(1, data=nobody), event(1, data=nobody))
    put(two, B, event(1, data=claim(2, subscriber=None)))
    put(two, SHARED, event(1, data=claim(3, subscriber=None)))
    consumer.run()
    found = reconcile(two.redis, two.keys)
    assert (found.repeated, found.outlet("quarantine").count, len(everything(two))) == (1, 0, 3)


def test_an_event_of_a_bound_source_is_known_by_that_alone_and_no_other_may_have_it(
    two: Store, consumer: InboxConsumer
) -> None:
    """So a sender that moves from the inbox to a stream of its own sends nothing twice."""
    nobody = claim(1, subscriber=None)
    put(two, SHARED, event(1, data=nobody))
    producers.add(two.redis, two.keys, Producer("ehr", source="/hospital/ehr"))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    put(two, "ehr", event(1, data=nobody), event(2, source="/hospital/ehr/ward", data=claim(2, subscriber=None)))
    put(two, "ehr", event(3, source="/hospital/ehrs"), event(4, source="/other", data={"claim_id": "x"}))
    consumer.run()
    assert reconcile(two.redis, two.keys).repeated == 1
    held = list(tail(two.redis, two.keys, "quarantine"))
    assert [entry.data["problems"][0]["path"] for entry in held] == ["source", "source"]
    assert {entry.data["reason"] for entry in held} == {"envelope_invalid"}
    # Nobody's identity was taken with them.
    put(two, SHARED, event(3, source="/hospital/ehrs"), event(4, source="/other", data=claim(4)))
    consumer.run()
    assert len(list(tail(two.redis, two.keys, "quarantine"))) == 2


def test_two_facilities_do_not_share_a_source(two: Store) -> None:
    producers.add(two.redis, two.keys, Producer("ehr", "north", "/hospital"))
    for source in ("/hospital", "/hospital/ehr", "/hospital/"):
        with pytest.raises(ProducerRefused, match="its source is that of ehr, which is of another facility"):
            producers.add(two.redis, two.keys, Producer("other", "south", source))
    producers.add(two.redis, two.keys, Producer("other", "south", "/hospitals"))
    producers.add(two.redis, two.keys, Producer("same", "north", "/hospital/ehr"))


# What a person puts back, and what goes to another partition, keeps whose it is.


def test_what_is_requeued_is_still_its_producers(two: Store, consumer: InboxConsumer) -> None:
    producers.add(two.redis, two.keys, Producer("south-1", "south"))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    nobody = claim(1, subscriber=None)
    put(two, "south-1", event(1, data=nobody), event(1, data=claim(5)))
    consumer.run()
    (held,) = quarantine.entries(two.redis, two.keys)
    assert (held.data["reason"], held.event["producer"]) == ("event_id_reused", "south-1")
    desk = bootstrap.quarantine_desk(two)
    assert desk.requeue(held, "a test")
    desk.audit.close()
    (entry,) = Inbox(two.redis, two.keys, "look").take(1)
    assert (entry.stream, entry.sender.name, entry.sender.facility) == (INNER, "south-1", "south")
    two.redis.xclaim(two.keys.stream(INNER), "scrub", consumer.partitions[0].inbox._consumer, 0, [entry.id])
    consumer.partitions[0].unfinished = True
    consumer.run()
    found = reconcile(two.redis, two.keys)
    assert (found.settled, found.requeued, found.repeated, found.balance) == (True, 1, 0, 0)
    (judged,) = (one for one in everything(two) if one.data["claim"]["claim_id"] == "PCN-00005")
    assert judged.event["producer"] == "south-1"
    assert judged.event["receiveddate"] == utc().isoformat()


@pytest.fixture
def four(home: Any, unset: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("SCRUB_PARTITIONS", "4")
    with opening.open_store(load_settings(state_dir=home, history_months=240)) as found:
        consumer = bootstrap.inbox_consumer(found, quiet(found))
        consumer.audit.close()
        producers.add(found.redis, found.keys, Producer("south-1", "south"))
        yield found


def test_what_is_forwarded_is_still_its_producers_and_was_received_where_it_came_in(four: Store) -> None:
    consumer = bootstrap.inbox_consumer(four, quiet(four))
    forged = {"producer": A, "received": "1", "revision": "1-1", REQUEUE: "0:1-1", FORWARDED: "1:1-1"}
    for number in range(40):
        body = event(number, data=claim(number, received_date="2026-01-01"))
        four.redis.xadd(Keys(number % 4, 4).stream("south-1"), {FIELD: body, **forged}, id=f"{number + 1}-1")
        four.redis.xadd(Keys(number % 4, 4).stream("south-1"), {FIELD: body, **forged}, id=f"{number + 1}-2")
    consumer.run()
    consumer.audit.close()
    found = reconcile(four.redis, four.keys)
    assert (found.settled, found.balance, found.forwarded) == (True, 0, found.received)
    assert (found.forwarded > 40, found.repeated) == (True, 40)
    results = everything(four)
    assert len(results) == 40
    for entry in results:
        assert entry.event["producer"] == "south-1"
        assert entry.event["receiveddate"] == utc().isoformat()
    assert not found.short
    assert not any(four.redis.exists(part.receipts) for part in four.keys.all)


def test_what_workers_write_beside_an_event_is_only_what_they_wrote(four: Store) -> None:
    consumer = bootstrap.inbox_consumer(four, quiet(four))
    number = next(n for n in range(50) if home_of(four, n) == 1)
    forged = {"producer": A, "received": "1", "revision": "1-1", REQUEUE: "0:1-1", FORWARDED: "1:1-1", "kept": "1"}
    four.redis.xadd(Keys(0, 4).stream("south-1"), {FIELD: event(number), **forged})
    one = consumer.partitions[0]
    one.prepare(time.monotonic() + 1)
    one.serve(False)
    ((_, fields),) = four.redis.xrange(Keys(1, 4).stream(INNER))
    consumer.audit.close()
    assert fields.keys() == {b"event", b"kept", b"forwarded_from", b"producer", b"received", b"revision"}
    assert fields[b"producer"] == b"south-1"
    assert fields[b"forwarded_from"].startswith(b"0:south-1:")
    assert abs(int(fields[b"received"]) - time.time() * 1000) < 60_000


def home_of(store: Store, number: int) -> int:
    from worker.pipeline.ledger import patient_of
    from worker.store.agreement import agreed_secret

    patient = patient_of(agreed_secret(store), "87726", f"{number:09}")
    assert patient
    return store.keys.at(patient).partition


# Coming and going.


@pytest.mark.parametrize("name", ["", "Ehr", "inner", "1st", "a b", "a" * 33, "-a", "a:b", "a*"])
def test_a_name_that_could_be_taken_for_another_key_is_refused(two: Store, name: str) -> None:
    with pytest.raises(ProducerRefused, match="expected a name"):
        producers.add(two.redis, two.keys, Producer(name))


def test_nobody_is_registered_in_layout_1(two: Store) -> None:
    write(two.redis, Standing(1, 1, 1))
    with pytest.raises(ProducerRefused, match="scrub migrate"):
        producers.add(two.redis, two.keys, Producer("gamma"))
    assert streams_of(two.redis, two.keys).names == (SHARED,)


def test_a_producer_is_removed_once_nothing_of_it_waits_and_its_claims_stay_in_the_books(
    two: Store, consumer: InboxConsumer
) -> None:
    put(two, A, *(event(number) for number in range(5)))
    with pytest.raises(ProducerBusy, match="5 of its claims wait"):
        producers.remove(two.redis, two.keys, A)
    consumer.run()
    two.redis.xadd(two.keys.stream(A), {FIELD: b"x"}, maxlen=1, approximate=False)
    two.redis.xadd(two.keys.stream(A), {FIELD: b"x"}, maxlen=1, approximate=False)
    before = reconcile(two.redis, two.keys)
    assert (before.balance, [(one.name, one.gone) for one in before.short]) == (1, [(A, 1)])
    consumer.run()
    assert producers.remove(two.redis, two.keys, A) == 1
    after = reconcile(two.redis, two.keys)
    assert (after.accepted, after.balance, after.short) == (6, 0, ())
    assert A not in {one.name for one in after.incoming}
    with pytest.raises(ProducerUnknown):
        producers.remove(two.redis, two.keys, A)
    with pytest.raises(ProducerRefused, match="was registered for facility"):
        producers.add(two.redis, two.keys, Producer(A, "another"))
    assert producers.add(two.redis, two.keys, Producer(A))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    put(two, A, event(9))
    consumer.run()
    assert reconcile(two.redis, two.keys).balance == 0


def test_workers_take_up_a_new_producer_by_themselves(two: Store, consumer: InboxConsumer) -> None:
    consumer.run()
    producers.add(two.redis, two.keys, Producer("gamma"))
    put(two, "gamma", event(1))
    time.sleep(1.1)
    consumer.run()
    assert len(everything(two)) == 1


def test_an_emptied_redis_gets_its_producers_back(two: Store, consumer: InboxConsumer) -> None:
    assert maintain(two, quiet(two))
    two.redis.flushall()
    put(two, A, event(1))
    for _ in range(2):  # the first round says again how it is, the next ones read by it
        two.redis.delete(two.keys.tend, two.keys.tend_log)
        assert maintain(two, quiet(two))
    assert set(producers_of(two.redis, two.keys)) == {A, B}
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    consumer.run()
    consumer.run()
    assert len(everything(two)) == 1


def test_the_packaged_client_puts_claims_on_its_stream(two: Store, settings: Settings, inbox: Inbox) -> None:
    ours = settings.model_copy(update={"producer": B})
    receipt = send(two.redis, two.keys, [claim(1)], source="/x", settings=ours)
    (entry,) = inbox.take(5)
    assert receipt.entries == (entry.name,) == (f"{B}:{entry.id}",)


def test_a_registration_that_was_lost_is_of_a_facility_of_its_own() -> None:
    found = registry.Streams(2, {}).sender("who")
    assert (found.facility, found.trusted, found.registered) == ("?who", False, True)


def test_before_the_layout_is_migrated_a_worker_takes_claims_with_the_rights_that_the_release_before_gave_it(
    store: Store,
) -> None:
    """The runbook has workers upgraded first and the users after them."""
    commands = (
        "multi exec time discard exists xadd xreadgroup xack xdel xclaim xpending xlen xrange xtrim xinfo|groups eval evalsha "
        "type get getdel set mget del pttl hget hset hsetnx hdel hincrby hgetall lpush ltrim lrange lindex script|load"
    )
    rights = [f"+{command}" for command in commands.split()]
    store.redis.execute_command("ACL", "SETUSER", "former", "on", "nopass", "~{claims:*}:*", "+@connection", *rights)
    write(store.redis, Standing(layout=1))
    Inbox(store.redis, store.keys, "me").ensure()
    put(store, SHARED, *(b"x" for _ in range(3)))
    options = store.redis.connection_pool.connection_kwargs
    former = Redis(unix_socket_path=options["path"], username="former", password="any")
    found = Inbox(former, store.keys, "me")
    assert len(found.take(10)) == 3
    assert len(found.unfinished(10)) == 3
    former.close()
