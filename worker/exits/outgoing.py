"""One 837 that goes on: the envelope is written anew around claims that are copied byte for byte.

What is ours: control numbers (ISA13, GS06, ST02, and BHT03 of the sender's batch), the counts of the trailers, and the
HL segments, whose numbers go from 1 in each set and whose HL04 says whether a level follows below. A level is opened
when the first claim under it comes, so that nothing is carried for claims that go elsewhere; HL04 is mended in place
where a level follows after all. Separators, line breaks and all other bytes are the original's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, NamedTuple

from worker.exits.marks import Mark
from worker.intake.x12.ended import noted
from worker.intake.x12.envelope import ISA_WIDTHS, shown

_CHUNK = 2**16
_PADDED = (2, 4, 6, 8)
"""Elements of the ISA that are texts: too short or too long by blanks alone, they say the same."""
_LONGEST_BATCH = 50
_LONGEST_SET = 9
"""Characters of BHT03 and ST02."""


class Source:
    """The original, unpacked, in a file of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()

    def read(self, start: int, end: int) -> bytes:
        """These bytes."""
        return b"".join(self.chunks(start, end))

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """These bytes in pieces of bounded size."""
        for place in range(start, end, _CHUNK):
            yield os.pread(self._descriptor, min(_CHUNK, end - place), place)


class Part(NamedTuple):
    """A mark with what belongs to it."""

    mark: Mark
    end: int
    """Where the next mark begins."""
    segments: int
    batch: Mark | None = None
    """Of a transaction set: its BHT."""


class Around(NamedTuple):
    """The levels that are open around a claim in the original."""

    interchange: Part
    group: Part
    set: Part
    levels: tuple[Part, ...]
    """HL levels, the outermost first."""


class Renumbered(NamedTuple):
    """Which numbers of the original stand for which numbers of a transaction set that goes on."""

    interchange: tuple[str, str]
    group: tuple[str, str]
    set: tuple[str, str]
    batch: tuple[str, str] | None
    """BHT03; None: the set has no BHT."""


class Outgoing:
    """Takes claims in the order of the original."""

    def __init__(
        self,
        out: IO[bytes],
        source: Source,
        number: Callable[[], int],
        trial: bool,
        renumbered: Callable[[Renumbered], None],
    ) -> None:
        """`number`: gives a control number that nobody has used; `trial`: its usage is test (ISA15); `renumbered`: is
        told of each set."""
        self.claims = 0
        self.charge = Decimal(0)
        self._out, self._source, self._number, self._trial, self._renumbered = out, source, number, trial, renumbered
        self._interchange: Part | None = None
        self._group: Part | None = None
        self._set: Part | None = None
        self._groups = self._sets = self._segments = self._hl = 0
        self._control = self._group_control = self._set_control = ""
        self._open: list[_Level] = []

    def take(self, around: Around, claim: Part, charge: str | None) -> None:
        """Copies a claim, whatever it needs around it before."""
        if around.interchange is not self._interchange:
            self._begin_interchange(around.interchange)
        if around.group is not self._group:
            self._begin_group(around.group)
        if around.set is not self._set:
            self._begin_set(around)
        self._go_to(around.levels)
        self._copy(claim.mark.start, claim.end)
        self._segments += claim.segments
        self.claims += 1
        self.charge += Decimal(charge or 0)

    def end(self, trailer: Part) -> None:
        """SE, GE or IEA of the original: what is open here ends with it."""
        match trailer.mark.name:
            case "SE" if self._set is not None:
                self._write(trailer, {1: str(self._segments + 1), 2: self._set_control})
                self._set, self._open = None, []
            case "GE" if self._group is not None:
                self._write(trailer, {1: str(self._sets), 2: self._group_control})
                self._group = None
            case "IEA" if self._interchange is not None:
                self._write(trailer, {1: str(self._groups), 2: self._control})
                self._interchange = None

    @property
    def whole(self) -> bool:
        """Whether all that was opened was ended."""
        return self._interchange is self._group is self._set is None

    def _begin_interchange(self, part: Part) -> None:
        self._interchange, self._groups = part, 0
        self._control = f"{self._unlike(part.mark.at(13)):09d}"
        raw = self._source.read(part.mark.start, part.mark.end)
        self._out.write(header(raw, part.mark, self._control, trial=self._trial))

    def _begin_group(self, part: Part) -> None:
        self._group, self._sets = part, 0
        self._groups += 1
        self._group_control = str(self._unlike(part.mark.at(6)))
        self._write(part, {6: self._group_control})

    def _begin_set(self, around: Around) -> None:
        part, interchange, group = around.set, around.interchange, around.group
        self._set, self._hl, self._open = part, 0, []
        self._sets += 1
        self._segments = part.segments
        # Both are unlike those of other groups, and ST02 is the end of BHT03 for who looks one up by the other.
        batch = f"{self._group_control}{self._sets:04d}"
        control = self._set_control = batch[-_LONGEST_SET:].zfill(_LONGEST_SET)
        self._write(part, {2: control})
        written = part.mark.end
        if part.batch is not None:
            self._copy(written, part.batch.start)
            self._write(Part(part.batch, part.batch.end, 1), {3: batch})
            written = part.batch.end
        self._copy(written, part.end)
        self._renumbered(
            Renumbered(
                (shown(interchange.mark.at(13)), self._control),
                (shown(group.mark.at(6)), self._group_control),
                (shown(part.mark.at(2)), control),
                (part.batch.at(3)[:_LONGEST_BATCH], batch) if part.batch else None,
            )
        )

    def _go_to(self, levels: tuple[Part, ...]) -> None:
        """Opens the levels of a claim that are not open yet."""
        depth = 0
        while depth < min(len(levels), len(self._open)) and self._open[depth].part is levels[depth]:
            depth += 1
        del self._open[depth:]
        for part in levels[depth:]:
            self._begin_level(part)

    def _begin_level(self, part: Part) -> None:
        """An HL segment of ours, and its loops as they are."""
        self._hl += 1
        parent = ""
        if self._open:
            above = self._open[-1]
            parent = str(above.number)
            if not above.parent:
                self._out.seek(above.child)
                self._out.write(b"1")
                self._out.seek(0, os.SEEK_END)
                above.parent = True
        mark = part.mark
        raw = self._source.read(mark.start, mark.end)
        body, tail = _parted(raw, mark)
        more = body.split(mark.element)[5:]
        head = mark.element.join((b"HL", str(self._hl).encode(), parent.encode(), mark.at(3).encode(), b""))
        self._out.write(head)
        self._open.append(_Level(part, self._hl, self._out.tell()))
        self._out.write(mark.element.join((b"0", *more)) + tail)
        self._copy(mark.end, part.end)
        self._segments += part.segments

    def _unlike(self, original: str) -> int:
        """A control number that is not even by chance the original's."""
        while str(number := self._number()) == original.lstrip("0"):
            pass
        return number

    def _write(self, part: Part, elements: Mapping[int, str]) -> None:
        mark = part.mark
        self._out.write(rewritten(self._source.read(mark.start, mark.end), mark, elements))

    def _copy(self, start: int, end: int) -> None:
        for chunk in self._source.chunks(start, end):
            self._out.write(chunk)


