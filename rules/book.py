"""The rule book: rules, payers, tables and sources of one folder, under one version and one digest."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from rules.case import Role
from rules.facts import Facts
from rules.payers import Registry, Selection
from rules.report import Severity
from rules.rule import Rule, Version
from rules.sources import Source
from rules.tables import Table

Tables = Mapping[str, Table]
Kind = tuple[str | None, str | None, str | None, Role, bool]
"""Payer, plan, line of business, who bills, and whether the claim voids another: what decides which rules meet it."""


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
class Plan:
    """What is in force for one kind of claim on one date: rules of the whole claim, and rules of each line."""

    claim: tuple[Active, ...]
    line: tuple[Active, ...]


@dataclass(frozen=True)
class Book:
    """Immutable; the same book and claim give the same report."""

    version: str
    digest: str
    """SHA-256 over path and content of every file of the book, hexadecimal."""
    procedure: str
    covers_from: date
    """First date of service that the common rules are meant for."""
    registry: Registry
    sources: Mapping[str, Source]
    tables: Tables
    rules: tuple[Rule, ...]
    _assigned: dict[Kind, tuple[Assigned, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _periods: dict[Kind, tuple[tuple[date, ...], list[Plan | None]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def assigned(self, selection: Selection, role: Role, void: bool) -> tuple[Assigned, ...]:
        """The rules for one kind of claim, found once and kept."""
        kind = (selection.payer, selection.plan, selection.line_of_business, role, void)
        found = self._assigned.get(kind)
        if found is None:
            found = self._assigned[kind] = tuple(self._find(selection, role, void))
        return found

    def plan(self, selection: Selection, role: Role, void: bool, day: date) -> Plan:
        """The rule versions in force for one kind of claim on a date of service, found once a period and kept."""
        kind = (selection.payer, selection.plan, selection.line_of_business, role, void)
        if kind not in self._periods:
            turns = turning_points(assigned.rule for assigned in self.assigned(selection, role, void))
            self._periods[kind] = (turns, [None] * (len(turns) + 1))
        turns, plans = self._periods[kind]
        place = bisect_right(turns, day)
        found = plans[place]
        if found is None:
            found = plans[place] = plan_of(self.assigned(selection, role, void), day)
        return found

    def _find(self, selection: Selection, role: Role, void: bool) -> list[Assigned]:
        able = [
            rule
            for rule in self.rules
            if rule.status != "retired" and role in rule.bills_as and (rule.on_void or not void)
        ]
        found = [Assigned(rule) for rule in able if rule.serves(selection.payer, selection.plan)]
        advantage = self.registry.advantage()
        if advantage and selection.line_of_business == "medicare_advantage" and selection.payer != "medicare":
            own = {assigned.rule.file for assigned in found}
            found += [
                Assigned(rule, advantage.at_most)
                for rule in able
                if rule.code in advantage.codes and rule.serves("medicare", None) and rule.file not in own
            ]
        return found

    def covers_from_of(self, payer: str | None) -> date:
        """First date of service that the book speaks of for this payer."""
        return max(self.covers_from, self.registry.payers[payer].covers_from) if payer else self.covers_from

    @cached_property
    def files(self) -> Mapping[str, Rule]:
        """The rules by file."""
        return {rule.file: rule for rule in self.rules}


def plan_of(assigned: Iterable[Assigned], day: date) -> Plan:
    """The versions of these rules that are in force on the day."""
    claim: list[Active] = []
    line: list[Active] = []
    for one in assigned:
        version = one.rule.version_on(day)
        if version:
            (claim if one.rule.scope == "claim" else line).append(Active(one, version, version.is_quiet))
    return Plan(tuple(claim), tuple(line))


def turning_points(rules: Iterable[Rule]) -> tuple[date, ...]:
    """The days, in order, on which a version of any of the rules begins, or is over for the first time."""
    versions = [version for rule in rules for version in rule.versions]
    over = {version.end + timedelta(days=1) for version in versions if version.end < date.max}
    return tuple(sorted(over.union(version.start for version in versions)))


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over name, length and content of the files in the order of their names; line ends do not count."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
