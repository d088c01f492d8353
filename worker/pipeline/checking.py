"""A claim judged on the spot, without queue and ledger: what `scrub check` and `POST /check` say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any, NamedTuple

from rules.book.book import Book
from rules.engine.check import check
from rules.engine.suggesting import Suggestion, suggestions_of
from rules.payment.claims import Ours, expected_of
from rules.report import Report
from worker.intake.document import Document
from worker.pipeline.expected import ToldLine, told_lines


class Checking(NamedTuple):
    """What claims are judged with."""

    book: Book
    """With the overrides."""
    ours: Ours
    """What the hospital says of itself, for expected payments."""
    day: date
    """Received date of a claim that has none."""
    given: bool = False
    """Whether somebody named that day: then it goes before that of an event."""

    def day_of(self, document: Document) -> date:
        """Received date of a claim that names none."""
        event_day = document.event.day if document.event and not self.given else None
        return event_day or self.day

    def report(self, document: Document) -> Report:
        """The verdict."""
        return check(document.claim, self.book, received=self.day_of(document))

    def expected(self, document: Document, report: Report) -> list[ToldLine]:
        """Of a held claim, what its lines are expected to bring."""
        if report.verdict != "rework":
            return []
        claim, book = document.claim, self.book
        return told_lines(expected_of(claim, book.registry.select(claim.payer), book.tables, book.codes, self.ours))

    def suggested(self, document: Document, report: Report) -> tuple[Suggestion, ...]:
        """Of a held claim, what is suggested."""
        if report.verdict != "rework":
            return ()
        return tuple(suggestions_of(document.claim, report, self.book, received=self.day_of(document)))

    def told(self, document: Document, report: Report, expected: Sequence[ToldLine]) -> dict[str, Any]:
        """A verdict as JSON has it. What is expected and what is suggested stand beside the report: that is the same
        whatever is known of prices."""
        shown: dict[str, Any] = {one.name: getattr(report, one.name) for one in fields(report)}
        ways = [one.data() for one in self.suggested(document, report)]
        beside = {"expected": expected, "suggestions": ways}
        return shown | {name: value for name, value in beside.items() if value}