@dataclass(slots=True)
class _Level:
    """An HL level that is open in what goes on."""

    part: Part
    number: int
    child: int
    """Where its HL04 is in the file."""
    parent: bool = False
    """Whether a level is below it."""


def header(raw: bytes, mark: Mark, control: str = "1" * 9, *, trial: bool) -> bytes:
    """An ISA under another control number; empty: it is none that a receiver takes, and cannot be mended without a
    guess."""
    tail = raw[mark.size - 1 :]
    parts = raw[: mark.size - 1].split(mark.element, len(ISA_WIDTHS))
    if len(parts) != len(ISA_WIDTHS) + 1:
        return b""
    parts[16] = parts[16][:1]  # blanks before the terminator are no part of it
    parts[13] = control.encode()
    if trial:
        parts[15] = b"T"
    for place in _PADDED:
        text = parts[place].translate(None, b"\r\n")
        width = ISA_WIDTHS[place - 1]
        if len(text) != width:
            parts[place] = text.rstrip(b" ").ljust(width)
    texts = [part.translate(None, b"\r\n").decode("latin-1") for part in parts]
    widths = zip(texts[1:], ISA_WIDTHS, strict=True)
    if any(len(text) != width for text, width in widths) or noted(texts):
        return b""
    return mark.element.join(parts) + tail


def rewritten(raw: bytes, mark: Mark, elements: Mapping[int, str]) -> bytes:
    """A segment with other elements; its separators, its terminator and the line break behind it stay."""
    body, tail = _parted(raw, mark)
    parts = body.split(mark.element)
    parts += [b""] * (max(elements) + 1 - len(parts))
    for place, text in elements.items():
        parts[place] = text.encode()
    return mark.element.join(parts) + tail


def _parted(raw: bytes, mark: Mark) -> tuple[bytes, bytes]:
    """A segment without its terminator; and the terminator with the line break behind it, if one is there."""
    if raw[mark.size - 1 : mark.size] != mark.terminator:
        return raw[: mark.size].rstrip(), mark.terminator
    rest = raw[mark.size :]
    broken = rest[: len(rest) - len(rest.lstrip(b"\r\n"))]
    return raw[: mark.size - 1], mark.terminator + broken
