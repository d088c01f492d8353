"""A drop folder: files that others put there, each taken by one watcher, and moved away when it was read.

    FOLDER/a.ndjson  ->  FOLDER/done/a.ndjson    every document was read      FOLDER/done/a.ndjson.report.json
                         FOLDER/failed/a.ndjson  something was refused        FOLDER/failed/a.ndjson.report.json
    FOLDER/b.837     ->  as above, and the answer to its sender beside it     FOLDER/done/b.837.answer.x12

The folder is polled, since drop folders are often network shares, whose remote writers no notification announces. A
file is left alone until it stood still for the settle time; hidden files and the usual names of unfinished transfers
are passed over until they are renamed. A file is taken with a kernel lock on the file itself, which ends with its
process: what a killed watcher had in hand lies where it was, free for the next one.

Whoever may put files here may choose their names and put links in place of folders. A file keeps its name, whatever
it is; its report has one that can be looked at (`worker.intake.filenames`). No link is followed, neither as a file
nor as `done` or `failed`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO, Literal

import orjson

from worker.intake.filenames import ANSWERS, REPORT, limits, pairs

Outcome = Literal["done", "failed"]
Answer = tuple[str, IO[bytes]]
"""The end of its name, one of ANSWERS, and its text."""
OUTCOMES: tuple[Outcome, ...] = ("done", "failed")
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".writing", ".inprogress", ".lock", ".swp", "~")
"""Ends of names that senders give to a file while they write it."""

_KINDS = {
    stat.S_IFLNK: "link", stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device", stat.S_IFBLK: "device",
}  # fmt: skip
_Shape = tuple[int, int, int]
"""Inode, bytes and time of the last change of a file, in nanoseconds."""
_CHUNK = 2**20


def _shape(found: os.stat_result) -> _Shape:
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(slots=True)
class DropFolder:
    """One watcher's view of the folder."""

    path: Path
    settle: float
    """Seconds for which a file must not have changed."""
    not_files: dict[str, str] = field(default_factory=dict)
    """What is there under a name and is no file, with what it is; as of the last look."""
    _seen: dict[str, tuple[_Shape, float]] = field(default_factory=dict)
    _left: dict[str, _Shape] = field(default_factory=dict)

    def ready(self, now: float) -> list[Path]:
        """The files that have settled, oldest first; `now`: seconds of a clock that never goes back.

        Raises:
            OSError: the folder cannot be read.
        """
        found: dict[str, tuple[_Shape, float]] = {}
        not_files: dict[str, str] = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED) or entry.name in OUTCOMES:
                    continue
                try:
                    stood = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not stat.S_ISREG(stood.st_mode):
                    not_files[entry.name] = _KINDS.get(stat.S_IFMT(stood.st_mode), "thing of another kind")
                    continue
                before, since = self._seen.get(entry.name, (None, now))
                found[entry.name] = (_shape(stood), since if before == _shape(stood) else now)
        self._seen, self.not_files = found, not_files
        self._left = {name: shape for name, shape in self._left.items() if found.get(name, (None,))[0] == shape}
        settled = [
            (shape[2], name)
            for name, (shape, since) in found.items()
            if now - since >= self.settle and name not in self._left
        ]
        return [self.path / name for _, name in sorted(settled)]

    def names(self) -> Iterable[str]:
        """Of the files that were there at the last look."""
        return self._seen.keys()

    def leave(self, path: Path) -> None:
        """The file is not ready again until it has changed, or another watcher looks."""
        if path.name in self._seen:
            self._left[path.name] = self._seen[path.name][0]

    def closed(self) -> str | None:
        """Why no file could be moved away; None: they can be."""
        if not os.access(self.path, os.W_OK | os.X_OK):
            return "you may not write to it"
        for outcome in OUTCOMES:
            away = self.path / outcome
            try:
                mode = away.lstat().st_mode
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(mode):
                what = "link, and links are not followed" if stat.S_ISLNK(mode) else "file or the like"
                return f"{outcome} in it is a {what}; expected a folder, or nothing"
            if not os.access(away, os.W_OK | os.X_OK):
                return f"you may not write to {outcome} in it"
        return None

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
            found = os.fstat(stream.fileno())
            # Who had the lock before us may have moved the file away meanwhile.
            same = stat.S_ISREG(found.st_mode) and _is(path, _shape(found))
            yield Taken(self.path, path, stream, _shape(found)) if same else None

    def unread(self, path: Path) -> Taken | None:
        """The file without a look into it, to be moved away; None: it is gone, or no file any more.

        Raises:
            OSError
        """
        try:
            found = path.lstat()
        except FileNotFoundError:
            return None
        return Taken(self.path, path, None, _shape(found)) if stat.S_ISREG(found.st_mode) else None


