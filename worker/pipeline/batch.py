"""The batch step: inbox entries in, decisions with their audit lines out. No Redis, no files.

Each claim stands alone: whatever goes wrong with one is its own decision (quarantine, with the reason), and its
neighbours never notice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from secrets import token_hex
from typing import NamedTuple

import orjson

from rules.book.book import Book
from rules.engine.check import check
from rules.engine.recent import Recent
from rules.errors import Problem
from rules.facts.history import months_after
from rules.history import NO_MEMBER_ID
from worker.audit import lines as auditline
from worker.audit.lines import AuditLine
from worker.errors import EventInvalid
from worker.intake.events import Submission, moment, read_event
from worker.logs.operational import safe_exception
from worker.pipeline import outlets
from worker.pipeline.commit import ABSENT, UNCHECKED, Item, Route, decision_id
from worker.pipeline.inbox import Entry
from worker.pipeline.ledger import EMPTY, Ledger, entry_of, expiry_ms, patient_hash, person_of
from worker.pipeline.ledger import Entry as Claimed
from worker.pipeline.rendering import Rendered, rendered
from worker.store.keys import REGISTERED, Keys
from worker.store.secret import event_mark

Interrupts = tuple[type[BaseException], ...]
"""Exceptions that end the task and are no fault of a claim, such as the soft time limit."""
_MOST_RENDERED = 4_096
_MOST_BYTES = 2**25
"""Of decisions that are committed at once: a claim of 1,000 lines may have findings of some megabytes."""


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
    reports: Recent[Rendered] = field(default_factory=lambda: Recent(_MOST_RENDERED))
    """Reports as outlet and log show them, by what they say: claims that are alike share one."""


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
    claimed: Claimed | None = None
    """The claim as it would enter the patient's ledger, by the procedure of the book with which it was read."""

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
    text: bytes
    """Its audit line as JSON."""

    @property
    def line(self) -> AuditLine:
        found: AuditLine = orjson.loads(self.text)
        return found


class _Turn(NamedTuple):
    """What the decisions of one batch are made with."""

    bench: Bench
    memory: dict[str, str] | None
    """What Redis holds under their keys, carried from one decision to the next; None: they rest on none of it."""
    moment: str
    line: bytes
    """What all their audit lines say, as JSON without its braces."""


def _turn(bench: Bench, memory: Mapping[str, str] | None, batch: AuditLine) -> _Turn:
    line: AuditLine = {**batch, "book.version": bench.book.version, "book.digest": bench.book.digest}
    return _Turn(bench, None if memory is None else dict(memory), moment(), orjson.dumps(line)[1:-1])


def read(entries: Iterable[Entry], bench: Bench) -> list[Reading]:
    """Decodes every entry; never raises for what is in one."""
    return [_read(entry, bench) for entry in entries]


def _read(entry: Entry, bench: Bench) -> Reading:
    started = time.perf_counter_ns()
    patient = ledger = claimed = None
    try:
        if entry.event is None:
            raise EventInvalid("no_event", [Problem("", outlets.REASONS["no_event"])])
        submission = read_event(entry.event, limit=bench.limit)
        event, claim, _, digest = submission
        identity = event.identity
        if patient := patient_hash(bench.secret, claim):
            person = person_of(bench.secret, patient, claim)
            claimed = entry_of(claim, entry.revision, digest, bench.book.procedure, person)
            ledger = bench.keys.ledger(patient)
    except bench.interrupts:
        raise
    except EventInvalid as refusal:
        return _refused(entry, refusal, bench, started)
    except Exception as error:
        return _refused(entry, _failed(error), bench, started)
    spent = time.perf_counter_ns() - started
    key = bench.keys.event(identity)
    return Reading(entry, submission, None, spent, identity, key, digest, patient, ledger, claimed)


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


