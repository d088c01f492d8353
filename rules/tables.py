"""Dated tables: code sets, code pairs and unit limits, one CSV file each, loaded once and looked up by date.

A table's columns are its key, its values, then `from`, `to` and `source`. `from` and `to` are dates of service,
inclusive; an empty `to` means still in force. `source` is an id of sources.yaml.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from rules.errors import RuleProblem

FOREVER = date.max
_DATED = ("from", "to", "source")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a table is keyed by and what it answers."""

    keys: tuple[str, ...]
    values: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *self.values, *_DATED)


SPECS: Mapping[str, Spec] = {
    "authorizations": Spec(("payer", "plan")),
    "block_reasons": Spec(("group",)),
    "deleted_drugs": Spec(("code",)),
    "diagnosis_headers": Spec(("code",)),
    "drug_packages": Spec(("ndc",), ("package",)),
    "excludes1": Spec(("group1", "group2")),
    "bundled_supplies": Spec(("code",)),
    "contractors": Spec(("state",), ("contractor",)),
    "diagnosis_kinds": Spec(("code",), ("kind",)),
    "imaging_guidance": Spec(("code",)),
    "laterality": Spec(("code",), ("side",)),
    "local_anesthetics": Spec(("code",)),
    "modifiers_ncci": Spec(("code",), ("family",)),
    "mue": Spec(("table", "code"), ("units", "adjudication")),
    "ncci_ptp": Spec(("table", "column1", "column2"), ("indicator",)),
    "needle_procedures": Spec(("code",)),
    "places_of_service": Spec(("code",)),
    "visits": Spec(("code",), ("setting",)),
}
"""Every table that a fact or a rule may ask for. A file without a row here, and a row without a file, is an error."""

Row = tuple[str, ...]
Key = tuple[str, ...]
Span = tuple[date, date, Row]


@dataclass(frozen=True, slots=True)
class Table:
    """One loaded table."""

    name: str
    spans: Mapping[Key, tuple[Span, ...]]
    starts: date
    """The first date that any row covers."""

    def find(self, key: Key, on: date) -> Row | None:
        """The values of the row for this key on this date of service, or None."""
        for start, end, values in self.spans.get(key, ()):
            if start <= on <= end:
                return values
        return None

    def __len__(self) -> int:
        return sum(map(len, self.spans.values()))


def read_table(name: str, file: str, text: str, sources: Mapping[str, object]) -> tuple[Table, list[RuleProblem]]:
    """The table in a CSV text, and everything that is wrong with it. A faulty row is left out of the table."""
    spec = SPECS[name]
    problems: list[RuleProblem] = []
    spans: dict[Key, list[Span]] = {}

    def wrong(line: int, column: int, sentence: str) -> None:
        problems.append(RuleProblem(file, line, column + 1, name, sentence))

    for line, row in _rows(text):
        if line == 1:
            if tuple(row) != spec.columns:
                wrong(1, 0, f"expected the header {','.join(spec.columns)}")
                break
            continue
        if len(row) != len(spec.columns):
            wrong(line, 0, f"expected {len(spec.columns)} fields, found {len(row)}")
            continue
        start, end = _day(row[-3]), _day(row[-2]) if row[-2] else FOREVER
        if start is None or end is None:
            wrong(line, 0, "expected dates as YYYY-MM-DD in `from` and, where not empty, in `to`")
            continue
        if end < start:
            wrong(line, 0, "`to` is before `from`")
        if row[-1] not in sources:
            wrong(line, 0, f"source {row[-1]!r} is not in sources.yaml")
        key, values = tuple(row[: len(spec.keys)]), tuple(row[len(spec.keys) : -3])
        if any(s <= end and start <= e for s, e, _ in spans.get(key, ())):
            wrong(line, 0, f"the period of {'/'.join(key)} overlaps an earlier row")
        spans.setdefault(key, []).append((start, end, values))
    starts = min((span[0] for rows in spans.values() for span in rows), default=FOREVER)
    return Table(name, {key: tuple(rows) for key, rows in spans.items()}, starts), problems


def table_of(name: str, rows: Collection[Row]) -> Table:
    """A table of these rows, keys and values each, all in force on every date; raises ValueError on a wrong width."""
    spec = SPECS[name]
    width, count = len(spec.keys), len(spec.keys) + len(spec.values)
    if any(len(row) != count for row in rows):
        raise ValueError(f"expected {count} fields a row: {','.join((*spec.keys, *spec.values))}")
    return Table(name, {row[:width]: ((date.min, FOREVER, row[width:]),) for row in rows}, date.min)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    for row in reader:
        if row:
            yield reader.line_num, row


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