def _locked(path: Path) -> BinaryIO:
    for mode in (os.O_RDONLY, os.O_RDWR):
        # A named pipe that took the file's place would block who opens it.
        descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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


def _is(path: Path | str, shape: _Shape, folder: int | None = None) -> bool:
    try:
        return _shape(os.stat(path, dir_fd=folder, follow_symlinks=False)) == shape
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that this watcher alone has."""

    folder: Path
    path: Path
    stream: BinaryIO | None
    """None: it cannot be read."""
    shape: _Shape

    def move(self, outcome: Outcome, report: bytes, answer: Answer | None = None) -> Path | None:
        """Moves the file away, its report and the answer to its sender before it; None: it was changed or replaced
        while it was read, and stays.

        Raises:
            OSError: the folder cannot be written.
        """
        if not _is(self.path, self.shape):
            return None
        away = self.folder / outcome
        away.mkdir(exist_ok=True)
        folder = os.open(away, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            *others, last = limits(folder)
            for limit in others:
                with _unless_too_long():
                    return self._move(away, folder, report, answer, limit)
            return self._move(away, folder, report, answer, last)
        finally:
            os.close(folder)

    def _move(self, away: Path, folder: int, report: bytes, answer: Answer | None, limit: int) -> Path | None:
        name, beside = next(pair for pair in pairs(self.path.name, limit) if _free(folder, self.path.name, *pair))
        _write(folder, beside, BytesIO(report))
        written = [beside]
        try:
            if answer:
                end, text = answer
                written.append(beside.removesuffix(REPORT) + end)
                text.seek(0)
                _write(folder, written[-1], text)
            moved = self._renamed(folder, name)
        except BaseException:
            _drop(folder, *written)
            raise
        if moved:
            return away / name
        # The sender wrote on, or put a new file there, between the look and the move: it is to be read.
        _drop(folder, *written)
        return None

    def _renamed(self, folder: int, name: str) -> bool:
        try:
            os.rename(self.path, name, dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return self._copied(folder, name)
        if _is(name, self.shape, folder):
            return True
        os.rename(name, _back(self.path), src_dir_fd=folder)
        return False

    def _copied(self, folder: int, name: str) -> bool:
        """Onto another file system. The file goes when its copy is whole, and if it is still the one that was read."""
        if self.stream is None:
            raise OSError(errno.EXDEV, "it cannot be read, and so not copied to another file system")
        part = _part()
        try:
            with open(_created(folder, part), "wb") as copy:
                self.stream.seek(0)
                while chunk := self.stream.read(_CHUNK):
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            os.utime(part, ns=(self.shape[2], self.shape[2]), dir_fd=folder)
            return self._exchanged(folder, part, name)
        finally:
            _drop(folder, part)

    def _exchanged(self, folder: int, part: str, name: str) -> bool:
        """The copy gets its name and the file goes: under another name, since a new one may come in its place."""
        aside = self.path.with_name(_part())
        os.rename(self.path, aside)
        try:
            if same := _is(aside, self.shape):
                os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
                aside.unlink()
        except BaseException:
            os.rename(aside, _back(self.path))
            raise
        if not same:
            os.rename(aside, _back(self.path))
        return same


@contextmanager
def _unless_too_long() -> Iterator[None]:
    """Some file systems take less than they say, such as encrypting ones (eCryptfs: 143 bytes)."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise


def _free(folder: int, own: str, name: str, beside: str) -> bool:
    """Whether a file and its report may have these names.

    A report without its file is what a watcher left that died before the move, and is written anew.
    """
    if _stands(folder, name) is not None:
        return False
    for (
        end
    ) in ANSWERS:  # a file of the answer's name that was sent for itself has its report; no name is too long for one
        with _unless_too_long():
            if _stands(folder, beside.removesuffix(REPORT) + end + REPORT) is not None:
                return False
    mode = _stands(folder, beside)
    return mode is None or (stat.S_ISREG(mode) and _of_this(folder, beside, own))


def _of_this(folder: int, report: str, own: str) -> bool:
    """Whether this is the report of a file of this name, and neither another's nor a file of claims itself."""
    if report != own + REPORT or _stands(folder, report + REPORT) is not None:
        return False
    with open(os.open(report, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
        try:
            said = orjson.loads(file.read())
        except ValueError:
            return True
    return isinstance(said, dict) and said.get("file") == own


def _stands(folder: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _back(path: Path) -> Path:
    """The path, with a number behind it where it is taken."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def _write(folder: int, name: str, content: IO[bytes]) -> None:
    """The whole file or nothing, also if the process dies on the way."""
    part = _part()
    try:
        with open(_created(folder, part), "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _drop(folder, part)
        raise


def _part() -> str:
    return f".{secrets.token_hex(8)}.part"


def _created(folder: int, name: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o666, dir_fd=folder)


def _drop(folder: int, *names: str) -> None:
    for name in names:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
