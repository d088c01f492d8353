"""The facts that rules may read: a closed list, each with a type, a scope and one sentence of what it says.

Rules never reach into the raw claim. No patient identifier is a fact, so no message, evidence or log line can
leak one. A fact whose value is None is missing, and a test on it is neither true nor false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from rules.case import Case, date_of
from rules.claim import Line
from rules.report import Evidence

Kind = Literal["number", "money", "code", "codes", "lines", "date", "flag"]
Scope = Literal["claim", "line"]
Reach = Literal["head", "line", "each", "lines", "claim"]
"""How far a fact looks on a claim that has a shape. head: at nothing of any line; line: at its own line and at what all
lines share; each: at the lines one by one, so that it is empty where it is for each line alone; lines: at all of them
together and at who gave which service where, and not at who pays for whom; claim: anywhere."""
Value = Decimal | str | tuple[str, ...] | tuple[int, ...] | date | bool | None


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of the vocabulary."""

    name: str
    kind: Kind
    scope: Scope
    label: str
    """The fact in a biller's words, for "cannot check: ... is missing"."""
    says: str
    """One sentence: what the fact is and how it is derived."""
    derive: Callable[..., Any]
    own: bool = False
    """Whether it rests on an amount, a date or an identifier, which claims of one shape do not share."""
    diagnoses: bool = False
    """Whether it rests on the diagnoses, and of what claims of one shape do not share on nothing else."""
    history: bool = False
    """Whether it is about claims that were billed before: rules that read it run only where there is a ledger."""
    reach: Reach = "claim"


FACTS: dict[str, Fact] = {}
DERIVED: dict[str, Callable[..., Any]] = {}
DERIVED_OF_LINES: dict[str, Callable[..., Any]] = {}
"""How the facts of each scope are derived: the one look-up of the hottest path."""


def fact(
    kind: Kind,
    label: str,
    scope: Scope = "claim",
    *,
    own: bool = False,
    diagnoses: bool = False,
    history: bool = False,
    reach: Reach = "claim",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds a derivation to the vocabulary; its name is the fact's name, its docstring what the fact says."""

    def add(derive: Callable[..., Any]) -> Callable[..., Any]:
        name = derive.__name__
        assert derive.__doc__, f"{name} needs a docstring"
        assert name not in FACTS, f"{name} is there twice"
        says = " ".join(derive.__doc__.split())
        FACTS[name] = Fact(name, kind, scope, label, says, derive, own, diagnoses, history, reach)
        (DERIVED if scope == "claim" else DERIVED_OF_LINES)[name] = derive
        return derive

    return add


def line_fact(
    kind: Kind, label: str, *, own: bool = False, diagnoses: bool = False, reach: Reach = "claim"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A fact of one line of the procedure; derived from the case and the line."""
    return fact(kind, label, "line", own=own, diagnoses=diagnoses, reach=reach)


def history_fact(kind: Kind, label: str, *, own: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A fact of one line against what was billed before."""
    return fact(kind, label, "line", own=own, history=True)


class ClaimFacts(dict[str, Any]):
    """The facts of a claim, each derived when first read."""

    __slots__ = ("case", "day")

    def __init__(self, case: Case) -> None:
        self.case = case
        self.day = case.first_day
        """The first date of the lines of the procedure: the date by which the claim's rules and tables are chosen."""

    line_number = None

    def __missing__(self, name: str) -> Any:
        value = self[name] = DERIVED[name](self.case)
        return value


class LineFacts(dict[str, Any]):
    """The facts of one line, and through it those of its claim."""

    __slots__ = ("case", "claim", "day", "line")

    def __init__(self, claim: ClaimFacts, line: Line) -> None:
        self.claim = claim
        self.case = claim.case
        self.line = line
        self.day = date_of(claim.case.claim, line)

    @property
    def line_number(self) -> int:
        return self.line.number

    def __missing__(self, name: str) -> Any:
        derive = DERIVED_OF_LINES.get(name)
        value = self[name] = derive(self.case, self.line) if derive else self.claim[name]
        return value


class KnownOfClaim(ClaimFacts):
    """The same facts but some, which are unknown, as where the claim lacks them. It holds none but known ones."""

    __slots__ = ("unknown",)

    def __init__(self, case: Case, unknown: frozenset[str], known: Mapping[str, Any]) -> None:
        super().__init__(case)
        self.unknown = unknown
        self.update(known)

    def __missing__(self, name: str) -> Any:
        return None if name in self.unknown else super().__missing__(name)


class KnownOfLine(LineFacts):
    """The same of a line."""

    __slots__ = ("unknown",)

    def __init__(self, claim: KnownOfClaim, line: Line, unknown: frozenset[str], known: Mapping[str, Any]) -> None:
        super().__init__(claim, line)
        self.unknown = unknown
        self.update(known)

    def __missing__(self, name: str) -> Any:
        return None if name in self.unknown else super().__missing__(name)


Facts = ClaimFacts | LineFacts


def facts_of(case: Case) -> list[Facts]:
    """The facts of the claim, then of each line that the layer judges."""
    claim = ClaimFacts(case)
    return [claim, *[LineFacts(claim, line) for line in case.lines]]


class Changed:
    """A part of a claim with other values in some of its fields. Claims are of classes that share no way to copy."""

    def __init__(self, part: object, **changes: object) -> None:
        self.__dict__.update(changes)
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


def dated_on(facts: Facts, day: date) -> Facts:
    """The facts as they would be if every line without a date had this one; worked out once for all lines."""
    case, whole = facts.case, facts.case.claim
    key = ("dated_on", day)
    if key not in case.cache:
        dated: dict[int, Any] = {
            id(line): line if date_of(whole, line) else Changed(line, service_date=day) for line in whole.lines
        }
        claim: Any = Changed(whole, lines=tuple(dated.values()))
        lines = tuple(dated[id(line)] for line in case.lines)
        changed = case._replace(claim=claim, lines=lines, first_day=case.first_day or day, cache={})
        case.cache[key] = (ClaimFacts(changed), dated)
    found, lines_by_id = case.cache[key]
    return LineFacts(found, lines_by_id[id(facts.line)]) if isinstance(facts, LineFacts) else found


def evidence(kind: Kind, value: Value) -> Evidence:
    """A fact's value as JSON can carry it: numbers and amounts as decimal strings, dates as ISO 8601."""
    if value is None or isinstance(value, bool | str | tuple):
        return value
    if isinstance(value, Decimal):
        return f"{value:.2f}" if kind == "money" else plain(value)
    return value.isoformat()


def plain(number: Decimal) -> str:
    """A decimal without exponent or trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
