"""The walker: which loop each segment is in, and the fields that it fills.

The tables of `fields` are compiled once into a state for each loop: segment identifier (and qualifier, where one
decides) to the loop that it opens and the rows that it fills. A segment that has no place where it stands is never
passed over: from there to the next HL segment no claim can be trusted, as the segment may be what is left of an HL or
a CLM.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from rules.errors import Problem
from rules.unread import UNREAD, mattering
from worker.intake.x12.elements import Unreadable, modifier_as_description, text
from worker.intake.x12.fields import (
    CHECKED,
    CODES,
    DIAGNOSES,
    FIELDS,
    FORM_FIELDS,
    ICD9,
    LOOPS,
    PRINCIPAL,
    TRACE,
    Convert,
    Field,
    Form,
    Loop,
)
from worker.intake.x12.guide import KNOWN_NAMES, segments_of
from worker.intake.x12.hicodes import diagnosis, present_on_admission

_MOST = 20
"""Problems that are kept of one claim."""
_QUALIFIED = frozenset({"NM1", "REF", "DTP", "AMT", "PRV"})
_SPECIAL = frozenset({"HI", "SV1", "SV2"})
_NUMBERS = {name for one in UNREAD if one.rules for name in one.segments.split() if name.startswith("REF*")}
"""REF segments that rules could ask and that fill no field."""
_FORM = frozenset(FORM_FIELDS)
_READ_ONCE = ("231", "2410", "242")
"""Loops of a claim or line that the guides have once for each of the segments that open them."""
_LISTS = ("lines[].", "other_payers[].", "decisions[].")


class FieldRow(NamedTuple):
    """A field of FIELDS, CHECKED or TRACE, ready to run."""

    parents: tuple[str, ...]
    """The parts that the field is in, from the outermost."""
    key: str
    element: int
    convert: Convert | None
    """None: the text as it stands, without a call."""
    traced: bool
    place: str
    """Such as `SV102`."""
    again: str = ""
    """What is noted where it is there twice with different values, of which the first is read; empty: it refuses."""


class Step(NamedTuple):
    """What a segment does: the loop that it opens, if any, the rows that it fills, and what no row can say."""

    opens: str | None
    rows: tuple[FieldRow, ...]
    special: str = ""
    """HI, SV1 or SV2: see `Walker`."""
    unread: str = ""
    """The place, where a rule could ask what is passed over here."""
    odd: str = ""
    """What is noted of a segment that is not in the guide where it stands."""
    once: str = ""
    """The segment that opens a loop which is read once: the first is read, and others are noted."""


State = Mapping[str, "Step | Mapping[str, Step]"]


def element_name(item: Field) -> str:
    """The element as the guides write it: `SV102`; of a whole segment `CAS`."""
    segment = item.segment.partition("*")[0]
    return f"{segment}{item.element:02d}" if item.element else segment


def _row(item: Field, traced: bool) -> FieldRow:
    path = item.path
    for prefix in _LISTS:
        path = path.removeprefix(prefix)
    *parents, key = path.split(".")
    convert = None if item.convert is text else item.convert
    again = f"{item.loop} {item.segment} repeated" if item.segment.startswith("REF*") or item in _FORM else ""
    return FieldRow(tuple(parents), key, item.element, convert, traced, element_name(item), again)


def _states(form: Form) -> dict[str, State]:
    rows: dict[tuple[str, str], tuple[FieldRow, ...]] = {}
    for table in (FIELDS, CHECKED, TRACE):
        for item in table:
            if form in item.forms:
                key = (item.loop, item.segment)
                rows[key] = (*rows.get(key, ()), _row(item, table is TRACE))
    del rows["2300", "CLM"]
    loops = [loop for loop in LOOPS if form in loop.forms]
    return {loop.name: _state(loop, loops, rows, mattering(form), form) for loop in loops}


def _state(
    loop: Loop,
    loops: list[Loop],
    rows: Mapping[tuple[str, str], tuple[FieldRow, ...]],
    unread: Container[str],
    form: Form,
) -> State:
    """What may follow in this loop: its members, its children, and what its ancestors may still open."""
    filled = {place for place, _ in rows}

    def step(opens: str | None, place: str, segment: str) -> Step:
        name = f"{place} {segment}"
        once = name if opens and place.startswith(_READ_ONCE) and place in filled else ""
        return Step(opens, rows.get((place, segment), ()), unread=name if name in unread else "", once=once)

    flat = {name: step(None, loop.name, name) for name in loop.members.split()}
    flat |= {name: step(None, loop.name, name) for name in _NUMBERS if f"{loop.name} {name}" in unread}
    flat |= {segment: step(None, name, segment) for name, segment in rows if name == loop.name}
    for opener in loop.opens:
        flat.pop(opener, None)
    at, rank = loop, 0
    while True:
        for child in loops:
            if child.parent == at.name and child.rank >= rank:
                for opener in child.opens:
                    flat.setdefault(opener, step(child.name, child.name, opener))
        if not at.parent:
            break
        rank, at = at.rank, next(other for other in loops if other.name == at.parent)
    state: dict[str, Step | dict[str, Step]] = {}
    for name, found in flat.items():
        segment, _, qualifier = name.partition("*")
        if segment not in _QUALIFIED:
            state[segment] = found._replace(special=segment) if segment in _SPECIAL else found
            continue
        entry = state.setdefault(segment, {})
        assert isinstance(entry, dict)
        entry[qualifier] = found  # the empty qualifier stands for those that no row names
    if allowed := segments_of(form, loop.name):
        _mark(state, loop, allowed)
    return state


def _mark(state: dict[str, Step | dict[str, Step]], loop: Loop, allowed: frozenset[str]) -> None:
    """Notes what of this loop's own segments is not in its guide: what fills a field or opens a loop is none of it."""
    plain = {name.partition("*")[0] for name in allowed}
    for name in loop.members.split():
        entry = state[name]
        if isinstance(entry, Step):
            if not (entry.rows or entry.special or name in plain):
                state[name] = entry._replace(odd=f"{loop.name} {name} misplaced")
            continue
        if not (rest := entry.get("")):
            continue
        for known in KNOWN_NAMES:
            segment, _, qualifier = known.partition("*")
            if segment == name and qualifier and qualifier not in entry:
                odd = "" if known in allowed else f"{loop.name} {known} misplaced"
                entry[qualifier] = rest._replace(odd=odd)
        if any(known.startswith(f"{name}*") for known in KNOWN_NAMES):
            entry[""] = rest._replace(odd=f"{loop.name} {name} unknown")


