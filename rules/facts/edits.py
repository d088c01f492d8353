"""Facts of the NCCI edits over all lines of a claim: pairs, and limits of units, whatever the procedures.

They come from whole imported tables alone. A pair is told on the line that it denies, which is the one in column 2. Of
a pair that contains a procedure with rules of its own nothing is said: those rules do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from rules.case import Case, date_of, ncci_setting
from rules.claim import Line
from rules.facts.day import side_of
from rules.facts.ncci import lifted
from rules.facts.pairs import FIRM, Indicator
from rules.facts.registry import line_fact
from rules.facts.together import beside, days_of, once, position_of
from rules.facts.units import SERVICES, basis_of

TABLE_OF: Mapping[str, str] = {
    "edit_never_paid": "ncci_ptp",
    "edit_unlifted": "ncci_ptp",
    "possible_edit_never_paid": "ncci_ptp",
    "possible_edit_unlifted": "ncci_ptp",
    "edit_unit_limit": "mue",
}
"""The facts that nothing answers but a whole imported table."""
LINE_EDIT = "1"
"""Adjudication indicator of a limit of one line; the others are of a day."""


class Limit(NamedTuple):
    """The medically unlikely edit of a procedure."""

    units: Decimal
    of_line: bool


def of_own_rules(case: Case, code: str | None) -> bool:
    """Whether a procedure has rules of its own, which speak of its pairs and units."""
    return code in case.with_rules


def _whole(case: Case, line: Line, table: str) -> date | None:
    """The line's date, if a whole table speaks on it of a procedure that has no rules of its own."""
    day = date_of(case.claim, line)
    own = of_own_rules(case, line.procedure)
    return day if day and line.procedure and not own and case.tables[table].whole(ncci_setting(case), day) else None


def _kinds(case: Case, lines: list[tuple[Line, bool]]) -> list[tuple[Line, bool]]:
    """Of lines that are alike in all that is asked of a pair, the first: a claim may have a thousand."""

    def make() -> list[tuple[Line, bool]]:
        kinds: dict[Hashable, tuple[Line, bool]] = {}
        for other, sure in lines:
            if other.procedure and not of_own_rules(case, other.procedure):
                kinds.setdefault((other.procedure, other.modifiers, sure), (other, sure))
        return list(kinds.values())

    return once(case, ("edit_kinds", id(lines)), make)


def _denying(case: Case, line: Line) -> list[tuple[Line, bool, str]]:
    """The lines of the day and provider whose pair with this line denies it, each with the indicator."""
    day, own = _whole(case, line, "ncci_ptp"), line.procedure
    if day is None or not own:
        return []
    lines = beside(case, line)

    def make() -> list[tuple[Line, bool, str]]:
        denied = _denied(case, lines, day).get(own, {})
        if not denied:
            return []
        return [
            (other, sure, denied[other.procedure]) for other, sure in _kinds(case, lines) if other.procedure in denied
        ]

    return once(case, ("denying", id(lines), day, own), make)


def _denied(case: Case, lines: list[tuple[Line, bool]], day: date) -> Mapping[str, Mapping[str | None, str]]:
    """By each code that a pair denies, the codes that deny it with their indicators."""

    def make() -> Mapping[str, Mapping[str | None, str]]:
        codes = {other.procedure for other, _ in _kinds(case, lines) if other.procedure}
        found: dict[str, dict[str | None, str]] = {}
        for (column1, column2), values in case.tables["ncci_ptp"].among(ncci_setting(case), codes, day).items():
            if column1 != column2:
                found.setdefault(column2, {})[column1] = values[0]
        return found

    return once(case, ("denied", id(lines), day), make)


def _codes(found: Iterable[Line]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.procedure for line in found if line.procedure))


def _paired(case: Case, line: Line, indicator: Indicator, *, sure: bool) -> tuple[str, ...]:
    firm = indicator == FIRM
    return _codes(
        other
        for other, certain, said in _denying(case, line)
        if certain is sure and (said == FIRM) is firm and (firm or not lifted(case, line, other))
    )


@line_fact("code", "the procedure", reach="line")
def procedure(_case: Case, line: Line) -> str | None:
    """The procedure of the line."""
    return line.procedure