def decide(
    readings: Sequence[Reading], memory: Mapping[str, str], bench: Bench, until: float = math.inf
) -> list[Decision]:
    """Judges the readings in order; `memory`, what Redis holds under their keys, is carried from one to the next.

    The first of them alone, where those after `until` (by the monotonic clock) are left, or what they come to is more
    than is sent to Redis at once.
    """
    turn = _turn(bench, memory, {"batch.id": token_hex(8), "batch.size": len(readings)})
    known = turn.memory
    assert known is not None
    decisions: list[Decision] = []
    size = 0
    for reading in readings:
        if decisions and (size > _MOST_BYTES or time.monotonic() > until):
            break
        decision = _decide(reading, known, turn)
        size += len(decision.item.payload)
        item = decision.item
        if item.event_key and item.writes:
            known[item.event_key] = item.writes
        if item.ledger_key and item.ledger_writes:
            known[item.ledger_key] = item.ledger_writes
        decisions.append(decision)
    return decisions


def _decide(reading: Reading, memory: Mapping[str, str], turn: _Turn) -> Decision:
    started = time.perf_counter_ns() - reading.nanoseconds
    known = ABSENT if reading.requeued else _known_of(reading, memory, turn.bench)
    if known:
        digest, _, first = known.partition(" ")
        first = first.partition(" ")[0]
        if digest == reading.digest:
            return _repeated(reading, turn, first, started)
        where = f"on partition {first[1:]}" if first.startswith(REGISTERED) else first
        told = Problem("", f"the first decision on this event is {where}")
        return _quarantined(reading, "event_id_reused", (told,), turn, started, known=True)
    if reading.refusal:
        return _quarantined(reading, reading.refusal.reason, reading.refusal.problems, turn, started)
    try:
        return _judged(reading, memory, turn, started)
    except turn.bench.interrupts:
        raise
    except Exception as error:
        failure = _failed(error)
        return _quarantined(reading, failure.reason, failure.problems, turn, started)


def _known_of(reading: Reading, memory: Mapping[str, str], bench: Bench) -> str:
    """What the event memory holds here, else at the event's front; its own registration there is nothing."""
    if reading.identity is None or reading.event_key is None:
        return ABSENT
    here = memory.get(reading.event_key, ABSENT)
    if here or bench.keys.count == 1:
        return here
    there = memory.get(front(reading, bench.keys).event(reading.identity), ABSENT)
    return ABSENT if there.startswith(f"{reading.digest} {REGISTERED}") else there


def _judged(reading: Reading, memory: Mapping[str, str], turn: _Turn, started: int) -> Decision:
    bench, submission, claimed = turn.bench, reading.submission, reading.claimed
    assert submission is not None
    event, claim, content, _ = submission
    ledger = Ledger.parse(memory.get(reading.ledger_key or "", "")) if claimed else EMPTY
    history = ledger.history(claimed) if claimed else NO_MEMBER_ID
    received = None if claim.received_date else reading.day
    report = check(claim, bench.book, received=received, history=history)
    if report.disposition == "quarantine":
        problem = Problem("", report.reason or "the check put it there")
        return _quarantined(reading, "check_failed", (problem,), turn, started)
    decision = _decision(reading, bench, ledger.version)
    said = rendered(report, bench.reports)
    name = bench.keys.named(reading.entry.id)
    payload = outlets.scrubbed(decision, name, event, content, said.of(report.claim_id), turn.moment, received)
    rests = _rests_on(reading, decision, turn)
    entered = _entered(reading, ledger, claimed, bench, report.disposition) if claimed else ()
    item = Item(reading.entry.id, report.disposition, payload, *rests, *entered)
    line = auditline.claim_fields(claim, reading.patient)
    line["claim.judged"] = [line.number for line in claim.lines if line.procedure == bench.book.procedure]
    return _finished(reading, item, "claim.scrubbed", decision, turn, started, line, said.line)


def _entered(
    reading: Reading, ledger: Ledger, new: Claimed, bench: Bench, route: Route
) -> tuple[str | None, str, str, int]:
    """Of an item: the ledger that the decision rests on, what becomes of it, and until when, in the version of its
    entry."""
    since = months_after(new.day, -bench.months) if ledger.entries else date.min
    after = ledger.after(new, billed=route == "billing", version=reading.entry.id, since=since)
    if after is ledger:
        return reading.ledger_key, ledger.version, "", 0
    return reading.ledger_key, ledger.version, str(after), expiry_ms(after, bench.months)