CLAIM: dict[Form, tuple[FieldRow, ...]] = {
    form: tuple(
        _row(item, False) for item in FIELDS if (item.loop, item.segment) == ("2300", "CLM") and form in item.forms
    )
    for form in ("P", "I")
}
"""The rows of CLM, which opens loop 2300 from wherever it stands."""
STATES: dict[Form, dict[str, State]] = {"P": _states("P"), "I": _states("I")}
KNOWN = frozenset(
    {"ISA", "IEA", "GS", "GE", "ST", "SE", "TA1", "BHT", "HL", "CLM"}
    | {name.partition("*")[0] for loop in LOOPS for name in (*loop.opens, *loop.members.split())}
)
"""Segment identifiers that may be named in a sentence; any other may be a piece of a name."""


Said = tuple[str, dict[str, Any], dict[str, Any], set[str], list[Problem], list[str], bool, set[str]]


class Record:
    """What one HL level, one claim, one line or one other payer has so far.

    id: HL01, where it is an HL level. seen: loops that were opened, and service segments. icd9: codes beside a
    qualifier of ICD-9-CM. odd: what was read though it is not as the guide has it. principal: whether a principal
    diagnosis was there.
    """

    __slots__ = ("fields", "icd9", "id", "odd", "principal", "problems", "seen", "trace")

    def __init__(self, id: str = "") -> None:
        # By hand: there is one for each line, and a dataclass's factories take twice the time.
        self.id = id
        self.fields: dict[str, Any] = {}
        self.trace: dict[str, Any] = {}
        self.seen: set[str] = set()
        self.problems: list[Problem] = []
        self.icd9: list[str] = []
        self.principal = False
        self.odd: set[str] = set()

    def said(self) -> Said:
        """All of it as it is now, whatever is added later."""
        return deepcopy(
            (self.id, self.fields, self.trace, self.seen, self.problems, self.icd9, self.principal, self.odd)
        )

    @classmethod
    def of(cls, said: Said) -> Record:
        """The record that said this."""
        record = cls()
        (
            record.id, record.fields, record.trace, record.seen, record.problems, record.icd9, record.principal,
            record.odd,
        ) = deepcopy(said)  # fmt: skip
        return record

    def fill(self, rows: Iterable[FieldRow], elements: list[str], component: str, segment: int) -> None:
        """Fills the fields of the rows from the elements of a segment; what cannot be read becomes a problem."""
        count = len(elements)
        for parents, key, place, convert, traced, name, again in rows:
            if place >= count or not (raw := elements[place]):
                continue
            value: object
            if convert is None:
                value = raw.strip()
                if not value:
                    continue
            else:
                try:
                    value = convert(raw, elements, component)
                except Unreadable as error:
                    self.add(segment, name, str(error))
                    continue
                if value is None:
                    continue
            target = self.trace if traced else self.fields
            for parent in parents:
                target = target.setdefault(parent, {})
            if not place:
                target.setdefault(key, []).extend(value)
            elif target.setdefault(key, value) != value and not traced:
                if again:
                    self.odd.add(again)
                else:
                    self.add(segment, name, "is there twice with different values; expected it once in its loop")

    def look_at_description(self, service: str, elements: list[str], component: str) -> None:
        """Notes a modifier of SV1 or SV2 that stands where the description does, as a fifth one may."""
        place = 1 if service == "SV1" else 2
        if len(elements) > place and modifier_as_description(elements[place], component):
            self.odd.add(f"2400 {service}{place:02d}-7 modifier")

    def diagnose(self, elements: list[str], component: str, segment: int) -> list[str]:
        """Takes the codes of an HI segment of loop 2300; answers with what is passed over, `HI*BH` and `HI*BH:32`."""
        passed: list[str] = []
        group = 1 + max((one["group"] for one in self.fields.get("occurrences", ())), default=0)
        for place, raw in enumerate(elements[1:], 1):
            if not raw:
                continue
            name = f"HI{place:02d}"
            try:
                qualifier, code = diagnosis(raw, component)
            except Unreadable as error:
                self.add(segment, name, str(error))
                continue
            if qualifier in CODES:
                self._take_code(name, qualifier, raw, component, segment, group)
                continue
            if qualifier not in DIAGNOSES:
                self.add(segment, name, "expected a qualifier of the guide in the first component")
                continue
            target = DIAGNOSES[qualifier]
            if qualifier in ICD9:
                self.icd9.append(code)
            if target == "admitting_diagnosis":
                if self.fields.setdefault(target, code) != code:
                    self.add(segment, name, "is a second admitting diagnosis; expected one")
            elif target:
                self._take(target, qualifier, code, present_on_admission(raw, component))
            else:
                passed += (f"HI*{qualifier}", f"HI*{qualifier}:{code}")
        return passed

    def _take_code(self, name: str, qualifier: str, raw: str, component: str, segment: int, group: int) -> None:
        """A condition, occurrence or value; `group`: which segment of occurrences this would be."""
        target, convert = CODES[qualifier]
        try:
            found = convert(raw, component)
        except Unreadable as error:
            self.add(segment, name, str(error))
            return
        if isinstance(found, dict) and target == "occurrences":
            found["group"] = group
        self.fields.setdefault(target, []).append(found)

    def _take(self, target: str, qualifier: str, code: str, poa: str | None) -> None:
        """A diagnosis of a list, with the indicator of what was present on admission."""
        codes = self.fields.setdefault(target, [])
        codes.append(code)
        if target == "diagnoses" and poa:
            self.fields.setdefault("present_on_admission", []).append({"diagnosis": len(codes), "indicator": poa})
        if qualifier in PRINCIPAL:
            if self.principal:
                self.fields["several_principal_diagnoses"] = True
            self.principal = True

    def add(self, segment: int, name: str, sentence: str) -> None:
        """Notes a problem of the element `name` in the segment of that number."""
        add_problem(self.problems, segment, name, sentence)


def add_problem(problems: list[Problem], segment: int, name: str, sentence: str) -> None:
    """Notes a problem, unless there are many already: after a fault in the structure, each segment would add one."""
    found = problem(f"segment {segment} {name}" if name else f"segment {segment}", sentence)
    if len(problems) < _MOST and found not in problems:
        problems.append(found)


def problem(path: str, sentence: str) -> Problem:
    """A problem whose path holds nothing of the file's content."""
    return Problem(path, sentence, path)
