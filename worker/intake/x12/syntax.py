"""The syntax of an 837, as a 999 looks at it: what is wrong with each segment and their order, by the form's table.

The walk collects the segments of a level (ST, HL) or claim (CLM); this module judges them when it is over, the levels
once for all claims beneath. A good segment costs one match of a pattern, a good row of segments one look into what was
judged before. No fault holds a value of the file: loop, segment, element and kind, which are the table's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from worker.intake.x12.elementcheck import element_faults
from worker.intake.x12.fields import Form
from worker.intake.x12.grammar import grammar
from worker.intake.x12.ordercheck import OrderCheck, Row
from worker.intake.x12.slots import Misplaced, Slot

Fault = dict[str, Any]
"""A `FormFault` of the claim model, as JSON."""
Rows = list[tuple[str, list[str]]]
"""Segments: the text and its elements."""

MOST = 40
"""Faults of one claim that are kept."""
_LEVELS = {"20": "2000A", "22": "2000B", "23": "2000C"}
_BELOW = {"ST": ("2000A", "2000B", "2000C"), "2000A": ("2000B", "2000C"), "2000B": ("2000C",)}


class SyntaxCheck:
    """Judges the levels and claims of one walk."""

    def __init__(self) -> None:
        self.rows: Rows = []
        """The segments of the open level or claim; the walk adds to it, and it stays the same list."""
        self._order: OrderCheck | None = None
        """Of the form of the open set."""
        self._at = ""
        self._faults: dict[str, list[Fault]] = {}
        self._element, self._component, self._repetition = "*", ":", ""

    def interchange(self, elements: list[str]) -> None:
        """ISA, of which ISA11 is the repetition separator; a letter there is that of older versions."""
        mark = elements[11] if len(elements) > 11 else ""
        self._repetition = "" if mark.isalnum() else mark.strip()

    def transaction(self, form: Form | None, elements: list[str], element: str, component: str) -> None:
        """ST."""
        self._element, self._component = element, component
        self._order = _order_check(form) if form else None
        self._faults = {}
        self._open("ST", elements)

    def level(self, elements: list[str]) -> None:
        """HL: the level or claim before it is over."""
        self._close()
        self._open(_LEVELS.get(elements[3].strip() if len(elements) > 3 else "", ""), elements)

    def claim(self, elements: list[str]) -> None:
        """CLM."""
        self._close()
        self._open("2300", elements)

    def leave(self) -> None:
        """No transaction set is open."""
        self._order = None
        self.rows.clear()

    def faults(self, patient: bool) -> list[Fault]:
        """Of the open claim and of the levels above it; `patient`: whether it is in loop 2000C."""
        if self._order is None or self._at != "2300":
            return []
        found = self._judge(self._order)
        above = ("ST", "2000A", "2000B", "2000C") if patient else ("ST", "2000A", "2000B")
        if any(map(self._faults.get, above)):
            found = [*(fault for level in above for fault in self._faults.get(level, ())), *found]
        return found[:MOST]

    def _open(self, level: str, elements: list[str]) -> None:
        self._at = level
        for below in _BELOW.get(level, ()):
            self._faults.pop(below, None)
        self.rows.clear()
        self.rows.append((self._element.join(elements), elements))

    def _close(self) -> None:
        """Judges the open level; a claim was judged by `faults` if it was read."""
        if self._order is not None and self._at and self._at != "2300":
            self._faults[self._at] = self._judge(self._order)

    def _judge(self, order: OrderCheck) -> list[Fault]:
        component = self._component
        standard = self._element == "*" and component == ":"
        follow = order.table.loops[self._at].follow
        slots: list[Slot | Misplaced] = []
        odd: list[tuple[int, Slot, list[str]]] = []
        loop = self._at
        for text, elements in self.rows:
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
                odd.append((len(slots), slot, elements))
        found = list(order.faults(self._at, slots))
        for place, slot, elements in odd:
            found += self._inside(slot, elements, slots[:place])
        return found

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
