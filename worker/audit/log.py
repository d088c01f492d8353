"""The audit log: one JSON object a line, chained, in a file of each process's own.

A line ends in `"audit.mac"`: HMAC-SHA-256 over the mac of the line before and this line without it, under the key of
the ring that `"audit.key"` names (a line until 0.1.1 names none: the first). A chain may go on under a later key, never
under an earlier one. The commit script keeps the head of each chain in Redis, number and seal, so that a cut tail shows
as well; the seal is made with another key than the macs, so that nobody has it from the file. Lines are written before
the commit of their batch: the log may hold a decision twice and never misses one. Before each commit the file is
checked: where somebody removed, moved or changed it, its lines go to a new chain, which names the old one.

A file ends with its day (UTC) or its size. The next one is a chain `<chain>_0002`, whose first line has number and mac
of the last one before it: what is cut off that file, or the whole of it gone, shows without Redis as well.

Whether a file is as it was written: `worker.audit.check`.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import orjson

from worker.audit.lines import AuditLine, Loss, now
from worker.config.settings import Settings
from worker.errors import AuditFileLost, AuditUnwritable
from worker.logs import outputs
from worker.logs.operational import log
from worker.store.keyring import Key, Ring
from worker.store.private import make_folder, open_private
from worker.store.secret import derived, keyed

MAC = b',"audit.mac":"'
FIRST = b'{"@timestamp":'
_ATTEMPTS = 3
"""How often lines are written anew where the file is taken away at that moment."""
_NAMED = re.compile(r"audit-(.+?)\.jsonl")
_NUMBERED = re.compile(r"(.+)_(\d{4,})")
FILE_BYTES = 2**28
"""At which size a file ends by default."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where an audit chain stands: number and mac of its last line."""

    chain: str = ""
    seq: int = 0
    mac: str = ""
    """Empty of a head that was read in Redis and is sealed."""
    seal: str = ""
    """`KEY:HMAC` over the three, under a key that no line is written with; empty of a head until 0.1.1."""

    @classmethod
    def read(cls, chain: str, seq: int, stored: str) -> Head:
        """The head that Redis or a line holds."""
        return cls(chain, seq, "", stored) if ":" in stored else cls(chain, seq, stored)

    @property
    def stored(self) -> str:
        """What Redis holds of it beside the number."""
        return self.seal or self.mac


def sealed(key: Key, chain: str, seq: int, mac: str) -> str:
    """The seal of a head."""
    return f"{key.id}:{keyed(derived(key.secret, b'audit head'), f'{chain} {seq} {mac}'.encode()).hex()}"


def service_version() -> str:
    """Version of the installed package; `0` where it runs from a folder."""
    try:
        return version("claim-scrubber")
    except PackageNotFoundError:
        return "0"


_OWNER = "Give the folder to the account that runs this, with mode 0700"
_MENDS = {
    errno.ENOSPC: "Free the disk",
    errno.EDQUOT: "Free the disk, or have the quota of the account raised",
    errno.EROFS: "Have its disk mounted so that it can be written",
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
    errno.ENOTDIR: "Move the file in its place aside",
}
"""What helps, by what the system refused."""


def check_folder(folder: Path) -> None:
    """Makes the folder where it is missing.

    Raises:
        AuditUnwritable: no file can be made in it.
    """
    try:
        make_folder(folder)
        if os.access(folder, os.W_OK | os.X_OK):
            return
        code = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
        trouble = OSError(code, os.strerror(code))
    except OSError as error:
        trouble = error
    if folder.exists() and not folder.is_dir():
        trouble = OSError(errno.ENOTDIR, "it is no folder")
    raise _unwritable(folder, trouble)


def _unwritable(file: Path, error: OSError) -> AuditUnwritable:
    mend = _MENDS.get(error.errno or 0, "See what the disk has")
    return AuditUnwritable(file=file, reason=error.strerror or type(error).__name__, mend=mend)


