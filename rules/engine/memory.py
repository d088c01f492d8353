"""What the engine works out once for a book and keeps beside it: see README.md in this folder."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from rules.book.assignment import Assigned, ClaimKind, kind_of
from rules.book.book import Book
from rules.carried import EVERY
from rules.case import Case
from rules.claim import Payer
from rules.engine.coverage import Looked, fields_left_out, gaps_of_kind, tables_not_imported
from rules.engine.findings import Found, FoundOnce
from rules.engine.merging import Shown
from rules.engine.narrowing import LayerHead, OfLine
from rules.engine.plan import DayPlan, ShapePlan, day_plan
from rules.engine.recent import Recent
from rules.history import State as HistoryState
from rules.payers import Selection
from rules.report import Gap
from rules.tables.cadence import last_day_of
from rules.tables.table import Table
from rules.terms import EDITS

MOST_SELECTED = 4_096
"""Payers, as claims name them, whose rule sets are kept."""
MOST_HEADS = 1_000
"""What claims have apart from their lines, of which what is left of the rules is kept; by layer."""
MOST_LINES = 8_000
"""The same of lines."""
MOST_TOGETHER = 2_000
"""The same of all lines of a claim together, whoever pays."""
MOST_SHAPES = 6_000
"""Shapes of claims whose plans are kept."""
MOST_WITH_DIAGNOSES = 20_000
"""The same of shapes with their diagnoses."""

MOST_FOUND = 8_000
"""Findings that are kept."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one book. It grows while claims are judged, within bounds, and may be lost at any time."""

    change_days: tuple[date, ...]
    selected: Recent[Selection] = field(default_factory=lambda: Recent(MOST_SELECTED))
    """Who judges, by what a claim says of its payer."""
    assigned: dict[ClaimKind, tuple[Assigned, ...]] = field(default_factory=dict)
    day_plans: dict[ClaimKind, list[DayPlan | None]] = field(default_factory=dict)
    """By kind of claim, then by period."""
    gaps: dict[tuple[ClaimKind, HistoryState, str, int | None], tuple[Gap, ...]] = field(default_factory=dict)
    """By kind of claim, history, procedure and period what its rules cannot ask, whatever is on the claim."""
    heads: Recent[LayerHead] = field(default_factory=lambda: Recent(MOST_HEADS))
    """What of a layer's rules is left by what all lines share: by payer, period, what is not of a line, and layer."""
    lines: Recent[OfLine] = field(default_factory=lambda: Recent(MOST_LINES))
    """The same by one line, by head and what is of the line."""
    together: Recent[list[dict[str, Any]]] = field(default_factory=lambda: Recent(MOST_TOGETHER))
    """Facts on the lines of a claim together, by scope: by layer, period, who gave which service where, and lines."""
    by_shape: Recent[tuple[ShapePlan, Looked, FoundOnce]] = field(default_factory=lambda: Recent(MOST_SHAPES))
    """The plan, what is looked at, and what the rules find that rest on the shape alone: by payer, period and shape."""
    by_diagnoses: Recent[FoundOnce] = field(default_factory=lambda: Recent(MOST_WITH_DIAGNOSES))
    """With what the rules find that rest on the diagnoses as well, by plan and diagnoses."""
    found: Recent[Found] = field(default_factory=lambda: Recent(MOST_FOUND))
    """Findings by all that they are made of: claims have the same faults, whatever else is on them."""
    shown: Shown = field(default_factory=lambda: Recent(MOST_FOUND))
    """What is shown of several findings as one."""

    def period(self, day: date) -> int:
        """Days of the same period have the same versions of all rules, the same rows of all tables, and are covered or
        not."""
        return bisect_right(self.change_days, day)


def memory_of(book: Book) -> Memory:
    """The book's own; empty where it is a changed copy of another."""
    found: Memory | None = book.beside.get(Memory)
    if found is None:
        found = book.beside.setdefault(Memory, Memory(_change_days(book)))
    return found


def selection_of(book: Book, payer: Payer) -> Selection:
    """The rule set for a claim's payer."""
    said = payer.id, payer.filing_indicator, payer.plan, payer.line_of_business
    memory = memory_of(book).selected
    found = memory.get(said)
    if found is None:
        found = memory[said] = book.registry.select(payer)
    return found


def assigned_to(book: Book, kind: ClaimKind) -> tuple[Assigned, ...]:
    """The rules for one kind of claim."""
    memory = memory_of(book).assigned
    found = memory.get(kind)
    if found is None:
        found = memory[kind] = tuple(book.assign(kind))
    return found


def plan_on(book: Book, kind: ClaimKind, day: date) -> DayPlan:
    """The rule versions in force for one kind of claim on a date of service."""
    memory = memory_of(book)
    plans = memory.day_plans.setdefault(kind, [None] * (len(memory.change_days) + 1))
    period = memory.period(day)
    found = plans[period]
    if found is None:
        found = plans[period] = day_plan(assigned_to(book, kind), day)
    return found


def gaps_on(book: Book, case: Case, of_day: date | None = None) -> tuple[Gap, ...]:
    """What the rules of the case's layer cannot ask on claims like this one, whatever is on them. `of_day`: of lines of
    that day; default: the first of the case's."""
    memory, kind, day = memory_of(book), kind_of(case), of_day or case.first_day
    key = (kind, case.history.state, case.layer, None if day is None else memory.period(day))
    found = memory.gaps.get(key)
    if found is None:
        if case.package:
            gaps = gaps_of_kind(assigned_to(book, kind), book, case, day)
        elif case.layer == EDITS:
            gaps = tables_not_imported(assigned_to(book, kind), case, day) if day else iter(())
        else:
            gaps = fields_left_out(assigned_to(book, kind._replace(carried=EVERY)), kind.carried, day)
        found = memory.gaps[key] = tuple(gaps)
    return found


def _change_days(book: Book) -> tuple[date, ...]:
    """The days, in order, on which a version of any rule, a row of any table, an override or what the book covers
    begins or is over."""
    covered = (book.covers_from, *(payer.covers_from for payer in book.registry.payers.values()))
    spans = [*book.overrides.periods, *((start, date.max) for start in covered)]
    spans += [(version.start, version.end) for rule in book.rules for version in rule.versions]
    tables = list(book.every_table)
    spans += [(date.min, source.ends) for source in book.sources.values() if source.ends]
    spans += [(date.min, last) for table in tables for last in _last_days(table)]
    reigns = (rows for table in tables for rows in table.reigns.values())
    spans += [(start, end) for rows in reigns for start, end, _ in rows]
    over = {end + timedelta(days=1) for _, end in spans if end < date.max}
    days = over.union((start for start, _ in spans), *(table.change_days for table in tables))
    return tuple(sorted(days))


def _last_days(table: Table) -> Iterator[date]:
    for part, reign in table.reigns.items():
        for _, _, edition in reign:
            if last := last_day_of(edition, part):
                yield last
