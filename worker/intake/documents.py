"""Reading files of claims: one JSON object, an array of them, or NDJSON; claims, CloudEvents or FHIR, by content.

Every document of a file is read, refused with its position, or named as passed by; none is dropped in silence. An
array of CloudEvents is their JSON batch format; gzip is read with one member or several. Time and memory are bounded
by the bytes of the file, whatever is in it: items are decoded one at a time, and a file that nothing can be read of is
left off, which is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property, partial
from io import BufferedReader, BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

from rules.claim import read_claim
from rules.errors import ClaimInvalid, Problem
from worker.errors import EventInvalid
from worker.intake.document import Document, Found, Passed, Refusal
from worker.intake.events import claim_of, decode, parse_event
from worker.intake.gunzip import Gunzip
from worker.intake.jsoncut import Malformed, Places, elements, members
from worker.intake.recognize import ISA, LOOKED_AT, foreign, kind_of

if TYPE_CHECKING:
    from worker.intake.fhir import BundleEntry, Targets
    from worker.intake.x12.ended import Ended

ARRAY_LIMIT = 64 * 2**20
"""Bytes of one array or FHIR Bundle; NDJSON has no such limit, as it is read line by line."""
MOST_REFUSED = 100_000
"""Documents refused one after the other, before the rest of the file is left off."""
MOST_ENTRIES = 1_000_000
"""Entries of a Bundle: 64 bytes each."""
_STREAMED = 2**20
"""Bytes from which on the entries of a Bundle are decoded one at a time."""
_X12 = (b"ISA", b"GS*", b"ST*")
_BLANK = b" \t\r\n\v\f"
_MARK = b"\xef\xbb\xbf"
_BUFFER = 2**16
_PLACE = re.compile(r"line (\d+) column (\d+)")
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"')
_DOCUMENT = re.compile(rb'"(?:claim_id|specversion|resourceType)"\s*:')


class Known:
    """The FHIR resources of a file that were read so far. Files of other formats start without FHIR's tables."""

    def __init__(self, codes: Collection[str] | None) -> None:
        self._codes = codes

    @property
    def asked(self) -> bool:
        """Whether there were any."""
        return "targets" in vars(self)

    @cached_property
    def targets(self) -> Targets:
        from worker.intake.fhir import Targets

        return Targets(codes=self._codes)


def read_documents(
    name: str,
    stream: IO[bytes],
    *,
    limit: int = 2**20,
    codes: Collection[str] | None = None,
    ended: Callable[[Ended], None] | None = None,
) -> Iterator[Found]:
    """Every document of the stream, in order; `limit`: bytes of one document. `codes`: of the procedures of the book in
    use; None: of the one that ships. A claim that may carry one in a way that cannot be read is refused. `ended`: as of
    `read_x12`.

    Never raises for what is in the stream; errors of reading it (OSError) pass through.
    """
    reader, unpacked = opened(stream)
    found = read_from(name, reader, limit, Known(codes), packed=unpacked is not None, ended=ended)
    yield from counted(name, found, lambda: unpacked.fault if unpacked else "")


def counted(name: str, every: Iterable[Found], fault: Callable[[], str]) -> Iterator[Found]:
    """What was found of a file, as far as it is looked at, and at the end what is wrong with the whole. `fault`: is
    asked then why a compressed stream ends where it does."""
    passed = others = row = 0
    for found in every:
        passed += isinstance(found, Passed)
        others += not isinstance(found, Passed)
        row = row + 1 if isinstance(found, Refusal) and found.number else 0
        yield found
        if row == MOST_REFUSED:
            sentence = f"{row:,} documents in a row could not be read; what follows {found.position} was not looked at"
            yield _refusal(name, "", 0, sentence)
            return
    if why := fault():
        yield _refusal(name, "", 0, why)
    elif not others:
        among = f"Claim among its {passed} FHIR resource{'s' * (passed != 1)}" if passed else "claim in the file"
        yield _refusal(name, "", 0, f"there is no {among}")


