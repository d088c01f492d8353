"""The rule book: rules, payers, tables and sources of one folder, under one version and one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from rules.book.assignment import OF_HOME, OF_HOST, OF_MEDICARE, OF_PAYER, Assigned, ClaimKind
from rules.book.overrides import Overrides
from rules.book.rule import Rule
from rules.book.sources import Source
from rules.payers import Registry, Selection
from rules.procedures import Procedure
from rules.report import BookId
from rules.tables.edition import Edition
from rules.tables.editions import merged
from rules.tables.table import Table, Tables
from rules.terms import COMMON, FORM


@dataclass(frozen=True)
class Book:
    """Immutable; the same book and claim give the same report."""

    version: str
    digest: str
    """SHA-256 over path and content of every file of the book, hexadecimal."""
    procedures: Mapping[str, Procedure]
    """The packages, by name."""
    covers_from: date
    """First date of service that the common rules are meant for."""
    registry: Registry
    sources: Mapping[str, Source]
    tables: Tables
    """Those for all procedures."""
    rules: tuple[Rule, ...]
    overrides: Overrides = field(default_factory=Overrides)
    """What the hospital decided otherwise."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Where the rules of each layer lie."""
    formerly: str = ""
    """The folder in which releases 0.1 had all rules."""
    own: Mapping[str, Tables] = field(default_factory=dict)
    """By procedure the tables as its rules see them, with the rows of its package."""
    beside: dict[type, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Room for what a layer above works out from the book, by the type that it keeps; a changed copy begins empty."""

    def assign(self, kind: ClaimKind) -> list[Assigned]:
        """The rules for one kind of claim."""
        selection = kind.selection
        able = [
            rule
            for rule in self.rules
            if rule.status != "retired"
            and kind.role in rule.bills_as
            and (rule.on_void or not kind.void)
            and (kind.consulted or not rule.needs_history)
            and kind.carried.issuperset(rule.needs)
        ]
        found = [self._own(rule, selection) for rule in able if self.asks(rule, selection)]
        advantage = self.registry.advantage()
        if advantage and selection.line_of_business == "medicare_advantage" and selection.payer != "medicare":
            own = {assigned.rule.file for assigned in found}
            found += [
                Assigned(rule, advantage.at_most, whose=OF_MEDICARE)
                for rule in able
                if rule.code in advantage.codes and rule.serves("medicare", None) and rule.file not in own
            ]
        return self.overrides.assign(found, kind) if self.overrides.entries else found

    def asks(self, rule: Rule, selection: Selection) -> bool:
        """Whether the rule is for this payer's plan: on what the member's own plan decides, for that one. What the plan
        that takes the claim says of that is heard as well."""
        home, key, host = self.registry.home(selection), selection.payer, selection.plan
        if home is None or rule.code[:3] not in home.subjects:
            return rule.serves(key, host)
        return rule.serves(key, selection.home) or (f"{key}/{host}" in rule.payers and rule.serves(key, host))

    def blocking(self, kind: ClaimKind) -> frozenset[str]:
        """Codes of the rules that may hold claims of a kind, whatever their dates; those that only observe are among
        them."""
        known: dict[ClaimKind, frozenset[str]] = self.beside.setdefault(ClaimKind, {})
        if kind not in known:
            able = (one for one in self.assign(kind) if one.rule.status == "active" and not one.published)
            holding = (one for one in able if one.at_most in (None, "block"))
            known[kind] = frozenset(
                one.rule.code for one in holding if any(version.severity == "block" for version in one.rule.versions)
            )
        return known[kind]

    @cached_property
    def codes(self) -> Mapping[str, str]:
        """The procedure codes that a package is for, each with the package's name."""
        return {code: name for name, package in self.procedures.items() for code in package.codes}

    @property
    def former(self) -> bool:
        """Whether it has the layout of releases 0.1, whose rules were written for facts as they were then."""
        return bool(self.folders) and FORM not in self.folders

    @cached_property
    def layers(self) -> frozenset[str]:
        """The layers that have a rule."""
        return frozenset(rule.layer for rule in self.rules)

    @cached_property
    def with_rules(self) -> frozenset[str]:
        """The procedure codes that a package is for."""
        return frozenset(self.codes)

    @property
    def procedure(self) -> str:
        """The first of its procedures."""
        return next(iter(self.procedures))

    def _own(self, rule: Rule, selection: Selection) -> Assigned:
        """A rule for the claim's payer, with a ceiling where it may not bind the member's plan."""
        key = selection.payer
        plan, home = f"{key}/{selection.plan}", self.registry.home(selection)
        if key and home and rule.code[:3] in home.subjects:
            if f"{key}/{selection.home}" in rule.payers:
                named = self.registry.payers[key].plans[selection.home or ""].name
                return Assigned(rule, home.own_at_most, whose=OF_HOME.format(plan=named))
            if plan in rule.payers:
                return Assigned(rule, home.at_most, whose=OF_HOST)
        ceiling = self.registry.ceiling(selection)
        if ceiling is None or key not in rule.payers or plan in rule.payers or rule.groups:
            return Assigned(rule)
        payer = self.registry.payers[key]
        named = OF_PAYER.format(payer=payer.name, plan=payer.plans[selection.plan or ""].name)
        return Assigned(rule, ceiling, whose=named)

    def covers_from_of(self, payer: str | None) -> date:
        """First date of service that the book speaks of for this payer."""
        return max(self.covers_from, self.registry.payers[payer].covers_from) if payer else self.covers_from

    @cached_property
    def ruled(self) -> frozenset[str]:
        """The payers with an active rule of their own, in the folder of their name; to be registered is not enough."""
        return frozenset(rule.owner for rule in self.rules if rule.status == "active") - {COMMON}

    def with_editions(self, editions: Sequence[Edition]) -> Book:
        """The book with editions of official tables in place of shipped rows; its digest stays."""
        names = {edition.table for edition in editions}
        if not names:
            return self

        def together(tables: Tables) -> Tables:
            several = {name: [one for one in editions if one.table == name] for name in names & tables.keys()}
            return {**tables, **{name: merged(tables[name], found) for name, found in several.items()}}

        own = {name: together(tables) for name, tables in self.own.items()}
        return replace(self, tables=together(self.tables), own=own)

    @property
    def every_table(self) -> Iterator[Table]:
        """Those for all procedures, then those of each package."""
        for tables in (self.tables, *self.own.values()):
            yield from tables.values()

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
        """As it is named to people: an edited book may have the version of another."""
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
