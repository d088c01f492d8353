"""Reading files of claims: one JSON object, an array of them, or NDJSON; plain claims or CloudEvents, by content.

Every document of a file is either read or refused with its position; none is passed over in silence.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from typing import IO, Any, cast

from rules.claim import Claim, read_claim
from rules.errors import ClaimInvalid, Problem
from worker.errors import EventInvalid
from worker.intake.events import ClaimEvent, decode, parse_event

ARRAY_LIMIT = 64 * 2**20
"""Bytes of a file that holds one array; NDJSON has no such limit, as it is read line by line."""
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Document:
    """A claim that could be read."""

    file: str
    position: str
    """`line 3`, or `item 3` of an array, both counted from 1; in an X12 file control numbers, claim and segment."""
    number: int
    claim: Claim
    value: dict[str, Any]
    """The decoded JSON as it came: the claim, or the CloudEvent around it."""
    event: ClaimEvent | None = None
    """The envelope, where the document is a CloudEvent."""
    origin: str = ""
    """Of a claim in an X12 file: control number and ordinal of interchange, group and set, and the claim's ordinal."""
    trace: Mapping[str, Any] | None = field(default=None, repr=False)
    """Of a claim in an X12 file: what its acknowledgement needs beside the claim; identifies persons."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document, or a whole file, that could not be read."""

    file: str
    position: str
    number: int
    """As of a Document; 0 where it is not one document but the file or its envelope."""
    problems: tuple[Problem, ...]
    origin: str = ""
    trace: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def sentence(self) -> str:
        """The first problem; `problems` has them all. It may quote an unknown key: for the user, not for a log."""
        return str(self.problems[0])

    def __str__(self) -> str:
        where = f"{self.file}: {self.position}" if self.position else self.file
        more = len(self.problems) - 1
        return f"{where}: {self.sentence}" + (f" (and {more} more)" if more else "")


def read_documents(name: str, stream: IO[bytes], *, limit: int = 2**20) -> Iterator[Document | Refusal]:
    """Every document of the stream, in order; `limit`: bytes of one document.

    Never raises for what is in the stream; errors of reading it (OSError) pass through.
    """
    reader = _unzipped(stream)
    try:
        yield from _read(name, reader, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        yield _refusal(name, "", 0, "the gzip stream is cut off or damaged; what came before it was read")


def _unzipped(stream: IO[bytes]) -> BufferedReader:
    reader = stream if isinstance(stream, BufferedReader) else BufferedReader(cast(Any, stream))
    if reader.peek(2)[:2] == b"\x1f\x8b":
        return BufferedReader(cast(Any, gzip.GzipFile(fileobj=reader, mode="rb")))
    return reader


def _read(name: str, reader: BufferedReader, limit: int) -> Iterator[Document | Refusal]:
    number, line = _first_line(reader, limit)
    start = line.lstrip()[:4]
    if not start:
        yield _refusal(name, "", 0, "the file is empty")
    elif start.startswith((b"ISA", b"GS*", b"ST*")):
        from worker.intake.x12 import read_x12  # it makes the Documents of this module

        yield from read_x12(name, reader, limit=limit, ahead=line)
    elif start.startswith(b"["):
        yield from _array(name, reader, line)
    elif start.startswith(b"{"):
        following = _next_line(reader, limit)
        if len(line) > limit or not following or following.lstrip().startswith(b"{") or _is_json(line):
            yield from _lines(name, reader, limit, number, [line, following])
        else:
            rest = line + following + reader.read(limit + 1)
            yield _one(name, f"line {number}", number, rest, limit)
    else:
        sentence = "this is neither JSON nor NDJSON: expected a claim or a CloudEvent that begins with {"
        if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line[:4]:
            sentence = "expected UTF-8, this looks like UTF-16 or UTF-32"
        yield _refusal(name, f"line {number}", number, sentence)


def _first_line(reader: BufferedReader, limit: int) -> tuple[int, bytes]:
    """The first line with something in it, and its number; empty at the end of the file."""
    number = 0
    while True:
        line = _next_line(reader, limit)
        number += 1
        if number == 1:
            line = line.removeprefix(_MARK)
            if not line:
                line = _next_line(reader, limit)
        if not line or line.strip():
            return number, line


def _next_line(reader: BufferedReader, limit: int) -> bytes:
    """A line with its end, or the first `limit` + 2 bytes of a longer one."""
    return reader.readline(limit + 2)


def _skip_line(reader: BufferedReader) -> None:
    """Passes over the rest of a line without holding it."""
    while part := reader.readline(2**16):
        if part.endswith(b"\n"):
            return


def _lines(
    name: str, reader: BufferedReader, limit: int, number: int, ahead: list[bytes]
) -> Iterator[Document | Refusal]:
    while line := ahead.pop(0) if ahead else _next_line(reader, limit):
        if len(line) > limit + 1 and not line.endswith(b"\n"):
            if not ahead or not ahead[0]:
                _skip_line(reader)
            else:
                _skip_ahead(reader, ahead)
            yield _refusal(name, f"line {number}", number, f"the document has more than {limit} bytes")
        elif line.strip():
            yield _one(name, f"line {number}", number, line, limit)
        number += 1


def _skip_ahead(reader: BufferedReader, ahead: list[bytes]) -> None:
    """As `_skip_line`, where a part of the long line has been read ahead."""
    if not ahead.pop(0).endswith(b"\n"):
        _skip_line(reader)


def _array(name: str, reader: BufferedReader, line: bytes) -> Iterator[Document | Refusal]:
    raw = line + reader.read(ARRAY_LIMIT)
    if len(raw) > ARRAY_LIMIT:
        yield _refusal(name, "", 0, f"an array of more than {ARRAY_LIMIT} bytes is not read; send it as NDJSON")
        return
    try:
        values = decode(raw)
    except EventInvalid as error:
        yield Refusal(name, "", 0, error.problems)
        return
    if not values:
        yield _refusal(name, "", 0, "the array is empty")
    for number, value in enumerate(values, 1):
        yield _parsed(name, f"item {number}", number, value)


def _one(name: str, position: str, number: int, raw: bytes, limit: int) -> Document | Refusal:
    if len(raw.rstrip()) > limit:
        return _refusal(name, position, number, f"the document has more than {limit} bytes")
    text = raw.strip(b"\r\n")
    try:
        value = decode(text)
    except EventInvalid as error:
        where = error.problems[0]
        column = where.path.removeprefix("line 1 ") if b"\n" not in text else where.path
        return Refusal(name, position, number, (Problem(column, where.sentence, column),))
    return _parsed(name, position, number, value)


def _is_json(line: bytes) -> bool:
    try:
        decode(line)
    except EventInvalid:
        return False
    return True


def _parsed(name: str, position: str, number: int, value: object) -> Document | Refusal:
    if not isinstance(value, dict):
        return _refusal(name, position, number, "expected an object: a claim, or a CloudEvent that holds one")
    if "resourceType" in value:
        return _refusal(name, position, number, "this is a FHIR resource, which is not read yet")
    try:
        if "specversion" in value:
            submission = parse_event(value)
            return Document(name, position, number, submission.claim, value, submission.event)
        return Document(name, position, number, read_claim(value), value)
    except (EventInvalid, ClaimInvalid) as error:
        return Refusal(name, position, number, error.problems)


def _refusal(name: str, position: str, number: int, sentence: str) -> Refusal:
    return Refusal(name, position, number, (Problem("", sentence),))
