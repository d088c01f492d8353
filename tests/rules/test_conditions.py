"""Conditions: three-valued logic, the tests of each kind, and what is reported of a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from rules.book.conditions import TESTS, compile_condition
from rules.facts import FACTS


class Known(dict[str, Any]):
    """Facts with given values; stands where ClaimFacts and LineFacts stand."""

    day = date(2026, 7, 13)


def holds(node: object, **values: object) -> bool | None:
    complaints: list[str] = []
    condition = compile_condition(node, (), "line", lambda path, text: complaints.append(f"{path}: {text}"))
    assert complaints == []
    return condition.test(Known(values))  # type: ignore[arg-type]


def gaps(node: object, **values: object) -> tuple[str, ...]:
    condition = compile_condition(node, (), "line", lambda *_: None)
    return condition.gaps(Known(values))  # type: ignore[arg-type]


def complaints(node: object, scope: Any = "line") -> list[tuple[tuple[str | int, ...], str]]:
    found: list[tuple[tuple[str | int, ...], str]] = []
    compile_condition(node, (), scope, lambda path, text: found.append((path, text)))
    return found


YES, NO, UNKNOWN = {"units": {"le": "1"}}, {"units": {"gt": "1"}}, {"total_charge": {"gt": "0"}}
KNOWN = {"units": Decimal(1), "total_charge": None}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("all", [True, False, None, False, False, False, None, False, None]),
        ("any", [True, True, True, True, False, None, True, None, None]),
    ],
)
def test_unknown_matters_only_where_it_would_change_the_answer(name: str, expected: list[bool | None]) -> None:
    pairs = product((YES, NO, UNKNOWN), repeat=2)
    assert [holds({name: list(pair)}, **KNOWN) for pair in pairs] == expected


def test_not_keeps_unknown_unknown() -> None:
    assert [holds({"not": part}, **KNOWN) for part in (YES, NO, UNKNOWN)] == [False, True, None]


def test_what_is_missing_is_named_only_where_it_keeps_from_an_answer() -> None:
    assert gaps(UNKNOWN, **KNOWN) == ("total_charge",)
    assert gaps({"not": UNKNOWN}, **KNOWN) == ("total_charge",)
    assert gaps({"any": [YES, UNKNOWN]}, **KNOWN) == ()
    assert gaps({"any": [NO, UNKNOWN]}, **KNOWN) == ("total_charge",)
    assert gaps({"all": [NO, UNKNOWN]}, **KNOWN) == ()
    assert gaps({"all": [YES, UNKNOWN, UNKNOWN]}, **KNOWN) == ("total_charge",)
    assert gaps({"units": {"le": "1"}, "not": {"all": [NO, UNKNOWN]}}, **KNOWN) == ()


def test_a_fact_that_may_be_missing_is_no_gap() -> None:
    assert gaps(
        {"delay_reason_code": {"missing": "true"}, "units": {"le": "1"}}, delay_reason_code=None, units=None
    ) == ("units",)


def test_both_sides_of_a_comparison_may_be_the_gap() -> None:
    node = {"total_charge": {"eq_fact": "line_charge_total"}}
    assert gaps(node, total_charge=None, line_charge_total=None) == ("total_charge", "line_charge_total")


def test_several_tests_in_one_mapping_mean_and() -> None:
    node = {"units": {"ge": "1", "lt": "3"}, "modifiers": {"any_of": ["RT"]}}
    assert holds(node, units=Decimal(2), modifiers=("RT",)) is True
    assert holds(node, units=Decimal(3), modifiers=("RT",)) is False


@pytest.mark.parametrize(
    ("fact", "value", "test", "literal", "expected"),
    [
        ("units", Decimal("1.0"), "eq", "1", True),
        ("units", Decimal(2), "ne", "2", False),
        ("units", Decimal(1), "lt", "1", False),
        ("units", Decimal(1), "ge", "1", True),
        ("frequency_code", "7", "in", ["7", "8"], True),
        ("frequency_code", "1", "not_in", ["7", "8"], True),
        ("type_of_bill", "0131", "starts_with", ["013"], True),
        ("type_of_bill", "0131", "not_starts_with", ["013"], False),
        ("billing_npi", "1234567893", "format", "npi", True),
        ("modifiers", ("LT", "50"), "any_of", ["50"], True),
        ("modifiers", (), "any_of", ["50"], False),
        ("modifiers", ("LT",), "all_of", ["LT", "RT"], False),
        ("modifiers", (), "none_of", ["LT"], True),
        ("modifiers", (), "empty", "true", True),
        ("diagnosis_sides", ("right",), "only", ["right"], True),
        ("diagnosis_sides", ("none", "right"), "only", ["right"], False),
        ("diagnosis_sides", (), "only", ["right"], False),
        ("modifiers", ("XS",), "any_start_with", ["X"], True),
        ("modifiers", ("XS",), "none_start_with", ["X"], False),
        ("lines_without_pointers", (), "empty", "true", True),
        ("service_date", date(2026, 3, 1), "on_or_after", "2026-03-01", True),
        ("service_date", date(2026, 3, 1), "before", "2026-03-01", False),
        ("payer_known", False, "is", "false", True),
        ("units", None, "missing", "true", True),
        ("units", Decimal(0), "missing", "true", False),
    ],
)
def test_each_test(fact: str, value: object, test: str, literal: object, expected: bool) -> None:
    assert holds({fact: {test: literal}}, **{fact: value}) is expected


def test_two_facts_are_compared_and_unknown_where_one_is_missing() -> None:
    node = {"last_service_date": {"on_or_before_fact": "received_date"}}
    day, next_day = date(2026, 7, 13), date(2026, 7, 14)
    assert holds(node, last_service_date=day, received_date=day) is True
    assert holds(node, last_service_date=next_day, received_date=day) is False
    assert holds(node, last_service_date=next_day, received_date=None) is None


@pytest.mark.parametrize(
    ("node", "path", "words"),
    [
        ({"modifers": {"any_of": ["50"]}}, ("modifers",), "unknown fact 'modifers'; did you mean 'modifiers'?"),
        (
            {"units": {"any_of": ["1"]}},
            ("units", "any_of"),
            "'any_of' does not work on 'units' (number); use one of eq",
        ),
        ({"units": {"le": "one"}}, ("units", "le"), "expected a number"),
        ({"units": {"le": "1e1000000"}}, ("units", "le"), "expected a number, of at most 12 digits"),
        ({"units": {"le": "1e-1000000"}}, ("units", "le"), "expected a number, of at most 12 digits"),
        ({"units": {"le": "NaN"}}, ("units", "le"), "expected a number, of at most 12 digits"),
        ({"units": "1"}, ("units",), "expected a mapping of tests; 'units' (number) has eq"),
        ({"units": {"le_fact": "modifiers"}}, ("units", "le_fact"), "they cannot be compared"),
        ({"payer_known": {"is": "yes"}}, ("payer_known", "is"), "expected true or false"),
        ({"service_date": {"before": "2026-02-30"}}, ("service_date", "before"), "expected a date"),
        ({"modifiers": {"any_of": "50"}}, ("modifiers", "any_of"), "expected a list of codes"),
        ({"billing_npi": {"format": "nip"}}, ("billing_npi", "format"), "unknown format 'nip'; did you mean 'npi'?"),
        (
            {"place_of_service": {"in_table": "laterlity"}},
            ("place_of_service", "in_table"),
            "unknown table 'laterlity'; did you mean 'laterality'?",
        ),
        ({"any": {"units": {}}}, ("any",), "expected a list of conditions"),
        ({}, (), "expected a mapping of facts to tests"),
    ],
)
def test_a_wrong_condition_is_reported_with_where_and_what(
    node: Mapping[str, Any], path: tuple[str, ...], words: str
) -> None:
    ((where, text),) = complaints(node)
    assert where == path
    assert words in text


def test_a_claim_rule_cannot_read_a_fact_of_a_line() -> None:
    ((_, text),) = complaints({"units": {"le": "1"}}, scope="claim")
    assert "is a fact of a line" in text


def test_every_fact_says_what_it_is_and_has_a_kind_with_tests() -> None:
    for fact in FACTS.values():
        assert fact.says.endswith("."), fact.name
        assert fact.kind in TESTS


def test_no_fact_is_named_for_a_patient() -> None:
    words = {"member", "patient", "birth", "name", "sex", "address", "street", "zip"}
    shown = {fact.name for fact in FACTS.values() if words & set(fact.name.split("_")) and fact.kind != "flag"}
    assert shown == {
        "member_id_forms",  # names of forms that the book declares, never the id
        "patient_status",  # whether the patient went home, FL 17
        # which parts are missing, and whose: never what a part says
        "billing_address_lacks", "facility_address_lacks", "patient_address_lacks", "entities_without_name",
        "persons_without_first_name", "malformed_zip_codes", "short_zip_codes", "zip_codes_abroad",
    }  # fmt: skip
