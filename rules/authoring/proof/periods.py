"""Gaps: days between two versions on which a rule says nothing, though nobody meant that it should not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from rules.authoring.proof.audience import Cell, Documents, cells_of, named
from rules.book.book import Book
from rules.book.rule import Rule

_DAY = timedelta(days=1)
AFTER_GAP = "after_gap"


@dataclass(frozen=True, slots=True, eq=False)
class Reign:
    """One version of a rule with its place; equal only to itself."""

    rule: Rule
    index: int
    start: date
    end: date
    about: str
    """Which claims it is about, with what does not matter put in order."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Days that nothing covers, and the version with which they end."""

    start: date
    end: date
    then: Reign

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start} to {self.end}"


def check_periods(book: Book, documents: Documents) -> None:
    """Notes every gap that is not declared, and every declaration of a gap that there is not, in the rule files.

    First between the versions of a file; then, for each payer, plan and billing role, between the files of a code, and
    between those of them that are about the same claims.
    """
    reigns = [one for rule in book.rules if rule.status != "retired" for one in _reigns(rule, documents)]
    declared = {(one.rule.file, one.index) for one in reigns if _declared(one, documents)}
    known: set[tuple[str, int]] = set()
    for rule in book.rules:
        for gap in _gaps(one for one in reigns if one.rule is rule):
            known.add((rule.file, gap.then.index))
            if (rule.file, gap.then.index) not in declared:
                _complain(documents, gap.then, f"no version covers {gap}: {_HOW}")
    for gap, cells in _between_files(book, reigns):
        place = (gap.then.rule.file, gap.then.index)
        if place not in known and place not in declared:
            said = f"no rule of {gap.then.rule.code} covers {gap} for {named(cells)}, between two files of it: {_HOW}"
            _complain(documents, gap.then, said)
        known.add(place)
    for one in reigns:
        if (one.rule.file, one.index) in declared - known:
            _complain(documents, one, "there is no gap before this version: leave it out", AFTER_GAP)


_HOW = f"mend the dates, or say why in `{AFTER_GAP}` beside `from`"


def _complain(documents: Documents, reign: Reign, sentence: str, key: str = "from") -> None:
    documents[reign.rule.file].complain(("versions", reign.index, "effective", key), sentence)


def _declared(reign: Reign, documents: Documents) -> bool:
    return AFTER_GAP in documents[reign.rule.file].data["versions"][reign.index]["effective"]


def _reigns(rule: Rule, documents: Documents) -> Iterator[Reign]:
    for index, version in enumerate(rule.versions):
        written = documents[rule.file].data["versions"][index]
        about = json.dumps([rule.scope, rule.status, _in_order(written.get("applies_when"))])
        yield Reign(rule, index, version.start, version.end, about)


def _in_order(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _in_order(node[key]) for key in sorted(node)}
    if isinstance(node, list):
        return sorted((_in_order(part) for part in node), key=json.dumps)
    return node


def _gaps(reigns: Iterable[Reign]) -> Iterator[Gap]:
    covered: date | None = None
    for one in sorted(reigns, key=lambda reign: reign.start):
        if covered and covered < date.max and one.start > covered + _DAY:
            yield Gap(covered + _DAY, one.start - _DAY, one)
        covered = max(covered or one.end, one.end)


def _between_files(book: Book, reigns: list[Reign]) -> list[tuple[Gap, list[Cell]]]:
    by_code: dict[tuple[str, str, str], list[Reign]] = {}
    for one in reigns:
        by_code.setdefault((one.rule.code, one.rule.status, one.rule.layer), []).append(one)
    found: dict[Gap, list[Cell]] = {}
    for several in by_code.values():
        if len({one.rule.file for one in several}) > 1:
            for gap, cell in _of_code(book, several):
                found.setdefault(gap, []).append(cell)
    return list(found.items())


def _of_code(book: Book, reigns: list[Reign]) -> Iterator[tuple[Gap, Cell]]:
    by_cell: dict[Cell, list[Reign]] = {}
    for one in reigns:
        for cell in cells_of(one.rule, book.registry):
            by_cell.setdefault(cell, []).append(one)
    for cell, several in by_cell.items():
        groups = [several, *([one for one in several if one.about == about] for about in {o.about for o in several})]
        for gap in dict.fromkeys(gap for group in groups for gap in _gaps(group)):
            yield gap, cell
