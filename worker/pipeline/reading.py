"""First stage: an inbox entry becomes a claim event, or the reason why it is none."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

from rules.errors import Problem
from worker.errors import EventInvalid
from worker.intake.events import Submission, read_event
from worker.logs.operational import safe_exception
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import InboxEntry, requeue_of
from worker.pipeline.ledger import LedgerEntry, entry_of
from worker.pipeline.outlets import REASONS
from worker.pipeline.waivers import Waiver, opened
from worker.store.keyring import event_digest
from worker.store.keys import case_mark, waived_identity


class Reading(NamedTuple):
    """An entry as far as it could be read: a submission, or why there is none."""

    entry: InboxEntry
    submission: Submission | None = None
    refusal: EventInvalid | None = None
    nanoseconds: int = 0
    """Time spent on reading."""
    identity: str | None = None
    """Of the event, where its envelope is sound: as it is known among all producers."""
    event_key: str | None = None
    """Of the event memory, on the partition on which it was read."""
    digest: str = ""
    mark: str = ""
    """What the event memory would hold of the digest."""
    patient: str | None = None
    """Keyed hash of payer and member id; None: not readable, or no member id."""
    ledger_key: str | None = None
    former_ledgers: tuple[str, ...] = ()
    """Where the same ledger may be under patient keys of before, the newest first."""
    claimed: LedgerEntry | None = None
    """The claim as it would enter the patient's ledger, by the procedure of the book with which it was read."""
    origin: tuple[str, str] | None = None
    """CloudEvents source and id, where the envelope is sound; they are the producer's, and never logged."""
    requeue_of: str | None = None
    """The quarantine entry that a person put on the queue again with it."""
    trace_id: str | None = None
    case: str | None = None
    """Names the front of its case (`worker.store.keys.case_mark`)."""
    front_key: str | None = None
    """The front, on the partition on which it was read."""
    waiver: Waiver | None = None
    """By which a person let it go; its seal is sound."""

    @property
    def requeued(self) -> bool:
        """Whether a person put it on the queue again from quarantine."""
        return self.requeue_of is not None

    @property
    def dated(self) -> bool:
        """Whether what the sender says of dates is receipt: of who is registered it is not, unless trusted for it."""
        return self.entry.sender.trusted or not self.entry.sender.registered

    @property
    def received(self) -> date | None:
        """The day of receipt where the claim's own is none, or does not count; None: the claim's own is it."""
        submission = self.submission
        if self.waiver and not (self.dated and submission and submission.claim.received_date):
            return self.waiver.day
        if self.dated and submission and submission.claim.received_date:
            return None
        day = submission.event.day if self.dated and submission else None
        return day or datetime.fromtimestamp(self.entry.milliseconds / 1000, UTC).date()


def read(entry: InboxEntry, context: BatchContext) -> Reading:
    """Decodes an entry; never raises for what is in it."""
    started = time.perf_counter_ns()
    patient = ledger = claimed = None
    former: tuple[str, ...] = ()
    try:
        if entry.event is None:
            raise EventInvalid("no_event", [Problem("", REASONS["no_event"])])
        submission = read_event(entry.event, limit=context.limit)
        event, claim, _, digest = submission
        waiver = opened(sealed, context.rings.audit) if (sealed := entry.waiver) is not None else None
        if not waiver and not entry.sender.has(event.source):
            raise _foreign()
        identity = waived_identity(waiver.decision) if waiver else entry.sender.identity(event.identity)
        if found := context.patients.of(claim):
            patient, codes = found.name, context.book.codes
            claimed = entry_of(claim, entry.revision, digest, codes, found.person, found.key, found.persons)._replace(
                facility=entry.sender.facility
            )
            ledger = context.keys.ledger(patient)
            former = tuple(map(context.keys.ledger, found.former)) if found.former else ()
        mark = event_digest(context.rings, digest)
    except context.interrupts:
        raise
    except EventInvalid as refusal:
        return _refused(entry, refusal, context, started)
    except Exception as error:
        return _refused(entry, failure(error), context, started)
    spent = time.perf_counter_ns() - started
    key, case = context.keys.event(identity), case_mark(entry.sender.facility, claim.claim_id)
    origin = (waiver.source, waiver.id) if waiver else (event.source, event.id)
    return Reading(
        entry, submission, None, spent, identity, key, digest, mark, patient, ledger, former, claimed, origin,
        requeue_of(entry, event.requeue_of), event.trace_id, case, context.keys.front(case), waiver,
    )  # fmt: skip


def _foreign() -> EventInvalid:
    """Nothing of it is remembered, so that nobody takes the identity of another's event."""
    sentence = "the source is not the one that this producer is registered with; `scrub producer list` shows it"
    return EventInvalid("envelope_invalid", [Problem("source", sentence)])


def _refused(entry: InboxEntry, refusal: EventInvalid, context: BatchContext, started: int) -> Reading:
    known = refusal.known
    if "identity" in known and not entry.sender.has(known["source"]):
        refusal = _foreign()
        known = refusal.known
    identity = known.get("identity")
    identity = entry.sender.identity(identity) if identity else None
    key = context.keys.event(identity) if identity else None
    spent = time.perf_counter_ns() - started
    return Reading(
        entry, None, refusal, spent, identity, key, known.get("digest", ""),
        event_digest(context.rings, known["digest"]) if "digest" in known else "",
        origin=(known["source"], known["id"]) if "id" in known else None,
        requeue_of=requeue_of(entry, known.get("requeue_of")), trace_id=known.get("trace_id"),
    )  # fmt: skip


def given_up(entry: InboxEntry, problems: Iterable[Problem]) -> Reading:
    """A reading of an entry that is not decoded once more, since that may be what kills its worker."""
    return Reading(entry, refusal=EventInvalid("attempts_exhausted", problems))


def failure(error: Exception) -> EventInvalid:
    """An exception that no input should cause: its type and place, and nothing that it says."""
    safe = safe_exception(error)
    sentence = f"{safe['error.type']} at {', '.join(safe['error.stack_trace'][-3:])}"
    return EventInvalid("check_failed", [Problem("", sentence)])
