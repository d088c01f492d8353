"""Facts of coverage: the Medicare contractor of the place, and what the block was given for."""

from __future__ import annotations

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts import line_fact
from rules.facts.diagnoses import undotted


@line_fact("code", "the state of the service facility or of the billing provider")
def contractor(case: Case, line: Line) -> str | None:
    """The Medicare contractor of the state of the service facility, else of the billing provider."""
    facility, billing = case.claim.service_facility, case.claim.billing_provider
    state = (facility.state if facility else None) or (billing.state if billing else None)
    day = date_of(case.claim, line)
    row = case.tables["contractors"].find((state,), day) if state and day else None
    return row[0] if row else ("none" if state and day else None)


@line_fact("codes", "the diagnosis pointers")
def reason_kinds(case: Case, line: Line) -> tuple[str, ...] | None:
    """Kinds of the line's diagnoses, from the table diagnosis_kinds; other where it has none. Professional: the
    diagnoses that the line points to; institutional: all."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    table = case.tables["diagnosis_kinds"]
    rows = [table.find((undotted(code),), day) for code in case.claim.diagnoses]
    kinds = [row[0] if row else "other" for row in rows]
    if case.claim.form == "institutional":
        return tuple(sorted(set(kinds)))
    pointed = [kinds[pointer - 1] for pointer in line.diagnosis_pointers if 1 <= pointer <= len(kinds)]
    if pointed:
        return tuple(sorted(set(pointed)))
    return tuple(kinds[:1]) if len(set(kinds)) <= 1 else None
