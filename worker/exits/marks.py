"""Where the segments that hold an 837 together begin and end, in bytes.

The reader knows segments as texts and a split needs the bytes, so this goes over the same batches as the reader
(`Segments`) and looks for nine names alone. Everything else belongs to the mark before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

from worker.errors import SplitFailed
from worker.intake.x12.segments import Broken, Segments, places_of

NAMES = frozenset({"ISA", "GS", "ST", "BHT", "HL", "CLM", "SE", "GE", "IEA"})
PASSED = "passed"
"""Name of the mark of an interchange of which nothing is read."""


class Mark(NamedTuple):
    """A segment that matters."""

    name: str
    start: int
    end: int
    """Where the next segment of the file begins."""
    segment: int
    """Its number in the file, as the reader counts."""
    elements: tuple[str, ...]
    element: bytes
    """The element separator in force."""
    terminator: bytes
    size: int
    """Bytes up to and with its terminator; of a segment without one, up to where it would stand."""

    def at(self, place: int) -> str:
        """The element, or nothing."""
        return self.elements[place].strip() if place < len(self.elements) else ""


def marks(stream: IO[bytes]) -> Iterator[Mark]:
    """Every mark of the stream, in order.

    Raises:
        SplitFailed: texts and bytes of a batch do not agree.
    """
    segments = Segments(stream)
    number = 0
    open: Mark | None = None
    for batch in segments:
        if isinstance(batch, Broken):
            number += 1
            if open is not None:
                yield open
            open = None
            if batch.header is not None:
                end = segments.place + len(segments.raw)
                yield Mark(PASSED, end, end, number, (), b"", b"", 0)
            continue
        separator = segments.element
        raw, terminator = segments.raw, segments.terminator.encode("latin-1")
        # An ISA is a batch of its own, in which the terminator may stand for something else.
        found = [(0, len(raw))] if len(batch) == 1 and raw.startswith(b"ISA") else places_of(raw, terminator)
        if len(found) != len(batch):
            raise SplitFailed("its bytes fall into other segments than its text")
        end = segments.place + len(raw)
        for text, (place, size) in zip(batch, found, strict=True):
            number += 1
            start = segments.place + place
            if open is not None:
                yield open._replace(end=start)
                open = None
            name = text.partition(separator)[0]
            if name not in NAMES and (name := name.strip().upper()) not in NAMES:
                continue
            elements = tuple(text.split(separator))
            open = Mark(name, start, end, number, elements, separator.encode("latin-1"), terminator, size)
    if open is not None:
        behind = segments.place + len(segments.raw) if segments.raw.isspace() else open.end
        yield open._replace(end=behind)