def ends(stream: IO[bytes], limit: int) -> Iterator[Ended]:
    """What `read_documents` would tell of what ends, without its claims; nothing where the stream is no X12."""
    reader, _ = opened(stream)
    _, ahead = _first_line(reader, limit)
    if not ahead.lstrip().startswith(_X12) and not _is_json(ahead):
        ahead += reader.read(limit + 1)
        if not _before_an_isa(ahead):
            return
    elif not ahead.lstrip().startswith(_X12):
        return
    from worker.intake.x12.reader import ends_of

    yield from ends_of(reader, limit, ahead)


def opened(stream: IO[bytes]) -> tuple[BufferedReader, Gunzip | None]:
    """What to read of the stream, and what unpacks it, where something has to."""
    packed = stream if isinstance(stream, BufferedReader) else BufferedReader(cast(Any, stream))
    if packed.peek(2)[:2] != b"\x1f\x8b":
        return packed, None
    unpacked = Gunzip(packed)
    return BufferedReader(unpacked, _BUFFER), unpacked


def read_from(
    name: str,
    reader: BufferedReader,
    limit: int,
    known: Known,
    *,
    packed: bool = False,
    ended: Callable[[Ended], None] | None = None,
) -> Iterator[Found]:
    """Every document of a file, unpacked, from its first byte on; `packed`: whether it was not before."""
    number, line = _first_line(reader, limit)
    start = line.lstrip()[:4]
    if not start:
        yield _refusal(name, "", 0, "the file is empty")
    elif start.startswith(_X12):
        yield from _x12(name, reader, limit, line, ended)
    elif start.startswith(b"["):
        yield from _array(name, reader, line, limit, number, known)
    elif start.startswith(b"{") and not foreign(line):
        yield from _objects(name, reader, line, limit, number, known)
    elif _is_json(line):
        yield from read_lines(name, reader, limit, number, [line], known)
    elif _has_a_document(rest := line + reader.read(limit + 1)):
        yield from read_lines(name, reader, limit, number, _lines_of(rest, reader, limit), known)
    elif _before_an_isa(rest):
        yield from _x12(name, reader, limit, rest, ended)
    else:
        yield _refusal(name, f"line {number}", number, kind_of(rest[:LOOKED_AT], packed=packed))


def _x12(
    name: str, reader: BufferedReader, limit: int, ahead: bytes, ended: Callable[[Ended], None] | None
) -> Iterator[Found]:
    from worker.intake.x12 import read_x12  # `scrub check` of other formats starts without its tables

    yield from read_x12(name, reader, limit=limit, ahead=ahead, ended=ended)


def _before_an_isa(raw: bytes) -> bool:
    """Whether this is an X12 file with something else before it, such as a header of a mainframe job or of a mail."""
    head = raw[:LOOKED_AT]
    return ISA.search(head) is not None and not foreign(head)


def _objects(name: str, reader: BufferedReader, line: bytes, limit: int, number: int, known: Known) -> Iterator[Found]:
    """One object over several lines, or NDJSON; `line`: the first one that is not blank."""
    following = _next_line(reader, limit)
    if len(line) > limit or not following or _is_json(line):
        yield from read_lines(name, reader, limit, number, [line, following], known)
        return
    rest = line + following + reader.read(limit + 1)
    whole = len(rest) <= limit and _is_json(rest)
    if not whole and (following.lstrip().startswith(b"{") or _has_a_document(rest)):
        # A broken first line, such as by a line end within a text, takes none of the others along.
        yield from read_lines(name, reader, limit, number, _lines_of(rest, reader, limit), known)
        return
    if len(rest) > limit and _BUNDLE.search(rest):
        rest += reader.read(ARRAY_LIMIT)
    yield from _one(name, f"line {number}", number, rest, limit, known)


def _lines_of(raw: bytes, reader: BufferedReader, limit: int) -> list[bytes]:
    """The lines of what was read ahead, the last of them to its end."""
    lines = BytesIO(raw).readlines()
    if not raw.endswith(b"\n"):
        lines[-1] += _next_line(reader, limit)
    return lines


