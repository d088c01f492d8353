"""`scrub rules impact`: what a new book would change for claims of the past."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.books import BookFolder
from worker.cli.common.sources import FORMATS, refusal_lines
from worker.cli.common.terminal import complain, on_terminal, say
from worker.store.outletspecs import JUDGED, listed

if TYPE_CHECKING:
    from rules.book.book import Book
    from worker.config.settings import Settings
    from worker.rejudging.impact import ImpactJob, InputPart, PartResult, Shadow


def impact(
    files: Annotated[list[str] | None, typer.Argument(metavar="[CLAIMS]...", help=f"{FORMATS}; `-` is input.")] = None,
    book: BookFolder = None,
    old: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|REV",
            help="Compare with this folder, packed book or git revision; default: that of SCRUB_BOOK, "
            "or the shipped one.",
        ),
    ] = None,
    old_overrides: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Overrides over the old book, or `none`; default: those of SCRUB_OVERRIDES, as over the new one.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help=f"Claims that went to {listed(JUDGED, 'and')} since then (UTC)."),
    ] = None,
    from_log: Annotated[
        list[Path] | None,
        typer.Option(metavar="AUDIT...", help="What drafts in shadow found, by these audit files; takes no claims."),
    ] = None,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Judge the new book's drafts as if they were active.")
    ] = False,
    examples: Annotated[int, typer.Option(metavar="N", min=0, help="Claim ids to show of each kind.")] = 5,
    cores: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes; default: one a core.")] = None,
    received: Annotated[
        str | None, typer.Option(metavar="DATE", help="Used where the day of receipt is missing; default: today.")
    ] = None,
    format: Annotated[
        Literal["text", "json", "html"], typer.Option(help="text for people; json: one object; html: one page.")
    ] = "text",
) -> None:
    """Shows what a new book would change, before it is put in force: which claims would move, by rule and payer.

    Both books judge every claim without a ledger (offline), so rules on duplicates and frequency run on neither side.
    Imported tables are in force for both, and so is the file of SCRUB_OVERRIDES unless `--old-overrides` says what held
    before. Of what went to the outlets (--since) a claim counts once, by its newest version; in files each claim counts
    that is there. Nothing is written, published or taken from an outlet.

    Exit codes: 0 no claim would move between outlets, 1 some would, 2 something could not be read.

    Examples:

    * `scrub rules impact --book ./my-book october.ndjson.gz`
    * `scrub rules impact --book ./my-book --since 2026-11-01 --format html > impact.html`
    * `scrub rules impact --old HEAD~3 claims/*.837`
    * `SCRUB_OVERRIDES=new.yaml scrub rules impact --old-overrides none october.ndjson.gz`
    * `scrub rules impact --from-log ~/.local/state/claim-scrubber/audit/*.jsonl`
    """
    from worker.config.settings import load_settings

    if from_log:  # a shell's *.jsonl leaves all files but the first as arguments
        _from_log([*from_log, *map(Path, files or [])], _day(since), examples, format)
    if bool(files) + bool(since) != 1:
        raise typer.BadParameter("expected CLAIMS..., or --since DATE, or --from-log AUDIT...")
    if not book and not old and not drafts and not old_overrides:
        raise typer.BadParameter(
            "expected --book NEW, --old OLD, --old-overrides FILE or --drafts; else both books are the same"
        )
    settings = load_settings()
    job = _job((old, old_overrides), book, drafts, examples, _day(received), settings)
    _judge(files or [], _day(since), job, cores, settings, format)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; expected YYYY-MM-DD") from None


def _job(
    before: tuple[str | None, Path | None], new: Path | None, drafts: bool, most: int, day: date | None,
    settings: Settings,
) -> ImpactJob:  # fmt: skip
    """`before`: the old book and the old overrides, as they are given."""
    from rules.authoring.impact import Comparison
    from worker.books.overrides import read_text, with_overrides, with_text
    from worker.cli.common.books import read_book
    from worker.rejudging.impact import ImpactJob

    tables, keys, (old, given) = settings.tables_path, settings.trusted, before
    old_book = _old(old, settings) if old else read_book(settings.book, tables, keys=keys)
    new_book = with_overrides(read_book(new or settings.book, tables, keys=keys), settings)
    if given is None:
        before_book = with_overrides(old_book, settings)
    else:
        before_book = with_text(old_book, None if str(given) == "none" else read_text(given), str(given))
    comparison = Comparison(before_book, new_book, drafts=drafts)
    return ImpactJob(comparison, day or datetime.now().astimezone().date(), settings.max_event_bytes, most)


def _old(name: str, settings: Settings) -> Book:
    from rules.loader import edition_files, read_book
    from worker.books.trust import book_files
    from worker.cli.common.revisions import files_of

    place = Path(name)
    library = book_files(place, None, settings.trusted).library if place.exists() else files_of(name, settings.book)
    return read_book(library, edition_files(settings.tables_path), rows=settings.tables_path)


def _judge(
    files: list[str], since: date | None, job: ImpactJob, cores: int | None, settings: Settings, format: str
) -> None:
    from rules.authoring.impact import ImpactTally
    from worker.cli.common.manycores import used
    from worker.cli.impact_views import Result, html, json, text
    from worker.cores import in_order
    from worker.rejudging.impact import examine

    tally, began, sizes = ImpactTally(job.most), time.monotonic(), [_size(file) for file in files]
    reading = _Reading(files)
    processes = used(cores)
    outcomes = in_order(examine, reading.parts(since, settings), job, processes)
    with closing(outcomes), _progress(sum(sizes) if all(sizes) else None) as shown:
        for outcome in shown(outcomes):
            reading.add(outcome)
            tally.merge(outcome.tally)
    result = Result(
        job.comparison.old,
        job.comparison.new,
        tally,
        reading.refused,
        reading.passed,
        time.monotonic() - began,
        processes,
    )
    say(*{"json": json, "html": html, "text": text}[format](result))
    raise typer.Exit(2 if reading.refused else 1 if tally.routes else 0)


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError:
        return 0


class _Reading:
    """The input, and what of it could not be read."""

    def __init__(self, files: list[str]) -> None:
        self._files = files
        self.refused = 0
        self.passed = 0

    def parts(self, since: date | None, settings: Settings) -> Iterator[InputPart]:
        from worker.rejudging.impact import file_parts, outlet_parts

        if since:
            from worker.cli.common.stores import opened

            with opened(settings) as store:
                yield from outlet_parts(store.redis, store.keys, since)
        for file in self._files:
            try:
                yield from file_parts(file, sys.stdin.buffer.read)
            except (OSError, ValueError) as error:
                self.refused += 1
                complain(f"{file}: {getattr(error, 'strerror', None) or error}")

    def add(self, outcome: PartResult) -> None:
        self.passed += outcome.passed
        for refusal in outcome.refusals:
            self.refused += 1
            for line in refusal_lines(refusal):
                complain(line)


Shown = Callable[[Iterator["PartResult"]], Iterator["PartResult"]]


@contextmanager
def _progress(size: int | None) -> Iterator[Shown]:
    """A bar over the bytes of the files, with claims and claims/s, on standard error where that is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda outcomes: outcomes
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from worker.cli.common.terminal import console

    numbers = TextColumn("{task.fields[claims]:,} claims, {task.fields[speed]:,.0f}/s")
    with Progress(
        BarColumn(),
        TaskProgressColumn(),
        numbers,
        TimeElapsedColumn(),
        console=console(stderr=True),
        transient=True,
        auto_refresh=False,
    ) as bar:  # without a thread of its own: processes are made by forks
        task, began = bar.add_task("", total=size, claims=0, speed=0.0), time.monotonic()

        def shown(outcomes: Iterator[PartResult]) -> Iterator[PartResult]:
            claims = 0
            for outcome in outcomes:
                claims += outcome.tally.claims
                speed = claims / max(0.001, time.monotonic() - began)
                bar.update(task, advance=outcome.size, claims=claims, speed=speed)
                bar.refresh()
                yield outcome

        yield shown


def _from_log(files: list[Path], since: date | None, most: int, format: str) -> None:
    from worker.cli.impact_views import shadow_html, shadow_json, shadow_text
    from worker.rejudging.impact import from_log

    try:
        shadow: Shadow = from_log(files, since, most)
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}")
        raise typer.Exit(2) from None
    say(*{"json": shadow_json, "html": shadow_html, "text": shadow_text}[format](shadow))
    raise typer.Exit(1 if shadow.moves else 0)