class AuditLog:
    """Writes one chain. Make it after the fork: two writers on one chain would break it."""

    def __init__(
        self,
        folder: Path,
        ring: Ring,
        *,
        stdout: bool = False,
        fsync: bool = False,
        file_bytes: int = FILE_BYTES,
        clock: Callable[[], str] = now,
    ) -> None:
        """`clock`: the time in UTC as the lines have it."""
        self._folder = folder
        self._ring = ring
        self._stdout = stdout
        self._fsync = fsync
        self._descriptor: int | None = None
        self._size = 0
        self._file_bytes = file_bytes
        self._clock = clock
        self._day = ""
        self._common: AuditLine = {
            "service.name": "claim-scrubber",
            "service.version": service_version(),
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
        self._before: tuple[Head, Loss | None] | None = None
        """The chain that was lost under us or has ended, until the new one names it."""
        self.head = Head()

    @classmethod
    def of(cls, settings: Settings, ring: Ring, *, stdout: bool = False) -> Self:
        """As the settings have it. `stdout`: whether this process may copy its lines to standard output."""
        copied, most = stdout and settings.audit_stdout, settings.audit_file_bytes
        return cls(settings.audit_path, ring, stdout=copied, fsync=settings.audit_fsync, file_bytes=most)

    @property
    def file(self) -> Path:
        return self._folder / file_name(self.head.chain)

    def write(self, lines: Sequence[AuditLine | bytes]) -> Head:
        """Appends the lines with one write, and answers where the chain then stands; bytes: a line as JSON.

        Once it answers, the lines are in the file of that name: where it was removed, moved or changed under us, they
        are in a new one, whose first line says so.

        Raises:
            AuditUnwritable: and the chain stands where it stood.
        """
        if not lines:
            return self.head
        try:
            for _ in range(_ATTEMPTS):
                self._ready()
                block = self._append(lines)
                if self._lost() is None:
                    self._copy(block)
                    return self.head
        except OSError as error:
            raise _unwritable(self.file, error) from None
        mend = "Find out what takes them away"
        raise AuditUnwritable(file=self.file, reason="each new file is taken away at once", mend=mend)

    def turn(self, ring: Ring) -> None:
        """Goes on under the key of this ring that is in force, unless it is at a later one."""
        if ring.place >= self._ring.place:
            self._ring = ring

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _ready(self) -> None:
        """A file that holds all that was written to it, and may take more."""
        if self._descriptor is not None and ((loss := self._lost()) or self._full()):
            self._before = (self.head, loss)
            self.close()
        if self._descriptor is None:
            self._open()

    def _lost(self) -> Loss | None:
        """What happened to the file; None: it is where it was, and as long as we made it."""
        assert self._descriptor is not None
        ours = os.fstat(self._descriptor)
        try:
            there = os.stat(self.file)
        except (FileNotFoundError, NotADirectoryError):
            there = None
        if not ours.st_nlink:
            return "replaced" if there else "removed"
        if there is None or not os.path.samestat(ours, there):
            return "moved"
        if ours.st_size == self._size:
            return None
        return "truncated" if ours.st_size < self._size else "appended"

    def _full(self) -> bool:
        """A clock that was set back makes no new file."""
        return self._size >= self._file_bytes or self._clock()[:10] > self._day

    def _next(self) -> str:
        """Name of a new chain: what follows a file that has ended is numbered."""
        if self._before and self._before[1] is None:
            return following(self._before[0].chain)
        return f"{host_name()}-{os.getpid()}-{secrets.token_hex(4)}"

    def _open(self) -> None:
        make_folder(self._folder)
        chain = self._next()
        file = self._folder / file_name(chain)
        self._descriptor, self._size = open_private(file, os.O_WRONLY | os.O_EXCL | os.O_APPEND), 0
        self.head = Head(chain, 0, "")
        opened: AuditLine = {"event.action": "audit.opened", "event.outcome": "success", "log.level": "info"}
        if self._before:
            head, loss = self._before
            opened |= {
                "audit.previous_chain": head.chain, "audit.previous_seq": head.seq, "audit.previous_mac": head.mac,
            }  # fmt: skip
            if loss:
                opened |= {"event.outcome": "failure", "log.level": "error", "audit.lost": loss}
        try:
            block = self._append([opened])
        except OSError:  # a chain begins with this line or not at all
            self.close()
            file.unlink(missing_ok=True)
            raise
        self._day = self._clock()[:10]
        self._copy(block)
        if self._before and self._before[1]:
            head, loss = self._before
            error = AuditFileLost(file=self._folder / file_name(head.chain), loss=loss, seq=head.seq, new=file)
            log(__name__).error(str(error), **{"event.action": "audit.lost"})
        self._before = None

    def _append(self, lines: Sequence[AuditLine | bytes]) -> bytes:
        chain, seq, mac, key = self.head.chain, self.head.seq, self.head.mac, self._ring.active
        begin = orjson.dumps({"@timestamp": self._clock(), **self._common})[:-1]
        end = orjson.dumps({"audit.chain": chain, "audit.key": key.id})[1:-1]
        macs = mac_key(key)
        blocks = list[bytes]()
        for line in lines:
            seq += 1
            own = line if isinstance(line, bytes) else orjson.dumps(line, default=str)
            body = b'%b,%b,%b,"audit.seq":%d}' % (begin, own[1:-1], end, seq)
            mac = mac_of(macs, mac, body)
            blocks += (body[:-1], MAC, mac.encode(), b'"}\n')
        block = b"".join(blocks)
        self._put(block)
        self.head = Head(chain, seq, mac, sealed(key, chain, seq, mac))
        return block

    def _copy(self, block: bytes) -> None:
        if self._stdout:
            outputs.standard(1).put(block)

    def _put(self, block: bytes) -> None:
        """All of it or, after a disk that is full, none of it: a torn line in the middle would look like tampering."""
        assert self._descriptor is not None
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if self._fsync:
                os.fsync(self._descriptor)
        except OSError:
            if os.fstat(self._descriptor).st_size > self._size:
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(block)


def host_name(name: str | None = None) -> str:
    """Name of a host, by default this one's, as it is in the names of chains."""
    return "".join(c for c in name or socket.gethostname() if c.isalnum() or c in "-.") or "host"


def file_name(chain: str) -> str:
    """Name of the file of a chain, in the audit folder."""
    return f"audit-{chain}.jsonl"


def chain_of(name: str) -> str | None:
    """The chain of a file of this name, also where log rotation added to it; None: it is no name of an audit file."""
    found = _NAMED.match(name)
    return found[1] if found else None


def numbered(chain: str) -> tuple[str, int]:
    """The first chain of the sequence that this one belongs to, and which of its files it is, from 1."""
    found = _NUMBERED.fullmatch(chain)
    return (found[1], int(found[2])) if found else (chain, 1)


def of_number(first: str, number: int) -> str:
    """The chain of a sequence by its number."""
    return first if number == 1 else f"{first}_{number:04d}"


def following(chain: str) -> str:
    """The chain of the next file of a sequence."""
    first, number = numbered(chain)
    return of_number(first, number + 1)


def mac_key(key: Key) -> bytes:
    """The key of the macs, derived from one of the ring."""
    return derived(key.secret, b"audit chain")


def mac_of(key: bytes, before: str, body: bytes) -> str:
    """The mac of a line without it, after the mac of the line before."""
    return keyed(key, before.encode() + body).hex()
