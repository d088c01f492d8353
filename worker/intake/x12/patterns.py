"""A pattern for each slot of the table, which a segment without fault matches: the short way of `elementcheck`.

Patterns are for the separators `*` and `:` and for plain printable ASCII. They may refuse a sound segment, which is
then looked at element by element; they never match one with a fault. Compiled when first needed, some forty a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from worker.intake.x12.elementcheck import DATE, DATED, FORMATS, TIME
from worker.intake.x12.slots import Element, Slot

_EDGE = r"[!-)+-9;-\]_-}]"
"""Printable ASCII without blank, * : ^ and ~."""
_INNER = r"[ -)+-9;-\]_-}]"


def compiled_when_needed(slot: Slot) -> Callable[[str], object]:
    """Compiles the slot's pattern, and takes its own place with it."""

    def match(text: str) -> object:
        slot.match = re.compile(pattern(slot)).fullmatch
        return slot.match(text)

    return match


def pattern(slot: Slot) -> str:
    """The pattern of the slot."""
    pairs = {int(note[1:3]): "P" for note in slot.notes if note[0] == "P" and len(note) == 5 and _adjacent(note)}
    if slot.segment in DATED:
        pairs[DATED[slot.segment][0]] = "D"
    if any(note[0] == "R" for note in slot.notes):
        return r"(?!)"
    # where these are absent, every other relation holds; else it is looked at element by element
    apart = {int(place) for note in slot.notes if int(note[1:3]) not in pairs for place in _guarding(note)}
    elements = [Element("N") if place in apart else element for place, element in enumerate(slot.elements, 1)]
    return re.escape(slot.segment) + _chain(elements, pairs, r"\*", slot)


def _guarding(note: str) -> list[str]:
    """The elements of a relation without which it holds."""
    places = re.findall("..", note[1:])
    return places[:1] if note[0] in "CL" else places[1:] if note[0] == "E" else places


def _adjacent(note: str) -> bool:
    return int(note[3:5]) == int(note[1:3]) + 1


def _chain(elements: Sequence[Element], pairs: dict[int, str], mark: str, slot: Slot) -> str:
    """The elements in a row, each behind its mark; those at the end that need not be there may be left out."""
    tail, place = "", len(elements)
    while place:
        kind = pairs.get(place - 1)
        first = elements[place - 2] if kind else elements[place - 1]
        if kind:
            unit, needed = _pair(kind, first, elements[place - 1], mark, slot), first.usage == "R"
            place -= 1
        else:
            optional = "?" if first.usage == "S" else ""
            unit, needed = (
                mark + (f"(?:{_body(first, slot)}){optional}" if first.usage != "N" else ""),
                first.usage == "R",
            )
        place -= 1
        # the first element of a composite has no mark before it
        if mark == ":" and place == 0:
            unit = unit.removeprefix(mark)
        tail = unit + tail if needed or "R" in {one.usage for one in elements[place:]} else f"(?:{unit}{tail})?"
    return tail


def _pair(kind: str, one: Element, two: Element, mark: str, slot: Slot) -> str:
    if kind == "D":
        codes = one.codes & FORMATS.keys()
        both = "|".join(f"{mark}{code}{mark}{FORMATS[code]}" for code in sorted(codes))
    else:
        both = f"{mark}(?:{_body(one, slot)}){mark}(?:{_body(two, slot)})"
    return f"(?:{both})" if one.usage == "R" else f"(?:{both}|{mark}{mark})"


def _body(element: Element, slot: Slot) -> str:
    if element.parts:
        pairs = {3: "D"} if slot.segment == "HI" and len(element.parts) > 3 and element.parts[2].usage == "R" else {}
        return _chain(element.parts, pairs, ":", slot)
    if element.codes:
        return _alternatives(element.codes)
    least, most = max(element.least, 1), element.most
    match element.kind:
        case "N0" | "N2":
            return f"-?[0-9]{{{least},{most}}}"
        case "R":
            return f"-?[0-9]{{1,{most - 2}}}(?:\\.[0-9]{{1,2}})?" if most > 2 and least == 1 else r"(?!)"
        case "DT":
            return DATE if least == 8 else r"(?!)"
        case "TM":
            return TIME
        case "ID":
            return f"[0-9A-Za-z]{{{least},{most}}}"
    if most == 1:
        return _EDGE
    return f"{_EDGE}{_INNER}{{{least - 2},{most - 2}}}{_EDGE}" if least > 1 else f"{_EDGE}{_INNER}{{0,{most - 1}}}"


def _alternatives(codes: Iterable[str]) -> str:
    """One of the codes."""
    return "|".join(sorted(map(re.escape, codes)))
