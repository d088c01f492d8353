"""The tables of the 837's syntax, ready to run: worker/intake/x12/tables/, which `python -m ops.x12tables` writes.

Which slot a segment of a file has follows from the loop that the walk is in, its name
and its first element, as in `loops`; what stands in it is checked by `elementcheck`, which slots follow each other by
`ordercheck`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import chain

from worker.intake.x12.fields import Form
from worker.intake.x12.patterns import compiled_when_needed
from worker.intake.x12.slots import Element, Entry, Slot

_TABLES = files("worker.intake.x12").joinpath("tables")
_RUN = re.compile(r"(?:(\d+)x )?(.*)")
_BY_FIRST = frozenset({"NM1", "REF", "DTP", "AMT", "HI", "CRC", "NTE", "QTY"})
"""Segments that several slots of a loop may share, told apart by their first element."""
_MOST_NAMED = 4
_LEVELS = ("2000A", "2000B", "2000C", "2300")


@dataclass(eq=False, slots=True)
class Loop:
    """A loop, and where each segment that may follow in it belongs."""

    name: str
    parent: str
    required: bool
    most: int
    order: int
    slots: list[Slot] = field(default_factory=list)
    children: list[Loop] = field(default_factory=list)
    follow: dict[str, Entry] = field(default_factory=dict)
    """By segment, and by its first element where several share it."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The table of one form."""

    loops: dict[str, Loop]
    names: frozenset[str]
    """Segments that the guide has, and where several slots share one, each of its first elements: `REF*EI`."""


@cache
def grammar(form: Form) -> Grammar:
    """The table of a form."""
    loops: dict[str, Loop] = {}
    for line in _TABLES.joinpath(f"837{form.lower()}.txt").read_text("utf-8").splitlines():
        if line.startswith("#") or not line:
            continue
        head, _, rest = line.partition(" | ")
        words = head.split()
        if not line.startswith(" "):
            name, parent, usage, most, order = words
            loops[name] = loop = Loop(name, parent, usage == "R", int(most), int(order))
            continue
        segment, usage, most, order, *notes = words
        elements = tuple(_elements(rest.split(" | ")))
        first = elements[0].parts[0] if elements[0].parts else elements[0]
        shared = segment in _BY_FIRST and len(first.codes) <= _MOST_NAMED
        named = f"{segment}*{'/'.join(sorted(first.codes))}" if shared else segment
        slot = Slot(
            loop.name, segment, named, usage == "R", int(most), int(order), tuple(notes), elements, not loop.slots
        )
        loop.slots.append(slot)
    for loop in loops.values():
        if loop.parent in loops and loop.name not in _LEVELS:
            loops[loop.parent].children.append(loop)
    names = set()
    for loop in loops.values():
        loop.follow = _follow(loop, loops)
        for slot in loop.slots:
            slot.follow = loop.follow
            slot.match = compiled_when_needed(slot)
            own = {f"{slot.segment}*{code}" for code in first_codes(slot)}
            names |= own if slot.segment in _BY_FIRST else {slot.segment}
    return Grammar(loops, frozenset(names))


def first_codes(slot: Slot) -> frozenset[str]:
    """Of the first element, or of its first component."""
    first = slot.elements[0]
    return first.parts[0].codes if first.parts else first.codes


def _elements(texts: list[str]) -> Iterator[Element]:
    for text in texts:
        if match := _RUN.fullmatch(text):
            yield from [_element(match[2])] * int(match[1] or 1)


def _element(text: str) -> Element:
    usage, _, rest = text.partition(" ")
    if not rest:
        return Element(usage)
    if rest.startswith("("):
        return Element(usage, parts=tuple(_element(part) for part in rest[1:-1].split("; ")))
    kind, size, *codes = rest.split()
    least, _, most = size.partition("-")
    listed = frozenset(codes[0].split(",")) if codes else frozenset()
    return Element(usage, kind, int(least), int(most or least), listed)


def _follow(loop: Loop, loops: dict[str, Loop]) -> dict[str, Entry]:
    """What may come in this loop: its own segments, its children, and what its ancestors may still open."""
    found: dict[str, Entry] = {}
    at: Loop | None = loop
    own = loop.slots
    while at is not None:
        for slot in chain(own, (child.slots[0] for child in at.children)):
            if slot.segment not in _BY_FIRST:
                found.setdefault(slot.segment, slot)
                continue
            entry = found.setdefault(slot.segment, {})
            assert isinstance(entry, dict)
            for code in first_codes(slot):
                entry.setdefault(code, slot)
        own = []
        at = loops.get(at.parent) if at.name not in _LEVELS else None
    return found
