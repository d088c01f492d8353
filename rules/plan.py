"""Plans: the rule versions that can have anything to say on a claim, of those that are in force.

A plan is made for claims of one kind, period and shape. With the facts that rest on the shape alone known and all
others unknown, a version that is quiet is quiet whatever the others are, and is left out; so most claims meet the few
rules that hang on their amounts, dates, identifiers and diagnoses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from rules.facts import FACTS, ClaimFacts, Facts, LineFacts
from rules.report import Severity
from rules.rule import Rule, Version

if TYPE_CHECKING:
    from rules.book import Tables


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rule as one kind of claim meets it."""

    rule: Rule
    at_most: Severity | None = None
    """A ceiling on its severity: rules that a Medicare Advantage plan takes over from Medicare."""


@dataclass(frozen=True, slots=True)
class Active:
    """A rule with its version of the day."""

    assigned: Assigned
    version: Version
    is_quiet: Callable[[Facts], bool]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be judged of the claim as a whole, or of one line."""

    run: int
    """How many versions are in force."""
    active: tuple[Active, ...]
    """Those of them that may have something to say."""
    known: Mapping[str, Any]
    """The facts that are known from the shape."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is in force on one date for one kind of claim."""

    claim: Scope
    line: Scope


@dataclass(frozen=True, slots=True)
class ShapedPlan:
    """The same for claims of one shape: each line on trial has a scope of its own."""

    claim: Scope
    lines: tuple[Scope, ...]


def plan_of(assigned: Iterable[Assigned], day: date) -> Plan:
    """The versions of these rules that are in force on the day."""
    found: dict[str, list[Active]] = {"claim": [], "line": []}
    for one in assigned:
        version = one.rule.version_on(day)
        if version:
            found[one.rule.scope].append(Active(one, version, version.is_quiet))
    return Plan(*(Scope(len(active), tuple(active), {}) for active in found.values()))


def shaped(plan: Plan, claim: ClaimFacts, lines: Iterable[LineFacts]) -> ShapedPlan:
    """The plan for all claims that have the shape of this one."""
    return ShapedPlan(_shaped(plan.claim, claim), tuple(_shaped(plan.line, facts) for facts in lines))


def _shaped(scope: Scope, facts: Facts) -> Scope:
    shared = _Shared(facts)
    left = tuple(one for one in scope.active if not _is_quiet_for_all(one.version, shared))
    read = dict.fromkeys(name for one in left for name in one.version.quiet_facts if not FACTS[name].own)
    return Scope(scope.run, left, {name: shared[name] for name in read})


def _is_quiet_for_all(version: Version, shared: _Shared) -> bool:
    if any(FACTS[name].own for name in version.asked_missing):
        return False
    try:
        return version.is_quiet(shared)  # type: ignore[arg-type]  # the shared facts stand in for all of them
    except Exception:  # a rule that raises is to be found by judging it
        return False


class _Shared(dict[str, Any]):
    """The facts of a claim that rest on its shape; the others are unknown, which is how a missing fact is told."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.case = facts.case
        self.day = facts.day

    def __missing__(self, name: str) -> Any:
        value = self[name] = None if FACTS[name].own else self._facts[name]
        return value


def turning_points(rules: Iterable[Rule], tables: Tables) -> tuple[date, ...]:
    """The days, in order, on which a version of any of the rules or a row of any table begins or is over."""
    spans = [(version.start, version.end) for rule in rules for version in rule.versions]
    spans += [(start, end) for table in tables.values() for rows in table.spans.values() for start, end, _ in rows]
    over = {end + timedelta(days=1) for _, end in spans if end < date.max}
    return tuple(sorted(over.union(start for start, _ in spans)))
