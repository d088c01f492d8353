"""Twins: two rules that find the same fault on the same claims, so that a biller reads it twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations

from rules.authoring.proof.audience import Cell, Documents, cells_of, named
from rules.authoring.proof.formulas import Every, Formula, Holds, denied, failing, solvable, tests_of
from rules.authoring.proof.values import TooMany, variable_of, variables_of
from rules.book.book import Book
from rules.book.logic import Condition
from rules.book.rule import Rule, Version
from rules.terms import FORM


@dataclass(frozen=True, slots=True)
class _Side:
    """One version of a rule, and when it fails."""

    rule: Rule
    index: int
    version: Version
    cells: frozenset[Cell]
    fails: Formula
    tests: tuple[Condition, ...]
    read: frozenset[str]
    needed: frozenset[str]
    """The variables that it cannot fail without."""

    def within(self, other: _Side) -> bool:
        """Whether the other fails wherever this one does, as far as the conditions can say."""
        if not other.needed <= self.read:
            return False
        try:
            variables = variables_of((*self.tests, *other.tests))
        except TooMany:
            return False
        return not solvable([self.fails, denied(other.fails)], variables) and solvable([self.fails], variables)


def check_twins(book: Book, documents: Documents) -> int:
    """Notes every rule that says what another says already; how many pairs of versions were compared."""
    sides = sorted(_sides(book), key=lambda side: (side.rule.code, side.rule.file, side.index))
    compared = 0
    told: set[tuple[str, str]] = set()
    meant: set[tuple[str, str]] = set()
    for first, second in combinations(sides, 2):
        if not _meet(first, second) or (first.rule.file, second.rule.file) in told:
            continue
        compared += 1
        if found := _told(first, second):
            told.add((first.rule.file, second.rule.file))
            meant |= (named_by := _declared(first.rule, second.rule, documents))
            side, same, sentence = found
            if not named_by and (same or not _one_cause(first.rule, second.rule, documents)):
                documents[side.rule.file].complain(("versions", side.index), sentence)
    _check_declared(book, documents, meant)
    return compared


def _one_cause(one: Rule, other: Rule, documents: Documents) -> bool:
    """Whether what both find is shown as one finding, since both name the same slip of the biller."""
    causes = {documents[rule.file].data.get("cause") for rule in (one, other)}
    return len(causes) == 1 and None not in causes


def _declared(one: Rule, other: Rule, documents: Documents) -> set[tuple[str, str]]:
    """The declarations by which this overlap is meant: files, and the codes that they name."""
    pairs = ((one, other), (other, one))
    return {(a.file, b.code) for a, b in pairs if b.code in (documents[a.file].data.get(OVERLAPS) or ())}


def _check_declared(book: Book, documents: Documents, meant: Collection[tuple[str, str]]) -> None:
    for rule in book.rules:
        for code in documents[rule.file].data.get(OVERLAPS) or ():
            if rule.status != "retired" and (rule.file, code) not in meant:
                sentence = f"no rule of {code} finds what this rule finds: leave it out"
                documents[rule.file].complain((OVERLAPS, code), sentence)


def _sides(book: Book) -> Iterator[_Side]:
    for rule in book.rules:
        if rule.status == "retired":
            continue
        cells = cells_of(rule, book.registry)
        for index, version in enumerate(rule.versions):
            fails, tests = failing(version), tuple(tests_of(version))
            read = frozenset(variable_of(test.asks) for test in tests if test.asks)
            yield _Side(rule, index, version, cells, fails, tests, read, frozenset(_needed(fails)))


def _needed(formula: Formula) -> Iterator[str]:
    if isinstance(formula, Every):
        for part in formula.parts:
            yield from _needed(part)
    elif isinstance(formula, Holds):
        assert formula.test.asks is not None
        yield variable_of(formula.test.asks)


def _meet(first: _Side, second: _Side) -> bool:
    """Whether both may find a fault of one claim; what could not be looked at is named for each rule that asks."""
    one, other = first.version, second.version
    return (
        first.rule is not second.rule
        and one.gap is None
        and other.gap is None
        and (first.rule.layer == second.rule.layer or FORM in (first.rule.layer, second.rule.layer))
        and first.rule.scope == second.rule.scope
        and one.start <= other.end
        and other.start <= one.end
        and not first.cells.isdisjoint(second.cells)
    )


def _told(first: _Side, second: _Side) -> tuple[_Side, bool, str] | None:
    """The rule that is one too many, whether it says the very same, and a sentence."""
    one, other = first.within(second), second.within(first)
    if one and other:
        both = named(first.cells & second.cells)
        return second, True, f"says what {_name(first)} says already, for {both}: {_HOW}"
    if first.rule.status != second.rule.status or first.version.severity != second.version.severity:
        return None  # a draft is there to differ from its active rule, and a narrower rule may be a stricter one
    for inner, outer, inside in ((second, first, other), (first, second, one)):
        if inside and outer.rule.layer in (inner.rule.layer, FORM) and _always_beside(inner, outer):
            told = f"whatever it finds, {_name(outer)} finds as well, with the same severity: {_HOW}"
            return inner, False, told
    return None


OVERLAPS = "overlaps"
_HOW = f"remove one of the two, part their conditions, payers or dates, or say in `{OVERLAPS}` why both are there"


def _always_beside(inner: _Side, outer: _Side) -> bool:
    """Whether the outer rule is asked whenever the inner one is."""
    during = outer.version.start <= inner.version.start and inner.version.end <= outer.version.end
    return during and inner.cells <= outer.cells


def _name(side: _Side) -> str:
    return f"versions[{side.index}] of {side.rule.file}.yaml"
