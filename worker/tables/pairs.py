"""The procedure-to-procedure edits of CMS, four text files a quarter: every row, packed.

Layout: tab separated, Latin-1; the AMA's notice, a title, a header wrapped over one to four lines, then column 1,
column 2, `*` or nothing, effective date, deletion date (inclusive) or `*`, modifier indicator, rationale. A quarter has
2.6 million rows for practitioners. While they are gathered, a row is one number: sorted, they are the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from rules.tables.edition import Edition, File, Packed, Period
from rules.tables.packedrows import (
    CODE_BITS,
    DAY_BITS,
    LAYOUTS,
    day_number,
    day_of_number,
    number_of,
    packed_rows,
)
from worker.tables.files import Fault, Lines, day_of, worded
from worker.tables.ncci import PAGES, PREAMBLE, TITLES, QuarterFile

PARTS = ("1", "2", "3", "4")
_HEADER = (
    "Column 1", "Column 2", "*=in existence prior to 1996", "Effective Date", "Deletion Date *=no data",
    "Modifier 0=not allowed 1=allowed 9=not applicable", "PTP Edit Rationale",
)  # fmt: skip
_INDICATORS = {"0": 0, "1": 1, "9": 9}
_NEVER = _INDICATORS["9"]
"""Of pairs that were deleted on the day on which they took effect: they never held."""
_LINE_BITS, _FILE_BITS, _VALUE_BITS = 32, 3, 4
_VALUE_AT = _FILE_BITS + _LINE_BITS
_END_AT = _VALUE_AT + _VALUE_BITS
_START_AT = _END_AT + DAY_BITS
_COLUMN2_AT = _START_AT + DAY_BITS
_COLUMN1_AT = _COLUMN2_AT + CODE_BITS
_MASK = {bits: (1 << bits) - 1 for bits in (_LINE_BITS, _FILE_BITS, _VALUE_BITS, DAY_BITS, 2 * CODE_BITS)}


class Row(NamedTuple):
    """What a row's number says."""

    key: int
    start: int
    end: int
    value: int
    file: int
    """Of the four, from 0."""
    line: int

    @classmethod
    def of(cls, number: int) -> Row:
        """The row of a number."""
        return cls(
            number >> _COLUMN2_AT,
            number >> _START_AT & _MASK[DAY_BITS],
            number >> _END_AT & _MASK[DAY_BITS],
            number >> _VALUE_AT & _MASK[_VALUE_BITS],
            number >> _LINE_BITS & _MASK[_FILE_BITS],
            number & _MASK[_LINE_BITS],
        )


