"""The 277CA, health care claim acknowledgment (005010X214): the verdicts on an 837, as billing systems read them.

One 277 transaction set answers one 837 transaction set; one interchange answers one interchange. A claim for billing
is A2, accepted; one that is not checked is A1, received and no more; one for rework carries a status for each finding
that blocks (A3, A6, A7 or A8, with the element in error in STC12, and on its service line); one that cannot be read is
A3. Findings of one slip are one status: STC10 and STC11 have up to two more codes of it, STC12 names their rules. The
answer comes from the scrubber, not from the payer: information source AY, a clearinghouse. Of an accepted claim STC12
names the tables that a rule asked and that do not speak of its date; where SCRUB_GAPS holds such a claim, the same
stands under A3, or A1.

Source: ASC X12N 005010X214.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from rules.claim import Claim, Line
from rules.report import Report
from worker.intake.document import Document, Refusal
from worker.intake.x12.statuses import MESSAGE, MOST_STATUSES, Status, of_refusal, verdict
from worker.intake.x12.written import OWN_ID, OWN_NAME, isa, money, must, plain, pour, send

GUIDE = "005010X214"
_IN_MEMORY = 2**22
"""Bytes of claims that wait in memory for the totals that go before them; more go to an unnamed file."""
_LONGEST_AMOUNT = 18
"""Characters of an AMT02 or STC04."""


class _Tally:
    """Claims and dollars, accepted and rejected."""

    def __init__(self) -> None:
        self.counts = {"WQ": 0, "U": 0}
        self.sums = {"WQ": Decimal(0), "U": Decimal(0)}

    def add(self, action: str, charge: Decimal) -> None:
        self.counts[action] += 1
        self.sums[action] += charge

    @property
    def total(self) -> Decimal:
        return self.sums["WQ"] + self.sums["U"]

    def segments(self, accepted: str, rejected: str) -> Iterator[str]:
        for qualifier, action in ((accepted, "WQ"), (rejected, "U")):
            if self.counts[action]:
                yield f"QTY*{qualifier}*{self.counts[action]}"
        for qualifier, action in (("YU", "WQ"), ("YY", "U")):
            if self.counts[action]:
                yield f"AMT*{qualifier}*{money(self.sums[action])}"


class StatusSet:
    """One 277 set, the answer to one 837 set: claims come one after the other, and it is written once it is whole.

    What waits for its totals holds names and member ids: it is in memory or in an unnamed temporary file, and gone when
    this is.
    """

    def __init__(self, now: datetime, trace: Mapping[str, Any]) -> None:
        self._now = now
        self._trace = trace
        self._count = 0
        self._hl = iter(range(3, 10**9))
        self._all = _Tally()
        self._provider: Mapping[str, Any] | None = None
        # `pour` closes it, as it does the claims of each provider.
        self._body: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115

    def accept(self, document: Document, report: Report) -> None:
        """Adds the verdict on a claim that was read."""
        self._of(document, list(verdict(report, document.claim)))

    def receive(self, document: Document) -> None:
        """Adds a claim that was read and is not judged here."""
        self._of(document, [Status("A1", "19", "RECEIVED, NOT YET CHECKED", entity="40")])

    def refuse(self, refusal: Refusal) -> None:
        """Adds a claim that could not be read."""
        trace = refusal.trace or {}
        charge = trace.get("total_charge", "0")
        charge = Decimal(charge) if len(charge) <= _LONGEST_AMOUNT else Decimal(0)
        self._add(refusal, str(trace.get("claim_id", "0")), charge, list(of_refusal(refusal)), None)

    def close(self, out: IO[bytes], number: int) -> None:
        """Writes the set under this number."""
        self._end_provider()
        trace, day = self._trace, self._date
        submitter = trace.get("submitter", {})
        batch = must(trace.get("batch"), 50, "0")
        head = [
            f"ST*277*{number:04d}*{GUIDE}",
            f"BHT*0085*08*{batch}*{day}*{self._now:%H%M}*TH",
            "HL*1**20*1",
            f"NM1*AY*2*{OWN_NAME}*****46*{OWN_ID}",
            f"TRN*1*{batch}",
            f"DTP*050*D8*{day}",
            f"DTP*009*D8*{day}",
            "HL*2*1*21*1",
            f"NM1*41*{_kind(submitter)}*{must(submitter.get('name'), 60)}*****46*{must(submitter.get('id'), 80)}",
            f"TRN*2*{batch}",
            f"STC*A1:19:AY*{day}*WQ*{money(self._all.total)}",
            *self._all.segments("90", "AA"),
        ]
        for segment in head:
            send(out, segment)
        pour(self._body, out)
        send(out, f"SE*{len(head) + self._count + 1}*{number:04d}")

    def drop(self) -> None:
        """Writes nothing."""
        self._body.close()
        if self._provider is not None:
            self._claims.close()

    def _of(self, document: Document, statuses: list[Status]) -> None:
        claim = document.claim
        self._add(document, claim.claim_id, claim.total_charge or Decimal(0), statuses, claim)

    def _add(
        self, item: Document | Refusal, claim_id: str, charge: Decimal, statuses: list[Status], claim: Claim | None
    ) -> None:
        trace = item.trace or {}
        provider = trace.get("provider", {})
        if provider != self._provider:
            self._end_provider()
            self._begin_provider(provider)
        action = "U" if any(status.action == "U" for status in statuses) else "WQ"
        self._all.add(action, charge)
        self._own.add(action, charge)
        for segment in _patient(next(self._hl), self._provider_hl, trace, claim_id):
            self._write(self._claims, segment)
        for segment in _statuses(statuses, charge, self._date, trace, claim):
            self._write(self._claims, segment)

    def _begin_provider(self, provider: Mapping[str, Any]) -> None:
        self._provider = provider
        self._provider_hl = next(self._hl)
        self._own = _Tally()
        self._claims: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115

    def _end_provider(self) -> None:
        provider = self._provider
        if provider is None:
            return
        kind, number = ("XX", provider["npi"]) if "npi" in provider else ("FI", provider.get("tax_id"))
        name = must(provider.get("name"), 60)
        first = plain(provider.get("first_name", ""), 35) if _kind(provider) == "1" else ""
        for segment in (
            f"HL*{self._provider_hl}*2*19*1",
            f"NM1*85*{_kind(provider)}*{name}*{first}****{kind}*{must(number, 80)}",
            "TRN*1*0",
            f"STC*A1:19:AY**WQ*{money(self._own.total)}",
            *self._own.segments("QA", "QC"),
        ):
            self._write(self._body, segment)
        pour(self._claims, self._body)
        self._provider = None

    @property
    def _date(self) -> str:
        return f"{self._now:%Y%m%d}"

    def _write(self, where: IO[bytes], segment: str) -> None:
        self._count += 1
        send(where, segment)


class Acknowledgment:
    """Writes interchanges of 277CA to `out` as the verdicts come, in the order of the 837; `close` writes the last.

    It answers whatever claims were read, also those of sets that an answer to the whole file rejects (`answers`).
    Memory does not grow with the file.
    """

    def __init__(self, out: IO[bytes], now: datetime) -> None:
        self._out = out
        self._now = now
        self._levels: tuple[str, ...] = ()
        self._set: StatusSet | None = None
        self._sets = 0
        self._file, self._number = "", 0
        # Unlike those of the answers of another second, and one more for each interchange of this one.
        self._control = int(now.timestamp()) % 10**9

    def accept(self, document: Document, report: Report) -> None:
        """Adds the verdict on a claim that was read."""
        self._set_of(document).accept(document, report)

    def refuse(self, refusal: Refusal) -> None:
        """Adds a claim that could not be read."""
        self._set_of(refusal).refuse(refusal)

    def close(self) -> None:
        """Ends the last interchange."""
        self._end_interchange()
        self._levels = ()

    def _set_of(self, item: Document | Refusal) -> StatusSet:
        """The set that answers the item's, begun where it is the first of it."""
        levels = tuple(item.origin.split("/")[:3])
        trace = item.trace or {}
        other_file = item.file != self._file or item.number <= self._number
        self._number = item.number
        if self._set is None or levels != self._levels or other_file:
            if levels[:1] != self._levels[:1] or other_file:
                self._end_interchange()
                self._begin_interchange(trace, item.file)
            else:
                self._end_set()
            self._sets += 1
            self._set = StatusSet(self._now, trace)
            self._levels = levels
        return self._set

    def _begin_interchange(self, trace: Mapping[str, Any], file: str) -> None:
        self._file = file
        self._control += 1
        sender, qualifier = must(trace.get("sender"), 15), must(trace.get("sender_qualifier"), 2, "ZZ")
        send(self._out, isa(self._now, ("ZZ", OWN_ID), (qualifier, sender), self._control, trace))
        receiver = must(trace.get("group_sender"), 15, sender)
        when = f"{self._now:%Y%m%d}*{self._now:%H%M}"
        send(self._out, f"GS*HN*{OWN_ID}*{receiver}*{when}*{self._control}*X*{GUIDE}")
        self._sets = 0

    def _end_interchange(self) -> None:
        if not self._levels:
            return
        self._end_set()
        send(self._out, f"GE*{self._sets}*{self._control}")
        send(self._out, f"IEA*1*{self._control:09d}")

    def _end_set(self) -> None:
        if self._set is not None:
            self._set.close(self._out, self._sets)
        self._set = None


