"""Plans: the rule versions that can have anything to say on a claim, of those that are in force.

A day plan is made for claims of one kind on one date, a shape plan for claims of one kind, period and shape. With the
facts that rest on the shape alone known and all others unknown, a version that is quiet is quiet whatever the others
are, and is left out. The others are parted by what they read: see README.md in this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any, NamedTuple

from rules.book.assignment import Assigned
from rules.book.rule import Version
from rules.engine.active import Active, ScopedRules
from rules.engine.fused import AllQuiet, fused
from rules.errors import MISTAKES
from rules.facts import FACTS, Facts
from rules.facts.parts import edition_of
from rules.report import EditionId


class ScopePlan(NamedTuple):
    """What is to be judged of the claim as a whole, or of one line."""

    active: tuple[Active, ...]
    tabled: tuple[Active, ...]
    """Those of them that look into a dated table: the report names the edition that judged."""


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What is in force on one date for one kind of claim."""

    claim: ScopePlan
    line: ScopePlan


@dataclass(frozen=True, slots=True, eq=False)
class ShapePlan:
    """The same for claims of one shape. Itself a key: equal only to itself."""

    rules_run: int
    """How many versions are in force."""
    by_shape: ScopedRules
    """Those that say the same of all claims of the shape."""
    by_diagnoses: ScopedRules
    """Those that say the same of all claims of the shape with the same diagnoses."""
    by_claim: ScopedRules
    """The others that may have something to say."""
    tabled: ScopedRules
    """Those that look into a dated table, if they apply, which the shape does not decide."""
    editions: tuple[EditionId, ...]
    """Those that the shape gives, in order."""
    known: tuple[Mapping[str, Any], ...]
    """By number of the scope the facts that `by_claim` reads and the shape gives."""
    all_quiet: AllQuiet | None
    """Whether none of `by_claim` has anything to say; None: they are to be asked one by one."""


@lru_cache(maxsize=4_096)
def _one(rules: ScopedRules) -> ScopedRules:
    """Plans of many shapes have the same rules: they share them."""
    return rules


def scoped(scopes: Iterable[Iterable[Active]]) -> ScopedRules:
    """The rules of the claim and of its lines."""
    return _one(tuple((number, one) for number, rules in enumerate(scopes) for one in rules))


def day_plan(assigned: Iterable[Assigned], day: date) -> DayPlan:
    """The versions of these rules that are in force on the day."""
    found: dict[str, list[Active]] = {"claim": [], "line": []}
    for order, one in enumerate(assigned):
        version = one.rule.version_on(day)
        if version:
            found[one.rule.scope].append(Active(one, version, version.is_quiet, order))
    return DayPlan(_scope_plan(found["claim"]), _scope_plan(found["line"]))


def undated_plan(assigned: Iterable[Assigned], scope: str) -> ScopePlan:
    """All rules of a scope, for facts without a date: only where the versions of a rule disagree does it matter."""
    return _scope_plan(
        [
            Active(one, one.rule.versions[-1], _never, order)
            for order, one in enumerate(assigned)
            if one.rule.scope == scope
        ]
    )


def _never(_: Facts) -> bool:
    return False


def _scope_plan(active: list[Active]) -> ScopePlan:
    return ScopePlan(tuple(active), tuple(one for one in active if one.version.edition))


def edition_id(version: Version, facts: Facts) -> EditionId:
    """The edition of the version's table that judges these facts: an imported one, or the shipped rows."""
    assert version.edition is not None
    imported = edition_of(facts, version.edition.table)
    return imported.named if imported else version.edition


def in_order(editions: Iterable[EditionId]) -> tuple[EditionId, ...]:
    """By table, title and release."""
    return tuple(sorted(editions, key=lambda one: (one.table, one.title, one.edition or "")))


def shape_plan(plan: DayPlan, all_facts: Sequence[Facts]) -> ShapePlan:
    """The plan for all claims that have the shape of this one; `all_facts`: of it and of its lines."""
    scopes = [plan.line if number else plan.claim for number in range(len(all_facts))]
    parted = [_parted(*pair) for pair in zip(scopes, all_facts, strict=True)]
    by_claim = scoped(one.by_claim for one in parted)
    return ShapePlan(
        rules_run=sum(len(scope.active) for scope in scopes),
        by_shape=scoped(one.by_shape for one in parted),
        by_diagnoses=scoped(one.by_diagnoses for one in parted),
        by_claim=by_claim,
        tabled=scoped(one.tabled for one in parted),
        editions=in_order({edition for one in parted for edition in one.editions}),
        known=tuple(one.known for one in parted),
        all_quiet=fused(by_claim, _unshared(bool(all_facts[0].case.history.billed)).by_shape),
    )


class _Parted(NamedTuple):
    """What a shape plan has of one scope."""

    by_shape: tuple[Active, ...]
    by_diagnoses: tuple[Active, ...]
    by_claim: tuple[Active, ...]
    tabled: tuple[Active, ...]
    editions: list[EditionId]
    known: Mapping[str, Any]


def _parted(scope: ScopePlan, facts: Facts) -> _Parted:
    unshared = _unshared(bool(facts.case.history.billed))
    shared = facts.without(unshared.by_shape)

    def holds(test: Callable[[Facts], bool], version: Version) -> bool:
        """Whether the test holds whatever the facts are that the shape does not give."""
        if not unshared.by_shape.isdisjoint(version.asked_missing):
            return False
        try:
            return test(shared)
        except MISTAKES:  # a rule that raises is to be found by judging it
            return False

    left = [one for one in scope.active if not holds(one.version.is_quiet, one.version)]
    by_shape, rest = _split(left, lambda one: unshared.by_shape.isdisjoint(one.version.read))
    by_diagnoses, by_claim = _split(rest, lambda one: unshared.by_diagnoses.isdisjoint(one.version.read))
    known = dict(_derived(shared, {name for one in by_claim for name in one.version.quiet_facts} - unshared.by_shape))
    applies = [one for one in scope.tabled if not holds(one.version.is_off, one.version)]
    decided, tabled = _split(applies, lambda one: unshared.by_shape.isdisjoint(one.version.applies.facts))
    return _Parted(by_shape, by_diagnoses, by_claim, tabled, list(_editions(decided, facts)), known)


def _editions(rules: Iterable[Active], facts: Facts) -> Iterable[EditionId]:
    for one in rules:
        with suppress(*MISTAKES):
            yield edition_id(one.version, facts)


def _derived(facts: Facts, names: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for name in names:
        with suppress(*MISTAKES):  # the rule that reads it is found by judging it
            yield name, facts[name]


def _split(rules: Iterable[Active], wanted: Callable[[Active], bool]) -> tuple[tuple[Active, ...], tuple[Active, ...]]:
    """Those that are wanted, and the others."""
    parts: tuple[list[Active], list[Active]] = [], []
    for one in rules:
        parts[not wanted(one)].append(one)
    return tuple(parts[0]), tuple(parts[1])


class _Unshared(NamedTuple):
    """Facts that differ among claims with the same shape, and among those with the same diagnoses as well."""

    by_shape: frozenset[str]
    by_diagnoses: frozenset[str]


@cache
def _unshared(billed: bool) -> _Unshared:
    """`billed`: there are earlier claims; without them, the shape gives the facts of history too."""
    of_claim = frozenset(name for name, fact in FACTS.items() if fact.own or (fact.history and billed))
    return _Unshared(of_claim.union(name for name, fact in FACTS.items() if fact.diagnoses), of_claim)
