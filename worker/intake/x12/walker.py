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
from rules.procedures import shipped_codes
from rules.unread import mattering
from worker.intake.x12.envelope import Envelope, at
from worker.intake.x12.fields import Form
from worker.intake.x12.loops import CLAIM, KNOWN, STATES, Record, State, Step, add_problem, problem
from worker.intake.x12.segments import Broken, Segments

_FORMS = {"P": "professional", "I": "institutional"}
_NOWHERE: State = {}
_MOST = 20
"""Problems that are reported of one claim."""


@dataclass(frozen=True, slots=True)
class WalkedClaim:
    """A claim of the file: its place, its fields if it could be read, and why not otherwise."""

    position: str
    origin: str
    number: int
    value: dict[str, Any]
    problems: tuple[Problem, ...]
    trace: dict[str, Any]
    form: Form | None


class Walker:
    """Walks the segments once; the faults of its envelope are all there when the walk is over."""

    def __init__(self, segments: Segments, limit: int) -> None:
        self.envelope = Envelope()
        self.count = 0
        """Claims so far, read or not."""
        self._segments = segments
        self._limit = limit
        self._segment = 0
        self._set = Record()
        self._outside = False
        """Whether a segment outside of any set has been reported."""
        self._leave()

    def _leave(self) -> None:
        """No transaction set is open, or a new one with nothing in it."""
        self._form: Form | None = None
        self._state: State = _NOWHERE
        self._billing: Record | None = None
        self._subscriber: Record | None = None
        self._patient: Record | None = None
        self._claim: Record | None = None
        self._lines: list[Record] = []
        self._others: list[Record] = []
        self._decisions: list[Record] = []
        self._unread: set[str] = set()
        self._record = Record()
        self._size = 0
        self._suspect: list[Problem] = []
        self._reported = False

    def __iter__(self) -> Iterator[WalkedClaim]:
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
            qualified = step.get(at(elements, 1)) or step.get("")
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
        opens, rows, special, unread = step
        if unread:
            self._unread.add(unread)
        if opens:
            self._enter(opens)
        record = self._record
        if rows:
            record.fill(rows, elements, self._segments.component, self._segment)
        if special == "HI":
            self._diagnose(record, elements)
        elif special:
            if special in record.seen:
                record.add(self._segment, special, "is there twice in a service line; expected an LX segment before it")
            record.seen.add(special)

    def _diagnose(self, record: Record, elements: list[str]) -> None:
        assert self._form
        passed = record.diagnose(elements, self._segments.component, self._segment)
        if passed:
            self._unread |= mattering(self._form).keys() & {f"2300 {name}" for name in passed}

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
        if not self.envelope.st.open:
            if name != "TA1" and not self._outside:
                self._outside = True
                self.envelope.fault(f"segment {self._segment} and perhaps others are in no transaction set (ST)")
        elif self._form is None or self._state is _NOWHERE:
            return
        elif name in KNOWN:
            self._lose_track(name, "has no place here in the guide's loops; a segment may be missing before it")
        else:
            self._corrupt("is no segment of the guide; what it stands for is lost")

    def _break(self, item: Broken) -> None:
        if self._form is None:
            self.envelope.fault(f"segment {self._segment}: {item.sentence}")
        else:
            self._corrupt(item.sentence)

    def _corrupt(self, sentence: str) -> None:
        """A segment cannot be recognized: what is inherited from the level it is in may be incomplete."""
        self._lose_track("", sentence)
        if self._claim is None:
            self._record.add(self._segment, "", sentence)

    def _lose_track(self, name: str, sentence: str) -> None:
        """From here to the next HL no claim can be trusted, and nothing is taken into a level."""
        add_problem(self._suspect, self._segment, name, sentence)
        self._state = _NOWHERE

    def _hl(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_claim()
        self._report_suspect()
        if self._form is None:
            self._misplaced(elements)
            return found
        own, parent, level = (at(elements, place) for place in (1, 2, 3))
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
                self._lose_track("HL03", "expected level 20, 22 or 23")
                return found
        self._record = record
        self._state = STATES[self._form][loop]
        return found

    def _check_parent(self, record: Record, parent: Record | None, named: str) -> None:
        if parent is None or parent.id != named:
            record.add(self._segment, "HL02", "does not name the open HL of the level above")

    def _clm(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_claim()
        self.count += 1
        self.envelope.st.inside += 1
        claim = self._claim = self._record = Record()
        self._start = self._segment
        self._lines, self._others, self._decisions, self._size = [], [], [], 0
        self._unread.clear()
        if self._form is None:
            return found
        self._state = STATES[self._form]["2300"]
        claim.fill(CLAIM[self._form], elements, self._segments.component, self._segment)
        return found

    # a claim is over

    def _close_claim(self, cut: str = "") -> WalkedClaim | None:
        """The open claim, if there is one; `cut`: why it is not known to be whole."""
        claim = self._claim
        if claim is None:
            return None
        self._claim = None
        problems: list[Problem] = []
        value: dict[str, Any] = {}
        trace: dict[str, Any] = {**self.envelope.parties, **self._set.trace}
        if self._form is None:
            problems.append(problem("", self.envelope.unread or "the claim is in no transaction set (ST)"))
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
            if self._unread:
                value["not_read"] = sorted(self._unread)
            for line in (*self._others, *self._lines, *self._decisions):
                problems += line.problems
            problems += self._hidden(claim)
        position = self.envelope.position(self._start)
        return WalkedClaim(
            position, self.envelope.origin(), self.count, value, tuple(problems[:_MOST]), trace, self._form
        )

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
            self._reported = True
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
        own = any(line.fields.get("procedure") in shipped_codes() for line in self._lines)
        if own and claim.icd9 and any(map(icd10, claim.icd9)):
            yield problem("2300 HI", "a qualifier says ICD-9-CM (BK, BF, BJ, PR); expected ABK, ABF, ABJ or APR")

    # the envelope: each ends what is open inside it

    def _begin_interchange(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_interchange("the interchange ends without IEA")
        self.envelope.begin_interchange(elements)
        return found

    def _begin_group(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_group("the group ends without GE")
        self.envelope.begin_group(elements)
        return found

    def _begin_set(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_set()
        self.envelope.begin_set(elements, self._segment)
        self._leave()
        self._outside = False
        self._set = self._record
        self._form = self.envelope.form
        if self._form:
            self._state = STATES[self._form]["ST"]
        return found

    def _end_set(self, elements: list[str]) -> WalkedClaim | None:
        if not self.envelope.st.open:
            self.envelope.fault("SE is there without an ST before it")
            return None
        found = self._close_claim()
        self._report_suspect()
        self.envelope.end_set(elements, self._segment)
        self._leave()
        return found

    def _end_group(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_set()
        self.envelope.end_group(elements)
        return found

    def _end_interchange(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_group("the group ends without GE")
        self.envelope.end_interchange(elements)
        return found

    def _end_file(self) -> WalkedClaim | None:
        if not self.envelope.isa.ordinal and not self.envelope.faults:
            self.envelope.fault("there is no ISA segment, so nothing could be read")
        return self._close_interchange("the file ends before IEA: it is cut off")

    def _close_set(self) -> WalkedClaim | None:
        """Ends a set whose SE did not come; its last claim is not known to be whole."""
        why = "the transaction set ends without SE"
        found = self._close_claim(f"{why} after this claim, which may not be whole")
        self._report_suspect()
        self.envelope.break_off(self.envelope.st, why)
        self.envelope.leave_set()
        self._leave()
        return found

    def _close_group(self, why: str) -> WalkedClaim | None:
        found = self._close_set()
        self.envelope.break_off(self.envelope.gs, why)
        return found

    def _close_interchange(self, why: str) -> WalkedClaim | None:
        found = self._close_group("the group ends without GE")
        self.envelope.break_off(self.envelope.isa, why)
        return found

    def _report_suspect(self) -> None:
        """A suspicion that no claim was refused for is reported as a fault of the file."""
        if self._suspect and not self._reported:
            for suspect in self._suspect:
                self.envelope.fault(f"{suspect.path}: {suspect.sentence}")
        self._suspect, self._reported = [], False


def _inherit(value: dict[str, Any], fields: dict[str, Any]) -> None:
    """Takes over the fields of a level; its objects are copied, since the claims below it share them."""
    for key, part in fields.items():
        value[key] = part.copy()
