"""The batch step: inbox entries in, decisions with their audit lines out. No Redis, no files.

Each claim stands alone: whatever goes wrong with one is its own decision (quarantine, with the reason), and its
neighbours never notice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from secrets import token_hex
from typing import NamedTuple

from rules.book import Book
from rules.check import check
from rules.errors import Problem
from rules.facts.history import months_after
from rules.history import NO_MEMBER_ID
from worker import auditline, outlets
from worker.auditline import AuditLine
from worker.commit import ABSENT, UNCHECKED, Item, Route, decision_id
from worker.errors import EventInvalid
from worker.inbox import Entry
from worker.intake.events import Submission, read_event
from worker.keys import REGISTERED, Keys
from worker.ledger import Entry as Claimed
from worker.ledger import Ledger, entry_of, expiry_ms, patient_hash, person_of
from worker.logs import safe_exception

Interrupts = tuple[type[BaseException], ...]
"""Exceptions that end the task and are no fault of a claim, such as the soft time limit."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker judges with."""

    book: Book
    keys: Keys
    secret: bytes
    """Key of the patient hashes."""
    limit: int
    """Largest event, in bytes."""
    interrupts: Interrupts = ()
    months: int = 36
    """For how long the ledger keeps what went to billing."""


class Reading(NamedTuple):
    """An entry as far as it could be read: a submission, or why there is none."""

    entry: Entry
    submission: Submission | None = None
    refusal: EventInvalid | None = None
    nanoseconds: int = 0
    """Time spent on reading."""
    identity: str | None = None
    """Of the event, where its envelope is sound."""
    event_key: str | None = None
    """Of the event memory, on the partition on which it was read."""
    digest: str = ""
    patient: str | None = None
    """Keyed hash of payer and member id; None: not readable, or no member id."""
    ledger_key: str | None = None

    @property
    def _known(self) -> Mapping[str, str]:
        return self.refusal.known if self.refusal else {}

    @property
    def origin(self) -> tuple[str, str] | None:
        """CloudEvents source and id, where the envelope is sound; they are the producer's, and never logged."""
        if self.submission:
            return self.submission.event.source, self.submission.event.id
        return (self._known["source"], self._known["id"]) if "id" in self._known else None

    @property
    def requeued(self) -> bool:
        return bool(self.submission.event.requeue_of) if self.submission else "requeue_of" in self._known

    @property
    def trace_id(self) -> str | None:
        return self.submission.event.trace_id if self.submission else self._known.get("trace_id")

    @property
    def day(self) -> date:
        """Day of the event, else the day on which Redis took it in (UTC)."""
        day = self.submission.event.day if self.submission else None
        return day or datetime.fromtimestamp(self.entry.milliseconds / 1000, UTC).date()


class Decision(NamedTuple):
    """What becomes of one entry."""

    reading: Reading
    item: Item
    line: AuditLine


def read(entries: Iterable[Entry], bench: Bench) -> list[Reading]:
    """Decodes every entry; never raises for what is in one."""
    return [_read(entry, bench) for entry in entries]


def _read(entry: Entry, bench: Bench) -> Reading:
    started = time.perf_counter_ns()
    try:
        if entry.event is None:
            raise EventInvalid("no_event", [Problem("", outlets.REASONS["no_event"])])
        submission = read_event(entry.event, limit=bench.limit)
        patient = patient_hash(bench.secret, submission.claim)
    except bench.interrupts:
        raise
    except EventInvalid as refusal:
        return _refused(entry, refusal, bench, started)
    except Exception as error:
        return _refused(entry, _failed(error), bench, started)
    keys, identity = bench.keys, submission.event.identity
    ledger = keys.ledger(patient) if patient else None
    spent = time.perf_counter_ns() - started
    return Reading(entry, submission, None, spent, identity, keys.event(identity), submission.digest, patient, ledger)


def _refused(entry: Entry, refusal: EventInvalid, bench: Bench, started: int) -> Reading:
    identity = refusal.known.get("identity")
    key = bench.keys.event(identity) if identity else None
    spent = time.perf_counter_ns() - started
    return Reading(entry, None, refusal, spent, identity, key, refusal.known.get("digest", ""))


def home(reading: Reading, keys: Keys) -> Keys:
    """Where an entry is to be judged: by its patient, else by its event; where neither can be told, it is."""
    mark = reading.patient or reading.identity
    return keys.at(mark) if mark else keys


def front(reading: Reading, keys: Keys) -> Keys:
    """Where the identity of an event is registered, whatever its data."""
    return keys.at(reading.identity) if reading.identity else keys


