"""Until when an edition speaks: as long as its publisher takes to bring out the next one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from rules.tables.edition import Edition
from rules.tables.table import SPECS
from rules.terms import Cadence

_MONTHS: Mapping[Cadence, tuple[int, ...]] = {"quarterly": (1, 4, 7, 10), "yearly": (1,), "fiscal_yearly": (10,)}
"""The months in which a period begins: NCCI and HCPCS come each quarter, the physician fee schedule on January 1,
ICD-10-CM on October 1."""


def period_end(cadence: Cadence, day: date) -> date:
    """The last day of the period that a day lies in: of its quarter, its calendar year, its fiscal year."""
    begins = (date(year, month, 1) for year in (day.year, day.year + 1) for month in _MONTHS[cadence])
    return next(start for start in begins if start > day) - timedelta(days=1)


def release_on(cadence: Cadence, day: date) -> str:
    """The name of the period that a day lies in, as publishers call their editions: 2026 Q4, 2026, FY 2027."""
    if cadence == "quarterly":
        return f"{day.year} Q{(day.month + 2) // 3}"
    return f"FY {period_end(cadence, day).year}" if cadence == "fiscal_yearly" else str(day.year)


def last_day_of(edition: Edition, part: str) -> date | None:
    """The last date of service that an edition surely speaks for; None where that cannot be said."""
    period = edition.speaks.get(part)
    spec = SPECS.get(edition.table)
    if period is None or spec is None or spec.cadence is None:
        return None
    due = period_end(spec.cadence, period.from_)
    return min(due, period.to) if period.to else due
