"""Facts of money: what Medicare pays for the procedure at the place of the line.

A physician's amount depends on the locality, which a claim does not name: a state may have several. What is certain is
the lowest amount of the state, or of the nation where the state is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts.parts import fee_place, state_of
from rules.facts.registry import line_fact
from rules.payment.physician import amount_of
from rules.tables.table import Row, Table

_FEES = ("facility", "nonfacility")
"""The places of the physician fee schedule."""


@line_fact("money", "the place of service", reach="line")
def medicare_amount(case: Case, line: Line) -> Decimal | None:
    """What Medicare allows for one side of the procedure at the place on the line's date, US dollars: a physician's
    lowest amount in the state (in the nation where the state is unknown), the national rate of a hospital or a
    surgical center before the wage adjustment. Missing where the book has none for that date."""
    day, place = date_of(case.claim, line), fee_place(case, line)
    if day is None or place is None:
        return None
    if place in _FEES and not case.former:
        units = case.tables["relative_values"].find((place, line.procedure or ""), day)
        return _lowest(case.tables["localities"], state_of(case, line), day, units) if units else None
    row = case.tables["fee_schedule"].find((place, line.procedure or ""), day)
    return Decimal(row[0]) if row else None


@line_fact("codes", "the place of service", reach="line")
def past_amounts(case: Case, line: Line) -> tuple[str, ...] | None:
    """The tables from which that amount would come and whose rows of the procedure and place all ended before the
    line's date: relative_values and localities, or fee_schedule."""
    day, place = date_of(case.claim, line), fee_place(case, line)
    if day is None or place is None:
        return None
    key = (place, line.procedure or "")
    if place not in _FEES:
        return ("fee_schedule",) if _ended(case.tables["fee_schedule"], place, [key], day) else ()
    values, localities = case.tables["relative_values"], case.tables["localities"]
    without = not _indices(localities, None, localities.unchanged_since(day))
    found = {
        "relative_values": _ended(values, place, [key], day),
        "localities": without and key in values.spans and _ended(localities, "", localities.spans, day),
    }
    return tuple(name for name, ended in found.items() if ended)


def _ended(table: Table, part: str, keys: Iterable[tuple[str, ...]], day: date) -> bool:
    """Whether the table had rows for keys of a part, of which none and no later edition is in force on the day."""
    spans = [span for key in keys for span in table.spans.get(key, ())]
    going = any(end >= day for _, end, _ in spans)
    return bool(spans) and not going and table.edition(part, day) is None


@line_fact("code", "the date of service", reach="line")
def medicare_area(case: Case, line: Line) -> str | None:
    """The area whose lowest amount that is: the state, or `any state` where the claim names none that Medicare has
    localities of."""
    day, state = date_of(case.claim, line), state_of(case, line)
    if day is None:
        return None
    localities = case.tables["localities"]
    return state if state and _indices(localities, state, localities.unchanged_since(day)) else "any state"


def _lowest(localities: Table, state: str | None, on: date, units: Row) -> Decimal | None:
    day = localities.unchanged_since(on)
    found = (_indices(localities, state, day) if state else ()) or _indices(localities, None, day)
    return min((amount_of(units, indices) for indices in found), default=None)


@lru_cache(maxsize=1_024)
def _indices(localities: Table, state: str | None, day: date) -> tuple[Row, ...]:
    """The cost indices of a state's localities on a day; None: of all states."""
    keys: Iterable[tuple[str, ...]] = (key for key in localities.spans if state in (None, key[0]))
    return tuple(row for key in keys if (row := localities.find(key, day)) is not None)
