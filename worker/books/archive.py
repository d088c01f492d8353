"""The book archive: every book that a worker judged by, packed, under its digest in the state folder, for replays.

Where overrides of the hospital were applied to a book, the result has a digest of its own; the archive records which
overrides were applied to which book, and on which day. Whole tables, of millions of rows, are in no packed book: it has
their digests, and the rows lie in the folder of imported tables, which is in the same state folder.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import orjson

from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import read_overrides
from rules.book.pack import SUFFIX, Files, packed, unpacked
from rules.errors import PackInvalid
from rules.loader import read_book
from worker.errors import BookNotArchived, FolderUnusable
from worker.store.private import write_private

_ASIDE = ".part"
_OVERRIDES = ".overrides.json"
_TABLES = "tables"


@dataclass(frozen=True, slots=True)
class AppliedOverrides:
    """Overrides as they were applied to a book."""

    book: str
    """Digest of the book that they were applied to."""
    day: date
    text: str
    """The file of overrides."""


def rows_folder(folder: Path) -> Path:
    """Where the packed rows of whole tables lie; `folder`: the book archive."""
    return folder.parent / _TABLES


def add(folder: Path, files: Files) -> Path:
    """The file of the book in the folder, written if it is not there: whole, or not at all.

    Raises:
        FolderUnusable
    """
    return _add(folder / f"{files.digest}{SUFFIX}", packed(files))


def add_overrides(folder: Path, digest: str, applied: AppliedOverrides) -> Path:
    """The file of what gave the book of this digest, written if it is not there.

    Raises:
        FolderUnusable
    """
    return _add(folder / f"{digest}{_OVERRIDES}", orjson.dumps(applied))


def _add(file: Path, content: bytes) -> Path:
    if not file.exists():
        write_private(file, content)
    return file


def write(file: Path, content: bytes) -> Path:
    """Writes the file in one step, also if the process dies on the way.

    Raises:
        FolderUnusable
    """
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}{_ASIDE}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with aside.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise FolderUnusable(folder=file.parent, reason=error.strerror or "it cannot be written") from None
    return file


def find(folder: Path, digest: str) -> Book:
    """The archived book of this digest.

    Raises:
        BookNotArchived: it is not there.
        PackInvalid: its file was changed.
        BookInvalid: this version of the program cannot read it.
    """
    if not digest.isalnum():
        raise BookNotArchived(digest=digest, folder=folder)
    if (file := folder / f"{digest}{_OVERRIDES}").is_file():
        return _overridden_book(folder, file, digest)
    if not (file := folder / f"{digest}{SUFFIX}").is_file():
        raise BookNotArchived(digest=digest, folder=folder)
    files = unpacked(str(file), file.read_bytes())
    if files.digest != digest:
        raise PackInvalid(file=file, reason=f"its content has the digest {files.digest[:12]}")
    return read_book(files.library, files.imported, rows=rows_folder(folder), examples=False)


def _overridden_book(folder: Path, file: Path, digest: str) -> Book:
    try:
        said = orjson.loads(file.read_bytes())
        applied = AppliedOverrides(said["book"], date.fromisoformat(said["day"]), said["text"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise PackInvalid(file=file, reason="it does not say which overrides were applied to which book") from None
    book = find(folder, applied.book)
    entries = read_overrides(str(file), applied.text, book)
    found = overridden(book, entries, applied.day)
    former = overridden(book, (entry.by_former_pin() for entry in entries), applied.day)
    for one in (found, former):
        if one.digest == digest:
            return one
    raise PackInvalid(file=file, reason=f"the book with these overrides has the digest {found.digest[:12]}")
