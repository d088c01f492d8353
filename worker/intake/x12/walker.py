"""The walk through interchanges, groups and transaction sets: claims out, with what they inherit, and every fault.

Claims in the file = claims read + claims refused. A claim is refused, alone, where anything that it consists of or
inherits cannot be read; faults of the envelope are gathered for the end of the file.

It is long and one class, since each segment may end whatever others have opened: what needs nothing of that state is in
loops, lines, envelope and syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rules.errors import Problem
from rules.formats import icd10
from rules.procedures import shipped_codes
from rules.unread import mattering
from worker.intake.x12.ended import Ended, SegmentFault, of_form
from worker.intake.x12.envelope import Envelope, PausedEnvelope, at
from worker.intake.x12.fields import Form
from worker.intake.x12.lines import FOREIGN_LINES, not_going_up, renumber, sums_up
from worker.intake.x12.loops import CLAIM, KNOWN, STATES, Record, Said, State, Step, add_problem, problem
from worker.intake.x12.segments import Broken, Segments, Separators
from worker.intake.x12.syntax import PausedCheck, SyntaxCheck

_FORMS = {"P": "professional", "I": "institutional"}
_HANDLED = ("CLM", "HL", "ST", "SE", "GS", "GE", "ISA", "IEA")
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


class PausedWalk(NamedTuple):
    """A walk between two levels of one set, before the HL of a provider or subscriber. It is the same from there on
    whatever stood before; what was noted on the way (`Noted`) is not in it."""

    separators: Separators
    segment: int
    """Segments so far."""
    claims: int
    """Claims so far."""
    outside: bool
    form: Form | None
    set: Said
    """What the set's head said, as `Record.said`."""
    billing: Said | None
    envelope: PausedEnvelope
    syntax: PausedCheck


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
        self._syntax = SyntaxCheck()
        self._outside = False
        """Whether a segment outside of any set has been reported."""
        self._loop = ""
        """The one that the walk is in."""
        self._handlers: Mapping[str, Callable[[list[str]], WalkedClaim | None]] = {
            "CLM": self._clm, "HL": self._hl, "ST": self._begin_set, "SE": self._end_set, "GS": self._begin_group,
            "GE": self._end_group, "ISA": self._begin_interchange, "IEA": self._end_interchange,
        }  # fmt: skip
        self._leave()

    def _leave(self) -> None:
        """No transaction set is open, or a new one with nothing in it."""
        self._form: Form | None = None
        self._state: State = _NOWHERE
        self._billing: Record | None = None
        self._subscriber: Record | None = None
        self._patient: Record | None = None
        self._claim: Record | None = None
        self._claim_id = ""
        self._lines: list[Record] = []
        self._others: list[Record] = []
        self._decisions: list[Record] = []
        self._unread: set[str] = set()
        self._record = Record()
        self._size = 0
        self._syntax.leave()
        self._suspect: list[Problem] = []
        self._reported = False

    def __iter__(self) -> Iterator[WalkedClaim | Ended]:
        """Every claim, and what of the envelope has ended, each after the last of its claims."""
        yield from self._told(self._walk())
        yield from self._told(iter([self._end_file()]))

    def stretch(self) -> Iterator[WalkedClaim | Ended]:
        """The same of segments that end before an HL of a provider or subscriber, of which more are to come."""
        yield from self._told(self._walk())
        self._segment += 1  # the HL ends the claim
        yield from self._told(iter([self._close_claim()]))
        self._segment -= 1
        self._report_suspect()

    def skim(self) -> None:
        """Walks as `stretch`, and passes over what is of one subscriber: all else is as if its claims had been read,
        unless one of them is not as the guides have it."""
        within = False
        for batch in self._segments:
            if isinstance(batch, Broken):
                self._segment += 1
                self._break(batch)
                continue
            for text in batch:
                self._segment += 1
                if within and not text.startswith(_HANDLED):
                    continue
                name = text[: text.find(self._segments.element)]
                if name == "CLM":
                    self.count += 1
                    self.envelope.st.inside += 1
                    within = True
                elif not within or name != "HL" or at(text.split(self._segments.element, 4), 3) == "20":
                    self._one(text, self._segments.element)
                    within = name == "HL" and self._subscriber is not None
            self.envelope.ended.clear()
        self._report_suspect()

    def paused(self) -> PausedWalk:
        """Where it stands after `stretch` or `skim`."""
        billing = self._billing.said() if self._billing else None
        return PausedWalk(
            self._segments.separators, self._segment, self.count, self._outside, self._form, self._set.said(), billing,
            self.envelope.paused(), self._syntax.paused(),
        )  # fmt: skip

    def resume(self, paused: PausedWalk) -> None:
        """Goes on from there; its segments begin with an HL."""
        self._segment, self.count, self._outside, self._form = paused[1:5]
        self._set = Record.of(paused.set)
        self._billing = Record.of(paused.billing) if paused.billing else None
        self.envelope.resume(paused.envelope)
        self._syntax.resume(paused.syntax, self._form)

    def _told(self, walk: Iterator[WalkedClaim | None]) -> Iterator[WalkedClaim | Ended]:
        ended = self.envelope.ended
        for found in walk:
            if found is not None:
                yield found
            if ended:
                yield from ended
                ended.clear()

    def _walk(self) -> Iterator[WalkedClaim | None]:
        handlers = self._handlers
        separators, ended, rows = self._segments, self.envelope.ended, self._syntax.rows
        elements = [""]
        for batch in separators:
            if isinstance(batch, Broken):
                self._segment += 1
                yield self._break(batch)
                continue
            separator = separators.element
            for text in batch:
                self._segment += 1
                before = elements[0]
                elements = text.split(separator)
                step = self._state.get(elements[0])
                if step is None and (name := elements[0].strip().upper()) in KNOWN and name != elements[0]:
                    elements[0] = name  # blanks around it, or small letters
                    step = self._state.get(name)
                if step is not None:
                    rows.append((text, elements, self._segment))
                    self._step(step, elements, len(text))
                elif (handler := handlers.get(elements[0])) is None:
                    self._misplaced(elements, before)
                elif (found := handler(elements)) is not None or ended:
                    yield found

    def _one(self, text: str, separator: str) -> None:
        """One segment, where what it brings is not wanted."""
        elements = text.split(separator)
        step = self._state.get(elements[0])
        if step is not None:
            self._syntax.rows.append((text, elements, self._segment))
            self._step(step, elements, len(text))
        elif (handler := self._handlers.get(elements[0])) is not None:
            handler(elements)

    # segments inside a transaction set

    def _step(self, step: Step | Mapping[str, Step], elements: list[str], size: int) -> None:
        if not isinstance(step, Step):
            qualified = step.get(at(elements, 1).upper()) or step.get("")
            if qualified is None:
                self._misplaced(elements)
                return
            step = qualified
        if self._claim is not None:
            self._size += size
            if self._size > self._limit:
                for records in (self._lines, self._others, self._decisions, self._syntax.rows):
                    records.clear()
                return
        opens, rows, special, unread, odd, once = step
        if unread:
            self._unread.add(unread)
        if opens:
            self._enter(opens)
        record = self._first(once) if once else self._record
        if odd:
            record.odd.add(odd)
        if rows:
            record.fill(rows, elements, self._segments.component, self._segment)
        if special == "HI":
            self._diagnose(record, elements)
        elif special:
            if special in record.seen:
                record.add(self._segment, special, "is there twice in a service line; expected an LX segment before it")
            record.seen.add(special)
            record.look_at_description(special, elements, self._segments.component)

    def _first(self, opener: str) -> Record:
        """The record of a loop that is read once: of another such loop one that is thrown away."""
        record = self._record
        if opener in record.seen:
            record.odd.add(f"{opener} repeated")
            self._record = Record()
        record.seen.add(opener)
        return self._record

    def _diagnose(self, record: Record, elements: list[str]) -> None:
        assert self._form
        passed = record.diagnose(elements, self._segments.component, self._segment)
        if passed:
            self._unread |= mattering(self._form).keys() & {f"2300 {name}" for name in passed}

    def _enter(self, loop: str) -> None:
        assert self._form
        self._state, self._loop = STATES[self._form][loop], loop
        if loop == "2400":
            self._record = Record()
            self._lines.append(self._record)
        elif loop == "2320":
            self._record = Record()
            self._others.append(self._record)
        elif loop == "2430":
            self._record = Record()
            self._decisions.append(self._record)
            if self._lines:
                self._lines[-1].fields.setdefault("decisions", []).append(self._record.fields)
        elif loop.startswith("24") and self._lines:
            self._record = self._lines[-1]  # no longer that of a decision
        elif loop.startswith("231") and self._claim:
            self._record = self._claim  # no longer that of a provider who is named twice
        self._record.seen.add(loop)

    def _misplaced(self, elements: list[str], before: str = "") -> None:
        """A segment that has no place here; `before`: the identifier of that before it."""
        name = elements[0]
        if not self.envelope.st.open:
            if name != "TA1" and not self._outside:
                self._outside = True
                self.envelope.isa.codes.append("024")
                self.envelope.fault(f"segment {self._segment} and perhaps others are in no transaction set (ST)")
        elif self._form is None or self._state is _NOWHERE:
            return
        elif name in KNOWN:
            self._lose_track(name, "has no place here in the guide's loops; a segment may be missing before it")
            self._note(name, "2")
        else:
            sentence = "is no segment of the guide; what it stands for is lost"
            if before in KNOWN:
                mark = self._segments.terminator
                sentence += f"; perhaps the text of the {before} before it holds {mark!r}, the segment terminator"
            self._corrupt(sentence)

    def _break(self, item: Broken) -> WalkedClaim | None:
        if item.header is not None:
            found = self._close_interchange("the interchange ends without IEA", "022")
            self.envelope.pass_over(item.header, item.code, f"segment {self._segment}: {item.sentence}")
            return found
        if self._form is None:
            self.envelope.fault(f"segment {self._segment}: {item.sentence}")
        else:
            self._corrupt(item.sentence)
        return None

    def _note(self, name: str, code: str, loop: str | None = None, **element: Any) -> None:
        """A fault of the segment at hand, for the answer to the sender."""
        place = self._segment - self.envelope.st.start + 1
        loop = self._loop if loop is None else loop
        self.envelope.note(SegmentFault(name, place, loop, code, **element, claim=self._claim_id))

    def _corrupt(self, sentence: str) -> None:
        """A segment cannot be recognized: what is inherited from the level it is in may be incomplete."""
        self._lose_track("", sentence)
        self._note("", "1")
        if self._claim is None:
            self._record.add(self._segment, "", sentence)

    def _lose_track(self, name: str, sentence: str) -> None:
        """From here to the next HL no claim can be trusted, and nothing is taken into a level."""
        add_problem(self._suspect, self._segment, name, sentence)
        if self._claim is None:
            # Those of later levels are read; what copies the level for them would copy this along.
            level = self._patient or self._subscriber or self._billing or self._set
            level.trace["strays"] = True
        self._state = _NOWHERE

    def _hl(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_claim()
        self._report_suspect()
        if self._form is None:
            self._misplaced(elements)
            return found
        self._syntax.level(elements, self._segment)
        self._claim_id = ""
        own, parent, level = (at(elements, place) for place in (1, 2, 3))
        record = Record(id=own)
        match level:
            case "20":
                self._billing, self._subscriber, self._patient = record, None, None
                loop = "2000A"
            case "22":
                self._subscriber, self._patient = record, None
                loop = "2000B"
                self._check_parent(loop, record, self._billing, parent)
            case "23":
                self._patient = record
                loop = "2000C"
                self._check_parent(loop, record, self._subscriber, parent)
            case _:
                self._subscriber = self._patient = None
                self._lose_track("HL03", "expected level 20, 22 or 23")
                self._note("HL", "8", "", element="3", number="735", element_code="7")
                return found
        self._record = record
        self._state, self._loop = STATES[self._form][loop], loop
        return found

    def _check_parent(self, level: str, record: Record, parent: Record | None, named: str) -> None:
        if parent is not None and not named:
            record.odd.add(f"{level} HL02 missing")
        elif parent is None or parent.id.lstrip("0") != named.lstrip("0"):
            record.add(self._segment, "HL02", "does not name the open HL of the level above")
            self._note("HL", "8", "", element="2", number="734", element_code="7")

    def _clm(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_claim()
        self.count += 1
        self.envelope.st.inside += 1
        claim = self._claim = self._record = Record()
        self._start = self._segment
        self._lines, self._others, self._decisions, self._size = [], [], [], 0
        self._unread.clear()
        self._claim_id = at(elements, 1)
        if self._form is None:
            return found
        self._syntax.claim(elements, self._segment)
        self._state, self._loop = STATES[self._form]["2300"], "2300"
        claim.fill(CLAIM[self._form], elements, self._segments.component, self._segment)
        return found

    # a claim is over

    def _close_claim(self, cut: str = "") -> WalkedClaim | None:
        """The open claim, if there is one; `cut`: why it is not known to be whole."""
        claim = self._claim
        if claim is None:
            return None
        problems: list[Problem] = []
        value: dict[str, Any] = {}
        trace: dict[str, Any] = {**self.envelope.parties, **self._set.trace}
        if self._form is None:
            problems.append(problem("", self.envelope.unread or "the claim is in no transaction set (ST)"))
        else:
            value["form"] = _FORMS[self._form]
            _inherit(value, self._set.fields)
            problems += self._set.problems
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
            value["source_format"] = "x12"
            value.setdefault("diagnoses", [])
            renumber(self._lines)
            value["lines"] = [line.fields for line in self._lines]
            if odd := self._odd(claim):
                value["oddities"] = sorted(odd)
            if self._unread:
                value["not_read"] = sorted(self._unread)
            for line in (*self._others, *self._lines, *self._decisions):
                problems += line.problems
            problems += self._hidden(claim)
            if not problems and (faults := self._syntax.faults(patient=self._patient is not None)):
                value["form_faults"] = [fault for fault, _ in faults]
                for fault, segment in faults:
                    self.envelope.note(of_form(fault, segment - self.envelope.st.start + 1, self._claim_id))
        position = self.envelope.position(self._start)
        self._claim = None
        return WalkedClaim(
            position, self.envelope.origin(), self.count, value, tuple(problems[:_MOST]), trace, self._form
        )

    def _other_payers(self) -> Iterator[dict[str, Any]]:
        days: dict[str, str] = {}
        for decision in self._decisions:
            payer, day = decision.fields.get("payer_id", ""), decision.fields.get("adjudication_date", "")
            days[payer] = max(day, days.get(payer, ""))
        for other in self._others:
            day = days.get(other.fields.get("payer_id", ""), "")
            if day and "adjudication_date" not in other.fields:
                yield {"adjudication_date": day, "dated_by_lines": True, **other.fields}
            else:
                yield other.fields

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
            self._note("HL", "3", "2000B")
        if self._billing is None or "2010AA" not in self._billing.seen:
            yield problem("2010AA", "the loop of the billing provider is missing")
            self._note("NM1", "3", "2010AA")
        if self._subscriber is not None and "2010BA" not in self._subscriber.seen:
            yield problem("2010BA", "the loop of the subscriber is missing")
            self._note("NM1", "3", "2010BA")
        if self._patient is not None and "2010CA" not in self._patient.seen:
            yield problem("2010CA", "the loop of the patient is missing")
            self._note("NM1", "3", "2010CA")
        service = "SV1" if self._form == "P" else "SV2"
        for place, line in enumerate(self._lines, 1):
            if service not in line.seen:
                yield problem(f"2400 {place}", f"the service line has no {service} segment")
                self._note(service, "3", "2400")
        assert self._claim
        if (place := not_going_up(self._lines)) and not sums_up(self._claim, self._lines):
            yield problem(f"2400 {place}", FOREIGN_LINES)

    def _odd(self, claim: Record) -> set[str]:
        """What is noted of the claim and of all that it consists of or inherits."""
        levels = [level for level in (self._billing, self._subscriber, self._patient) if level]
        records = (self._set, *levels, claim, *self._others, *self._lines, *self._decisions)
        return set().union(*[record.odd for record in records if record.odd])

    def _hidden(self, claim: Record) -> Iterator[Problem]:
        """A code that the rules would take for ICD-10-CM though its qualifier says ICD-9-CM."""
        own = any(line.fields.get("procedure") in shipped_codes() for line in self._lines)
        if own and claim.icd9 and any(map(icd10, claim.icd9)):
            yield problem("2300 HI", "a qualifier says ICD-9-CM (BK, BF, BJ, PR); expected ABK, ABF, ABJ or APR")

    # the envelope: each ends what is open inside it

    def _begin_interchange(self, elements: list[str]) -> WalkedClaim | None:
        found = self._close_interchange("the interchange ends without IEA", "022")
        self.envelope.begin_interchange(elements)
        self._syntax.interchange(elements)
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
        self._form, self._loop = self.envelope.form, ""
        if self._form:
            self._state = STATES[self._form]["ST"]
            marks = self._segments.element, self._segments.component
            self._syntax.transaction(self._form, elements, self._segment, *marks)
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
        return self._close_interchange("the file ends before IEA: it is cut off", "023")

    def _close_set(self) -> WalkedClaim | None:
        """Ends a set whose SE did not come; its last claim is not known to be whole."""
        why = "the transaction set ends without SE"
        found = self._close_claim(f"{why} after this claim, which may not be whole")
        self._report_suspect()
        self.envelope.break_off("ST", why, "2")
        self.envelope.leave_set()
        self._leave()
        return found

    def _close_group(self, why: str) -> WalkedClaim | None:
        found = self._close_set()
        self.envelope.break_off("GS", why, "3")
        return found

    def _close_interchange(self, why: str, code: str) -> WalkedClaim | None:
        found = self._close_group("the group ends without GE")
        self.envelope.break_off("ISA", why, code)
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
        value[key] = _copied(part)


def _copied(part: Any) -> Any:
    return {key: _copied(inner) for key, inner in part.items()} if isinstance(part, dict) else part
