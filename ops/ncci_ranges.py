"""Compiles the ranges of NCCI pairs that ship with the rule book, from the rows of an edition for one procedure.

    python -m ops.ncci_ranges REFERENCE SCHEDULE... > rules/library/procedures/64445/tables/ncci_ranges.csv

REFERENCE is the folder of the reference rows; SCHEDULE are relative value files (PPRRVU), which say what codes there
are. A range goes over neighboring codes of one section that all have the same indicator, or all have no pair. It ends
before a code that is otherwise, before a retired one, and before one that came after the edition: what no row says is
in no range. A run of one or two codes is no range; it is left unknown. The range that the policy manual gives for
anesthesia (chapter II), 00100 to 01990, comes out but for retired codes and 01953.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

PROCEDURE, SOURCE, STARTS = "64445", "cms-ncci-ptp-2024q3", "2024-07-01"
EDITIONS = {
    "practitioner": "ncci_ptp_practitioner_64445_2024Q3.csv",
    "outpatient_hospital": "ncci_ptp_outpatient_64445_2024Q3.csv",
}
LATER = "medicare-2026/ncci_ptp_outpatient_64445_2026Q4.csv"
ACTIVE = "9999-12-31"
SHORTEST = 3
"""Codes of a range."""
NEAR = (("00100", "01999"), ("26990", "29999"), ("62263", "64999"))
"""Sections of which single codes are named, too: anesthesia, the leg, spine and nerves, which the block is given for or
beside."""
SECTIONS = (("10004", "26989"), ("30000", "62262"), ("65091", "69990"), ("70010", "79999"), ("80047", "89398"),
            ("90281", "99499"))  # fmt: skip
NONE = "none"
Status = tuple[str, str]
"""Column of the procedure, and the indicator."""


def statuses(file: Path) -> tuple[dict[str, Status], set[str]]:
    """The active pairs of the procedure by the other code, and the codes of deleted rows."""
    active: dict[str, Status] = {}
    deleted: set[str] = set()
    for row in _rows(file):
        first = row["column1"] == PROCEDURE
        code = row["column2"] if first else row["column1"]
        if row["deletion_date"] == ACTIVE:
            active[code] = ("1" if first else "2", row["modifier_indicator"])
        else:
            deleted.add(code)
    return active, deleted - set(active)


def known_codes(schedules: Iterable[Path]) -> list[set[str]]:
    """The codes of each relative value file."""
    found = []
    for file in schedules:
        with file.open(encoding="latin-1", newline="") as text:
            found.append({row[0] for row in csv.reader(text) if len(row) > 5 and len(row[0]) == 5 and row[0].isalnum()})
    return found


def ranges(active: Mapping[str, Status], existing: set[str], unknown: set[str]) -> Iterator[tuple[str, ...]]:
    """First, last, column, indicator. `unknown`: codes of which the edition says nothing."""
    codes = sorted(code for code in {*active, *existing, *unknown} if code.isdigit() and code != PROCEDURE)
    for first, last in sorted((*NEAR, *SECTIONS)):
        inside = [code for code in codes if first <= code <= last]
        for status, run in groupby(inside, lambda code: _status(code, active, unknown)):
            own = list(run)
            if status and (len(own) >= SHORTEST or (first, last) in NEAR):
                yield (own[0], own[-1], *status)


def _status(code: str, active: Mapping[str, Status], unknown: set[str]) -> Status | None:
    return None if code in unknown else active.get(code, ("", NONE))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def main(reference: Path, schedules: list[Path]) -> None:
    """Writes the table to standard output."""
    existing, *later = known_codes(schedules)
    added = set().union(*later) - existing
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["table", "procedure", "first", "last", "column", "indicator", "from", "to", "source"])
    newest = {code for row in _rows(reference / LATER) for code in (row["column1"], row["column2"])}
    for table, name in EDITIONS.items():
        active, deleted = statuses(reference / name)
        unknown = (deleted - existing | added | newest | {"77002", "77003"}) - set(active)
        for row in ranges(active, existing, unknown):
            out.writerow([table, PROCEDURE, *row, STARTS, "", SOURCE])


if __name__ == "__main__":
    main(Path(sys.argv[1]), list(map(Path, sys.argv[2:])))
