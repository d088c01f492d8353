"""Writes the tables of the 837's syntax, worker/intake/x12/tables/: what a 999 checks, form by form.

    python -m ops.x12tables [--check]

Compiled from the maps of pyx12 (BSD, its notice stands in each table), which is a development dependency alone: its
maps are XML of a megabyte a form. What they lack is mended here, each row of CORRECTIONS with the reason. The maps hold
a copy of loop 2300 under the subscriber and one under the patient, which differ by slips (azoner/pyx12 issues 27, 28
and 29); the milder of the two holds. Of the maps' lists of states, places and remark codes, which age, nothing is
taken.
"""

from __future__ import annotations

import re
import sys
import textwrap
import xml.etree.ElementTree as Xml
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import distribution
from importlib.resources import files
from itertools import groupby

from ops import generated

TABLES = generated.ROOT / "worker" / "intake" / "x12" / "tables"
MAPS = {"P": "837.5010.X222.A1.xml", "I": "837Q3.I.5010.X223.A1.xml"}
SKIPPED = {"ISA_LOOP", "GS_LOOP", "ST_LOOP", "HEADER", "DETAIL", "FOOTER"}
"""Wrappers of the maps; ISA, GS, SE, GE and IEA are the envelope's."""
FAMILIES = ("2010A", "2010B", "2310", "2330", "2420")
"""Loops of one NM1 position of the standard, which may stand in any order; the maps number some of them."""


@dataclass(frozen=True)
class Element:
    """Usage R, S or N; kind and bounds of the data element; its codes; its components, where it is a composite."""

    usage: str
    kind: str = ""
    least: int = 0
    most: int = 0
    codes: tuple[str, ...] = ()
    parts: tuple[Element, ...] = ()

    def milder(self, other: Element) -> Element:
        usage = "S" if "S" in (self.usage, other.usage) or self.usage != other.usage else self.usage
        codes = tuple(sorted({*self.codes, *other.codes})) if self.codes and other.codes else ()
        parts = tuple(one.milder(two) for one, two in zip(self.parts, other.parts, strict=True))
        return replace(self, usage=usage, codes=codes, parts=parts)

    def text(self) -> str:
        if self.usage == "N":
            return "N"
        if self.parts:
            return f"{self.usage} ({'; '.join(part.text() for part in _trimmed(self.parts))})"
        size = str(self.most) if self.least == self.most else f"{self.least}-{self.most}"
        codes = f" {','.join(self.codes)}" if self.codes else ""
        return f"{self.usage} {self.kind} {size}{codes}"


@dataclass
class Segment:
    """A segment in its loop."""

    name: str
    usage: str
    most: int
    order: int
    notes: tuple[str, ...]
    elements: list[Element]

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        first = self.elements[0]
        return self.name, (first.parts[0].codes if first.parts else first.codes)

    def text(self) -> str:
        notes = f" {' '.join(self.notes)}" if self.notes else ""
        runs = groupby(element.text() for element in _trimmed(self.elements))
        counted = [(len(list(run)), text) for text, run in runs]
        elements = " | ".join(f"{count}x {text}" if count > 1 else text for count, text in counted)
        return f"  {self.name} {self.usage} {self.most} {self.order}{notes} | {elements}"


@dataclass
class Loop:
    """A loop with its segments, the one that opens it first."""

    name: str
    parent: str
    usage: str
    most: int
    order: int
    segments: list[Segment] = field(default_factory=list)

    def text(self) -> str:
        head = f"{self.name} {self.parent or '-'} {self.usage} {self.most} {self.order}"
        return "\n".join([head, *(segment.text() for segment in self.segments)])


def _trimmed(elements: list[Element] | tuple[Element, ...]) -> list[Element]:
    kept = list(elements)
    while kept and kept[-1].usage == "N":
        kept.pop()
    return kept


def _of(node: Xml.Element, name: str) -> str:
    return (node.findtext(name) or node.get(name) or "").strip()


