"""The folder that the files of a split go to: all of one original get their names together, the manifest last.

Each is written under a hidden name, forced to the disk, and gets its name by a hard link, which never replaces what is
there. A folder without the manifest of a name holds nothing of it that is finished.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rules.printable import printable
from worker.errors import SplitRefused
from worker.intake.filenames import beside, limits

MANIFEST = ".manifest.json"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
_CHUNK = 2**16
_PACKED, _KNOWN = (".gz", ".gzip"), ".837"


@dataclass(frozen=True, slots=True)
class Released:
    """A file under its name."""

    name: str
    bytes: int
    sha256: str


@dataclass(slots=True)
class Folder:
    """What is written of one original. `name`: of the original; `mark`: goes into every name before its end."""

    path: Path
    name: str
    mark: str = ""
    _descriptor: int = -1
    _parts: dict[str, tuple[str, IO[bytes]]] = field(default_factory=dict)

    def open(self, ends: tuple[str, ...]) -> None:
        """Makes the folder if it is not there. `ends`: of all names that may be written.

        Raises:
            SplitRefused: a file of such a name is there, or the folder cannot be used.
        """
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._refused(f"the folder {self.path} cannot be used ({error.strerror})") from None
        for end in ends:
            self._look(self.called(end))

    def called(self, end: str) -> str:
        """The name of a file: that of the original, without `.837`, and this end."""
        return beside(stem_of(self.name), self.mark + end, limits(self._descriptor)[0])

    def begin(self, end: str) -> IO[bytes]:
        """A file to be written, and read again."""
        part = f".{secrets.token_hex(8)}.part"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(part, flags, 0o666, dir_fd=self._descriptor), "w+b")
        self._parts[end] = part, file
        return file

    def sealed(self, end: str) -> Released:
        """What is written, on the disk."""
        return sealed(self._parts[end][1], self.called(end))

    def release(self, *ends: str) -> None:
        """Gives the files their names, in this order.

        Raises:
            SplitRefused: a file of such a name came meanwhile; none has its name then.
        """
        named: list[str] = []
        try:
            for end in ends:
                part, _ = self._parts[end]
                self._link(part, self.called(end))
                named.append(self.called(end))
                os.fsync(self._descriptor)
        except BaseException as error:
            for name in reversed(named):
                self._drop(name)
            if isinstance(error, OSError):
                raise self._refused(error.strerror or type(error).__name__) from None
            raise

    def close(self) -> None:
        """Drops what has no name yet."""
        for part, file in self._parts.values():
            file.close()
            self._drop(part)
        self._parts.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _link(self, part: str, name: str) -> None:
        here = self._descriptor
        try:
            os.link(part, name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
        except FileExistsError:
            raise self._there(name) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._look(name)
            os.rename(part, name, src_dir_fd=here, dst_dir_fd=here)

    def _look(self, name: str) -> None:
        if there(self._descriptor, name):
            raise self._there(name)

    def _there(self, name: str) -> SplitRefused:
        then = "its manifest is not there, so that a split broke off before its end: delete it"
        if there(self._descriptor, self.called(MANIFEST)):
            then = "move it away"
        where = f"{name} is in {self.path} already, and is not written over"
        return self._refused(f"{where}; {then}, or name another folder")

    def _refused(self, reason: str) -> SplitRefused:
        return SplitRefused(file=self.name, reason=printable(reason))

    def _drop(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)


def there(folder: int, name: str) -> bool:
    """Whether something has this name."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise
    return True


def sealed(file: IO[bytes], name: str) -> Released:
    """What is written, forced to the disk; `name`: that it is to have."""
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Released(name, size, digest.hexdigest())


def stem_of(name: str) -> str:
    """The name of an original without what says that it is an 837, packed or not."""
    for end in _PACKED:
        name = name[: -len(end)] if name.lower().endswith(end) else name
    return name[: -len(_KNOWN)] if name.lower().endswith(_KNOWN) else name
