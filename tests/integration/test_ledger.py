"""The ledger against a real server and real workers: what is raced, interleaved, imported and rejected."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from worker import bootstrap
from worker.audit import chains
from worker.audit.log import Head
from worker.config.settings import Settings, load_settings
from worker.errors import CommitRefused
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline import producers
from worker.pipeline.commit import Committer, Item
from worker.pipeline.consumer import InboxConsumer, PartitionConsumer
from worker.pipeline.inbox import Inbox
from worker.pipeline.ledgerrecorder import LedgerRecorder
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.keys import FIELD
from worker.store.registry import Producer

from .helpers import Worker, claim, counting, event, ledgers, settled, until

Start = Callable[..., Worker]
TODAY = date(2026, 11, 1)


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    """The ledger keeps for 20 years what is dated 2026 here."""
    return load_settings(state_dir=home, history_months=240)


def put(store: Store, *events: bytes) -> None:
    send(store.redis, store.keys, events, source="test", settings=store.settings)


def found(store: Store, outlet: str) -> list[OutletEntry]:
    return list(tail(store.redis, store.keys, outlet))


def now(store: Store) -> Reconciliation:
    return reconcile(store.redis, store.keys)


def blocks(entry: OutletEntry) -> list[str]:
    return [f["code"] for f in entry.data["report"]["findings"] if f["severity"] == "block"]


# Two workers.


@pytest.mark.parametrize("same_id", [True, False], ids=["one claim id", "two claim ids"])
def test_two_copies_raced_through_two_workers_give_one_clean_claim_and_one_duplicate(
    store: Store, start_worker: Start, same_id: bool
) -> None:
    """Batches of one, so that the copies are nearly always in different hands."""
    pairs = 150
    for _ in range(2):
        start_worker(env={"SCRUB_BATCH": "1", "SCRUB_DRAIN_BUDGET": "1"}, concurrency=2).wait_ready()
    copies = []
    for number in range(pairs):
        other = {} if same_id else {"claim_id": f"COPY-{number}"}
        copies += [event(number), event(number, id=f"again-{number}", data=claim(number, **other))]
    put(store, *copies)
    settled(store, 2 * pairs, 60)
    clean, duplicates = found(store, "billing"), found(store, "rework")

    def patients(entries: list[OutletEntry]) -> Counter[str]:
        return Counter(entry.data["claim"]["subscriber"]["member_id"] for entry in entries)

    each_once = Counter(f"{number:09}" for number in range(pairs))
    assert (patients(clean), patients(duplicates)) == (each_once, each_once)
    assert {tuple(blocks(entry)) for entry in duplicates} == {("DUP001",)}
    assert not any(blocks(entry) for entry in clean)
    billed = {entry.data["claim"]["subscriber"]["member_id"]: entry.data["claim"]["claim_id"] for entry in clean}
    for entry in duplicates:
        (finding,) = [f for f in entry.data["report"]["findings"] if f["severity"] == "block"]
        assert billed[entry.data["claim"]["subscriber"]["member_id"]] in str(finding["evidence"])
    assert counting(store) == sorted(billed.values())
    assert reconcile(store.redis, store.keys).balance == 0


@pytest.mark.slow
def test_many_claims_of_one_patient_through_many_workers_are_judged_one_after_another(
    store: Store, start_worker: Start
) -> None:
    """Forty days, each billed under five claim ids: forty go to billing, whoever wins, and none waits for reclaim."""
    for _ in range(3):
        start_worker(env={"SCRUB_BATCH": "3"}).wait_ready()
    events = []
    for day in range(1, 21):
        for month in (7, 8):
            lines = [{**claim(1)["lines"][0], "service_date": f"2026-{month:02}-{day:02}"}]
            for copy in range(5):
                data = claim(1, claim_id=f"P-{month}-{day}-{copy}", lines=lines)
                events.append(event(1, id=f"{month}-{day}-{copy}", data=data))
    random.Random(1).shuffle(events)
    put(store, *events)
    settled(store, len(events), 60)
    days = Counter(entry.data["claim"]["lines"][0]["service_date"] for entry in found(store, "billing"))
    assert (len(days), set(days.values())) == (40, {1})
    assert len(found(store, "rework")) == 160
    assert len(counting(store)) == 40


@pytest.mark.slow
def test_copies_stay_duplicates_while_workers_are_killed(store: Store, start_worker: Start) -> None:
    pairs = 500
    for number in range(pairs):
        copy = event(number, id=f"again-{number}", data=claim(number, claim_id=f"COPY-{number}"))
        store.redis.xadd(store.keys.inbox, {FIELD: event(number)})
        store.redis.xadd(store.keys.inbox, {FIELD: copy})
    for part in (1, 2):
        worker = start_worker(env={"SCRUB_BATCH": "7"}, concurrency=3).wait_ready()
        until(lambda part=part: sum(outlet.count for outlet in now(store).outlets) > pairs * part // 3)  # type: ignore[misc]
        worker.kill()
    start_worker().wait_ready()
    settled(store, 2 * pairs, 60)
    clean, duplicates = (
        Counter(entry.data["claim"]["subscriber"]["member_id"] for entry in found(store, outlet))
        for outlet in ("billing", "rework")
    )
    assert clean == duplicates == Counter(f"{number:09}" for number in range(pairs))
    assert counting(store) == sorted(entry.data["claim"]["claim_id"] for entry in found(store, "billing"))


def test_two_consumers_alternate_in_every_order(
    store: Store, consumers: Callable[[], InboxConsumer], monkeypatch: Any
) -> None:
    """The second worker reads, judges and commits at each point between the first one's steps."""
    for moment in ("after reading", "before committing", "after committing"):
        store.redis.flushall()
        first, second = (consumers().partitions[0] for _ in range(2))
        first.inbox.ensure()
        put(store, event(1), event(2, data=claim(1, claim_id="COPY")))
        mine, theirs = first.inbox.take(1), second.inbox.take(1)
        done = []

        def meanwhile(second: PartitionConsumer = second, theirs: Any = theirs, done: list[int] = done) -> None:
            if not done:
                done.append(1)
                second.process(theirs)

        remembered, commit = first.inbox.remembered, first.committer.commit
        if moment == "after reading":

            def read(keys: Any, remembered: Any = remembered, meanwhile: Any = meanwhile) -> Any:
                answer = remembered(keys)
                meanwhile()
                return answer

            monkeypatch.setattr(
                Inbox,
                "remembered",
                lambda self, keys, read=read, mine=first.inbox, plain=Inbox.remembered: (
                    read(keys) if self is mine else plain(self, keys)
                ),
            )
        elif moment == "before committing":

            def write(*arguments: Any, commit: Any = commit, meanwhile: Any = meanwhile) -> Any:
                meanwhile()
                return commit(*arguments)

            first.committer.commit = write  # type: ignore[method-assign]
        first.process(mine)
        meanwhile()
        monkeypatch.undo()
        assert (len(found(store, "billing")), len(found(store, "rework"))) == (1, 1), moment
        (clean,) = found(store, "billing")
        expected = "PCN-00001" if moment == "after committing" else "COPY"
        assert (clean.data["claim"]["claim_id"], counting(store)) == (expected, [expected])
        assert blocks(found(store, "rework")[0]) == ["DUP001"]


