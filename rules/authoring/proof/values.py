"""Sample values of facts: enough of them to tell apart all that the tests of a few conditions ask.

Two values that every test answers alike need only be there once. So what holds for the samples of a fact holds for all
its values, and conditions can be compared by trying them. A test whose answer does not follow from the value, such as a
look into a table, is answered either way for each value; so is a comparison of two facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain, combinations, pairwise
from typing import Any, get_args, get_type_hints

from rules.book.conditions import PREFIXES
from rules.book.logic import Asked, Condition
from rules.facts import FACTS

OTHER = "\x7f"
"""A code that no rule names."""
MOST_SAMPLES = 4_096
_ELSEWHERE = ("format", "in_table", "not_in_table", "any_in_table", "none_in_table")
_NEGATED = ("not_in_table", "none_in_table")


class TooMany(Exception):
    """The tests of a fact need more samples than is sensible: nothing is said of its conditions."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of one fact, or two facts in an order, with the answers that do not follow from it."""

    facts: Mapping[str, Any]
    answers: frozenset[str] = frozenset()
    """The tests of `_ELSEWHERE` that are true of it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """What tests are asked of, with its samples; a set of samples is a number, one bit each."""

    name: str
    samples: tuple[Sample, ...]

    @property
    def all(self) -> int:
        return (1 << len(self.samples)) - 1

    def answering(self, test: Condition, wanted: bool) -> int:
        """The samples of which the test is certainly true, or certainly false."""
        return sum(1 << place for place, sample in enumerate(self.samples) if _answer(test, sample) is wanted)

    def taking(self, takes: Callable[[Any], bool]) -> int:
        """The samples whose value the predicate takes; a missing one is taken."""
        values = [sample.facts[self.name] for sample in self.samples]
        return sum(1 << place for place, value in enumerate(values) if value is None or takes(value))


def _answer(test: Condition, sample: Sample) -> bool | None:
    asks = test.asks
    assert asks is not None
    if asks.test in _ELSEWHERE:
        if sample.facts[asks.fact] is None:
            return None
        return (_elsewhere(asks) in sample.answers) is (asks.test not in _NEGATED)
    return test.test(sample.facts)


def _elsewhere(asks: Asked) -> str:
    """One name for a look into a table and its contrary."""
    return f"{'format' if asks.test == 'format' else 'table'} {asks.against}"


def variable_of(asks: Asked) -> str:
    """The variable that a test is asked of: a fact, or two that are compared."""
    if not asks.test.endswith("_fact"):
        return asks.fact
    return "|".join(sorted((asks.fact, str(asks.against))))


def variables_of(tests: Iterable[Condition], days: Mapping[str, Iterable[date]] | None = None) -> dict[str, Variable]:
    """The variables of these tests. `days`: dates of a fact that matter besides those that the tests name.

    Raises:
        TooMany
    """
    asked: dict[str, list[Asked]] = {}
    for test in tests:
        assert test.asks is not None
        asked.setdefault(variable_of(test.asks), []).append(test.asks)
    return {name: Variable(name, _samples(name, asks, (days or {}).get(name, ()))) for name, asks in asked.items()}


def _samples(name: str, asks: list[Asked], days: Iterable[date]) -> tuple[Sample, ...]:
    if "|" in name:
        first, second = name.split("|")
        pairs = [(1, 2), (1, 1), (2, 1), (None, None)]
        return tuple(Sample({first: one, second: other}) for one, other in pairs)
    outside = sorted({_elsewhere(one) for one in asks if one.test in _ELSEWHERE})
    values = list(_values(name, asks, days))
    if len(values) * 2 ** len(outside) > MOST_SAMPLES:
        raise TooMany
    found = [Sample({name: value}, frozenset(true)) for value in values for true in _subsets(outside)]
    return (*found, Sample({name: None})) if may_be_missing(name) else tuple(found)


@cache
def may_be_missing(name: str) -> bool:
    """Whether the fact is missing on some claims, as its derivation declares."""
    return type(None) in get_args(get_type_hints(FACTS[name].derive)["return"])


def _values(name: str, asks: list[Asked], days: Iterable[date]) -> Iterator[Any]:
    match FACTS[name].kind:
        case "flag":
            yield from (True, False)
        case "lines":
            yield from ((), (1,))
        case "number" | "money":
            yield from _numbers({Decimal(str(one.against)) for one in asks if one.test != "missing"})
        case "date":
            named = {date.fromisoformat(str(one.against)) for one in asks if one.test != "missing"} | set(days)
            step = timedelta(days=1)
            yield from sorted({day + n * step for day in named or {date(2026, 1, 1)} for n in (-1, 0, 1)})
        case "code":
            yield from _codes(asks)
        case "codes":
            yield from _subsets(_kinds_of_code(asks))


def _numbers(named: set[Decimal]) -> Iterator[Decimal]:
    """Each number that is named, one between two, and one on either side."""
    ordered = sorted(named) or [Decimal(0)]
    yield ordered[0] - 1
    for low, high in pairwise(ordered):
        yield from (low, (low + high) / 2)
    yield from (ordered[-1], ordered[-1] + 1)


def _codes(asks: list[Asked]) -> list[str]:
    """Each code that is named, one more of each prefix, and one of none."""
    named = dict.fromkeys(code for one in asks if one.test not in ("missing", "empty") for code in _listed(one))
    prefixes = dict.fromkeys(code for one in asks if one.test in PREFIXES for code in _listed(one))
    return [*named, *(prefix + OTHER for prefix in prefixes), OTHER]


def _listed(asks: Asked) -> tuple[str, ...]:
    if asks.test in _ELSEWHERE:
        return ()
    return (asks.against,) if isinstance(asks.against, str) else asks.against


def _kinds_of_code(asks: list[Asked]) -> list[str]:
    """One code for all that no test tells apart."""
    kinds: dict[tuple[Any, ...], str] = {}
    for code in _codes(asks):
        kinds.setdefault(tuple(_seen(one, code) for one in asks), code)
    if len(kinds) > 11:
        raise TooMany
    return list(kinds.values())


def _seen(asks: Asked, code: str) -> Any:
    """What a test sees in one of several codes; all that `all_of` names must be there, so it tells them apart."""
    if asks.test in PREFIXES or asks.test in ("any_start_with", "none_start_with"):
        return code.startswith(_listed(asks))
    inside = code in _listed(asks)
    return code if inside and asks.test == "all_of" else inside


def _subsets(items: list[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))
