"""Facts of the drugs on the claim: codes that are gone, their NDC, their package, and their units."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from rules.case import Case, date_of, dates_of
from rules.claim import Line
from rules.facts.registry import fact, plain
from rules.facts.together import once
from rules.facts.units import counted

NDC_DIGITS = 11
LINE_EDIT = "1"
NDC_UNITS = ("F2", "GR", "ME", "ML", "UN")
DISCARD_MODIFIERS = ("JW", "JZ")
PAID_IN_CENTER = "K2"
"""The payment indicator of a drug that a surgical center is paid for apart from the procedure."""


def _day(case: Case, line: Line) -> date | None:
    """The line's date, else the first date of the lines of the procedure."""
    return date_of(case.claim, line) or once(
        case, "first_day", lambda: min(dates_of(case.claim, case.lines), default=None)
    )


@fact("codes", "the date of service", reach="each")
def deleted_drug_codes(case: Case) -> tuple[str, ...] | None:
    """Drug codes on the claim that no longer exist on their line's date, from the table of deleted drug codes."""
    table = case.tables["deleted_drugs"]
    listed = [(line.procedure, _day(case, line)) for line in case.claim.lines if (line.procedure,) in table.spans]
    found = [code for code, day in listed if code and day and table.find((code,), day) is not None]
    return tuple(dict.fromkeys(found)) if found or all(day for _, day in listed) else None


@fact("lines", "the drug lines", reach="each")
def drug_lines_without_ndc(case: Case) -> tuple[int, ...]:
    """Lines with a J code that lack the NDC, its quantity or its unit."""
    return tuple(line.number for line in case.claim.lines if (line.procedure or "").startswith("J") and _bare(line))


def _bare(line: Line) -> bool:
    return line.drug is None or not line.drug.ndc or line.drug.quantity is None or not line.drug.unit


@fact("lines", "the NDC", reach="each")
def lines_with_malformed_ndc(case: Case) -> tuple[int, ...]:
    """Lines whose NDC is there but is not 11 digits."""
    return tuple(line.number for line in case.claim.lines if line.drug and line.drug.ndc and not _ndc(line.drug.ndc))


def _ndc(code: str) -> bool:
    return len(code) == NDC_DIGITS and code.isascii() and code.isdigit()


@fact("lines", "the unit of the NDC", reach="each")
def lines_with_wrong_ndc_unit(case: Case) -> tuple[int, ...]:
    """Lines with an NDC whose unit is there but is none of F2, GR, ME, ML and UN."""
    return tuple(
        line.number
        for line in case.claim.lines
        if line.drug and line.drug.ndc and line.drug.unit and line.drug.unit not in NDC_UNITS
    )


@fact("lines", "the quantity of the NDC", reach="each")
def lines_with_wrong_ndc_quantity(case: Case) -> tuple[int, ...]:
    """Lines with an NDC whose quantity is there but is not above 0."""
    return tuple(
        line.number
        for line in case.claim.lines
        if line.drug and line.drug.ndc and line.drug.quantity is not None and line.drug.quantity <= 0
    )


@fact("lines", "the NDC", reach="each")
def single_dose_lines_without_jz(case: Case) -> tuple[int, ...]:
    """Drug lines whose NDC is a single-dose package, by the table of drug packages, without JZ or JW."""
    return tuple(line.number for line in _open_drug_lines(case) if _package(case, line) == "single_dose")


@fact("lines", "the NDC", reach="each")
def drug_lines_of_unknown_package(case: Case) -> tuple[int, ...]:
    """Drug lines without JZ or JW whose NDC is missing or not in the table of drug packages."""
    return tuple(line.number for line in _open_drug_lines(case) if _package(case, line) is None)


def _open_drug_lines(case: Case) -> list[Line]:
    """Lines with a J code that Medicare pays apart, with neither JZ nor JW."""
    return [
        line
        for line in case.claim.lines
        if (line.procedure or "").startswith("J")
        and _paid_apart(case, line)
        and not any(code in line.modifiers for code in DISCARD_MODIFIERS)
    ]


def _paid_apart(case: Case, line: Line) -> bool:
    """On a practitioner's claim all but local anesthetics, which the block includes; on a surgical center's, what the
    table of its drugs says is paid (K2)."""
    if case.role != "asc":
        return (line.procedure,) not in case.tables["local_anesthetics"].spans
    day = _day(case, line)
    return bool(day and line.procedure and case.tables["asc_drugs"].find((line.procedure,), day) == (PAID_IN_CENTER,))


def _package(case: Case, line: Line) -> str | None:
    day, ndc = _day(case, line), line.drug.ndc if line.drug else None
    row = case.tables["drug_packages"].find((ndc,), day) if ndc and day else None
    return row[0] if row else None


@fact("codes", "the units of the drugs", reach="lines")
def drugs_above_mue(case: Case) -> tuple[str, ...] | None:
    """Drug codes whose units of one date exceed the practitioner MUE, with units and limit: all lines together, or
    each line where the edit is one of the line (adjudication indicator 1). Missing units matter only while the rest of
    the claim stays within its limits."""
    units: dict[tuple[str, date], list[Decimal]] = {}
    unknown = False
    for line in case.claim.lines:
        day, code = _day(case, line), line.procedure or ""
        if not code.startswith("J") or not case.tables["mue"].has(("practitioner", code)):
            continue
        unknown |= day is None or line.units is None
        if day:
            units.setdefault((code, day), []).append(counted(case, line) or Decimal(0))
    found = []
    for (code, day), billed in sorted(units.items()):
        limit = case.tables["mue"].find(("practitioner", code), day)
        most = max(billed) if limit and limit[1] == LINE_EDIT else sum(billed, Decimal(0))
        if limit and most > Decimal(limit[0]):
            found.append(f"{code}: {plain(most)} units, limit {limit[0]}")
    return tuple(found) if found or not unknown else None


@fact("codes", "the date of service", reach="each")
def nopain_items(case: Case) -> tuple[str, ...] | None:
    """Items on the claim of a hospital or surgical center that Medicare pays apart as non-opioid treatment of
    postsurgical pain (section 4135), packaged operations or not."""
    table = case.tables["nopain"]
    keys = [((case.role, line.procedure), _day(case, line)) for line in case.claim.lines if line.procedure]
    listed = [(key, day) for key, day in keys if key in table.spans]
    found = [key[1] for key, day in listed if day and table.find(key, day) is not None]
    return tuple(dict.fromkeys(found)) if found or all(day for _, day in listed) else None


@fact("codes", "the drug lines", reach="each")
def unlisted_drugs(case: Case) -> tuple[str, ...]:
    """Codes on the claim for drugs that have none of their own: the group `unlisted_drugs` of the table of code
    groups."""
    return tuple(dict.fromkeys(line.procedure or "" for line in _unlisted(case)))


@fact("lines", "the drug lines", reach="each")
def unlisted_drugs_without_ndc(case: Case) -> tuple[int, ...]:
    """Lines with such a code that lack the NDC, its quantity or its unit."""
    return tuple(line.number for line in _unlisted(case) if _bare(line))


def _unlisted(case: Case) -> list[Line]:
    table = case.tables["code_groups"].spans
    return [line for line in case.claim.lines if ("unlisted_drugs", line.procedure or "") in table]


@fact("codes", "the unit of the NDC", reach="each")
def ndc_units(case: Case) -> tuple[str, ...]:
    """The units beside the NDCs on the claim, each once."""
    drugs = (line.drug for line in case.claim.lines if line.drug and line.drug.ndc)
    return tuple(dict.fromkeys(drug.unit for drug in drugs if drug.unit))
