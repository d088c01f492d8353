"""The audit log: one JSON object a line, chained, in a file of each process's own.

A line ends in `"audit.mac"`: HMAC-SHA-256 over the mac of the line before and this line without it. The commit script
keeps the head (number and mac) of each chain in Redis, so that a cut tail shows as well. Lines are written before
the commit of their batch: the log may hold a decision twice and never misses one.
"""

from __future__ import annotations

import hmac
import itertools
import os
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import orjson

from worker import outputs
from worker.auditline import AuditLine, now
from worker.commit import Head
from worker.errors import AuditUnwritable, NoAuditFile
from worker.secret import keyed

_MAC = b',"audit.mac":"'
_FIRST = b'{"@timestamp":'
_NAMED = re.compile(r"audit-(.+)\.jsonl")


def service_version() -> str:
    """Version of the installed package; `0` where it runs from a folder."""
    try:
        return version("claim-scrubber")
    except PackageNotFoundError:
        return "0"


def check_folder(folder: Path) -> None:
    """Makes the folder where it is missing.

    Raises:
        AuditUnwritable: no file can be made in it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK | os.X_OK) else "no permission"
    except OSError as error:
        reason = "it is no folder" if folder.exists() else error.strerror
    if reason:
        raise AuditUnwritable(file=folder, reason=reason)


class Audit:
    """Writes one chain. Make it after the fork: two writers on one chain would break it."""

    def __init__(self, folder: Path, secret: bytes, *, stdout: bool = False, fsync: bool = False) -> None:
        self._folder = folder
        self._key = _key(secret)
        self._stdout = stdout
        self._fsync = fsync
        self._descriptor: int | None = None
        self._size = 0
        self._common: AuditLine = {
            "service.name": "claim-scrubber",
            "service.version": service_version(),
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
        self.head = Head()

    @property
    def file(self) -> Path:
        return self._folder / f"audit-{self.head.chain}.jsonl"

    def write(self, lines: Sequence[AuditLine | bytes]) -> Head:
        """Appends the lines with one write, and answers where the chain then stands; bytes: a line as JSON.

        Raises:
            AuditUnwritable: and the chain stands where it stood.
        """
        if not lines:
            return self.head
        try:
            if self._descriptor is None:
                self._open()
            return self._append(lines)
        except OSError as error:
            raise AuditUnwritable(file=self.file, reason=error.strerror) from None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        host = "".join(c for c in socket.gethostname() if c.isalnum() or c in "-.") or "host"
        chain = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.head = Head(chain, 0, "")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor, self._size = os.open(self.file, flags, 0o600), 0
        opened: AuditLine = {"event.action": "audit.opened", "event.outcome": "success", "log.level": "info"}
        self._append([opened])

    def _append(self, lines: Sequence[AuditLine | bytes]) -> Head:
        assert self._descriptor is not None
        chain, seq, mac = self.head.chain, self.head.seq, self.head.mac
        begin = orjson.dumps({"@timestamp": now(), **self._common})[:-1]
        end = orjson.dumps({"audit.chain": chain})[1:-1]
        blocks = list[bytes]()
        for line in lines:
            seq += 1
            own = line if isinstance(line, bytes) else orjson.dumps(line, default=str)
            body = b'%b,%b,%b,"audit.seq":%d}' % (begin, own[1:-1], end, seq)
            mac = _mac(self._key, mac, body)
            blocks += (body[:-1], _MAC, mac.encode(), b'"}\n')
        block = b"".join(blocks)
        self._put(block)
        self.head = head = Head(chain, seq, mac)
        if self._stdout:
            outputs.standard(1).put(block)
        return head

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
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(block)


def _key(secret: bytes) -> bytes:
    return keyed(secret, b"audit chain")


def _mac(key: bytes, before: str, body: bytes) -> str:
    return keyed(key, before.encode() + body).hex()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check of an audit file found."""

    file: Path
    state: Literal["sound", "torn", "tampered"]
    """torn: sound, but for a last line that a crash cut off before its batch was committed."""
    lines: int
    """Lines that verify, from the first on."""
    chain: str | None
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}: {self.sentence}"


def verify(file: Path, secret: bytes, head: Head | None = None) -> Verdict:
    """Whether the file is as it was written: no line changed, removed, reordered, forged, and no tail cut off.

    `head` is what Redis keeps for the chain (`wiring.chain_head`); without it a cut tail cannot be seen.

    Raises:
        OSError: the file cannot be read.
        NoAuditFile: it is something else.
    """
    key, before, count, name = _key(secret), Head(), 0, None
    torn = False
    held = head is None
    with file.open("rb") as lines:
        for raw in lines:
            if (
                not count
                and not raw.startswith(_FIRST)
                and not any(_MAC in line for line in itertools.chain([raw], lines))
            ):
                raise NoAuditFile(file=file)
            if not raw.endswith(b"\n"):
                torn = True
                break
            found = _line(raw, before, key)
            if isinstance(found, str):
                return Verdict(file, "tampered", count, name, f"line {count + 1}: {found}")
            before, count, name = found, count + 1, found.chain
            if head and found.seq == head.seq:
                if found.mac != head.mac or found.chain != head.chain:
                    return Verdict(file, "tampered", count, name, f"line {count}: not the line that was committed")
                held = True
    if not held and head:
        sentence = f"the end is cut off: {head.seq} lines were committed, {count} are there"
        return Verdict(file, "tampered", count, name, sentence)
    known = "" if head else "; without Redis, whether the end is cut off is not known"
    if torn:
        text = f"{count} lines are sound; the last line was cut off by a crash before its batch was committed{known}"
        return Verdict(file, "torn", count, name, text)
    if not count:
        chain = _NAMED.fullmatch(file.name)
        sentence = f"there is no line in it: its process ended before the first{known}"
        return Verdict(file, "torn", 0, chain[1] if chain else None, sentence)
    return Verdict(file, "sound", count, name, f"{count} lines are sound{known}")


def _line(raw: bytes, before: Head, key: bytes) -> Head | str:
    """Where the chain stands after this line, or what is wrong with it."""
    at = raw.rfind(_MAC)
    tail = raw[at + len(_MAC) :]
    if at < 0 or len(tail) != 67 or not tail.endswith(b'"}\n'):
        return "this is not an audit line"
    body, mac = raw[:at] + b"}", tail[:64].decode("ascii", "replace")
    try:
        line = orjson.loads(body)
        chain, seq = line["audit.chain"], line["audit.seq"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "this is not an audit line"
    if not isinstance(chain, str) or not isinstance(seq, int):
        return "this is not an audit line"
    if before.chain and chain != before.chain:
        return "this line is of another file"
    if seq != before.seq + 1:
        return f"expected number {before.seq + 1}, found {seq}: lines were removed, added or reordered"
    if not hmac.compare_digest(mac.encode(), _mac(key, before.mac, body).encode()):
        return "the line was changed, or written without the key"
    return Head(chain, seq, mac)
