"""Reading X12 835 remittances: what a payer paid for a claim, line by line, and why not more. No name is read.

Places are those of the implementation guide 005010X221A1. An older set is read all the same where its segments are
these. What is not an 835 set is reported, and so is a set without its end: the last claim of it may not be whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from io import BufferedReader
from typing import IO, Any, cast

from rules.errors import Problem
from rules.procedures import shipped_codes
from worker.intake.document import Refusal
from worker.intake.gunzip import Gunzip
from worker.intake.x12.elements import Unreadable, number
from worker.intake.x12.envelope import at, shown
from worker.intake.x12.segments import Broken, Segments

REVERSAL = "22"
"""CLP02: an earlier payment is taken back."""
_MIA, _MOA = (5, 20, 21, 22, 23), (3, 4, 5, 6, 7)
"""Elements that hold remark codes."""
_MOST = 10_000
"""Service lines, adjustments and remarks of one claim together: 999 lines with ten of them each."""
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Why a part of the charge was not paid: one reason of a CAS segment."""

    group: str
    """CO, PR, OA or PI."""
    reason: str
    """CARC."""
    amount: Decimal


@dataclass(slots=True)
class Service:
    """One service line (loop 2110)."""

    procedure: str | None
    """SVC01-2, or where the payer changed it SVC06-2: what was submitted. None: no CPT or HCPCS code."""
    charge: Decimal
    paid: Decimal
    line: str | None = None
    """REF*6R: the line item control number of the claim, or LX01 where it had none and was split."""
    adjustments: list[Adjustment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """RARC."""


@dataclass(slots=True)
class Payment:
    """What a payer decided on a claim (loop 2100)."""

    claim_id: str
    """CLP01."""
    status: str
    """CLP02."""
    charge: Decimal
    paid: Decimal
    control: str
    """CLP07, the payer's own number."""
    day: date | None
    """DTM*405, or BPR16."""
    trace: str
    """TRN02 and TRN03 with its place in the set: the same in a file that is read twice."""
    adjustments: list[Adjustment] = field(default_factory=list)
    """Of the claim as a whole; those of its lines are theirs."""
    remarks: list[str] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)

    @property
    def balances(self) -> bool:
        """Whether charge less all adjustments is what was paid, as the guide demands."""
        every = [*self.adjustments, *(one for service in self.services for one in service.adjustments)]
        return self.charge - sum((one.amount for one in every), _NOTHING) == self.paid


def read_remittances(name: str, stream: IO[bytes]) -> Iterator[Payment | Refusal]:
    """Every claim of the 835 sets of the stream, plain or gzip, in order; a Refusal for what cannot be read.

    Never raises for what is in the stream; errors of reading it (OSError) pass through.
    """
    packed = stream if isinstance(stream, BufferedReader) else BufferedReader(cast(Any, stream))
    unpacked = Gunzip(packed) if packed.peek(2)[:2] == b"\x1f\x8b" else None
    yield from _Walk(name, Segments(BufferedReader(unpacked) if unpacked else packed)).read()
    if unpacked and unpacked.fault:
        yield _refused(name, "", unpacked.fault)


def _refused(name: str, position: str, sentence: str) -> Refusal:
    return Refusal(name, position, 0, (Problem("", sentence),))


