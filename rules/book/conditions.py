"""Conditions of rule files: closed lists of typed tests on facts.

A test on a missing fact is unknown. `all` is false if any part is false, `any` is true if any part is true, whatever
is unknown beside it: so a missing fact matters only where its value would change the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from rules.book.logic import ALWAYS, Asked, Condition, every, negated, some
from rules.facts import FACTS, Fact, Facts, Kind, Scope
from rules.formats import FORMATS
from rules.tables.table import SPECS

Path = tuple[str | int, ...]
Complain = Callable[[Path, str], None]

_MOST_DIGITS = 12
COMPARE: Mapping[str, str] = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NUMERIC = (*COMPARE, *(f"{name}_fact" for name in COMPARE))
TESTS: Mapping[Kind, tuple[str, ...]] = {
    "number": _NUMERIC,
    "money": _NUMERIC,
    "code": ("in", "not_in", "starts_with", "not_starts_with", "format", "in_table", "not_in_table"),
    "codes": (
        *("any_of", "all_of", "none_of", "only", "any_start_with", "none_start_with"),
        *("any_in_table", "none_in_table", "empty"),
    ),
    "lines": ("empty",),
    "date": ("on_or_after", "before", "on_or_before_fact", "before_fact"),
    "flag": ("is",),
}
"""Which tests work on which kind of fact; every kind also has `missing`."""


PREDICATES: Mapping[str, str] = {
    **{name: f"x {sign} K" for name, sign in COMPARE.items()},
    "in": "x in K",
    "not_in": "x not in K",
    "starts_with": "x.startswith(K)",
    "not_starts_with": "not x.startswith(K)",
    "format": "K(x)",
    "any_of": "not K.isdisjoint(x)",
    "all_of": "K.issubset(x)",
    "none_of": "K.isdisjoint(x)",
    "only": "x and K.issuperset(x)",
    "any_start_with": "any(code.startswith(K) for code in x)",
    "none_start_with": "not any(code.startswith(K) for code in x)",
    "empty": "K is not bool(x)",
    "on_or_after": "x >= K",
    "before": "x < K",
    "is": "x is K",
}
"""Each test of a value as an expression: x is the value of the fact, K what the rule file says."""
PREFIXES = ("starts_with", "not_starts_with", "any_start_with", "none_start_with")


def compile_condition(node: object, path: Path, scope: Scope, complain: Complain) -> Condition:
    """The condition in a mapping of a rule file. `complain` gets every fault with its path."""
    if not isinstance(node, dict) or not node:
        complain(path, "expected a mapping of facts to tests, or any, all, not")
        return ALWAYS
    parts: list[Condition] = []
    for key, value in node.items():
        here = (*path, key)
        if key in ("any", "all"):
            if not isinstance(value, list) or not value:
                complain(here, "expected a list of conditions")
                continue
            several = [compile_condition(part, (*here, index), scope, complain) for index, part in enumerate(value)]
            parts.append(some(several) if key == "any" else every(several))
        elif key == "not":
            parts.append(negated(compile_condition(value, here, scope, complain)))
        elif known := _fact(key, here, scope, complain):
            parts.extend(_tests_of(known, value, here, scope, complain))
    return every(parts) if parts else ALWAYS


def _fact(name: str, path: Path, scope: Scope, complain: Complain) -> Fact | None:
    known = FACTS.get(name)
    if known is None:
        complain(path, f"unknown fact {name!r}{did_you_mean(name, (*FACTS, 'any', 'all', 'not'))}")
    elif known.scope == "line" and scope == "claim":
        complain(path, f"{name!r} is a fact of a line; a rule with `scope: claim` cannot read it")
        return None
    return known


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """`; did you mean 'modifiers'?` where something is near."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _tests_of(known: Fact, value: object, path: Path, scope: Scope, complain: Complain) -> list[Condition]:
    if not isinstance(value, dict) or not value:
        complain(path, f"expected a mapping of tests; {known.name!r} ({known.kind}) has {_list(known.kind)}")
        return []
    tests = [(name, _test(known, name, literal, (*path, name), scope, complain)) for name, literal in value.items()]
    return [_asking(test, Asked(known.name, name, _written(value[name]))) for name, test in tests if test]


def _asking(test: Condition, asks: Asked) -> Condition:
    return replace(test, asks=asks, parts=(), join=None)


def _written(literal: object) -> str | tuple[str, ...]:
    return tuple(map(str, literal)) if isinstance(literal, list) else str(literal)


