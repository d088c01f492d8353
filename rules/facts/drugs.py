"""Facts of the drugs on the claim: codes that are gone, their NDC, and their units."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts import fact, plain

NDC_DIGITS = 11
NDC_UNITS = ("F2", "GR", "ME", "ML", "UN")


def _day(case: Case, line: Line) -> date | None:
    """The line's date, else the first date of the lines on trial."""
    days = [date_of(case.claim, own) for own in case.lines]
    return date_of(case.claim, line) or min((day for day in days if day), default=None)


@fact("codes", "the drug codes")
def deleted_drug_codes(case: Case) -> tuple[str, ...]:
    """Drug codes on the claim that no longer exist on their line's date."""
    table = case.tables["deleted_drugs"]
    found = (
        line.procedure
        for line in case.claim.lines
        if line.procedure and (day := _day(case, line)) and table.find((line.procedure,), day) is not None
    )
    return tuple(dict.fromkeys(found))


@fact("lines", "the drug lines")
def drug_lines_without_ndc(case: Case) -> tuple[int, ...]:
    """Lines with a J code that lack the NDC, its quantity or its unit."""
    return tuple(line.number for line in case.claim.lines if (line.procedure or "").startswith("J") and _bare(line))


def _bare(line: Line) -> bool:
    return line.drug is None or not line.drug.ndc or line.drug.quantity is None or not line.drug.unit


@fact("lines", "the NDC")
def lines_with_malformed_ndc(case: Case) -> tuple[int, ...]:
    """Lines whose NDC is there but is not 11 digits."""
    return tuple(line.number for line in case.claim.lines if line.drug and line.drug.ndc and not _ndc(line.drug.ndc))


def _ndc(code: str) -> bool:
    return len(code) == NDC_DIGITS and code.isascii() and code.isdigit()


@fact("lines", "the unit of the NDC")
def lines_with_wrong_ndc_unit(case: Case) -> tuple[int, ...]:
    """Lines with an NDC whose unit is there but is none of F2, GR, ME, ML and UN."""
    return tuple(
        line.number
        for line in case.claim.lines
        if line.drug and line.drug.ndc and line.drug.unit and line.drug.unit not in NDC_UNITS
    )


@fact("lines", "the quantity of the NDC")
def lines_with_wrong_ndc_quantity(case: Case) -> tuple[int, ...]:
    """Lines with an NDC whose quantity is there but is not above 0."""
    return tuple(
        line.number
        for line in case.claim.lines
        if line.drug and line.drug.ndc and line.drug.quantity is not None and line.drug.quantity <= 0
    )


@fact("codes", "the units of the drugs")
def drugs_above_mue(case: Case) -> tuple[str, ...]:
    """Drug codes whose units of one date, all lines together, exceed the practitioner MUE, with units and limit."""
    units: dict[tuple[str, date], Decimal] = {}
    for line in case.claim.lines:
        day, code = _day(case, line), line.procedure or ""
        if day and code.startswith("J"):
            units[code, day] = units.get((code, day), Decimal(0)) + (line.units or Decimal(0))
    limits = {key: case.tables["mue"].find(("practitioner", key[0]), key[1]) for key in units}
    return tuple(
        f"{code}: {plain(total)} units, limit {limit[0]}"
        for (code, day), total in sorted(units.items())
        if (limit := limits[code, day]) and total > Decimal(limit[0])
    )
