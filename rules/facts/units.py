"""Facts of what the units of a line count: services, minutes, days."""

from __future__ import annotations

from decimal import Decimal

from rules.case import Case
from rules.claim import Line
from rules.facts.registry import fact, line_fact

SERVICES = "UN"
_MINUTES = "MJ"
_DAYS = "DA"
_ANESTHESIA = ("00100", "01999")
"""The first and the last procedure that is billed in minutes."""


def basis_of(line: Line) -> str:
    """The unit basis as a code of the guide; services where the line says nothing."""
    return (line.unit_basis or "").strip().upper() or SERVICES


def counted(case: Case, line: Line) -> Decimal | None:
    """How many services the line has; None where its units are minutes, days or a measure."""
    return line.units if counts_services(case, line) else None


def counts_services(case: Case, line: Line) -> bool:
    """Whether the line's units are services; a book of 0.1 knows no others."""
    return case.former or basis_of(line) == SERVICES


@line_fact("code", "the unit basis", reach="line")
def unit_basis(case: Case, line: Line) -> str:
    """SV103 or SV204, what the units count: UN services, MJ minutes, DA days; UN where the line says nothing."""
    return basis_of(line)


@fact("lines", "the unit basis", reach="each")
def lines_of_wrong_unit_basis(case: Case) -> tuple[int, ...]:
    """Lines of procedures without rules of their own whose units count what the claim form has no code for. The 837P
    has services, and minutes of anesthesia (00100 to 01999); the 837I services and days."""
    return tuple(
        line.number
        for line in case.claim.lines
        if basis_of(line) != SERVICES and line.procedure not in case.with_rules and not _has_place(case, line)
    )


def _has_place(case: Case, line: Line) -> bool:
    if case.claim.form == "institutional":
        return basis_of(line) == _DAYS
    first, last = _ANESTHESIA
    return basis_of(line) == _MINUTES and first <= (line.procedure or "") <= last
