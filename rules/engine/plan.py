"""Plans: the rule versions that can have anything to say on a claim, of those that are in force.

A day plan is made for claims of one kind on one date, a shape plan for claims of one kind, period and shape. With the
facts that rest on the shape alone known and all others unknown, a version that is quiet is quiet whatever the others
are, and is left out. The others are parted by what they read: see README.md in this folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from rules.book.assignment import Assigned
from rules.case import Case
from rules.engine.active import Active, AllFacts, Cases, ScopedRules, ScopePlan
from rules.engine.asked import Asked, asked
from rules.engine.fused import Fused, fused
from rules.engine.lapsed import lapsed
from rules.engine.narrowing import OF_LINES, Left, put_off, silenced, unshared
from rules.errors import MISTAKES
from rules.facts import Facts, KnownOfClaim, KnownOfLine, LineFacts


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
    """By scope the facts that `by_diagnoses` and `by_claim` read and the shape gives."""
    unshared: frozenset[str]
    """The facts that the shape does not give."""
    _fused: dict[str, Fused | None] = field(default_factory=dict)

    def fused(self, name: Literal["by_diagnoses", "by_claim"]) -> Fused | None:
        """These rules as one function; None: they are to be asked one by one. Made when the second claim of the shape
        asks: of many shapes there is one claim, and making it costs as much as judging several."""
        if name not in self._fused:
            self._fused[name] = fused(self.by_claim if name == "by_claim" else self.by_diagnoses, self.unshared)
        return self._fused[name]


@lru_cache(maxsize=4_096)
def _one(rules: ScopedRules) -> ScopedRules:
    """Plans of many shapes have the same rules: they share them."""
    return rules


def scoped(layers: Iterable[Iterable[Iterable[Active]]]) -> ScopedRules:
    """The rules of the claim and of its lines, by layer."""
    return _one(
        tuple(
            [
                ((layer, number), one)
                for layer, scopes in enumerate(layers)
                for number, rules in enumerate(scopes)
                for one in rules
            ]
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


class LayerLeft(NamedTuple):
    """The rules of a layer that a claim's head and its lines leave."""

    rules_run: int
    """How many are in force."""
    scopes: Sequence[Left]
    """For the claim as a whole, then for each line."""
    together: list[dict[str, Any]]
    """By scope, facts on the lines together that were derived for another payer; what is derived now comes to it."""


class Shared(NamedTuple):
    """The plan for claims of a shape, and what was derived on the way: by layer and scope."""

    plan: ShapePlan
    facts: AllFacts


def shape_plan(layers: Sequence[LayerLeft], cases: Cases) -> Shared:
    """The plan for all claims that have the shape of this one."""
    billed = bool(cases[0].history.billed)
    all_facts = [_known(case, layer, unshared(billed).by_shape) for case, layer in zip(cases, layers, strict=True)]
    parted = [
        [_parted(*scope, billed=billed) for scope in zip(layer.scopes, layer.together, facts, strict=True)]
        for layer, facts in zip(layers, all_facts, strict=True)
    ]
    plan = ShapePlan(
        rules_run=sum(layer.rules_run for layer in layers),
        by_shape=scoped([[one.rules.by_shape for one in own] for own in parted]),
        by_diagnoses=scoped([[one.rules.by_diagnoses for one in own] for own in parted]),
        by_claim=scoped([[one.rules.by_claim for one in own] for own in parted]),
        tabled=scoped([[one.tabled for one in own] for own in parted]),
        asked=frozenset([one for own in parted for scope in own for one in scope.asked]),
        known=tuple([tuple([one.known for one in own]) for own in parted]),
        unshared=unshared(billed).by_shape,
    )
    return Shared(plan, all_facts)


def _known(case: Case, layer: LayerLeft, unknown: frozenset[str]) -> list[Facts]:
    """The facts of the claim and of its lines, as far as the shape gives them."""
    known = [{**left.known, **together} for left, together in zip(layer.scopes, layer.together, strict=True)]
    claim = KnownOfClaim(case, unknown, known[0])
    return [claim, *[KnownOfLine(claim, line, unknown, own) for line, own in zip(case.lines, known[1:], strict=True)]]


class _Split(NamedTuple):
    """Rules by what they rest on."""

    by_shape: tuple[Active, ...]
    by_diagnoses: tuple[Active, ...]
    by_claim: tuple[Active, ...]
    read: frozenset[str]
    """The facts of the shape that decide whether the last two are quiet."""


class _Parted(NamedTuple):
    """What a shape plan has of one scope."""

    rules: _Split
    tabled: tuple[Active, ...]
    asked: list[Asked]
    known: Mapping[str, Any]


_SILENT = _Parted(_Split((), (), (), frozenset()), (), [], {})


def _parted(left: Left, together: dict[str, Any], facts: Facts, *, billed: bool) -> _Parted:
    if not left.judging and not left.tabled:
        return _SILENT
    before = len(facts)
    quiet, off = silenced(left.unsure, facts), put_off(left.unsure_tabled, facts)
    rules = _split(tuple([one for one in left.judging if one not in quiet]) if quiet else left.judging, billed)
    decided, tabled = _looking(tuple([one for one in left.tabled if one not in off]) if off else left.tabled, billed)
    known = dict(_derived(facts, rules.read))
    if len(facts) > before:
        together.update([(name, value) for name, value in facts.items() if name in OF_LINES])
    return _Parted(rules, tabled, list(_asked(decided, facts)), known)


@lru_cache(maxsize=4_096)
def _split(rules: tuple[Active, ...], billed: bool) -> _Split:
    of_shape, of_diagnoses = unshared(billed)
    by_shape = tuple(one for one in rules if of_shape.isdisjoint(one.version.read))
    rest = [one for one in rules if one not in by_shape]
    by_diagnoses = tuple(one for one in rest if of_diagnoses.isdisjoint(one.version.read))
    by_claim = tuple(one for one in rest if one not in by_diagnoses)
    return _Split(
        by_shape, by_diagnoses, by_claim, frozenset(n for one in rest for n in one.version.quiet_facts) - of_shape
    )


@lru_cache(maxsize=4_096)
def _looking(rules: tuple[Active, ...], billed: bool) -> tuple[tuple[Active, ...], tuple[Active, ...]]:
    """Those that are sure to look into their table, and those of which the shape does not say."""
    of_shape = unshared(billed).by_shape
    sure = tuple(one for one in rules if of_shape.isdisjoint(one.version.applies.facts))
    return sure, tuple(one for one in rules if one not in sure)


def _asked(rules: Iterable[Active], facts: Facts) -> Iterable[Asked]:
    for one in rules:
        with suppress(*MISTAKES):
            yield asked(one.assigned.rule, one.version, facts)


def _derived(facts: Facts, names: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for name in names:
        with suppress(*MISTAKES):  # the rule that reads it is found by judging it
            yield name, facts[name]
