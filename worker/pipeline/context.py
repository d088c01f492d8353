"""What claims are judged with: for as long as a process lives, and for one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple

import orjson

from rules.book.book import Book
from rules.engine.recent import Recent
from worker.audit.lines import AuditLine
from worker.intake.events import moment
from worker.pipeline.reporttexts import ReportTexts
from worker.store.keys import Keys

Interrupts = tuple[type[BaseException], ...]
"""Exceptions that end the task and are no fault of a claim, such as the soft time limit."""
_MOST_TEXTS = 4_096


@dataclass(frozen=True, slots=True)
class BatchContext:
    """What a worker judges all batches of a partition with."""

    book: Book
    keys: Keys
    secret: bytes
    """Key of the patient hashes."""
    limit: int
    """Largest event, in bytes."""
    interrupts: Interrupts = ()
    months: int = 36
    """For how long the ledger keeps what went to billing."""
    texts: Recent[ReportTexts] = field(default_factory=lambda: Recent(_MOST_TEXTS))
    """Reports as outlet and log show them, by what they say: claims that are alike share one."""


class Batch(NamedTuple):
    """What the decisions of one batch are made with."""

    context: BatchContext
    memory: dict[str, str]
    """What Redis holds under their keys, carried from one decision to the next."""
    moment: str
    """Time of their outlet entries."""
    line: bytes
    """What all their audit lines say, as JSON without its braces."""


def batch_of(size: int, memory: Mapping[str, str], context: BatchContext) -> Batch:
    """A batch of that many claims; `memory`: what Redis holds under their keys."""
    book = context.book
    line: AuditLine = {
        "batch.id": token_hex(8), "batch.size": size, "book.version": book.version, "book.digest": book.digest,
    }  # fmt: skip
    return Batch(context, dict(memory), moment(), orjson.dumps(line)[1:-1])
