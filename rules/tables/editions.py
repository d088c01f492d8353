"""Imported editions of official tables: what an edition is, and how it takes its place among the shipped rows.

An edition speaks for some parts of a table (the practitioner pairs, the diagnoses that an article covers in one
state) from a first date on: until its last date where it has one, else until a later edition of that part begins. On
those dates it speaks alone; the shipped rows of the part stand aside. A whole table is too large to hold in memory:
its rows are packed into a file beside the edition, and looked up there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from rules.errors import RuleProblem
from rules.problems import path_text
from rules.tables.edition import Edition, Packed
from rules.tables.packedrows import LAYOUTS, Unreadable, mapped_rows
from rules.tables.table import FOREVER, SPECS, Key, Reign, Span, Table

_DAY = timedelta(days=1)
Windows = tuple[tuple[date, date], ...]


def read_edition(file: str, content: bytes, rows: Path | None = None) -> tuple[Edition | None, list[RuleProblem]]:
    """The edition in a file, or what is wrong with it. `rows`: the folder of packed rows."""
    try:
        edition = Edition.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return None, [
            RuleProblem(file, 1, 1, path_text(first["loc"]), f"is no imported edition: {first['msg']}; undo it")
        ]
    spec = SPECS.get(edition.table)
    if spec is None:
        return None, [RuleProblem(file, 1, 1, "table", f"no fact reads a table {edition.table!r}")]
    if edition.packed:
        return _with_content(file, edition, edition.packed, rows)
    width = len(spec.keys) + len(spec.values) + 2
    for line, row in enumerate(edition.rows, 2):
        if len(row) != width or spec.part(row) not in edition.speaks:
            return None, [RuleProblem(file, line, 1, "rows", f"expected {width} fields of a part that it speaks for")]
        if not all(map(_is_day, filter(None, row[-2:]))):
            return None, [RuleProblem(file, line, 1, "rows", "expected dates as YYYY-MM-DD")]
    return edition, []


def _with_content(
    file: str, edition: Edition, packed: Packed, rows: Path | None
) -> tuple[Edition | None, list[RuleProblem]]:
    def wrong(sentence: str) -> tuple[None, list[RuleProblem]]:
        return None, [RuleProblem(file, 1, 1, "packed", sentence)]

    if edition.table not in LAYOUTS or edition.rows or len(edition.speaks) != 1:
        return wrong("is no imported edition: packed rows are of one part of pairs, unit limits or ZIP codes; undo it")
    if rows is None:
        return wrong(f"its {packed.rows} rows lie in {packed.file}, and no folder of imported tables was given")
    try:
        content = mapped_rows(edition.table, rows / packed.file)
    except (OSError, Unreadable) as error:
        reason = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        return wrong(
            f"its rows lie in {rows / packed.file}: {reason}; import {', '.join(one.name for one in edition.files)} "
            "(`scrub tables import`) on this machine"
        )
    if (content.sha256, len(content)) != (packed.sha256, packed.rows):
        return wrong(f"{rows / packed.file} holds other rows than its name says; undo the edition and import it again")
    return edition.holding(content), []


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def clashes(editions: Iterable[Edition]) -> list[tuple[Edition, Edition, str]]:
    """Editions that say different things of one part of a table from one day on: neither could give way to the other.
    The third is the part. A whole edition takes the place of an extract of the same day, as of an earlier release."""
    seen: dict[tuple[str, str, date, bool], Edition] = {}
    found = []
    for edition in editions:
        for part, period in edition.speaks.items():
            other = seen.setdefault((edition.table, part, period.from_, edition.whole), edition)
            if other is not edition and not agree(other, edition, part):
                found.append((other, edition, part))
    return found


def agree(one: Edition, other: Edition, part: str) -> bool:
    """Whether two editions say the same of a part of one table over one period."""
    if one.table != other.table or one.speaks.get(part) != other.speaks.get(part) or one.whole != other.whole:
        return False
    if one.packed and other.packed:
        return one.packed.sha256 == other.packed.sha256
    return _rows_of(one, part) == _rows_of(other, part)


def _rows_of(edition: Edition, part: str) -> list[tuple[str, ...]]:
    spec = SPECS[edition.table]
    return sorted(row for row in edition.all_rows() if spec.part(row) == part)


def merged(table: Table, editions: Sequence[Edition]) -> Table:
    """The table with the editions in place of the shipped rows on their dates."""
    if not editions:
        return table
    spec = SPECS[table.name]
    reigns = _reigns(editions)
    windows: dict[str, Windows] = {
        part: tuple((start, end) for start, end, _ in reign) for part, reign in reigns.items()
    }
    spans: dict[Key, list[Span]] = {}
    for key, shipped in table.spans.items():
        left = [rest for span in shipped for rest in _without(span, windows.get(spec.part(key), ()))]
        if left:
            spans[key] = left
    for edition in editions:
        own = {part: (start, end) for part, reign in reigns.items() for start, end, owner in reign if owner is edition}
        for row in edition.rows:
            key, values = row[: len(spec.keys)], row[len(spec.keys) : -2]
            window = own.get(spec.part(key))
            start = date.fromisoformat(row[-2]) if row[-2] else date.min
            end = date.fromisoformat(row[-1]) if row[-1] else FOREVER
            if window and max(start, window[0]) <= min(end, window[1]):
                spans.setdefault(key, []).append((max(start, window[0]), min(end, window[1]), values))
    return replace(table, spans={key: tuple(found) for key, found in spans.items()}, reigns=reigns)


def _reigns(editions: Sequence[Edition]) -> dict[str, tuple[Reign, ...]]:
    """Each part's editions in the order of their dates, each up to the day before the next begins."""
    found: dict[str, list[Reign]] = {}
    whole = {(part, period.from_) for one in editions if one.whole for part, period in one.speaks.items()}
    for edition in editions:
        for part, period in edition.speaks.items():
            if not edition.whole and (part, period.from_) in whole:
                continue
            found.setdefault(part, []).append((period.from_, period.to or FOREVER, edition))
    reigns = {}
    for part, several in found.items():
        ordered = sorted(several, key=lambda reign: (reign[0], reign[2].id))
        ends = [min(end, after[0] - _DAY) for (_, end, _), after in pairwise(ordered)]
        ends.append(ordered[-1][1])
        first = date.min if ordered[0][2].reaches_back else ordered[0][0]
        starts = [first, *(start for start, _, _ in ordered[1:])]
        reigns[part] = tuple(
            (start, end, edition) for start, end, (_, _, edition) in zip(starts, ends, ordered, strict=True)
        )
    return reigns


def _without(span: Span, windows: Windows) -> list[Span]:
    """What is left of a span outside the windows, which are in order and do not overlap."""
    start, end, values = span
    left: list[Span] = []
    for first, last in windows:
        if first > end or last < start:
            continue
        if start < first:
            left.append((start, first - _DAY, values))
        if last >= end:
            return left
        start = last + _DAY
    return [*left, (start, end, values)]
