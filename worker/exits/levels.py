"""Which levels are open around each claim of an 837, as its bytes are gone through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from worker.exits.marks import PASSED, Mark, marks
from worker.exits.outgoing import Around, Part

TRAILERS = frozenset({"SE", "GE", "IEA"})
_DEPTHS = {"20": 0, "22": 1, "23": 2}
_LEAST = 2
"""Levels above a claim: billing provider and subscriber."""


@dataclass(slots=True)
class Levels:
    """What is open where the pass is."""

    interchange: Part | None = None
    group: Part | None = None
    set: Part | None = None
    levels: tuple[Part, ...] = ()
    ordinals: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Of interchange, group, set and claim, as the reader counts them."""

    @property
    def around(self) -> Around | None:
        """None: a claim here lacks something that it needs."""
        if self.interchange is None or self.group is None or self.set is None or len(self.levels) < _LEAST:
            return None
        return Around(self.interchange, self.group, self.set, self.levels)

    def step(self, part: Part) -> None:
        """Goes on to the next part."""
        ordinals = self.ordinals
        match part.mark.name:
            case "ISA" | "passed":
                self.interchange = part if part.mark.name != PASSED else None
                self.group, self.set, self.levels = None, None, ()
                ordinals[:] = ordinals[0] + 1, 0, 0, 0
            case "GS":
                self.group, self.set, self.levels = part, None, ()
                ordinals[1:] = ordinals[1] + 1, 0, 0
            case "ST":
                self.set, self.levels = part, ()
                ordinals[2:] = ordinals[2] + 1, 0
            case "HL":
                # A level that the guide does not have takes all claims beneath it along: the reader refused them.
                depth = _DEPTHS.get(part.mark.at(3), 1)
                self.levels = (*self.levels[:depth], part)
            case "CLM":
                ordinals[3] += 1
            case trailer:
                self._end(trailer)

    def _end(self, trailer: str) -> None:
        self.set, self.levels = None, ()
        if trailer != "SE":
            self.group = None
        if trailer == "IEA":
            self.interchange = None


def parts(plain: IO[bytes]) -> Iterator[Part]:
    """Each mark with where the next one begins; the BHT belongs to its set."""
    open: Mark | None = None
    batch: Mark | None = None
    for mark in marks(plain):
        if mark.name == "BHT":
            batch = batch or (mark if open is not None and open.name == "ST" else None)
            continue
        if open is not None:
            yield Part(open, mark.start, mark.segment - open.segment, batch)
        open, batch = mark, None
    if open is not None:
        yield Part(open, plain.seek(0, 2), 1, batch)


def ordinals(origin: str) -> list[int]:
    """`[1, 1, 2, 7]` for `000000101.1/1.1/0002.2/7`."""
    return [int(level.rpartition(".")[2]) for level in origin.split("/")]
