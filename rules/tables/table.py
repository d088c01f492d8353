"""Dated tables: code sets, code pairs and unit limits, one CSV file each, loaded once and looked up by date.

A table's columns are its key, its values, then `from`, `to` and `source`. `from` and `to` are dates of service,
inclusive; an empty `to` means still in force. `source` is an id of sources.yaml. An edition of the official file that
the hospital imported (`rules.tables.editions`) takes the place of the shipped rows on its dates.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from rules.errors import RuleProblem
from rules.tables.edition import Edition
from rules.terms import Cadence

FOREVER = date.max
Row = tuple[str, ...]
Key = tuple[str, ...]
Span = tuple[date, date, Row]
Range = tuple[str, str, str]
"""Where its codes have digits, first and last code."""
Reign = tuple[date, date, Edition]
"""An imported edition, from its first to its last date."""
_DATED = ("from", "to", "source")
_TO_ZERO = str.maketrans("123456789", "000000000")
_LAST = "\uffff"
"""Sorts behind every code."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a table is keyed by and what it answers."""

    keys: tuple[str, ...]
    values: tuple[str, ...] = ()
    in_parts: bool = False
    """Whether the first key says of which part a row is; an edition speaks for some parts of the table alone."""
    ranged: bool = False
    """Whether the last two keys are the first and the last code of a range."""
    cadence: Cadence | None = None
    """How often the official file comes out, and so how long an imported edition of it is sure to be the newest."""

    def part(self, key: Key) -> str:
        """The part of the table that a key belongs to; empty where the table is one whole."""
        return key[0] if self.in_parts else ""

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *self.values, *_DATED)


