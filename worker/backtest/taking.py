"""What a backtest takes of a claim or of a remittance, in plain values that go from one process to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import NamedTuple

import orjson

from rules.case import last_dates_of
from rules.claim import Claim
from worker.backtest.sending import Manifest, Sending, sent
from worker.intake.document import Document
from worker.intake.events import digest
from worker.intake.x12.remittance import Payment
from worker.outcomes.store import Packed, packed_payment
from worker.outcomes.tally import STRANGE, UNBALANCED
from worker.pipeline.ledger import patient_of

UNDATED = "without a day on which they were sent"
UNSERVED = "without a date of service"
NOBODY = "without a member id, so that nothing sent before was looked at"


class TakenClaim(NamedTuple):
    """A claim as it is kept."""

    file: str
    position: str
    number: int
    """Of the file."""
    refused: str
    """Why it is not kept; empty: it is, and then the following stand."""
    notes: tuple[str, ...] = ()
    patient: str = ""
    day: str = ""
    """On which it was sent, ISO 8601."""
    made: str = ""
    """The transaction set whose header says the day; empty: something better does."""
    claim_id: str = ""
    digest: str = ""
    value: bytes = b""
    """JSON."""
    served: str = ""
    """The last day of service, ISO 8601; empty: none."""
    same: bytes = b""
    """By which one that is there twice is told."""
    replaces: str = ""
    """The payer's number of the claim that it replaces or voids."""


class TakenPayment(NamedTuple):
    """A claim of a remittance as it is kept."""

    file: str
    position: str
    notes: tuple[str, ...]
    day: str
    """ISO 8601; empty: none."""
    control: str
    packed: Packed


@dataclass(frozen=True, slots=True)
class Taking:
    """How files are read."""

    manifest: Manifest
    received: date | None
    key: bytes
    """For the hashes of persons; of the input, so that the same input gives the same."""

    def claim(self, document: Document, file: int) -> TakenClaim:
        """A claim of the file of that number."""
        claim = document.claim
        day = sent(document, self.manifest, self.received)
        if day is None:
            return TakenClaim(document.file, document.position, file, UNDATED)
        value = document.value["data"] if document.event else document.value
        fingerprint = digest(value)
        if claim.received_date:
            value = {**value, "received_date": day.day.isoformat()}
        served = max(last_dates_of(claim, claim.lines), default=claim.statement_through_date)
        known = claim.subscriber and claim.subscriber.member_id
        notes = (UNSERVED,) * (served is None) + (NOBODY,) * (not known)
        replaces = claim.original_reference_number if claim.frequency_code in ("7", "8") else None
        return TakenClaim(
            document.file, document.position, file, "", notes, patient_key(self.key, claim), day.day.isoformat(),
            _made(document, file, day), claim.claim_id, fingerprint, orjson.dumps(value, default=str),
            served.isoformat() if served else "", _same(document, fingerprint, day), replaces or "",
        )  # fmt: skip


def patient_key(key: bytes, claim: Claim) -> str:
    """By which claims are of one patient; empty: the claim does not say whose it is."""
    return patient_of(key, claim.payer.id, claim.subscriber.member_id if claim.subscriber else None) or ""


def payment(found: Payment) -> TakenPayment:
    """A claim of a remittance."""
    day = found.day.isoformat() if found.day else ""
    return TakenPayment(found.file, found.position, tuple(_odd(found)), day, found.control or "", packed_payment(found))


def _odd(found: Payment) -> Iterator[str]:
    if not found.balances:
        yield UNBALANCED
    if found.strange:
        yield STRANGE


def _made(document: Document, file: int, day: Sending) -> str:
    return f"{file} {document.origin.rpartition('/')[0]}" if day.of_header else ""


def _same(document: Document, fingerprint: str, day: Sending) -> bytes:
    """By which one claim that is there twice is told from one that was sent twice: the control numbers around it, or
    where there are none, its content and day."""
    place = "/".join(part.partition(".")[0] for part in document.origin.split("/")) if document.trace else ""
    parties = f"{document.trace.get('sender', '')} {document.trace.get('receiver', '')}" if document.trace else ""
    text = f"{document.claim.claim_id}\0{fingerprint}\0{day.day}\0{place}\0{parties}"
    return sha256(text.encode()).digest()[:16]
