"""Which codes are operations, and what is said of the block beside one, under one and after one."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.case import Case
from rules.claim import Role, read_claim
from rules.engine.cases import case_of
from rules.facts import ClaimFacts, LineFacts
from rules.facts.operations import is_operation
from tests.book import BOOK
from tests.rules.test_tables_reference import ACTIVE, EDITIONS, reference, rows

DAY = date(2026, 7, 13)


def case(*others: dict[str, Any], role: Role = "practitioner", **line: Any) -> Case:
    return case_of(read_claim(example_claim(role, {"lines": [line, *others]}, {"id": "04412"})), BOOK, None)


def fact(name: str, *others: dict[str, Any], role: Role = "practitioner", **line: Any) -> Any:
    one = case(*others, role=role, **line)
    return LineFacts(ClaimFacts(one), one.lines[0])[name]


@pytest.mark.parametrize("code", ["27447", "28296", "29881", "64702", "28190", "11042", "27130", "62263", "63650"])
def test_a_code_whose_pair_no_modifier_lifts_is_an_operation(code: str) -> None:
    assert is_operation(case(), code, DAY)


NO_OPERATION = [
    *("64446", "64447", "64448", "64449", "64450", "64415", "64455", "64483", "64493", "62323", "27096", "64640"),
    *("20552", "20610", "20611", "29405", "36556", "36620", "31500", "01402", "99213", "64445", "J3301", "", "6444"),
]


@pytest.mark.parametrize("code", NO_OPERATION)
def test_other_blocks_punctures_lines_and_casts_are_none(code: str) -> None:
    assert not is_operation(case(), code, DAY)


def test_no_surgical_row_of_the_reference_that_a_modifier_lifts_is_an_operation_and_nearly_all_others_are() -> None:
    pairs = [row for row in rows(reference(EDITIONS["practitioner"])) if row["column2"] == "64445"]
    active = {row["column1"]: row["modifier_indicator"] for row in pairs if row["deletion_date"] == ACTIVE}
    surgical = {code: said for code, said in active.items() if code.isdigit() and "10004" <= code <= "69990"}
    one = case()
    found = {code for code in surgical if is_operation(one, code, DAY)}
    firm = {code for code, said in surgical.items() if said == "0"}
    assert found <= firm
    assert len(found) > 0.97 * len(firm) > 5_000  # the rest stand alone between other codes: unknown


def test_an_operation_on_a_hospitals_claim_packages_the_block_or_is_of_unknown_status() -> None:
    said = ("packaging_operations", "other_hospital_operations")
    for code, expected in {"27447": (("27447",), ()), "28190": ((), ("28190",)), "20610": ((), ())}.items():
        assert tuple(fact(name, {"procedure": code}, role="hospital_outpatient") for name in said) == expected
    assert tuple(fact(name, {"procedure": "27447"}) for name in said) == ((), ())


def test_an_operation_beside_a_packaging_one_is_not_asked_about() -> None:
    others = ({"procedure": "28190"}, {"procedure": "27447"})
    assert fact("other_hospital_operations", *others, role="hospital_outpatient") == ()


@pytest.mark.parametrize(
    ("day", "expected"), [("2026-07-12", True), ("2026-04-14", True), ("2026-04-13", False), ("2026-07-13", False)]
)
def test_the_global_period_is_the_ninety_days_after_the_operation(day: str, expected: bool) -> None:
    found = fact("operations_of_global_period", {"procedure": "28296", "service_date": day})
    assert found == (("28296",) if expected else ())


def test_epidural_facet_and_sacroiliac_injections_are_of_the_session_catheters_and_blocks_are_not() -> None:
    codes = ("62323", "64483", "64493", "27096", "62326", "64450", "20611")
    others = tuple({"procedure": code} for code in codes)
    assert fact("spinal_injections", *others) == ("62323", "64483", "64493", "27096")
