"""Facts of one day: what else was billed on the date of a line of the procedure, and by whom.

"Same provider" is as in the rule catalogue: on a facility claim the billing NPI; else the same rendering NPI, or
one group and one specialty (Medicare treats them as one physician). With a specialty unknown it may be the same.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import takewhile
from typing import Literal

from rules.case import Case, date_of, last_date_of, ncci_setting, place_of_service_of
from rules.claim import Line
from rules.facts.registry import line_fact
from rules.facts.together import beside, blocks, codes_of, days_of, of_day, once, twice
from rules.facts.units import counted, counts_services

BILATERAL = "50"
SIDES = ("LT", "RT")


def same_day(case: Case, one: Line, other: Line) -> bool | None:
    """Whether two lines share a date of service; None where a date is missing."""
    first, second = date_of(case.claim, one), date_of(case.claim, other)
    if first is None or second is None:
        return None
    return first <= (last_date_of(case.claim, other) or second) and second <= (last_date_of(case.claim, one) or first)


def side_of(line: Line) -> Literal["LT", "RT", ""]:
    """LT, RT, or nothing where the line names no side, or both."""
    left, right = "LT" in line.modifiers, "RT" in line.modifiers
    return "" if left is right else "LT" if left else "RT"


def _units(case: Case, lines: list[Line]) -> Decimal | None:
    """Units of the lines together; a line over several days counts with its units divided by days.

    Missing units matter only while the rest stay within one unit.
    """
    return once(case, ("units", id(lines)), lambda: _sum_of_units(case, lines))


def _sum_of_units(case: Case, lines: list[Line]) -> Decimal | None:
    shares = once(case, "shares", lambda: {id(line): _share(case, line) for line in case.lines})
    total = sum([shares[id(line)] for line in lines], Decimal(0))
    return None if total <= 1 and any(line.units is None for line in lines) else round(total, 4)


def _share(case: Case, line: Line) -> Decimal:
    """The units of one day of the line."""
    first, last = date_of(case.claim, line), last_date_of(case.claim, line)
    days = max((last - first).days + 1, 1) if first and last else 1
    return (counted(case, line) or Decimal(0)) / days


def _numbers(case: Case, lines: list[Line]) -> tuple[int, ...]:
    return once(case, ("line_numbers", id(lines)), lambda: tuple([one.number for one in lines]))


@line_fact("flag", "the date of service", reach="lines")
def first_of_day(case: Case, line: Line) -> bool:
    """Whether no earlier line of the procedure is certainly of this one's day and provider: a rule of the day speaks
    once."""
    return blocks(case, line).sure[0] is line


@line_fact("flag", "the date of service", reach="lines")
def first_of_possible_day(case: Case, line: Line) -> bool:
    """Whether no earlier line of the procedure may be of this one's day and provider, a specialty or date being
    unknown."""
    return blocks(case, line).possible[0] is line


@line_fact("flag", "the date of service", reach="lines")
def first_of_side(case: Case, line: Line) -> bool:
    """Whether no earlier line of the procedure whose units count services may be of this one's day, provider and side
    (LT, RT, or none named)."""
    return _first(_in_services(case, _of_side(case, line))) is line


@line_fact("flag", "the unit basis", reach="lines")
def first_of_day_in_services(case: Case, line: Line) -> bool:
    """As `first_of_day`, among the lines whose units count services: a limit of units is asked of no other."""
    return _first(_in_services(case, blocks(case, line).sure)) is line


@line_fact("flag", "the unit basis", reach="lines")
def first_of_possible_day_in_services(case: Case, line: Line) -> bool:
    """As `first_of_possible_day`, among the lines whose units count services."""
    return _first(_in_services(case, blocks(case, line).possible)) is line


@line_fact("flag", "the place of service", reach="lines")
def first_of_day_at_place(case: Case, line: Line) -> bool:
    """As `first_of_day`, among the lines of this one's place of service: one provider may see a patient at the office
    and at the hospital on one day."""
    lines, place = blocks(case, line).sure, place_of_service_of(case.claim, line)
    at_place = once(
        case,
        ("at_place", id(lines), place),
        lambda: [one for one in lines if place_of_service_of(case.claim, one) == place],
    )
    return at_place[0] is line


@line_fact("lines", "the procedure's lines of the day", reach="lines")
def lines_of_day(case: Case, line: Line) -> tuple[int, ...]:
    """The lines of the procedure that are certainly of the line's day and provider."""
    return _numbers(case, blocks(case, line).sure)


@line_fact("lines", "the procedure's lines of the day", reach="lines")
def possible_lines_of_day(case: Case, line: Line) -> tuple[int, ...]:
    """The same with the lines that may be of the same provider, their specialty or date being unknown."""
    return _numbers(case, blocks(case, line).possible)


@line_fact("number", "the units", reach="lines")
def units_of_day(case: Case, line: Line) -> Decimal | None:
    """Units of all lines of the procedure that are certainly of the line's day and provider."""
    return _units(case, blocks(case, line).sure)


@line_fact("number", "the units", reach="lines")
def possible_units_of_day(case: Case, line: Line) -> Decimal | None:
    """The same with the lines that may be of the same provider, their specialty being unknown."""
    return _units(case, blocks(case, line).possible)


@line_fact("number", "the units", reach="lines")
def units_of_side(case: Case, line: Line) -> Decimal | None:
    """Units of the procedure's lines of the line's day, provider and side (LT, RT, or no side named)."""
    return _units(case, _of_side(case, line))


