"""Rules in words: every test has words, and every condition of the library can be said."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.words import SUBJECTS, conditions, sentence
from rules.book.conditions import TESTS, compile_condition
from rules.book.logic import Condition
from rules.facts import FACTS
from tests.book import BOOK


def told(node: dict[str, Any]) -> str:
    faults: list[str] = []
    condition = compile_condition(node, (), "line", lambda path, text: faults.append(text))
    assert faults == []
    return sentence(condition)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"units": {"le": "1"}}, "units is at most 1"),
        ({"modifiers": {"any_of": ["26", "TC"]}}, "modifiers has any of 26, TC"),
        ({"modifiers": {"any_of": ["50"]}}, "modifiers has 50"),
        ({"modifiers": {"none_of": ["50"]}}, "modifiers has no 50"),
        ({"units": {"missing": "true"}}, "units is missing"),
        ({"units": {"missing": "false"}}, "units is known"),
        ({"modifiers": {"empty": "false"}}, "modifiers is not empty"),
        ({"first_of_day": {"is": "false"}}, "first of day is false"),
        ({"total_charge": {"eq_fact": "line_charge_total"}}, "total charge is line charge total"),
        ({"place_of_service": {"not_in_table": "places_of_service"}}, "place of service is not in the table places_of_service"),
        ({"not": {"units": {"le": "1"}}}, "not (units is at most 1)"),
        (
            {"not": {"units": {"le": "1"}, "form": {"in": ["professional"]}}},
            "not (units is at most 1 and form is professional)",
        ),
        (
            {"form": {"in": ["professional"]}, "any": [{"units": {"gt": "2"}}, {"units": {"lt": "1"}}]},
            "form is professional and (units is more than 2 or units is less than 1)",
        ),
    ],
)  # fmt: skip
def test_a_condition_is_said_in_words(node: dict[str, Any], words: str) -> None:
    assert told(node) == words


@pytest.mark.parametrize(
    ("kind", "test"), [(kind, test) for kind, tests in TESTS.items() for test in (*tests, "missing")]
)
def test_every_test_of_every_kind_has_words(kind: str, test: str) -> None:
    fact = next(fact for fact in FACTS.values() if fact.kind == kind)
    literal: Any = ["A"]
    if test in ("is", "empty", "missing"):
        literal = "true"
    elif test.endswith("_fact"):
        literal = fact.name
    elif test.endswith("in_table"):
        literal = "visits"
    elif test == "format":
        literal = "npi"
    elif kind in ("number", "money"):
        literal = "1"
    elif kind == "date":
        literal = "2026-01-01"
    assert told({fact.name: {test: literal}}).startswith(fact.name.replace("_", " "))


def test_every_condition_of_the_library_asks_what_its_file_asks() -> None:
    def leaves(condition: Condition) -> list[Condition]:
        return [leaf for part in condition.parts for leaf in leaves(part)] if condition.parts else [condition]

    for rule in BOOK.rules:
        for version in rule.versions:
            for name, condition in conditions(version):
                assert all(leaf.asks and leaf.facts[0] == leaf.asks.fact for leaf in leaves(condition)), (
                    rule.file,
                    name,
                )
                assert sentence(condition) != "always"


def test_every_code_of_the_library_has_a_subject() -> None:
    assert {rule.code[:3] for rule in BOOK.rules} <= SUBJECTS.keys()
