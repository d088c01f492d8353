"""An 837 cut into stretches that are read side by side, and give what one reading of the whole gives.

A stretch ends before the HL of a provider or subscriber. Where the walk will stand there is foreseen by a skim, which
passes over claims; what a stretch came to says where it stood indeed. Whoever puts them together reads a stretch again
where the two differ, so that no claim rests on what was only foreseen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import IO, NamedTuple

from rules.errors import Problem
from worker.intake.document import Document, Refusal
from worker.intake.x12.ended import Ended, SegmentFault
from worker.intake.x12.envelope import MOST_FAULTS, Noted, add_segment
from worker.intake.x12.reader import document_of, summary
from worker.intake.x12.segments import ISA, Segments
from worker.intake.x12.walker import PausedWalk, Walker

_AROUND = 300
"""Bytes about a cut that an ISA may need."""
_FAR = 32
"""Stretches' sizes in which no place for a cut was found, before none is looked for any more."""


class X12Stretch(NamedTuple):
    """Bytes of an 837."""

    content: bytes
    start: PausedWalk | None
    """Where the walk stands before it; None: at the beginning."""
    last: bool
    """Whether nothing follows."""
    rest: IO[bytes] | None = None
    """What follows is read with it, from here: no more places for a cut were found."""


class StretchEnd(NamedTuple):
    """What a stretch came to beside its claims."""

    stands: PausedWalk | None
    """Where the walk stands; None: at the end of the file."""
    noted: Noted
    claims: int
    """Claims up to here."""


def x12_stretches(
    reader: IO[bytes], ahead: bytes, size: int, whole: Callable[[], bool] = lambda: False
) -> Iterator[X12Stretch]:
    """The stream, of which `ahead` was read before, in stretches of some `size` bytes; each is given as soon as it is
    there, and nothing is held of those before. `whole`: is asked whether all that is left is to be one."""
    data, start = ahead, None
    while True:
        if whole():
            yield X12Stretch(data, start, last=True, rest=reader)
            return
        block = reader.read(size)
        data += block
        if not block:
            yield X12Stretch(data, start, last=True)
            return
        if cut := _cut(data, start):
            content, data = data[:cut], data[cut:]
            yield X12Stretch(content, start, last=False)
            start = _foreseen(content, start)
        elif len(data) > _FAR * size:
            yield X12Stretch(data, start, last=True, rest=reader)
            return


def _foreseen(content: bytes, start: PausedWalk | None) -> PausedWalk:
    walker = _walker(X12Stretch(content, start, last=False), limit=0)
    walker.skim()
    return walker.paused()


def _walker(stretch: X12Stretch, limit: int) -> Walker:
    start = stretch.start
    segments = Segments(stretch.rest or BytesIO(), stretch.content, start.separators if start else None)
    walker = Walker(segments, limit)
    if start:
        walker.resume(start)
    return walker


def _cut(data: bytes, start: PausedWalk | None) -> int:
    """Where the last HL of a provider or subscriber begins that is well within the data; 0: nowhere."""
    bound, element, terminator = 0, b"", b""
    if start:
        element, terminator = (text.encode("latin-1") for text in start.separators[::2])
    for isa in ISA.finditer(data):
        bound = isa.start()
    if bound or not start:
        segments = Segments(BytesIO(), data[bound : bound + _AROUND])
        next(iter(segments), None)
        element, terminator = segments.element.encode("latin-1"), segments.terminator.encode("latin-1")
    if not terminator:
        return 0
    e, t = re.escape(element), re.escape(terminator)
    within = rb"[^%b%b]{0,12}" % (e, t)
    level = re.compile(
        rb"(?<=%b)[\r\n]{0,2}(HL%b%b%b%b%b(?:20|22)(?:%b%b)?%b)" % (t, e, within, e, within, e, e, within, t)
    )
    end = len(data) - _AROUND
    while (end := data.rfind(b"HL" + element, bound + _AROUND, end)) > 0:
        found = level.search(data, end - 3, end + _AROUND)
        if found and found.start(1) == end and not ISA.search(data, end - _AROUND, end + _AROUND):
            return end
    return 0


class Stretches:
    """Puts together what stretches of one file came to, in their order."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._read = 0
        self._open = ""
        """Origin of the set that was open at the end of the last stretch."""
        self._notes: list[SegmentFault] = []
        self._faults: list[Problem] = []
        self._more = 0
        self.stands: PausedWalk | None = None

    def take(self, found: object) -> object:
        """What was found, as it is in the whole file."""
        if isinstance(found, Ended):
            if found.level == "ST" and found.origin == self._open:
                return replace(found, segments=tuple(self._with(list(found.segments))))
        elif not isinstance(found, Refusal):
            self._read += 1
        return found

    def end(self, end: StretchEnd) -> Iterator[Refusal]:
        """The stretch is over; at the last one, what is said of the envelope."""
        room = max(0, MOST_FAULTS - len(self._faults))
        self._faults += end.noted.faults[:room]
        self._more += len(end.noted.faults[room:]) + end.noted.more
        self.stands = end.stands
        if end.stands is None:
            if self._faults:
                yield Refusal(self._name, "", 0, tuple(summary(self._faults, self._more, end.claims, self._read)))
            return
        origin = end.stands.envelope.set_origin
        self._notes = self._with(end.noted.segments) if origin == self._open else list(end.noted.segments)
        self._open = origin

    def _with(self, segments: list[SegmentFault]) -> list[SegmentFault]:
        notes = list(self._notes)
        for found in segments:
            add_segment(notes, found)
        return notes


def read_stretch(name: str, stretch: X12Stretch, limit: int) -> Iterator[Document | Refusal | Ended | StretchEnd]:
    """What `read_x12` gives of this stretch, what has ended as well, and at last its end."""
    walker = _walker(stretch, limit)
    for found in walker if stretch.last else walker.stretch():
        yield found if isinstance(found, Ended) else document_of(name, found)
    stands = None if stretch.last else walker.paused()
    yield StretchEnd(stands, walker.envelope.noted, walker.count)
