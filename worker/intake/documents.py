"""Reading files of claims: one JSON object, an array of them, or NDJSON; claims, CloudEvents or FHIR, by content.

Every document of a file is read, refused with its position, or named as passed by; none is dropped in silence. An
array of CloudEvents is their JSON batch format; gzip is read with one member or several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from typing import IO, Any, cast

from rules.claim import Claim, read_claim
from rules.errors import ClaimInvalid, Problem
from worker.errors import EventInvalid
from worker.intake.events import ClaimEvent, claim_of, decode, parse_event
from worker.intake.fhir import read_fhir, with_source
from worker.intake.gunzip import Gunzip
from worker.intake.resource import Targets

ARRAY_LIMIT = 64 * 2**20
"""Bytes of one array or FHIR Bundle; NDJSON has no such limit, as it is read line by line."""
_MARK = b"\xef\xbb\xbf"
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"')


@dataclass(frozen=True, slots=True)
class Document:
    """A claim that could be read."""

    file: str
    position: str
    """`line 3`, `item 3` of an array, `line 3 entry 2` of a Bundle; all count from 1. In an X12 file control numbers,
    claim and segment."""
    number: int
    claim: Claim
    value: dict[str, Any]
    """The claim in the form of the claim model, or the CloudEvent around it, as decoded JSON."""
    event: ClaimEvent | None = None
    """The envelope, where the document is a CloudEvent."""
    origin: str = ""
    """What the file itself calls this claim, for the id of its event; empty: its number. Of a claim in an X12 file:
    control number and ordinal of interchange, group and set, and the claim's ordinal."""
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


@dataclass(frozen=True, slots=True)
class Passed:
    """A FHIR resource that is no Claim: nothing is wrong with it, and nothing is checked."""

    file: str
    position: str
    number: int
    kind: str
    """Its resource type."""


Found = Document | Refusal | Passed


def read_documents(name: str, stream: IO[bytes], *, limit: int = 2**20) -> Iterator[Found]:
    """Every document of the stream, in order; `limit`: bytes of one document.

    Never raises for what is in the stream; errors of reading it (OSError) pass through.
    """
    packed = stream if isinstance(stream, BufferedReader) else BufferedReader(cast(Any, stream))
    unpacked = Gunzip(packed) if packed.peek(2)[:2] == b"\x1f\x8b" else None
    passed = others = 0
    for found in _read(name, BufferedReader(unpacked) if unpacked else packed, limit, Targets()):
        passed += isinstance(found, Passed)
        others += not isinstance(found, Passed)
        yield found
    if unpacked and unpacked.damaged:
        yield _refusal(
            name, "", 0, "the gzip stream is cut off or damaged; what could be unpacked before that was read"
        )
    elif not others:
        yield _refusal(name, "", 0, f"there is no Claim among its {passed} FHIR resource{'s' * (passed != 1)}")


def _read(name: str, reader: BufferedReader, limit: int, known: Targets) -> Iterator[Found]:
    number, line = _first_line(reader, limit)
    start = line.lstrip()[:4]
    if not start:
        yield _refusal(name, "", 0, "the file is empty")
    elif start.startswith((b"ISA", b"GS*", b"ST*")):
        from worker.intake.x12 import read_x12  # it makes the Documents of this module

        yield from read_x12(name, reader, limit=limit, ahead=line)
    elif start.startswith(b"["):
        yield from _array(name, reader, line, known)
    elif start.startswith(b"{"):
        following = _next_line(reader, limit)
        if len(line) > limit or not following or following.lstrip().startswith(b"{") or _is_json(line):
            yield from _lines(name, reader, limit, number, [line, following], known)
        else:
            rest = line + following + reader.read(limit + 1)
            if len(rest) > limit and _BUNDLE.search(rest):
                rest += reader.read(ARRAY_LIMIT)
            yield from _one(name, f"line {number}", number, rest, limit, known)
    elif _is_json(line):
        yield from _lines(name, reader, limit, number, [line], known)
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
    name: str, reader: BufferedReader, limit: int, number: int, ahead: list[bytes], known: Targets
) -> Iterator[Found]:
    while line := ahead.pop(0) if ahead else _next_line(reader, limit):
        if len(line) > limit + 1 and not line.endswith(b"\n"):
            line = _long_line(reader, line + (ahead.pop(0) if ahead else b""))
        if line.strip():
            yield from _one(name, f"line {number}", number, line, limit, known)
        number += 1


def _long_line(reader: BufferedReader, line: bytes) -> bytes:
    """The whole line where it is a Bundle, which may be as long as an array; else enough to see that it is too long."""
    if _BUNDLE.search(line) and not line.endswith(b"\n"):
        line += reader.readline(ARRAY_LIMIT)
    if not line.endswith(b"\n"):
        _skip_line(reader)
    return line


def _array(name: str, reader: BufferedReader, line: bytes, known: Targets) -> Iterator[Found]:
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
        yield from _parsed(name, f"item {number}", number, value, known)


def _one(name: str, position: str, number: int, raw: bytes, limit: int, known: Targets) -> Iterator[Found]:
    size, most = len(raw.rstrip()), limit
    if size > limit and _BUNDLE.search(raw):
        most = ARRAY_LIMIT
    if size > most:
        yield _refusal(name, position, number, f"the document has more than {most} bytes")
        return
    text = raw.strip(b"\r\n")
    try:
        value = decode(text)
    except EventInvalid as error:
        where = error.problems[0]
        column = where.path.removeprefix("line 1 ") if b"\n" not in text else where.path
        yield Refusal(name, position, number, (Problem(column, where.sentence, column),))
        return
    if size > limit and not (isinstance(value, dict) and value.get("resourceType") == "Bundle"):
        yield _refusal(name, position, number, f"the document has more than {limit} bytes")
        return
    yield from _parsed(name, position, number, value, known)


def _is_json(line: bytes) -> bool:
    try:
        decode(line)
    except EventInvalid:
        return False
    return True


def _parsed(name: str, position: str, number: int, value: object, known: Targets) -> Iterator[Found]:
    if not isinstance(value, dict):
        sentence = "expected an object: a claim, a CloudEvent or a FHIR resource; this is another kind of JSON"
        yield _refusal(name, position, number, sentence)
    elif "resourceType" in value:
        yield from _resources(name, position, number, value, known)
    else:
        try:
            if "specversion" in value:
                submission = parse_event(value)
                yield Document(name, position, number, submission.claim, value, submission.event)
            else:
                yield Document(name, position, number, claim_of(value), value)
        except (EventInvalid, ClaimInvalid) as error:
            yield Refusal(name, position, number, error.problems)


def _resources(name: str, position: str, number: int, value: dict[str, Any], known: Targets) -> Iterator[Found]:
    """The claims of a FHIR resource, and what else is in it; `known`: the resources of the lines before."""
    for found in read_fhir(value, known):
        place = f"{position} entry {found.number}" if found.number else position
        if found.problems:
            yield Refusal(name, place, number, found.problems)
        elif found.claim is None:
            yield Passed(name, place, number, found.kind)
        else:
            try:
                claim = read_claim(found.claim)
            except ClaimInvalid as error:
                yield Refusal(name, place, number, tuple(map(with_source, error.problems)))
            else:
                origin = f"{number}.{found.number}" if found.number else ""
                yield Document(name, place, number, claim, found.claim, origin=origin)


def _refusal(name: str, position: str, number: int, sentence: str) -> Refusal:
    return Refusal(name, position, number, (Problem("", sentence),))
