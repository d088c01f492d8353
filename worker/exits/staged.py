"""The folder that the files of one original go to, where a break at any instant must leave each of them once.

    .TOKEN.kept            the bytes that came in, where claims were held that may leave later; TOKEN.left: which did
    .TOKEN.original        the bytes that came in, until all is done
    .TOKEN.clean.837.part  a file that is on the disk and has no name yet; and so on
    .TOKEN.plan            which of them gets which name; with it, and what Redis says, nothing is decided any more

A file gets its name by a rename, so that it is never there under two names and whoever takes it away takes all there is
of it: what has no hidden name any more has had its name. The manifest is the last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import orjson

from rules.printable import printable
from worker.errors import SplitRefused
from worker.exits.folder import Released, sealed, stem_of, there
from worker.intake.filenames import beside, limits

ORIGINAL, ABOUT, PLAN, KEPT, LEFT = ".original", ".about", ".plan", ".kept", ".left"
STAYS = (KEPT, LEFT)
"""What is not of one writing of files: the original that a claim may yet leave, and what has left of it since."""


def hidden(token: str, end: str) -> str:
    """The name of what is no one's but ours."""
    return f".{token[:32]}{end}"


def _part(token: str, end: str) -> str:
    """What has no name yet: called so that no agent takes it that looks for names by their end, hidden or not."""
    return hidden(token, f"{end}.part")


@dataclass(slots=True)
class StagedFolder:
    """As `Folder`, but that nothing of it has a name before `finish`."""

    path: Path
    name: str
    """Of the original."""
    token: str
    _descriptor: int = -1
    _number: int = 1
    _parts: dict[str, IO[bytes]] = field(default_factory=dict)

    def open(self, ends: tuple[str, ...]) -> None:
        """Chooses names of which none is taken. `ends`: of all that may be written.

        Raises:
            SplitRefused: the folder cannot be used.
        """
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            while any(there(self._descriptor, self.called(end)) for end in ends):
                self._number += 1
        except OSError as error:
            raise SplitRefused(file=printable(self.name), reason=printable(error.strerror or str(error))) from None

    def called(self, end: str) -> str:
        """The name that a file is to have."""
        number = f"-{self._number}" if self._number > 1 else ""
        return beside(stem_of(self.name), number + end, limits(self._descriptor)[0])

    def begin(self, end: str) -> IO[bytes]:
        """A file to be written, and read again."""
        name = _part(self.token, end)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(name, flags, 0o666, dir_fd=self._descriptor), "w+b")
        self._parts[end] = file
        return file

    def sealed(self, end: str) -> Released:
        """What is written, on the disk."""
        return sealed(self._parts[end], self.called(end))

    def release(self, *ends: str) -> None:
        """Writes down which names they get, in this order.

        Raises:
            OSError
        """
        names = {_part(self.token, end): self.called(end) for end in ends}
        write_whole(self._descriptor, hidden(self.token, PLAN), orjson.dumps(names))

    def close(self) -> None:
        """Lets go of the files; those that are in no plan are begun anew the next time."""
        for file in self._parts.values():
            with suppress(OSError):  # the disk is full, and was said to be
                file.close()
        self._parts.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """Which files get which names."""

    folder: int
    """Open."""
    token: str
    names: dict[str, str]

    @property
    def begun(self) -> bool:
        """Whether one of them has had its name."""
        return any(not there(self.folder, part) for part in self.names)

    def finish(self) -> None:
        """Gives each its name, unless it has had it.

        Raises:
            SplitRefused: something stands under such a name.
            OSError
        """
        for part, name in self.names.items():
            if not there(self.folder, part):
                continue
            if there(self.folder, name):
                reason = f"{name} came into the folder meanwhile, and is not written over; move it away"
                raise SplitRefused(file=name, reason=printable(reason))
            os.rename(part, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            os.fsync(self.folder)

    def drop(self) -> None:
        """Takes back what has no name."""
        for name in (hidden(self.token, PLAN), *self.names):
            drop(self.folder, name)


def plan_of(folder: int, token: str) -> Plan | None:
    """The plan of a file, if it was written to its end."""
    try:
        text = read(folder, hidden(token, PLAN))
    except FileNotFoundError:
        return None
    return Plan(folder, token, orjson.loads(text))


def read(folder: int, name: str) -> bytes:
    """A small file of ours."""
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
        return file.read()


def write_whole(folder: int, name: str, text: bytes) -> None:
    """The whole file or nothing."""
    part = f"{name}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def of_token(folder: int, token: str) -> Iterator[str]:
    """The names of everything hidden that is of this file, but for what stays."""
    stays = {hidden(token, end) for end in STAYS}
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(hidden(token, "."))]
    yield from (name for name in names if name not in stays)


def drop(folder: int, name: str) -> None:
    """Takes a file of ours away, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
