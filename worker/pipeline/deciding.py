"""Third stage: what becomes of an entry that was read.

Each claim stands alone: whatever goes wrong with one is its own decision (quarantine, with the reason), and its
neighbors never notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from rules.engine.check import check
from rules.errors import Problem
from rules.facts.history import months_after
from rules.history import NO_MEMBER_ID
from rules.report import Report
from worker.errors import Reason
from worker.pipeline.commit import ABSENT, UNCHECKED, EventWrite, LedgerWrite, Route
from worker.pipeline.context import Batch, BatchContext
from worker.pipeline.ledger import EMPTY, Ledger, expiry_ms
from worker.pipeline.reading import Reading
from worker.pipeline.routing import identity_partition
from worker.store.keys import REGISTERED


class Decision(NamedTuple):
    """What becomes of one entry, and what that rests on."""

    reading: Reading
    id: str
    route: Route
    event: EventWrite
    ledger: LedgerWrite = LedgerWrite()
    report: Report | None = None
    """Of a claim that was judged."""
    received: date | None = None
    """The day that was used where the claim has no received date."""
    reason: Reason | None = None
    """Why it goes to quarantine."""
    problems: tuple[Problem, ...] = ()
    first: str = ""
    """Of a repeated event: the decision that stands."""


def decide(reading: Reading, batch: Batch) -> Decision:
    """Judges a claim by the book, its patient's ledger and the event memory.

    Raises:
        whatever a defect of the check raises
    """
    known = ABSENT if reading.requeued else _known_of(reading, batch)
    if known:
        return _decided_before(reading, batch, known)
    if reading.refusal:
        return quarantined(reading, batch, reading.refusal.reason, reading.refusal.problems)
    return _judged(reading, batch)


def _known_of(reading: Reading, batch: Batch) -> str:
    """What the event memory holds here, else at the event's own partition; its own registration there is nothing."""
    if reading.identity is None or reading.event_key is None:
        return ABSENT
    here, keys = batch.memory.get(reading.event_key, ABSENT), batch.context.keys
    if here or keys.count == 1:
        return here
    there = batch.memory.get(identity_partition(reading, keys).event(reading.identity), ABSENT)
    return ABSENT if there.startswith(f"{reading.digest} {REGISTERED}") else there


def _decided_before(reading: Reading, batch: Batch, known: str) -> Decision:
    digest, _, first = known.partition(" ")
    first = first.partition(" ")[0]
    if digest == reading.digest:
        key = reading.event_key or ""
        event = EventWrite(key, batch.memory.get(key, ABSENT))
        return Decision(reading, _id(reading, batch.context), "repeated", event, first=first)
    where = f"on partition {first[1:]}" if first.startswith(REGISTERED) else first
    problem = Problem("", f"the first decision on this event is {where}")
    return quarantined(reading, batch, "event_id_reused", [problem], known=True)


def _judged(reading: Reading, batch: Batch) -> Decision:
    context, submission, claimed = batch.context, reading.submission, reading.claimed
    assert submission is not None
    claim = submission.claim
    ledger = Ledger.parse(batch.memory.get(reading.ledger_key or "", "")) if claimed else EMPTY
    history = ledger.history(claimed) if claimed else NO_MEMBER_ID
    received = None if claim.received_date else reading.day
    report = check(claim, context.book, received=received, history=history)
    if report.disposition == "quarantine":
        problem = Problem("", report.reason or "the check put it there")
        return quarantined(reading, batch, "check_failed", [problem])
    decision = _id(reading, context, ledger.version)
    entered = _entered(reading, ledger, context, billed=report.disposition == "billing")
    event = _event_write(reading, batch, decision)
    return Decision(reading, decision, report.disposition, event, entered, report, received)


def _entered(reading: Reading, ledger: Ledger, context: BatchContext, *, billed: bool) -> LedgerWrite:
    """What becomes of the ledger that the decision rests on, in the version of its entry."""
    new = reading.claimed
    if new is None:
        return LedgerWrite()
    since = months_after(new.day, -context.months) if ledger.entries else date.min
    after = ledger.after(new, billed=billed, version=reading.entry.id, since=since)
    if after is ledger:
        return LedgerWrite(reading.ledger_key, ledger.version)
    return LedgerWrite(reading.ledger_key, ledger.version, str(after), expiry_ms(after, context.months))


def quarantined(
    reading: Reading, batch: Batch, reason: Reason, problems: Iterable[Problem], *, known: bool = False
) -> Decision:
    """The decision that an entry cannot be judged. `known`: its event was decided before."""
    decision = _id(reading, batch.context)
    event = _event_write(reading, batch, decision, known=known)
    return Decision(reading, decision, "quarantine", event, reason=reason, problems=tuple(problems))


def _id(reading: Reading, context: BatchContext, ledger_version: str = "") -> str:
    return decision_id(context.keys.inbox, reading.entry.id, context.book.digest, ledger_version)


def _event_write(reading: Reading, batch: Batch, decision: str, *, known: bool = False) -> EventWrite:
    """The event key that the decision rests on, what it is to hold, and what it gets, unless the event is known."""
    key = reading.event_key
    if key is None:
        return EventWrite()
    writes = f"{reading.digest} {decision} {reading.entry.id}"
    if reading.requeued:
        return EventWrite(key, UNCHECKED, writes)
    return EventWrite(key, batch.memory.get(key, ABSENT), "" if known else writes)


def decision_id(inbox: str, entry: str, book_digest: str, ledger_version: str = "") -> str:
    """The same decision on the same entry has the same id, in the log and in the outlet; 32 hexadecimal digits."""
    return sha256(f"{inbox}\0{entry}\0{book_digest}\0{ledger_version}".encode()).hexdigest()[:32]
