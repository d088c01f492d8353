"""Reading X12 835 remittances: what a payer paid for a claim, line by line, and why not more. No name is read.

Places are those of the implementation guide 005010X221A1. An older set is read all the same where its segments are
these. What is not an 835 set is reported, and so is a set without its end: the last claim of it may not be whole.
Segments in, frozen models out: what they mean together is for `worker.outcomes` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

from rules.errors import Problem
from rules.procedures import shipped_codes
from worker.intake.document import Refusal
from worker.intake.gunzip import Gunzip
from worker.intake.x12.elements import Unreadable, attached, number
from worker.intake.x12.envelope import at, shown
from worker.intake.x12.segments import Broken, Segments

_MIA, _MOA = (5, 20, 21, 22, 23), (3, 4, 5, 6, 7)
"""Elements that hold remark codes."""
_WITHIN = frozenset(("AMT", "DTM", "LQ", "NM1", "PER", "QTY", "REF"))
"""Segments within a claim of which nothing, or not all, is read here."""
_MOST = 10_000
"""Service lines, adjustments and remarks of one claim together: 999 lines with ten of them each."""
_LOOKED_AT = 4_096
_FIRST_SET = re.compile(rb"[\r\n~|'!\x1c-\x1f]ST[^\w\s](\d{3})[^\w\s]")
_NOTHING = Decimal(0)
_CLAIMS = "`scrub check` and `scrub submit` read claims, `scrub outcomes import` what payers answered (X12 835)"
_FOREIGN = {
    b"{": f"this is JSON and no 835; {_CLAIMS}",
    b"[": f"this is JSON and no 835; {_CLAIMS}",
    b"<": f"this is XML or HTML and no 835; {_CLAIMS}",
    b"PK\x03\x04": "this is a zip; unpack it and give the 835 files in it",
    b"%PDF": "this is a PDF; expected the remittance as X12 835, which the payer or clearinghouse sends beside it",
}
"""How files begin that are no X12."""
_PASSED = {
    "837": f"this transaction set is no 835 but claims (837), and is passed by; {_CLAIMS}",
    "277": "this transaction set is no 835 but an acknowledgment or status (277), and is passed by: it pays nothing",
    "999": "this transaction set is no 835 but an acknowledgment (999), and is passed by: it pays nothing",
}


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Why a part of the charge was not paid: one reason of a CAS segment."""

    group: str
    """CO, PR, OA or PI."""
    reason: str
    """CARC."""
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Service:
    """One service line (loop 2110)."""

    procedure: str | None
    """SVC01-2, or where the payer changed it SVC06-2: what was submitted. None: no CPT or HCPCS code."""
    charge: Decimal
    paid: Decimal
    line: str | None = None
    """REF*6R: the line item control number of the claim, or LX01 where it had none and was split."""
    adjustments: tuple[Adjustment, ...] = ()
    remarks: tuple[str, ...] = ()
    """RARC."""
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Payment:
    """What a payer decided on a claim (loop 2100). Two that say the same are equal, wherever they stand."""

    claim_id: str
    """CLP01."""
    status: str
    """CLP02, without zeros before it."""
    charge: Decimal
    paid: Decimal
    control: str
    """CLP07, the payer's own number."""
    day: date | None
    """DTM*405, else BPR16, else GS04. A claim's own dates, as DTM*050, say nothing of the remittance."""
    trace: str
    """TRN02 and TRN03: the check or transfer, for all claims of it; where there is no TRN, ISA13 and ST02."""
    adjustments: tuple[Adjustment, ...] = ()
    """Of the claim as a whole; those of its lines are theirs."""
    remarks: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    file: str = field(default="", compare=False)
    position: str = field(default="", compare=False)
    strange: bool = field(default=False, compare=False)
    """Whether a segment stands in it that is none of the guide's."""

    @property
    def balances(self) -> bool:
        """Whether charge less all adjustments is what was paid, as the guide demands."""
        every = [*self.adjustments, *(one for service in self.services for one in service.adjustments)]
        return self.charge - sum((one.amount for one in every), _NOTHING) == self.paid


@dataclass(frozen=True, slots=True)
class ProviderAdjustment:
    """Money that was kept or added on the remittance as a whole (PLB): interest, recoveries, and others. It may be
    about a claim and does not say about which in a way that can be relied on."""

    reason: str
    """PLB03-1 and the like."""
    amount: Decimal
    """Positive: so much less was paid."""
    day: date | None
    trace: str
    """Both as of a Payment."""
    ordinal: int
    """Which one of its transaction set it is: with day and trace the same in a file that is read twice."""


Remitted = Payment | ProviderAdjustment | Refusal


def read_remittances(name: str, stream: IO[bytes]) -> Iterator[Remitted]:
    """Every claim of the 835 sets of the stream, plain or gzip, in order; a Refusal for what cannot be read.

    A claim that is refused has its number in the file, what is no claim has 0. Never raises for what is in the stream;
    errors of reading it (OSError) pass through.
    """
    packed = stream if isinstance(stream, BufferedReader) else BufferedReader(cast(Any, stream))
    unpacked = Gunzip(packed) if packed.peek(2)[:2] == b"\x1f\x8b" else None
    reader = BufferedReader(unpacked) if unpacked else packed
    if sentence := _foreign(reader):
        yield _refused(name, "", sentence)
        return
    yield from _Walk(name, Segments(reader)).read()
    if unpacked and unpacked.fault:
        yield _refused(name, "", unpacked.fault)


