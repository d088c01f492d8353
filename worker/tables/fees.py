"""The relative value file of the Medicare physician fee schedule (PPRRVU), as CSV, of 2025 (31 columns) and later (32).

Nine lines of preamble and captions, a header whose names repeat, so that columns are found by position, then one
row a code and modifier. An amount is the sum of the relative values for work, practice and malpractice, each by the
cost index of the locality, times the conversion factor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

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
_MODIFIER, _WORK, _MALPRACTICE, _FACTOR = 1, 5, 10, -7
_PLACES = {"nonfacility": (6, 7, 11), "facility": (8, 9, 12)}
"""Of each place: the value for practice, its `NA`, and the total."""
_INDICATORS = (3, 18, 19)
"""Status, multiple procedures, both sides."""
_PARTICIPANTS = re.compile(r"(?<!non)(?<!non[ _-])qpp?(?![a-z])", re.IGNORECASE)
_PLAIN = re.compile(r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
_PREAMBLE = 20


@dataclass(frozen=True, slots=True)
class FeeFile:
    """What is read of one."""

    starts: date
    release: str
    factor: Decimal
    values: Mapping[str, tuple[str, ...]]
    """Of each place: the values for work, practice and malpractice."""
    indicators: tuple[str, str, str]
    """Status, and indicators of multiple procedures and of both sides."""
    files: tuple[File, ...]

    def values_edition(self, procedure: str) -> Edition:
        """The relative values of the procedure, with the conversion factor."""
        return self._edition(
            "relative_values",
            "Medicare physician fee schedule, relative value file",
            f"{self.release}, conversion factor {self.factor}",
            tuple(self.values),
            [(place, procedure, *self.values[place], str(self.factor)) for place in sorted(self.values)],
        )

    def indicators_edition(self, procedure: str) -> Edition:
        """How the procedure is paid beside others, and for both sides."""
        title = "Medicare physician fee schedule, payment indicators"
        rows = [("physician", procedure, *self.indicators)]
        return self._edition("payment_indicators", title, self.release, ("physician",), rows)

    def factor_edition(self) -> Edition:
        """Its conversion factor, as that of qualifying participants."""
        title = "Medicare physician fee schedule, conversion factor of qualifying participants"
        rows = [("qualifying", str(self.factor))]
        return self._edition("conversion_factors", title, f"{self.release}, {self.factor}", ("",), rows)

    def _edition(
        self, table: str, title: str, release: str, parts: Sequence[str], rows: Iterable[tuple[str, ...]]
    ) -> Edition:
        period = Period.model_validate({"from": self.starts, "to": date(self.starts.year, 12, 31)})
        return Edition(
            table=table,
            title=title,
            release=release,
            url="https://www.cms.gov/medicare/payment/fee-schedules/physician/pfs-relative-value-files",
            files=self.files,
            speaks=dict.fromkeys(sorted(parts), period),
            rows=tuple((*row, "", "") for row in rows),
        )


def is_of_participants(name: str) -> bool:
    """Whether a file says by its name that it is for qualifying participants of an advanced payment model."""
    return _PARTICIPANTS.search(name) is not None


def read_fees(records: Iterable[tuple[int, list[str]]], procedure: str, files: Sequence[File]) -> FeeFile:
    """The row of the procedure.

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
            found, values, factor = record, *_values(number, record)
    if found is None:
        raise Fault(0, f"no row is for {procedure}: the file is cut short, or of another table")
    status, multiple, bilateral = (found[place].strip() for place in _INDICATORS)
    return FeeFile(
        starts=date(year, _MONTHS[month], 1),
        release=f"{year} {month}",
        factor=factor,
        values=values,
        indicators=(status, multiple, bilateral),
        files=tuple(files),
    )


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


def _values(number: int, record: list[str]) -> tuple[dict[str, tuple[str, ...]], Decimal]:
    """Of each place: the values for work, practice and malpractice; beside `NA` stands the value of the other place."""
    try:
        work, malpractice, factor = (_number(record[place]) for place in (_WORK, _MALPRACTICE, _FACTOR))
        own = {
            place: (work, _number(record[practice]), malpractice, _number(record[total]))
            for place, (practice, none, total) in _PLACES.items()
            if record[none].strip() != "NA"
        }
    except InvalidOperation:
        raise Fault(number, "expected numbers as relative values, totals and conversion factor") from None
    for place, (*parts, total) in own.items():
        if sum(parts, Decimal(0)) != total:
            raise Fault(number, f"expected a {place} total of {sum(parts, Decimal(0))}, the sum of its values")
    return {place: tuple(map(str, parts)) for place, (*parts, _) in own.items()}, factor


def _number(text: str) -> Decimal:
    """A number as the file writes it; one with an exponent would break the product of two."""
    if not _PLAIN.fullmatch(text.strip()):
        raise InvalidOperation
    return Decimal(text)
