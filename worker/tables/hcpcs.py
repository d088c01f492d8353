"""The alpha-numeric HCPCS file of a quarter, as text: every code and every modifier of level II, with its dates.

Fixed width: a code in 1-5, of which a modifier has the last two; sequence 6-10; record 11 (3 procedure, 7 modifier, 4
and 8 more of their description); added 269-276, terminated 285-292 (the last date of use), action 293. Year and
quarter are in the name alone. Modifiers of CPT (22 to 99, 1P, and P1 to P6) are not CMS's and not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault, Lines, day_of

_NAME = re.compile(r"HCPC(\d{4})_(JAN|APR|JUL|OCT)_ANWEB", re.IGNORECASE)
_MONTHS = {"JAN": 1, "APR": 4, "JUL": 7, "OCT": 10}
_LENGTH = 293
_FIRST_LINES, _MORE_LINES = ("3", "7"), ("4", "8")
_SURE = {"LT", "RT", "XE", "XU"}
"""Modifiers that every edition has."""
_LAST_CHAPTER = "V"


Row = tuple[str, str, str]
"""A code or modifier, its first day, and its last or an empty text."""


def editions(name: str, lines: Lines, files: Sequence[File]) -> tuple[Edition, Edition]:
    """The modifiers and the codes of level II.

    Raises:
        Fault
    """
    found = _NAME.search(name)
    if not found:
        raise Fault(
            1, "this is an alpha-numeric HCPCS file, but only the name says of which quarter; expected the name that "
            "CMS gave it, such as HCPC2026_OCT_ANWEB.txt"
        )  # fmt: skip
    starts = date(int(found[1]), _MONTHS[found[2].upper()], 1)
    modifiers: dict[str, Row] = {}
    codes: dict[Row, None] = {}
    for number, line in lines:
        text, record = line.rstrip("\r\n"), line[10:11]
        if not text.strip(" \x1a") or record in _MORE_LINES:
            continue
        if record not in _FIRST_LINES or len(text) < _LENGTH:
            raise Fault(number, "expected 293 characters with 3, 4, 7 or 8 in column 11")
        if record == "3":
            codes[_row(number, text, text[:5])] = None
            continue
        row = _row(number, text, text[3:5])
        if row[0] in modifiers:
            raise Fault(number, f"modifier {row[0]} is there twice: the periods overlap")
        modifiers[row[0]] = row
    if not modifiers.keys() >= _SURE or not any(code.startswith(_LAST_CHAPTER) for code, _, _ in codes):
        raise Fault(0, "has not all modifiers and codes that are sure to be in it: the file is cut short")
    release = f"{starts.year} {found[2].capitalize()}"
    kept = {"modifiers": ("modifiers", modifiers.values()), "hcpcs_codes": ("codes", codes)}
    first, second = (_edition(table, *of_table, release, starts, files) for table, of_table in kept.items())
    return first, second


def _edition(table: str, what: str, rows: Iterable[Row], release: str, starts: date, files: Sequence[File]) -> Edition:
    return Edition(
        table=table,
        title=f"Alpha-numeric HCPCS file, {what}",
        release=release,
        url="https://www.cms.gov/medicare/coding-billing/healthcare-common-procedure-system/quarterly-update",
        files=tuple(files),
        speaks={"": Period.model_validate({"from": starts})},
        reaches_back=True,
        rows=tuple(sorted(rows)),
    )


def _row(number: int, text: str, code: str) -> Row:
    added, ended = text[268:276].strip(), text[284:292].strip()
    start, end = day_of(added), day_of(ended) if ended else None
    if not code.isalnum() or start is None or (ended and end is None):
        raise Fault(
            number,
            "expected a code in columns 1 to 5, or a modifier in 4 and 5, and dates as YYYYMMDD "
            "from columns 269 and 285",
        )
    return code, start.isoformat(), end.isoformat() if end else ""
