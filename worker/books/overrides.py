"""The hospital's overrides, put in force or of this machine: applied to a book, and what a person must know of them.

Those of a machine are the file of `SCRUB_OVERRIDES`, then what `SCRUB_MODE` and `SCRUB_GAPS` say, then the drafts of an
upgrade, as one text under one digest: who judges by the same text gives the same reports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.override import Override
from rules.book.overridefile import PIN, joined, problem, read_overrides
from worker.books import archive
from worker.config import routing
from worker.config.settings import Settings

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


def added(settings: Settings) -> tuple[str, str]:
    """What stands behind the file on this machine: the entries of settings, and the drafts of an upgrade.

    Raises:
        OverridesInvalid: the drafts cannot be read.
    """
    return routing.entries(settings.mode, settings.gaps), drafts_on_disk(settings)[1]


def drafts_on_disk(settings: Settings) -> tuple[str, str]:
    """Of the state folder: the digest of the library that drafts were made for, and their text; empty: none are there.

    Raises:
        OverridesInvalid: they cannot be read.
    """
    if settings.book_key or not settings.drafts_path.is_file():
        return "", ""
    head, _, text = read_text(settings.drafts_path).partition("\n")
    return head.rpartition(" ")[2], text


def text_of(settings: Settings, file: Path | None) -> str | None:
    """The overrides of this machine, with this file; None: there are none.

    Raises:
        OverridesInvalid: the file cannot be read; to judge without it would be another book.
    """
    return joined(read_text(file) if file else None, *added(settings))


def with_overrides(book: Book, settings: Settings, day: date | None = None, *, file: Path | None = None) -> Book:
    """The book as the hospital has it on a day; None: today. `file`: in place of that of SCRUB_OVERRIDES.

    Raises:
        OverridesInvalid, and what `text_of` raises
    """
    file = file or settings.overrides
    return with_text(book, text_of(settings, file), str(file), day)


def with_text(book: Book, text: str | None, name: str, day: date | None = None) -> Book:
    """The book with the overrides of a text; None: as it is.

    Raises:
        OverridesInvalid
    """
    return book if text is None else overridden(book, read_overrides(name, text, book), day or today())


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
    added: tuple[str, str] = ("", "")
    """What stands behind the file, as `added` answers it; a text has it in it."""

    def __post_init__(self) -> None:
        if self.text is None:
            self.text = joined(read_text(self.file) if self.file else None, *self.added)
        self.digest = digest_of_text(self.text)
        self._applied: dict[str, tuple[date, Book]] = {}

    def sealed(self) -> bytes:
        """The signature of the file, where the text is that of the file; empty: there is none."""
        from worker.books.signature import signature_of

        return signature_of(self.file) if self.file and not any(self.added) else b""

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
    drafts = []
    for entry in entries:
        if entry.kind == "draft" or entry.waits:
            drafts += [entry] if entry.state == "expired" and entry.waits else []
        elif entry.state == "expired":
            yield (
                f"override {entry.name} expired on {entry.expires} and is not applied ({entry.effect}; "
                f"{entry.owner}): renew it or take it out"
            )
        if entry.outdated:
            yield (
                f"override {entry.name} was written for another version of what it touches ({entry.effect}; "
                f"{entry.owner}): look whether it is still right, then set written_for to {entry.pin[:PIN]}"
            )
    if drafts:
        day = max(one.expires for one in drafts)
        yield (
            f"{len(drafts)} drafts of an upgrade were to be looked at by {day}: they warn now and hold no claim; "
            "`scrub rules drafts list` names them"
        )


def ending(entries: Iterable[Override], day: date) -> list[Override]:
    """Those that end soon; drafts do not end by themselves."""
    return [
        entry
        for entry in entries
        if entry.kind != "draft" and not entry.waits and 0 <= (entry.expires - day).days <= SOON
    ]
