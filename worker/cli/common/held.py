"""What is held of the claims of a file, all together: how much money, what holds most, and where to start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from worker.cli.common.payments import CONTRACT, between_text, charge_of, together
from worker.cli.common.sources import place
from worker.cli.common.terminal import columns, dollars, hung, paint, plain

if TYPE_CHECKING:
    from rules.report import Finding, Report
    from worker.intake.document import Document
    from worker.pipeline.expected import ToldLine

_MOST = 5
"""Causes that are listed."""
_UNSEEN = "A table that a rule asked was not looked at"


class HeldOne(NamedTuple):
    """A claim for rework."""

    claim_id: str
    charge: Decimal
    place: str
    """File and position."""
    causes: dict[str, list[tuple[str, str]]]
    """By cause the code and the fault of each finding."""
    brings: tuple[Decimal, Decimal] | None
    """The least and the most that it is expected to bring; None: that is not known of each line."""
    without: bool
    """Whether that is in a contract which is not there."""


def held_one(report: Report, document: Document, lines: Sequence[ToldLine]) -> HeldOne | None:
    """What is to be summed of a claim, with what its lines are expected to bring; None: it is not held."""
    if report.disposition != "rework":
        return None
    low, high, priced = together(lines)
    missing = (text for one in lines for text in one["expected"]["missing"])
    return HeldOne(
        document.claim.claim_id,
        charge_of(document.claim),
        place(document),
        _causes(report),
        (low, high) if priced and priced == len(lines) else None,
        any(text.startswith(CONTRACT) for text in missing),
    )


def _causes(report: Report) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in report.every:
        if finding.severity == "block" and finding.outcome != "bypassed" and finding.observed is None:
            found.setdefault(finding.cause or finding.code, []).append((finding.code, _fault(finding)))
    return found or {"": [("", _UNSEEN)]}


@dataclass(slots=True)
class _Cause:
    """A slip that holds claims, alone or with others."""

    claims: int = 0
    charge: Decimal = Decimal(0)
    alone: int = 0
    """Claims that nothing else holds."""
    freed: Decimal = Decimal(0)
    """Their charges."""
    codes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def text(self) -> str:
        return self.faults.most_common(1)[0][0]

    @property
    def listed(self) -> str:
        return f" [{', '.join(sorted(self.codes))}]" if self.codes else ""


@dataclass(slots=True)
class _Payments:
    """Sums expected payments of held claims. Nothing is expected of a claim that has a line without."""

    claims: int = 0
    priced: int = 0
    charge: Decimal = Decimal(0)
    """Of those priced, as are the least and the most that they bring."""
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    without: int = 0
    """Claims whose payment is in a contract that is not there."""

    def add(self, one: HeldOne) -> None:
        self.claims += 1
        if one.brings:
            self.priced, self.charge = self.priced + 1, self.charge + one.charge
            self.low, self.high = self.low + one.brings[0], self.high + one.brings[1]
        self.without += one.without

    def text(self) -> str:
        if not self.priced:
            return ""
        of = f" for {self.priced} of them, charged {dollars(self.charge)}" if self.priced < self.claims else ""
        return f"; expected: {between_text(self.low, self.high)}{of}"

    def contracts(self) -> Iterator[str]:
        if self.without:
            of = f"{self.without} of them bring" if self.claims > 1 else "it brings"
            yield "  " + hung(f"What {of} is in your contracts: set SCRUB_CONTRACTS.", 2)


class Held:
    """Counts claims for rework by what holds them."""

    def __init__(self) -> None:
        self._all = self._claims = 0
        self._charge = Decimal(0)
        self._causes: dict[str, _Cause] = {}
        self._highest: tuple[Decimal, str, str] | None = None
        self._payments = _Payments()

    def add(self, one: HeldOne | None) -> None:
        """One claim more; None: it is not held."""
        self._all += 1
        if one is None:
            return
        self._payments.add(one)
        self._claims += 1
        self._charge += one.charge
        if self._highest is None or one.charge > self._highest[0]:
            self._highest = one.charge, one.claim_id, one.place
        for key, found in one.causes.items():
            cause = self._causes.setdefault(key, _Cause())
            for code, fault in found:
                if code:
                    cause.codes[code] += 1
                cause.faults[fault] += 1
            cause.claims += 1
            cause.charge += one.charge
            if len(one.causes) == 1:
                cause.alone += 1
                cause.freed += one.charge

    def summary(self) -> Iterator[str]:
        """Nothing where nothing is held, or where all that could be said stands above, of one claim."""
        if self._highest is None:
            return
        if self._all == 1:
            yield from self._payments.contracts()
            return
        yield paint(f"Held: {_claims(self._claims)}, {dollars(self._charge)}{self._payments.text()}.", "bold")
        yield from self._payments.contracts()
        causes = sorted(self._causes.values(), key=lambda one: (-one.claims, -one.charge, one.text))
        rows = [(f"  {_claims(one.claims):>12}", dollars(one.charge), one.text + one.listed) for one in causes[:_MOST]]
        yield from columns(rows, ("bold", None, None))
        if (more := len(causes) - _MOST) > 0:
            yield f"  and {more} more cause{'s' * (more != 1)}"
        charge, claim_id, where = self._highest
        first = max(causes, key=lambda one: (one.freed, one.alone))
        if self._claims > 1 and first.alone:
            alone = f"it alone holds {_claims(first.alone)}, {dollars(first.freed)}"
            yield hung(f"Start with: {first.text}{first.listed}: {alone}.", 0)
        yield hung(f"Highest charge: {plain(claim_id)}, {dollars(charge)} ({plain(where)}).", 0)


def _fault(finding: Finding) -> str:
    if finding.outcome == "undetermined":
        return plain(finding.message.removesuffix("."))
    return plain(finding.fault or finding.title)


def _claims(count: int) -> str:
    return f"{count} claim{'' if count == 1 else 's'}"