def keys_of(readings: Iterable[Reading]) -> list[str]:
    """The event keys and ledgers that the decisions on these readings will rest on."""
    return list(dict.fromkeys(key for one in readings for key in (one.event_key, one.ledger_key) if key))


def decide(readings: Sequence[Reading], memory: Mapping[str, str], bench: Bench) -> list[Decision]:
    """Judges the readings in order; `memory`, what Redis holds under their keys, is carried from one to the next."""
    known = dict(memory)
    batch: AuditLine = {"batch.id": token_hex(8), "batch.size": len(readings)}
    decisions = []
    for reading in readings:
        decision = _decide(reading, known, bench)
        item = decision.item
        if item.event_key and item.writes:
            known[item.event_key] = item.writes
        if item.ledger_key and item.ledger_writes:
            known[item.ledger_key] = item.ledger_writes
        decision.line.update(batch)
        decisions.append(decision)
    return decisions


def _decide(reading: Reading, memory: Mapping[str, str], bench: Bench) -> Decision:
    started = time.perf_counter_ns() - reading.nanoseconds
    if known := "" if reading.requeued else _known_of(reading, memory, bench):
        digest, _, first = known.partition(" ")
        first = first.partition(" ")[0]
        if digest == reading.digest:
            return _repeated(reading, memory, bench, first, started)
        where = f"on partition {first[1:]}" if first.startswith(REGISTERED) else first
        told = Problem("", f"the first decision on this event is {where}")
        return quarantine(reading, "event_id_reused", (told,), bench, memory, started)
    if reading.refusal:
        refusal = reading.refusal
        return quarantine(reading, refusal.reason, refusal.problems, bench, memory, started)
    try:
        return _judged(reading, memory, bench, started)
    except bench.interrupts:
        raise
    except Exception as error:
        failure = _failed(error)
        return quarantine(reading, failure.reason, failure.problems, bench, memory, started)


def _known_of(reading: Reading, memory: Mapping[str, str], bench: Bench) -> str:
    """What the event memory holds here, else at the event's front; its own registration there is nothing."""
    if reading.identity is None or reading.event_key is None:
        return ABSENT
    here = memory.get(reading.event_key, ABSENT)
    if here or bench.keys.count == 1:
        return here
    there = memory.get(front(reading, bench.keys).event(reading.identity), ABSENT)
    return ABSENT if there.startswith(f"{reading.digest} {REGISTERED}") else there


def _judged(reading: Reading, memory: Mapping[str, str], bench: Bench, started: int) -> Decision:
    submission = reading.submission
    assert submission is not None
    claim, event = submission.claim, submission.event
    patient = _patient(reading, submission, memory, bench)
    history = patient.ledger.history(patient.entry) if patient else NO_MEMBER_ID
    report = check(claim, bench.book, received=reading.day, history=history)
    decision = _decision(reading, bench, patient.ledger.version if patient else "")
    if report.disposition == "quarantine":
        problem = Problem("", report.reason or "the check put it there")
        return quarantine(reading, "check_failed", (problem,), bench, memory, started)
    received = None if claim.received_date else reading.day
    payload = outlets.scrubbed(
        decision, bench.keys.named(reading.entry.id), event, submission.content, report, received
    )
    item = _item(reading, report.disposition, payload, decision, memory, bench)
    if patient:
        item = _entered(item, patient, bench)
    line = auditline.claim_fields(claim, reading.patient)
    line.update(auditline.report_fields(report))
    line["claim.judged"] = [line.number for line in claim.lines if line.procedure == bench.book.procedure]
    return _finished(reading, item, "claim.scrubbed", decision, bench, started, line)


class _Patient(NamedTuple):
    """A patient's ledger as it stands before a claim, and the claim as it would enter it."""

    key: str
    ledger: Ledger
    entry: Claimed


def _patient(reading: Reading, submission: Submission, memory: Mapping[str, str], bench: Bench) -> _Patient | None:
    """None: the claim has no member id."""
    if reading.patient is None or reading.ledger_key is None:
        return None
    claim = submission.claim
    person = person_of(bench.secret, reading.patient, claim)
    entry = entry_of(claim, reading.entry.revision, reading.digest, bench.book.procedure, person)
    return _Patient(reading.ledger_key, Ledger.parse(memory.get(reading.ledger_key, "")), entry)


def _entered(item: Item, patient: _Patient, bench: Bench) -> Item:
    """The item with the ledger that the decision rests on, and what becomes of it, in the version of its entry."""
    new, ledger = patient.entry, patient.ledger
    since = months_after(new.day, -bench.months)
    after = ledger.after(new, billed=item.route == "billing", version=item.entry, since=since)
    if after is ledger:
        return item._replace(ledger_key=patient.key, ledger_version=ledger.version)
    return item._replace(
        ledger_key=patient.key, ledger_version=ledger.version, ledger_writes=str(after),
        ledger_until=expiry_ms(after, bench.months),
    )  # fmt: skip


