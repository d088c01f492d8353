"""Plans: the rule versions that can have anything to say on a claim, of those that are in force.

A day plan is made for claims of one kind on one date, a shape plan for claims of one kind, period and shape. With the
facts that rest on the shape alone known and all others unknown, a version that is quiet is quiet whatever the others
are, and is left out. The others are parted by what they read: see README.md in this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from typing import Any, NamedTuple

from rules.book.assignment import Assigned
from rules.book.rule import Version
from rules.engine.active import Active, AllFacts, ScopedRules
from rules.engine.asked import Asked, asked
from rules.engine.fused import AllQuiet, fused
from rules.engine.lapsed import lapsed
from rules.errors import MISTAKES
from rules.facts import FACTS, Facts, LineFacts


class ScopePlan(NamedTuple):
    """What is to be judged of the claim as a whole, or of one line."""

    active: tuple[Active, ...]
    tabled: tuple[Active, ...]
    """Those of them that look into a dated table: the report names the edition that judged."""
    lapsed: tuple[Active, ...] = ()
    """Gaps where rules that ended would have asked; they are not among the active ones, and do not count as run."""

    @property
    def judging(self) -> tuple[Active, ...]:
        """All that may find something."""
        return self.active + self.lapsed


class LayerPlan(NamedTuple):
    """What is in force of one layer."""

    claim: ScopePlan = ScopePlan((), ())
    line: ScopePlan = ScopePlan((), ())

    def of(self, facts: Facts) -> ScopePlan:
        """What is to be judged by these facts."""
        return self.line if isinstance(facts, LineFacts) else self.claim


DayPlan = Mapping[str, LayerPlan]
"""What is in force on one date for one kind of claim, by layer."""
NO_RULES = LayerPlan()


@dataclass(slots=True, eq=False)
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
    asked: frozenset[Asked]
    """The editions that the shape gives."""
    known: tuple[tuple[Mapping[str, Any], ...], ...]
    """By scope the facts that `by_claim` reads and the shape gives."""
    unshared: frozenset[str]
    """The facts that the shape does not give."""
    _fused: list[AllQuiet | None] = field(default_factory=list)

    @property
    def all_quiet(self) -> AllQuiet | None:
        """Whether none of `by_claim` has anything to say; None: they are to be asked one by one. Made when the second
        claim of the shape asks: of many shapes there is one claim, and making it costs as much as judging several."""
        if not self._fused:
            self._fused.append(fused(self.by_claim, self.unshared))
        return self._fused[0]


@lru_cache(maxsize=4_096)
def _one(rules: ScopedRules) -> ScopedRules:
    """Plans of many shapes have the same rules: they share them."""
    return rules


def scoped(layers: Iterable[Iterable[Iterable[Active]]]) -> ScopedRules:
    """The rules of the claim and of its lines, by layer."""
    return _one(
        tuple(
            ((layer, number), one)
            for layer, scopes in enumerate(layers)
            for number, rules in enumerate(scopes)
            for one in rules
        )
    )


def day_plan(assigned: Iterable[Assigned], day: date) -> DayPlan:
    """The versions of these rules that are in force on the day."""
    found: dict[tuple[str, str], list[Active]] = {}
    assigned = list(assigned)
    for order, one in enumerate(assigned):
        version = one.rule.version_on(day)
        if version:
            active = Active(one, version, version.is_quiet, order)
            found.setdefault((one.rule.layer, one.rule.scope), []).append(active)
    over: dict[tuple[str, str], list[Active]] = {}
    for active in lapsed(assigned, day):
        over.setdefault((active.assigned.rule.layer, active.assigned.rule.scope), []).append(active)
    return _by_layer(found, over)


def undated_plan(assigned: Iterable[Assigned]) -> DayPlan:
    """All rules, for facts without a date: only where the versions of a rule disagree does it matter."""
    found: dict[tuple[str, str], list[Active]] = {}
    for order, one in enumerate(assigned):
        active = Active(one, one.rule.versions[-1], _never, order)
        found.setdefault((one.rule.layer, one.rule.scope), []).append(active)
    return _by_layer(found, {})


def _never(_: Facts) -> bool:
    return False


def _by_layer(found: Mapping[tuple[str, str], list[Active]], over: Mapping[tuple[str, str], list[Active]]) -> DayPlan:
    def scope(layer: str, name: str) -> ScopePlan:
        active = tuple(found.get((layer, name), ()))
        return ScopePlan(
            active, tuple(one for one in active if one.version.edition), tuple(over.get((layer, name), ()))
        )

    layers = dict.fromkeys(layer for layer, _ in (*found, *over))
    return {layer: LayerPlan(scope(layer, "claim"), scope(layer, "line")) for layer in layers}


def shape_plan(plan: DayPlan, all_facts: AllFacts) -> ShapePlan:
    """The plan for all claims that have the shape of this one; `all_facts`: of it and of its lines, by layer."""
    scopes = [[plan.get(own[0].case.layer, NO_RULES).of(facts) for facts in own] for own in all_facts]
    parted = [list(map(_parted, *pair)) for pair in zip(scopes, all_facts, strict=True)]
    by_claim = scoped((one.by_claim for one in own) for own in parted)
    billed = bool(all_facts[0][0].case.history.billed)
    return ShapePlan(
        rules_run=sum(len(scope.active) for own in scopes for scope in own),
        by_shape=scoped((one.by_shape for one in own) for own in parted),
        by_diagnoses=scoped((one.by_diagnoses for one in own) for own in parted),
        by_claim=by_claim,
        tabled=scoped((one.tabled for one in own) for own in parted),
        asked=frozenset(one for own in parted for scope in own for one in scope.asked),
        known=tuple(tuple(one.known for one in own) for own in parted),
        unshared=_unshared(billed).by_shape,
    )


class _Parted(NamedTuple):
    """What a shape plan has of one scope."""

    by_shape: tuple[Active, ...]
    by_diagnoses: tuple[Active, ...]
    by_claim: tuple[Active, ...]
    tabled: tuple[Active, ...]
    asked: list[Asked]
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

    left = [one for one in scope.judging if not holds(one.version.is_quiet, one.version)]
    by_shape, rest = _split(left, lambda one: unshared.by_shape.isdisjoint(one.version.read))
    by_diagnoses, by_claim = _split(rest, lambda one: unshared.by_diagnoses.isdisjoint(one.version.read))
    known = dict(_derived(shared, {name for one in by_claim for name in one.version.quiet_facts} - unshared.by_shape))
    applies = [one for one in scope.tabled if not holds(one.version.is_off, one.version)]
    decided, tabled = _split(applies, lambda one: unshared.by_shape.isdisjoint(one.version.applies.facts))
    return _Parted(by_shape, by_diagnoses, by_claim, tabled, list(_asked(decided, facts)), known)


def _asked(rules: Iterable[Active], facts: Facts) -> Iterable[Asked]:
    for one in rules:
        with suppress(*MISTAKES):
            yield asked(one.assigned.rule, one.version, facts)


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
