"""The hospital's overrides, from the file of `SCRUB_OVERRIDES` or put in force: applied to a book, and what a person
must know of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import PIN, problem, read_overrides
from rules.book.overrides import Override
from worker.books import archive

SOON = 30
"""Days before its last one from which an override is said to end soon."""
NONE = "none"
"""Used as the digest where there are no overrides."""


def read_text(file: Path) -> str:
    """The file's content.

    Raises:
        OverridesInvalid: it cannot be read.
    """
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise problem(str(file), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise problem(str(file), f"is not UTF-8 at byte {error.start}") from None


def digest_of_text(text: str | None) -> str:
    """SHA-256 of the text of overrides, hexadecimal, whatever its line ends; NONE where there are none."""
    return NONE if text is None else hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def today() -> date:
    """By the calendar of this machine."""
    return datetime.now().astimezone().date()


def with_overrides(book: Book, file: Path | None, day: date | None = None) -> Book:
    """The book as the hospital has it on a day; None: today. Without a file, as it is.

    Raises:
        OverridesInvalid: also where the file cannot be read; to judge without it would be another book.
    """
    return overridden(book, read_overrides(str(file), read_text(file), book), day or today()) if file else book


@dataclass
class OverridesLayer:
    """Overrides that are applied to whichever book is in force. A file is read once.

    Raises:
        OverridesInvalid: it cannot be read.
    """

    file: Path | None
    folder: Path
    """The book archive, which also records what was applied to which book, for replays."""
    text: str | None = None
    """Takes precedence over the file; without both, books stay as they are."""
    name: str = ""
    """For the sentence of an error; default: the file."""

    def __post_init__(self) -> None:
        if self.text is None and self.file:
            self.text = read_text(self.file)
        self.digest = digest_of_text(self.text)
        self._applied: dict[str, tuple[date, Book]] = {}

    def apply(self, book: Book) -> Book:
        """The book as it is judged by today, made once a day; what a person must know of it is logged then.

        Raises:
            OverridesInvalid: they do not fit this book.
            FolderUnusable
        """
        if self.text is None:
            return book
        day, found = today(), self._applied.get(book.digest)
        if found is None or found[0] != day:
            applied = overridden(book, read_overrides(self.name or str(self.file), self.text, book), day)
            archive.add_overrides(self.folder, applied.digest, archive.AppliedOverrides(book.digest, day, self.text))
            self._log_warnings(applied)
            found = self._applied[book.digest] = day, applied
        return found[1]

    def _log_warnings(self, applied: Book) -> None:
        # Late: it takes a tenth of the time that a command like `scrub check` needs to start.
        from worker.logs.operational import log

        for sentence in warnings(applied.overrides.entries):
            log(__name__).warning(sentence)


def warnings(entries: Iterable[Override]) -> Iterator[str]:
    """A sentence for each override that no longer holds, or whose rule was changed since it was written."""
    for entry in entries:
        if entry.state == "expired":
            yield (
                f"override {entry.name} expired on {entry.expires} and is not applied ({entry.effect}; "
                f"{entry.owner}): renew it or take it out"
            )
        if entry.outdated:
            yield (
                f"override {entry.name} was written for another version of what it touches ({entry.effect}; "
                f"{entry.owner}): look whether it is still right, then set written_for to {entry.pin[:PIN]}"
            )


def ending(entries: Iterable[Override], day: date) -> list[Override]:
    """Those that end soon."""
    return [entry for entry in entries if 0 <= (entry.expires - day).days <= SOON]
