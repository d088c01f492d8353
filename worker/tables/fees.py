"""The relative value file of the Medicare physician fee schedule (PPRRVU), as CSV, of 2025 (31 columns) and later (32).

Nine lines of preamble and captions, a header whose names repeat, so that columns are found by position, then one
row a code and modifier. National amount = total relative value units by the conversion factor of the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault

_TITLE = re.compile(r"(\d{4}) National Physician Fee Schedule Relative Value File (January|April|July|October) Release")
_MONTHS = {"January": 1, "April": 4, "July": 7, "October": 10}
_HEADER_2025 = [
    *("HCPCS", "MOD", "DESCRIPTION", "CODE", "PAYMENT", "RVU", "PE RVU", "INDICATOR", "PE RVU", "INDICATOR", "RVU"),
    *("TOTAL", "TOTAL", "IND", "DAYS", "OP", "OP", "OP", "PROC", "SURG", "SURG", "SURG", "SURG", "BASE", "FACTOR"),
    *("PROCEDURES", "FLAG", "INDICATOR", "AMOUNT", "AMOUNT", "AMOUNT"),
]
_PRICING = 23
"""Place of the pricing indicator, which 2026 brought in: what follows it moved by one."""
_HEADERS = (_HEADER_2025, [*_HEADER_2025[:_PRICING], "IND", *_HEADER_2025[_PRICING:]])
_MODIFIER, _NO_OFFICE, _OFFICE_TOTAL, _FACILITY_TOTAL, _FACTOR = 1, 7, 11, 12, -7
_PLAIN = re.compile(r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
_CENT = Decimal("0.01")
_PREAMBLE = 20


def fee_edition(
    records: Iterable[tuple[int, list[str]]], procedure: str, files: Sequence[File]
) -> tuple[Edition, Decimal]:
    """The national amounts of the procedure, and the conversion factor.

    Raises:
        Fault
    """
    rows = iter(records)
    year, month, width = _head(rows)
    found: list[str] | None = None
    seen: set[tuple[str, str]] = set()
    for number, record in rows:
        if not any(record):
            continue
        if len(record) != width:
            raise Fault(number, f"expected {width} fields, found {len(record)}")
        key = (record[0].strip(), record[_MODIFIER].strip())
        if key in seen:
            raise Fault(number, f"{' '.join(key).strip()} is there twice: the periods overlap")
        seen.add(key)
        if key == (procedure, ""):
            found, amounts, factor = record, *_amounts(number, record)
    if found is None:
        raise Fault(0, f"no row is for {procedure}: the file is cut short, or of another table")
    edition = Edition(
        table="fee_schedule",
        title="Medicare physician fee schedule, relative value file",
        release=f"{year} {month}, conversion factor {factor}",
        url="https://www.cms.gov/medicare/payment/fee-schedules/physician/pfs-relative-value-files",
        files=tuple(files),
        speaks={
            place: Period.model_validate({"from": date(year, _MONTHS[month], 1), "to": date(year, 12, 31)})
            for place in ("facility", "nonfacility")
        },
        rows=tuple((place, procedure, str(amount), "", "") for place, amount in sorted(amounts.items())),
    )
    return edition, factor


def _head(rows: Iterable[tuple[int, list[str]]]) -> tuple[int, str, int]:
    """Year and month of the release, and the number of columns."""
    release: tuple[int, str] | None = None
    for number, record in rows:
        cells = [cell.strip() for cell in record]
        if release is None and (title := next(filter(None, map(_TITLE.search, cells)), None)):
            release = int(title[1]), title[2]
        if cells and cells[0] == "HCPCS":
            if cells not in _HEADERS:
                raise Fault(
                    number, f"expected the header of 2025 (31 columns) or 2026 (32 columns); found {len(cells)} columns"
                )
            if release is None:
                raise Fault(1, "expected a title with year and month of the release")
            return *release, len(cells)
        if number > _PREAMBLE:
            break
    raise Fault(1, "expected a header that begins with HCPCS: the file is cut short")


def _amounts(number: int, record: list[str]) -> tuple[dict[str, Decimal], Decimal]:
    try:
        office, facility, factor = (_number(record[place]) for place in (_OFFICE_TOTAL, _FACILITY_TOTAL, _FACTOR))
    except InvalidOperation:
        raise Fault(number, "expected numbers as totals and as conversion factor") from None
    amounts = {"nonfacility": office, "facility": facility}
    if record[_NO_OFFICE].strip() == "NA":
        del amounts["nonfacility"]
    return {place: (total * factor).quantize(_CENT, ROUND_HALF_UP) for place, total in amounts.items()}, factor


def _number(text: str) -> Decimal:
    """A number as the file writes it; one with an exponent would break the product of two."""
    if not _PLAIN.fullmatch(text.strip()):
        raise InvalidOperation
    return Decimal(text)
