"""The geographic practice cost indices (GPCI, Addendum E of the physician fee schedule), as CSV.

A title with the year, a header of seven columns, or of eight where the work index is given with the floor of 1.0 and
without it, one row a locality, then footnotes. The floor was extended to January 1, 2027 (Continuing Appropriations
Act, 2026): where a file has both columns, the one with it holds for years up to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault, worded

TITLE = re.compile(r"CY\s+(\d{4})[^\n]*GEOGRAPHIC PRACTICE COST IND", re.IGNORECASE)
_WORK = re.compile(r"\d{4} pw gpci(?: ?\((with|without) 1\.0 floor\))?")
_PRACTICE, _MALPRACTICE = re.compile(r"\d{4} pe gpci"), re.compile(r"\d{4} mp gpci")
_FLOOR_TO = 2026
_INDEX = re.compile(r"[0-9](?:\.[0-9]{1,4})?")
_SURE = ("AL", "CA", "NY", "WY")
"""States that every edition has, the last one at its end."""
_PREAMBLE = 20
_CONTRACTOR = 5
"""Digits of a contractor's number, of which spreadsheets drop leading zeros."""
_URL = "https://www.cms.gov/medicare/payment/fee-schedules/physician"


def locality_editions(records: Iterable[tuple[int, list[str]]], files: Sequence[File]) -> tuple[Edition, Edition]:
    """The cost indices of every locality, and which localities each contractor has.

    Raises:
        Fault
    """
    rows = iter(records)
    year, places, width = _head(rows)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    areas: dict[tuple[str, str], tuple[str, str]] = {}
    for number, record in rows:
        cells = [cell.strip() for cell in record]
        if not cells or not cells[0].isdigit():
            continue
        if len(cells) < width:
            raise Fault(number, f"expected {width} fields, found {len(cells)}")
        key = (cells[1].upper(), cells[2].zfill(2))
        indices = tuple(cells[place] for place in places)
        if not re.fullmatch(r"[A-Z]{2}", key[0]) or not key[1].isdigit() or not all(map(_INDEX.fullmatch, indices)):
            raise Fault(number, "expected a state, the number of a locality, and three indices such as 1.041")
        if key in found:
            raise Fault(number, f"locality {' '.join(key)} is there twice: the periods overlap")
        found[key] = indices
        area = (cells[0].zfill(_CONTRACTOR), key[1])
        if area in areas:
            raise Fault(number, f"locality {area[1]} of contractor {area[0]} is there twice")
        areas[area] = key[0], cells[3].rstrip(" *")
    if missing := [state for state in _SURE if state not in {state for state, _ in found}]:
        raise Fault(0, f"has no locality of {', '.join(missing)}: the file is cut short")
    indices_of = Edition(
        table="localities",
        title="Geographic practice cost indices of the physician fee schedule",
        release=f"CY {year}, {len(found)} localities",
        url=_URL,
        files=tuple(files),
        speaks={"": _year(year)},
        rows=tuple((*key, *indices, "", "") for key, indices in sorted(found.items())),
    )
    areas_of = Edition(
        table="payment_areas",
        title="Localities of the physician fee schedule",
        release=f"CY {year}, {len(areas)} localities",
        url=_URL,
        files=tuple(files),
        speaks={"": _year(year)},
        rows=tuple((*key, *area, "", "") for key, area in sorted(areas.items())),
    )
    return indices_of, areas_of


def _year(year: int) -> Period:
    return Period.model_validate({"from": date(year, 1, 1), "to": date(year, 12, 31)})


def _head(rows: Iterable[tuple[int, list[str]]]) -> tuple[int, tuple[int, ...], int]:
    """Year, places of the three indices, and the number of columns."""
    year: int | None = None
    for number, record in rows:
        cells = [worded(cell).lower() for cell in record]
        if year is None and (title := next(filter(None, map(TITLE.search, cells)), None)):
            year = int(title[1])
        if "locality number" in cells:
            if year is None:
                raise Fault(1, "expected a title with the year, such as CY 2026")
            work = _work_column(number, cells, year)
            practice, malpractice = (_column(number, cells, form) for form in (_PRACTICE, _MALPRACTICE))
            return year, (work, practice, malpractice), len(cells)
        if number > _PREAMBLE:
            break
    raise Fault(1, "expected a header with Locality Number and the three indices: the file is cut short")


def _work_column(number: int, cells: Sequence[str], year: int) -> int:
    kinds = {match[1]: place for place, cell in enumerate(cells) if (match := _WORK.fullmatch(cell))}
    if not kinds:
        raise Fault(number, "expected a column such as 2026 PW GPCI (with 1.0 Floor)")
    wanted = "with" if year <= _FLOOR_TO else "without"
    return kinds.get(wanted, next(iter(kinds.values())))


def _column(number: int, cells: Sequence[str], form: re.Pattern[str]) -> int:
    for place, cell in enumerate(cells):
        if form.fullmatch(cell):
            return place
    raise Fault(number, "expected columns such as 2026 PE GPCI and 2026 MP GPCI")
