"""A compiled rule: which claims it is for, what it says in which period, and how it judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from string import Formatter
from typing import Literal

from rules.case import Role
from rules.conditions import Condition
from rules.facts import FACTS, Facts, Value, evidence
from rules.report import Citation, Denial, Evidence, Outcome, Severity


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence with facts in braces."""

    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, template: str) -> Text:
        """The template's literal parts and fact names; raises ValueError where its braces do not match."""
        return cls(tuple((literal, name) for literal, name, _, _ in Formatter().parse(template)))

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.parts if name is not None)

    def fill(self, facts: Facts) -> str:
        return "".join(literal + (shown(name, facts[name]) if name else "") for literal, name in self.parts)


def shown(name: str, value: Value) -> str:
    """A fact's value as a biller reads it."""
    if value is None:
        return "(missing)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(evidence(FACTS[name].kind, value))


@dataclass(frozen=True, slots=True)
class Bypass:
    """When a modifier lifts the edit, and what must then be on record."""

    when: Condition
    message: Text
    fix: Text


@dataclass(frozen=True, slots=True)
class Patch:
    """One RFC 6902 operation with `{line}` still in its path."""

    op: str
    path: str
    value: object

    def at(self, line: int) -> dict[str, object]:
        operation: dict[str, object] = {"op": self.op, "path": self.path.replace("{line}", str(line))}
        return operation if self.op == "remove" else operation | {"value": self.value}


@dataclass(frozen=True, slots=True)
class Version:
    """What a rule says from one date of service to another, both inclusive."""

    start: date
    end: date
    severity: Severity
    applies: Condition
    demand: Condition
    wanted: bool
    """True: the demand must hold (require); False: it must not (forbid)."""
    bypass: Bypass | None
    message: Text
    fix: Text
    patch: tuple[Patch, ...]
    denial: Denial | None
    citation: Citation

    def judge(self, facts: Facts) -> Outcome:
        applies = self.applies.test(facts)
        if applies is False:
            return "not_applicable"
        holds = self.demand.test(facts)
        if holds is self.wanted:
            return "pass"
        lifted = self.bypass.when.test(facts) if self.bypass else False
        if lifted:
            return "bypassed"
        if applies is None or holds is None or lifted is None:
            return "undetermined"
        return "fail"

    def read(self) -> tuple[str, ...]:
        """Names of the facts that the version reads, each once."""
        bypass = (*self.bypass.when.facts, *self.bypass.message.facts) if self.bypass else ()
        return tuple(
            dict.fromkeys((*self.applies.facts, *self.demand.facts, *bypass, *self.message.facts, *self.fix.facts))
        )

    def evidence(self, facts: Facts) -> dict[str, Evidence]:
        return {name: evidence(FACTS[name].kind, facts[name]) for name in self.read()}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule file, compiled."""

    code: str
    title: str
    file: str
    """Path in the library without the ending: `64445/medicare/UNT001-one-unit`."""
    payers: tuple[str, ...]
    """`all`, a payer key, or payer/plan."""
    except_payers: tuple[str, ...]
    bills_as: frozenset[Role]
    scope: Literal["line", "claim"]
    status: Literal["draft", "active", "retired"]
    on_void: bool
    versions: tuple[Version, ...]

    @property
    def needs_history(self) -> bool:
        """Whether a version reads what was billed before, so that the rule cannot run without a ledger."""
        return any(FACTS[name].history for version in self.versions for name in version.read())

    def serves(self, payer: str | None, plan: str | None) -> bool:
        """Whether the rule is for this payer's plan; only `all` is for a payer that is not in the registry."""
        names = {payer, f"{payer}/{plan}"} if payer else set()
        return bool(names.union({"all"}).intersection(self.payers)) and not names.intersection(self.except_payers)

    def judge(self, facts: Facts) -> tuple[Outcome, Version]:
        """The outcome on the date of the facts, and the version that gave it.

        Without a date every version is asked: only where they disagree does the missing date matter.
        """
        if facts.day is not None:
            for version in self.versions:
                if version.start <= facts.day <= version.end:
                    return version.judge(facts), version
            return "out_of_range", self.versions[-1]
        outcomes = {version.judge(facts) for version in self.versions}
        if outcomes <= {"pass", "not_applicable"}:
            return "pass", self.versions[-1]
        return "undetermined", self.versions[-1]


def missing_labels(version: Version, facts: Facts) -> list[str]:
    """What a biller must add so that an undetermined rule can be judged."""
    names = [name for name in version.read() if facts[name] is None]
    labels = [FACTS[name].label for name in names]
    if facts.day is None:
        labels.insert(0, "the date of service")
    return list(dict.fromkeys(labels))


def by_code(rules: Iterable[Rule]) -> Mapping[str, tuple[Rule, ...]]:
    """The rules of each code, in order of code and file."""
    found: dict[str, list[Rule]] = {}
    for rule in sorted(rules, key=lambda rule: (rule.code, rule.file)):
        found.setdefault(rule.code, []).append(rule)
    return {code: tuple(several) for code, several in found.items()}
