"""`scrub backtest`: what the rules would have been worth on claims of the past, by what the payers answered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.books import day_of
from worker.cli.common.sources import FORMATS, open_source, reason_of, show
from worker.cli.common.terminal import console, on_terminal, plain, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.book.book import Book
    from worker.backtest.backtest import Backtest
    from worker.config.settings import Settings


def backtest(
    claims: Annotated[list[str], typer.Argument(metavar="CLAIMS...", help=f"Claims as they were sent: {FORMATS}.")],
    answers: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE...", help="Remittances, X12 835, plain or gzip, told by content."),
    ] = None,
    book: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Rule book, or a packed one; twice: two books side by side. Default: SCRUB_BOOK, or the shipped one.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Overrides over the book, or `none`; once for every book, or twice. Default: SCRUB_OVERRIDES.",
        ),
    ] = None,
    received: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="The day on which all were sent, for claims that do not say it themselves, as YYYY-MM-DD.",
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Days of sending: columns `sent` (YYYY-MM-DD), and `file` or `claim_id`; goes before all else.",
        ),
    ] = None,
    written: Annotated[
        str | None, typer.Option(metavar="DATE", help="When the book was written; default: the month of its version.")
    ] = None,
    least: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="Counts below it are not shown, nor what would give them away; 1: all are, for your own eyes.",
        ),
    ] = 11,
    cores: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes; default: one a core.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
    ] = None,
    format: Annotated[
        Literal["text", "json", "csv", "html"],
        typer.Option(help="text for people; json: one object; csv: one row a rule and split; html: one page."),
    ] = "text",
) -> None:
    """Shows what the rules would have been worth: which denials they would have stopped, what they would have held for
    nothing, and what that is in the payers' money.

    Each claim is judged offline as of the day on which it was sent: that of the manifest, else the claim's own received
    date, else --received, else BHT04 of its 837 or the time of its CloudEvent. What was sent before for the same
    patient is looked at, as the worker's ledger has it. Remittances are matched as `scrub outcomes import` matches
    them. A claim counts once: by the first of its versions that a payer answered.

    fired and denied, fired and paid, silent and denied, silent and paid: by rule, payer, month and CARC. Shares have
    the 95 % interval that so few claims leave open (Wilson). Denied money is an estimate, by what the payer allowed for
    the same code at the same site. Whether the book was written before or after the data is said beside it. Counts
    below 11 are not shown, nor any from which one could be worked out. No claim and no person is named; the same files,
    book and overrides give the same bytes.

    Claims that were read = matched + without an answer + refused: could not be read; there twice; without a day on
    which they were sent. Claims on remittances have one fate each. Files of which nothing matches are named.

    Exit codes: 0 everything was read, 2 a file or a document could not be read.

    Examples:

    * `scrub backtest 2025/*.837 --answers 2025/*.835`
    * `scrub backtest claims.ndjson.gz --answers era.835 --format html -o result.html`
    * `scrub backtest *.837 --answers *.835 --book ./mine --book ./candidate --format json`
    * `scrub backtest *.837 --answers *.835 --overrides none --overrides ours.yaml`
    """
    from worker.backtest.reading import Reading
    from worker.cli.backtest_views import rendered
    from worker.config.settings import load_settings
    from worker.cores import available

    settings = load_settings()
    claims, remittances = _told_apart(claims, answers or [])
    processes = min(cores or available(), available())
    reading = Reading(settings.max_event_bytes, open_source, show, processes)
    with (
        _opened(
            settings, book or [], overrides or [], manifest, day_of(received), day_of(written), least, processes
        ) as one,
        _progress(claims, remittances) as told,
    ):
        reading.run(one, claims, remittances, manifest, told)
        result = one.run()
    _write(rendered(result, format), output)
    raise typer.Exit(2 if reading.refused else 0)


def _told_apart(claims: Sequence[str], answers: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files of claims and those of remittances: a shell's `--answers *.835` leaves all but the first as claims."""
    from worker.intake.x12.remittance import is_remittance

    remittances, others = list(answers), list[str]()
    for file in claims:
        try:
            answer = file != "-" and is_remittance(Path(file))
        except (OSError, ValueError):
            answer = False  # reading it reports that
        (remittances if answer else others).append(file)
    if not others or not remittances:
        raise typer.BadParameter("expected files of claims, and with --answers X12 835 remittances that answer them")
    return others, remittances


@contextmanager
def _opened(
    settings: Settings, books: Sequence[Path], overrides: Sequence[str], manifest: Path | None, received: date | None,
    written: date | None, least: int, cores: int,
) -> Iterator[Backtest]:  # fmt: skip
    from worker.audit.log import service_version
    from worker.backtest.backtest import Options, opened
    from worker.backtest.sending import Manifest, read_manifest

    candidates = _candidates(settings, books, overrides)
    days = Manifest()
    if manifest:
        try:
            days = read_manifest(plain(str(manifest)), manifest.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{manifest}: {reason_of(error)}", param_hint="--manifest") from None
    options = Options(candidates, settings.history_months, days, received, written, least, cores, service_version())
    with opened(options) as found:
        yield found


def _candidates(
    settings: Settings, books: Sequence[Path], overrides: Sequence[str]
) -> Callable[[date], list[tuple[Book, str]]]:
    """The books, read now, with their overrides on them, which are applied as of a day."""
    from worker.books.overrides import digest_of_text, read_text, text_of, with_text
    from worker.cli.common.books import read_book

    if len(books) > 2 or len(overrides) > 2:
        raise typer.BadParameter("expected at most two books and at most two files of overrides")
    folders: list[Path | None] = list(books) or [settings.book]
    texts: list[tuple[str | None, str]] = [
        (None, "none") if one == "none" else (read_text(Path(one)), one) for one in overrides
    ] or [(text_of(settings, settings.overrides), str(settings.overrides))]
    folders, texts = folders * max(1, len(texts) // len(folders)), texts * max(1, len(folders) // len(texts))
    read = [read_book(folder, settings.tables_path, keys=settings.trusted) for folder in folders]

    def on(day: date) -> list[tuple[Book, str]]:
        pairs = zip(read, texts, strict=True)
        return [(with_text(book, text, name, day), digest_of_text(text)) for book, (text, name) in pairs]

    return on


def _write(content: bytes, output: Path | None) -> None:
    """All of it or nothing."""
    import os

    if output is None:
        say(*content.decode().removesuffix("\n").split("\n"))
        return
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _progress(claims: list[str], answers: list[str]) -> Iterator[Callable[[int], None]]:
    """A bar of the bytes read, on standard error, where that is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    sizes = [path.stat().st_size for file in (*answers, *claims) if (path := Path(file)).is_file()]
    parts = (TextColumn("reading, then judging"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=sum(sizes))
        yield lambda size: bar.advance(task, size)