def _has_a_document(raw: bytes) -> bool:
    """Whether one of the lines is a whole document for itself."""
    return any(line.startswith(b"{") and _DOCUMENT.search(line) and _is_json(line) for line in BytesIO(raw))


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
        number += _blank_lines(reader)


def _blank_lines(reader: BufferedReader) -> int:
    """Passes over the blank lines that are next, by whole buffers; answers how many they were."""
    count = 0
    while ahead := reader.peek():
        rest = ahead.lstrip(_BLANK)
        blank = ahead[: len(ahead) - len(rest)]
        if rest:
            blank = blank[: blank.rfind(b"\n") + 1]
        count += blank.count(b"\n")
        reader.read(len(blank))
        if rest:
            break
    return count


def _next_line(reader: BufferedReader, limit: int) -> bytes:
    """A line with its end, or the first `limit` + 2 bytes of a longer one."""
    return reader.readline(limit + 2)


def _skip_line(reader: BufferedReader) -> None:
    """Passes over the rest of a line without holding it."""
    while part := reader.readline(2**16):
        if part.endswith(b"\n"):
            return


def read_lines(
    name: str, reader: BufferedReader, limit: int, number: int, ahead: list[bytes], known: Known
) -> Iterator[Found]:
    """Every document of NDJSON; `number`: of the line that is next, `ahead`: those that were read of the reader."""
    while line := ahead.pop(0) if ahead else _next_line(reader, limit):
        if len(line) > limit + 1 and not line.endswith(b"\n"):
            line = _long_line(reader, line + (ahead.pop(0) if ahead else b""))
        if line.strip():
            yield from _one(name, f"line {number}", number, line, limit, known)
        elif not ahead:
            number += _blank_lines(reader)
        number += 1


def _long_line(reader: BufferedReader, line: bytes) -> bytes:
    """The whole line where it is a Bundle, which may be as long as an array; else enough to see that it is too long."""
    if _BUNDLE.search(line) and not line.endswith(b"\n"):
        line += reader.readline(ARRAY_LIMIT)
    if not line.endswith(b"\n"):
        _skip_line(reader)
    return line


def _array(name: str, reader: BufferedReader, line: bytes, limit: int, number: int, known: Known) -> Iterator[Found]:
    raw = line + reader.read(ARRAY_LIMIT)
    if len(raw) > ARRAY_LIMIT:
        yield _refusal(name, "", 0, f"an array of more than {ARRAY_LIMIT} bytes is not read; send it as NDJSON")
        return
    places, count = Places(raw, number), 0
    try:
        for count, (start, end) in enumerate(elements(raw, raw.index(b"[")), 1):
            place = places.at(start)
            yield from _one(name, f"item {count}", count, raw[start:end], limit, known, place)
    except Malformed as error:
        yield _malformed(name, "", 0, error, places)
    else:
        if not count:
            yield _refusal(name, "", 0, "the array is empty")


def _malformed(name: str, position: str, number: int, error: Malformed, places: Places) -> Refusal:
    line, column = places.at(error.offset)
    where = f"line {line} column {column}"
    return Refusal(name, position, number, (Problem(where, error.sentence, where),))


def _one(
    name: str, position: str, number: int, raw: bytes, limit: int, known: Known, start: tuple[int, int] = (1, 1)
) -> Iterator[Found]:
    """`start`: line and column of the document within what `position` names."""
    size = len(raw.rstrip())
    bundle = size > min(limit, _STREAMED) and _BUNDLE.search(raw) is not None
    most = ARRAY_LIMIT if bundle else limit
    if size > most:
        yield _refusal(name, position, number, f"the document has more than {most} bytes")
        return
    text = raw.strip(b"\r\n")
    if bundle and size > _STREAMED:
        yield from _streamed(name, position, number, text, limit, known)
        return
    try:
        value = decode(text)
    except EventInvalid as error:
        where = _within(error.problems[0], start, b"\n" in text or start != (1, 1))
        yield Refusal(name, position, number, (where,))
        return
    if size > limit and not (isinstance(value, dict) and value.get("resourceType") == "Bundle"):
        yield _refusal(name, position, number, f"the document has more than {limit} bytes")
        return
    yield from _parsed(name, position, number, value, known)


