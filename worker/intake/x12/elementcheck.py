"""What is wrong inside a segment, by the table: missing, of the wrong length, code, kind or format, or not used.

This is what counts; a pattern of `patterns` is the short way to the answer "nothing". Blanks around an element are
padding, as everywhere in the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.intake.x12.slots import Element, Slot

Found = tuple[str, str, str]
"""Element (`CLM05-2`), kind, answer of the 999."""

DATE = r"(?:1[89]|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
TIME = r"(?:[01][0-9]|2[0-3])[0-5][0-9]"
FORMATS = {"D8": DATE, "RD8": f"{DATE}-{DATE}", "DT": DATE + TIME, "TM": TIME}
"""How a date is written, by the qualifier beside it."""
DATED = {"DTP": (2, 3), "DMG": (1, 2), "PAT": (5, 6)}
"""Elements that hold such a qualifier and its date; of HI they are components 3 and 4."""
_FORMATS = {name: re.compile(pattern) for name, pattern in FORMATS.items()}
_KINDS = {
    "N0": re.compile(r"[-+]?[0-9]+(?:\.0*)?"), "N2": re.compile(r"-?[0-9]+"),
    "R": re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"),
    "DT": re.compile(f"{DATE}|[0-9]{{6}}"), "TM": re.compile(TIME + r"(?:[0-5][0-9][0-9]{0,2})?"),
}  # fmt: skip
_ANSWERS = {"DT": "IK403 8", "TM": "IK403 9"}


def element_faults(slot: Slot, elements: list[str], component: str, repetition: str) -> list[Found]:
    """Every fault of the elements of a segment that has this slot."""
    return list(_faults(slot, [raw.strip() for raw in elements], component, repetition))


def _faults(slot: Slot, values: list[str], component: str, repetition: str) -> Iterator[Found]:
    dated = DATED.get(slot.segment)
    for place, element in enumerate(slot.elements, 1):
        raw = values[place] if place < len(values) else ""
        name = f"{slot.segment}{place:02d}"
        if element.parts and raw:
            yield from _composite(slot, element, name, raw, component, repetition)
        else:
            yield from _simple(element, name, raw, component, repetition)
            if dated and place == dated[1] and raw and not _dated(values[dated[0]], raw):
                yield name, "element_date", "IK403 8"
    for place in range(len(slot.elements) + 1, len(values)):
        if values[place]:
            yield f"{slot.segment}{place:02d}", "element_unexpected", "IK403 I10"
    yield from _relations(slot, values)


def _composite(slot: Slot, element: Element, name: str, raw: str, component: str, repetition: str) -> Iterator[Found]:
    parts = [part.strip() for part in raw.split(component)]
    for place, part in enumerate(element.parts, 1):
        value = parts[place - 1] if place <= len(parts) else ""
        yield from _simple(part, f"{name}-{place}", value, component, repetition)
        if slot.segment == "HI" and place == 4 and value and not _dated(parts[2], value):
            yield f"{name}-4", "element_date", "IK403 8"
    for place in range(len(element.parts) + 1, len(parts) + 1):
        if parts[place - 1]:
            yield f"{name}-{place}", "element_unexpected", "IK403 I10"


def _simple(element: Element, name: str, raw: str, component: str, repetition: str) -> Iterator[Found]:
    if not raw:
        if element.usage == "R":
            yield name, "element_missing", "IK403 1"
        return
    if element.usage == "N":
        yield name, "element_unexpected", "IK403 I10"
        return
    if element.codes:
        # small letters and numbers as 01, +1 and 1.0 are read, and noted as odd
        plain = raw.upper() if element.kind != "N0" else raw.lstrip("+0").partition(".")[0]
        if plain not in element.codes:
            yield name, "element_code", "IK403 7"
        return
    kind = _KINDS.get(element.kind)
    if kind and not kind.fullmatch(raw):
        yield (
            name,
            "element_date" if element.kind in _ANSWERS else "element_type",
            _ANSWERS.get(element.kind, "IK403 6"),
        )
        return
    if not kind and (
        component in raw or (repetition and repetition in raw) or not raw.isascii() or not raw.isprintable()
    ):
        yield name, "element_character", "IK403 6"
    elif element.kind == "ID" and not raw.isalnum():
        # a code has letters and digits alone: X12's RFI 1731 says it of the dash and the blank of a postal code
        yield name, "element_character", "IK403 6"
    size = sum(map(str.isdigit, raw if element.kind != "N0" else raw.partition(".")[0])) if kind else len(raw)
    if size > element.most:
        yield name, "element_long", "IK403 5"
    elif size < element.least:
        yield name, "element_short", "IK403 4"


def _dated(qualifier: str, raw: str) -> bool:
    """Whether the date is written as its qualifier says; of a range, blanks around the hyphen are padding."""
    pattern = _FORMATS.get(qualifier.upper())
    return pattern is None or pattern.fullmatch("".join(raw.split())) is not None


def _relations(slot: Slot, values: list[str]) -> Iterator[Found]:
    """The relations of elements: P all or none, R one at least, E one at most, C and L if the first then all or one."""
    for note in slot.notes:
        places = [int(place) for place in re.findall("..", note[1:])]
        there = [place for place in places if place < len(values) and values[place]]
        first, *rest = places
        lacking: list[int] = []
        if (note[0] == "P" and there) or (note[0] == "C" and first in there):
            lacking = [place for place in places if place not in there]
        elif (note[0] == "R" and not there) or (note[0] == "L" and there == [first]):
            lacking = rest[:1]
        elif note[0] == "E" and len(there) > 1:
            yield f"{slot.segment}{there[-1]:02d}", "element_unexpected", "IK403 10"
        for place in lacking:
            yield f"{slot.segment}{place:02d}", "element_missing", "IK403 2"
