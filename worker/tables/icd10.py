"""The ICD-10-CM order file: every code and every header of a fiscal year, 1 October to 30 September.

Fixed width: order number 1-5, code without dot 7-13, in 15 a 1 for a code that may be billed and a 0 for a header,
then descriptions. The year is in the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault, Lines

_LINE = re.compile(r"(\d{5,6}) ([A-Z][0-9A-Z]{2,6}) +([01]) .")
_NAME = re.compile(r"order[_-]?(\d{4})", re.IGNORECASE)
_LAST_CHAPTERS = ("U", "Z")
"""The list ends in chapter 21 or 22, whose codes begin with these letters."""


def header_edition(name: str, lines: Lines, files: Sequence[File]) -> Edition:
    """The headers of a fiscal year: codes that are not complete.

    Raises:
        Fault
    """
    found = _NAME.search(name)
    if not found:
        raise Fault(
            1, "this is an ICD-10-CM order file, but only the name says of which year; expected the name that CMS "
            "gave it, such as icd10cm_order_2026.txt"
        )  # fmt: skip
    year = int(found[1])
    headers: list[str] = []
    number, code, order = 0, "", 0
    for number, line in lines:
        match = _LINE.match(line)
        if not match:
            if line.strip():
                raise Fault(number, "expected an order number, a code, and 1 or 0 in column 15")
            continue
        if int(match[1]) != order + 1:
            raise Fault(number, f"order number {int(match[1])} follows {order}: lines are missing, or there twice")
        order, code = int(match[1]), match[2]
        if match[3] == "0":
            headers.append(code)
    if not code.startswith(_LAST_CHAPTERS):
        raise Fault(number, f"ends at {code}, before the last chapter: the file is cut short")
    return Edition(
        table="diagnosis_headers",
        title="ICD-10-CM order file",
        release=f"FY {year}",
        publisher="CDC (NCHS) and CMS",
        url="https://www.cms.gov/medicare/coding-billing/icd-10-codes",
        files=tuple(files),
        speaks={"": Period.model_validate({"from": date(year - 1, 10, 1), "to": date(year, 9, 30)})},
        rows=tuple((code, "", "") for code in headers),
    )
