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
from worker.pipeline.inbox import InboxEntry
from worker.pipeline.ledger import LedgerEntry, entry_of, patient_hash, person_of
from worker.pipeline.outlets import REASONS


class Reading(NamedTuple):
    """An entry as far as it could be read: a submission, or why there is none."""

    entry: InboxEntry
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
    claimed: LedgerEntry | None = None
    """The claim as it would enter the patient's ledger, by the procedure of the book with which it was read."""
    origin: tuple[str, str] | None = None
    """CloudEvents source and id, where the envelope is sound; they are the producer's, and never logged."""
    requeued: bool = False
    """Whether a person put it on the queue again from quarantine."""
    trace_id: str | None = None

    @property
    def day(self) -> date:
        """Day of the event, else the day on which Redis took it in (UTC)."""
        day = self.submission.event.day if self.submission else None
        return day or datetime.fromtimestamp(self.entry.milliseconds / 1000, UTC).date()


def read(entry: InboxEntry, context: BatchContext) -> Reading:
    """Decodes an entry; never raises for what is in it."""
    started = time.perf_counter_ns()
    patient = ledger = claimed = None
    try:
        if entry.event is None:
            raise EventInvalid("no_event", [Problem("", REASONS["no_event"])])
        submission = read_event(entry.event, limit=context.limit)
        event, claim, _, digest = submission
        identity = event.identity
        if patient := patient_hash(context.secret, claim):
            person = person_of(context.secret, patient, claim)
            claimed = entry_of(claim, entry.revision, digest, context.book.codes, person)
            ledger = context.keys.ledger(patient)
    except context.interrupts:
        raise
    except EventInvalid as refusal:
        return _refused(entry, refusal, context, started)
    except Exception as error:
        return _refused(entry, failure(error), context, started)
    spent = time.perf_counter_ns() - started
    key = context.keys.event(identity)
    return Reading(
        entry, submission, None, spent, identity, key, digest, patient, ledger, claimed,
        (event.source, event.id), bool(event.requeue_of), event.trace_id,
    )  # fmt: skip


def _refused(entry: InboxEntry, refusal: EventInvalid, context: BatchContext, started: int) -> Reading:
    known = refusal.known
    identity = known.get("identity")
    key = context.keys.event(identity) if identity else None
    spent = time.perf_counter_ns() - started
    return Reading(
        entry, None, refusal, spent, identity, key, known.get("digest", ""),
        origin=(known["source"], known["id"]) if "id" in known else None,
        requeued="requeue_of" in known, trace_id=known.get("trace_id"),
    )  # fmt: skip


def given_up(entry: InboxEntry, problems: Iterable[Problem]) -> Reading:
    """A reading of an entry that is not decoded once more, since that may be what kills its worker."""
    return Reading(entry, refusal=EventInvalid("attempts_exhausted", problems))


def failure(error: Exception) -> EventInvalid:
    """An exception that no input should cause: its type and place, and nothing that it says."""
    safe = safe_exception(error)
    sentence = f"{safe['error.type']} at {', '.join(safe['error.stack_trace'][-3:])}"
    return EventInvalid("check_failed", [Problem("", sentence)])
