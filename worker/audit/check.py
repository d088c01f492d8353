"""Whether an audit file is as it was written, line by line, and ends where it was committed."""

from __future__ import annotations

import hmac
import itertools
from dataclasses import dataclass
from pathlib import Path

import orjson

from worker.audit.lines import FileState
from worker.audit.log import FIRST, MAC, Head, chain_of, mac_key, mac_of, sealed
from worker.errors import NoAuditFile
from worker.store.keyring import Ring

_CHANGED = "the line was changed, or written without the key"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What the check of an audit file found."""

    file: Path
    state: FileState
    """torn: sound, but for a last line that a crash cut off before its batch was committed. unknown: of a chain that
    Redis does not know. wrong key: written under a key that the ring does not have."""
    lines: int
    """Lines that verify, from the first on."""
    chain: str | None
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, and what is wrong with it; empty: nothing."""

    head: Head
    key: str = ""
    """Id of its key; empty of a line until 0.1.1."""
    fault: str = ""
    state: FileState = "tampered"


def verify(file: Path, ring: Ring, head: Head | None = None, *, told: bool = False) -> FileCheck:
    """Whether the file is as it was written: no line changed, removed, reordered, forged, and no tail cut off.

    `head`: what Redis keeps for the chain (`chains.chain_head`); without it a cut tail cannot be seen. `told`: the head
    is from a line that retired the chain, so that a mac is as good as a seal.

    Raises:
        OSError: the file cannot be read.
        NoAuditFile: it is something else.
    """
    before, count, name = _Line(Head()), 0, None
    torn = False
    held = head is None
    with file.open("rb") as lines:
        for raw in lines:
            if (
                not count
                and not raw.startswith(FIRST)
                and not any(MAC in line for line in itertools.chain([raw], lines))
            ):
                raise NoAuditFile(file=file)
            if not raw.endswith(b"\n"):
                torn = True
                break
            found = _line(raw, before, ring)
            if found.fault:
                if not count and found.fault == _CHANGED and not _any_verifies(file, ring):
                    return _of_another(file, chain_of(file.name))
                return FileCheck(file, found.state, count, name, f"line {count + 1}: {found.fault}")
            before, count, name = found, count + 1, found.head.chain
            if head and found.head.seq == head.seq:
                if state := _differs(found, head, ring, told=told):
                    return FileCheck(file, state[0], count, name, f"line {count}: {state[1]}")
                held = True
    if not held and head:
        sentence = f"the end is cut off: {head.seq} lines were committed, {count} are there"
        return FileCheck(file, "tampered", count, name, sentence)
    known = "" if head else "; without Redis, whether the end is cut off is not known"
    if torn:
        text = f"{count} lines are sound; the last line was cut off by a crash before its batch was committed{known}"
        return FileCheck(file, "torn", count, name, text)
    if not count:
        sentence = f"there is no line in it: its process ended before the first{known}"
        return FileCheck(file, "torn", 0, chain_of(file.name), sentence)
    return FileCheck(file, "sound", count, name, f"{count} lines, none changed{known}")


def _of_another(file: Path, chain: str | None) -> FileCheck:
    sentence = "wrong key: not one line verifies under the keys that are here; verify it with the secret of its workers"
    return FileCheck(file, "wrong key", 0, chain, sentence)


def agrees(head: Head, chain: str, seq: int, mac: str, ring: Ring) -> bool | None:
    """Whether a head is that of this line; None: it is sealed under a key that is not here."""
    if not head.seal:
        return (head.chain, head.seq, head.mac) == (chain, seq, mac)
    key = ring.find(head.seal.partition(":")[0])
    if key is None:
        return None
    return hmac.compare_digest(sealed(key, chain, seq, mac).encode(), head.seal.encode())


def _differs(found: _Line, head: Head, ring: Ring, *, told: bool) -> tuple[FileState, str] | None:
    """What is wrong where the head is; None: it is the line that was committed."""
    if found.key and not head.seal and not told:
        return "tampered", "its head in Redis is not sealed: somebody else than a worker wrote it there"
    same = agrees(head, found.head.chain, found.head.seq, found.head.mac, ring)
    if same is None:
        return "wrong key", f"its head in Redis is sealed with {_wanted(head.seal.partition(':')[0], ring)}"
    return None if same else ("tampered", "not the line that was committed")


def _wanted(key: str, ring: Ring) -> str:
    return f"the key {key}, which is not in {ring.file} here; copy the ring from a machine that has it"


def _any_verifies(file: Path, ring: Ring) -> bool:
    """Whether any line is as one of the keys would have it, after the mac before it."""
    keys, before = [mac_key(key) for key in ring.keys], ""
    with file.open("rb") as lines:
        for raw in lines:
            body, mac = _cut(raw)
            if mac and any(hmac.compare_digest(mac.encode(), mac_of(key, before, body).encode()) for key in keys):
                return True
            before = mac
    return False


def _cut(raw: bytes) -> tuple[bytes, str]:
    """A line without its mac, and that; empty: it is no audit line."""
    at = raw.rfind(MAC)
    tail = raw[at + len(MAC) :]
    if at < 0 or len(tail) != 67 or not tail.endswith(b'"}\n'):
        return b"", ""
    return raw[:at] + b"}", tail[:64].decode("ascii", "replace")


def _line(raw: bytes, before: _Line, ring: Ring) -> _Line:
    """Where the chain stands after this line."""
    body, mac = _cut(raw)
    nothing = _Line(Head(), fault="this is not an audit line")
    try:
        line = orjson.loads(body)
        chain, seq, key = line["audit.chain"], line["audit.seq"], line.get("audit.key", "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return nothing
    if not (isinstance(chain, str) and isinstance(seq, int) and isinstance(key, str)):
        return nothing
    found = _Line(Head(chain, seq, mac), key)
    place = _place(key, ring) if key else 0
    fault = _misplaced(found, before, place, ring)
    if fault:
        return _Line(found.head, key, fault)
    if place < 0:
        return _Line(found.head, key, f"wrong key: it was written with {_wanted(key, ring)}", "wrong key")
    if not hmac.compare_digest(mac.encode(), mac_of(mac_key(ring.keys[place]), before.head.mac, body).encode()):
        return _Line(found.head, key, _CHANGED)
    return found


def _place(key: str, ring: Ring) -> int:
    """Which key of the ring it is, by its id; -1: none."""
    return next((at for at, one in enumerate(ring.keys) if one.id == key), -1)


def _misplaced(found: _Line, before: _Line, place: int, ring: Ring) -> str:
    """Why this line does not follow that one; empty: it does."""
    seq, last = found.head.seq, before.head
    if last.chain and found.head.chain != last.chain:
        return "this line is of another file"
    if seq != last.seq + 1:
        return f"expected number {last.seq + 1}, found {seq}: lines were removed, added or reordered"
    former = _place(before.key, ring) if before.key else len(ring.keys)
    if last.chain and found.key != before.key and 0 <= place <= former:
        return f"its key {found.key or '(none)'} was in force before that of the line before it"
    return ""
