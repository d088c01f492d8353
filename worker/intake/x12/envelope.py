"""Interchanges, groups and transaction sets: where a claim is, and whether every trailer says what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rules.errors import Problem
from worker.intake.x12 import ended
from worker.intake.x12.ended import Ended, SegmentFault
from worker.intake.x12.fields import Form
from worker.intake.x12.loops import problem
from worker.intake.x12.transactions import no_claims, other_version

GUIDES: dict[str, Form] = {
    "005010X222": "P", "005010X222A1": "P", "005010X222A2": "P",
    "005010X223": "I", "005010X223A1": "I", "005010X223A2": "I", "005010X223A3": "I",
}  # fmt: skip
"""ST03 or GS08 to the form."""
ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
"""Characters of ISA01 to ISA16."""
MOST_FAULTS = 100
_DEPTH = {"ISA": 1, "GS": 2, "ST": 3}


@dataclass(slots=True)
class Level:
    """An interchange, functional group or transaction set."""

    control: str = ""
    ordinal: int = 0
    inside: int = 0
    """Groups in the interchange, sets in the group, claims in the set."""
    open: bool = False
    start: int = 0
    """Number of its first segment."""
    shown: str = "?"
    header: tuple[str, ...] = ()
    said: str = ""
    """The count of its trailer."""
    codes: list[str] = field(default_factory=list)
    """Its faults, as an answer says them."""
    segments: list[SegmentFault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown = shown(self.control)


class PausedEnvelope(NamedTuple):
    """Where the walk is, without what was noted on the way."""

    isa: Level
    gs: Level
    st: Level
    parties: Mapping[str, str]
    form: Form | None
    unread: str
    version: str

    @property
    def set_origin(self) -> str:
        """Of the open set, as that of what ends; empty: none is open."""
        return origin_of(self.isa, self.gs, self.st) if self.st.open else ""


class Noted(NamedTuple):
    """What a stretch of a walk noted on its way."""

    faults: list[Problem]
    more: int
    """Faults beside those."""
    segments: list[SegmentFault]
    """Of the set that is open at its end."""


class Envelope:
    """Where the walk is, and the faults of what is around the claims."""

    def __init__(self) -> None:
        self.isa, self.gs, self.st = Level(), Level(), Level()
        self.faults: list[Problem] = []
        self.ended: list[Ended] = []
        """What is over since this was last emptied, innermost first."""
        self.more_faults = 0
        self.parties: dict[str, str] = {}
        """Who sends to whom, for an acknowledgment."""
        self.form: Form | None = None
        """Of the open set, if its claims are read."""
        self.unread = ""
        """Why not, otherwise."""
        self._version = ""

    def paused(self) -> PausedEnvelope:
        """Where it is."""
        isa, gs, st = map(_bare, (self.isa, self.gs, self.st))
        return PausedEnvelope(isa, gs, st, dict(self.parties), self.form, self.unread, self._version)

    def resume(self, paused: PausedEnvelope) -> None:
        """Goes on from there, with nothing noted."""
        self.isa, self.gs, self.st = map(_bare, (paused.isa, paused.gs, paused.st))
        self.parties, self.form, self.unread, self._version = dict(paused.parties), *paused[4:]

    @property
    def noted(self) -> Noted:
        """What was noted since."""
        return Noted(self.faults, self.more_faults, self.st.segments)

    def position(self, segment: int) -> str:
        """Of the newest claim, whose CLM is the segment of this number."""
        isa, gs, st = self.isa, self.gs, self.st
        return f"ISA {isa.shown} / GS {gs.shown} / ST {st.shown} / claim {st.inside} / segment {segment}"

    def origin(self) -> str:
        """As `position`, and unlike that of any other claim of the file where control numbers repeat."""
        isa, gs, st = self.isa, self.gs, self.st
        return f"{isa.shown}.{isa.ordinal}/{gs.shown}.{gs.ordinal}/{st.shown}.{st.ordinal}/{st.inside}"

    def begin_interchange(self, elements: list[str]) -> None:
        """ISA. One that the tokenizer did not take for a header has not its sixteen elements; what follows is read with
        the separators of the one before."""
        self.isa = Level(at(elements, 13), self.isa.ordinal + 1, open=True, header=tuple(elements))
        self.gs, self.st = Level(), Level()
        names = ("sender_qualifier", "sender", "receiver_qualifier", "receiver")
        self.parties = {name: at(elements, place) for place, name in enumerate(names, 5)}
        self.parties["usage"] = at(elements, 15)
        if len(elements) != len(ISA_WIDTHS) + 1:
            self.fault(f"the ISA segment has {len(elements) - 1} elements; expected {len(ISA_WIDTHS)}")
            self.isa.codes.append("022")
            return
        for place, width in enumerate(ISA_WIDTHS, 1):
            if len(elements[place]) != width:
                self.fault(f"ISA{place:02d} has {len(elements[place])} characters; expected {width}")
                self.isa.codes.append(ended.WIDTHS[place])
        self.isa.codes += ended.noted(elements)

    def pass_over(self, header: list[str], code: str, sentence: str) -> None:
        """An interchange of which nothing is read, since its ISA does not say how."""
        self.isa = Level(at(header, 13), self.isa.ordinal + 1, open=True, header=tuple(header))
        self.gs, self.st = Level(), Level()
        names = ("sender_qualifier", "sender", "receiver_qualifier", "receiver")
        self.parties = {name: at(header, place) for place, name in enumerate(names, 5)}
        self.parties["usage"] = at(header, 15)
        self.fault(sentence)
        self.isa.codes.append(code)
        self._over("ISA", self.isa)

    def begin_group(self, elements: list[str]) -> None:
        """GS."""
        if not self.isa.open:
            self.fault("a group (GS) is in no interchange")
        self.isa.inside += 1
        self.gs = Level(at(elements, 6), self.isa.inside, open=True, header=tuple(elements))
        self.st = Level()
        self._version = at(elements, 8)
        self.parties |= {"group_sender": at(elements, 2), "group_receiver": at(elements, 3)}

    def begin_set(self, elements: list[str], segment: int) -> None:
        """ST, the segment of this number."""
        if not self.gs.open:
            self.fault("a transaction set (ST) is in no group")
            self.isa.codes.append("022")
        self.gs.inside += 1
        self.st = Level(at(elements, 2), self.gs.inside, open=True, start=segment, header=tuple(elements))
        if not self.st.control:
            self.st.codes.append("7")
        self.form, self.unread = None, ""
        kind, version = at(elements, 1), at(elements, 3) or self._version
        form = GUIDES.get(version)
        if kind != "837":
            self.unread = no_claims(kind)
            self.st.codes.append("1")
        elif form is None or form != GUIDES.get(self._version or version, form):
            self.unread = other_version(version)
            self.st.codes.append("I6")
        else:
            self.form = form

    def end_set(self, elements: list[str], segment: int) -> None:
        """SE, the segment of this number."""
        if not self._compare("SE01", at(elements, 1), segment - self.st.start + 1, "segments"):
            self.st.codes.append("4")
        if not self._match("SE02", at(elements, 2), self.st.control, "ST02"):
            self.st.codes.append("3")
        if not self.st.inside:
            self.fault(self.unread or "the transaction set has no claim")
            if not self.unread:
                self.st.codes.append("5")
                self.note(SegmentFault("CLM", segment - self.st.start + 1, "2300", "3"))
        self._over("ST", self.st)
        self.leave_set()

    def note(self, found: SegmentFault) -> None:
        """A fault of a segment of the open set."""
        add_segment(self.st.segments, found)

    def leave_set(self) -> None:
        """No set is open."""
        self.st.open = False
        self.form, self.unread = None, ""

    def end_group(self, elements: list[str]) -> None:
        """GE."""
        if not self.gs.open:
            self.fault("GE is there without a GS before it")
            return
        self.gs.said = at(elements, 1)
        if not self._compare("GE01", self.gs.said, self.gs.inside, "transaction sets"):
            self.gs.codes.append("5")
        if not self._match("GE02", at(elements, 2), self.gs.control, "GS06"):
            self.gs.codes.append("4")
        self._over("GS", self.gs)

    def end_interchange(self, elements: list[str]) -> None:
        """IEA."""
        if not self.isa.open:
            self.fault("IEA is there without an ISA before it")
            return
        self.isa.said = at(elements, 1)
        if not self._compare("IEA01", self.isa.said, self.isa.inside, "groups"):
            self.isa.codes.append("021")
        if not self._match("IEA02", at(elements, 2), self.isa.control, "ISA13"):
            self.isa.codes.append("001")
        self._over("ISA", self.isa)

    def break_off(self, name: ended.Level, why: str, code: str) -> None:
        """Ends a level whose trailer did not come."""
        level = {"ISA": self.isa, "GS": self.gs, "ST": self.st}[name]
        if level.open:
            self.fault(why)
            level.codes.append(code)
            self._over(name, level)

    def _over(self, name: ended.Level, level: Level) -> None:
        level.open = False
        if name != "ISA" and not self.isa.open:
            return  # what is in no interchange has nobody to be answered
        origin = origin_of(*(self.isa, self.gs, self.st)[: _DEPTH[name]])
        found = Ended(
            name, origin, level.header, dict(self.parties), level.said, level.inside, tuple(dict.fromkeys(level.codes)),
            tuple(level.segments),
        )  # fmt: skip
        self.ended.append(found)

    def fault(self, sentence: str) -> None:
        """Notes a fault at the place where the walk is."""
        if len(self.faults) >= MOST_FAULTS:
            self.more_faults += 1
            return
        levels = [("ISA", self.isa), ("GS", self.gs), ("ST", self.st)]
        path = " / ".join(f"{name} {level.shown}" for name, level in levels if level.control)
        self.faults.append(problem(path, sentence))

    def _compare(self, name: str, said: str, found: int, what: str) -> bool:
        fine = bool(said) and (said.lstrip("0") or "0") == str(found)
        if not fine:
            number = said if said.isascii() and said.isdigit() and len(said) <= 10 else "no number"
            self.fault(f"{name} says {number}, and there are {found} {what}; some may be lost or added")
        return fine

    def _match(self, name: str, said: str, control: str, other: str) -> bool:
        if said != control:
            self.fault(f"{name} is not the control number of {other}; expected the same")
        return said == control


def origin_of(*levels: Level) -> str:
    """As `Envelope.origin`, as far as the levels go."""
    return "/".join(f"{each.shown}.{each.ordinal}" for each in levels)


def _bare(level: Level) -> Level:
    """A copy, without the faults of its segments."""
    return replace(level, codes=list(level.codes), segments=[])


def add_segment(segments: list[SegmentFault], found: SegmentFault) -> None:
    """Each once, and no more than are kept of one transaction set."""
    if len(segments) < ended.MOST_SEGMENTS and found not in segments:
        segments.append(found)


def at(elements: list[str], place: int) -> str:
    """The element, or nothing where the segment is shorter."""
    return elements[place].strip() if place < len(elements) else ""


def shown(control: str) -> str:
    """A control number, if it is one: a sentence must not quote what has slipped into its place."""
    return control if control.isascii() and control.isalnum() and len(control) <= 9 and control[:1].isdigit() else "?"
