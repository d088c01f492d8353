"""What a new rule book would say otherwise of a claim than an old one, and the sum of it over many claims.

Both books judge without a ledger, so rules that read what was billed before run on neither side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple, TypeVar

from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.book.rule import Rule
from rules.claim import Claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.engine.memory import assigned_to
from rules.payers import MEDICARE
from rules.report import Disposition, Finding, Report

Change = Literal["new", "gone", "changed"]
_Said = Mapping[tuple[str, int | None, str], str]


class Move(NamedTuple):
    """Claims that would go another way, by the rule that does it."""

    before: Disposition
    after: Disposition
    code: str
    """Empty: no rule does it (an outlet without findings, such as unchecked)."""
    payer: str


class Finds(NamedTuple):
    """Findings that would be there, be gone, or weigh otherwise."""

    change: Change
    code: str
    payer: str
    says: str
    """`block`, `warn undetermined`, `block (was warn)`."""


@dataclass(slots=True)
class Group:
    """Claims of one kind."""

    claims: int = 0
    charge: Decimal = Decimal(0)
    """US dollars, of the whole claims."""
    examples: list[str] = field(default_factory=list)
    """Claim ids of the first ones, in the order of the input."""

    def take(self, other: Group, most: int) -> None:
        self.claims += other.claims
        self.charge += other.charge
        self.examples += other.examples[: most - len(self.examples)]


@dataclass(slots=True)
class ImpactTally:
    """The sum over claims. Tallies of parts of the input, merged in its order, are the tally of the whole."""

    most: int = 5
    """Examples that are kept of each kind."""
    claims: int = 0
    charge: Decimal = Decimal(0)
    touched: int = 0
    """Claims of which the books do not say the same."""
    routes: dict[tuple[Disposition, Disposition], Group] = field(default_factory=dict)
    moves: dict[Move, Group] = field(default_factory=dict)
    finds: dict[Finds, Group] = field(default_factory=dict)

    def add(self, shift: Shift) -> None:
        """Counts a claim of which the books do not say the same."""
        self.touched += 1
        one = Group(1, shift.charge, [shift.claim_id])
        if shift.way:
            self.routes.setdefault(shift.way, Group()).take(one, self.most)
        for move in shift.moves:
            self.moves.setdefault(move, Group()).take(one, self.most)
        for find in shift.finds:
            self.finds.setdefault(find, Group()).take(one, self.most)

    def merge(self, other: ImpactTally) -> None:
        self.claims += other.claims
        self.charge += other.charge
        self.touched += other.touched
        _merge(self.routes, other.routes, self.most)
        _merge(self.moves, other.moves, self.most)
        _merge(self.finds, other.finds, self.most)


_Key = TypeVar("_Key")


def _merge(mine: dict[_Key, Group], theirs: Mapping[_Key, Group], most: int) -> None:
    for key, group in theirs.items():
        mine.setdefault(key, Group()).take(group, most)


@dataclass(frozen=True, slots=True)
class Shift:
    """A claim of which the books do not say the same."""

    claim_id: str
    charge: Decimal
    way: tuple[Disposition, Disposition] | None
    """From where to where it moves; None: it stays."""
    moves: tuple[Move, ...]
    finds: tuple[Finds, ...]


class Comparison:
    """Two books, side by side.

    Where they differ in rules alone, each claim is first judged by the rules that differ: where these say the same of
    it, the books do. Only the other claims are judged by both books in full.
    """

    def __init__(self, old: Book, new: Book, *, drafts: bool = False) -> None:
        """`drafts`: the new book's drafts, and those of an upgrade, are judged as if they were active."""
        self.old = old
        self.new = _with_drafts(new) if drafts else new
        self.narrow = _narrowed(self.old, self.new)

    def shift(self, claim: Claim, received: date | None) -> Shift | None:
        """What the new book says otherwise; None: nothing. `received` as in `rules.engine.check.check`."""
        if self.narrow:
            case = case_of(claim, self.old, received)
            if not any(assigned_to(book, kind_of(case)) for book in self.narrow):
                return None
            before, after = (check(claim, book, received=received) for book in self.narrow)
            if _same(before, after):
                return None
            # Under Medicare's rules a finding may replace one by a rule that does not differ.
            if case.selection.line_of_business not in (MEDICARE, "medicare_advantage") and not _blocks(before, after):
                return _shift(claim, before, after)
        before, after = (check(claim, book, received=received) for book in (self.old, self.new))
        return None if _same(before, after) else _shift(claim, before, after)