def _most(text: str) -> int:
    return 0 if text.startswith(">") else int(text or 1)


def _kinds() -> dict[str, tuple[str, int, int]]:
    root = Xml.fromstring(files("pyx12").joinpath("map/dataele.xml").read_bytes())  # noqa: S314 - of an installed package
    return {
        node.attrib["ele_num"]: (node.attrib["data_type"], int(node.attrib["min_len"]), int(node.attrib["max_len"]))
        for node in root.iter("data_ele")
    }


def _element(node: Xml.Element, kinds: dict[str, tuple[str, int, int]]) -> Element:
    usage = _of(node, "usage")
    if node.tag == "composite":
        parts = tuple(_element(part, kinds) for part in node.findall("element"))
        return Element(usage, parts=parts)
    kind, least, most = kinds[_of(node, "data_ele")]
    codes = tuple(sorted({(code.text or "").strip() for code in node.iter("code")} - {""}))
    listed = any(found.get("external") for found in node.iter("valid_codes"))
    return Element(usage, kind, least, most, () if listed else codes)


def _segment(node: Xml.Element, kinds: dict[str, tuple[str, int, int]]) -> Segment:
    elements = [_element(one, kinds) for one in node if one.tag in ("element", "composite")]
    notes = tuple(note for one in node.findall("syntax") if (note := _note((one.text or "").strip(), elements)))
    return Segment(
        node.attrib["xid"], _of(node, "usage"), _most(_of(node, "max_use")), int(_of(node, "pos")), notes, elements
    )


def _note(text: str, elements: list[Element]) -> str:
    """The relation of elements, if it says more than their usage does."""
    kind, places = text[0], [int(place) for place in re.findall("..", text[1:])]
    usages = {place: elements[place - 1].usage if place <= len(elements) else "N" for place in places}
    first, *rest = places
    match kind:
        case "P" if set(usages.values()) & {"N", "R"}:
            return ""
        case "R" if "R" in usages.values():
            return ""
        case "C" | "L" if usages[first] == "N" or all(usages[place] == "R" for place in rest):
            return ""
        case "E" if sum(usage != "N" for usage in usages.values()) < 2:
            return ""
    places = [place for place in places if usages[place] != "N"]
    return kind + "".join(f"{place:02d}" for place in places) if len(places) > 1 else ""


def _walk(node: Xml.Element, parent: str, kinds: dict[str, tuple[str, int, int]], loops: list[Loop]) -> None:
    for child in node:
        if child.tag == "loop":
            name = child.attrib["xid"]
            if name in SKIPPED:
                _walk(child, parent, kinds, loops)
                continue
            loop = Loop(name, parent or "ST", _of(child, "usage"), _most(_of(child, "repeat")), int(_of(child, "pos")))
            loop.segments = [_segment(one, kinds) for one in child if one.tag == "segment"]
            loops.append(loop)
            _walk(child, name, kinds, loops)


def _merged(loops: list[Loop]) -> list[Loop]:
    """Each loop once, as mild as its mildest copy, with brothers of one position in any order."""
    kept: dict[str, Loop] = {}
    for loop in loops:
        known = kept.get(loop.name)
        if known is None:
            kept[loop.name] = loop
            continue
        if loop.usage != known.usage:
            known.usage = "S"
        for segment in loop.segments:
            same = next((one for one in known.segments if one.key[0] == segment.key[0] and _alike(one, segment)), None)
            if same is None:
                segment.usage = "S"
                known.segments.append(segment)
                continue
            same.usage = same.usage if same.usage == segment.usage else "S"
            same.most = max(same.most, segment.most)
            same.elements = [one.milder(two) for one, two in zip(same.elements, segment.elements, strict=True)]
            same.notes = tuple(note for note in same.notes if note in segment.notes)
    for family in FAMILIES:
        brothers = [loop for loop in kept.values() if loop.name.startswith(family)]
        for loop in brothers:
            loop.order = min(one.order for one in brothers)
    for loop in kept.values():
        loop.segments[1:] = sorted(loop.segments[1:], key=lambda segment: segment.order)
        if loop.name in ("2300", "2000C"):
            loop.usage = "S"
    return list(kept.values())


