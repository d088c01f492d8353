"""Plans: the rule versions that can have anything to say on a claim, of those that are in force.

A plan is made for claims of one kind, period and shape. With the facts that rest on the shape alone known and all
others unknown, a version that is quiet is quiet whatever the others are, and is left out. Of those that are left, some
read nothing but what the shape tells, and some nothing but that and the diagnoses: what they find is found once for all
claims that share it (`rules/engine/check.py`). So most claims meet the few rules that hang on their amounts, dates and
identifiers.
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
from rules.engine.active import Active, Spread
from rules.engine.fused import Quiet, fused
from rules.errors import MISTAKES
from rules.facts import FACTS, Facts
from rules.facts.parts import edition_of
from rules.report import EditionId


class Scope(NamedTuple):
    """What is to be judged of the claim as a whole, or of one line."""

    active: tuple[Active, ...]
    tabled: tuple[Active, ...]
    """Those of them that look into a dated table: the report names the edition that judged."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is in force on one date for one kind of claim."""

    claim: Scope
    line: Scope


@lru_cache(maxsize=4_096)
def _one(spread: Spread) -> Spread:
    """Plans of many shapes have the same rules: they share them."""
    return spread


def spread(scopes: Iterable[Iterable[Active]]) -> Spread:
    """The rules of claim and lines."""
    return _one(tuple((number, one) for number, rules in enumerate(scopes) for one in rules))


@dataclass(frozen=True, slots=True, eq=False)
class ShapedPlan:
    """The same for claims of one shape. Itself a key: equal only to itself."""

    run: int
    """How many versions are in force."""
    active: Spread
    """Those of them that may have something to say."""
    coded: Spread
    """Those that may have something to say for some diagnoses, and the same for all claims with these."""
    settled: Spread
    """Those that say the same of all claims of the shape."""
    tabled: Spread
    """Those that look into a dated table, if they apply: which the shape does not tell."""
    editions: tuple[EditionId, ...]
    """Those that the shape tells, in order."""
    known: tuple[Mapping[str, Any], ...]
    """By number of the scope the facts that `active` reads and the shape tells."""
    quiet: Quiet | None
    """Whether none of `active` has anything to say; None: they are to be asked one by one."""


def plan_of(assigned: Iterable[Assigned], day: date) -> Plan:
    """The versions of these rules that are in force on the day."""
    found: dict[str, list[Active]] = {"claim": [], "line": []}
    for place, one in enumerate(assigned):
        version = one.rule.version_on(day)
        if version:
            found[one.rule.scope].append(Active(one, version, version.is_quiet, place))
    return Plan(_scope(found["claim"]), _scope(found["line"]))


def undated(assigned: Iterable[Assigned], scope: str) -> Scope:
    """All rules of a scope, for facts without a date: only where the versions of a rule disagree does it matter."""
    places = enumerate(assigned)
    return _scope([Active(one, one.rule.versions[-1], _never, at) for at, one in places if one.rule.scope == scope])


def _never(_: Facts) -> bool:
    return False


def _scope(active: list[Active]) -> Scope:
    return Scope(tuple(active), tuple(one for one in active if one.version.edition))


def edition_id(version: Version, facts: Facts) -> EditionId:
    """The edition of the version's table that judges these facts: an imported one, or the shipped rows."""
    assert version.edition is not None
    imported = edition_of(facts, version.edition.table)
    return imported.named if imported else version.edition


def shaped(plan: Plan, everything: Sequence[Facts]) -> ShapedPlan:
    """The plan for all claims that have the shape of this one; `everything`: the facts of it and of its lines."""
    scopes = [plan.line if number else plan.claim for number in range(len(everything))]
    parts = [_shaped(*pair) for pair in zip(scopes, everything, strict=True)]
    active = spread(part.active for part in parts)
    return ShapedPlan(
        run=sum(len(scope.active) for scope in scopes),
        active=active,
        coded=spread(part.coded for part in parts),
        settled=spread(part.settled for part in parts),
        tabled=spread(part.tabled for part in parts),
        editions=in_order({edition for part in parts for edition in part.editions}),
        known=tuple(part.known for part in parts),
        quiet=fused(active, _own(bool(everything[0].case.history.billed))[0]),
    )


def in_order(editions: Iterable[EditionId]) -> tuple[EditionId, ...]:
    """By table, title and release."""
    return tuple(sorted(editions, key=lambda one: (one.table, one.title, one.edition or "")))


class _Part(NamedTuple):
    """What a shaped plan has of one scope."""

    active: tuple[Active, ...]
    coded: tuple[Active, ...]
    settled: tuple[Active, ...]
    tabled: tuple[Active, ...]
    editions: list[EditionId]
    known: Mapping[str, Any]


def _shaped(scope: Scope, facts: Facts) -> _Part:
    own, uncoded = _own(bool(facts.case.history.billed))
    shared = facts.shared(own)
    left = [one for one in scope.active if not _holds(one.version.is_quiet, one.version, shared, own)]
    settled, unsettled = _parted(left, lambda one: own.isdisjoint(one.version.read))
    coded, rest = _parted(unsettled, lambda one: uncoded.isdisjoint(one.version.read))
    known = dict(_told(shared, {name for one in rest for name in one.version.quiet_facts} - own))
    applies = [one for one in scope.tabled if not _holds(one.version.is_off, one.version, shared, own)]
    decided, tabled = _parted(applies, lambda one: own.isdisjoint(one.version.applies.facts))
    return _Part(rest, coded, settled, tabled, list(_named(decided, facts)), known)


def _named(rules: Iterable[Active], facts: Facts) -> Iterable[EditionId]:
    for one in rules:
        with suppress(*MISTAKES):
            yield edition_id(one.version, facts)


def _told(shared: Facts, names: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for name in names:
        with suppress(*MISTAKES):  # the rule that reads it is found by judging it
            yield name, shared[name]


def _parted(rules: Iterable[Active], wanted: Callable[[Active], bool]) -> tuple[tuple[Active, ...], tuple[Active, ...]]:
    """Those that are wanted, and the others."""
    parts: tuple[list[Active], list[Active]] = [], []
    for one in rules:
        parts[not wanted(one)].append(one)
    return tuple(parts[0]), tuple(parts[1])


@cache
def _own(billed: bool) -> tuple[frozenset[str], frozenset[str]]:
    """The facts that the shape does not tell, and those of them that the diagnoses do not tell either; without earlier
    claims, the shape tells those of history too."""
    uncoded = frozenset(name for name, fact in FACTS.items() if fact.own or (fact.history and billed))
    return uncoded.union(name for name, fact in FACTS.items() if fact.coded), uncoded


def _holds(test: Callable[[Facts], bool], version: Version, shared: Facts, own: frozenset[str]) -> bool:
    """Whether the test holds whatever the facts are that the shape does not tell."""
    if version.asked_missing and not own.isdisjoint(version.asked_missing):
        return False
    try:
        return test(shared)
    except MISTAKES:  # a rule that raises is to be found by judging it
        return False