class _Walk:
    """Follows the segments of one file."""

    def __init__(self, name: str, segments: Segments) -> None:
        self._name, self._segments = name, segments
        self._segment = 0
        self._sets = 0
        self._passed = False
        """Whether there was another transaction set."""
        self._set: str | None = None
        """ST02 of the open 835 set."""
        self._begin()

    def _begin(self) -> None:
        self._day: date | None = None
        self._trace = ""
        self._ordinal = 0
        self._payment: Payment | None = None
        self._service: Service | None = None
        self._fault = ""
        self._parts = 0

    def read(self) -> Iterator[Payment | Refusal]:
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
            yield _refused(self._name, "", "there is no 835 in this file")

    def _take(self, elements: list[str]) -> Iterator[Payment | Refusal]:
        kind = elements[0]
        if kind == "ST":
            yield from self._end("the set ends without SE")
            self._begin()
            self._sets += at(elements, 1) == "835"
            self._set = at(elements, 2) if at(elements, 1) == "835" else None
            if self._set is None:
                self._passed = True
                yield self._refusal("this transaction set is no 835, and is passed by")
        elif self._set is None:
            return
        elif kind in ("CLP", "LX", "PLB", "SE"):
            yield from self._close()
            self._fault = ""
            if kind == "CLP":
                self._open(elements)
            elif kind == "SE":
                self._set = None
        elif kind in ("ISA", "GS", "GE", "IEA"):
            yield from self._end("the set ends without SE")
        elif self._parts < _MOST:
            self._fill(kind, elements)
        elif not self._fault:
            self._fault = f"the claim has more than {_MOST} service lines, adjustments and remarks"

    def _open(self, elements: list[str]) -> None:
        self._ordinal += 1
        self._parts = 0
        self._payment = Payment(
            at(elements, 1), at(elements, 2), _NOTHING, _NOTHING, at(elements, 7), self._day,
            f"{self._trace} {self._ordinal}",
        )  # fmt: skip
        if not at(elements, 1):
            self._fault = "CLP01, the claim id, is missing"
        self._payment.charge, self._payment.paid = self._amount(elements, 3), self._amount(elements, 4)

    def _fill(self, kind: str, elements: list[str]) -> None:
        payment, service = self._payment, self._service
        if payment is None:
            if kind == "BPR" or (kind == "DTM" and at(elements, 1) == "405"):
                self._day = _date(at(elements, 16 if kind == "BPR" else 2)) or self._day
            elif kind == "TRN":
                self._trace = f"{at(elements, 2)} {at(elements, 3)}"
            return
        if kind == "SVC":
            self._open_service(payment, elements)
        elif kind == "CAS":
            (service or payment).adjustments.extend(self._adjustments(elements))
        elif kind == "REF" and service and at(elements, 1) == "6R":
            service.line = at(elements, 2) or None
        elif kind == "LQ" and service and at(elements, 1) == "HE":
            self._parts += 1
            service.remarks.append(at(elements, 2))
        elif kind in ("MIA", "MOA"):
            self._parts += 1
            payment.remarks += filter(None, (at(elements, place) for place in (_MIA if kind == "MIA" else _MOA)))

    def _open_service(self, payment: Payment, elements: list[str]) -> None:
        submitted = at(elements, 6) or at(elements, 1)
        parts = submitted.split(self._segments.component)
        if len(parts) < 2 and any(code in submitted for code in shipped_codes()):
            self._fault = f"SVC01: expected components separated by {self._segments.component!r} (ISA16)"
        self._parts += 1
        procedure = parts[1] if len(parts) > 1 and parts[0] == "HC" else None
        self._service = Service(procedure, self._amount(elements, 2), self._amount(elements, 3))
        payment.services.append(self._service)

    def _adjustments(self, elements: list[str]) -> Iterator[Adjustment]:
        for place in range(2, len(elements), 3):
            if reason := at(elements, place):
                self._parts += 1
                yield Adjustment(at(elements, 1), reason, self._amount(elements, place + 1))

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
        payment, self._payment, self._service = self._payment, None, None
        if fault := self._fault or (cut if payment else ""):
            yield self._refusal(fault)  # before the first claim, too, and between two: a claim may be what it was
        elif payment:
            yield payment

    def _end(self, why: str) -> Iterator[Payment | Refusal]:
        if self._set is not None:
            if self._payment is None and not self._fault:
                yield self._refusal(why)
            yield from self._close(f"{why} after this claim, which may not be whole")
            self._set = None

    def _refusal(self, sentence: str) -> Refusal:
        within = f"ST {shown(self._set)} / claim {self._ordinal} / " if self._set is not None else ""
        return _refused(self._name, f"{within}segment {self._segment}", sentence)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    except ValueError:
        return None
