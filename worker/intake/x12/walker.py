"""The walk through interchanges, groups and transaction sets: claims out, with what they inherit, and every fault.

Claims in the file = claims read + claims refused. A claim is refused, alone, where anything that it consists of or
inherits cannot be read; faults of the envelope are gathered for the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.errors import Problem
from rules.formats import icd10
from worker.intake.x12.elements import SCRUBBED
from worker.intake.x12.fields import Form
from worker.intake.x12.loops import CLAIM, KNOWN, STATES, Record, State, Step, add_problem, problem
from worker.intake.x12.segments import Broken, Segments

GUIDES: dict[str, Form] = {
    "005010X222": "P", "005010X222A1": "P", "005010X222A2": "P",
    "005010X223": "I", "005010X223A1": "I", "005010X223A2": "I", "005010X223A3": "I",
}  # fmt: skip
"""ST03 or GS08 to the form."""
_FORMS = {"P": "professional", "I": "institutional"}
_MOST_FAULTS = 100
_NOWHERE: State = {}


@dataclass(frozen=True, slots=True)
class Found:
    """A claim of the file: its place, its fields if it could be read, and why not otherwise."""

    position: str
    origin: str
    number: int
    value: dict[str, Any]
    problems: tuple[Problem, ...]
    trace: dict[str, Any]
    form: Form | None


@dataclass(slots=True)
class Level:
    """An open envelope: interchange, functional group or transaction set."""

    control: str = ""
    ordinal: int = 0
    inside: int = 0
    """Groups in the interchange, sets in the group, claims in the set."""
    open: bool = False
    start: int = 0
    """Number of its first segment."""
    shown: str = "?"

    def __post_init__(self) -> None:
        self.shown = _shown(self.control)


class Walker:
    """Walks the segments once; `faults` is whole when the walk is over."""

    def __init__(self, segments: Segments, limit: int) -> None:
        self._segments = segments
        self._limit = limit
        self.faults: list[Problem] = []
        self.more_faults = 0
        self.count = 0
        """Claims so far, read or not."""
        self._segment = 0
        self._isa, self._gs, self._st = Level(), Level(), Level()
        self._envelope: dict[str, str] = {}
        self._version = ""
        self._set = Record()
        self._unread = ""
        """Why the claims of the open set are not read."""
        self._outside = False
        """Whether a segment outside of any set has been told."""
        self._leave()

    def _leave(self) -> None:
        """No transaction set is open."""
        self._form: Form | None = None
        self._state: State = _NOWHERE
        self._billing: Record | None = None
        self._subscriber: Record | None = None
        self._patient: Record | None = None
        self._claim: Record | None = None
        self._lines: list[Record] = []
        self._others: list[Record] = []
        self._decisions: list[Record] = []
        self._record = Record()
        self._size = 0
        self._suspect: list[Problem] = []
        self._told = False

    def __iter__(self) -> Iterator[Found]:
        handlers = {
            "CLM": self._clm, "HL": self._hl, "ST": self._begin_set, "SE": self._end_set, "GS": self._begin_group,
            "GE": self._end_group, "ISA": self._begin_interchange, "IEA": self._end_interchange,
        }  # fmt: skip
        separators = self._segments
        for batch in separators:
            if isinstance(batch, Broken):
                self._segment += 1
                self._break(batch)
                continue
            separator = separators.element
            for text in batch:
                self._segment += 1
                elements = text.split(separator)
                step = self._state.get(elements[0])
                if step is not None:
                    self._step(step, elements, len(text))
                elif (handler := handlers.get(elements[0])) is None:
                    self._misplaced(elements)
                elif (found := handler(elements)) is not None:
                    yield found
        found = self._end_file()
        if found is not None:
            yield found

    # segments inside a transaction set

    def _step(self, step: Step | Mapping[str, Step], elements: list[str], size: int) -> None:
        if not isinstance(step, Step):
            qualified = step.get(elements[1].strip() if len(elements) > 1 else "") or step.get("")
            if qualified is None:
                self._misplaced(elements)
                return
            step = qualified
        if self._claim is not None:
            self._size += size
            if self._size > self._limit:
                for records in (self._lines, self._others, self._decisions):
                    records.clear()
                return
        opens, rows, special = step
        if opens:
            self._enter(opens)
        record = self._record
        if rows:
            record.fill(rows, elements, self._segments.component, self._segment)
        if special == "HI":
            record.diagnose(elements, self._segments.component, self._segment)
        elif special:
            if special in record.seen:
                record.add(self._segment, special, "is there twice in a service line; expected an LX segment before it")
            record.seen.add(special)

    def _enter(self, loop: str) -> None:
        assert self._form
        self._state = STATES[self._form][loop]
        if loop == "2400":
            self._record = Record()
            self._lines.append(self._record)
        elif loop == "2320":
            self._record = Record()
            self._others.append(self._record)
        elif loop == "2430":
            self._record = Record()
            self._decisions.append(self._record)
        elif loop.startswith("24") and self._lines:
            self._record = self._lines[-1]  # no longer that of a decision
        self._record.seen.add(loop)

    def _misplaced(self, elements: list[str]) -> None:
        name = elements[0]
        if not self._st.open:
            if name != "TA1" and not self._outside:
                self._outside = True
                self._fault(f"segment {self._segment} and perhaps others are in no transaction set (ST)")
        elif self._form is None or self._state is _NOWHERE:
            return
        elif name in KNOWN:
            self._lose_way(name, "has no place here in the guide's loops; a segment may be missing before it")
        else:
            self._corrupt("is no segment of the guide; what it stands for is lost")

    def _break(self, item: Broken) -> None:
        if self._form is None:
            self._fault(f"segment {self._segment}: {item.sentence}")
        else:
            self._corrupt(item.sentence)

    def _corrupt(self, sentence: str) -> None:
        """A segment cannot be told: what is inherited from the level it is in may be incomplete."""
        self._lose_way("", sentence)
        if self._claim is None:
            self._record.add(self._segment, "", sentence)

    def _lose_way(self, name: str, sentence: str) -> None:
        """From here to the next HL no claim can be trusted, and nothing is taken into a level."""
        add_problem(self._suspect, self._segment, name, sentence)
        self._state = _NOWHERE

    def _hl(self, elements: list[str]) -> Found | None:
        found = self._close_claim()
        self._tell_suspect()
        if self._form is None:
            return found
        own, parent, level = (elements[place].strip() if place < len(elements) else "" for place in (1, 2, 3))
        record = Record(id=own)
        match level:
            case "20":
                self._billing, self._subscriber, self._patient = record, None, None
                loop = "2000A"
            case "22":
                self._subscriber, self._patient = record, None
                loop = "2000B"
                self._check_parent(record, self._billing, parent)
            case "23":
                self._patient = record
                loop = "2000C"
                self._check_parent(record, self._subscriber, parent)
            case _:
                self._subscriber = self._patient = None
                self._lose_way("HL03", "expected level 20, 22 or 23")
                return found
        self._record = record
        self._state = STATES[self._form][loop]
        return found

    def _check_parent(self, record: Record, parent: Record | None, named: str) -> None:
        if parent is None or parent.id != named:
            record.add(self._segment, "HL02", "does not name the open HL of the level above")

    def _clm(self, elements: list[str]) -> Found | None:
        found = self._close_claim()
        self.count += 1
        self._st.inside += 1
        claim = self._claim = self._record = Record()
        self._start = self._segment
        self._lines, self._others, self._decisions, self._size = [], [], [], 0
        if self._form is None:
            return found
        self._state = STATES[self._form]["2300"]
        claim.fill(CLAIM[self._form], elements, self._segments.component, self._segment)
        return found

    # a claim is over

    def _close_claim(self, cut: str = "") -> Found | None:
        """The open claim, if there is one; `cut`: why it is not known to be whole."""
        claim = self._claim
        if claim is None:
            return None
        self._claim = None
        problems: list[Problem] = []
        value: dict[str, Any] = {}
        trace: dict[str, Any] = {**self._envelope, **self._set.trace}
        if self._form is None:
            problems.append(problem("", self._unread or "the claim is in no transaction set (ST)"))
        else:
            value["form"] = _FORMS[self._form]
            for level in (self._billing, self._subscriber, self._patient):
                if level is None:
                    continue
                if level is self._patient:
                    value.pop("patient", None)
                _inherit(value, level.fields)
                trace |= level.trace
                problems += level.problems
            value |= claim.fields
            trace |= claim.trace
            problems += claim.problems
            problems += self._structure(cut)
            if self._others:
                value["other_payers"] = list(self._other_payers())
            value.setdefault("diagnoses", [])
            value["lines"] = [line.fields for line in self._lines]
            for line in (*self._others, *self._lines, *self._decisions):
                problems += line.problems
            problems += self._hidden(claim)
        return Found(self._where(), self._origin(), self.count, value, tuple(problems[:20]), trace, self._form)

    def _other_payers(self) -> Iterator[dict[str, Any]]:
        days: dict[str, str] = {}
        for decision in self._decisions:
            payer, day = decision.fields.get("payer_id", ""), decision.fields.get("date", "")
            days[payer] = max(day, days.get(payer, ""))
        for other in self._others:
            day = days.get(other.fields.get("payer_id", ""), "")
            yield {"adjudication_date": day, **other.fields} if day else other.fields

    def _structure(self, cut: str) -> Iterator[Problem]:
        """What is wrong with the loops that the claim consists of."""
        if cut:
            yield problem(f"segment {self._segment}", cut)
        if self._size > self._limit:
            yield problem("", f"the claim has more than {self._limit} bytes")
        if self._suspect:
            self._told = True
            yield from self._suspect
        if self._subscriber is None:
            yield problem("", "the claim is in no subscriber loop (2000B)")
        if self._billing is None or "2010AA" not in self._billing.seen:
            yield problem("2010AA", "the loop of the billing provider is missing")
        if self._subscriber is not None and "2010BA" not in self._subscriber.seen:
            yield problem("2010BA", "the loop of the subscriber is missing")
        if self._patient is not None and "2010CA" not in self._patient.seen:
            yield problem("2010CA", "the loop of the patient is missing")
        service = "SV1" if self._form == "P" else "SV2"
        before = 0
        for place, line in enumerate(self._lines, 1):
            if service not in line.seen:
                yield problem(f"2400 {place}", f"the service line has no {service} segment")
            number = line.fields.get("number", 0)
            if number <= before:
                yield problem(f"2400 {place}", "LX01 does not go up; another claim's lines may have come in")
            before = number

    def _hidden(self, claim: Record) -> Iterator[Problem]:
        """A code that the rules would take for ICD-10-CM though its qualifier says ICD-9-CM."""
        if (
            claim.icd9
            and any(line.fields.get("procedure") == SCRUBBED for line in self._lines)
            and any(map(icd10, claim.icd9))
        ):
            yield problem("2300 HI", "a qualifier says ICD-9-CM (BK, BF, BJ, PR); expected ABK, ABF, ABJ or APR")

    def _where(self) -> str:
        isa, gs, st = self._isa, self._gs, self._st
        envelope = f"ISA {isa.shown} / GS {gs.shown} / ST {st.shown}"
        return f"{envelope} / claim {st.inside} / segment {self._start}"

    def _origin(self) -> str:
        isa, gs, st = self._isa, self._gs, self._st
        envelope = f"{isa.shown}.{isa.ordinal}/{gs.shown}.{gs.ordinal}/{st.shown}.{st.ordinal}"
        return f"{envelope}/{st.inside}"

    # envelopes

    def _begin_interchange(self, elements: list[str]) -> Found | None:
        found = self._close_all("the interchange ends without IEA")
        self._isa = Level(elements[13].strip(), self._isa.ordinal + 1, 0, open=True)
        self._gs, self._st = Level(), Level()
        names = ("sender_qualifier", "sender", "receiver_qualifier", "receiver")
        self._envelope = {name: elements[place].strip() for place, name in enumerate(names, 5)}
        self._envelope["usage"] = elements[15].strip()
        widths = [len(element) for element in elements[1:]]
        for place, width in enumerate((2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)):
            if widths[place] != width:
                self._fault(f"ISA{place + 1:02d} has {widths[place]} characters; expected {width}")
        return found

    def _begin_group(self, elements: list[str]) -> Found | None:
        found = self._close_group("the group ends without GE")
        if not self._isa.open:
            self._fault("a group (GS) is in no interchange")
        self._isa.inside += 1
        self._gs = Level(_at(elements, 6), self._isa.inside, 0, open=True)
        self._st = Level()
        self._version = _at(elements, 8)
        self._envelope |= {"group_sender": _at(elements, 2), "group_receiver": _at(elements, 3)}
        return found

    def _begin_set(self, elements: list[str]) -> Found | None:
        found = self._close_set("the transaction set ends without SE")
        if not self._gs.open:
            self._fault("a transaction set (ST) is in no group")
        self._gs.inside += 1
        self._st = Level(_at(elements, 2), self._gs.inside, 0, open=True, start=self._segment)
        self._leave()
        self._set = self._record = Record()
        self._outside = False
        version = _at(elements, 3) or self._version
        form = GUIDES.get(version)
        kind = _at(elements, 1)
        if kind != "837":
            self._unread = f"the transaction set is no 837 but {_shown(kind)}; claims are read from 837P and 837I"
        elif form is None or form != GUIDES.get(self._version or version, form):
            self._unread = (
                "the 837's version (ST03, GS08) is none that is read; expected 005010X222A1 or A2 (837P), "
                "005010X223A2 or A3 (837I)"
            )
        else:
            self._unread = ""
            self._form = form
            self._state = STATES[form]["ST"]
        return found

    def _end_set(self, elements: list[str]) -> Found | None:
        if not self._st.open:
            self._fault("SE is there without an ST before it")
            return None
        found = self._close_claim()
        self._tell_suspect()
        count = self._segment - self._st.start + 1
        self._compare("SE01", _at(elements, 1), count, "segments")
        self._match("SE02", _at(elements, 2), self._st.control, "ST02")
        if not self._st.inside:
            self._fault(self._unread or "the transaction set has no claim")
        self._st.open = False
        self._leave()
        self._unread = ""
        return found

    def _end_group(self, elements: list[str]) -> Found | None:
        found = self._close_set("the transaction set ends without SE")
        if not self._gs.open:
            self._fault("GE is there without a GS before it")
            return found
        self._compare("GE01", _at(elements, 1), self._gs.inside, "transaction sets")
        self._match("GE02", _at(elements, 2), self._gs.control, "GS06")
        self._gs.open = False
        return found

    def _end_interchange(self, elements: list[str]) -> Found | None:
        found = self._close_group("the group ends without GE")
        if not self._isa.open:
            self._fault("IEA is there without an ISA before it")
            return found
        self._compare("IEA01", _at(elements, 1), self._isa.inside, "groups")
        self._match("IEA02", _at(elements, 2), self._isa.control, "ISA13")
        self._isa.open = False
        return found

    def _close_set(self, why: str) -> Found | None:
        """Ends a set whose SE did not come; its last claim is not known to be whole."""
        if not self._st.open:
            found = self._close_claim("the claim is in no transaction set")
            self._leave()
            return found
        found = self._close_claim(f"{why} after this claim, which may not be whole")
        self._tell_suspect()
        self._fault(why)
        self._st.open = False
        self._leave()
        self._unread = ""
        return found

    def _close_group(self, why: str) -> Found | None:
        found = self._close_set("the transaction set ends without SE")
        if self._gs.open:
            self._fault(why)
            self._gs.open = False
        return found

    def _close_all(self, why: str) -> Found | None:
        found = self._close_group("the group ends without GE")
        if self._isa.open:
            self._fault(why)
            self._isa.open = False
        return found

    def _end_file(self) -> Found | None:
        if not self._isa.ordinal and not self.faults:
            self._fault("there is no ISA segment, so nothing could be read")
        return self._close_all("the file ends before IEA: it is cut off")

    # faults

    def _tell_suspect(self) -> None:
        """A suspicion that no claim was refused for is told as a fault of the file."""
        if self._suspect and not self._told:
            for problem in self._suspect:
                self._fault(f"{problem.path}: {problem.sentence}")
        self._suspect, self._told = [], False

    def _compare(self, name: str, said: str, found: int, what: str) -> None:
        if said != str(found) and (not said.isdigit() or int(said) != found):
            shown = said if said.isascii() and said.isdigit() and len(said) <= 10 else "no number"
            self._fault(f"{name} says {shown}, and there are {found} {what}; some may be lost or added")

    def _match(self, name: str, said: str, control: str, other: str) -> None:
        if said != control:
            self._fault(f"{name} is not the control number of {other}; expected the same")

    def _fault(self, sentence: str) -> None:
        if len(self.faults) >= _MOST_FAULTS:
            self.more_faults += 1
            return
        levels = [("ISA", self._isa), ("GS", self._gs), ("ST", self._st)]
        path = " / ".join(f"{name} {level.shown}" for name, level in levels if level.control)
        self.faults.append(problem(path, sentence))


def _inherit(value: dict[str, Any], fields: dict[str, Any]) -> None:
    """Takes over the fields of a level; its objects are copied, since the claims below it share them."""
    for key, part in fields.items():
        value[key] = part.copy()


def _at(elements: list[str], place: int) -> str:
    return elements[place].strip() if place < len(elements) else ""


def _shown(control: str) -> str:
    """A control number, if it is one: a sentence must not quote what has slipped into its place."""
    return control if control.isascii() and control.isalnum() and len(control) <= 9 and control[:1].isdigit() else "?"
