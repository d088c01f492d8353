"""What `scrub check` makes of one claim, in whichever process: the verdict as it is said, and what is summed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.cli.common.held import HeldOne, held_one
from worker.cli.common.lookedat import LookedAtOne, looked_at
from worker.cli.common.sources import place
from worker.cli.common.suggested import told_ways, tried_of
from worker.cli.common.terminal import said, said_json
from worker.cli.common.verdicts import verdict

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.report import Disposition, Report
    from worker.intake.document import Document
    from worker.pipeline.checking import Checking
    from worker.pipeline.expected import ToldLine


class Judged(NamedTuple):
    """A claim that was judged. It goes from one process to another."""

    disposition: Disposition
    said: str | bytes | None
    """What is written of it; None: it is not shown."""
    looked: LookedAtOne | None = None
    """For the end of a text."""
    held: HeldOne | None = None
    whole: tuple[Document, Report] | None = None
    """Of a claim of an 837 that is to be split."""


class Answered(NamedTuple):
    """A claim to which a 277CA is an answer; one that is in no 837 has none."""

    place: str
    document: Document | None = None
    report: Report | None = None


class Judging(NamedTuple):
    """What is asked of every claim."""

    checking: Checking
    format: str
    only: str | None
    try_: bool
    whole: bool
    """Whether the claims of an 837 are split."""

    def of(self, document: Document) -> Judged:
        """The verdict, and what is said of it."""
        checking = self.checking
        report = checking.report(document)
        shown = self.only in (None, report.disposition)
        whole = (document, report) if self.whole and document.trace is not None else None
        if self.format != "text":
            text = said_json(self._json(document, report), str) if shown else None
            return Judged(report.disposition, text, whole=whole)
        lines = checking.expected(document, report)
        looked, held = looked_at(report, document.claim), held_one(report, document, lines)
        return Judged(report.disposition, self._text(document, report, lines) if shown else None, looked, held, whole)

    def answered(self, document: Document) -> Answered:
        """The verdict, for an answer to the sender."""
        from rules.engine.check import check

        if document.trace is None:
            return Answered(f"{document.file}:{document.position}")
        return Answered("", document, check(document.claim, self.checking.book, received=self.checking.day))

    def _json(self, document: Document, report: Report) -> dict[str, object]:
        checking = self.checking
        day = checking.day_of(document)
        tried = tried_of(report, document.claim, checking.book, day) if self.try_ else {}
        return checking.told(document, report, checking.expected(document, report)) | tried

    def _text(self, document: Document, report: Report, lines: list[ToldLine]) -> str:
        book, claim = self.checking.book, document.claim
        given = claim.payer.name or f"payer {claim.payer.id}"
        appeal = book.registry.appeal(book.registry.select(claim.payer))
        found = [*verdict(report, payer_name(report, book, given), place(document), appeal, claim, lines)]
        if report.verdict == "rework":
            found += told_ways(report, claim, book, self.checking.day_of(document), self.try_)
        return said(*found, *([""] if report.findings else []))


def payer_name(report: Report, book: Book, given: str) -> str:
    """The payer as the book knows it, with its plan, or as the claim gives it."""
    payer = book.registry.payers.get(report.payer or "")
    if payer is None:
        return f"{given} (no rules for this payer)"
    plan = payer.plans.get(report.plan or "")
    name = plan.name if plan else payer.name
    return name if report.coverage != "common_only" else f"{name} (no rules of its own)"
