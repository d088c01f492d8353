"""Third stage: what becomes of an entry that was read.

Each claim stands alone: whatever goes wrong with one is its own decision (quarantine, with the reason), and its
neighbors never notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from rules.engine.check import check
from rules.engine.repairing import repaired
from rules.engine.waiving import waived
from rules.errors import Problem
from rules.facts.history import months_after
from rules.history import NO_MEMBER_ID
from rules.report import Disposition, Report
from worker.errors import Reason
from worker.intake.plain import undated
from worker.pipeline import front
from worker.pipeline.commit import ABSENT, UNCHECKED, EventWrite, FrontWrite, LedgerWrite, Route
from worker.pipeline.context import Batch, BatchContext
from worker.pipeline.front import Front
from worker.pipeline.ledger import EMPTY, Ledger, expiry_ms, order
from worker.pipeline.reading import Reading
from worker.pipeline.routing import fronts_of, homes_elsewhere, identity_partition
from worker.store.keyring import same_digest
from worker.store.keys import LEFT, REGISTERED, WITHOUT_VERDICT
from worker.store.outletspecs import FILES


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
    """The day that was used where the claim has no received date, or none that counts."""
    reason: Reason | None = None
    """Why it goes to quarantine."""
    problems: tuple[Problem, ...] = ()
    first: str = ""
    """Of a repeated event: the decision that stands."""
    front: FrontWrite = FrontWrite()


def decide(reading: Reading, batch: Batch) -> Decision:
    """Judges a claim by the book, its patient's ledger and the event memory.

    Raises:
        whatever a defect of the check raises
    """
    known = _known_of(reading, batch)
    if reading.requeued and not _left_as(known):
        known = ABSENT
    if known:
        return _decided_before(reading, batch, known)
    if reading.refusal:
        return quarantined(reading, batch, reading.refusal.reason, reading.refusal.problems)
    return _judged(reading, batch)


def _left_as(known: str) -> bool:
    """Whether its file was written without a verdict on it: then it leaves with that file or not at all, also where a
    person requeues it."""
    return known.rpartition(" ")[2].startswith(LEFT)


def _known_of(reading: Reading, batch: Batch) -> str:
    """What the event memory holds here, else at the event's own partition; its own registration there is nothing."""
    if reading.identity is None or reading.event_key is None:
        return ABSENT
    here, keys = batch.memory.get(reading.event_key, ABSENT), batch.context.keys
    if here or keys.count == 1:
        return here
    there = batch.memory.get(identity_partition(reading, keys).event(reading.identity), ABSENT)
    held, _, home = there.partition(" ")
    ours = home.startswith(REGISTERED) and same_digest(batch.context.rings, held, reading.digest)
    return ABSENT if ours else there


def _decided_before(reading: Reading, batch: Batch, known: str) -> Decision:
    digest, _, first = known.partition(" ")
    first = first.partition(" ")[0]
    if same_digest(batch.context.rings, digest, reading.digest):
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
    fronts = fronts_of(reading, context.keys, batch.memory)
    if later := front.superseded_by(fronts, claim, reading.entry.revision, context.keys.partition):
        known = history.superseded_by
        if not known or order(known) < order(later):
            history = replace(history, superseded_by=later)
    received = reading.received
    if received and claim.received_date:
        claim = undated(claim)
    report = check(claim, context.book, received=received, history=history)
    if report.disposition == "quarantine":
        problem = Problem("", report.reason or "the check put it there")
        return quarantined(reading, batch, "check_failed", [problem])
    if reading.waiver:
        today = date.fromisoformat(batch.moment[:10])
        also = _in_the_way(reading, fronts, batch)
        if reading.waiver.changes:
            report = repaired(report, reading.waiver.repaired, also)
        else:
            report = waived(report, reading.waiver.to_rules(), today, also)
    decision = _id(reading, context, ledger.version)
    entered = _entered(reading, ledger, context, billed=report.disposition == "billing")
    event = _event_write(reading, batch, decision)
    shown = _shown(reading, batch, fronts[0], report.disposition)
    route = FILES if reading.entry.sender.exit == "file" else report.disposition
    return Decision(reading, decision, route, event, entered, report, received, front=shown)


