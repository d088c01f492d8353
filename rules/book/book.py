"""The rule book: rules, payers, tables and sources of one folder, under one version and one digest."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from rules.book.assignment import Assigned, Kind
from rules.book.overrides import Overrides
from rules.book.rule import COMMON, Rule
from rules.book.sources import Source
from rules.engine.plan import Plan, plan_of, turning_points
from rules.engine.recent import Recent
from rules.engine.verdict import Kept, Said
from rules.payers import Registry
from rules.report import BookId
from rules.tables.table import Tables

MOST_SHAPES = 6_000
"""Shapes of claims whose plans are kept."""
MOST_CODED = 20_000
"""The same of shapes with their diagnoses."""


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
    overrides: Overrides = field(default_factory=Overrides)
    """What the hospital decided otherwise."""
    _assigned: dict[Kind, tuple[Assigned, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _plans: dict[Kind, list[Plan | None]] = field(default_factory=dict, init=False, repr=False, compare=False)
    shaped: Recent[Kept] = field(default_factory=lambda: Recent(MOST_SHAPES), init=False, repr=False, compare=False)
    """By payer, period and shape of the claim."""
    coded: Recent[Said] = field(default_factory=lambda: Recent(MOST_CODED), init=False, repr=False, compare=False)
    """What the rules say that rest on shape and diagnoses, by plan and diagnoses."""

    def assigned(self, kind: Kind) -> tuple[Assigned, ...]:
        """The rules for one kind of claim, found once and kept."""
        found = self._assigned.get(kind)
        if found is None:
            found = self._assigned[kind] = tuple(self._find(kind))
        return found

    def period(self, day: date) -> int:
        """Days of the same period have the same versions of all rules, the same rows of all tables, and are covered or
        not."""
        return bisect_right(self._turns, day)

    @cached_property
    def _turns(self) -> tuple[date, ...]:
        covered = (self.covers_from, *(payer.covers_from for payer in self.registry.payers.values()))
        periods = [*self.overrides.turns, *((start, date.max) for start in covered)]
        return turning_points(self.rules, self.tables, periods)

    def plan(self, kind: Kind, day: date) -> Plan:
        """The rule versions in force for one kind of claim on a date of service, found once a period and kept."""
        plans = self._plans.setdefault(kind, [None] * (len(self._turns) + 1))
        place = self.period(day)
        found = plans[place]
        if found is None:
            found = plans[place] = plan_of(self.assigned(kind), day)
        return found

    def _find(self, kind: Kind) -> list[Assigned]:
        selection = kind.selection
        able = [
            rule
            for rule in self.rules
            if rule.status != "retired"
            and kind.role in rule.bills_as
            and (rule.on_void or not kind.void)
            and (kind.consulted or not rule.needs_history)
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
        return self.overrides.assign(found, kind) if self.overrides.entries else found

    def covers_from_of(self, payer: str | None) -> date:
        """First date of service that the book speaks of for this payer."""
        return max(self.covers_from, self.registry.payers[payer].covers_from) if payer else self.covers_from

    @cached_property
    def ruled(self) -> frozenset[str]:
        """The payers with an active rule of their own, in the folder of their name; to be registered is not enough."""
        return frozenset(rule.file.split("/")[-2] for rule in self.rules if rule.status == "active") - {COMMON}

    def narrowed(self, rules: Iterable[Rule]) -> Book:
        """The book with these of its rules alone; which payers have rules of their own stays as it is."""
        found = replace(self, rules=tuple(rules))
        found.__dict__["ruled"] = self.ruled
        return found

    @cached_property
    def named(self) -> BookId:
        """As a report names it."""
        return BookId(self.version, self.digest)

    @property
    def label(self) -> str:
        """As people tell it: an edited book may have the version of another."""
        return f"{self.version}+{self.digest[:8]}"

    @cached_property
    def files(self) -> Mapping[str, Rule]:
        """The rules by file."""
        return {rule.file: rule for rule in self.rules}


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over name, length and content of the files in the order of their names; line ends do not count."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
