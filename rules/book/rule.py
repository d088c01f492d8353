"""A compiled rule: which claims it is for, what it says in which period, and how it judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from string import Formatter
from typing import Any

from rules.book.logic import NEVER, Condition, compiled, negated
from rules.book.suggested import ChangeClass, Step
from rules.claim import Role
from rules.errors import MISTAKES
from rules.facts import FACTS, Facts, Value, dated_on, evidence
from rules.report import Citation, Denial, EditionId, Evidence, GapKind, Outcome
from rules.terms import FORM, OVERRIDES, PROCEDURES, RuleScope, RuleStatus, Severity

DATE = "the date of service"
"""Label of what a biller adds where a line has no date."""


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
        text = "".join([literal + shown(name, facts[name]) if name else literal for literal, name in self.parts])
        return text[:1].upper() + text[1:]


def shown(name: str, value: Value) -> str:
    """A fact's value as a biller reads it: `line 2`, `lines 1 and 3`, `25 and 59`, `$450.00`, `2026-07-13`."""
    if value is None:
        return "(missing)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    kind = FACTS[name].kind
    if isinstance(value, tuple):
        noun = "" if kind != "lines" or not value else "line " if len(value) == 1 else "lines "
        return noun + (enumerated(tuple(map(str, value))) or "none")
    text = str(evidence(kind, value))
    return f"${text}".replace("$-", "-$") if kind == "money" else text


def enumerated(parts: tuple[str, ...]) -> str:
    """`a`, `a and b`, `a, b and c`; parts that hold a comma themselves are set apart by semicolons."""
    if any("," in part for part in parts):
        return "; ".join(parts)
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


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
class Suggested:
    """One way out."""

    change_class: ChangeClass
    steps: tuple[Step, ...]
    confirm: Text
    """What a person confirms against the record before the change is made."""
    when: Condition

    def meant_for(self, facts: Facts) -> bool:
        """Whether it is a way out of this claim's fault."""
        try:
            return self.when.test(facts) is True
        except MISTAKES:
            return False