def quarantine(reading: Reading, reason: str, problems: Iterable[Problem], bench: Bench) -> Decision:
    """The decision that an entry is not to be judged, whatever is known of its event; the reason is one of
    `outlets.REASONS`."""
    return _quarantined(reading, reason, problems, _turn(bench, None, {}), time.perf_counter_ns())


def _quarantined(
    reading: Reading, reason: str, problems: Iterable[Problem], turn: _Turn, started: int, *, known: bool = False
) -> Decision:
    """`known`: the event was decided before."""
    decision = _decision(reading, turn.bench)
    problems = tuple(problems)
    name = turn.bench.keys.named(reading.entry.id)
    payload = outlets.quarantined(decision, name, reading.entry, reason, problems, reading.origin, turn.moment)
    item = Item(reading.entry.id, "quarantine", payload, *_rests_on(reading, decision, turn, known=known))
    if reading.submission:
        line = auditline.claim_fields(reading.submission.claim, reading.patient)
    else:
        line = {"claim.claim_id": reading.refusal.known.get("claim_id") if reading.refusal else None}
    line["claim.disposition"] = "quarantine"
    line["error.code"] = reason
    line["claim.problems"] = [str(Problem(problem.safe_path, problem.sentence)) for problem in problems[:20]]
    return _finished(reading, item, "claim.quarantined", decision, turn, started, line)


def _repeated(reading: Reading, turn: _Turn, first: str, started: int) -> Decision:
    decision = _decision(reading, turn.bench)
    key, memory = reading.event_key or "", turn.memory or {}
    item = Item(reading.entry.id, "repeated", b"", key, expects=memory.get(key, ABSENT))
    line: AuditLine = {"claim.first_decision_id": first}
    if reading.submission:
        line |= auditline.claim_fields(reading.submission.claim, reading.patient)
    return _finished(reading, item, "claim.repeated", decision, turn, started, line)


def _decision(reading: Reading, bench: Bench, ledger_version: str = "") -> str:
    return decision_id(bench.keys.inbox, reading.entry.id, bench.book.digest, ledger_version)


def _rests_on(reading: Reading, decision: str, turn: _Turn, *, known: bool = False) -> tuple[str | None, str, str]:
    """Of an item: the event key that the decision rests on, what it is to hold, and what it gets, unless the event is
    known."""
    key, memory = reading.event_key, turn.memory
    if key is None or memory is None:
        return None, ABSENT, ""
    writes = f"{reading.digest} {decision} {reading.entry.id}"
    if reading.requeued:
        return key, UNCHECKED, writes
    return key, memory.get(key, ABSENT), "" if known else writes


def _finished(
    reading: Reading,
    item: Item,
    action: auditline.Action,
    decision: str,
    turn: _Turn,
    started: int,
    facts: AuditLine,
    said: bytes = b"",
) -> Decision:
    """`said`: what the line says besides, as JSON without its braces."""
    held, entry = item.route == "quarantine", reading.entry
    line: AuditLine = {
        "log.level": "warning" if held else "info",
        "event.action": action,
        "event.outcome": "failure" if held else "success",
        "event.duration": time.perf_counter_ns() - started,
        "trace.id": reading.trace_id or decision,
        "claim.decision_id": decision,
        **facts,
        "queue.entry": turn.bench.keys.named(entry.id),
        "queue.latency_ms": max(0, time.time_ns() // 1_000_000 - entry.milliseconds),
    }
    if reading.identity:
        line["claim.event"] = event_mark(turn.bench.secret, reading.identity)
    if reading.requeued:
        line["claim.requeued"] = True
    if forwarded := entry.forwarded_from:
        line["queue.forwarded_from"] = forwarded
    if entry.attempt:
        line["queue.attempt"] = entry.attempt
    parts = (orjson.dumps(line)[:-1], turn.line, said) if said else (orjson.dumps(line)[:-1], turn.line)
    return Decision(reading, item, b",".join(parts) + b"}")


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
