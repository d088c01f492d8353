"""A drop folder: files that others put there, each taken by one watcher, and moved away when it was read.

    FOLDER/a.ndjson  ->  FOLDER/done/a.ndjson    every document was read      FOLDER/done/a.ndjson.report.json
                         FOLDER/failed/a.ndjson  something was refused        FOLDER/failed/a.ndjson.report.json

The folder is polled, since drop folders are often network shares, whose remote writers no notification announces. A
file is left alone until it stood still for the settle time; hidden files and the usual names of unfinished transfers
are passed over until they are renamed. A file is taken with a kernel lock on the file itself, which ends with its
process: what a killed watcher had in hand lies where it was, free for the next one.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

Outcome = Literal["done", "failed"]
REPORT = ".report.json"
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".writing", ".inprogress", ".lock", ".swp", "~")
"""Ends of names that senders give to a file while they write it."""

_Shape = tuple[int, int, int]
"""Inode, bytes and time of the last change of a file, in nanoseconds."""


def _shape(found: os.stat_result) -> _Shape:
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(slots=True)
class DropFolder:
    """One watcher's view of the folder."""

    path: Path
    settle: float
    """Seconds for which a file must not have changed."""
    _seen: dict[str, tuple[_Shape, float]] = field(default_factory=dict)

    def ready(self, now: float) -> list[Path]:
        """The files that have settled, oldest first; `now`: seconds of a clock that never goes back.

        Raises:
            OSError: the folder cannot be read.
        """
        found: dict[str, tuple[_Shape, float]] = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                    continue
                try:
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    shape = _shape(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
                before, since = self._seen.get(entry.name, (None, now))
                found[entry.name] = (shape, since if before == shape else now)
        self._seen = found
        settled = [(shape[2], name) for name, (shape, since) in found.items() if now - since >= self.settle]
        return [self.path / name for _, name in sorted(settled)]

    @contextmanager
    def take(self, path: Path) -> Iterator[Taken | None]:
        """The file, locked and open; None: another watcher has it, or it is gone.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            stream = _locked(path)
        except (FileNotFoundError, BlockingIOError):
            yield None
            return
        with stream:
            shape = _shape(os.fstat(stream.fileno()))
            # Who had the lock before us may have moved the file away meanwhile.
            yield Taken(self.path, path, stream, shape) if _is(path, shape) else None


def _locked(path: Path) -> BinaryIO:
    for mode in (os.O_RDONLY, os.O_RDWR):
        descriptor = os.open(path, mode | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            os.close(descriptor)
            # NFS gives an exclusive lock only to who may write.
            if isinstance(error, OSError) and error.errno == errno.EBADF and mode == os.O_RDONLY:
                continue
            raise
        return os.fdopen(descriptor, "rb")
    raise AssertionError("the second mode returns or raises")


def _is(path: Path, shape: _Shape) -> bool:
    try:
        return _shape(path.lstat()) == shape
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that this watcher alone has."""

    folder: Path
    path: Path
    stream: BinaryIO
    shape: _Shape

    def move(self, outcome: Outcome, report: bytes) -> Path | None:
        """Moves the file away, its report before it; None: it was changed or replaced while it was read, and stays.

        Raises:
            OSError: the folder cannot be written.
        """
        if not _is(self.path, self.shape):
            return None
        target = self._target(outcome)
        _write(target.with_name(target.name + REPORT), report)
        self.path.rename(target)
        if _is(target, self.shape):
            return target
        # The sender wrote on, or put a new file there, between the look and the move: it is to be read.
        target.with_name(target.name + REPORT).unlink()
        target.rename(_free(self.path))
        return None

    def _target(self, outcome: Outcome) -> Path:
        away = self.folder / outcome
        away.mkdir(exist_ok=True)
        return _free(away / self.path.name)


def _free(path: Path) -> Path:
    """The path, with a number behind it where it is taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def _write(path: Path, content: bytes) -> None:
    """The whole file or nothing, also if the process dies on the way."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
