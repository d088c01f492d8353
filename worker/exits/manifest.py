"""The manifest of a split: where each claim of the original is, and which number stands for which.

It identifies no patient but by the claim's own number (CLM01), as the audit log does, and has no digest of a single
claim, whose content could be guessed by it: place and length lead to its bytes. The published schema is made of
the types here; rows are written one at a time, so that memory does not grow with the file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Literal

from rules.report import BookId
from worker.exits.classes import Class, OutgoingClass
from worker.logs.printable import json_bytes

VERSION: Literal[1] = 1
FileClass = OutgoingClass | Literal["answer", "reports"]


@dataclass(frozen=True)
class Original:
    """The file that was split."""

    file: str
    bytes: int
    sha256: str
    packed: bool
    """It came as gzip; offsets are those of what was packed."""
    file_hex: str | None = None
    """Its name exactly, where it is not UTF-8."""


@dataclass(frozen=True)
class SplitFile:
    """A file that was written. `answer`: TA1, 999 and 277CA to the sender; `reports`: a report a line, as JSON."""

    kind: FileClass
    file: str
    bytes: int
    sha256: str
    claims: int | None = None
    charge: str | None = None
    send: bool = False
    """It is to be sent to the payers."""


@dataclass(frozen=True)
class Control:
    """A control number, or BHT03, of the original, and what stands for it in the file; `?`: it was none."""

    original: str
    new: str


@dataclass(frozen=True)
class SplitSet:
    """A transaction set of a file. BHT03 is null where the set has no BHT."""

    kind: OutgoingClass
    send: bool
    isa13: Control
    gs06: Control
    st02: Control
    bht03: Control | None


@dataclass(frozen=True)
class Repair:
    """A value that was written otherwise here, in the bytes of a claim."""

    path: str
    """Of the claim, as a JSON pointer."""
    was: str
    becomes: str


@dataclass(frozen=True)
class SplitClaim:
    """A claim of the original; there is a row for each, in its order; of a later number, for each that leaves then."""

    number: int
    position: str
    """Control numbers, claim and segment, as in messages."""
    claim_id: str | None
    """CLM01; null: it could not be read."""
    kind: Class
    codes: tuple[str, ...]
    """Of what holds it."""
    why: str | None
    """Why it is refused or repeated, or undecided; of a waived one, what was waived."""
    first: int | None
    """Number of the claim that it repeats, of this file."""
    first_file: str | None
    """Name of the file that had it first, where that is another."""
    send: bool
    """Whether the file that it is in is to be sent."""
    charge: str | None
    offset: int
    """Where it begins in the original: with CLM, and up to the next CLM, HL or SE."""
    bytes: int
    repairs: tuple[Repair, ...] = ()
    """What was written otherwise of it; its bytes in the file are the original's but for that."""


@dataclass(frozen=True)
class Total:
    """Claims and dollars of a class."""

    claims: int
    charge: str


@dataclass(frozen=True)
class Manifest:
    """What became of one file."""

    version: Literal[1]
    trial: bool
    """Nothing of it is to be sent: the ledger was not asked."""
    number: int
    """1: the whole of the original. From 2 on: claims of it that were held, and were waived or repaired here since."""
    written: str
    original: Original
    book: BookId
    totals: dict[Class, Total]
    """Of every class; of the first, their claims add up to those of the original."""
    files: tuple[SplitFile, ...]
    faults: tuple[str, ...]
    """Of the file and its envelopes."""
    sets: tuple[SplitSet, ...]
    claims: tuple[SplitClaim, ...]


class Rows:
    """Rows of a list of the manifest, until it is written."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115
        self._count = 0

    def add(self, row: SplitSet | SplitClaim) -> None:
        """One more."""
        self._file.write((b",\n    " if self._count else b"\n    ") + json_bytes(row))
        self._count += 1

    def pour(self, out: IO[bytes]) -> None:
        """Writes all of them as a list."""
        out.write(b"[")
        self._file.seek(0)
        shutil.copyfileobj(self._file, out)
        out.write(b"\n  ]" if self._count else b"]")

    def close(self) -> None:
        """Lets go of them."""
        self._file.close()


def write(out: IO[bytes], head: Mapping[str, Any], files: Iterable[SplitFile], sets: Rows, claims: Rows) -> None:
    """Writes a `Manifest`."""
    out.write(b"{\n")
    for name, value in {"version": VERSION, **head, "files": tuple(files)}.items():
        out.write(b'  "%s": %s,\n' % (name.encode(), json_bytes(value)))
    for name, rows in (("sets", sets), ("claims", claims)):
        out.write(b'  "%s": ' % name.encode())
        rows.pour(out)
        out.write(b",\n" if name == "sets" else b"\n}\n")
