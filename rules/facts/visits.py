"""Facts of a hospital's visits on the day of the block, by whether they form an NCCI pair with it."""

from __future__ import annotations

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts.day import facility_visits_without_25
from rules.facts.ncci import forms_pair
from rules.facts.registry import line_fact


@line_fact("codes", "the date of service", reach="lines")
def paired_facility_visits_without_25(case: Case, line: Line) -> tuple[str, ...] | None:
    """Hospital visits of the day without modifier 25 that form an NCCI pair with the procedure on the line's date."""
    return _visits(case, line, paired=True)


@line_fact("codes", "the date of service", reach="lines")
def other_facility_visits_without_25(case: Case, line: Line) -> tuple[str, ...] | None:
    """Hospital visits of the day without modifier 25 that form no such pair."""
    return _visits(case, line, paired=False)


def _visits(case: Case, line: Line, *, paired: bool) -> tuple[str, ...] | None:
    found, day = facility_visits_without_25(case, line), date_of(case.claim, line)
    if not found or day is None:
        return None if found else ()
    return tuple(code for code in found if forms_pair(case, code, day) is paired)
