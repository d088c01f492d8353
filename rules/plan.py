"""Plans: the rule versions that can have anything to say on a claim, of those that are in force.

A plan is made for claims of one kind, period and shape. With the facts that rest on the shape alone known and all
others unknown, a version that is quiet is quiet whatever the others are, and is left out; so most claims meet the few
rules that hang on their amounts, dates, identifiers and diagnoses. Those that hang on the shape and the diagnoses alone
are tried once for claims that share both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rules.case import Case, Role
from rules.facts import FACTS, ClaimFacts, Facts, LineFacts
from rules.facts.parts import edition_of
from rules.payers import Selection
from rules.report import EditionId, OverrideId, Severity
from rules.rule import Rule, Version

if TYPE_CHECKING:
    from rules.book import Tables

VOID = "8"


class Kind(NamedTuple):
    """What decides which rules meet a claim."""

    selection: Selection
    role: Role
    void: bool
    """Whether it voids another claim."""
    consulted: bool
    """Whether its history is known."""
    provider: str | None = None
    """Billing NPI, where an override names it."""


def kind_of(case: Case) -> Kind:
    """The kind of a claim."""
    return Kind(
        case.selection, case.role, case.claim.frequency_code == VOID, case.history.state == "consulted", case.provider
    )


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rule as one kind of claim meets it."""

    rule: Rule
    at_most: Severity | None = None
    """A ceiling on its severity: rules that a Medicare Advantage plan takes over from Medicare."""
    override: OverrideId | None = None
    """The override of the hospital that touches it."""
    published: bool = False
    """Whether it is the book's own, where that override put something else, or nothing, in its place."""


@dataclass(frozen=True, slots=True)
class Active:
    """A rule with its version of the day."""

    assigned: Assigned
    version: Version
    is_quiet: Callable[[Facts], bool]
    place: int
    """Among all that are in force: a rule that is taken over comes after the payer's own."""


Suspects = tuple[tuple[Active, ...], ...]
"""Rules that are not quiet: of the claim as a whole, then of each line on trial."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be judged of the claim as a whole, or of one line."""

    run: int
    """How many versions are in force."""
    active: tuple[Active, ...]
    """Those of them that may have something to say."""
    coded: tuple[Active, ...] = ()
    """Those that may have something to say for some diagnoses, whatever else the claim does not share with others."""
    tabled: tuple[Active, ...] = ()
    """Versions that look into a dated table and may apply: the report names the edition that judged."""
    editions: tuple[EditionId, ...] = ()
    """Editions that the shape alone decides."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """The facts that are known from the shape."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is in force on one date for one kind of claim."""

    claim: Scope
    line: Scope


@dataclass(frozen=True, slots=True, eq=False)
class ShapedPlan:
    """The same for claims of one shape. Itself a key: equal only to itself."""

    scopes: tuple[Scope, ...]
    """Of the claim, then of each line on trial."""
    editions: tuple[EditionId, ...] | None
    """All that were looked into, in order; None: more than the shape decides that."""


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
    return Scope(len(active), tuple(active), tabled=tuple(one for one in active if one.version.edition))


def edition_id(version: Version, facts: Facts) -> EditionId:
    """The edition of the version's table that judges these facts: an imported one, or the shipped rows."""
    assert version.edition is not None
    imported = edition_of(facts, version.edition.table)
    return imported.named if imported else version.edition


def shaped(plan: Plan, claim: ClaimFacts, lines: Iterable[LineFacts]) -> ShapedPlan:
    """The plan for all claims that have the shape of this one."""
    scopes = (_shaped(plan.claim, claim), *(_shaped(plan.line, facts) for facts in lines))
    found = None if any(one.tabled for one in scopes) else {edition for one in scopes for edition in one.editions}
    return ShapedPlan(scopes, None if found is None else in_order(found))


def in_order(editions: Iterable[EditionId]) -> tuple[EditionId, ...]:
    """By table, title and release."""
    return tuple(sorted(editions, key=lambda one: (one.table, one.title, one.edition or "")))


def _shaped(scope: Scope, facts: Facts) -> Scope:
    own, uncoded = _own(bool(facts.case.history.billed))
    shared = facts.shared(own)
    left = [one for one in scope.active if not _holds(one.version.is_quiet, one.version, shared, own)]
    known = {name: shared[name] for one in left for name in one.version.quiet_facts if name not in own}
    coded, rest = _parted(left, lambda one: uncoded.isdisjoint(one.version.quiet_facts))
    applies = [one for one in scope.tabled if not _holds(one.version.is_off, one.version, shared, own)]
    decided, tabled = _parted(applies, lambda one: own.isdisjoint(one.version.applies.facts))
    editions = dict.fromkeys(edition_id(one.version, facts) for one in decided)
    return Scope(scope.run, rest, coded, tabled, tuple(editions), known)


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
    except Exception:  # a rule that raises is to be found by judging it
        return False


def turning_points(rules: Iterable[Rule], tables: Tables, others: Iterable[tuple[date, date]] = ()) -> tuple[date, ...]:
    """The days, in order, on which a version of any of the rules, a row of any table or another period begins or is
    over."""
    spans = [*others]
    spans += [(version.start, version.end) for rule in rules for version in rule.versions]
    reigns = (rows for table in tables.values() for rows in table.reigns.values())
    spans += [(start, end) for rows in reigns for start, end, _ in rows]
    over = {end + timedelta(days=1) for _, end in spans if end < date.max}
    return tuple(sorted(over.union((start for start, _ in spans), *(table.turns for table in tables.values()))))
