"""`scrub rules docs`: the catalogue of the book, for reading, searching and reviewing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.common.books import BookFolder, read_untried
from worker.cli.common.terminal import complain, say


def docs(
    output: Annotated[
        list[Path], typer.Option("-o", "--output", metavar="FILE", help=".md: Markdown; .html: a page to search in.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is not up to date.")
    ] = False,
    book: BookFolder = None,
) -> None:
    """Writes the catalogue: every code with its variants, dates, severity, grade, source, fix and expected denial.

    The page needs no network: send it, or put it anywhere. The same book gives the same file.

    Exit codes: 0 written or up to date, 1 not up to date (--check), 2 there is no book.

    Examples:

    * `scrub rules docs -o catalogue.html`

    * `scrub rules docs --check -o rules/CATALOGUE.md`
    """
    from worker.cli.catalogue import markdown, page

    untried = read_untried(book)
    stale = False
    for file in output:
        if file.suffix not in (".md", ".html"):
            raise typer.BadParameter(f"{file} ends neither in .md nor in .html")
        text = page(untried) if file.suffix == ".html" else markdown(untried)
        try:
            fresh = file.read_text(encoding="utf-8") == text
        except (FileNotFoundError, UnicodeDecodeError):
            fresh = False
        if check and not fresh:
            stale = True
            complain(f"{file} is not up to date; run: scrub rules docs -o {file}")
        elif not check:
            file.write_text(text, encoding="utf-8")
            say(f"{file} is written." if not fresh else f"{file} was up to date.")
    raise typer.Exit(1 if stale else 0)