def quarantine(
    reading: Reading,
    reason: str,
    problems: Iterable[Problem],
    bench: Bench,
    memory: Mapping[str, str] | None = None,
    started: int | None = None,
) -> Decision:
    """The decision that an entry is not to be judged; the reason is one of `outlets.REASONS`."""
    decision = _decision(reading, bench)
    problems = tuple(problems)
    payload = outlets.quarantined(
        decision, bench.keys.named(reading.entry.id), reading.entry, reason, problems, reading.origin
    )
    item = _item(reading, "quarantine", payload, decision, memory, bench)
    if reading.submission:
        line = auditline.claim_fields(reading.submission.claim, reading.patient)
    else:
        line = {"claim.claim_id": reading.refusal.known.get("claim_id") if reading.refusal else None}
    line["claim.disposition"] = "quarantine"
    line["error.code"] = reason
    line["claim.problems"] = [str(Problem(problem.safe_path, problem.sentence)) for problem in problems[:20]]
    started = time.perf_counter_ns() if started is None else started
    return _finished(reading, item, "claim.quarantined", decision, bench, started, line)


def _repeated(reading: Reading, memory: Mapping[str, str], bench: Bench, first: str, started: int) -> Decision:
    decision = _decision(reading, bench)
    key = reading.event_key or ""
    item = Item(reading.entry.id, "repeated", b"", key, expects=memory.get(key, ABSENT))
    line: AuditLine = {"claim.first_decision_id": first}
    if reading.submission:
        line |= auditline.claim_fields(reading.submission.claim, reading.patient)
    return _finished(reading, item, "claim.repeated", decision, bench, started, line)


def _decision(reading: Reading, bench: Bench, ledger_version: str = "") -> str:
    return decision_id(bench.keys.inbox, reading.entry.id, bench.book.digest, ledger_version)


def _item(
    reading: Reading, route: Route, payload: bytes, decision: str, memory: Mapping[str, str] | None, bench: Bench
) -> Item:
    """With the event key that the decision rests on; without `memory` it rests on none."""
    entry, key = reading.entry.id, reading.event_key
    if key is None or memory is None:
        return Item(entry, route, payload)
    writes = f"{reading.digest} {decision} {entry}"
    if reading.requeued:
        return Item(entry, route, payload, key, UNCHECKED, writes)
    writes = "" if _known_of(reading, memory, bench) else writes
    return Item(entry, route, payload, key, memory.get(key, ABSENT), writes)


def _finished(
    reading: Reading, item: Item, action: auditline.Action, decision: str, bench: Bench, started: int, facts: AuditLine
) -> Decision:
    held = item.route == "quarantine"
    line: AuditLine = {
        "log.level": "warning" if held else "info",
        "event.action": action,
        "event.outcome": "failure" if held else "success",
        "event.duration": time.perf_counter_ns() - started,
        "trace.id": reading.trace_id or decision,
        "claim.decision_id": decision,
    }
    line.update(facts)
    line["book.version"] = bench.book.version
    line["book.digest"] = bench.book.digest
    line["queue.entry"] = bench.keys.named(reading.entry.id)
    line["queue.latency_ms"] = max(0, time.time_ns() // 1_000_000 - reading.entry.milliseconds)
    if reading.identity:
        line["claim.event"] = reading.identity
    if reading.requeued:
        line["claim.requeued"] = True
    if reading.entry.forwarded_from:
        line["queue.forwarded_from"] = reading.entry.forwarded_from
    if reading.entry.attempt:
        line["queue.attempt"] = reading.entry.attempt
    return Decision(reading, item, line)


def superseded(decision: Decision, status: str) -> AuditLine:
    """The line that takes back the line of a decision that was not committed: a copy, so that sums can subtract it."""
    return {
        **decision.line,
        "log.level": "info",
        "event.action": "claim.superseded",
        "event.outcome": "unknown",
        "error.code": status,
    }


def _failed(error: Exception) -> EventInvalid:
    """An exception that no input should cause: its type and place, and nothing that it says."""
    safe = safe_exception(error)
    sentence = f"{safe['error.type']} at {', '.join(safe['error.stack_trace'][-3:])}"
    return EventInvalid("check_failed", [Problem("", sentence)])


def unread(entry: Entry) -> Reading:
    """A reading of an entry that is not to be decoded again, since that may be what kills its worker."""
    return Reading(entry)
