"""`scrub report`: the audit log as one page for a browser."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.terminal import complain, plain, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.book.book import Book


def report(
    files: Annotated[
        list[Path], typer.Argument(metavar="AUDIT", help="Audit files as the workers write them; plain, .gz or .zst.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the page goes.")] = Path(
        "report.html"
    ),
    backtest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A backtest as JSON, by which foreseen denials are weighed."),
    ] = None,
) -> None:
    """Makes one page of the audit log: clean claim rate, findings with their charge, denials foreseen, the queue.

    It needs no network and no server, holds sums alone (no claim numbers), and may be mailed. Files of any size: what
    does not fit into 512 MB of memory goes through the folder for temporary files.

    Exit codes: 0 the page is written, 2 a file cannot be read, or there is no decision in the files.

    Example: `scrub report ~/.local/state/claim-scrubber/audit/*.jsonl -o report.html`
    """
    from worker.books import current
    from worker.config.settings import load_settings

    settings = load_settings()
    book = current.own_book(settings)
    unreadable = [f"{plain(str(file))}: {reason}" for file in files if (reason := _unreadable(file))]
    for sentence in unreadable:
        complain(sentence)
    if unreadable:
        raise typer.Exit(2)
    write(files, output, book, backtest)
    say(f"{plain(str(output))}: open it in a browser")


def _unreadable(file: Path) -> str:
    if file.is_dir():
        return "this is a directory; expected a file (try its files: FOLDER/*.jsonl)"
    try:
        with file.open("rb"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def write(files: Sequence[Path], output: Path, book: Book, backtest: Path | None = None) -> None:
    """Writes the page, all of it or none.

    Raises:
        ReportNeedsExtra, ReportEmpty, BacktestInvalid
        OSError: the page cannot be written.
    """
    from datetime import UTC, datetime

    from worker.audit.log import service_version
    from worker.cli.common.terminal import console, on_terminal
    from worker.pipeline.outlets import REASONS
    from worker.reporting.figures import count
    from worker.reporting.foreseen import read_backtest
    from worker.reporting.load import loaded
    from worker.reporting.page import page

    weighing = read_backtest(backtest) if backtest else None
    faults = _faults(book)
    names = {key: payer.name for key, payer in book.registry.payers.items()}
    meanings = dict[str, str](REASONS.items())
    shown = console(stderr=True).status("Reading the audit lines ...") if on_terminal(sys.stderr) else nullcontext()
    with shown:
        with loaded(files) as database:
            figures = count(database, ", ".join(str(file) for file in files[:3]))
        text = page(
            figures,
            payer=lambda key: names.get(key, key) or "Unknown payer",
            title=lambda code: faults.get(code, "(not in this rule book)"),
            reason=lambda key: meanings.get(key, key),
            made=datetime.now(UTC),
            version=service_version(),
            backtest=weighing,
        )
        beside = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            beside.write_text(text, "utf-8")
            beside.replace(output)
        finally:
            beside.unlink(missing_ok=True)


def _faults(book: Book) -> dict[str, str]:
    """What is wrong where a rule of the code finds something; where its rules differ, what most of them say."""
    from collections import Counter

    from rules.book.rule import by_code

    return {
        code: Counter(rule.fault or rule.title for rule in rules).most_common(1)[0][0]
        for code, rules in by_code(book.rules).items()
    }