def _patient(hl: int, parent: int, trace: Mapping[str, Any], claim_id: str) -> Iterator[str]:
    patient = trace.get("patient", {})
    member_id = must(trace.get("member_id"), 80)
    yield f"HL*{hl}*{parent}*PT"
    yield (
        f"NM1*QC*1*{must(patient.get('name'), 60)}*{plain(patient.get('first_name', ''), 35)}"
        f"****MI*{member_id if len(member_id) > 1 else f'0{member_id}'}"  # two characters at least
    )
    yield f"TRN*2*{must(claim_id, 50, '0')}"


def _statuses(
    statuses: list[Status], charge: Decimal, day: str, trace: Mapping[str, Any], claim: Claim | None
) -> Iterator[str]:
    for status in statuses[:MOST_STATUSES]:
        stc = f"STC*{status.composite}*{day}*{status.action}*{money(charge)}"
        second, third = (*status.composites[1:], "", "")[:2]
        yield f"{stc}******{second}*{third}*{plain(status.message, MESSAGE)}" if status.message else stc
    if number := plain(trace.get("clearinghouse_number", ""), 50):
        yield f"REF*D9*{number}"
    if claim is not None and claim.type_of_bill:
        yield f"REF*BLT*{plain(claim.type_of_bill.removeprefix('0'), 50)}"
    days = _days(claim, trace)
    yield _when(min(days), max(days)) if days else f"DTP*472*D8*{day}"
    if claim is not None:
        for line in claim.lines:
            own = [one for status in statuses for one in (status, *status.more) if one.line == line.number]
            if own:
                yield from _service(line, own, day)


