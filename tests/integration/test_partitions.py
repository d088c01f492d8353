"""Several partitions, against a real server and real workers: a patient stays on one, wherever a producer puts it."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given
from redis.exceptions import RedisError

from rules.errors import Problem
from worker import bootstrap
from worker.audit import chains
from worker.config.settings import Settings, load_settings
from worker.errors import CommitRefused, PartitionMismatch, PartitionsFixed, PartitionsMoving
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline import batch
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.ledger import patient_of
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import OutletEntry, Reader, before_last, tail
from worker.pipeline.producer import send
from worker.pipeline.quarantine import entries, find
from worker.pipeline.reading import given_up
from worker.pipeline.repartition import repartition
from worker.pipeline.routing import home_partition
from worker.store import agreement, opening
from worker.store.agreement import standing
from worker.store.connections import Store
from worker.store.keys import FIELD, FORWARDED, Keys
from worker.store.outletspecs import OUTLETS
from worker.store.secret import load_secret

from .helpers import Worker, claim, event, quiet, until

Start = Callable[..., Worker]
COUNT = 4
FOUR = {"SCRUB_PARTITIONS": str(COUNT), "SCRUB_HISTORY_MONTHS": "240"}


@pytest.fixture
def settings(home: Any, unset: None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SCRUB_PARTITIONS", str(COUNT))
    return load_settings(state_dir=home, history_months=240)


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    made = bootstrap.inbox_consumer(store, quiet(store))
    yield made
    made.audit.close()


def put(store: Store, *events: bytes, partition: int = 0) -> list[str]:
    """As a producer in another language, which knows one partition."""
    keys = Keys(partition, COUNT)
    with store.redis.pipeline(transaction=False) as pipeline:
        for one in events:
            pipeline.xadd(keys.inbox, {FIELD: one})
        return [keys.named(entry.decode()) for entry in pipeline.execute()]


def place(store: Store, events: list[bytes]) -> None:
    """As a producer in Python."""
    send(store.redis, store.keys, events, source="test", settings=store.settings)


def now(store: Store) -> Reconciliation:
    return reconcile(store.redis, store.keys)


def settle(store: Store, decided: int, seconds: float = 60) -> Reconciliation:
    """Waits until so many events have an answer and nothing is left."""

    def true() -> bool:
        found = now(store)
        return found.settled and answered(found) >= decided

    until(true, seconds, lambda: now(store))
    return now(store)


def answered(found: Reconciliation) -> int:
    return sum(outlet.count for outlet in found.outlets) + found.repeated


def everything(store: Store) -> list[OutletEntry]:
    return [entry for name in OUTLETS for entry in tail(store.redis, store.keys, name)]


def home_of(store: Store, member: str) -> int:
    patient = patient_of(agreement.agreed_secret(store), "87726", member)
    assert patient
    return store.keys.at(patient).partition


def member(store: Store, partition: int, start: int = 1) -> int:
    """The number of a claim whose patient is at home there."""
    return next(number for number in range(start, start + 1_000) if home_of(store, f"{number:09}") == partition)


def where(entry: OutletEntry) -> int:
    return int(entry.id.split(":")[0])


def assert_sound(found: Reconciliation) -> None:
    """The books of each partition balance, and what one forwarded another received."""
    assert [part.balance for part in found.parts] == [0] * COUNT
    assert found.received >= found.forwarded
    assert found.balance == 0


def blocks(entry: OutletEntry) -> list[str]:
    return [one["code"] for one in entry.data["report"]["findings"] if one["severity"] == "block"]


# A producer that knows one partition.


@pytest.mark.slow
def test_kill_9_while_five_thousand_claims_are_handed_on_loses_nothing_and_finds_each_duplicate(
    store: Store, start_worker: Start
) -> None:
    pairs, again = 2_450, 100
    events = []
    for number in range(pairs):
        events += [event(number), event(number, id=f"copy-{number}", data=claim(number, claim_id=f"COPY-{number}"))]
    events += [event(number) for number in range(again)]
    random.Random(5).shuffle(events)
    put(store, *events)
    for part in (1, 2, 3):
        workers = [start_worker(env={**FOUR, "SCRUB_BATCH": "20"}).wait_ready() for _ in range(2)]
        until(lambda part=part: answered(now(store)) > len(events) * part // 8)  # type: ignore[misc]
        assert_sound(now(store))
        os.kill(workers[0].children()[-1], signal.SIGKILL)
        for worker in workers:
            worker.kill()
    for _ in range(2):
        start_worker(env=FOUR).wait_ready()
    found = settle(store, len(events), 120)
    assert_sound(found)
    assert found.accepted - found.received == len(events)
    assert found.forwarded > len(events) // 2
    assert found.repeated >= again
    results = everything(store)
    identities = Counter(entry.event["eventid"] for entry in results)
    assert identities == Counter([f"evt-{n}" for n in range(pairs)] + [f"copy-{n}" for n in range(pairs)])
    homes: dict[str, set[int]] = {}
    for entry in results:
        homes.setdefault(entry.data["claim"]["subscriber"]["member_id"], set()).add(where(entry))
    assert all(places == {home_of(store, patient)} for patient, places in homes.items())
    assert {partition for places in homes.values() for partition in places} == set(range(COUNT))
    clean = Counter(e.data["claim"]["subscriber"]["member_id"] for e in tail(store.redis, store.keys, "billing"))
    faulty = [entry for entry in results if blocks(entry)]
    assert set(clean.values()) == {1}
    assert (len(clean), len(faulty)) == (pairs, pairs)
    assert {tuple(blocks(entry)) for entry in faulty} == {("DUP001",)}


def test_two_copies_put_on_two_partitions_meet(store: Store, consumer: InboxConsumer) -> None:
    for number in range(40):
        put(store, event(number), partition=number % COUNT)
        other = claim(number, claim_id=f"COPY-{number}")
        put(store, event(number, id=f"c-{number}", data=other), partition=(number + 1) % COUNT)
    consumer.run()
    found = now(store)
    assert_sound(found)
    assert (found.outlet("billing").count, found.outlet("rework").count) == (40, 40)


def test_an_event_without_patient_is_where_its_identity_is(store: Store, consumer: InboxConsumer) -> None:
    nobody = claim(1, subscriber=None)
    for partition in range(COUNT):
        put(store, event(1, data=nobody), event(2, data={"claim_id": 1}), partition=partition)
    consumer.run()
    found = now(store)
    assert_sound(found)
    assert (len(everything(store)), found.repeated) == (2, 2 * COUNT - 2)


def test_what_cannot_be_read_stays_where_it_came_in(store: Store, consumer: InboxConsumer) -> None:
    names = put(store, b"{", partition=2)
    consumer.run()
    (entry,) = tail(store.redis, store.keys, "quarantine")
    assert (where(entry), entry.data["inbox_entry"]) == (2, names[0])
    assert now(store).forwarded == 0


def test_an_event_in_binary_mode_is_handed_on_with_all_its_fields(store: Store, consumer: InboxConsumer) -> None:
    number = member(store, 3)
    fields = {"ce_specversion": "1.0", "ce_id": "b", "ce_source": "/s", "ce_type": "claim.submitted.v1"}
    store.redis.xadd(Keys(1, COUNT).inbox, {**fields, "data": json.dumps(claim(number))})
    consumer.run()
    (entry,) = everything(store)
    assert (where(entry), entry.event["eventid"]) == (3, "b")


def test_a_crash_between_receiving_and_taking_off_makes_a_repeated_event(store: Store, consumer: InboxConsumer) -> None:
    number = member(store, 1)
    put(store, event(number))
    readings = batch.read(consumer.partitions[0].inbox.take(10), consumer.partitions[0].context)
    consumer.partitions[0].router.forward(readings)
    found = now(store)
    assert (found.received, found.forwarded, found.in_flight) == (1, 0, 1)
    assert found.balance == 0
    consumer.partitions[0].unfinished = True
    consumer.run()
    found = now(store)
    assert_sound(found)
    assert (found.received, found.forwarded, found.repeated, len(everything(store))) == (2, 1, 1, 1)


def test_versions_of_a_claim_keep_the_order_in_which_they_came_in(store: Store, consumer: InboxConsumer) -> None:
    """The later version is handed on first; the older one is not taken for the newer."""
    number = member(store, 2)
    put(store, event(number, id="old", data=claim(number, total_charge="1.00")))
    first = consumer.partitions[0].inbox.take(1)
    put(store, event(number, id="new"))
    consumer.run()
    (entry,) = everything(store)
    assert entry.event["eventid"] == "new"
    consumer.partitions[0].process(first)
    consumer.run()
    (superseded,) = [one for one in everything(store) if one.event["eventid"] == "old"]
    assert superseded.data["report"]["disposition"] == "rework"
    assert "superseded" in json.dumps(superseded.data["report"])


def test_the_log_names_the_entry_as_which_a_claim_first_came_in(store: Store, consumer: InboxConsumer) -> None:
    (name,) = put(store, event(member(store, 2)))
    consumer.run()
    lines = [json.loads(line) for line in consumer.audit.file.read_bytes().splitlines()]
    (line,) = [line for line in lines if line["event.action"] == "claim.scrubbed"]
    assert line["queue.forwarded_from"] == name
    assert line["queue.entry"].startswith("2:")


def test_a_producer_that_says_nonsense_of_where_an_entry_comes_from_is_not_believed(
    store: Store, consumer: InboxConsumer
) -> None:
    number = member(store, 1)
    for said in ("99999999999999:1-1", "x", "0:99999999999999-0", ""):
        store.redis.xadd(Keys(0, COUNT).inbox, {FIELD: event(number, id=f"e{said}"), FORWARDED: said})
    consumer.run()
    assert_sound(now(store))
    assert len(everything(store)) == 4


# The same identity.


def test_the_same_identity_with_the_data_of_another_patient_is_found_out(store: Store, consumer: InboxConsumer) -> None:
    for first, second in ((0, 1), (1, 0), (2, 3), (3, 2)):
        one, other = member(store, first), member(store, second)
        name = f"e{first}"
        put(store, event(one, id=name), partition=3)
        consumer.run()
        put(store, event(other, id=name), event(one, id=name), event(other, id=name), partition=1)
        consumer.run()
    held = list(entries(store.redis, store.keys))
    assert {entry.data["reason"] for entry in held} == {"event_id_reused"}
    found = now(store)
    assert_sound(found)
    assert (found.outlet("quarantine").count, found.repeated) == (8, 4)


def test_one_identity_raced_by_two_patients_has_one_result(store: Store, start_worker: Start) -> None:
    for _ in range(2):
        start_worker(env={**FOUR, "SCRUB_BATCH": "3"}).wait_ready()
    pairs = 200
    events = [event(number + 10_000 * half, id=f"e{number}") for number in range(pairs) for half in (0, 1)]
    place(store, events)
    found = settle(store, 2 * pairs)
    assert_sound(found)
    judged = Counter(e.event["eventid"] for name in ("billing", "rework") for e in tail(store.redis, store.keys, name))
    assert judged == Counter({f"e{number}": 1 for number in range(pairs)})
    assert found.outlet("quarantine").count == pairs


# A producer in Python, consumers, and a person.


def test_a_producer_with_the_secret_puts_each_claim_where_it_belongs(store: Store, consumer: InboxConsumer) -> None:
    receipt = send(
        store.redis, store.keys, [claim(number) for number in range(100)], source="x", settings=store.settings
    )
    assert {name.split(":")[0] for name in receipt.entries} == set("0123")
    consumer.run()
    assert (now(store).forwarded, answered(now(store))) == (0, 100)


def test_a_producer_without_the_secret_is_served_all_the_same(
    store: Store, consumer: InboxConsumer, tmp_path: Any
) -> None:
    load_secret(tmp_path / "another")
    for secret in (tmp_path / "none", tmp_path / "another"):
        settings = load_settings(state_dir=store.settings.state_dir, secret_file=secret)
        send(store.redis, store.keys, [claim(number) for number in range(20)], source=secret.name, settings=settings)
    assert not (tmp_path / "none").exists()
    assert now(store).parts[0].accepted == 40
    consumer.run()
    assert_sound(now(store))
    assert len(everything(store)) == 40


def test_consumers_read_all_partitions(store: Store, consumer: InboxConsumer) -> None:
    place(store, [event(number) for number in range(300)])
    until(lambda: consumer.run() or not now(store).waiting, 60)
    reader = Reader(store.redis, store.keys, "billing", "billing", "me")
    assert len({entry.decision_id for entry in reader.entries(follow=False)}) == 300
    outlet = now(store).outlet("billing")
    assert (outlet.unread, [group.name for group in outlet.groups]) == (0, ["billing"])
    half = Reader(store.redis, store.keys, "billing", "mine", "dies").entries(follow=False)
    first = next(half)
    half.close()  # type: ignore[attr-defined]
    rest = list(Reader(store.redis, store.keys, "billing", "mine", "dies").entries(follow=False))
    assert len({entry.decision_id for entry in rest}) == 300
    assert first in rest


def test_tail_merges_the_partitions_by_time(store: Store, consumer: InboxConsumer) -> None:
    for number in range(60):
        place(store, [event(number)])
        consumer.run()
    ids = [entry.event["eventid"] for entry in tail(store.redis, store.keys, "billing")]
    assert ids == [f"evt-{number}" for number in range(60)]
    start = before_last(store.redis, store.keys, "billing", 7)
    assert [entry.event["eventid"] for entry in tail(store.redis, store.keys, "billing", start=start)] == ids[-7:]


def test_an_entry_that_is_requeued_on_the_wrong_partition_has_one_result(store: Store, consumer: InboxConsumer) -> None:
    """Also where its worker dies in the middle of handing it on: the event memory does not look at it."""
    number = member(store, 2)
    put(store, event(number), partition=1)
    entry = consumer.partitions[1].inbox.take(1)
    consumer.partitions[1].process(entry, [given_up(entry[0], [Problem("", "it was killed")])])
    (held,) = entries(store.redis, store.keys)
    desk = bootstrap.quarantine_desk(store)
    assert find(store.redis, store.keys, held.id) == held
    assert desk.requeue(held, "mended")
    desk.audit.close()
    second = consumer.partitions[1]
    readings = batch.read(second.inbox.take(1), second.context)
    for _ in range(3):
        second.router.forward(readings)
    second.unfinished = True
    consumer.run()
    found = now(store)
    assert_sound(found)
    assert (len(everything(store)), found.requeued, found.repeated) == (1, 1, 0)


# The house.


def test_a_partition_with_a_key_in_the_way_does_not_keep_the_others_waiting(
    store: Store, consumer: InboxConsumer
) -> None:
    broken = Keys(1, COUNT).outlet("unchecked")
    store.redis.set(broken, "in the way")
    place(store, [event(number) for number in range(100)])
    with pytest.raises(CommitRefused):
        consumer.run()
    found = now(store)
    assert [part.in_flight > 0 for part in found.parts] == [False, True, False, False]
    assert found.waiting == 0
    store.redis.delete(broken)
    consumer.run()
    assert_sound(now(store))
    assert answered(now(store)) == 100


def test_maintenance_notifies_of_work_on_any_partition_and_prunes_each(store: Store, consumer: InboxConsumer) -> None:
    notified: list[int] = []
    notifier = Notifier(store.redis, store.keys, gate_ms=1, send=lambda: notified.append(1))
    for partition in range(COUNT):
        put(store, event(partition), partition=partition)
        store.redis.delete(store.keys.tend)
        assert maintain(store, notifier)
        assert len(notified) == partition + 1
        consumer.run()
    rate = now(store).rate
    assert rate


def test_a_cut_tail_is_seen_whatever_partition_had_the_last_commit(store: Store, consumer: InboxConsumer) -> None:
    place(store, [event(number) for number in range(50)])
    consumer.run()
    head = chains.chain_head(store, consumer.audit.head.chain)
    assert head == replace(consumer.audit.head, mac="")


def test_another_number_is_refused(store: Store) -> None:
    for number in (1, 2, 5):
        with pytest.raises(PartitionMismatch, match=f"holds 4 partition.*{number}"):
            opening.open_store(load_settings(state_dir=store.settings.state_dir, partitions=number), hold=False)


def test_what_was_forwarded_and_received_nowhere_is_no_balance(store: Store, consumer: InboxConsumer) -> None:
    put(store, event(member(store, 1)))
    consumer.run()
    store.redis.hincrby(Keys(1, COUNT).counters, "received", -1)
    assert now(store).balance == 1


def test_two_partitions_that_are_off_against_each_other_are_no_balance(store: Store, consumer: InboxConsumer) -> None:
    consumer.run()
    store.redis.hincrby(Keys(1, COUNT).counters, "billing", 1)
    store.redis.hincrby(Keys(2, COUNT).counters, "billing", -1)
    assert now(store).balance == 1


def test_a_long_inbox_does_not_keep_the_other_partitions_waiting(store: Store, consumer: InboxConsumer) -> None:
    """With a budget for one batch a run, each partition is served within four runs."""
    for one in (consumer, *consumer.partitions):
        one.settings = one.settings.model_copy(update={"batch": 10, "drain_budget": 1e-9})
    place(store, [event(number) for number in range(800)])
    shares = []
    for _ in range(2 * COUNT):
        before = [sum(outlet.count for outlet in part.outlets) for part in now(store).parts]
        consumer.run()
        after = [sum(outlet.count for outlet in part.outlets) for part in now(store).parts]
        shares += [number for number in range(COUNT) if after[number] > before[number]]
    assert Counter(shares) == Counter(dict.fromkeys(range(COUNT), 2))


# Every order of things.


class Interleaving:
    """A server that serves many examples, and two workers in this process that alternate."""

    def __init__(self, store: Store, count: int) -> None:
        store.redis.flushall()
        settings = load_settings(state_dir=store.settings.state_dir, partitions=count, history_months=240)
        self.store = opening.open_store(settings)
        self.workers = [bootstrap.inbox_consumer(self.store, quiet(self.store)) for _ in range(2)]

    def close(self) -> None:
        for consumer in self.workers:
            consumer.audit.close()
        self.store.close()

    def put(self, partition: int, data: bytes) -> None:
        keys = self.store.keys.all[partition % self.store.keys.count]
        self.store.redis.xadd(keys.inbox, {FIELD: data})

    def die(self, worker: int, partition: int) -> None:
        """A worker dies when what it read is at its home, and still on the wrong partition; another one comes."""
        consumers = self.workers[worker].partitions
        consumer = consumers[partition % len(consumers)]
        readings = batch.read(consumer.inbox.take(3), consumer.context)
        consumer.router.forward(readings)
        keys = consumer.context.keys
        consumer.router.register(reading for reading in readings if home_partition(reading, keys) == keys)
        consumer.unfinished = True


PATIENTS = 4
Step = tuple[str, int, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 11), st.integers(0, 4)),
        st.tuples(st.just("reuse"), st.integers(0, 11), st.integers(0, 4)),
        st.tuples(st.just("run"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("die"), st.integers(0, 1), st.integers(0, 4)),
    ),
    max_size=25,
)


@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 5), steps=STEPS)
def test_whatever_comes_where_and_whoever_dies_each_event_has_one_result_on_one_partition(
    store: Store, count: int, steps: list[Step]
) -> None:
    interleaving = Interleaving(store, count)
    sent: dict[str, set[int]] = {}
    try:
        for kind, number, partition in steps:
            if kind in ("put", "reuse"):
                patient = number % PATIENTS + (kind == "reuse")
                sent.setdefault(f"e{number}", set()).add(patient)
                data = claim(patient, claim_id=f"{number}-{patient}")
                interleaving.put(partition, event(patient, id=f"e{number}", data=data))
            elif kind == "run":
                interleaving.workers[number].run()
            else:
                interleaving.die(number, partition)
        for consumer in interleaving.workers * 2:
            consumer.run()
        found = now(interleaving.store)
        assert found.settled
        assert [part.balance for part in found.parts or (found,)] == [0] * count
        judged = [
            one
            for name in ("billing", "rework")
            for one in tail(interleaving.store.redis, interleaving.store.keys, name)
        ]
        assert Counter(entry.event["eventid"] for entry in judged) == Counter(dict.fromkeys(sent, 1))
        reused = {name for name, patients in sent.items() if len(patients) > 1}
        assert {
            entry.event["eventid"] for entry in entries(interleaving.store.redis, interleaving.store.keys)
        } == reused
        homes: dict[str, set[str]] = {}
        for entry in judged:
            member = entry.data["claim"]["subscriber"]["member_id"]
            homes.setdefault(member, set()).add(entry.id.rpartition(":")[0])
        assert all(len(places) == 1 for places in homes.values())
        billed = Counter(one.data["claim"]["subscriber"]["member_id"] for one in judged if not blocks(one))
        assert set(billed.values()) <= {1}
    finally:
        interleaving.close()


# Another number.


def one_partition(store: Store) -> Store:
    """The same Redis, as if it had never been spread."""
    store.redis.flushall()
    return opening.open_store(load_settings(state_dir=store.settings.state_dir, partitions=1, history_months=240))


def worked_off(store: Store) -> None:
    unhurried = store.settings.model_copy(update={"drain_budget": 100.0})
    consumer = bootstrap.inbox_consumer(replace(store, settings=unhurried), quiet(store))
    consumer.run()
    consumer.audit.close()


@pytest.mark.parametrize("steps", [(COUNT,), (2, 3, COUNT)])
def test_more_partitions_take_ledgers_and_event_memory_along(store: Store, steps: tuple[int, ...]) -> None:
    with one_partition(store) as before:
        place(before, [event(number) for number in range(200)])
        worked_off(before)
    for step in steps:
        moved = repartition(store.redis, step)
        assert (moved["ledger"] > 0, moved["event"] > 0) == (True, True)
    assert repartition(store.redis, COUNT) == Counter()
    opening.open_store(store.settings, hold=False).close()
    copies = [event(number, id=f"c-{number}", data=claim(number, claim_id=f"C-{number}")) for number in range(200)]
    reused = [event(number + 5_000, id=f"evt-{number}") for number in range(200)]
    put(store, *(event(number) for number in range(200)), *copies, *reused)
    worked_off(store)
    found = now(store)
    assert_sound(found)
    assert (found.repeated, found.outlet("billing").count, found.outlet("rework").count) == (200, 200, 200)
    assert found.outlet("quarantine").count == 200


def test_a_change_that_broke_off_keeps_all_out_until_it_is_finished(store: Store) -> None:
    with one_partition(store) as before:
        place(before, [event(number) for number in range(1_200)])
        worked_off(before)

    def breaks_off(seen: int) -> None:
        raise RedisError

    with pytest.raises(RedisError):
        repartition(store.redis, COUNT, breaks_off)
    for number in (1, COUNT):
        with pytest.raises(PartitionsMoving, match="from 1 to 4"):
            opening.open_store(load_settings(state_dir=store.settings.state_dir, partitions=number), hold=False)
    with pytest.raises(PartitionsFixed, match="a change to 4 broke off"):
        repartition(store.redis, 2)
    repartition(store.redis, COUNT)
    put(store, *(event(number) for number in range(1_200)))
    worked_off(store)
    assert (now(store).repeated, now(store).balance) == (1_200, 0)


def test_the_number_does_not_change_while_claims_wait_or_workers_run(store: Store, start_worker: Start) -> None:
    with pytest.raises(PartitionsFixed, match="can only become more"):
        repartition(store.redis, 2)
    put(store, event(1))
    with pytest.raises(PartitionsFixed, match="1 claims wait"):
        repartition(store.redis, 8)
    worker = start_worker(env=FOUR).wait_ready()
    settle(store, 1)
    until(lambda: now(store).alive)
    with pytest.raises(PartitionsFixed, match="stop all of them"):
        repartition(store.redis, 8)
    assert worker.stop() == 0
    repartition(store.redis, 8)
    assert standing(store.redis) == (8, 8, 2, False)
