"""CMS's ZIP Code to Carrier Locality File: which contractor and locality pay what is given at a ZIP code.

Lines of 80 characters without a header: state, ZIP code, contractor, locality, how rural it is, whether parts of the
ZIP code are of other localities, in the file of nine digits the last four of them, at the end year and quarter. The
layout is in ZIP5lyout.txt and ZIP9lyout.txt of the same zip. Source of the layout as it was read: the copy of
ZIP5lyout.txt at noaa-mirror.org, and the tests of the public project cms_pricing for ZIP9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from rules.payment.places import WHOLE, ZIP, ZIP_PLUS_FOUR
from rules.tables.edition import Edition, File, Packed, Period
from rules.tables.packedrows import ENDLESS, LAYOUTS, packed_rows
from worker.tables.files import Fault, Lines

SIGN = re.compile(r"\A[A-Z]{2}\d{10}[0-9A-Z ]{2}.{61}\d{4}[1-4]\s")
_LENGTH = 80
_STATE, _ZIP, _CONTRACTOR, _LOCALITY = slice(0, 2), slice(2, 7), slice(7, 12), slice(12, 14)
_SEVERAL, _PLUS_FOUR, _QUARTER = 20, slice(21, 25), slice(75, 80)
_SURE = ("AL", "CA", "NY", "WY")
"""States that every file has."""
_VALUE_BITS = 64
_END_OF_FILE = "\x1a"
_TITLES = {
    ZIP: "ZIP codes with their localities",
    ZIP_PLUS_FOUR: "ZIP codes of nine digits with their localities",
}


def zip_edition(lines: Lines, files: Sequence[File]) -> Edition:
    """The localities of all ZIP codes of a file. Those without one, such as of the armed forces, are left out.

    Raises:
        Fault
    """
    layout = LAYOUTS["zip_localities"]
    rows: list[int] = []
    quarters: dict[str, int] = {}
    states: set[str] = set()
    part: str | None = None
    number = 0
    for number, line in lines:
        text = line.rstrip("\r\n")
        if not text.strip(_END_OF_FILE + " "):
            continue
        if len(text) != _LENGTH:
            raise Fault(number, f"expected {_LENGTH} characters, found {len(text)}: the file is cut short or edited")
        part = part or (ZIP_PLUS_FOUR if text[_PLUS_FOUR].isdigit() else ZIP)
        quarters.setdefault(text[_QUARTER], number)
        states.add(text[_STATE])
        if not text[_LOCALITY].strip():
            continue
        try:
            plus_four = f"0{text[_PLUS_FOUR]}" if part == ZIP_PLUS_FOUR else WHOLE
            key = layout.key((text[_ZIP], plus_four))
            value = layout.number((text[_STATE], text[_CONTRACTOR], text[_LOCALITY], text[_SEVERAL]))
        except ValueError:
            value = -1
        if value < 0 or text[_SEVERAL] not in "01" or not text[_ZIP].isdigit():
            raise Fault(number, "expected state, ZIP code, contractor, locality, and 0 or 1 in column 21")
        rows.append(key << _VALUE_BITS | value)
    starts = _starts(quarters)
    if missing := [state for state in _SURE if state not in states]:
        raise Fault(0, f"has no ZIP code of {', '.join(missing)}: the file is cut short")
    assert part
    return _edition(part, starts, rows, files)


def _starts(quarters: dict[str, int]) -> date:
    """The first day of the one quarter that all lines name."""
    if len(quarters) != 1:
        named = " and ".join(sorted(quarters)) or "none"
        raise Fault(
            max(quarters.values(), default=0), f"expected one year and quarter in columns 76 to 80, found {named}"
        )
    (named,) = quarters
    if not re.fullmatch(r"20\d\d[1-4]", named):
        raise Fault(1, f"expected year and quarter in columns 76 to 80, such as 20261; found {named!r}")
    return date(int(named[:4]), 3 * int(named[4]) - 2, 1)


def _edition(part: str, starts: date, rows: list[int], files: Sequence[File]) -> Edition:
    rows.sort()
    for one, other in pairwise(rows):
        if one >> _VALUE_BITS == other >> _VALUE_BITS:
            code, _ = LAYOUTS["zip_localities"].key_codes(one >> _VALUE_BITS)
            raise Fault(0, f"ZIP code {code} is there twice: the periods overlap")
    mask = (1 << _VALUE_BITS) - 1
    content = packed_rows(
        "zip_localities", (row >> _VALUE_BITS for row in rows), [ENDLESS] * len(rows), (row & mask for row in rows)
    )
    return Edition(
        form=2,
        table="zip_localities",
        title=_TITLES[part],
        release=f"{starts.year} Q{(starts.month + 2) // 3}",
        url="https://www.cms.gov/medicare/payment/fee-schedules",
        files=tuple(files),
        speaks={part: Period.model_validate({"from": starts})},
        rows=(),
        packed=Packed(sha256=content.sha256, rows=len(content)),
    ).holding(content)