@dataclass(frozen=True)
class Version:
    """What a rule says from one date of service to another, both inclusive. Its functions are made for the first claim
    that asks: most rules of a book are of other payers."""

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
    edition: EditionId | None
    """The shipped rows of the table that it looks into; an imported edition is cited in place of them."""
    gap: GapKind | None = None
    """What the rule has found where it fails, if that is no fault of the claim."""
    gap_table: str | None = None
    """The table that does not say."""
    last_day: date | None = None
    """The last date of service that its source speaks for."""
    meant_to_end: bool = False
    """Whether the file says why nothing follows its last day."""
    suggest: tuple[Suggested, ...] = ()
    """Ways out where it fails, the likeliest first."""
    read: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Names of the facts that the version reads, each once."""
    quiet_facts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Those that decide whether it is quiet."""
    asked_missing: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Those of them that are asked whether they are missing."""
    quiet_text: str = field(init=False, repr=False, compare=False)
    """When it is quiet, as an expression of the facts `f`."""
    quiet_constants: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    """What that refers to besides."""
    _expressions: tuple[str, str] = field(init=False, repr=False, compare=False)
    """When it does not apply, and its outcome."""
    _constants: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        applies, lifted = self.applies, self.bypass.when if self.bypass else NEVER
        demand = self.demand if self.wanted else negated(self.demand)
        outcome = (
            f"'not_applicable' if {applies.false} else 'pass' if {demand.true} else 'bypassed' if {lifted.true} "
            f"else 'fail' if {applies.true} and {demand.false} and {lifted.false} else 'undetermined'"
        )
        object.__setattr__(self, "quiet_text", f"({applies.false} or {demand.true})")
        object.__setattr__(self, "quiet_constants", {**applies.constants, **demand.constants})
        object.__setattr__(self, "_expressions", (applies.false, outcome))
        object.__setattr__(self, "_constants", {**self.quiet_constants, **lifted.constants})
        lift = self.bypass
        bypass = (*lift.when.facts, *lift.message.facts, *lift.fix.facts) if lift else ()
        read = (*self.applies.facts, *self.demand.facts, *bypass, *self.message.facts, *self.fix.facts)
        object.__setattr__(self, "read", tuple(dict.fromkeys(read)))
        object.__setattr__(self, "quiet_facts", tuple(dict.fromkeys((*applies.facts, *self.demand.facts))))
        object.__setattr__(self, "asked_missing", (*applies.asked_missing, *self.demand.asked_missing))

    @cached_property
    def is_quiet(self) -> Callable[[Facts], bool]:
        """Whether the outcome is pass or not_applicable: what most rules say of most claims, in one expression."""
        return compiled(self.quiet_text, self.quiet_constants)

    @cached_property
    def is_off(self) -> Callable[[Facts], bool]:
        """Whether the outcome is not_applicable."""
        return compiled(self._expressions[0], self._constants)

    @cached_property
    def judge(self) -> Callable[[Facts], Outcome]:
        """The outcome."""
        return compiled(self._expressions[1], self._constants)

    def gaps(self, facts: Facts) -> tuple[str, ...]:
        """The missing facts that keep the version from a verdict, each once."""
        parts = [self.applies, self.demand, *([self.bypass.when] if self.bypass else ())]
        return tuple(dict.fromkeys(name for part in parts for name in part.gaps(facts)))

    def evidence(self, facts: Facts) -> dict[str, Evidence]:
        return {name: evidence(FACTS[name].kind, facts[name]) for name in self.read}


def layer_of(file: str) -> str:
    """The layer of a rule file: form, edits, or the procedure whose package it belongs to."""
    first, _, rest = file.partition("/")
    return rest.partition("/")[0] if first == PROCEDURES else FORM if first == OVERRIDES else first


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule file, compiled."""

    code: str
    title: str
    file: str
    """Path in the library without the ending: `procedures/<CODE>/medicare/UNT001-one-unit`."""
    payers: tuple[str, ...]
    """`all`, a payer key, or payer/plan; the payers of a group by their own names."""
    except_payers: tuple[str, ...]
    bills_as: frozenset[Role]
    scope: RuleScope
    status: RuleStatus
    on_void: bool
    versions: tuple[Version, ...]
    digest: str = ""
    """SHA-256 of what the file demands, hexadecimal: layout, comments, examples and how its findings are shown do not
    count."""
    groups: tuple[str, ...] = ()
    """Groups that the file names among its payers."""
    excepted: tuple[str, ...] = ()
    """Payers and plans that the file excepts by name, whether or not they would have been among its payers."""
    cause: str | None = None
    """Of rules/causes.py; None: what it finds stands alone."""
    fault: str | None = None
    """What is wrong where it fails, in a few words; None: the title alone says what is right."""
    another_fix: bool = False
    """Whether its fix is another way out than that of other rules of its cause, so that both are named."""
    needs: tuple[str, ...] = ()
    """Groups of fields (rules/carried.py) that a claim has to carry for the rule to be asked."""

    @property
    def layer(self) -> str:
        """form, edits, or the procedure whose package the rule belongs to."""
        return layer_of(self.file)

    @property
    def owner(self) -> str:
        """The payer in whose folder it lies, or `common`."""
        return self.file.split("/")[-2]

    @property
    def needs_history(self) -> bool:
        """Whether a version reads what was billed before, so that the rule cannot run without a ledger."""
        return any(FACTS[name].history for version in self.versions for name in version.read)

    def serves(self, payer: str | None, plan: str | None) -> bool:
        """Whether the rule is for this payer's plan; only `all` is for a payer that is not in the registry."""
        names = {payer, f"{payer}/{plan}"} if payer else set()
        return bool(names.union({"all"}).intersection(self.payers)) and not names.intersection(self.except_payers)

    def version_on(self, day: date) -> Version | None:
        """The version in force on a date of service."""
        return next((version for version in self.versions if version.start <= day <= version.end), None)

    def judge(self, facts: Facts) -> tuple[Outcome, Version]:
        """The outcome on the date of the facts, and the version that gave it.

        Without a date every version is asked: only where they disagree does the missing date matter.
        """
        if facts.day is not None:
            version = self.version_on(facts.day)
            return (version.judge(facts), version) if version else ("out_of_range", self.versions[-1])
        outcomes = {version.judge(facts) for version in self.versions}
        if outcomes <= {"pass", "not_applicable"}:
            return "pass", self.versions[-1]
        return "undetermined", self.versions[-1]


def missing_labels(version: Version, facts: Facts) -> tuple[str, ...]:
    """What a biller must add so that an undetermined rule can be judged.

    Of a claim without a date much is missing that only the date would give, and that is not asked for.
    """
    if facts.day is not None:
        return tuple(dict.fromkeys(FACTS[name].label for name in version.gaps(facts)))
    received = facts.case.received
    dated = dated_on(facts, received if received and version.start <= received <= version.end else version.start)
    more = version.gaps(dated) if version.judge(dated) == "undetermined" else ()
    return tuple(dict.fromkeys([DATE, *(FACTS[name].label for name in more)]))


def by_code(rules: Iterable[Rule]) -> Mapping[str, tuple[Rule, ...]]:
    """The rules of each code, in order of code and file."""
    found: dict[str, list[Rule]] = {}
    for rule in sorted(rules, key=lambda rule: (rule.code, rule.file)):
        found.setdefault(rule.code, []).append(rule)
    return {code: tuple(several) for code, several in found.items()}
