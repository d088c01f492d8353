"""The NCCI tables of CMS: what the names of their files say, and the medically unlikely edits (MUE), every row.

The files do not say of which table, quarter and part they are; their names do (ccipra-v322r0-f1.txt: practitioner,
version 32.2, which is the third quarter of 2026, first of four). The pairs themselves are in `pairs`.
Layout of the units: CSV, Latin-1; a notice of several lines in one field, a header, then code, units, adjudication
indicator with its words, rationale. The first date is in the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from rules.tables.edition import Edition, File, Packed, Period
from rules.tables.packedrows import ENDLESS, LAYOUTS, packed_rows
from worker.tables.files import Fault, day_of, worded

PAGES = "https://www.cms.gov/medicare/coding-billing/national-correct-coding-initiative-ncci-edits"
SETTINGS = {"pra": "practitioner", "oph": "outpatient_hospital"}
TITLES = {"practitioner": "practitioner services", "outpatient_hospital": "outpatient hospital services"}
_UNITS_HEADER = re.compile(
    r"HCPCS/ ?CPT Code\|(?P<setting>.+) Services MUE Values\|MUE Adjudication Indicator\|MUE Rationale"
)
_UNITS_SETTINGS = {"Practitioner": "practitioner", "Outpatient Hospital": "outpatient_hospital"}
_NAME = re.compile(r"cci(pra|oph)-v(\d\d)(\d)r(\d+)-f(\d+)\.", re.IGNORECASE)
_EFFECTIVE = re.compile(r"Eff[_-](\d\d)-(\d\d)-(\d{4})", re.IGNORECASE)
_VERSION_ZERO = 1994
"""Version 32 is of 2026."""
PREAMBLE = 20
_CODE = re.compile(r"[0-9A-Z]{5}")


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


def units_edition(
    name: str, records: Iterable[tuple[int, list[str]]], procedure: str, files: Sequence[File]
) -> Edition:
    """The medically unlikely edits. Without a row for the procedure the file is none.

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
    layout = LAYOUTS["mue"]
    ordered = sorted((layout.key((code,)), layout.number(values)) for code, *values in limits.values())
    content = packed_rows("mue", (key for key, _ in ordered), [ENDLESS] * len(ordered), (value for _, value in ordered))
    return Edition(
        form=2,
        table="mue",
        title=f"Medicare NCCI medically unlikely edits, {TITLES[setting]}",
        release=quarter(starts),
        url=f"{PAGES}/medicare-ncci-medically-unlikely-edits-mues",
        files=tuple(files),
        speaks={setting: Period.model_validate({"from": starts})},
        rows=(),
        packed=Packed(sha256=content.sha256, rows=len(content)),
    ).holding(content)


def _units_setting(rows: Iterable[tuple[int, list[str]]]) -> str:
    for number, record in rows:
        header = _UNITS_HEADER.fullmatch("|".join(map(worded, record)))
        if header and header["setting"] in _UNITS_SETTINGS:
            return _UNITS_SETTINGS[header["setting"]]
        if header:
            raise Fault(number, f"no rule reads the table of {header['setting']} services; expected practitioner or "
                        "outpatient hospital services")  # fmt: skip
        if number > PREAMBLE:
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
