"""Which part of a dated table judges a line, and so which imported edition of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.case import Case, filled, ncci_setting, place_of_service_of
from rules.claim import Line
from rules.facts.registry import Facts
from rules.states import state_code
from rules.tables.edition import Edition

OFFICE = "11"


def state_of(case: Case, line: Line) -> str | None:
    """The state of the facility of the line, else of the claim's, else of the billing provider. None as well where the
    first of them that says one says what is no state."""
    claim = case.claim
    for place in (line.service_facility, claim.service_facility, claim.billing_provider):
        if place and filled(place.state):
            return state_code(place.state)
    return None


def area_of(case: Case, line: Line) -> str | None:
    """State and part of Medicare, such as `TX B`: institutional claims go to part A, the others to part B."""
    state = state_of(case, line)
    return f"{state} {'A' if case.claim.form == 'institutional' else 'B'}" if state else None


def fee_place(case: Case, line: Line) -> str | None:
    """hospital_outpatient or asc, else nonfacility in an office (place 11), else facility, which pays less."""
    if case.role != "practitioner":
        return case.role
    place = place_of_service_of(case.claim, line)
    return None if not place else "nonfacility" if place == OFFICE else "facility"


def _setting(case: Case, line: Line) -> str:
    return ncci_setting(case)


def _paid_by(case: Case, line: Line) -> str | None:
    return case.role


def _whole(case: Case, line: Line) -> str:
    return ""


PARTS: Mapping[str, Callable[[Case, Line], str | None]] = {
    "covered_diagnoses": area_of,
    "diagnosis_headers": _whole,
    "fee_schedule": fee_place,
    "hcpcs_codes": _whole,
    "modifiers": _whole,
    "mue": _setting,
    "ncci_ptp": _setting,
    "nopain": _paid_by,
    "relative_values": fee_place,
}
"""The tables whose official editions a hospital imports, and the part of each that a line belongs to."""


def has_to_look(facts: Facts, table: str) -> bool:
    """Whether there is anything on the claim to look up in the table: a block alone forms no pair, whatever an edition
    says, and a claim without drugs has no units of them."""
    case, codes = facts.case, [line.procedure for line in facts.case.claim.lines if line.procedure]
    if table == "ncci_ptp":
        return len(set(codes)) > 1
    if table == "mue" and facts.line_number is None:
        return any(code.startswith("J") for code in codes) or case.package is None
    return True


def part_of(facts: Facts, table: str) -> str | None:
    """The part of the table that judges a line, or the layer's first line."""
    line = getattr(facts, "line", None) or next(iter(facts.case.lines), None)
    return None if line is None else PARTS[table](facts.case, line)


def edition_of(facts: Facts, table: str) -> Edition | None:
    """The imported edition of the table that judges a line, or the layer's first line; None: the shipped rows."""
    part = part_of(facts, table)
    return None if part is None or facts.day is None else facts.case.tables[table].edition(part, facts.day)