def _in_services(case: Case, lines: list[Line]) -> list[Line]:
    return once(case, ("in_services", id(lines)), lambda: [one for one in lines if counts_services(case, one)])


def _first(lines: list[Line]) -> Line | None:
    return lines[0] if lines else None


def _of_side(case: Case, line: Line) -> list[Line]:
    lines, side = blocks(case, line).possible, side_of(line)
    return once(case, ("side", id(lines), side), lambda: [one for one in lines if side_of(one) == side])


@line_fact("number", "the date of service", reach="line")
def mue_units(case: Case, line: Line) -> Decimal | None:
    """The MUE of the procedure on the line's date: practitioner table (ASCs too), or outpatient hospital."""
    day = date_of(case.claim, line)
    row = case.tables["mue"].find((ncci_setting(case), line.procedure or ""), day) if day else None
    return Decimal(row[0]) if row else None


@line_fact("codes", "the sides of the day", reach="lines")
def sides_of_day(case: Case, line: Line) -> tuple[str, ...]:
    """The sides, LT and RT, that those lines of the procedure name which are certainly of this one's day and
    provider, one side a line."""
    lines = blocks(case, line).sure
    named = once(case, ("sides", id(lines)), lambda: {side_of(other) for other in lines})
    return tuple(side for side in SIDES if side in named)


@line_fact("lines", "the procedure's lines of the day", reach="lines")
def bilateral_lines_beside(case: Case, line: Line) -> tuple[int, ...]:
    """Lines with modifier 50 of certainly the same day and provider that this line repeats: it carries no 50 itself,
    or it stands after them."""
    lines = blocks(case, line).sure
    seen = once(case, ("bilateral", id(lines)), lambda: [one for one in lines if BILATERAL in one.modifiers])
    if BILATERAL in line.modifiers:
        return tuple([other.number for other in takewhile(lambda other: other is not line, seen)])
    return _numbers(case, seen)


def _on_day(case: Case, line: Line, table: str) -> list[Line]:
    """Lines of the same day whose procedure is in the table, whoever gave the service."""
    found = once(
        case,
        ("on_day", table, days_of(case, line)),
        lambda: [other for other, _ in of_day(case, line) if _row(case, table, line, other) is not None],
    )
    return [other for other in found if other is not line]


def _row(case: Case, table: str, line: Line, other: Line) -> tuple[str, ...] | None:
    """The table's row for another line's procedure, on its date or else on the date of the procedure's line."""
    day = date_of(case.claim, other) or date_of(case.claim, line)
    return case.tables[table].find((other.procedure,), day) if day and other.procedure else None


@line_fact("codes", "the imaging lines", reach="lines")
def imaging_codes(case: Case, line: Line) -> tuple[str, ...]:
    """Imaging guidance for needle placement that is billed on the same day."""
    found = _on_day(case, line, "imaging_guidance")
    return tuple(dict.fromkeys(other.procedure for other in found if other.procedure))


@line_fact("lines", "the imaging lines", reach="lines")
def imaging_lines(case: Case, line: Line) -> tuple[int, ...]:
    """The lines that bill that imaging guidance."""
    return tuple(other.number for other in _on_day(case, line, "imaging_guidance"))


@line_fact("codes", "the other procedures of the day", reach="lines")
def other_needle_procedures(case: Case, line: Line) -> tuple[str, ...]:
    """Needle procedures of the same day whose code does not include imaging, so that guidance may be theirs."""
    found = _on_day(case, line, "needle_procedures")
    return tuple(dict.fromkeys(other.procedure for other in found if other.procedure))


@line_fact("codes", "the visits of the day", reach="lines")
def visits_without_25(case: Case, line: Line) -> tuple[str, ...]:
    """Visits of the same day, certainly by the same provider, whose line lacks modifier 25."""
    return _bare_visits(case, line, sure=True)


@line_fact("lines", "the visits of the day", reach="lines")
def lines_of_visits_without_25(case: Case, line: Line) -> tuple[int, ...]:
    """The lines that bill those visits."""
    codes = visits_without_25(case, line)
    return tuple(
        other.number
        for other, certain in beside(case, line)
        if certain and other is not line and other.procedure in codes and "25" not in other.modifiers
    )


@line_fact("codes", "the visits of the day", reach="lines")
def possible_visits_without_25(case: Case, line: Line) -> tuple[str, ...]:
    """The same for visits that may be by the same provider, their specialty or date being unknown."""
    return _bare_visits(case, line, sure=False)


@line_fact("codes", "the visits of the day", reach="lines")
def facility_visits_without_25(case: Case, line: Line) -> tuple[str, ...]:
    """Hospital clinic and emergency visits of the same day without modifier 25, whoever saw the patient."""
    found = once(
        case,
        ("facility_visits", days_of(case, line)),
        lambda: twice(
            (other, other.procedure)
            for other, _ in of_day(case, line)
            if _row(case, "visits", line, other) == ("facility",) and "25" not in other.modifiers
        ),
    )
    return codes_of(found, line)


def _bare_visits(case: Case, line: Line, *, sure: bool) -> tuple[str, ...]:
    lines = beside(case, line)
    found = once(
        case,
        ("bare_visits", id(lines), sure),
        lambda: twice(
            (other, other.procedure)
            for other, certain in lines
            if certain is sure and "25" not in other.modifiers and _row(case, "visits", line, other) is not None
        ),
    )
    return codes_of(found, line)