# The stream of one worker.


def test_a_batch_is_judged_in_stream_order_with_the_ledger_carried_forward(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    original = {"original_reference_number": "ICN1"}
    events = [
        event(1, data=claim(1, claim_id="A")),
        event(2, data=claim(1, claim_id="B")),
        event(3, data=claim(1, claim_id="V", frequency_code="8", **original)),
        event(4, data=claim(1, claim_id="C")),
        event(5, data=claim(1, claim_id="D")),
        event(6, data=claim(1, claim_id="R", frequency_code="7", **original)),
        *(
            event(number, data=claim(1, claim_id="R", frequency_code="7", delay_reason_code="1", **original))
            for number in (7, 8)
        ),
    ]
    consumer = consumers()
    put(store, *events)
    consumer.run()
    assert [entry.data["claim"]["claim_id"] for entry in found(store, "billing")] == ["A", "V", "C", "R", "R"]
    assert [(entry.data["claim"]["claim_id"], blocks(entry)) for entry in found(store, "rework")] == [
        ("B", ["DUP001"]),
        ("D", ["DUP001"]),
        ("R", ["DUP001"]),
    ]
    assert counting(store) == ["R"]
    ids = [entry.decision_id for outlet in ("billing", "rework") for entry in found(store, outlet)]
    assert len(set(ids)) == 8


def test_the_decision_id_does_not_depend_on_how_the_claims_fell_into_batches(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    from worker.pipeline import batch

    consumer = consumers()
    put(store, event(1, data=claim(1, claim_id="A")), event(2, data=claim(1, claim_id="B")))
    readings = batch.read(consumer.partitions[0].inbox.take(2), consumer.partitions[0].context)
    together = batch.judge(readings, {}, consumer.partitions[0].context)
    memory = {together[0].item.ledger_key or "": together[0].item.ledger_writes}
    (alone,) = batch.judge(readings[1:], memory, consumer.partitions[0].context)
    assert alone.line["claim.decision_id"] == together[1].line["claim.decision_id"]


def test_an_older_version_that_comes_later_goes_to_rework_as_superseded(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    slow, quick = (consumers().partitions[0] for _ in range(2))
    put(store, event(1, data=claim(1)), event(2, data=claim(1, delay_reason_code="1")))
    old, new = slow.inbox.take(1), quick.inbox.take(1)
    quick.process(new)
    slow.process(old)
    (entry,) = found(store, "rework")
    assert entry.data["report"]["reason"].startswith(
        f"superseded: a later version of this claim (inbox entry {new[0].id})"
    )
    assert counting(store) == ["PCN-00001"]
    (ledger,) = ledgers(store).values()
    assert ledger.version == new[0].id
    lines = [json.loads(line) for line in slow.audit.file.read_bytes().splitlines()]
    assert [line.get("error.code") for line in lines if line["event.action"] == "claim.scrubbed"] == ["superseded"]


def test_new_content_under_a_claim_id_is_a_new_version_and_a_copy_of_it_is_a_duplicate(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(store, event(1, data=claim(1)), event(2, data=claim(1, delay_reason_code="1")))
    put(store, event(3, data=claim(1, delay_reason_code="1")))
    consumer.run()
    first, second = found(store, "billing")
    assert "DUP001" not in str(first.data["report"])
    (warning,) = [f for f in second.data["report"]["findings"] if f["code"] == "DUP001"]
    assert (warning["severity"], warning["evidence"]["versions_billed"]) == ("warn", ["PCN-00001 of 2026-10-01"])
    (copy,) = found(store, "rework")
    assert blocks(copy) == ["DUP001"]
    (ledger,) = ledgers(store).values()
    assert ledger.version != ledger.entries["PCN-00001"].digest


def test_without_a_member_id_there_is_no_history_and_the_report_says_so(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(store, event(1, data=claim(1, subscriber=None)), event(2, data=claim(1, claim_id="B", subscriber=None)))
    consumer.run()
    reports = [entry.data["report"] for entry in found(store, "billing")]
    assert [report["history"] for report in reports] == ["no_member_id"] * 2
    assert not ledgers(store)


def test_a_family_member_is_no_duplicate_and_an_unknown_one_a_warning(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(
        store,
        event(1, data=claim(1, claim_id="A", patient={"birth_date": "1970-03-02", "sex": "F", "first_name": "ANNA"})),
        event(2, data=claim(1, claim_id="B", patient={"birth_date": "2001-01-01", "sex": "F", "first_name": "BEA"})),
        event(3, data=claim(1, claim_id="C", patient={"birth_date": "1970-03-02"})),
    )
    consumer.run()
    reports = {entry.data["claim"]["claim_id"]: entry.data["report"] for entry in found(store, "billing")}
    severities = {
        name: [f["severity"] for f in report["findings"] if f["code"] == "DUP001"] for name, report in reports.items()
    }
    assert severities == {"A": [], "B": [], "C": ["warn"]}


def test_a_producers_retry_and_a_redelivery_are_answered_from_memory_and_bill_once(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(store, event(1), event(1), event(1))
    consumer.run()
    put(store, event(1))
    consumer.run()
    assert (len(found(store, "billing")), len(found(store, "rework"))) == (1, 0)
    assert reconcile(store.redis, store.keys).repeated == 3
    lines = [json.loads(line) for line in consumer.audit.file.read_bytes().splitlines()]
    first = found(store, "billing")[0].decision_id
    assert [line["claim.first_decision_id"] for line in lines if line["event.action"] == "claim.repeated"] == [
        first
    ] * 3


# The script.


@pytest.fixture
def committer(store: Store) -> Committer:
    return Committer(store.once, store.keys, "me", memory_ms=60_000)


def taken(store: Store, inbox: Inbox, count: int) -> list[str]:
    for number in range(count):
        store.redis.xadd(store.keys.inbox, {FIELD: f"event {number}"})
    return [entry.id for entry in inbox.take(count)]


def items(store: Store, entries: list[str], patient: str = "p", start: str = "") -> list[Item]:
    """Claims of one patient, each on the ledger that the one before wrote."""
    versions = [start, *entries]
    return [
        Item(
            entry, "billing", entry.encode(), ledger_key=store.keys.ledger(patient), ledger_version=version,
            ledger_writes=f"{entry} [{number}]", ledger_until=int(time.time() * 1000) + 60_000,
        )
        for number, (version, entry) in enumerate(zip(versions, entries, strict=False))
    ]  # fmt: skip


def test_each_claim_of_a_patient_rests_on_the_ledger_that_the_one_before_writes(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    entries = taken(store, inbox, 3)
    assert committer.commit(items(store, entries), Head()) == ["done"] * 3
    key = store.keys.ledger("p")
    assert store.redis.get(key) == f"{entries[2]} [2]".encode()
    assert 0 < store.redis.pttl(key) <= 60_000


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_the_claims_of_a_patient_are_committed_all_or_none(
    store: Store, inbox: Inbox, committer: Committer, lost: int
) -> None:
    entries = taken(store, inbox, 4)
    store.redis.xclaim(store.keys.inbox, "scrub", "another", 0, [entries[lost]])
    other = items(store, entries[3:], "q")
    statuses = committer.commit([*items(store, entries[:3]), *other], Head())
    assert statuses == [*("not_mine" if number == lost else "retry" for number in range(3)), "done"]
    assert [store.redis.exists(store.keys.ledger(patient)) for patient in "pq"] == [0, 1]


def test_a_ledger_that_changed_stops_its_patient_and_no_other(store: Store, inbox: Inbox, committer: Committer) -> None:
    entries = taken(store, inbox, 3)
    store.redis.set(store.keys.ledger("p"), "other []")
    batch = [*items(store, entries[:2]), *items(store, entries[2:], "q")]
    assert committer.commit(batch, Head()) == ["retry", "retry", "done"]
    assert store.redis.get(store.keys.ledger("p")) == b"other []"


def test_what_a_stopped_claim_promised_to_a_repeat_is_taken_back(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    """The third claim of the patient stops the first, whose event the repeat rests on."""
    entries = taken(store, inbox, 4)
    key = store.keys.event("e")
    first, second = items(store, [entries[0], entries[2]])
    first = first._replace(event_key=key, writes="value")
    repeat = Item(entries[1], "repeated", b"", key, expects="value")
    store.redis.xclaim(store.keys.inbox, "scrub", "another", 0, [entries[2]])
    assert committer.commit([first, repeat, second], Head()) == ["retry", "retry", "not_mine"]
    assert not store.redis.exists(key)


def test_a_ledger_of_the_wrong_type_refuses_the_batch_before_anything_is_written(
    store: Store, inbox: Inbox, committer: Committer
) -> None:
    entries = taken(store, inbox, 2)
    store.redis.hset(store.keys.ledger("q"), "a", "b")
    with pytest.raises(CommitRefused, match="ledger:q"):
        committer.commit([*items(store, entries[:1]), *items(store, entries[1:], "q")], Head())
    assert not found(store, "billing")
    assert not store.redis.exists(store.keys.ledger("p"))


@pytest.mark.parametrize("seed", range(20))
def test_random_interleavings_of_three_workers_bill_each_block_once(
    store: Store, consumers: Callable[[], InboxConsumer], seed: int
) -> None:
    """Workers that take, judge and commit in any order, on few patients and few days, copies and all."""
    from worker.pipeline import batch

    rng = random.Random(seed)
    events = []
    for number in range(60):
        lines = [{**claim(1)["lines"][0], "service_date": f"2026-09-{rng.randint(1, 4):02}"}]
        member = {"member_id": f"{rng.randint(1, 3):09}"}
        events.append(
            event(number, data=claim(1, claim_id=f"C{rng.randint(1, 40)}-{number}", lines=lines, subscriber=member))
        )
    put(store, *events)
    workers, judged = [consumers().partitions[0] for _ in range(3)], dict[int, list[Any]]()

    def judge(place: int, readings: list[Any]) -> None:
        worker = workers[place]
        memory = worker.inbox.remembered(batch.keys_of(readings))
        judged[place] = batch.judge(readings, memory, worker.context)

    while not reconcile(store.redis, store.keys).settled:
        place = rng.randrange(3)
        worker = workers[place]
        if place in judged and rng.random() < 0.15:  # it falls asleep, another takes over, and it wakes up
            decisions, heir = judged.pop(place), workers[(place + 1) % 3]
            for decision in decisions:
                entry = heir.inbox.reclaim(decision.reading.entry.id, 0)
                assert entry
                heir.process([entry])
            assert worker._commit(decisions) == []
        elif place in judged:
            if again := worker._commit(judged.pop(place)):
                judge(place, again)
        elif entries := worker.inbox.take(rng.randint(1, 8)):
            judge(place, batch.read(entries, worker.context))
    blocks_billed = Counter(
        (entry.data["claim"]["subscriber"]["member_id"], entry.data["claim"]["lines"][0]["service_date"])
        for entry in found(store, "billing")
    )
    wanted = {
        (data["subscriber"]["member_id"], data["lines"][0]["service_date"])
        for data in (json.loads(e)["data"] for e in events)
    }
    assert blocks_billed == Counter(wanted), f"seed {seed}"
    assert counting(store) == sorted(entry.data["claim"]["claim_id"] for entry in found(store, "billing"))
    assert len(found(store, "billing")) + len(found(store, "rework")) == 60


# What a person enters.


@pytest.fixture
def recorder(store: Store) -> Iterator[LedgerRecorder]:
    recorder = bootstrap.ledger_recorder(store)
    yield recorder
    recorder.audit.close()


def documents(tmp_path: Path, *claims: dict[str, Any]) -> list[Document]:
    file = tmp_path / "billed.ndjson"
    file.write_bytes(b"".join(json.dumps(claim).encode() + b"\n" for claim in claims))
    with file.open("rb") as stream:
        read = list(read_documents("billed.ndjson", stream))
    assert all(isinstance(document, Document) for document in read)
    return read  # type: ignore[return-value]


def test_what_was_billed_before_is_met_and_to_import_it_again_changes_nothing(
    store: Store, recorder: LedgerRecorder, consumers: Callable[[], InboxConsumer], tmp_path: Path
) -> None:
    billed = documents(
        tmp_path,
        claim(1, claim_id="OLD"),
        claim(2, claim_id="OLD2"),
        claim(2, claim_id="OLD2-R", frequency_code="7", original_reference_number="ICN"),
        claim(3, received_date="2006-10-31"),
        claim(4, subscriber=None),
        claim(5, lines=[{**claim(5)["lines"][0], "procedure": "64450"}]),
    )
    assert recorder.enter(billed, TODAY) == Counter(entered=3, too_old=1, no_member_id=1, no_procedure=1)
    before = ledgers(store)
    assert counting(store) == ["OLD", "OLD2-R"]
    assert recorder.enter(billed, TODAY) == Counter(known=3, too_old=1, no_member_id=1, no_procedure=1)
    assert ledgers(store) == before
    put(store, event(1, data=claim(1)), event(3, data=claim(3)))
    consumers().run()
    (duplicate,) = found(store, "rework")
    assert "OLD of 2026-10-01" in str(duplicate.data["report"]["findings"])
    assert len(found(store, "billing")) == 1


def test_an_import_does_not_take_the_place_of_what_a_worker_billed_since(
    store: Store, recorder: LedgerRecorder, consumers: Callable[[], InboxConsumer], tmp_path: Path
) -> None:
    put(store, event(1, data=claim(1, delay_reason_code="1")), event(2, data=claim(2, total_charge="1.00")))
    consumers().run()
    assert (len(found(store, "billing")), len(found(store, "rework"))) == (1, 1)
    before = ledgers(store)
    assert recorder.enter(documents(tmp_path, claim(1), claim(2)), TODAY) == Counter(known=1, entered=1)
    after = ledgers(store)
    changed = [key for key in before if before[key] != after[key]]
    assert [[(e.claim_id, e.state) for e in after[key].entries.values()] for key in changed] == [
        [("PCN-00002", "billed")]
    ]


@pytest.mark.parametrize("sender", ["north", "south"])
def test_a_claim_imported_for_a_facility_is_found_by_all_and_voided_by_its_own_alone(
    sender: str, store: Store, recorder: LedgerRecorder, consumers: Callable[[], InboxConsumer], tmp_path: Path
) -> None:
    for name in ("north", "south"):
        producers.add(store.redis, store.keys, Producer(name, name))
    assert recorder.enter(documents(tmp_path, claim(1)), TODAY, facility="north") == Counter(entered=1)
    assert recorder.enter(documents(tmp_path, claim(1)), TODAY, facility="north") == Counter(known=1)
    consumer = consumers()
    stream = store.keys.stream(sender)
    store.redis.xadd(stream, {FIELD: event(2, data=claim(1, claim_id="COPY"))})
    consumer.run()
    assert [blocks(entry) for entry in found(store, "rework")] == [["DUP001"]]
    store.redis.xadd(stream, {FIELD: event(3, data=claim(1, frequency_code="8", original_reference_number="ICN"))})
    consumer.run()
    assert counting(store) == ([] if sender == "north" else ["PCN-00001"])


def test_a_worker_that_judged_before_an_import_judges_again(
    store: Store, recorder: LedgerRecorder, consumers: Callable[[], InboxConsumer], tmp_path: Path
) -> None:
    consumer = consumers()
    put(store, event(1))
    commit = consumer.partitions[0].committer.commit

    def late(*arguments: Any) -> Any:
        consumer.partitions[0].committer.commit = commit  # type: ignore[method-assign]
        recorder.enter(documents(tmp_path, claim(1, claim_id="OLD")), TODAY)
        return commit(*arguments)

    consumer.partitions[0].committer.commit = late  # type: ignore[method-assign]
    consumer.run()
    assert [blocks(entry) for entry in found(store, "rework")] == [["DUP001"]]
    assert counting(store) == ["OLD"]


def test_a_claim_that_the_payer_rejected_may_be_sent_again(
    store: Store, recorder: LedgerRecorder, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(store, event(1))
    consumer.run()
    assert recorder.reject("PCN-1", "no such claim") == 0
    assert recorder.reject("PCN-00001", "277CA A7") == 1
    assert recorder.reject("PCN-00001", "277CA A7") == 0
    put(store, event(2, data=claim(1)), event(3, data=claim(1)))
    consumer.run()
    assert (len(found(store, "billing")), len(found(store, "rework"))) == (2, 1)
    lines = [json.loads(line) for line in recorder.audit.file.read_bytes().splitlines()]
    recorded = [line for line in lines if line["event.action"] == "history.rejected"]
    assert [(line["claim.claim_id"], line["event.reason"]) for line in recorded] == [("PCN-00001", "277CA A7")]
    assert chains.chain_head(store, recorder.audit.head.chain) == replace(recorder.audit.head, mac="")
