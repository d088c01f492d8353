"""Conditions: closed lists of typed tests on facts, compiled once to closures with three-valued logic.

A test on a missing fact is unknown (None). `all` is false if any part is false, `any` is true if any part is
true, whatever is unknown beside it: so a missing fact matters only where its value would change the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from rules.facts import FACTS, Fact, Facts, Kind, Scope
from rules.formats import FORMATS
from rules.tables import SPECS

Path = tuple[str | int, ...]
Test = Callable[[Facts], bool | None]
Gaps = Callable[[Facts], tuple[str, ...]]
Complain = Callable[[Path, str], None]
Predicate = Callable[[Any], bool]

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}
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


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled test, and why it is unknown where it is."""

    test: Test
    gaps: Gaps
    """The missing facts that would have to be known; empty where the test is true or false."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition and the facts that it reads, in the order of the file."""

    test: Test
    facts: tuple[str, ...]
    gaps: Gaps = field(default=lambda _: ())


def _always(_: Facts) -> bool | None:
    return True


ALWAYS = Condition(_always, ())
_TRUE = Node(_always, lambda _: ())


def compile_condition(node: object, path: Path, scope: Scope, complain: Complain) -> Condition:
    """The condition in a mapping of a rule file. Every fault is told to `complain` with its path."""
    read: dict[str, None] = {}
    root = _mapping(node, path, scope, complain, read)
    return Condition(root.test, tuple(read), root.gaps)


def _mapping(node: object, path: Path, scope: Scope, complain: Complain, read: dict[str, None]) -> Node:
    if not isinstance(node, dict) or not node:
        complain(path, "expected a mapping of facts to tests, or any, all, not")
        return _TRUE
    tests: list[Node] = []
    for key, value in node.items():
        here = (*path, key)
        if key in ("any", "all"):
            if not isinstance(value, list) or not value:
                complain(here, "expected a list of conditions")
                continue
            parts = [_mapping(part, (*here, i), scope, complain, read) for i, part in enumerate(value)]
            tests.append(_any(parts) if key == "any" else _all(parts))
        elif key == "not":
            tests.append(_not(_mapping(value, here, scope, complain, read)))
        elif known := _fact(key, here, scope, complain):
            read[key] = None
            tests.extend(_tests_of(known, value, here, scope, complain, read))
    return _all(tests)


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


def _tests_of(
    known: Fact, value: object, path: Path, scope: Scope, complain: Complain, read: dict[str, None]
) -> list[Node]:
    if not isinstance(value, dict) or not value:
        complain(path, f"expected a mapping of tests; {known.name!r} ({known.kind}) has {_list(known.kind)}")
        return []
    tests: list[Node] = []
    for name, literal in value.items():
        here = (*path, name)
        if name == "missing":
            if (wanted := _flag(literal, here, complain)) is not None:
                tests.append(_missing(known.name, wanted))
        elif name not in TESTS[known.kind]:
            complain(here, f"{name!r} does not work on {known.name!r} ({known.kind}); use one of {_list(known.kind)}")
        elif name.endswith("_fact"):
            if other := _other(known, literal, here, scope, complain):
                read[other.name] = None
                tests.append(_between(known.name, other.name, _relation(name.removesuffix("_fact"))))
        elif name.endswith("in_table"):
            if test := _in_table(known.name, name, literal, here, complain):
                tests.append(test)
        elif predicate := _predicate(known.kind, name, literal, here, complain):
            tests.append(_on(known.name, predicate))
    return tests


def _list(kind: Kind) -> str:
    return ", ".join((*TESTS[kind], "missing"))


def _other(known: Fact, literal: object, path: Path, scope: Scope, complain: Complain) -> Fact | None:
    other = _fact(str(literal), path, scope, complain)
    if other and other.kind != known.kind:
        complain(path, f"{other.name!r} is {other.kind}, {known.name!r} is {known.kind}; they cannot be compared")
        return None
    return other


def _relation(name: str) -> Callable[[Any, Any], bool]:
    return {"on_or_before": le, "before": lt, **COMPARE}[name]


def _predicate(kind: Kind, name: str, literal: object, path: Path, complain: Complain) -> Predicate | None:
    if kind in ("number", "money"):
        return _compared(name, _number(literal, path, complain))
    if kind == "flag":
        wanted = _flag(literal, path, complain)
        return None if wanted is None else lambda value: value is wanted
    if kind == "date":
        day = _date(literal, path, complain)
        return None if day is None else (lambda value: value >= day) if name == "on_or_after" else lambda v: v < day
    if name == "empty":
        wanted = _flag(literal, path, complain)
        return None if wanted is None else lambda value: (not value) is wanted
    if name == "format":
        return _format(literal, path, complain)
    codes = _codes(literal, path, complain)
    return None if codes is None else CODE_TESTS[name](codes)


