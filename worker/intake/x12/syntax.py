"""The syntax of an 837, as a 999 looks at it: what is wrong with each segment and their order, by the form's table.

The walk collects the segments of a level (ST, HL) or claim (CLM); this module judges them when it is over, the levels
once for all claims beneath. A good segment costs one match of a pattern, a good row of segments one look into what was
judged before. No fault holds a value of the file: loop, segment, element and kind, which are the table's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from worker.intake.x12.elementcheck import element_faults
from worker.intake.x12.fields import Form
from worker.intake.x12.grammar import grammar
from worker.intake.x12.ordercheck import OrderCheck, Row
from worker.intake.x12.slots import Misplaced, Slot

Fault = dict[str, Any]
"""A `FormFault` of the claim model, as JSON."""
Rows = list[tuple[str, list[str], int]]
"""Segments: the text, its elements, and its number in the file."""
Placed = tuple[Fault, int]
"""A fault with the number of the segment that an answer points to: where it is, or, of one that is missing, that which
begins its line, claim or level."""

MOST = 40
"""Faults of one claim that are kept."""
_LEVELS = {"20": "2000A", "22": "2000B", "23": "2000C"}
_BELOW = {"ST": ("2000A", "2000B", "2000C"), "2000A": ("2000B", "2000C"), "2000B": ("2000C",)}


_ABOVE = ("ST", "2000A")
"""Levels that several subscribers share."""


class PausedCheck(NamedTuple):
    """A check between two levels."""

    element: str
    component: str
    repetition: str
    faults: Mapping[str, list[Placed]]


class SyntaxCheck:
    """Judges the levels and claims of one walk."""

    def __init__(self) -> None:
        self.rows: Rows = []
        """The segments of the open level or claim; the walk adds to it, and it stays the same list."""
        self._order: OrderCheck | None = None
        """Of the form of the open set."""
        self._at = ""
        self._faults: dict[str, list[Placed]] = {}
        self._element, self._component, self._repetition = "*", ":", ""

    def interchange(self, elements: list[str]) -> None:
        """ISA, of which ISA11 is the repetition separator; a letter there is that of older versions."""
        mark = elements[11] if len(elements) > 11 else ""
        self._repetition = "" if mark.isalnum() else mark.strip()

    def transaction(self, form: Form | None, elements: list[str], segment: int, element: str, component: str) -> None:
        """ST."""
        self._element, self._component = element, component
        self._order = _order_check(form) if form else None
        self._faults = {}
        self._open("ST", elements, segment)

    def level(self, elements: list[str], segment: int) -> None:
        """HL: the level or claim before it is over."""
        self._close()
        self._open(_LEVELS.get(elements[3].strip() if len(elements) > 3 else "", ""), elements, segment)

    def claim(self, elements: list[str], segment: int) -> None:
        """CLM."""
        self._close()
        self._open("2300", elements, segment)

    def leave(self) -> None:
        """No transaction set is open."""
        self._order = None
        self.rows.clear()

    def paused(self) -> PausedCheck:
        """Where it stands between two levels: the open one is over, and what is left is of levels that others share."""
        self._close()
        self._at = ""
        self.rows.clear()
        above = {level: list(self._faults[level]) for level in _ABOVE if level in self._faults}
        return PausedCheck(self._element, self._component, self._repetition, above)

    def resume(self, paused: PausedCheck, form: Form | None) -> None:
        """Goes on from there, in a set of this form."""
        self._element, self._component, self._repetition, above = paused
        self._faults = {level: list(faults) for level, faults in above.items()}
        self._order = _order_check(form) if form else None

    def faults(self, patient: bool) -> list[Placed]:
        """Of the open claim and of the levels above it; `patient`: whether it is in loop 2000C."""
        if self._order is None or self._at != "2300":
            return []
        found = self._judge(self._order)
        above = ("ST", "2000A", "2000B", "2000C") if patient else ("ST", "2000A", "2000B")
        if any(map(self._faults.get, above)):
            found = [*(fault for level in above for fault in self._faults.get(level, ())), *found]
        return found[:MOST]

    def _open(self, level: str, elements: list[str], segment: int) -> None:
        self._at = level
        for below in _BELOW.get(level, ()):
            self._faults.pop(below, None)
        self.rows.clear()
        self.rows.append((self._element.join(elements), elements, segment))

    def _close(self) -> None:
        """Judges the open level; a claim was judged by `faults` if it was read."""
        if self._order is not None and self._at and self._at != "2300":
            self._faults[self._at] = self._judge(self._order)

    def _judge(self, order: OrderCheck) -> list[Placed]:
        component = self._component
        standard = self._element == "*" and component == ":"
        follow = order.table.loops[self._at].follow
        slots: list[Slot | Misplaced] = []
        odd: list[tuple[int, Slot, list[str], int]] = []
        loop = self._at
        for text, elements, segment in self.rows:
            slot = follow.get(elements[0])
            if isinstance(slot, dict):
                first = elements[1] if len(elements) > 1 else ""
                slot = slot.get(first) or slot.get(first.partition(component)[0].strip().upper())
            if slot is None:
                slots.append(order.misplaced(loop, elements, component))
                continue
            slots.append(slot)
            loop, follow = slot.loop, slot.follow
            if not slot.match(text if standard else self._standard(text)):
                odd.append((len(slots), slot, elements, segment))
        found = [(fault, self._place(fault)) for fault in order.faults(self._at, slots)]
        for place, slot, elements, segment in odd:
            found += [(fault, segment) for fault in self._inside(slot, elements, slots[:place])]
        return found

    def _place(self, fault: Fault) -> int:
        """Where a fault of the row is: of a segment that is there too often the last, else the first of its line."""
        name, _, qualifiers = fault["segment"].partition("*")
        wanted = qualifiers.split("/") if qualifiers else []
        lines, found = 0, [self.rows[0][2]]
        for _, elements, segment in self.rows:
            lines += elements[0] == "LX"
            if lines != fault.get("line", lines):
                continue
            if elements[0] == "LX" and fault.get("line"):
                found = [segment]
            first = elements[1].partition(self._component)[0] if len(elements) > 1 else ""
            if fault["kind"] != "segment_missing" and elements[0] == name and (not wanted or first in wanted):
                found.append(segment)
        return found[-1] if fault["kind"] == "segment_repeated" else found[:2][-1]

    def _inside(self, slot: Slot, elements: list[str], before: Row) -> Iterator[Fault]:
        """What is wrong inside a segment that matches no pattern; `before`: the slots up to it."""
        for element, kind, answer in element_faults(slot, elements, self._component, self._repetition):
            found = {"kind": kind, "loop": slot.loop, "segment": slot.name, "element": element, "answer": answer}
            if slot.loop.startswith("24"):
                lines = sum(isinstance(one, Slot) and one.opens and one.loop == "2400" for one in before)
                yield {**found, "line": lines}
            else:
                yield found

    def _standard(self, text: str) -> str:
        """The text with the separators of the patterns; one that uses them for something else is judged slowly."""
        if any(mark in text for mark in "*:" if mark not in (self._element, self._component)):
            return ""
        return text.translate({ord(self._element): "*", ord(self._component): ":"})


@cache
def _order_check(form: Form) -> OrderCheck:
    return OrderCheck(grammar(form))
