"""`scrub tables`: official tables that the hospital imports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.terminal import Format, columns, console, on_terminal, paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.book.book import Book
    from rules.tables.edition import Edition

app = typer.Typer(no_args_is_help=True)
_IN_FORCE = (
    "Where a book is in force (scrub status), it judges with the tables that are packed in it: put another one in "
    "force (scrub rules pack, scrub rules switch)."
)


@app.callback()
def _group() -> None:
    """Official tables: what ships with the rule book, and the editions that were imported.

    The rule book ships the few rows that its sources name. The files of CMS may not be passed on; a hospital gets
    them there, and imports them here. An edition judges claims by their date of service, beside older editions.
    """


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="As they are published: zips, or what is in them.")
    ],
) -> None:
    """Imports official files, recognized by what is in them.

    * NCCI pairs (PTP edits), practitioner or hospital: all four files of a quarter at once

    * medically unlikely edits (MUE), practitioner or outpatient hospital

    * relative value file of the physician fee schedule (PPRRVU), 2025 and later, both of a zip (nonQPP and QPP)

    * cost indices of the physician fee schedule's localities (GPCI), as CSV

    * ZIP Code to Carrier Locality File, of five digits and of nine, as text

    * ASC addenda AA and BB, OPPS addendum B, as text or CSV

    * ICD-10-CM order file

    * alpha-numeric HCPCS file: the codes and modifiers of level II

    * Medicare coverage database: current_article.zip or all_article.zip

    Keep the official names: table, quarter and year stand nowhere else.

    Pairs, unit limits and ZIP codes are kept whole, in a file that all processes share; of the others, the rows that
    rules and expected payments ask for. A file that is cut short, has another header, or whose periods overlap is
    refused with its line, and then nothing at all is imported. Workers take new tables up when they start; where a book
    is in force, which has its tables in it, once one that is packed anew is in force.

    Exit codes: 0 imported, or there already, 2 refused.

    Examples:

    * `scrub tables import ccipra-v323r0-f1.zip ccipra-v323r0-f2.zip ccipra-v323r0-f3.zip ccipra-v323r0-f4.zip`

    * `scrub tables import rvu26c.zip icd10cm_order_2027.txt`
    """
    from rules.loader import read_book
    from worker.books.trust import book_files
    from worker.config.settings import load_settings
    from worker.tables import editionstore
    from worker.tables.official import editions_in, size_of

    settings = load_settings()
    # Without its imported editions: a packed book may refer to rows that are to be imported now.
    book = read_book(book_files(settings.book, None, settings.trusted).library)
    with _progress(size_of(files)) as seen:
        editions = editions_in(files, book.procedure, seen)
    new = editionstore.add(settings.tables_path, editions)
    for edition in editions:
        done = "imported" if edition in new else "there already"
        say(f"{done}: {edition.title}, {edition.release}; {_count(edition)}; {_period(edition)}{_parts(edition)}")
        if edition in new:
            say("  " + paint(edition.id, "dim"))
    if new:
        say("Workers that run take it up when they start again.", _IN_FORCE)


@app.command("list")
def list_(
    format: Annotated[Format, typer.Option(help="text for people; json: one object a line.")] = "text",
) -> None:
    """Lists the tables: what ships with the rule book, and the imported editions with their dates and digests.

    Examples:

    * `scrub tables list`

    * `scrub tables list --format json | jq 'select(.imported)'`
    """
    from worker.cli.common.books import read_book
    from worker.config.settings import load_settings
    from worker.tables import editionstore

    settings = load_settings()
    book, editions = read_book(settings.book, keys=settings.trusted), editionstore.stored(settings.tables_path)
    if format == "json":
        say_json(*_shipped(book), *map(_described, editions))
        return
    say(f"Shipped with rule book {book.label}:")
    say(*columns([(f"  {entry['table']}", f"{entry['rows']} rows") for entry in _shipped(book)]))
    say("", "Imported, and used in place of shipped rows on their dates:" if editions else "Nothing is imported.")
    for edition in editions:
        say(f"  {paint(edition.id, 'bold')}")
        rows = [
            ("", f"{edition.title}, {edition.release}"),
            ("", f"{_count(edition)}; {_period(edition)}{_parts(edition)}"),
        ]
        rows += [("", f"sha256 {file.sha256}  {file.name}") for file in edition.files]
        say(*columns([(f"  {name}", text) for name, text in rows]))


@app.command("undo")
def undo(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Names of editions, as `scrub tables list` has them.")],
) -> None:
    """Takes imported editions away: their dates go back to what was there before.

    Exit codes: 0 taken away, 2 there is no such edition, and nothing was taken away.

    Example: `scrub tables undo mue-practitioner-2026-Q3-0a1b2c3d`
    """
    from worker.config.settings import load_settings
    from worker.tables import editionstore

    editionstore.remove(load_settings().tables_path, ids)
    for name in ids:
        say(f"undone: {name}")
    say("Workers that run leave it when they start again.", _IN_FORCE)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, in bytes read; nothing in a pipe."""
    import sys

    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    parts = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(
        *parts, console=console(stderr=True), transient=True, disable=not on_terminal(sys.stderr)
    ) as progress:
        task = progress.add_task("reading", total=total)
        yield lambda size: progress.advance(task, size)


def _shipped(book: Book) -> list[dict[str, Any]]:
    return [
        {"table": name, "imported": False, "rows": len(table), "book": {"version": book.version, "digest": book.digest}}
        for name, table in sorted(book.tables.items())
        if len(table)
    ]


def _described(edition: Edition) -> dict[str, Any]:
    return {
        "table": edition.table, "imported": True, "id": edition.id, "title": edition.title,
        "release": edition.release, "publisher": edition.publisher, "url": edition.url, "rows": edition.count,
        "whole": edition.whole,
        "speaks": {part: {"from": period.from_, "to": period.to} for part, period in edition.speaks.items()},
        "files": [{"name": file.name, "sha256": file.sha256} for file in edition.files],
    }  # fmt: skip


def _count(edition: Edition) -> str:
    return f"{edition.count:,} row{'' if edition.count == 1 else 's'} kept" + (", the whole table" * edition.whole)


def _parts(edition: Edition) -> str:
    return f"; for {', '.join(sorted(edition.speaks))}" if any(edition.speaks) else ""


def _period(edition: Edition) -> str:
    starts: date = min(period.from_ for period in edition.speaks.values())
    ends = {period.to for period in edition.speaks.values()}
    last = max((end for end in ends if end), default=None)
    until = f"to {last}" if last and None not in ends else "until a later edition"
    back = ", and before where no earlier one is" if edition.reaches_back else ""
    return f"dates of service from {starts} {until}{back}"
