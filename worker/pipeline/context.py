"""What claims are judged with: for as long as a process lives, and for one batch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from secrets import token_hex
from typing import NamedTuple

import orjson

from rules.book.book import Book
from rules.engine.recent import Recent
from rules.payment.claims import NOTHING_OF_OURS, Ours
from worker.audit.lines import AuditLine
from worker.intake.events import moment
from worker.pipeline.patients import Patients
from worker.pipeline.reporttexts import ReportTexts
from worker.store.keyring import Ring, Rings
from worker.store.keys import Keys

Interrupts = tuple[type[BaseException], ...]
"""Exceptions that end the task and are no fault of a claim, such as the soft time limit."""
_MOST_TEXTS = 4_096
_MS_OF_DAY = 86_400_000
_HELD_MS = 400 * _MS_OF_DAY
"""Medicare takes a claim for one calendar year after the service, and no payer of the book for longer."""


@dataclass(frozen=True, slots=True)
class BatchContext:
    """What a worker judges all batches of a partition with."""

    book: Book
    keys: Keys
    rings: Rings
    """Of the patient hashes, and of what is compared."""
    limit: int
    """Largest event, in bytes."""
    interrupts: Interrupts = ()
    months: int = 36
    """For how long the ledger keeps what went to billing."""
    memory_ms: int = 35 * _MS_OF_DAY
    """For how long events, and fronts of cases that are not held, are remembered."""
    ours: Ours = NOTHING_OF_OURS
    """What the hospital says of itself, for expected payments."""
    texts: Recent[ReportTexts] = field(default_factory=lambda: Recent(_MOST_TEXTS))
    """Reports as outlet and log show them, by what they say: claims that are alike share one."""

    @property
    def held_ms(self) -> int:
        """For how long the front of a held claim is remembered: no payer takes a claim that is older."""
        return max(_HELD_MS, self.memory_ms)

    @property
    def patients(self) -> Patients:
        """Names patients by the key in force."""
        return _patients(self.rings.patient, self.months, int(time.time() // 86_400))


class Batch(NamedTuple):
    """What the decisions of one batch are made with."""

    context: BatchContext
    memory: dict[str, str]
    """What Redis holds under their keys, carried from one decision to the next."""
    moment: str
    """Time of their outlet entries."""
    line: bytes
    """What all their audit lines say, as JSON without its braces."""


@lru_cache(maxsize=16)
def _patients(ring: Ring, months: int, _day: int) -> Patients:
    """Of each day anew."""
    return Patients(ring, months)


def batch_of(size: int, memory: Mapping[str, str], context: BatchContext) -> Batch:
    """A batch of that many claims; `memory`: what Redis holds under their keys."""
    book = context.book
    line: AuditLine = {
        "batch.id": token_hex(8), "batch.size": size, "book.version": book.version, "book.digest": book.digest,
    }  # fmt: skip
    return Batch(context, dict(memory), moment(), orjson.dumps(line)[1:-1])
