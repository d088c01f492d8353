"""Clean 837s with one fault of form each: a required segment dropped, an element blanked, too long, of another code, a
segment out of order or once more. What is required is told by the table; that the table is right, by the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from worker.intake.x12.fields import Form
from worker.intake.x12.grammar import grammar
from worker.intake.x12.slots import Element, Slot

_FORM = Path(__file__).parent / "form"
FORMS: tuple[Form, ...] = ("P", "I")
CLEAN = {form: _FORM.joinpath(f"clean_{form.lower()}.837").read_text().replace("\n", "") for form in FORMS}
ENVELOPE = {"ISA", "GS", "ST", "SE", "GE", "IEA", "HL", "CLM", "LX"}


class Mutant(NamedTuple):
    name: str
    raw: str
    kinds: frozenset[str]
    """Of which the layer must name one."""


def slots_of(form: Form) -> list[Slot | None]:
    """The slot of each segment of the clean file, by a walk of its own."""
    table = grammar(form)
    level = {"20": "2000A", "22": "2000B", "23": "2000C"}
    found: list[Slot | None] = []
    follow = table.loops["ST"].follow
    for text in CLEAN[form].split("~"):
        elements = text.split("*")
        if elements[0] in ("HL", "CLM"):
            follow = table.loops[level[elements[3]] if elements[0] == "HL" else "2300"].follow
        entry = follow.get(elements[0])
        if isinstance(entry, dict):
            entry = entry.get(elements[1].partition(":")[0])
        found.append(entry)
        follow = entry.follow if entry else follow
    return found


def written(segments: list[str]) -> str:
    """The file with SE01 corrected."""
    start = next(place for place, text in enumerate(segments) if text.startswith("ST*"))
    end = next(place for place, text in enumerate(segments) if text.startswith("SE*"))
    control = segments[end].split("*")[2]
    return "~".join([*segments[:end], f"SE*{end - start + 1}*{control}", *segments[end + 1 :]])


def mutants(form: Form) -> Iterator[Mutant]:
    segments, slots, loops = CLEAN[form].split("~"), slots_of(form), grammar(form).loops
    for place, (text, slot) in enumerate(zip(segments, slots, strict=True)):
        if slot is None or slot.segment in ("ST", "BHT"):
            continue
        name = f"{place} {slot.loop} {slot.name}"
        elements = text.split("*")
        if slot.segment not in ENVELOPE:
            if slot.required and not slot.opens:
                yield _mutant(f"{name} dropped", [*segments[:place], *segments[place + 1 :]], "segment_missing")
            if slot.most == 1 and (not slot.opens or loops[slot.loop].most == 1):
                yield _mutant(f"{name} twice", [*segments[:place], text, *segments[place:]], "segment_repeated")
        before = slots[place - 1]
        moves = before and before.loop == slot.loop and before.order < slot.order and not before.opens
        if moves and slot.segment not in ENVELOPE:
            swapped = [*segments[: place - 1], text, segments[place - 1], *segments[place + 1 :]]
            yield _mutant(f"{name} before {before and before.name}", swapped, "segment_order")
        if slot.segment not in ("HL", "LX"):
            for at, value, what, kind in _elements(slot, elements):
                other = [*elements[:at], value, *elements[at + 1 :]]
                changed = [*segments[:place], "*".join(other), *segments[place + 1 :]]
                yield _mutant(f"{name} {slot.segment}{at:02d} {what}", changed, kind)


def _mutant(name: str, segments: list[str], *kinds: str) -> Mutant:
    return Mutant(name, written(segments), frozenset(kinds))


def _elements(slot: Slot, elements: list[str]) -> Iterator[tuple[int, str, str, str]]:
    for at, element in enumerate(slot.elements, 1):
        if at >= len(elements) or not elements[at]:
            continue
        parts = elements[at].split(":") if element.parts else [elements[at]]
        for place, (part, one) in enumerate(zip(parts, element.parts or (element,), strict=False)):
            if (at == 1 and place == 0 and one.codes) or not part:
                continue  # another code there makes it another segment
            for value, what, kind in _values(one, part):
                yield at, ":".join([*parts[:place], value, *parts[place + 1 :]]), what, kind


def _values(element: Element, value: str) -> Iterator[tuple[str, str, str]]:
    if element.usage == "R":
        yield "", "blank", "element_missing"
    if element.codes:
        yield "QX", "of another code", "element_code"
    elif element.kind in ("AN", "ID"):
        yield "X" * (element.most + 1), "too long", "element_long"
    elif element.kind == "R":
        yield "1X", "no number", "element_type"
