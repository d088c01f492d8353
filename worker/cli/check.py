"""`scrub check`: claims in files against the book. No Redis, no worker, nothing kept."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.books import day_of
from worker.cli.sources import Files, Intake
from worker.cli.terminal import Format, flush, paint, say, say_bytes

if TYPE_CHECKING:
    from rules.book import Book
    from rules.report import Report
    from worker.intake.documents import Document

BookFolder = Annotated[
    Path | None, typer.Option("--book", metavar="DIR", help="Folder of the rule book; default: the one that ships.")
]


def check(
    files: Files,
    format: Annotated[Format, typer.Option(help="text for people; json: one report a line.")] = "text",
    book: BookFolder = None,
    received: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Stands in where a claim has no received date, as YYYY-MM-DD; default: today."
        ),
    ] = None,
) -> None:
    """Checks claims in files and explains what is wrong with them. Needs no Redis.

    Each finding names the line, what is wrong, how to fix it, who says so, and how the payer is expected to answer.
    block: the claim needs rework; warn: look at it; note: for the record. Documents that cannot be read are listed
    on standard error as `file:position: sentence`, and the others are checked all the same.

    Exit codes: 0 all claims go to billing, 1 some need rework or could not be checked, 2 something could not be read.

    Examples:

    * `scrub check claims.json`
    * `scrub check --received 2026-11-02 march.ndjson april.ndjson.gz`
    * `cat claims.ndjson | scrub check --format json - | jq .disposition`
    """
    from rules.check import check as judge
    from worker.settings import load_settings

    day = day_of(received) or datetime.now().astimezone().date()
    settings = load_settings()
    rules = read_book(book or settings.book, settings.tables_path)
    intake = Intake(files, settings.max_event_bytes)
    counts: Counter[str] = Counter()
    for document in intake.documents():
        event_day = document.event.day if document.event and not received else None
        report = judge(document.claim, rules, received=event_day or day)
        counts[report.disposition] += 1
        _show(report, document, rules, format)
    if format == "text":
        say(_summary(counts, intake.refused))
    flush()
    raise typer.Exit(2 if intake.refused else 1 if counts.total() > counts["billing"] else 0)


def read_book(folder: Path | None, imported: Path | None = None) -> Book:
    """The book of the folder, with the imported tables of another.

    Raises:
        BookMissing, BookInvalid
    """
    from rules.errors import BookMissing
    from rules.loader import load_book

    try:
        return load_book(folder, imported)
    except OSError:
        raise BookMissing(folder=folder) from None


def payer_name(report: Report, book: Book, given: str) -> str:
    """The payer as the book knows it, with its plan, or as the claim gives it."""
    payer = book.registry.payers.get(report.payer or "")
    if payer is None:
        return f"{given} (no rules for this payer)"
    plan = payer.plans.get(report.plan or "")
    return plan.name if plan else payer.name


def _show(report: Report, document: Document, book: Book, format: Format) -> None:
    if format == "json":
        import orjson

        say_bytes([orjson.dumps(report, default=str)])
        return
    from worker.cli.verdicts import verdict

    where = document.file
    if document.position:
        where += ":" + document.position.removeprefix("line ")
    given = document.claim.payer.name or f"payer {document.claim.payer.id}"
    lines = list(verdict(report, payer_name(report, book, given), where))
    say(*lines)
    if len(lines) > 1:
        say("")


def _summary(counts: Counter[str], refused: int) -> str:
    total = counts.total()
    parts = [f"{counts[name]} {name}" for name in ("billing", "rework", "unchecked") if counts[name]]
    text = f"{total} claim{'' if total == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")
    if refused:
        text += f"; {refused} could not be read"
    return paint(text, "bold green" if total and not refused and total == counts["billing"] else "bold")