def _compared(name: str, limit: Decimal | None) -> Predicate | None:
    compare = COMPARE[name]
    return None if limit is None else lambda value: compare(value, limit)


CODE_TESTS: Mapping[str, Callable[[tuple[str, ...]], Predicate]] = {
    "in": lambda codes: frozenset(codes).__contains__,
    "not_in": lambda codes: lambda value: value not in codes,
    "starts_with": lambda codes: lambda value: value.startswith(codes),
    "not_starts_with": lambda codes: lambda value: not value.startswith(codes),
    "any_of": lambda codes: lambda values: any(code in values for code in codes),
    "all_of": lambda codes: lambda values: all(code in values for code in codes),
    "none_of": lambda codes: lambda values: not any(code in values for code in codes),
    "only": lambda codes: lambda values: bool(values) and all(value in codes for value in values),
    "any_start_with": lambda codes: lambda values: any(value.startswith(codes) for value in values),
    "none_start_with": lambda codes: lambda values: not any(value.startswith(codes) for value in values),
}


def _format(literal: object, path: Path, complain: Complain) -> Predicate | None:
    check = FORMATS.get(str(literal))
    if check is None:
        complain(path, f"unknown format {literal!r}{did_you_mean(str(literal), tuple(FORMATS))}")
    return check


def _in_table(fact: str, name: str, literal: object, path: Path, complain: Complain) -> Node | None:
    """Whether a code, or any of several, is in a table on the date that the facts speak of."""
    table = str(literal)
    single = tuple(known for known, spec in SPECS.items() if len(spec.keys) == 1)
    if table not in single:
        complain(path, f"unknown table {table!r}{did_you_mean(table, single)}")
        return None
    wanted = name in ("in_table", "any_in_table")

    def test(facts: Facts) -> bool | None:
        value, day = facts[fact], facts.day
        if value is None or day is None:
            return None
        find = facts.case.tables[table].find
        codes = (value,) if isinstance(value, str) else value
        return any(find((code,), day) is not None for code in codes) is wanted

    return Node(test, _unknown(fact))


def _unknown(*names: str) -> Gaps:
    """The facts among these that are missing."""
    return lambda facts: tuple(name for name in names if facts[name] is None)


def _on(name: str, predicate: Predicate) -> Node:
    def test(facts: Facts) -> bool | None:
        value = facts[name]
        return None if value is None else predicate(value)

    return Node(test, _unknown(name))


def _between(left: str, right: str, relation: Callable[[Any, Any], bool]) -> Node:
    def test(facts: Facts) -> bool | None:
        one, two = facts[left], facts[right]
        return None if one is None or two is None else relation(one, two)

    return Node(test, _unknown(left, right))


def _missing(name: str, wanted: bool) -> Node:
    return Node(lambda facts: (facts[name] is None) is wanted, lambda _: ())


def _all(nodes: list[Node]) -> Node:
    if len(nodes) == 1:
        return nodes[0]
    tests = [node.test for node in nodes]

    def test(facts: Facts) -> bool | None:
        answer: bool | None = True
        for part in tests:
            verdict = part(facts)
            if verdict is False:
                return False
            if verdict is None:
                answer = None
        return answer

    return Node(test, _gaps_of(nodes, test))


def _any(nodes: list[Node]) -> Node:
    tests = [node.test for node in nodes]

    def test(facts: Facts) -> bool | None:
        answer: bool | None = False
        for part in tests:
            verdict = part(facts)
            if verdict:
                return True
            if verdict is None:
                answer = None
        return answer

    return Node(test, _gaps_of(nodes, test))


def _gaps_of(nodes: list[Node], test: Test) -> Gaps:
    def gaps(facts: Facts) -> tuple[str, ...]:
        if test(facts) is not None:
            return ()
        return tuple(dict.fromkeys(name for node in nodes for name in node.gaps(facts)))

    return gaps


def _not(part: Node) -> Node:
    def test(facts: Facts) -> bool | None:
        verdict = part.test(facts)
        return None if verdict is None else not verdict

    return Node(test, part.gaps)


def _number(literal: object, path: Path, complain: Complain) -> Decimal | None:
    try:
        return Decimal(str(literal))
    except InvalidOperation:
        complain(path, "expected a number")
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
