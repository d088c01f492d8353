"""Which segments follow each other in a level or claim: missing, repeated, out of order, out of place.

What was found of a row of slots is kept, since the claims of a file are built alike.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from worker.intake.x12.grammar import Grammar, Loop
from worker.intake.x12.slots import Misplaced, Slot

Row = list[Slot | Misplaced]

_MOST_KEPT = 4_096
_LONGEST_KEPT = 200
"""Rows and segments of one, so that what is kept is bounded."""


class _Open:
    """A loop that is open: what it has so far."""

    __slots__ = ("count", "last", "loop")

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.last = 0
        self.count: Counter[object] = Counter()


class OrderCheck:
    """Judges rows of slots by the table of one form."""

    def __init__(self, table: Grammar) -> None:
        self.table = table
        self._kept: dict[tuple[object, ...], list[dict[str, Any]]] = {}
        self._misplaced: dict[tuple[str, str], Misplaced] = {}

    def misplaced(self, loop: str, elements: list[str], component: str) -> Misplaced:
        """What stands for a segment that has no slot in this loop. Its name is the table's, or its identifier alone."""
        first = elements[1].partition(component)[0].strip() if len(elements) > 1 else ""
        full = f"{elements[0]}*{first}"
        known = full in self.table.names or elements[0] in self.table.names
        name = full if full in self.table.names else elements[0]
        return self._misplaced.setdefault((loop, name), Misplaced(loop, name, known))

    def faults(self, level: str, slots: Row) -> list[dict[str, Any]]:
        """What is wrong with the row; the answer is shared and must not be changed."""
        key = (level, *slots)
        found = self._kept.get(key)
        if found is None:
            found = _Walk(self.table, level).faults(slots)
            if len(slots) <= _LONGEST_KEPT:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = found
        return found


class _Walk:
    """One row."""

    def __init__(self, table: Grammar, level: str) -> None:
        self._loops = table.loops
        self._level = level
        self._open = [_Open(table.loops[level])]
        self._line = 0
        self._found: list[dict[str, Any]] = []

    def faults(self, slots: Row) -> list[dict[str, Any]]:
        for slot in slots:
            if isinstance(slot, Misplaced):
                kind, answer = ("segment_order", "IK304 7") if slot.known else ("segment_unexpected", "IK304 2")
                self._note(kind, slot.loop, slot.name, answer)
                continue
            if slot.opens and slot.loop != self._level:
                self._enter(slot)
            self._take(slot)
        while self._open:
            self._close(self._open.pop())
        return self._found

    def _enter(self, slot: Slot) -> None:
        loop = self._loops[slot.loop]
        while self._open[-1].loop.name != loop.parent:
            self._close(self._open.pop())
        parent = self._open[-1]
        parent.count[loop.name] += 1
        self._line += loop.name == "2400"
        if loop.most and parent.count[loop.name] == loop.most + 1:
            self._note("segment_repeated", loop.name, slot.name, "IK304 4")
        if loop.order < parent.last:
            self._note("segment_order", loop.name, slot.name, "IK304 7")
        parent.last = max(loop.order, parent.last)
        self._open.append(_Open(loop))

    def _take(self, slot: Slot) -> None:
        here = self._open[-1]
        here.count[slot] += 1
        if slot.most and here.count[slot] == slot.most + 1:
            self._note("segment_repeated", slot.loop, slot.name, "IK304 5")
        if slot.order < here.last:
            self._note("segment_order", slot.loop, slot.name, "IK304 7")
        here.last = max(slot.order, here.last)

    def _close(self, here: _Open) -> None:
        for slot in here.loop.slots:
            if slot.required and slot not in here.count:
                self._note("segment_missing", slot.loop, slot.name, "IK304 3")
        for child in here.loop.children:
            if child.required and child.name not in here.count:
                self._note("segment_missing", child.name, child.slots[0].name, "IK304 3")

    def _note(self, kind: str, loop: str, segment: str, answer: str) -> None:
        found: dict[str, Any] = {"kind": kind, "loop": loop, "segment": segment, "answer": answer}
        if loop.startswith("24"):
            found["line"] = self._line
        if found not in self._found:
            self._found.append(found)
