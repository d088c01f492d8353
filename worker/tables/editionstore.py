"""The folder of imported editions: each one file, whole or not there at all.

The rows of a whole table lie in a file beside their edition, named by their digest. It is written before the edition,
and stays when the edition is undone: archived books, by which old verdicts are replayed, look into it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from rules.errors import BookInvalid, RuleProblem
from rules.loader import edition_files
from rules.tables.edition import Edition
from rules.tables.editions import agree, clashes, read_edition
from worker.errors import EditionUnknown, FolderUnusable, TableRefused
from worker.store.private import close_state, make_folder, open_private

_ASIDE = ".aside"
_EDITION = ".json"


def stored(folder: Path) -> list[Edition]:
    """The imported editions, by name.

    Raises:
        BookInvalid: a file in the folder is no edition; `scrub tables undo` takes it away.
    """
    problems: list[RuleProblem] = []
    editions: list[Edition] = []
    for name, content in edition_files(folder).items():
        edition, faults = read_edition(f"imported/{name}", content, folder)
        editions += [edition] if edition else []
        problems += faults
    if problems:
        raise BookInvalid(problems)
    return editions


def add(folder: Path, editions: Sequence[Edition]) -> list[Edition]:
    """Puts editions into the folder, and gives back those that were not there yet. Where one is refused, or the disk
    fails, none is there; a process that is killed leaves each of them whole or not there.

    Raises:
        TableRefused: one of them speaks from the same day as another edition of its table, and says something else.
        BookInvalid, FolderUnusable
    """
    with _locked(folder):
        for left in folder.glob(f".*{_ASIDE}"):
            left.unlink(missing_ok=True)
        there = stored(folder)
        new = [edition for edition in editions if not _known(edition, there)]
        ids = {edition.id for edition in new}  # an extract of an earlier release from the same files gives way
        _refuse_clashes([*(edition for edition in there if edition.id not in ids), *new])
        asides: list[tuple[Path, Path]] = []
        written: list[Path] = []
        try:
            for name, content in [entry for edition in new for entry in _files_of(edition)]:
                if not (file := folder / name).exists() or file.suffix == _EDITION:
                    asides.append((folder / f".{secrets.token_hex(8)}{_ASIDE}", file))
                    _write(asides[-1][0], content)
            for aside, file in asides:
                written += [] if file.exists() else [file]
                os.replace(aside, file)
            _sync(folder)
        except OSError as error:
            for file in written:
                file.unlink(missing_ok=True)
            raise FolderUnusable(folder=folder, reason=error.strerror or "it cannot be written") from None
        finally:
            for aside, _ in asides:
                aside.unlink(missing_ok=True)
        return new


def remove(folder: Path, ids: Sequence[str]) -> None:
    """Takes editions away, all or none.

    Raises:
        EditionUnknown: there is none of that name.
        FolderUnusable
    """
    with _locked(folder):
        names = [path.stem for path in folder.glob("*.json")]
        for wanted in ids:
            if wanted not in names:
                near = get_close_matches(wanted, names, n=1)
                hint = f"; did you mean {near[0]}?" if near else "."
                raise EditionUnknown(name=wanted, known=", ".join(sorted(names)) or "none", hint=hint)
        try:
            for wanted in ids:
                (folder / f"{wanted}.json").unlink(missing_ok=True)
            _sync(folder)
        except OSError as error:
            raise FolderUnusable(folder=folder, reason=error.strerror or "it cannot be written") from None


def _files_of(edition: Edition) -> list[tuple[str, bytes | memoryview]]:
    """Name and content of its files, the rows first: an edition is never there without them."""
    rows: list[tuple[str, bytes | memoryview]] = []
    if edition.packed and edition.content is not None:
        rows = [(edition.packed.file, edition.content.buffer)]
    return [*rows, (f"{edition.id}{_EDITION}", edition.text())]


def _known(edition: Edition, there: Sequence[Edition]) -> bool:
    """Whether all that it says is imported already."""
    return all(any(agree(edition, other, part) for other in there) for part in edition.speaks)


def _refuse_clashes(editions: Sequence[Edition]) -> None:
    problems = [
        f"{later.files[0].name}: {part or later.table} from {later.speaks[part].from_} on is imported already, as "
        f"{first.id}, and says something else; `scrub tables undo {first.id}` first"
        for first, later, part in clashes(editions)
    ]
    if problems:
        raise TableRefused(problems)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One import or undo at a time."""
    try:
        close_state(folder.parent)
        make_folder(folder)
        lock = open_private(folder / ".lock", os.O_RDWR)
    except OSError as error:
        raise FolderUnusable(folder=folder, reason=error.strerror or "it cannot be opened") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, content: bytes | memoryview) -> None:
    descriptor = open_private(path, os.O_WRONLY | os.O_EXCL)
    with open(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    """So that the new names are there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