def is_remittance(file: Path) -> bool:
    """Whether the first transaction set of a file, plain or gzip, is an 835.

    Raises:
        OSError, ValueError: it cannot be opened.
    """
    with file.open("rb") as reader:
        head = (Gunzip(reader) if reader.peek(2)[:2] == b"\x1f\x8b" else reader).read(_LOOKED_AT)
    return (found := _FIRST_SET.search(head)) is not None and found[1] == b"835"


def _foreign(reader: BufferedReader) -> str:
    """What the file is instead, where its first bytes say that it is no X12."""
    head = reader.peek(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((sentence for mark, sentence in _FOREIGN.items() if head.startswith(mark)), "")


def _refused(name: str, position: str, sentence: str, number: int = 0) -> Refusal:
    return Refusal(name, position, number, (Problem("", sentence),))


@dataclass(slots=True)
class _Line:
    """A service line that is being read."""

    procedure: str | None
    modifiers: tuple[str, ...]
    charge: Decimal
    paid: Decimal
    line: str | None = None
    adjustments: list[Adjustment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def done(self) -> Service:
        return Service(
            self.procedure, self.charge, self.paid, self.line, tuple(self.adjustments), tuple(self.remarks),
            self.modifiers,
        )  # fmt: skip


@dataclass(slots=True)
class _Claim:
    """A claim that is being read."""

    elements: list[str]
    charge: Decimal
    paid: Decimal
    position: str
    adjustments: list[Adjustment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    lines: list[_Line] = field(default_factory=list)
    strange: bool = False

    def done(self, name: str, day: date | None, trace: str) -> Payment:
        said = self.elements
        return Payment(
            at(said, 1), at(said, 2).lstrip("0"), self.charge, self.paid, at(said, 7), day, trace,
            tuple(self.adjustments), tuple(self.remarks), tuple(line.done() for line in self.lines), name,
            self.position, self.strange,
        )  # fmt: skip


class _Walk:
    """Follows the segments of one file."""

    def __init__(self, name: str, segments: Segments) -> None:
        self._name, self._segments = name, segments
        self._segment = self._claims = self._sets = 0
        self._passed = False
        """Whether there was another transaction set."""
        self._passing = False
        """Whether one is open."""
        self._set: str | None = None
        """ST02 of the open 835 set."""
        self._interchange = ""
        self._group_day: date | None = None
        self._begin()

    def _begin(self) -> None:
        self._day: date | None = self._group_day
        self._trace = ""
        self._ordinal = self._adjusted = 0
        self._claim: _Claim | None = None
        self._fault = ""
        self._parts = 0

    def read(self) -> Iterator[Remitted]:
        for batch in self._segments:
            if isinstance(batch, Broken):
                self._segment += 1
                self._fault = self._fault or batch.sentence
                if self._set is None:
                    yield self._refusal(batch.sentence)
                continue
            for text in batch:
                self._segment += 1
                yield from self._take(text.split(self._segments.element))
        yield from self._end("the file ends before the end of the set (SE)")
        if not self._sets and not self._passed:
            yield _refused(self._name, "", f"there is no 835 in this file; {_CLAIMS}")

    def _take(self, elements: list[str]) -> Iterator[Remitted]:
        kind = elements[0]
        if kind == "ST":
            yield from self._begin_set(elements)
        elif kind in ("ISA", "GS", "GE", "IEA"):
            yield from self._end("the set ends without SE")
            self._passing = False
            if kind == "ISA":
                self._interchange = at(elements, 13)
            elif kind == "GS":
                self._group_day = _date(at(elements, 4))
        elif self._set is None:
            if kind == "CLP" and not self._passing:
                self._claims += 1
                yield self._refusal("the claim is in no transaction set (ST*835)", self._claims)
            self._passing = self._passing and kind != "SE"
        elif kind in ("CLP", "LX", "PLB", "SE"):
            yield from self._close()
            self._fault = ""
            if kind == "CLP":
                self._open(elements)
            elif kind == "PLB":
                yield from self._provider(elements)
            elif kind == "SE":
                self._set = None
        elif self._parts < _MOST:
            self._fill(kind, elements)
        elif not self._fault:
            self._fault = f"the claim has more than {_MOST} service lines, adjustments and remarks"

    def _begin_set(self, elements: list[str]) -> Iterator[Remitted]:
        yield from self._end("the set ends without SE")
        self._begin()
        kind = at(elements, 1)
        self._sets += kind == "835"
        self._set = at(elements, 2) if kind == "835" else None
        self._passing = self._set is None
        if self._set is None:
            self._passed = True
            yield self._refusal(_PASSED.get(kind, "this transaction set is no 835, and is passed by"))

    def _open(self, elements: list[str]) -> None:
        self._ordinal += 1
        self._claims += 1
        self._parts = 0
        self._wanted(elements, (1, "the claim id"), (2, "the status"), (3, "the charge"), (4, "the amount paid"))
        self._claim = _Claim(elements, self._amount(elements, 3), self._amount(elements, 4), self._here())

    def _wanted(self, elements: list[str], *places: tuple[int, str]) -> None:
        """What is missing is not nothing: a blank amount would be read as paid or charged nothing."""
        for place, what in places:
            if not at(elements, place) and not self._fault:
                self._fault = f"{elements[0]}{place:02d}, {what}, is missing"

    def _fill(self, kind: str, elements: list[str]) -> None:
        claim = self._claim
        if claim is None:
            if kind == "BPR" or (kind == "DTM" and at(elements, 1) == "405"):
                self._day = _date(at(elements, 16 if kind == "BPR" else 2)) or self._day
            elif kind == "TRN":
                self._trace = f"{at(elements, 2)} {at(elements, 3)}".strip()
            return
        line = claim.lines[-1] if claim.lines else None
        if kind == "SVC":
            self._open_service(claim, elements)
        elif kind == "CAS":
            (line or claim).adjustments.extend(self._adjustments(elements))
        elif kind == "REF" and line and at(elements, 1) == "6R":
            line.line = at(elements, 2) or None
        elif kind == "LQ" and at(elements, 1) == "HE":
            self._parts += 1
            (line or claim).remarks.append(at(elements, 2))
        elif kind in ("MIA", "MOA"):
            self._parts += 1
            claim.remarks += filter(None, (at(elements, place) for place in (_MIA if kind == "MIA" else _MOA)))
        elif kind not in _WITHIN:
            claim.strange = True

    def _open_service(self, claim: _Claim, elements: list[str]) -> None:
        self._parts += 1
        self._wanted(elements, (2, "the charge"), (3, "the amount paid"))
        # What was submitted counts, where it has a code of these sets: a payer may give a revenue code beside one.
        submitted, adjudicated = (self._procedure(at(elements, place)) for place in (6, 1))
        procedure, modifiers = submitted if submitted[0] else adjudicated
        if at(elements, 6) and not submitted[0] and not at(elements, 6).startswith("NU"):
            procedure, modifiers = None, ()
        claim.lines.append(_Line(procedure, modifiers, self._amount(elements, 2), self._amount(elements, 3)))

    def _procedure(self, composite: str) -> tuple[str | None, tuple[str, ...]]:
        parts = [part.strip() for part in composite.split(self._segments.component)]
        if len(parts) < 2:
            if any(code in composite for code in shipped_codes()):
                self._fault = f"SVC01: expected components separated by {self._segments.component!r} (ISA16)"
            return None, ()
        if parts[0].upper() != "HC" or not parts[1]:
            return None, ()
        code, more = attached(parts[1])
        return code, (*more, *(part for part in parts[2:6] if part))

    def _adjustments(self, elements: list[str]) -> Iterator[Adjustment]:
        for place in range(2, len(elements), 3):
            if reason := at(elements, place).lstrip("0").upper():
                self._parts += 1
                self._wanted(elements, (place + 1, "the amount of the adjustment"))
                yield Adjustment(at(elements, 1).upper(), reason, self._amount(elements, place + 1))

    def _provider(self, elements: list[str]) -> Iterator[ProviderAdjustment | Refusal]:
        for place in range(3, min(len(elements), 14), 2):
            if reason := at(elements, place).partition(self._segments.component)[0].strip():
                amount = self._amount(elements, place + 1)
                if self._fault:
                    yield self._refusal(self._fault)
                    self._fault = ""
                else:
                    self._adjusted += 1
                    yield ProviderAdjustment(reason, amount, self._day, self._check(), self._adjusted)

    def _amount(self, elements: list[str], place: int) -> Decimal:
        text = at(elements, place)
        if not text:
            return _NOTHING
        try:
            return Decimal(number(text, elements, ""))
        except Unreadable as error:
            self._fault = f"{elements[0]}{place:02d}: {error}"
            return _NOTHING

    def _close(self, cut: str = "") -> Iterator[Payment | Refusal]:
        claim, self._claim = self._claim, None
        if fault := self._fault or (cut if claim else ""):
            # Before the first claim, too, and between two: a claim may be what it was.
            yield self._refusal(fault, self._claims if claim else 0)
        elif claim:
            yield claim.done(self._name, self._day, self._check())

    def _end(self, why: str) -> Iterator[Payment | Refusal]:
        if self._set is not None:
            if self._claim is None and not self._fault:
                yield self._refusal(why)
            yield from self._close(f"{why} after this claim, which may not be whole")
            self._set = None

    def _check(self) -> str:
        """By what the remittance is known."""
        return self._trace or f"{self._interchange}/{self._set}"

    def _here(self) -> str:
        within = f"ST {shown(self._set)} / claim {self._ordinal} / " if self._set is not None else ""
        return f"{within}segment {self._segment}"

    def _refusal(self, sentence: str, number: int = 0) -> Refusal:
        return _refused(self._name, self._here(), sentence, number)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    except ValueError:
        return None