def _days(claim: Claim | None, trace: Mapping[str, Any]) -> list[date]:
    """Days of service. The guide wants one; where none could be read, that of receipt is used."""
    days: list[date] = [date.fromisoformat(day) for day in trace.get("days", ())]
    if claim is not None:
        days += [line.service_date for line in claim.lines if line.service_date]
        days += [line.service_date_end for line in claim.lines if line.service_date_end]
        days += [day for day in (claim.statement_from_date, claim.statement_through_date) if day]
    return days


def _when(first: date, last: date) -> str:
    start, end = (day.isoformat().replace("-", "") for day in (first, last))
    return f"DTP*472*D8*{start}" if start == end else f"DTP*472*RD8*{start}-{end}"


def _service(line: Line, statuses: list[Status], day: str) -> Iterator[str]:
    """Loop 2220D: the line, with up to three statuses, worst first as the report has them; none without a code."""
    if not line.procedure and not line.revenue_code:
        return
    modifiers = [modifier for modifier in line.modifiers if len(modifier) == 2][:4]
    procedure = _composite("HC", line.procedure, *modifiers) if line.procedure else _composite("NU", line.revenue_code)
    revenue = line.revenue_code if line.procedure and line.revenue_code else ""
    units = f"{line.units.normalize():f}" if line.units is not None else ""
    yield f"SVC*{procedure}*{money(line.charge)}**{plain(revenue, 48)}***{units}"
    codes = list(dict.fromkeys(status.composite for status in statuses))[:3]
    more = f"*******{'*'.join(codes[1:])}" if len(codes) > 1 else ""
    yield f"STC*{codes[0]}*{day}*U{more}"
    if line.service_date:
        yield _when(line.service_date, line.service_date_end or line.service_date)


def _kind(party: Mapping[str, Any]) -> str:
    """NM102: a person or an organization."""
    return "1" if party.get("entity") == "1" else "2"


def _composite(*parts: str | None) -> str:
    return ":".join(plain(part or "", 48) for part in parts).rstrip(":")