def charge_of(claim: Claim) -> Decimal:
    """The total that the claim states, else the sum of its lines; US dollars."""
    if claim.total_charge is not None:
        return claim.total_charge
    return sum((line.charge for line in claim.lines if line.charge is not None), Decimal(0))


def _with_drafts(book: Book) -> Book:
    entries = tuple(entry for entry in book.overrides.entries if not (entry.kind == "draft" or entry.waits))
    return replace(book, rules=tuple(map(_activated, book.rules)), overrides=replace(book.overrides, entries=entries))


def _activated(rule: Rule) -> Rule:
    return replace(rule, status="active") if rule.status == "draft" else rule


def _narrowed(old: Book, new: Book) -> tuple[Book, Book] | None:
    """The books with the rules alone that differ; None where more than rules does."""
    parts = ("procedures", "covers_from", "registry", "overrides", "ruled")
    if any(getattr(old, part) != getattr(new, part) for part in parts) or _rows(old) != _rows(new):
        return None
    known = {(rule.file, rule.digest, rule.status) for rule in old.rules}
    common = known & {(rule.file, rule.digest, rule.status) for rule in new.rules}
    left, right = (
        book.narrowed(r for r in book.rules if (r.file, r.digest, r.status) not in common) for book in (old, new)
    )
    return left, right


def _rows(book: Book) -> list[object]:
    return [(table.name, table.spans, table.starts, table.reigns) for table in book.every_table]


def _said(report: Report) -> _Said:
    """Each finding by code, line and rule file, and how much it weighs; what a modifier lifted weighs nothing."""
    return {(f.code, f.line, f.rule): _weight(f) for f in report.every if f.outcome != "bypassed"}


def _weight(finding: Finding) -> str:
    return finding.severity if finding.outcome == "fail" else f"{finding.severity} {finding.outcome}"


def _same(before: Report, after: Report) -> bool:
    before_way, after_way = _way(before, after)
    return before_way == after_way and _said(before) == _said(after)


def _way(before: Report, after: Report) -> tuple[Disposition, Disposition]:
    """Where the claim goes; where it is only observed by both books, where it would go."""
    if before.observed and after.observed:
        return before.verdict, after.verdict
    return before.disposition, after.disposition


def _shift(claim: Claim, before: Report, after: Report) -> Shift:
    payer = after.payer or before.payer or ""
    left, right = _said(before), _said(after)
    finds: list[Finds] = []
    for key in sorted({*left, *right}, key=str):
        was, says = left.get(key), right.get(key)
        if was is None or says is None:
            finds.append(Finds("new" if was is None else "gone", key[0], payer, says or was or ""))
        elif was != says:
            finds.append(Finds("changed", key[0], payer, f"{says} (was {was})"))
    way = _way(before, after)
    blocks = [_blocking(said) - _blocking(other) for said, other in ((left, right), (right, left))]
    codes = sorted(blocks[way[1] == "rework"]) or [""]
    moves = [Move(*way, code, payer) for code in codes]
    said = tuple(dict.fromkeys(finds))
    if way[0] == way[1]:
        return Shift(claim.claim_id, charge_of(claim), None, (), said)
    return Shift(claim.claim_id, charge_of(claim), way, tuple(moves), said)


def _blocks(before: Report, after: Report) -> bool:
    """Whether a finding that is not the same in both decides on the way of a claim."""
    left, right = _said(before), _said(after)
    return any(
        weight.startswith("block")
        for said, other in ((left, right), (right, left))
        for key, weight in said.items()
        if other.get(key) != weight
    )


def _blocking(said: _Said) -> set[str]:
    return {code for (code, _, _), weight in said.items() if weight.startswith("block")}
