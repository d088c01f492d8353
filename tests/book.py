"""The shipped book, loaded once a test process. It never changes but for the plans that it keeps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

from rules.book.book import Book
from rules.book.passed import is_rule
from rules.loader import Untried, book_files, load_book, read_untried

BOOK = load_book()


def unused() -> Book:
    """The same book, which has met no claim and keeps nothing: to load it again would take seconds."""
    return replace(BOOK)


@cache
def untried() -> Untried:
    """The same with its rule files as they are written. It is read where a test asks for it, and never changed."""
    return read_untried(book_files())


def shelf(folder: Path, *subjects: str) -> Path:
    """A copy of the shipped book with the rules of these subjects alone, which is read ten times sooner."""
    for name, content in book_files().items():
        if not is_rule(name) or PurePosixPath(name).name.startswith(subjects):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder
