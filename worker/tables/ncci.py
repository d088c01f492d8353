"""The NCCI tables of CMS: procedure-to-procedure edits (four text files a quarter) and medically unlikely edits.

Layout of the pairs: tab separated, Latin-1; the AMA's notice, a title, a header wrapped over one to four lines, then
column 1, column 2, `*` or nothing, effective date, deletion date (inclusive) or `*`, modifier indicator, rationale.
The files do not say of which table, quarter and part they are; their names do (ccipra-v322r0-f1.txt: practitioner,
version 32.2, which is the third quarter of 2026, first of four).
Layout of the units: CSV, Latin-1; a notice of several lines in one field, a header, then code, units, adjudication
indicator with its words, rationale. The first date is in the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault, Lines, day_of, worded

PAGES = "https://www.cms.gov/medicare/coding-billing/national-correct-coding-initiative-ncci-edits"
PARTS = ("1", "2", "3", "4")
SETTINGS = {"pra": "practitioner", "oph": "outpatient_hospital"}
TITLES = {"practitioner": "practitioner services", "outpatient_hospital": "outpatient hospital services"}
_PAIRS_HEADER = (
    "Column 1", "Column 2", "*=in existence prior to 1996", "Effective Date", "Deletion Date *=no data",
    "Modifier 0=not allowed 1=allowed 9=not applicable", "PTP Edit Rationale",
)  # fmt: skip
_UNITS_HEADER = re.compile(
    r"HCPCS/ ?CPT Code\|(?P<setting>.+) Services MUE Values\|MUE Adjudication Indicator\|MUE Rationale"
)
_UNITS_SETTINGS = {"Practitioner": "practitioner", "Outpatient Hospital": "outpatient_hospital"}
_NAME = re.compile(r"cci(pra|oph)-v(\d\d)(\d)r(\d+)-f(\d+)\.", re.IGNORECASE)
_EFFECTIVE = re.compile(r"Eff[_-](\d\d)-(\d\d)-(\d{4})", re.IGNORECASE)
_VERSION_ZERO = 1994
"""Version 32 is of 2026."""
_PREAMBLE = 20
_CODE = re.compile(r"[0-9A-Z]{5}")
_NEVER = "9"
"""Indicator of pairs that were deleted on the day on which they took effect: they never held."""


@dataclass(frozen=True, slots=True)
class QuarterFile:
    """Which of the files of a quarter's pairs a file is."""

    setting: str
    version: str
    starts: date
    number: str

    @property
    def release(self) -> str:
        return f"{quarter(self.starts)}, {self.version}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One row with the procedure in a column, and its line in the file."""

    line: int
    column1: str
    column2: str
    indicator: str
    start: date
    end: date | None

    def row(self, setting: str) -> tuple[str, ...]:
        end = self.end.isoformat() if self.end else ""
        return (setting, self.column1, self.column2, self.indicator, self.start.isoformat(), end)


def quarter(day: date) -> str:
    """`2026 Q3`."""
    return f"{day.year} Q{(day.month + 2) // 3}"


def part_of(name: str) -> QuarterFile:
    """What the name of a file of pairs says.

    Raises:
        Fault: it is not a name under which CMS publishes them.
    """
    found = _NAME.search(name)
    if not found or int(found[3]) > 3:
        raise Fault(
            1, "these are NCCI pairs, but only the name says of which table, quarter and part; "
            "expected the name that CMS gave it, such as ccipra-v322r0-f1.txt"
        )  # fmt: skip
    starts = date(_VERSION_ZERO + int(found[2]), 1 + 3 * int(found[3]), 1)
    return QuarterFile(SETTINGS[found[1].lower()], f"v{found[2]}{found[3]}r{found[4]}", starts, found[5])


def pairs_in(lines: Lines, procedure: str) -> list[Pair]:
    """The rows of one file that name the procedure. Every row is looked at, for a file that is cut or mixed up.

    Raises:
        Fault
    """
    rows = iter(lines)
    number, line = _after_header(rows)
    found: list[Pair] = []
    while line:
        if line.count("\t") != len(_PAIRS_HEADER) - 1:
            if line.strip():
                raise Fault(number, f"expected 7 fields with tabs between, found {line.count(chr(9)) + 1}")
        elif procedure in line and (pair := _pair(number, line, procedure)):
            found.append(pair)
        number, line = next(rows, (number, ""))
    return found


def _after_header(rows: Iterable[tuple[int, str]]) -> tuple[int, str]:
    """The first line of data, behind the header that may be wrapped."""
    header: list[str] = []
    for number, line in rows:
        cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
        if not header and cells[0] != _PAIRS_HEADER[0]:
            if number > _PREAMBLE:
                break
            continue
        if header and cells[0]:
            if [worded(text) for text in header] != list(_PAIRS_HEADER):
                raise Fault(number - 1, f"expected the header {', '.join(_PAIRS_HEADER)}; found {', '.join(header)}")
            return number, line
        width = max(len(header), len(cells))
        padded = [[*texts, *[""] * (width - len(texts))] for texts in (header, cells)]
        header = [f"{above} {cell}".strip() for above, cell in zip(*padded, strict=True)]
    raise Fault(1, "expected a header that begins with `Column 1` and rows behind it: the file is cut short")