SPECS: Mapping[str, Spec] = {
    "asc_drugs": Spec(("code",), ("indicator",), cadence="quarterly"),
    "authorizations": Spec(("payer", "plan")),
    "block_reasons": Spec(("group",)),
    "bundled_supplies": Spec(("code",)),
    "chronic_pain": Spec(("group",)),
    "code_groups": Spec(("group", "code")),
    "contractors": Spec(("state",), ("contractor",)),
    "conversion_factors": Spec(("participation",), ("factor",), cadence="yearly"),
    "covered_diagnoses": Spec(("area", "code"), ("articles",), in_parts=True),
    "deleted_drugs": Spec(("code",)),
    "diagnosis_headers": Spec(("code",), cadence="fiscal_yearly"),
    "diagnosis_kinds": Spec(("code",), ("kind",)),
    "drug_packages": Spec(("ndc",), ("package",)),
    "excludes1": Spec(("group1", "group2")),
    "fee_schedule": Spec(("place", "code"), ("amount",), in_parts=True, cadence="yearly"),
    "global_periods": Spec(("first", "last"), ("days",), ranged=True),
    "hcpcs_codes": Spec(("code",), cadence="quarterly"),
    "imaging_guidance": Spec(("code",)),
    "injections": Spec(("code",), ("kind",)),
    "known_modifiers": Spec(("code",)),
    "laterality": Spec(("code",), ("side",)),
    "local_anesthetics": Spec(("code",)),
    "localities": Spec(("state", "locality"), ("work", "practice", "malpractice"), cadence="yearly"),
    "modifiers": Spec(("code",), cadence="quarterly"),
    "modifiers_ncci": Spec(("code",), ("family",)),
    "mue": Spec(("table", "code"), ("units", "adjudication"), in_parts=True, cadence="quarterly"),
    "ncci_ptp": Spec(("table", "column1", "column2"), ("indicator",), in_parts=True, cadence="quarterly"),
    "ncci_ranges": Spec(("table", "procedure", "first", "last"), ("column", "indicator"), in_parts=True, ranged=True),
    "needle_procedures": Spec(("code",)),
    "nopain": Spec(("setting", "code"), in_parts=True, cadence="quarterly"),
    "packaging_operations": Spec(("code",), cadence="quarterly"),
    "payment_areas": Spec(("contractor", "locality"), ("state", "name"), cadence="yearly"),
    "payment_indicators": Spec(("schedule", "code"), ("status", "multiple", "bilateral"), True, cadence="quarterly"),
    "payment_shares": Spec(("schedule", "case"), ("share",)),
    "payment_sites": Spec(("place_of_service",), ("site",)),
    "places_of_service": Spec(("code",)),
    "relative_values": Spec(("place", "code"), ("work", "practice", "malpractice", "factor"), True, cadence="yearly"),
    "visits": Spec(("code",), ("setting",)),
    "zip_localities": Spec(
        ("file", "zip", "plus_four"), ("state", "contractor", "locality", "several"), True, cadence="quarterly"
    ),
}
"""Every table that a fact, a rule or the expected payment may ask for. A file without a row here, and a row without a
file, is an error."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One loaded table; no two are equal, so that what was looked up in one can be kept by it."""

    name: str
    spans: Mapping[Key, tuple[Span, ...]]
    starts: Mapping[str, date]
    """The first date that a shipped row of each part covers."""
    reigns: Mapping[str, tuple[Reign, ...]] = field(default_factory=dict)
    """The imported editions of each part. The rows of those that are packed are not among the spans."""
    words: frozenset[str] = field(init=False, repr=False, compare=False)
    """Everything that is in a key."""
    ranges: Mapping[Key, tuple[Range, ...]] = field(init=False, repr=False, compare=False)
    """Of a table of ranges: by the keys before them, in order."""
    change_days: tuple[date, ...] = field(init=False, repr=False, compare=False)
    """The days, in order, on which a row begins or is over."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", frozenset(word for key in self.spans for word in key))
        object.__setattr__(self, "ranges", ranges_of(self.spans) if SPECS[self.name].ranged else {})
        spans = [span for rows in self.spans.values() for span in rows]
        over = {end + timedelta(days=1) for _, end, _ in spans if end < FOREVER}
        packed = [
            (start, end, edition.packed.change_days)
            for reigns in self.reigns.values()
            for start, end, edition in reigns
            if edition.packed
        ]
        inside = (day for start, end, days in packed for day in days if start <= day <= end)
        edges = {start for start, _, _ in packed} | {end + timedelta(days=1) for _, end, _ in packed if end < FOREVER}
        changes = over.union((start for start, _, _ in spans), inside, edges)
        object.__setattr__(self, "change_days", tuple(sorted(changes)))

    def find(self, key: Key, on: date) -> Row | None:
        """The values of the row for this key on this date of service, or None."""
        for start, end, values in self.spans.get(key, ()):
            if start <= on <= end:
                return values
        if self.reigns:
            edition = self.edition(SPECS[self.name].part(key), on)
            if edition and edition.content is not None:
                return edition.content.find(key[1:], on)
        return None

    def find_in_range(self, key: Key, code: str, on: date) -> Row | None:
        """Of a table of ranges: the values of the one that a code is in on this date, or None."""
        for start, end, values in self.spans_in_range(key, code):
            if start <= on <= end:
                return values
        return None

    def spans_in_range(self, key: Key, code: str) -> tuple[Span, ...]:
        """Of a table of ranges: what the one that a code is in says, whenever."""
        found = self.ranges.get(key, ())
        shape = shape_of(code)
        place = bisect_right(found, (shape, code, _LAST)) - 1
        if place < 0 or found[place][0] != shape or code > found[place][2]:
            return ()
        return self.spans[(*key, *found[place][1:])]

    def among(self, part: str, codes: Collection[str], on: date) -> Mapping[Key, Row]:
        """Of a table of pairs: the rows of this part and date both of whose codes are among these, by the two codes."""
        edition = self.edition(part, on)
        if edition and edition.content is not None:
            return dict(edition.content.among(codes, on))
        return {
            (one, other): values
            for (of, one, other), spans in self.spans.items()
            if of == part and one in codes and other in codes
            for start, end, values in spans
            if start <= on <= end
        }

    def has(self, key: Key) -> bool:
        """Whether there is a row for this key on some date."""
        reigns = self.reigns.get(SPECS[self.name].part(key), ())
        return key in self.spans or any(
            edition.content is not None and edition.content.has(key[1:]) for _, _, edition in reigns
        )

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

    @property
    def row_files(self) -> frozenset[str]:
        """The files in which its packed rows lie."""
        reigns = (reign for reigns in self.reigns.values() for reign in reigns)
        return frozenset(edition.packed.file for _, _, edition in reigns if edition.packed)

    def whole(self, part: str, on: date) -> bool:
        """Whether what is not in the table for this part on this date is not in the official one either."""
        edition = self.edition(part, on)
        return edition is not None and edition.whole

    def covers(self, part: str, on: date) -> bool:
        """Whether an imported edition, or the shipped rows, speak for a part of the table on this date."""
        return self.starts.get(part, FOREVER) <= on or self.edition(part, on) is not None

    def __len__(self) -> int:
        packed = {edition.packed for reigns in self.reigns.values() for _, _, edition in reigns if edition.packed}
        return sum(map(len, self.spans.values())) + sum(one.rows for one in packed)


def shape_of(code: str) -> str:
    """Where a code has digits and which letters: 0213T lies in no range from 00100 to 01990."""
    return code.translate(_TO_ZERO)


def ranges_of(keys: Iterable[Key]) -> Mapping[Key, tuple[Range, ...]]:
    """The ranges in the keys of a table, by the keys before them."""
    found: dict[Key, list[Range]] = {}
    for *key, first, last in keys:
        found.setdefault(tuple(key), []).append((shape_of(first), first, last))
    return {key: tuple(sorted(ranges)) for key, ranges in found.items()}


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
        if spec.ranged and not _is_range(*key[-2:]):
            wrong(line, len(key) - 2, f"expected the first and the last code of a range, found {'/'.join(key[-2:])}")
        spans.setdefault(key, []).append((start, end, values))
    starts: dict[str, date] = {}
    for key, rows in spans.items():
        part = spec.part(key)
        starts[part] = min(starts.get(part, FOREVER), *(start for start, _, _ in rows))
    table = Table(name, {key: tuple(rows) for key, rows in spans.items()}, starts)
    problems += [RuleProblem(file, 1, 1, name, sentence) for sentence in _overlapping(table)]
    return table, problems


def _is_range(first: str, last: str) -> bool:
    return shape_of(first) == shape_of(last) and first <= last


def _overlapping(table: Table) -> Iterator[str]:
    for key, ranges in table.ranges.items():
        for (shape, _, last), (next_shape, first, _) in pairwise(ranges):
            if shape == next_shape and first <= last:
                yield f"two ranges of {'/'.join(key)} have {first} in them"


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