def _alike(one: Segment, two: Segment) -> bool:
    return not one.key[1] or not two.key[1] or bool(set(one.key[1]) & set(two.key[1]))


@dataclass(frozen=True)
class Correction:
    """What is otherwise than the maps say, and why."""

    forms: str
    loop: str
    segment: str
    change: Callable[[Loop, Segment], None]
    why: str


def _usage(usage: str, *places: int) -> Callable[[Loop, Segment], None]:
    def change(_loop: Loop, segment: Segment) -> None:
        for place in places:
            segment.elements[place - 1] = replace(segment.elements[place - 1], usage=usage)

    return change


def _code(place: int, *more: str) -> Callable[[Loop, Segment], None]:
    def change(_loop: Loop, segment: Segment) -> None:
        old = segment.elements[place - 1]
        segment.elements[place - 1] = replace(old, codes=tuple(sorted({*old.codes, *more})))

    return change


def _any_code(place: int) -> Callable[[Loop, Segment], None]:
    def change(_loop: Loop, segment: Segment) -> None:
        segment.elements[place - 1] = replace(segment.elements[place - 1], codes=())

    return change


def _any_number(loop: Loop, _segment: Segment) -> None:
    loop.most = 0


def _paired(loop: Loop, segment: Segment) -> None:
    _usage("S", 8, 9)(loop, segment)
    segment.notes = ("P0809",)


CORRECTIONS = (
    Correction("P", "2010BA", "NM1", _paired, "as in the map of the 837I: an employer who is insured has no number"),
    Correction("P", "ST", "BHT", _code(6, "31"), "demands of subrogation are in both guides, as the 837I's map has it"),
    Correction("PI", "ST", "ST", _usage("S", 3), "the reader takes the version of GS08 where ST03 is blank"),
    Correction("PI", "ST", "ST", _any_code(3), "a map knows one label of its guide; the reader knows them all"),
    Correction("PI", "2400", "LX", _any_number, "CLM003 counts the lines, by what each form and payer takes"),
)


def _correct(form: str, loops: list[Loop]) -> None:
    by_name = {loop.name: loop for loop in loops}
    for one in CORRECTIONS:
        if form in one.forms:
            loop = by_name[one.loop]
            one.change(loop, next(segment for segment in loop.segments if segment.name == one.segment))


def table(form: str) -> str:
    """The text of the table of a form."""
    kinds = _kinds()
    root = Xml.fromstring(files("pyx12").joinpath(f"map/{MAPS[form]}").read_bytes())  # noqa: S314 - as above
    loops = [Loop("ST", "", "R", 1, 0)]
    _walk(root, "", kinds, loops)
    # ST stands beside the wrappers of the loops
    loops[0].segments = [
        _segment(one, kinds) for name in ("ST", "BHT") for one in root.iter("segment") if one.get("xid") == name
    ]
    loops = _merged(loops)
    _correct(form, loops)
    package = distribution("pyx12")
    licence = next(file for file in package.files or () if file.name.startswith("LICENSE")).read_text()
    notice = [f"# {line}" for line in textwrap.wrap(licence, 114)]
    head = [
        f"# Generated by `python -m ops.x12tables` from {MAPS[form]} of pyx12 {package.version}; do not edit.",
        "# A loop: name, parent, usage (R required, S situational), most (0: any), order. Indented its segments: name,",
        "# usage, most, order, relations of elements; then each element (3x: three alike): usage (N: not used), kind,",
        "# length, codes.",
        *notice,
    ]
    return "\n".join([*head, *(loop.text() for loop in loops), ""])


if __name__ == "__main__":
    sys.exit(generated.write({TABLES / f"837{form.lower()}.txt": table(form) for form in MAPS}, "make schemas"))
