"""Conditions that nothing meets: that contradict themselves, or are lifted by their own bypass wherever they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rules.authoring.proof.audience import Documents
from rules.authoring.proof.formulas import (
    Every,
    Formula,
    Holds,
    Some,
    Within,
    certainly,
    not_lifted,
    solvable,
    tests_of,
    unmet,
)
from rules.authoring.proof.values import OTHER, TooMany, Variable, variables_of
from rules.authoring.words import asked
from rules.book.book import Book
from rules.book.rule import Rule, Version
from rules.claim import Role

Fault = tuple[tuple[str, ...], str]
"""Where in the version, and what."""
_FORMS: Mapping[Role, str] = {
    "practitioner": "professional",
    "asc": "professional",
    "hospital_outpatient": "institutional",
}
_DATED = "service_date"


def check_conflicts(book: Book, documents: Documents) -> frozenset[tuple[str, int]]:
    """Notes every version that finds nothing, whatever the claim: the rule files and places of those versions."""
    found = set()
    for rule in book.rules:
        for index, version in enumerate(rule.versions):
            if rule.status != "retired" and (fault := _fault(rule, version)):
                key, sentence = fault
                documents[rule.file].complain(("versions", index, *key), sentence)
                found.add((rule.file, index))
    return frozenset(found)


def _fault(rule: Rule, version: Version) -> Fault | None:
    days = [day for day in (version.start, version.end) if day < date.max]
    try:
        asking = _Asking(version, variables_of(tests_of(version), {_DATED: days}))
    except TooMany:
        return None
    return asking.of_conditions() or asking.of_dates() or asking.of_roles(rule)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A version whose parts are solved one after the other, so that the first that cannot be met is named."""

    version: Version
    variables: Mapping[str, Variable]

    @property
    def _parts(self) -> tuple[Formula, Formula, Formula]:
        version = self.version
        return certainly(version.applies, True), unmet(version), not_lifted(version)

    @property
    def _demand(self) -> tuple[str]:
        return ("require" if self.version.wanted else "forbid",)

    def of_conditions(self) -> Fault | None:
        """A condition that no claim meets, or that every claim does."""
        applies, fails, _ = self._parts
        if not self._can(applies):
            return ("applies_when",), f"contradicts itself, so that the rule is about no claim: {self._core(applies)}"
        if not self._can(fails):
            return self._demand, f"holds {'of every' if self.version.wanted else 'of no'} claim: nothing fails"
        return None

    def of_dates(self) -> Fault | None:
        """Conditions that do not go together on the version's dates of service."""
        applies, fails, kept = self._parts
        start, end = self.version.start, self.version.end
        dated = Within(_DATED, lambda day: start <= day <= end)
        if not self._can(applies, dated):
            return (
                "applies_when",
            ), f"is about no claim of these dates of service: {self._core(applies, given=(dated,))}"
        if not self._can(applies, fails, dated):
            told = self._core(applies, fails, given=(dated,))
            return self._demand, f"nothing fails, since this cannot all be so: {told}"
        if not self._can(applies, fails, kept, dated):
            return ("bypass", "when"), "lifts whatever the rule finds: nothing fails"
        return None

    def of_roles(self, rule: Rule) -> Fault | None:
        """A billing role on whose claims the rule finds nothing."""
        for role in sorted(rule.bills_as):
            given = (Within("bills_as", _is(role)), Within("form", _is(_FORMS[role])))
            if not self._can(*self._parts, *given):
                told = self._core(*self._parts, given=given)
                return (), f"nothing fails on a claim that is billed as {role}: {told}"
        return None

    def _can(self, *goals: Formula) -> bool:
        return solvable(goals, self.variables)

    def _core(self, *goals: Formula, given: Sequence[Formula] = ()) -> str:
        """The fewest parts that cannot hold together, in words."""
        parts = [part for goal in goals for part in _parts_of(goal)]
        for part in list(parts):
            rest = [other for other in parts if other is not part]
            if not self._can(*rest, *given):
                parts = rest
        return " and ".join(dict.fromkeys(map(_said, parts)))


def _is(word: str) -> Callable[[Any], bool]:
    """Takes the word; where no test names it, it is one of the others."""
    return lambda value: value in (word, OTHER)


def _parts_of(formula: Formula) -> Iterator[Formula]:
    if isinstance(formula, Every):
        for part in formula.parts:
            yield from _parts_of(part)
    else:
        yield formula


def _said(formula: Formula) -> str:
    match formula:
        case Every(parts):
            return " and ".join(map(_said, parts))
        case Some(parts):
            return f"({' or '.join(map(_said, parts))})"
        case Holds() if formula.test.asks:
            says = asked(formula.test.asks)
            return says if formula.wanted else f"not ({says})"
    return "its dates"