def _test(known: Fact, name: str, literal: object, path: Path, scope: Scope, complain: Complain) -> Condition | None:
    if name == "missing":
        wanted = _flag(literal, path, complain)
        return None if wanted is None else _missing(known.name, wanted)
    if name not in TESTS[known.kind]:
        complain(path, f"{name!r} does not work on {known.name!r} ({known.kind}); use one of {_list(known.kind)}")
        return None
    if name.endswith("_fact"):
        other = _other(known, literal, path, scope, complain)
        return _between(known.name, other.name, name.removesuffix("_fact")) if other else None
    if name.endswith("in_table"):
        return _in_table(known.name, name, literal, path, complain)
    constant = _constant(known.kind, name, literal, path, complain)
    return None if constant is None else _on(known.name, name, constant, path)


def _list(kind: Kind) -> str:
    return ", ".join((*TESTS[kind], "missing"))


def _other(known: Fact, literal: object, path: Path, scope: Scope, complain: Complain) -> Fact | None:
    other = _fact(str(literal), path, scope, complain)
    if other and other.kind != known.kind:
        complain(path, f"{other.name!r} is {other.kind}, {known.name!r} is {known.kind}; they cannot be compared")
        return None
    return other


def _constant(kind: Kind, name: str, literal: object, path: Path, complain: Complain) -> object:
    """What the rule file compares with, in the type of the fact; None where it is faulty."""
    if kind in ("number", "money"):
        return _number(literal, path, complain)
    if kind == "flag" or name == "empty":
        return _flag(literal, path, complain)
    if kind == "date":
        return _date(literal, path, complain)
    if name == "format":
        check = FORMATS.get(str(literal))
        if check is None:
            complain(path, f"unknown format {literal!r}{did_you_mean(str(literal), tuple(FORMATS))}")
        return check
    codes = _codes(literal, path, complain)
    return frozenset(codes) if codes and name not in PREFIXES else codes


def _on(fact: str, name: str, constant: object, path: Path) -> Condition:
    """A test of a value; neither true nor false where the fact is missing."""
    own = "_".join(("K", *map(str, path)))
    known, holds = f"(x := f[{fact!r}]) is not None", PREDICATES[name].replace("K", own)
    return Condition(f"({known} and ({holds}))", f"({known} and not ({holds}))", (fact,), {own: constant})


def _between(left: str, right: str, name: str) -> Condition:
    known = f"(x := f[{left!r}]) is not None and (y := f[{right!r}]) is not None"
    holds = f"x {RELATIONS[name]} y"
    return Condition(f"({known} and {holds})", f"({known} and not {holds})", (left, right))


RELATIONS: Mapping[str, str] = {**COMPARE, "on_or_before": "<=", "before": "<"}


def _missing(fact: str, wanted: bool) -> Condition:
    missing = Condition(f"f[{fact!r}] is None", f"f[{fact!r}] is not None", (fact,), asked_missing=(fact,))
    return missing if wanted else negated(missing)


def _in_table(fact: str, name: str, literal: object, path: Path, complain: Complain) -> Condition | None:
    """Whether a code, or any of several, is in a table on the date that the facts speak of."""
    table = str(literal)
    single = tuple(known for known, spec in SPECS.items() if len(spec.keys) == 1)
    if table not in single:
        complain(path, f"unknown table {table!r}{did_you_mean(table, single)}")
        return None

    def found(facts: Facts, value: str | tuple[str, ...]) -> bool:
        find, day = facts.case.tables[table].find, facts.day
        assert day is not None
        return any(find((code,), day) is not None for code in ((value,) if isinstance(value, str) else value))

    own = "_".join(("K", *map(str, path)))
    known = f"(x := f[{fact!r}]) is not None and f.day is not None"
    inside = Condition(f"({known} and {own}(f, x))", f"({known} and not {own}(f, x))", (fact,), {own: found})
    return inside if name in ("in_table", "any_in_table") else negated(inside)


def _number(literal: object, path: Path, complain: Complain) -> Decimal | None:
    try:
        number = Decimal(str(literal))
    except InvalidOperation:
        number = Decimal("NaN")
    if number.is_finite() and number.adjusted() <= _MOST_DIGITS and int(number.as_tuple().exponent) >= -_MOST_DIGITS:
        return number
    complain(path, f"expected a number, of at most {_MOST_DIGITS} digits before and after the decimal point")
    return None


def _date(literal: object, path: Path, complain: Complain) -> date | None:
    try:
        return date.fromisoformat(str(literal))
    except ValueError:
        complain(path, "expected a date as YYYY-MM-DD")
        return None


def _flag(literal: object, path: Path, complain: Complain) -> bool | None:
    if literal not in ("true", "false"):
        complain(path, "expected true or false")
        return None
    return literal == "true"


def _codes(literal: object, path: Path, complain: Complain) -> tuple[str, ...] | None:
    if not isinstance(literal, list) or not literal or not all(isinstance(code, str) for code in literal):
        complain(path, "expected a list of codes")
        return None
    return tuple(literal)
