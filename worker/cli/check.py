"""`scrub check`: claims in files against the book. No Redis, no worker, nothing kept."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from rules.terms import GapRoute
from worker.cli.common.books import BookFolder, day_of, read_book
from worker.cli.common.manycores import Cores, side_by_side
from worker.cli.common.sources import Files, Intake
from worker.cli.common.terminal import complain, flush, paint, put, say, writer
from worker.store.outletspecs import JUDGED

if TYPE_CHECKING:
    from rules.book.book import Book
    from worker.cli.common.held import Held
    from worker.cli.common.lookedat import LookedAt
    from worker.cli.split import Splits


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
    cores: Cores = None,
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
    from worker.cli.common.judged import Judging
    from worker.cli.overrides import warn
    from worker.config.settings import load_settings
    from worker.pipeline.checking import Checking
    from worker.tables.contracts import ours_of

    day = day_of(received) or datetime.now().astimezone().date()
    settings = load_settings()
    rules = with_overrides(read_book(book or settings.book, settings.tables_path, keys=settings.trusted), settings)
    warn(rules.overrides.entries)
    intake = Intake(files, settings.max_event_bytes, codes=rules.codes)
    answers = format in ("x12", "x12-277ca")
    if answers and (only or split or try_):
        raise typer.BadParameter(
            "--only, --split and --try go with text and json: an answer has every claim, and is among what --split "
            "writes",
            param_hint="--format",
        )
    checking = Checking(rules, ours_of(settings, rules.registry), day, bool(received))
    judging = Judging(checking, format, only, try_, whole=split is not None)
    with side_by_side(intake, judging.answered if answers else judging.of, cores):
        if answers:
            _acknowledge(intake, whole=format == "x12")
        else:
            _judge(intake, format, _splits(split, intake, rules))


def _judge(intake: Intake, format: str, splits: Splits | None) -> NoReturn:
    """Says what was found of every claim, then of all together."""
    from worker.cli.common.held import Held
    from worker.cli.common.lookedat import LookedAt

    counts: Counter[str] = Counter()
    looked, held = LookedAt(), Held()
    for one in splits.judged() if splits else intake.judged():
        counts[one.disposition] += 1
        if splits and one.whole:
            splits.decide(*one.whole)
        if one.said is not None:
            put(one.said)
        if one.looked:
            looked.add(one.looked)
            held.add(one.held)
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


def _acknowledge(intake: Intake, *, whole: bool) -> NoReturn:
    """Writes the answers to the files; a claim that did not come in an 837 cannot be answered and is refused.

    `whole`: also what is rejected before its claims are, which then have no answer of their own.
    """
    from worker.intake.document import Refusal
    from worker.intake.x12.acknowledgment import Acknowledgment
    from worker.intake.x12.answers import Answers

    now = datetime.now().astimezone()
    counts: Counter[str] = Counter()
    with writer() as out:
        answers = Answers(out, now) if whole else None
        answer = answers or Acknowledgment(out, now)
        intake.ended = answers.ended if answers else None
        for found in intake.found():
            if isinstance(found, Refusal):
                if found.number and found.trace is not None:
                    answer.refuse(found)
            elif found.report is None:
                intake.refused += 1
                complain(f"{found.place}: this claim did not come in an 837; a 277CA answers 837 files")
            else:
                counts[found.report.disposition] += 1
                answer.accept(found.document, found.report)
        answer.close()
    raise typer.Exit(_exit_code(counts, intake.refused))


def _summary(counts: Counter[str], intake: Intake) -> str:
    total, refused = counts.total(), intake.refused
    passed = intake.passed_by()
    if not total:
        return paint(_nothing(refused) + (f" {passed[0].upper()}{passed[1:]}." if passed else ""), "bold")
    parts = [f"{counts[name]} {name}" for name in JUDGED if counts[name]]
    text = f"{total} claim{'' if total == 1 else 's'}: {', '.join(parts)}"
    if refused:
        text += f"; {refused} could not be read"
    if passed:
        text += f"; {passed}"
    return paint(text, "bold green" if not refused and total == counts["billing"] else "bold")


def _nothing(refused: int) -> str:
    """What is said where there was no claim to check."""
    if not refused:
        return "Nothing was checked: there is no claim."
    unread = f"{refused} could not be read, and there is no other claim"
    return f"Nothing was checked: {unread}. Each is named with what is wrong."