def _pair(number: int, line: str, procedure: str) -> Pair | None:
    column1, column2, _, starts, ends, indicator, _ = (cell.strip() for cell in line.split("\t"))
    if procedure not in (column1, column2):
        return None
    if not (_CODE.fullmatch(column1) and _CODE.fullmatch(column2)):
        raise Fault(number, f"expected two codes of 5 characters, found {column1!r} and {column2!r}")
    if indicator not in ("0", "1", _NEVER):
        raise Fault(number, f"expected modifier indicator 0, 1 or 9, found {indicator!r}")
    start, end = day_of(starts), None if ends == "*" else day_of(ends)
    if start is None or (end is None and ends != "*"):
        raise Fault(number, "expected an effective date as YYYYMMDD and a deletion date, or * for none")
    if end and end < start:
        raise Fault(number, "the deletion date is before the effective date")
    return None if indicator == _NEVER else Pair(number, column1, column2, indicator, start, end)


def missing_parts(parts: Sequence[QuarterFile]) -> list[str]:
    """The files of the quarter that were not handed over: without them a pair could be missed."""
    return [number for number in PARTS if number not in {part.number for part in parts}]


def refuse_overlap(pairs: Iterable[Pair], seen: dict[tuple[str, str], list[Pair]]) -> None:
    """Adds the rows of a file to those of earlier files.

    Raises:
        Fault: two rows of one pair hold on one day.
    """
    for pair in pairs:
        earlier = seen.setdefault((pair.column1, pair.column2), [])
        if any(_meet(pair, other) for other in earlier):
            raise Fault(pair.line, f"the period of {pair.column1}/{pair.column2} overlaps that of an earlier row")
        earlier.append(pair)


def _meet(one: Pair, other: Pair) -> bool:
    return one.start <= (other.end or date.max) and other.start <= (one.end or date.max)


def pairs_edition(part: QuarterFile, pairs: Sequence[Pair], procedure: str, files: Sequence[File]) -> Edition:
    """The pairs of a quarter, from all its files.

    Raises:
        Fault: rows that must be there are not.
    """
    for column, codes in (("1", {p.column1 for p in pairs}), ("2", {p.column2 for p in pairs})):
        if procedure not in codes:
            raise Fault(0, f"no row has {procedure} in column {column}: the file is cut short, or of another table")
    last = part.starts + timedelta(days=91)
    if late := next((pair for pair in pairs if pair.start > last), None):
        raise Fault(late.line, f"takes effect on {late.start}, after the quarter that the name says ({part.release})")
    return Edition(
        table="ncci_ptp",
        title=f"Medicare NCCI procedure-to-procedure edits, {TITLES[part.setting]}",
        release=part.release,
        url=f"{PAGES}/medicare-ncci-procedure-procedure-ptp-edits",
        files=tuple(files),
        speaks={part.setting: Period.model_validate({"from": part.starts})},
        reaches_back=True,
        rows=tuple(sorted(pair.row(part.setting) for pair in pairs)),
    )


def units_edition(
    name: str, records: Iterable[tuple[int, list[str]]], procedure: str, files: Sequence[File]
) -> Edition:
    """The medically unlikely edits of the procedure and of drugs (J codes).

    Raises:
        Fault
    """
    found = _EFFECTIVE.search(name)
    starts = day_of(f"{found[3]}{found[1]}{found[2]}") if found else None
    if starts is None:
        raise Fault(
            1, "these are medically unlikely edits, but only the name says from when on; expected the name that CMS "
            "gave it, such as MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"
        )  # fmt: skip
    rows = iter(records)
    setting = _units_setting(rows)
    limits: dict[str, tuple[str, ...]] = {}
    for number, record in rows:
        if not any(record):
            continue
        limit = _limit(number, record)
        if limit[0] in limits:
            raise Fault(number, f"{limit[0]} is there twice: the periods overlap")
        limits[limit[0]] = limit
    if procedure not in limits:
        raise Fault(0, f"no row is for {procedure}: the file is cut short, or of another table")
    return Edition(
        table="mue",
        title=f"Medicare NCCI medically unlikely edits, {TITLES[setting]}",
        release=quarter(starts),
        url=f"{PAGES}/medicare-ncci-medically-unlikely-edits-mues",
        files=tuple(files),
        speaks={setting: Period.model_validate({"from": starts})},
        rows=tuple(
            (setting, *limit, "", "") for code, limit in sorted(limits.items()) if code == procedure or code[0] == "J"
        ),
    )


def _units_setting(rows: Iterable[tuple[int, list[str]]]) -> str:
    for number, record in rows:
        header = _UNITS_HEADER.fullmatch("|".join(map(worded, record)))
        if header and header["setting"] in _UNITS_SETTINGS:
            return _UNITS_SETTINGS[header["setting"]]
        if header:
            raise Fault(number, f"no rule reads the table of {header['setting']} services; expected practitioner or "
                        "outpatient hospital services")  # fmt: skip
        if number > _PREAMBLE:
            break
    raise Fault(1, "expected a header: HCPCS/CPT Code, Practitioner (or Outpatient Hospital) Services MUE Values, "
                "MUE Adjudication Indicator, MUE Rationale")  # fmt: skip


def _limit(number: int, record: list[str]) -> tuple[str, str, str]:
    if len(record) != 4:
        raise Fault(number, f"expected 4 fields, found {len(record)}")
    code, units, adjudication = (cell.strip() for cell in record[:3])
    if not _CODE.fullmatch(code) or not units.isdigit() or adjudication[:1] not in ("1", "2", "3"):
        raise Fault(number, "expected a code of 5 characters, whole units, and an adjudication indicator from 1 to 3")
    return code, units, adjudication[0]
