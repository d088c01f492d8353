"""Until when an imported edition speaks: as long as its publisher takes to bring out the next one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

from rules.tables.edition import Edition

Cadence = Literal["quarter", "year"]
CADENCES: Mapping[str, Cadence] = {
    "diagnosis_headers": "year",
    "fee_schedule": "year",
    "modifiers": "quarter",
    "mue": "quarter",
    "ncci_ptp": "quarter",
}
"""By table: NCCI and HCPCS come each quarter, ICD-10-CM on October 1, the physician fee schedule on January 1."""


def last_day_of(edition: Edition, part: str) -> date | None:
    """The last date of service that an edition surely speaks for; None where that cannot be said."""
    period = edition.speaks.get(part)
    cadence = CADENCES.get(edition.table)
    if period is None or cadence is None:
        return None
    start = period.from_
    if cadence == "year":
        ends = date(start.year, 9, 30) if edition.table == "diagnosis_headers" else date(start.year, 12, 31)
        due = ends if ends >= start else ends.replace(year=ends.year + 1)
    else:
        month = (start.month - 1) // 3 * 3 + 4
        due = date(start.year + month // 13, (month - 1) % 12 + 1, 1) - timedelta(days=1)
    return min(due, period.to) if period.to else due
