"""Rules that a claim's head silences, or one of its lines: found once for all claims that share it.

What no later fact can make speak is left out early: of the rules that meet a claim most hang on who bills whom and how,
or on one line alone, and claims that are new as a whole are made of heads and lines that are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from rules.case import Case
from rules.claim import Line
from rules.engine.active import Active, ScopePlan
from rules.engine.recent import Recent
from rules.errors import MISTAKES
from rules.facts import FACTS, Facts, KnownOfClaim, KnownOfLine
from rules.facts.registry import DERIVED, Changed

ALL = frozenset(FACTS)


def _reaching(reach: str) -> frozenset[str]:
    return frozenset(name for name, fact in FACTS.items() if fact.reach == reach)


OF_HEAD, OF_LINE, OF_EACH, OF_LINES = map(_reaching, ("head", "line", "each", "lines"))


_MOST_ADDING = 64
"""Of one head, what the lines of a claim may add to together."""


class Unshared(NamedTuple):
    """Facts that differ among claims with the same shape, and among those with the same diagnoses as well."""

    by_shape: frozenset[str]
    by_diagnoses: frozenset[str]


@cache
def unshared(billed: bool) -> Unshared:
    """`billed`: there are earlier claims; without them, the shape gives the facts of history too."""
    of_claim = frozenset(name for name, fact in FACTS.items() if fact.own or (fact.history and billed))
    return Unshared(of_claim.union(name for name, fact in FACTS.items() if fact.diagnoses), of_claim)


class Left(NamedTuple):
    """The rules of one scope that may have something to say, by what is known so far."""

    judging: tuple[Active, ...]
    tabled: tuple[Active, ...]
    """Those that may look into a dated table."""
    known: Mapping[str, Any]
    """The facts that were derived so far."""
    unsure: tuple[Active, ...]
    """Those of `judging` that the facts to come may silence."""
    unsure_tabled: tuple[Active, ...]
    """Those of `tabled` that they may put off."""

    def by(self, facts: Facts, *, later: frozenset[str], unknown: frozenset[str]) -> Left:
        """Less those that these facts silence. `later`: the facts that come next; `unknown`: those that even then are
        not known."""
        quiet, off = silenced(self.unsure, facts), put_off(self.unsure_tabled, facts)
        judging = tuple([one for one in self.judging if one not in quiet])
        tabled = tuple([one for one in self.tabled if one not in off])
        return Left(judging, tabled, dict(facts), _unsure(judging, later, unknown), _unsure(tabled, later, unknown))


def _unsure(rules: Iterable[Active], later: frozenset[str], unknown: frozenset[str]) -> tuple[Active, ...]:
    """A fact that a rule asks whether it is missing has to be known before the rule can be tried."""
    return tuple(
        [
            one
            for one in rules
            if not later.isdisjoint(one.version.quiet_facts) and unknown.isdisjoint(one.version.asked_missing)
        ]
    )


def silenced(rules: Sequence[Active], facts: Facts) -> frozenset[Active]:
    """Those that are quiet by these facts, whatever the unknown ones are."""
    try:
        return frozenset([one for one in rules if one.is_quiet(facts)])
    except MISTAKES:  # a rule that raises is to be found by judging it
        return _those_that(lambda one: one.is_quiet(facts), rules)


def put_off(rules: Sequence[Active], facts: Facts) -> frozenset[Active]:
    """Those that do not apply by these facts, whatever the unknown ones are."""
    try:
        return frozenset([one for one in rules if one.version.is_off(facts)])
    except MISTAKES:
        return _those_that(lambda one: one.version.is_off(facts), rules)


def _those_that(test: Callable[[Active], bool], rules: Iterable[Active]) -> frozenset[Active]:
    found = set()
    for one in rules:
        with suppress(*MISTAKES):
            if test(one):
                found.add(one)
    return frozenset(found)


class OfLine(NamedTuple):
    """What claims of one head share of a line."""

    left: Left
    adds: frozenset[str]
    """The facts of the claim, of those that are collected from the lines one by one, to which it adds."""


class LayerHead:
    """The rules of one layer, by what all lines of a claim share. Itself a key: equal only to itself."""

    def __init__(self, claim: ScopePlan, line: ScopePlan, case: Case) -> None:
        self.rules_run = len(claim.active), len(line.active)
        """How many are in force for the claim as a whole, and for each line."""
        self._unshared = unshared(bool(case.history.billed)).by_shape
        facts = KnownOfClaim(case, ALL - OF_HEAD, {})
        self._claim = _all_of(claim).by(facts, later=OF_EACH, unknown=ALL - OF_HEAD - OF_EACH)
        self._line = _all_of(line).by(facts, later=OF_LINE, unknown=ALL - OF_HEAD - OF_LINE)
        self._each = OF_EACH.intersection(name for one in self._claim.judging for name in one.version.read)
        self._by_adding = Recent[Left](_MOST_ADDING)

    def claim(self, added: frozenset[str], case: Case) -> Left:
        """The rules on the claim as a whole, where its lines add to no more than these facts."""
        found = self._by_adding.get(added)
        if found is None:
            empty = OF_EACH - added
            unknown = ALL - OF_HEAD - empty
            facts = KnownOfClaim(case, unknown, {**self._claim.known, **dict.fromkeys(empty, ())})
            # A fact to which a line adds is not known before the shape is.
            left = self._claim._replace(
                unsure=_unsure(self._claim.unsure, empty, unknown),
                unsure_tabled=_unsure(self._claim.unsure_tabled, empty, unknown),
            )
            found = left.by(facts, later=unknown - self._unshared, unknown=self._unshared)
            self._by_adding[added] = found
        return found

    def line(self, case: Case, line: Line, *, judged: bool) -> OfLine:
        """The rules on such a line. `judged`: the layer judges it."""
        unknown = ALL - OF_HEAD - OF_LINE
        left = _NOTHING
        if judged:
            facts = KnownOfLine(KnownOfClaim(case, unknown, self._line.known), line, unknown, self._line.known)
            left = self._line.by(facts, later=unknown - self._unshared, unknown=self._unshared)
        claim: Any = Changed(case.claim, lines=(line,))
        alone = case._replace(claim=claim, lines=(line,) if judged else (), cache={})
        return OfLine(left, frozenset(name for name in self._each if _adds(alone, name)))


_NOTHING = Left((), (), {}, (), ())


def _all_of(scope: ScopePlan) -> Left:
    unknown = ALL - OF_HEAD
    tried = [
        [one for one in rules if unknown.isdisjoint(one.version.asked_missing)]
        for rules in (scope.judging, scope.tabled)
    ]
    return Left(scope.judging, scope.tabled, {}, *map(tuple, tried))


def _adds(alone: Case, name: str) -> bool:
    try:
        return bool(DERIVED[name](alone) != ())
    except MISTAKES:
        return True
