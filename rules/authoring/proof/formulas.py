"""When a rule fails, as a formula that can be solved: is there such a claim, as far as its conditions can say?

The facts count as independent of each other. So what has no solution is met by no claim, while a solution may still
be one that no claim has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.authoring.proof.values import Variable, variable_of
from rules.book.logic import NEVER, Condition
from rules.book.rule import Version
from rules.report import Outcome


@dataclass(frozen=True, slots=True)
class Holds:
    """A test of one variable has this answer: true, or false; `not` of that includes unknown."""

    test: Condition
    wanted: bool
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Within:
    """The value of a variable is one of those that the predicate takes; a missing one is."""

    variable: str
    takes: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; none: always."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One of the parts holds; none: never."""

    parts: tuple[Formula, ...]


Formula = Holds | Within | Every | Some


def certainly(condition: Condition, value: bool) -> Formula:
    """The condition is certainly true, or certainly false: unknown is neither."""
    if condition.asks:
        return Holds(condition, value)
    if condition.join == "not":
        return certainly(condition.parts[0], not value)
    if condition.join:
        parts = tuple(certainly(part, value) for part in condition.parts)
        return Every(parts) if (condition.join == "all") is value else Some(parts)
    return Every(()) if (condition.true == "True") is value else Some(())


def denied(formula: Formula) -> Formula:
    """The formula does not hold."""
    match formula:
        case Holds():
            return Holds(formula.test, formula.wanted, not formula.denied)
        case Every(parts):
            return Some(tuple(map(denied, parts)))
        case Some(parts):
            return Every(tuple(map(denied, parts)))
    raise TypeError(formula)


def failing(version: Version) -> Formula:
    """The rule finds a fault: it applies, what it demands is not so, and nothing lifts it."""
    return Every((certainly(version.applies, True), unmet(version), not_lifted(version)))


def unmet(version: Version) -> Formula:
    """What the version demands is certainly not so."""
    return certainly(version.demand, not version.wanted)


def not_lifted(version: Version) -> Formula:
    """No bypass lifts the version's finding."""
    return certainly(version.bypass.when if version.bypass else NEVER, False)


def outcomes(version: Version) -> dict[Outcome, Formula]:
    """When the version has each outcome that an example should show."""
    about = denied(certainly(version.applies, False))
    met = certainly(version.demand, version.wanted)
    lifted = certainly(version.bypass.when if version.bypass else NEVER, True)
    unclear = Every((about, denied(met), denied(lifted), denied(failing(version))))
    return {
        "fail": failing(version),
        "pass": Every((about, met)),
        "bypassed": Every((about, denied(met), lifted)),
        "undetermined": unclear,
    }


def tests_in(condition: Condition) -> Iterator[Condition]:
    """The tests of a condition, at every depth."""
    if condition.asks:
        yield condition
    for part in condition.parts:
        yield from tests_in(part)


def tests_of(version: Version) -> Iterator[Condition]:
    """All tests of a version."""
    for condition in (version.applies, version.demand, *([version.bypass.when] if version.bypass else ())):
        yield from tests_in(condition)


def solvable(goals: Iterable[Formula], variables: Mapping[str, Variable]) -> bool:
    """Whether the variables have values with which all goals hold."""
    return _solved(list(goals), {name: variable.all for name, variable in variables.items()}, variables)


def _solved(goals: list[Formula], left: dict[str, int], variables: Mapping[str, Variable]) -> bool:
    open_: list[Some] = []
    while goals:
        goal = goals.pop()
        if isinstance(goal, Every):
            goals += goal.parts
        elif isinstance(goal, Some):
            open_.append(goal)
        else:
            name, mask = _mask(goal, variables)
            if name not in left:
                continue
            left[name] &= mask
            if not left[name]:
                return False
    if not open_:
        return True
    open_.sort(key=lambda one: len(one.parts))
    first, *rest = open_
    return any(_solved([part, *rest], dict(left), variables) for part in first.parts)


def _mask(goal: Holds | Within, variables: Mapping[str, Variable]) -> tuple[str, int]:
    if isinstance(goal, Within):
        variable = variables.get(goal.variable)
        if variable is None:
            return goal.variable, 0
        return goal.variable, variable.taking(goal.takes)
    assert goal.test.asks is not None
    variable = variables[variable_of(goal.test.asks)]
    mask = variable.answering(goal.test, goal.wanted)
    return variable.name, variable.all & ~mask if goal.denied else mask
