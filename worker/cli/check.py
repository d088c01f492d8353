"""`scrub check`: claims in files against the book. No Redis, no worker, nothing kept."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rules.terms import GapRoute
from worker.cli.common.books import BookFolder, day_of, read_book
from worker.cli.common.sources import Files, Intake, place
from worker.cli.common.terminal import complain, flush, paint, say, say_json, writer
from worker.store.outletspecs import JUDGED

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.report import Report
    from worker.cli.common.held import Held
    from worker.cli.common.lookedat import LookedAt
    from worker.cli.split import Splits
    from worker.intake.document import Document
    from worker.pipeline.expected import ToldLine


def check(
    files: Files,
    format: Annotated[
        Literal["text", "json", "x12", "x12-277ca"],
        typer.Option(
            help="text for people; json: one report a line; x12: the answers to an 837 (TA1, 999, 277CA); x12-277ca: "
            "of them the 277CA alone, for every claim.",
        ),
    ] = "text",
    book: BookFolder = None,
    received: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Used where a claim has no received date, as YYYY-MM-DD; default: today."),
    ] = None,
    only: Annotated[
        GapRoute | None,
        typer.Option(help="Shows the claims of this disposition alone; all are checked and counted."),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Writes what each 837 would be split into: a file of clean claims, one of held ones, ..., the answer "
            "to the sender, the reports, and a manifest. Trial files, for nothing but to look at.",
            file_okay=False,
        ),
    ] = None,
    try_: Annotated[
        bool, typer.Option("--try", help="Judges each held claim with the first suggestion of each finding as well.")
    ] = False,
) -> None:
    """Checks claims in files and explains what is wrong with them. Needs no Redis.

    Each finding names the line, what is wrong, how to fix it, its source, and how the payer is expected to answer.
    block: the claim needs rework; warn: look at it; note: for the record. What was not looked at is a line a claim,
    and at the end what to do about it. Documents that cannot be read are listed
    on standard error as `file:position: sentence`, and the others are checked all the same. The end of the text says
    how much money is held, what holds most claims, and where to start.

    What is suggested is for a person: it is confirmed against the record and made in the billing system. --try says
    what would still be wrong with it; nothing is changed.

    --split leaves the bytes of each claim as they are and renumbers what is around them; NAME.837 gives
    NAME.trial.clean.837 and so on in DIR, marked as test (ISA15), and nothing is written over. Every claim is in one
    file, or in the manifest as refused or repeated.

    Exit codes: 0 all claims go to billing, 1 some need rework or could not be checked, 2 something could not be read
    or split.

    Examples:

    * `scrub check claims.json`
    * `scrub check --received 2026-11-02 march.ndjson april.ndjson.gz`
    * `cat claims.ndjson | scrub check --format json - | jq .disposition`
    * `scrub check --only rework march.837`
    * `scrub check --format x12 march.837 > march.answers`
    * `scrub check --split trial march.837`
    """
    from worker.books.overrides import with_overrides
    from worker.cli.common.held import Held
    from worker.cli.common.lookedat import LookedAt
    from worker.cli.common.suggested import tried_of
    from worker.cli.overrides import warn
    from worker.config.settings import load_settings
    from worker.pipeline.checking import Checking
    from worker.tables.contracts import ours_of

    day = day_of(received) or datetime.now().astimezone().date()
    settings = load_settings()
    rules = with_overrides(read_book(book or settings.book, settings.tables_path, keys=settings.trusted), settings)
    warn(rules.overrides.entries)
    intake = Intake(files, settings.max_event_bytes, codes=rules.codes)
    counts: Counter[str] = Counter()
    looked, held = LookedAt(), Held()
    checking = Checking(rules, ours_of(settings, rules.registry), day, bool(received))
    if format in ("x12", "x12-277ca"):
        if only or split or try_:
            raise typer.BadParameter(
                "--only, --split and --try go with text and json: an answer has every claim, and is among what --split "
                "writes",
                param_hint="--format",
            )
        _acknowledge(intake, rules, day, counts, whole=format == "x12")
        raise typer.Exit(_exit_code(counts, intake.refused))
    splits = _splits(split, intake, rules)
    for document in splits.documents() if splits else intake.documents():
        report, judged_on = checking.report(document), checking.day_of(document)
        counts[report.disposition] += 1
        if splits:
            splits.decide(document, report)
        shown = only in (None, report.disposition)
        lines = checking.expected(document, report) if format == "text" or shown else []
        if format == "text":
            looked.add(report, document.claim)
            held.add(report, document, lines)
            if shown:
                _show(report, document, rules, lines, received=judged_on, try_=try_)
        elif shown:
            tried = tried_of(report, document.claim, rules, judged_on) if try_ else {}
            say_json(checking.told(document, report, lines) | tried, default=str)
    _end(format, counts, intake, looked, held, splits)
    raise typer.Exit(_exit_code(counts, intake.refused + (splits.unsplit if splits else 0)))


def _splits(folder: Path | None, intake: Intake, rules: Book) -> Splits | None:
    if folder is None:
        return None
    from worker.cli.split import Splits  # a check alone starts without it

    return Splits(folder, intake, rules)


def _end(
    format: str, counts: Counter[str], intake: Intake, looked: LookedAt, held: Held, splits: Splits | None
) -> None:
    """What is said of all claims together."""
    written = list(splits.lines()) if splits else []
    if format == "text":
        say(*looked.summary(), *held.summary(), *written, _summary(counts, intake))
    else:
        for line in written:
            complain(line)
        if passed := intake.passed_by():
            complain(passed)
    flush()


def _exit_code(counts: Counter[str], refused: int) -> int:
    return 2 if refused else 1 if counts.total() > counts["billing"] else 0


def _acknowledge(intake: Intake, rules: Book, day: date, counts: Counter[str], *, whole: bool) -> None:
    """Writes the answers to the files; a claim that did not come in an 837 cannot be answered and is refused.

    `whole`: also what is rejected before its claims are, which then have no answer of their own.
    """
    from rules.engine.check import check as judge
    from worker.intake.document import Document
    from worker.intake.x12.acknowledgment import Acknowledgment
    from worker.intake.x12.answers import Answers

    now = datetime.now().astimezone()
    with writer() as out:
        answers = Answers(out, now) if whole else None
        answer = answers or Acknowledgment(out, now)
        intake.ended = answers.ended if answers else None
        for found in intake.found():
            if not isinstance(found, Document):
                if found.number and found.trace is not None:
                    answer.refuse(found)
            elif found.trace is None:
                intake.refused += 1
                complain(f"{found.file}:{found.position}: this claim did not come in an 837; a 277CA answers 837 files")
            else:
                report = judge(found.claim, rules, received=day)
                counts[report.disposition] += 1
                answer.accept(found, report)
        answer.close()


def payer_name(report: Report, book: Book, given: str) -> str:
    """The payer as the book knows it, with its plan, or as the claim gives it."""
    payer = book.registry.payers.get(report.payer or "")
    if payer is None:
        return f"{given} (no rules for this payer)"
    plan = payer.plans.get(report.plan or "")
    name = plan.name if plan else payer.name
    return name if report.coverage != "common_only" else f"{name} (no rules of its own)"


def _show(
    report: Report, document: Document, book: Book, expected: list[ToldLine], *, received: date, try_: bool
) -> None:
    from worker.cli.common.suggested import told_ways
    from worker.cli.common.verdicts import verdict

    given = document.claim.payer.name or f"payer {document.claim.payer.id}"
    appeal = book.registry.appeal(book.registry.select(document.claim.payer))
    say(*verdict(report, payer_name(report, book, given), place(document), appeal, document.claim, expected))
    if report.verdict == "rework":
        say(*told_ways(report, document.claim, book, received, try_))
    if report.findings:
        say("")


def _summary(counts: Counter[str], intake: Intake) -> str:
    total, refused = counts.total(), intake.refused
    parts = [f"{counts[name]} {name}" for name in JUDGED if counts[name]]
    text = f"{total} claim{'' if total == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")
    if refused:
        text += f"; {refused} could not be read"
    if passed := intake.passed_by():
        text += f"; {passed}"
    return paint(text, "bold green" if total and not refused and total == counts["billing"] else "bold")
