"""The rule book as its author's commands see it: read without running its examples, rules found by their names."""

from __future__ import annotations

import os
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.book.pack import Files
    from rules.book.rule import Rule
    from rules.loader import Untried
    from worker.config.settings import Settings, Trusted


def book_folder(given: Path | None) -> Path | None:
    """The folder or packed book that is given, or that the settings name; None: the book that ships."""
    from worker.config.settings import load_settings

    return given or load_settings().book


def read_untried(given: Path | None) -> Untried:
    """The book with its rule files, examples not run: an author also looks at a rule that is not right yet.

    Raises:
        BookMissing, BookInvalid
    """
    from rules import loader

    files, rows = _files(given, signed=False)
    return loader.read_untried(files.library, files.imported, rows)


def untried_book(given: Path | None, *, signed: bool = False) -> Book:
    """The same without the rule files, of which the examples are not even read.
    `signed`: what judges by it wants a signature, where SCRUB_BOOK_KEY does.

    Raises:
        BookMissing, BookInvalid, BookNotSigned, KeyUnusable
    """
    from rules import loader

    files, rows = _files(given, signed=signed)
    return loader.read_book(files.library, files.imported, rows=rows, examples=False)


def _files(given: Path | None, *, signed: bool) -> tuple[Files, Path]:
    from worker.books.trust import book_files
    from worker.config.settings import load_settings

    settings = load_settings()
    trusted = settings.trusted if signed else None
    return book_files(given or settings.book, settings.tables_path, trusted), settings.tables_path


def rules_named(name: str, book: Book) -> list[Rule]:
    """The rules of a code, or the one of a file: `UNT001`, `UNT001-one-unit`, or its whole path."""
    from rules.book.overrides import former_file

    wanted = name.removesuffix(".yaml").upper()
    found = [
        rule
        for rule in book.rules
        if wanted == rule.code
        or f"/{rule.file}".upper().endswith(f"/{wanted}")
        or wanted == former_file(rule, book.formerly).upper()
    ]
    if not found:
        codes = {rule.code for rule in book.rules}
        near = get_close_matches(wanted[:6], codes, n=3)
        raise typer.BadParameter(f"there is no rule {name!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return sorted(found, key=lambda rule: rule.file)


def reached(path: Path) -> str:
    """The path as it is reached from the working folder, where it lies below it."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)


def day_of(text: str | None) -> date | None:
    """A date of the command line."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; expected YYYY-MM-DD") from None


def codes_of(settings: Settings) -> frozenset[str] | None:
    """The codes of the procedures of the book that the settings name, of which no more is read; None: they name none,
    so it is the one that ships.

    Raises:
        BookMissing, BookInvalid, PackInvalid, BookNotSigned, KeyUnusable
    """
    if settings.book is None:
        return None
    from rules.procedures import codes_in
    from worker.books.trust import book_files

    return codes_in(book_files(settings.book, None, settings.trusted).library) or None


BookFolder = Annotated[
    Path | None,
    typer.Option(
        "--book",
        metavar="DIR",
        help="Folder of the rule book, or a packed one; default: SCRUB_BOOK, or the shipped one.",
    ),
]


def read_book(
    folder: Path | None, imported: Path | None = None, *, examples: bool | None = None, keys: Trusted | None = None
) -> Book:
    """The book of the folder, with the imported tables of another; `examples` as in `rules.loader`, `keys` as in
    `worker.books.trust`: what judges gives those of the settings.

    Raises:
        BookMissing, BookInvalid, PackInvalid, BookNotSigned, KeyUnusable
    """
    from rules.errors import BookMissing
    from rules.loader import read_book as read
    from worker.books.trust import book_files
    from worker.config.settings import load_settings

    try:
        files = book_files(folder, imported, keys)
        rows = imported or load_settings().tables_path
        return read(files.library, files.imported, rows=rows, examples=examples)
    except OSError:
        raise BookMissing(folder=folder) from None