def _in_the_way(reading: Reading, fronts: tuple[Front | None, ...], batch: Batch) -> str | None:
    """Why this waived or repaired claim stays held, whatever the rules say; None: nothing."""
    waiver, submission = reading.waiver, reading.submission
    assert waiver is not None
    assert submission is not None
    if waiver.content != reading.digest:
        return f"the claim is not the one that was {'repaired' if waiver.changes else 'waived'}"
    if waiver.revision != reading.entry.revision:
        return f"it is another version of the claim than the one that was {'repaired' if waiver.changes else 'waived'}"
    homes = homes_elsewhere(reading, batch.context.keys, batch.memory)
    others = [Front.parse(batch.memory.get(there.front(reading.case or ""), "")) for there in homes]
    return front.obstacle(fronts, submission.claim, waiver.revision, others)


def _shown(reading: Reading, batch: Batch, here: Front | None, disposition: Disposition) -> FrontWrite:
    """What becomes of the front. A held claim may wait for a waiver longer than events are remembered."""
    assert reading.submission is not None
    context, key = batch.context, reading.front_key or ""
    after = front.after(here, reading.submission.claim, reading.entry.revision, disposition)
    kept = context.held_ms if disposition == "rework" else context.memory_ms
    return FrontWrite(key, batch.memory.get(key, ABSENT), str(after) if after else "", kept)


def _entered(reading: Reading, ledger: Ledger, context: BatchContext, *, billed: bool) -> LedgerWrite:
    """What becomes of the ledger that the decision rests on, in the version of its entry."""
    new = reading.claimed
    if new is None:
        return LedgerWrite()
    since = months_after(new.day, -context.months) if ledger.entries else date.min
    after = ledger.after(new, billed=billed, version=reading.entry.name, since=since)
    if after is ledger:
        return LedgerWrite(reading.ledger_key, ledger.version)
    return LedgerWrite(reading.ledger_key, ledger.version, str(after), expiry_ms(after, context.months))


def quarantined(
    reading: Reading, batch: Batch, reason: Reason, problems: Iterable[Problem], *, known: bool = False
) -> Decision:
    """The decision that an entry cannot be judged. `known`: its event was decided before."""
    decision = _id(reading, batch.context)
    event = _event_write(reading, batch, decision, known=known, held=True)
    return Decision(reading, decision, "quarantine", event, reason=reason, problems=tuple(problems))


def _id(reading: Reading, context: BatchContext, ledger_version: str = "") -> str:
    entry = reading.entry
    waiver = reading.waiver.digest if reading.waiver else ""
    return decision_id(context.keys.stream(entry.stream), entry.id, context.book.digest, ledger_version, waiver)


def _event_write(
    reading: Reading, batch: Batch, decision: str, *, known: bool = False, held: bool = False
) -> EventWrite:
    """The event key that the decision rests on, what it is to hold, and what it gets, unless the event is known."""
    key = reading.event_key
    if key is None:
        return EventWrite()
    by_file = reading.entry.sender.exit == "file"
    place = f"{WITHOUT_VERDICT}{reading.entry.name}" if held and by_file else reading.entry.name
    writes = f"{reading.mark} {decision} {place}"
    if reading.requeued and not by_file:
        return EventWrite(key, UNCHECKED, writes)
    return EventWrite(key, batch.memory.get(key, ABSENT), "" if known else writes)


def decision_id(stream: str, entry: str, book_digest: str, ledger_version: str = "", waiver: str = "") -> str:
    """The same decision on the same entry has the same id, in the log and in the outlet; 32 hexadecimal digits."""
    rests_on = f"{ledger_version}\0{waiver}" if waiver else ledger_version
    return sha256(f"{stream}\0{entry}\0{book_digest}\0{rests_on}".encode()).hexdigest()[:32]