@line_fact("flag", "the date of service", reach="line")
def edits_known(case: Case, line: Line) -> bool | None:
    """Whether a whole imported table of NCCI pairs speaks on the line's date."""
    day = date_of(case.claim, line)
    return None if day is None else case.tables["ncci_ptp"].whole(ncci_setting(case), day)


@line_fact("codes", "the date of service", reach="lines")
def edit_never_paid(case: Case, line: Line) -> tuple[str, ...]:
    """Procedures of the same day and provider beside which this line is never paid, by a whole imported table of NCCI
    pairs; none where a procedure has rules of its own."""
    return _paired(case, line, "0", sure=True)


@line_fact("codes", "the procedures of the day", reach="lines")
def possible_edit_never_paid(case: Case, line: Line) -> tuple[str, ...]:
    """The same for procedures that may be of the same provider, their specialty or date being unknown."""
    return _paired(case, line, "0", sure=False)


@line_fact("codes", "the date of service", reach="lines")
def edit_unlifted(case: Case, line: Line) -> tuple[str, ...]:
    """Procedures of the same day and provider beside which this line is not paid, where a modifier might lift the NCCI
    pair and none on either line does; from a whole imported table, and none of a procedure with rules of its own."""
    return _paired(case, line, "1", sure=True)


@line_fact("codes", "the procedures of the day", reach="lines")
def possible_edit_unlifted(case: Case, line: Line) -> tuple[str, ...]:
    """The same for procedures that may be of the same provider, their specialty or date being unknown."""
    return _paired(case, line, "1", sure=False)


def _limit(case: Case, line: Line) -> Limit | None:
    day = _whole(case, line, "mue")
    if day is None or not line.procedure or basis_of(line) != SERVICES:
        return None
    row = case.tables["mue"].find((ncci_setting(case), line.procedure), day)
    return Limit(Decimal(row[0]), row[1] == LINE_EDIT) if row else None


def _counted(case: Case, line: Line) -> list[Line]:
    """The lines whose units of a day are added up; at a surgical center, which bills a line a side, of that side."""
    side = side_of(line) if case.role == "asc" else None
    lines = beside(case, line)

    def by_code() -> Mapping[str, list[tuple[Line, bool]]]:
        found: dict[str, list[tuple[Line, bool]]] = {}
        for one, sure in lines:
            if one.procedure and basis_of(one) == SERVICES:
                found.setdefault(one.procedure, []).append((one, sure))
        return found

    def make() -> list[Line]:
        alike = once(case, ("by_code", id(lines)), by_code).get(line.procedure or "", [])
        return [one for one, sure in alike if sure and (side is None or side_of(one) == side)]

    found = once(case, ("edit_counted", id(lines), line.procedure, side), make)
    return (
        found if any(one is line for one in found) else sorted([*found, line], key=lambda one: position_of(case, one))
    )


@line_fact("number", "the date of service", reach="lines")
def edit_unit_limit(case: Case, line: Line) -> Decimal | None:
    """The medically unlikely edit of the line's procedure by a whole imported table; missing where there is none, where
    the procedure has rules of its own, and where an earlier line of the day stands for the limit of the day."""
    limit = _limit(case, line)
    if limit is None or not (limit.of_line or _counted(case, line)[0] is line):
        return None
    return limit.units


@line_fact("flag", "the date of service", reach="lines")
def edit_limit_of_line(case: Case, line: Line) -> bool | None:
    """Whether that limit is of one line, adjudication indicator 1; else all lines of the day count together."""
    limit = _limit(case, line)
    return None if limit is None else limit.of_line


@line_fact("number", "the units", reach="lines")
def edit_units(case: Case, line: Line) -> Decimal | None:
    """The units that are held against the limit: of the line, or of all lines of the procedure of the same day and
    provider; of a surgical center's those of one side. Missing where a line has none."""
    limit = _limit(case, line)
    if limit is None or limit.of_line:
        return line.units
    lines = _counted(case, line)
    if any(one.units is None for one in lines):
        return None
    return round(sum((_of_a_day(case, one) for one in lines), Decimal(0)), 4)


def _of_a_day(case: Case, line: Line) -> Decimal:
    """The units of one day of a line, which may be of several."""
    first, last = days_of(case, line)
    return (line.units or Decimal(0)) / (max((last - first).days + 1, 1) if first and last else 1)
