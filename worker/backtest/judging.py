"""Claims judged as of the day on which each was sent, patient by patient, with what had been sent for it before.

All of a patient's claims went to a payer: so each is in the ledger of the next, whatever the books would have said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import orjson

from rules.authoring.impact import charge_of
from rules.book.book import Book
from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.facts.history import months_after
from rules.history import NO_MEMBER_ID, NOTHING_BILLED, History
from rules.report import Report
from worker.backtest.spool import Waiting
from worker.cores import in_order
from worker.intake.plain import read_plain
from worker.outcomes.matching import AuditedDecision
from worker.outcomes.store import PackedDecision, packed_decision
from worker.pipeline.ledger import EMPTY, Ledger, LedgerEntry, entry_of, person_of

Said = tuple[int, bytes, str, PackedDecision]
"""Number of the claim, what the books say as JSON, its claim id, and the decision that answers are held to."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every process has from the start."""

    books: tuple[Book, ...]
    months: int
    """That the ledger remembers."""
    key: bytes
    """For the hashes of persons; of the input, so that the same input gives the same."""


def judge(chunk: Sequence[Waiting], job: Job) -> list[Said]:
    """What the books say of the claims; all of a patient are in one chunk, by day."""
    found = []
    for patient, group in groupby(chunk, key=lambda one: one.patient):
        together, ledgers = list(group), [EMPTY] * len(job.books)
        alone = NOTHING_BILLED if len(together) == 1 else None
        for one in together:
            claim = _claim(one.value)
            reports = []
            for place, book in enumerate(job.books):
                history = alone if patient else NO_MEMBER_ID
                if history is None:
                    entry = _entry(one, claim, book, job)
                    history, ledgers[place] = _in_order(ledgers[place], entry, one.day, job.months)
                reports.append(check(claim, book, received=one.day, history=history))
            said = _said(one, claim, reports)
            found.append((one.seq, orjson.dumps(said), one.claim_id, _decision(one.seq, said)))
    return found


def _claim(value: bytes) -> Claim:
    """From the JSON that reading made of it, which has no key twice and no number with a fraction."""
    data = orjson.loads(value)
    return read_plain(data, value) or read_claim(data)


def _entry(one: Waiting, claim: Claim, book: Book, job: Job) -> LedgerEntry:
    moment = int(datetime(one.day.year, one.day.month, one.day.day, tzinfo=UTC).timestamp() * 1_000)
    person = person_of(job.key, one.patient, claim)
    return entry_of(claim, f"{moment}-{one.seq}", one.digest, book.codes, person)


def _in_order(ledger: Ledger, entry: LedgerEntry, day: date, months: int) -> tuple[History, Ledger]:
    """What the claim meets, and what the next one will."""
    since = months_after(day, -months)
    return ledger.history(entry), ledger.after(entry, billed=True, version=entry.revision, since=since)


def _said(one: Waiting, claim: Claim, reports: Sequence[Report]) -> dict[str, Any]:
    lines = [(line.number, line.procedure or "", line.control_number or "") for line in claim.lines]
    site = claim.place_of_service or (claim.type_of_bill or "")[:3]
    return {
        "claim": one.claim_id, "day": one.day.isoformat(), "charge": str(charge_of(claim)),
        "payer": reports[0].payer or "other", "payer_id": claim.payer.id, "site": site, "lines": lines,
        "by": [(report.verdict, _found(report)) for report in reports],
    }  # fmt: skip


def _decision(seq: int, said: Mapping[str, Any]) -> PackedDecision:
    numbers = tuple(number for number, _, _ in said["lines"])
    moment = f"{said['day']} {seq:012}"
    return packed_decision(
        AuditedDecision(moment, said["payer"], numbers, frozenset(), Decimal(said["charge"]), str(seq))
    )


def _found(report: Report) -> list[tuple[str, str, int | None]]:
    """Each finding once: code (with `?` where it could not be determined), severity, line."""
    every = [(f.code + "?" * (f.outcome == "undetermined"), f.severity, f.line) for f in report.every
             if f.outcome != "bypassed"]  # fmt: skip
    return list(dict.fromkeys(every))


def judged(chunks: Iterable[Sequence[Waiting]], job: Job, cores: int) -> Iterator[list[Said]]:
    """The verdicts in the order of the chunks. The first is judged here: the plans that are made by it are shared."""
    return in_order(judge, chunks, job, cores, alone=1)
