"""Facts of coverage: the Medicare contractor, the reason of the block, and authorization."""

from __future__ import annotations

from datetime import date

from rules.case import Case, date_of, filled
from rules.claim import Line
from rules.facts.diagnoses import of_line, undotted
from rules.facts.parts import area_of, state_of
from rules.facts.registry import fact, line_fact
from rules.facts.together import once

ANY = "*"
"""Stands for the diagnoses together: the row that says which articles are in force."""
_CATEGORY = 3
"""Characters of the shortest group of diagnoses."""


@line_fact("code", "a known state of the service facility or of the billing provider", reach="line")
def contractor(case: Case, line: Line) -> str | None:
    """The Medicare contractor of the state of the line's service facility, else of the claim's, else of the billing
    provider; missing where no state can be read, or one of which the table has no contractor, and none on days of
    which it has none."""
    state, day, table = state_of(case, line), date_of(case.claim, line), case.tables["contractors"]
    if state is None or day is None or (state,) not in table.spans:
        return None
    row = table.find((state,), day)
    return row[0] if row else "none"


@line_fact("codes", "the diagnosis pointers", diagnoses=True)
def reason_kinds(case: Case, line: Line) -> tuple[str, ...] | None:
    """Kinds of the line's diagnoses, from the table diagnosis_kinds; other where it has none. Professional: the
    diagnoses that the line points to; institutional: all."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    kinds = once(case, ("kinds", day), lambda: _kinds(case, day))
    if case.claim.form == "institutional":
        return tuple(sorted(set(kinds)))
    pointed = [kinds[pointer - 1] for pointer in line.diagnosis_pointers if 1 <= pointer <= len(kinds)]
    if pointed:
        return tuple(sorted(set(pointed)))
    return tuple(kinds[:1]) if len(set(kinds)) <= 1 else None


def _kinds(case: Case, day: date) -> list[str]:
    table = case.tables["diagnosis_kinds"]
    rows = [table.find((undotted(code),), day) for code in case.claim.diagnoses]
    return [row[0] if row else "other" for row in rows]


@line_fact("flag", "the diagnosis pointers", diagnoses=True)
def chronic_pain_reason(case: Case, line: Line) -> bool | None:
    """Whether a diagnosis of the line is of a group in the table chronic_pain. Professional: the diagnoses that the
    line points to; institutional: all."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    chronic = once(case, ("chronic_pain", day), lambda: [_chronic(case, code, day) for code in case.claim.diagnoses])
    return of_line(case, line, chronic)


def _chronic(case: Case, code: str, day: date) -> bool:
    table, plain = case.tables["chronic_pain"], undotted(code).upper()
    return any(table.find((plain[:length],), day) is not None for length in range(_CATEGORY, len(plain) + 1))


@fact("flag", "the date of service")
def authorization_wanted(case: Case) -> bool | None:
    """Whether the hospital's own table says that the payer, or its plan, wants the procedure authorized on the date of
    one of its lines. A row with an empty plan is for all plans of the payer; a payer without a row wants none. Of a
    member of another plan than the one that takes the claim it is the member's plan that wants it."""
    table, payer, home = case.tables["authorizations"], case.selection.payer, case.selection.home
    plan = case.selection.plan if home is None else home
    if payer is None:
        return False
    listed = [key for key in {(payer, ""), (payer, plan or "")} if key in table.spans]
    days = [date_of(case.claim, line) for line in case.lines]
    if any(table.find(key, day) is not None for key in listed for day in days if day):
        return True
    return None if listed and None in days else False


@fact("flag", "the prior authorization number")
def has_prior_authorization(case: Case) -> bool:
    """Whether the claim carries a prior authorization number (REF*G1), or each line of the procedure one of its own."""
    return filled(case.claim.prior_authorization) or (
        bool(case.lines) and all(filled(line.prior_authorization) for line in case.lines)
    )


@line_fact("codes", "a known state of the service facility or of the billing provider", reach="line")
def coverage_articles(case: Case, line: Line) -> tuple[str, ...] | None:
    """Articles with a list of covered diagnoses for the procedure that hold for the state on the line's date, from the
    Medicare coverage export; none where the hospital has imported no such export."""
    table, day, area = case.tables["covered_diagnoses"], date_of(case.claim, line), area_of(case, line)
    if not table.spans:
        return ()
    if day is None or area is None:
        return None
    row = table.find((area, ANY), day)
    return tuple(row[0].split()) if row else ()


@line_fact("flag", "the diagnosis pointers", diagnoses=True)
def diagnosis_covered(case: Case, line: Line) -> bool | None:
    """Whether an article of the state covers a diagnosis of the line. Professional: the diagnoses that the line
    points to; institutional: all."""
    table, day, area = case.tables["covered_diagnoses"], date_of(case.claim, line), area_of(case, line)
    if day is None or area is None:
        return None
    codes = case.claim.diagnoses
    covered = once(
        case,
        ("covered", area, day),
        lambda: [table.find((area, undotted(code).upper()), day) is not None for code in codes],
    )
    return of_line(case, line, covered)
