"""`scrub rules docs`: the pages of the book, for reading, searching and reviewing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.books import BookFolder, book_folder, read_untried
from worker.cli.common.terminal import complain, say

if TYPE_CHECKING:
    from rules.loader import Untried

Page = Literal["catalogue", "clean"]


def docs(
    output: Annotated[
        list[Path], typer.Option("-o", "--output", metavar="FILE", help=".md: Markdown; .html: a page to search in.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is not up to date.")
    ] = False,
    page: Annotated[
        Page, typer.Option(help="catalogue: every rule; clean: what stands behind a clean claim, by payer (.md).")
    ] = "catalogue",
    book: BookFolder = None,
) -> None:
    """Writes the catalogue: every code with its variants, dates, severity, grade, source, fix and expected denial; or
    the page that says, payer by payer, what stands behind a clean claim and which texts are missing.

    The page needs no network: send it, or put it anywhere. The same book gives the same file.

    Exit codes: 0 written or up to date, 1 not up to date (--check), 2 there is no book.

    Examples:

    * `scrub rules docs -o catalogue.html`

    * `scrub rules docs --check -o rules/CATALOGUE.md`

    * `scrub rules docs --page clean -o clean.md`
    """
    untried = read_untried(book)
    stale, named = False, "" if page == "catalogue" else f" --page {page}"
    for file in output:
        text = _text(page, file, untried, book)
        try:
            fresh = file.read_text(encoding="utf-8") == text
        except (FileNotFoundError, UnicodeDecodeError):
            fresh = False
        if check and not fresh:
            stale = True
            complain(f"{file} is not up to date; run: scrub rules docs{named} -o {file}")
        elif not check:
            file.write_text(text, encoding="utf-8")
            say(f"{file} is written." if not fresh else f"{file} was up to date.")
    raise typer.Exit(1 if stale else 0)


def _text(page: Page, file: Path, untried: Untried, book: Path | None) -> str:
    if page == "clean":
        from rules.book.missing import MISSING, read_missing
        from rules.book.rulefile import read_document
        from rules.loader import whole_book
        from worker.cli import clean

        if file.suffix != ".md":
            raise typer.BadParameter(f"{file} does not end in .md")
        content = whole_book(book_folder(book)).library.get(MISSING)
        missing = read_missing(read_document(MISSING, content.decode()), untried.book.registry) if content else {}
        return clean.page(untried, missing)
    from worker.cli import catalogue

    if file.suffix not in (".md", ".html"):
        raise typer.BadParameter(f"{file} ends neither in .md nor in .html")
    return catalogue.page(untried) if file.suffix == ".html" else catalogue.markdown(untried)