@dataclass
class PairRows:
    """The rows of a quarter while they are gathered from its files."""

    part: QuarterFile
    numbers: list[int] = field(default_factory=list)
    _codes: dict[str, int] = field(default_factory=dict)
    _days: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._last = day_number(self.part.starts + timedelta(days=91))

    def read(self, file: int, lines: Lines) -> None:
        """Adds the rows of one file.

        Raises:
            Fault
        """
        rows = iter(lines)
        number, line = _after_header(rows)
        while line:
            cells = line.split("\t")
            if len(cells) == len(_HEADER):
                self.numbers.append(self._number(cells, number) | file << _LINE_BITS | number)
            elif line.strip():
                raise Fault(number, f"expected {len(_HEADER)} fields with tabs between, found {len(cells)}")
            number, line = next(rows, (number, ""))

    def _number(self, cells: list[str], line: int) -> int:
        column1, column2, _, starts, ends, indicator, _ = cells
        try:
            first, second = self._codes[column1], self._codes[column2]
            start, end = self._days[starts], self._days[ends]
            value = _INDICATORS[indicator]
        except KeyError:
            first, second, start, end, value = self._learned([cell.strip() for cell in cells], cells, line)
        if end < start:
            raise Fault(line, "the deletion date is before the effective date")
        if start > self._last and value != _NEVER:
            sentence = f"takes effect on {day_of_number(start)}, after the quarter that the name says"
            raise Fault(line, f"{sentence} ({self.part.release})")
        return first << _COLUMN1_AT | second << _COLUMN2_AT | start << _START_AT | end << _END_AT | value << _VALUE_AT

    def _learned(self, said: list[str], written: list[str], line: int) -> tuple[int, int, int, int, int]:
        """The numbers of a row whose words are new, which are remembered as they were written."""
        column1, column2, _, starts, ends, indicator, _ = said
        try:
            first, second = number_of(column1), number_of(column2)
        except ValueError:
            raise Fault(line, f"expected two codes of 5 characters, found {column1!r} and {column2!r}") from None
        if indicator not in _INDICATORS:
            raise Fault(line, f"expected modifier indicator 0, 1 or 9, found {indicator!r}")
        start, end = day_of(starts), None if ends == "*" else day_of(ends)
        if start is None or (end is None and ends != "*"):
            raise Fault(line, "expected an effective date as YYYYMMDD and a deletion date, or * for none")
        self._codes[written[0]], self._codes[written[1]] = first, second
        self._days[written[3]], self._days[written[4]] = day_number(start), day_number(end)
        return first, second, day_number(start), day_number(end), _INDICATORS[indicator]

    def sort(self) -> None:
        """By pair, then by date.

        Raises:
            Overlap: two rows of one pair say different things of a day.
        """
        self.numbers.sort()
        before = Row(-1, 0, 0, _NEVER, 0, 0)
        for row in map(Row.of, self.numbers):
            if row.value == _NEVER or row.start == row.end:
                continue
            # Of a day on which one row ends and the next begins, the next speaks.
            if row.key == before.key and row.start < before.end and row.value != before.value:
                raise Overlap(max(row, before, key=lambda one: (one.file, one.line)))
            if row.key != before.key or row.end > before.end:
                before = row

    def edition(self, procedure: str, files: Sequence[File]) -> Edition:
        """The pairs of the quarter, from all its files, sorted.

        Raises:
            Fault: rows that must be there are not.
        """
        code, mask = number_of(procedure), (1 << CODE_BITS) - 1
        for column, place in (("1", _COLUMN1_AT), ("2", _COLUMN2_AT)):
            if not any(one >> place & mask == code for one in self.numbers):
                raise Fault(0, f"no row has {procedure} in column {column}: the file is cut short, or of another table")
        span = _MASK[DAY_BITS] << DAY_BITS | _MASK[DAY_BITS]
        rows = packed_rows(
            "ncci_ptp",
            (one >> _COLUMN2_AT for one in self.numbers),
            (one >> _END_AT & span for one in self.numbers),
            (one >> _VALUE_AT & _MASK[_VALUE_BITS] for one in self.numbers),
        )
        return Edition(
            form=2,
            table="ncci_ptp",
            title=f"Medicare NCCI procedure-to-procedure edits, {TITLES[self.part.setting]}",
            release=self.part.release,
            url=f"{PAGES}/medicare-ncci-procedure-procedure-ptp-edits",
            files=tuple(files),
            speaks={self.part.setting: Period.model_validate({"from": self.part.starts})},
            reaches_back=True,
            rows=(),
            packed=Packed(sha256=rows.sha256, rows=len(rows), change_days=tuple(rows.change_days())),
        ).holding(rows)


class Overlap(Exception):
    """Two rows of one pair whose periods overlap and whose indicators differ."""

    def __init__(self, row: Row) -> None:
        self.row = row
        super().__init__("/".join(LAYOUTS["ncci_ptp"].key_codes(row.key)))


def missing_parts(parts: Sequence[QuarterFile]) -> list[str]:
    """The files of the quarter that were not handed over: without them a pair could be missed."""
    return [number for number in PARTS if number not in {part.number for part in parts}]


def _after_header(rows: Iterable[tuple[int, str]]) -> tuple[int, str]:
    """The first line of data, behind the header that may be wrapped."""
    header: list[str] = []
    for number, line in rows:
        cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
        if not header and cells[0] != _HEADER[0]:
            if number > PREAMBLE:
                break
            continue
        if header and cells[0]:
            if [worded(text) for text in header] != list(_HEADER):
                raise Fault(number - 1, f"expected the header {', '.join(_HEADER)}; found {', '.join(header)}")
            return number, line
        width = max(len(header), len(cells))
        padded = [[*texts, *[""] * (width - len(texts))] for texts in (header, cells)]
        header = [f"{above} {cell}".strip() for above, cell in zip(*padded, strict=True)]
    raise Fault(1, "expected a header that begins with `Column 1` and rows behind it: the file is cut short")