def _within(problem: Problem, start: tuple[int, int], lines: bool) -> Problem:
    """A problem of decoding at its place in what is around the document; `lines`: whether lines are to be named."""
    found = _PLACE.fullmatch(problem.path)
    if found is None:
        return problem
    line, column = int(found[1]), int(found[2])
    column += start[1] - 1 if line == 1 else 0
    where = f"line {start[0] + line - 1} column {column}" if lines else f"column {column}"
    return Problem(where, problem.sentence, where)


def _streamed(name: str, position: str, number: int, raw: bytes, limit: int, known: Known) -> Iterator[Found]:
    """The claims of a large Bundle, whose entries are decoded one at a time."""
    try:
        head, entries = _parts(raw)
        if head.get("resourceType") != "Bundle":
            yield _refusal(name, position, number, f"the document has more than {limit} bytes")
            return
        from worker.intake.fhir import read_entries

        yield from _found(name, position, number, read_entries(head, entries, known.targets))
    except Malformed as error:
        yield _malformed(name, position, number, error, Places(raw))


def _parts(raw: bytes) -> tuple[dict[str, Any], Callable[[], Iterator[object]]]:
    """A Bundle without its entries, and what gives them."""
    head: dict[str, Any] = {}
    entries = partial(_entries, b"[]", 0, 2)
    for key, (start, end) in members(raw, raw.index(b"{")):
        name = str(_value(key, 0, len(key)))
        if name in head:
            raise Malformed(start, "a key of an object is there twice")
        if name == "entry" and raw[start : start + 1] == b"[":
            head[name] = []
            entries = partial(_entries, raw, start, end)
        else:
            head[name] = _value(raw, start, end)
            if name == "entry" and head[name] is not None:
                entries = partial(_entries, b"[null]", 0, 6)  # no list of objects, which is reported
    return head, entries


def _entries(raw: bytes, start: int, end: int) -> Iterator[object]:
    for number, (first, last) in enumerate(elements(raw[start:end], 0), 1):
        if number > MOST_ENTRIES:
            raise Malformed(start + first, f"more than {MOST_ENTRIES:,} entries are not read; send NDJSON")
        yield _value(raw, start + first, start + last)


def _value(raw: bytes, start: int, end: int) -> object:
    try:
        return decode(raw[start:end])
    except EventInvalid as error:
        raise Malformed(start, error.problems[0].sentence.removeprefix("not JSON: ")) from None


def in_lines(head: bytes) -> bool:
    """Whether a file that begins with this is NDJSON: its first line that is not blank is an object for itself."""
    first, end, _ = head.removeprefix(_MARK).lstrip(_BLANK).partition(b"\n")
    return bool(end) and first.startswith(b"{") and _is_json(first)


def is_x12(head: bytes) -> bool:
    """Whether a file that begins with this is read as X12 from there on."""
    return head.removeprefix(_MARK).lstrip(_BLANK).startswith(_X12)


def _is_json(line: bytes) -> bool:
    try:
        decode(line)
    except EventInvalid:
        return False
    return True


def _parsed(name: str, position: str, number: int, value: object, known: Known) -> Iterator[Found]:
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


def _resources(name: str, position: str, number: int, value: dict[str, Any], known: Known) -> Iterator[Found]:
    """The claims of a FHIR resource, and what else is in it; `known`: the resources of the lines before."""
    from worker.intake.fhir import read_fhir

    yield from _found(name, position, number, read_fhir(value, known.targets))


def _found(name: str, position: str, number: int, resources: Iterable[BundleEntry]) -> Iterator[Found]:
    from worker.intake.fhir import with_source

    for found in resources:
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
