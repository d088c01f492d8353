"""The rule book: rules, payers, tables and sources of one folder, under one version and one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from rules.case import Role
from rules.payers import Registry, Selection
from rules.report import Severity
from rules.rule import Rule
from rules.sources import Source
from rules.tables import Table

Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rule as one kind of claim meets it."""

    rule: Rule
    at_most: Severity | None = None
    """A ceiling on its severity: rules that a Medicare Advantage plan takes over from Medicare."""


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
    _assigned: dict[tuple[object, ...], tuple[Assigned, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def assigned(self, selection: Selection, role: Role, void: bool, consulted: bool) -> tuple[Assigned, ...]:
        """The rules for one kind of claim, found once and kept; `consulted`: its history is known."""
        key = (selection.payer, selection.plan, selection.line_of_business, role, void, consulted)
        found = self._assigned.get(key)
        if found is None:
            found = self._assigned[key] = tuple(self._find(selection, role, void, consulted))
        return found

    def _find(self, selection: Selection, role: Role, void: bool, consulted: bool) -> list[Assigned]:
        able = [
            rule
            for rule in self.rules
            if rule.status != "retired"
            and role in rule.bills_as
            and (rule.on_void or not void)
            and (consulted or not rule.needs_history)
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


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over name, length and content of the files in the order of their names; line ends do not count."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
