"""Kept books: every book that a worker judged by, packed, under its digest in the state folder, for replays."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from rules.book import Book
from rules.errors import PackInvalid
from rules.loader import read_book
from rules.pack import SUFFIX, Files, packed, unpacked
from worker.errors import BookNotKept, FolderUnusable

_ASIDE = ".part"


def keep(folder: Path, files: Files) -> Path:
    """The file of the book in the folder, written if it is not there: whole, or not at all.

    Raises:
        FolderUnusable
    """
    return write(folder / f"{files.digest}{SUFFIX}", packed(files), anew=False)


def write(file: Path, content: bytes, *, anew: bool = True) -> Path:
    """Writes the file in one step, also if the process dies on the way; without `anew`, only where there is none.

    Raises:
        FolderUnusable
    """
    if not anew and file.exists():
        return file
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
    """The kept book of this digest.

    Raises:
        BookNotKept: it is not there.
        PackInvalid: its file was changed.
        BookInvalid: this version of the program cannot read it.
    """
    file = folder / f"{digest}{SUFFIX}"
    if not digest.isalnum() or not file.is_file():
        raise BookNotKept(digest=digest, folder=folder)
    files = unpacked(str(file), file.read_bytes())
    if files.digest != digest:
        raise PackInvalid(file=file, reason=f"its content has the digest {files.digest[:12]}")
    return read_book(files.library, files.imported, examples=False)
