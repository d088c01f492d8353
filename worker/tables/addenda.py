"""CMS's quarterly addenda: AA and BB of surgical centers, B of hospital outpatient departments.

Separated by commas or by tabs; a title (of two lines within one field at the surgical centers'), banner lines, a
header that names its columns, some of them with the month ("April 2026 Payment Rate "), then one row a code, and notes.
Money is written with dollar signs and commas, `.` or nothing where there is none. Addendum B does not say its quarter:
the name of the file or of the zip around it does.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault, Lines, worded

_MONTHS = {"jan": 1, "apr": 4, "jul": 7, "oct": 10}
_MONTH = r"(jan(?:uary)?|apr(?:il)?|july?|oct(?:ober)?)"
_QUARTER = re.compile(rf"{_MONTH}[ _-]*(\d{{4}})|(\d{{4}})[ _-]*{_MONTH}", re.I)
_YEAR = re.compile(r"cy (\d{4})|(\d{4})[ _-]*(?:nfrm|final)", re.I)
"""The addendum of a final rule, which holds from January on."""
_CODE = re.compile(r"[0-9A-Z]{5}")
_MONEY = re.compile(r"\$?(\d{1,3}(?:,\d{3})*|\d+)(\.\d{1,4})?")
_PREAMBLE = 20
_NOPAIN_MARK, _NOPAIN_STATUS = "***", ("K1", "H1")
_COMPREHENSIVE = "J1"
ASC_PAGE = (
    "https://www.cms.gov/medicare/payment/prospective-payment-systems/ambulatory-surgical-center-asc/"
    "asc-payment-rates-addenda"
)
OPPS_PAGE = (
    "https://www.cms.gov/medicare/payment/prospective-payment-systems/hospital-outpatient-pps/quarterly-addenda-updates"
)


@dataclass(frozen=True, slots=True)
class Addendum:
    """What is read of one: its quarter, and the wanted cells of each code."""

    name: str
    starts: date
    rows: Mapping[str, Mapping[str, str]]

    @property
    def release(self) -> str:
        return f"{self.starts:%B %Y}, Addendum {self.name}"

    def period(self) -> Period:
        """From its quarter to the end of the year, unless a later one begins."""
        return Period.model_validate({"from": self.starts, "to": date(self.starts.year, 12, 31)})


Name = Literal["AA", "BB", "B"]
NAMES: tuple[Name, ...] = get_args(Name)
_COLUMNS: Mapping[str, dict[str, str]] = {
    "AA": {"indicator": r"payment indicator", "amount": r"payment rate"},
    "BB": {"mark": r"", "indicator": r"payment indicator"},
    "B": {"status": r"si", "amount": r"payment rate"},
}
"""The wanted columns of each addendum, by what is left of their heading without the month and year."""
_IF_THERE: Mapping[str, Mapping[str, str]] = {"AA": {"multiple": r"subject to multiple procedure discounting"}}
"""Those that are read where the file has them."""
_LAST = {"AA": "G", "BB": "Q", "B": "V"}
"""A chapter that each has codes of near its end."""


def read_addendum(name: Name, path: str, lines: Lines) -> Addendum:
    """`name`: AA, BB or B. `path`: names of the file and of the zips around it.

    Raises:
        Fault
    """
    records = _records(lines)
    places, quarter = _header(name, records)
    starts = quarter or _quarter_of(path)
    if starts is None:
        raise Fault(
            1, "this is Addendum B, but only the name says of which quarter; expected the name that CMS gave it or its "
            "zip, such as October-2026-OPPS-Addendum-B.zip"
        )  # fmt: skip
    rows: dict[str, Mapping[str, str]] = {}
    for number, record in records:
        code = record[0].strip() if record else ""
        if not _CODE.fullmatch(code):
            continue
        if len(record) <= max(places.values()):
            raise Fault(number, f"expected at least {max(places.values()) + 1} fields, found {len(record)}")
        row = {what: record[place].strip() for what, place in places.items()}
        if rows.setdefault(code, row) != row:
            raise Fault(number, f"{code} is there twice, and once otherwise: the periods overlap")
    if not any(code.startswith(_LAST[name]) for code in rows):
        raise Fault(0, f"has no code of chapter {_LAST[name]}: the file is cut short")
    return Addendum(name, starts, rows)


def addendum_editions(addendum: Addendum, procedure: str, files: Sequence[File]) -> Iterator[Edition]:
    """The editions that it becomes.

    Raises:
        Fault: a row that must be there is not.
    """
    if addendum.name == "AA":
        yield _fee(addendum, "asc", "ASC payment files, Addendum AA", ASC_PAGE, procedure, files)
        if "multiple" in addendum.rows[procedure]:
            yield _indicators(addendum, "asc", ASC_PAGE, procedure, files)
    elif addendum.name == "BB":
        yield _drugs(addendum, files)
        marked = [code for code, row in addendum.rows.items() if row["mark"] == _NOPAIN_MARK]
        yield _nopain(addendum, "asc", ASC_PAGE, marked, files)
    else:
        yield _fee(addendum, "hospital_outpatient", "OPPS payment files, Addendum B", OPPS_PAGE, procedure, files)
        yield _indicators(addendum, "hospital_outpatient", OPPS_PAGE, procedure, files)
        yield _operations(addendum, files)
        status = [code for code, row in addendum.rows.items() if row["status"] in _NOPAIN_STATUS]
        yield _nopain(addendum, "hospital_outpatient", OPPS_PAGE, status, files)


def _fee(addendum: Addendum, place: str, title: str, url: str, procedure: str, files: Sequence[File]) -> Edition:
    row = addendum.rows.get(procedure)
    if row is None:
        raise Fault(0, f"no row is for {procedure}: the file is cut short, or of another table")
    money = _MONEY.fullmatch(row["amount"])
    if money is None:
        raise Fault(0, f"expected a payment rate for {procedure}, such as $721.17")
    amount = money[0].lstrip("$").replace(",", "")
    return Edition(
        table="fee_schedule",
        title=title,
        release=addendum.release,
        url=url,
        files=tuple(files),
        speaks={place: addendum.period()},
        rows=((place, procedure, amount, "", ""),),
    )


def _indicators(addendum: Addendum, schedule: str, url: str, procedure: str, files: Sequence[File]) -> Edition:
    row = addendum.rows[procedure]
    status = row["indicator"] if "indicator" in row else row["status"]
    return Edition(
        table="payment_indicators",
        title=f"How a procedure is paid, Addendum {addendum.name}",
        release=addendum.release,
        url=url,
        files=tuple(files),
        speaks={schedule: addendum.period()},
        rows=((schedule, procedure, status, row.get("multiple", ""), "", "", ""),),
    )


def _drugs(addendum: Addendum, files: Sequence[File]) -> Edition:
    rows = ((code, row["indicator"], "", "") for code, row in sorted(addendum.rows.items()) if code[0] in "CJQ")
    return Edition(
        table="asc_drugs",
        title="ASC payment files, Addendum BB, drugs and devices",
        release=addendum.release,
        url=ASC_PAGE,
        files=tuple(files),
        speaks={"": addendum.period()},
        rows=tuple(rows),
    )


def _nopain(addendum: Addendum, setting: str, url: str, codes: Iterable[str], files: Sequence[File]) -> Edition:
    return Edition(
        table="nopain",
        title=f"Non-opioid items that are paid apart, Addendum {addendum.name}",
        release=addendum.release,
        url=url,
        files=tuple(files),
        speaks={setting: addendum.period()},
        rows=tuple((setting, code, "", "") for code in sorted(codes)),
    )


def _operations(addendum: Addendum, files: Sequence[File]) -> Edition:
    codes = (code for code, row in sorted(addendum.rows.items()) if row["status"] == _COMPREHENSIVE)
    return Edition(
        table="packaging_operations",
        title="OPPS payment files, Addendum B, operations with a comprehensive payment",
        release=addendum.release,
        url=OPPS_PAGE,
        files=tuple(files),
        speaks={"": addendum.period()},
        rows=tuple((code, "", "") for code in codes),
    )


def _records(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    """The records, separated by what separates those of the header."""
    held: list[str] = []
    rest = iter(lines)
    for _, line in rest:
        held.append(line)
        if line.lstrip('"').upper().startswith("HCPCS"):
            break
        if len(held) > _PREAMBLE:
            raise Fault(1, "expected a header that begins with HCPCS Code within the first lines")
    mark = "\t" if held and "\t" in held[-1] else ","
    reader = csv.reader(_text(held, rest), delimiter=mark, strict=True)
    try:
        for record in reader:
            yield reader.line_num, record
    except csv.Error as error:
        raise Fault(reader.line_num, f"is no table ({error}): the file is cut short or damaged; get it again") from None


def _text(held: list[str], rest: Iterator[tuple[int, str]]) -> Iterator[str]:
    yield from held
    yield from (line for _, line in rest)


def _header(name: str, records: Iterator[tuple[int, list[str]]]) -> tuple[Mapping[str, int], date | None]:
    """The places of the wanted columns, and the quarter, where a heading names it."""
    for number, record in records:
        if not record or not record[0].strip().upper().startswith("HCPCS"):
            continue
        headings = [worded(cell).lower() for cell in record]
        quarters = {match[0] for heading in headings if (match := _QUARTER.match(heading) or _YEAR.match(heading))}
        plain = [_YEAR.sub("", _QUARTER.sub("", heading)).strip() for heading in headings]
        if missing := [title for title in _COLUMNS[name].values() if title not in plain]:
            raise Fault(number, f"expected a header with {', '.join(repr(title) for title in missing)}")
        if len(quarters) > 1:
            raise Fault(number, f"expected a header of one quarter, found {' and '.join(sorted(quarters))}")
        wanted = {what: title for what, title in _IF_THERE.get(name, {}).items() if title in plain}
        places = {what: plain.index(title) for what, title in (_COLUMNS[name] | wanted).items()}
        return places, _quarter_of(quarters.pop()) if quarters else None
    raise Fault(1, "expected a header that begins with HCPCS Code: the file is cut short")


def _quarter_of(text: str) -> date | None:
    """The first day of the quarter that a text names; of the year, where it names a final rule."""
    if found := _QUARTER.search(text):
        month, year = (found[1], found[2]) if found[1] else (found[4], found[3])
        return date(int(year), _MONTHS[month[:3].lower()], 1)
    rule = _YEAR.search(text)
    return date(int(rule[1] or rule[2]), 1, 1) if rule else None
