"""Facts of operations: which of a claim are the same provider's, what a hospital is paid for the block beside one, and
whether the block falls into the global period of one.

An operation is a surgical code whose pair with the block no modifier lifts in the practitioners' table: its payment
always includes the surgeon's own block. Other blocks, punctures, lines and casts are none of them, and a code of which
the table says nothing is not known to be one. Books of releases 0.1 mean every surgical code but the nerve blocks.
"""

from __future__ import annotations

from datetime import date, timedelta

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts.pairs import FIRM
from rules.facts.registry import history_fact, line_fact
from rules.facts.together import Beside, beside, codes_of, days_of, of_day, once, same_provider, twice
from rules.history import Billed
from rules.tables.table import Table

CODE_LENGTH = 5
SURGERY = ("10004", "69990")
SURGERY_THEN = ("10000", "69999")
"""For books of releases 0.1."""
PRACTITIONER = "practitioner"
_LONG = timedelta(days=90)
SPINAL = (("epidural",), ("facet",), ("sacroiliac",))
"""Kinds of the table of injections that are given into the spine or its joints in one session."""


def is_operation(case: Case, code: str | None, day: date | None) -> bool:
    """Whether a code is an operation on the date; without a date, by what is in force."""
    first, last = SURGERY_THEN if case.former else SURGERY
    if not code or len(code) != CODE_LENGTH or not code.isdigit() or not first <= code <= last:
        return False
    if case.former:
        return case.package is None or not case.package.like_it(code)
    return once(case, ("operation", code, day), lambda: _pair_said(case, code, day or date.max) == FIRM)


def _pair_said(case: Case, code: str, day: date) -> str | None:
    """The indicator of the practitioners' pair with the code in column 1 and the procedure in column 2."""
    pairs = case.tables["ncci_ptp"]
    if row := pairs.find((PRACTITIONER, code, case.procedure), day):
        return row[0]
    edition = pairs.edition(PRACTITIONER, day)
    if edition is not None and (edition.whole or edition.procedure == case.procedure):
        return None
    found = case.tables["ncci_ranges"].find_in_range((PRACTITIONER, case.procedure), code, day)
    return found[1] if found and found[0] == "2" else None


def _operations(case: Case, line: Line, found: Beside) -> tuple[str, ...]:
    """The operations among lines that are certain, but for the line itself."""
    day = date_of(case.claim, line)
    kept = once(
        case,
        ("operations_among", id(found), day),
        lambda: twice((one, one.procedure) for one, sure in found if sure and is_operation(case, one.procedure, day)),
    )
    return codes_of(kept, line)


@line_fact("codes", "the operations of the day", reach="lines")
def own_operations(case: Case, line: Line) -> tuple[str, ...]:
    """Operations that are certainly of the same day and provider."""
    return _operations(case, line, beside(case, line))


@line_fact("codes", "the operations of the day", reach="lines")
def packaging_operations(case: Case, line: Line) -> tuple[str, ...]:
    """Operations of the day on a hospital's claim that Medicare pays with all that goes with them in one amount."""
    return _hospital_operations(case, line, packaging=True)


@line_fact("codes", "the operations of the day", reach="lines")
def other_hospital_operations(case: Case, line: Line) -> tuple[str, ...]:
    """Operations of the day on a hospital's claim that are not known to be paid so; none where another of them is."""
    if _hospital_operations(case, line, packaging=True):
        return ()
    return _hospital_operations(case, line, packaging=False)


def _hospital_operations(case: Case, line: Line, *, packaging: bool) -> tuple[str, ...]:
    if case.role != "hospital_outpatient":
        return ()
    day, table = date_of(case.claim, line), case.tables["packaging_operations"]
    found = once(
        case,
        ("hospital_operations", days_of(case, line), packaging),
        lambda: twice(
            (one, one.procedure)
            for one, _ in of_day(case, line)
            if one.procedure and _hospital(case, table, one.procedure, day) is packaging
        ),
    )
    return codes_of(found, line)


def _hospital(case: Case, table: Table, code: str, day: date | None) -> bool | None:
    """Whether an operation is paid with all that goes with it; None where the code is no operation."""
    if day is not None and table.find((code,), day) is not None:
        return True
    return False if is_operation(case, code, day) else None


@line_fact("codes", "the other injections of the day", reach="lines")
def spinal_injections(case: Case, line: Line) -> tuple[str, ...]:
    """Epidural, facet and sacroiliac injections that are certainly of the same day and provider."""
    day = date_of(case.claim, line)
    lines = beside(case, line)
    found = once(
        case,
        ("spinal_injections", id(lines), day),
        lambda: twice(
            (one, one.procedure)
            for one, sure in lines
            if sure and day and case.tables["injections"].find((one.procedure or "",), day) in SPINAL
        ),
    )
    return codes_of(found, line)


@line_fact("codes", "the operations before the block", reach="lines")
def operations_of_global_period(case: Case, line: Line) -> tuple[str, ...]:
    """Operations of this claim on an earlier day, certainly by the same provider, in whose global period of 90 days
    the line's day is."""
    day = date_of(case.claim, line)
    if day is None or case.role != "practitioner":
        return ()
    before = [
        (code, one)
        for one, code, when in once(case, "of_global_period", lambda: _major(case))
        if when < day <= when + _LONG
    ]
    return tuple(dict.fromkeys(code for code, one in before if same_provider(case, line, one)))


def _major(case: Case) -> list[tuple[Line, str, date]]:
    """Operations of the claim that have a global period of 90 days, of each day and provider one."""
    dated = ((one, one.procedure or "", date_of(case.claim, one)) for one in case.claim.lines)
    major = [(one, code, when) for one, code, when in dated if when and _is_major(case, code, when)]
    return list({(code, when, one.rendering_provider): (one, code, when) for one, code, when in major}.values())


def _is_major(case: Case, code: str, when: date) -> bool:
    return case.tables["global_periods"].find_in_range((), code, when) is not None


@history_fact("codes", "the date of service", own=True)
def operations_billed_before(case: Case, line: Line) -> tuple[str, ...] | None:
    """Operations that the same billing provider billed for the patient on other claims, each with claim and date, in
    whose global period of 90 days the line's day is."""
    if not case.history.billed:
        return ()
    day = date_of(case.claim, line)
    if day is None:
        return None
    ours = once(case, "billed_operations", lambda: [billed for billed in case.history.billed if _ours(case, billed)])
    recent = [billed for billed in ours if billed.last_day < day <= billed.last_day + _LONG]
    return tuple(dict.fromkeys(f"{billed.procedure} under {billed}" for billed in recent))


def _ours(case: Case, billed: Billed) -> bool:
    """Whether it is a major operation that this billing provider billed under another claim."""
    npi = case.claim.billing_provider.npi if case.claim.billing_provider else None
    alike = billed.relation == "other" and billed.bills_as == case.role == "practitioner" and npi and billed.npi == npi
    return bool(alike) and _is_major(case, billed.procedure, billed.last_day)
