"""Facts of coverage: the Medicare contractor of the place, what the block was given for, and prior authorization."""

from __future__ import annotations

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts import fact, line_fact
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
    return tuple(kinds[:1]) if len(set(kinds)) == 1 else None


@fact("flag", "the date of service")
def authorization_wanted(case: Case) -> bool | None:
    """Whether the hospital's own table says that the payer, or its plan, wants 64445 authorized on the date of a
    64445 line. A row with an empty plan is for all plans of the payer; a payer without a row wants none."""
    table, payer, plan = case.tables["authorizations"], case.selection.payer, case.selection.plan
    if payer is None:
        return False
    listed = [key for key in {(payer, ""), (payer, plan or "")} if key in table.spans]
    days = [date_of(case.claim, line) for line in case.lines]
    if any(table.find(key, day) is not None for key in listed for day in days if day):
        return True
    return None if listed and None in days else False


@fact("flag", "the prior authorization number")
def has_prior_authorization(case: Case) -> bool:
    """Whether the claim carries a prior authorization number (REF*G1)."""
    return bool((case.claim.prior_authorization or "").strip())
