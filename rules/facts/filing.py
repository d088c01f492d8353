"""Facts of timely filing: from which day the payer counts, and how many days have gone by."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from rules.case import Case, last_dates_of
from rules.facts.registry import fact


def _through_day(case: Case) -> date | None:
    if case.claim.form == "institutional" and case.claim.statement_through_date:
        return case.claim.statement_through_date
    days = last_dates_of(case.claim, case.lines)
    return max(days) if len(days) == len(case.lines) else None


def _elapsed(start: date | None, end: date | None) -> Decimal | None:
    return Decimal((end - start).days) if start and end else None


def year_after(day: date) -> date:
    """The same day of the next year; 29 February counts to 28 February."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)


@fact("code", "the payer's place in the order of benefits", reach="head")
def filing_order(case: Case) -> str:
    """primary or secondary: SBR01, or where it is absent whether another payer is on the claim."""
    stated = case.claim.payer.responsibility
    if stated in (None, "U"):
        return "secondary" if case.claim.other_payers else "primary"
    return "primary" if stated == "P" else "secondary"


@fact("date", "the date of service", own=True)
def filing_start(case: Case) -> date | None:
    """The day from which a filing year counts: professional the procedure's first date, institutional the through
    date."""
    return _through_day(case) if case.claim.form == "institutional" else case.first_day


@fact("flag", "the date of service or of receipt", own=True)
def received_within_a_year(case: Case) -> bool | None:
    """Whether the payer receives the claim no later than one calendar year after the filing start."""
    start = filing_start(case)
    return case.received <= year_after(start) if start and case.received else None


@fact("number", "the date of service or of receipt", own=True)
def days_to_receipt(case: Case) -> Decimal | None:
    """Days from the procedure's last date (institutional: the through date) to the day of receipt."""
    return _elapsed(_through_day(case), case.received)


@fact("number", "the primary payer's adjudication date", own=True)
def days_since_primary_decision(case: Case) -> Decimal | None:
    """Days from the latest adjudication by another payer to the day of receipt."""
    decided = [other.adjudication_date for other in case.claim.other_payers if other.adjudication_date]
    return _elapsed(max(decided), case.received) if decided else None


@fact("number", "the date of service or of receipt", own=True)
def days_left_of_year(case: Case) -> Decimal | None:
    """Days from the day of receipt to the end of the filing year, which starts at the filing start; below zero where it
    is over."""
    start = filing_start(case)
    return _elapsed(case.received, year_after(start)) if start else None


@fact("flag", "the date of service or of receipt", own=True)
def received_by_end_of_next_year(case: Case) -> bool | None:
    """Whether the payer receives the claim by 31 December of the year after the filing start."""
    start = filing_start(case)
    return case.received <= date(start.year + 1, 12, 31) if start and case.received else None


@fact("number", "the date of service or of receipt", own=True)
def months_to_receipt(case: Case) -> Decimal | None:
    """Months from the procedure's last date (institutional: the through date) to the day of receipt, begun ones in
    full: 12 on the same day of the next year, 13 on the day after."""
    start, end = _through_day(case), case.received
    if start is None or end is None:
        return None
    months = (end.year - start.year) * 12 + end.month - start.month
    return Decimal(max(0, months + (end.day > start.day)))
