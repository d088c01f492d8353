"""Dated tables: code sets, code pairs and unit limits, one CSV file each, loaded once and looked up by date.

A table's columns are its key, its values, then `from`, `to` and `source`. `from` and `to` are dates of service,
inclusive; an empty `to` means still in force. `source` is an id of sources.yaml. An edition of the official file that
the hospital imported (`rules.tables.editions`) takes the place of the shipped rows on its dates.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from rules.errors import RuleProblem
from rules.tables.edition import Edition

FOREVER = date.max
Row = tuple[str, ...]
Key = tuple[str, ...]
Span = tuple[date, date, Row]
_DATED = ("from", "to", "source")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a table is keyed by and what it answers."""

    keys: tuple[str, ...]
    values: tuple[str, ...] = ()
    in_parts: bool = False
    """Whether the first key says of which part a row is; an edition speaks for some parts of the table alone."""

    def part(self, key: Key) -> str:
        """The part of the table that a key belongs to; empty where the table is one whole."""
        return key[0] if self.in_parts else ""

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
    "code_groups": Spec(("group", "code")),
    "contractors": Spec(("state",), ("contractor",)),
    "covered_diagnoses": Spec(("area", "code"), ("articles",), in_parts=True),
    "diagnosis_kinds": Spec(("code",), ("kind",)),
    "fee_schedule": Spec(("place", "code"), ("amount",), in_parts=True),
    "imaging_guidance": Spec(("code",)),
    "laterality": Spec(("code",), ("side",)),
    "local_anesthetics": Spec(("code",)),
    "modifiers": Spec(("code",)),
    "modifiers_ncci": Spec(("code",), ("family",)),
    "mue": Spec(("table", "code"), ("units", "adjudication"), in_parts=True),
    "ncci_ptp": Spec(("table", "column1", "column2"), ("indicator",), in_parts=True),
    "needle_procedures": Spec(("code",)),
    "places_of_service": Spec(("code",)),
    "visits": Spec(("code",), ("setting",)),
}
"""Every table that a fact or a rule may ask for. A file without a row here, and a row without a file, is an error."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One loaded table; no two are equal, so that what was looked up in one can be kept by it."""

    name: str
    spans: Mapping[Key, tuple[Span, ...]]
    starts: Mapping[str, date]
    """The first date that a shipped row of each part covers."""
    reigns: Mapping[str, tuple[tuple[date, date, Edition], ...]] = field(default_factory=dict)
    """The imported editions of each part, each from its first to its last date."""
    words: frozenset[str] = field(init=False, repr=False, compare=False)
    """Everything that is in a key."""
    change_days: tuple[date, ...] = field(init=False, repr=False, compare=False)
    """The days, in order, on which a row begins or is over."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", frozenset(word for key in self.spans for word in key))
        spans = [span for rows in self.spans.values() for span in rows]
        over = {end + timedelta(days=1) for _, end, _ in spans if end < FOREVER}
        object.__setattr__(self, "change_days", tuple(sorted(over.union(start for start, _, _ in spans))))

    def find(self, key: Key, on: date) -> Row | None:
        """The values of the row for this key on this date of service, or None."""
        for start, end, values in self.spans.get(key, ()):
            if start <= on <= end:
                return values
        return None

    def unchanged_since(self, on: date) -> date:
        """The last day up to this one on which a row began or was over."""
        changes = bisect_right(self.change_days, on)
        return self.change_days[changes - 1] if changes else date.min

    def edition(self, part: str, on: date) -> Edition | None:
        """The imported edition that speaks for a part of the table on this date of service, or None."""
        for start, end, edition in self.reigns.get(part, ()):
            if start <= on <= end:
                return edition
        return None

    def covers(self, part: str, on: date) -> bool:
        """Whether an imported edition, or the shipped rows, speak for a part of the table on this date."""
        return self.starts.get(part, FOREVER) <= on or self.edition(part, on) is not None

    def __len__(self) -> int:
        return sum(map(len, self.spans.values()))


Tables = Mapping[str, Table]
"""The tables of a book, by name."""


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
    starts: dict[str, date] = {}
    for key, rows in spans.items():
        part = spec.part(key)
        starts[part] = min(starts.get(part, FOREVER), *(start for start, _, _ in rows))
    return Table(name, {key: tuple(rows) for key, rows in spans.items()}, starts), problems


def empty_table(name: str) -> Table:
    """A table without a row, of which nothing is known."""
    return Table(name, {}, {})


def joined(one: Table, other: Table) -> Table:
    """The rows of both."""
    spans = {**one.spans, **{key: (*one.spans.get(key, ()), *rows) for key, rows in other.spans.items()}}
    starts = {**one.starts, **{part: min(day, one.starts.get(part, FOREVER)) for part, day in other.starts.items()}}
    return Table(one.name, spans, starts, one.reigns)


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
