"""Where the commands find a book: a folder, a packed file, or a revision of the git work tree that holds the book."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import typer


def files_of(name: str, book: Path | None) -> Mapping[str, bytes]:
    """The files of a book: `name` is a folder, a packed book, or a git revision of `book`, a folder.

    `book` None: the one that ships.

    Raises:
        BookMissing: the folder holds no book.
        PackInvalid: the file is no packed book.
        typer.BadParameter: it is neither.
    """
    from rules.loader import LIBRARY, whole_book

    if Path(name).exists():
        return whole_book(Path(name)).library
    folder = book or LIBRARY
    # `--end-of-options`: a name that begins with a dash is a revision too, never an option.
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if commit is None:
        raise typer.BadParameter(
            f"{name!r} is neither a folder, nor a packed book, nor a git revision of the book in {folder}"
        )
    packed = _git(folder, "archive", "--format=tar", commit.decode().strip())
    files = _unpacked(packed) if packed else {}
    if "book.yaml" not in files:
        raise typer.BadParameter(f"at revision {name!r} there is no book in {folder}")
    return files


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git says of the folder; None where it refuses, or is not there."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _unpacked(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        members = [m for m in archive if m.isfile() and m.name.endswith((".yaml", ".csv"))]
        return {m.name: stream.read() for m in members if (stream := archive.extractfile(m))}
