"""Pairs and limits of units of any lines, from whole imported tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import with_rows
from rules.claim import Role, read_claim
from rules.engine.cases import case_of
from rules.facts import ClaimFacts, LineFacts
from rules.terms import EDITS
from tests.book import BOOK

OTHER = {"npi": "1245319599", "taxonomy": "207L00000X"}
UNCLEAR = {"npi": "1245319599"}
PAIRS = (
    "practitioner,29881,20610,1,2020-01-01,",
    "practitioner,29881,29875,0,2020-01-01,2026-07-31",
    "practitioner,27447,64445,0,2020-01-01,",
    "practitioner,64445,20550,1,2020-01-01,",
    "outpatient_hospital,29881,29875,1,2020-01-01,",
)
LIMITS = (
    "practitioner,20610,2,3,2020-01-01,",
    "practitioner,64445,1,3,2020-01-01,",
    "practitioner,97110,4,1,2020-01-01,",
    "practitioner,01400,1,3,2020-01-01,",
    "practitioner,G0154,0,1,2020-01-01,",
)
WHOLE: Mapping[str, tuple[str, ...]] = {"ncci_ptp": PAIRS, "mue": LIMITS}


def facts(
    *lines: dict[str, Any], role: Role = "practitioner", tables: Mapping[str, tuple[str, ...]] = WHOLE, **claim: Any
) -> list[LineFacts]:
    """The facts of every line of the claim, as a layer that judges all lines sees them."""
    book = with_rows(BOOK, tables)
    data = example_claim(role, {"lines": [{"modifiers": [], **line} for line in lines], **claim}, {"id": "04412"})
    case = case_of(read_claim(data), book, None, layer=EDITS)
    shared = ClaimFacts(case)
    return [LineFacts(shared, line) for line in case.lines]


def said(name: str, *lines: dict[str, Any], **other: Any) -> list[Any]:
    return [line[name] for line in facts(*lines, **other)]


KNEE, SHAVING, INJECTION = {"procedure": "29881"}, {"procedure": "29875"}, {"procedure": "20610"}


def test_a_firm_pair_is_told_on_the_line_that_it_denies() -> None:
    assert said("edit_never_paid", KNEE, SHAVING) == [(), ("29881",)]
    assert said("edit_never_paid", SHAVING, KNEE) == [("29881",), ()]
    assert said("edit_never_paid", KNEE, {**SHAVING, "modifiers": ["59"]}) == [(), ("29881",)]
    assert said("edit_unlifted", KNEE, SHAVING) == [(), ()]


def test_a_pair_that_may_be_lifted_is_told_until_a_modifier_lifts_it() -> None:
    assert said("edit_unlifted", KNEE, INJECTION) == [(), ("29881",)]
    assert said("edit_unlifted", KNEE, {**INJECTION, "modifiers": ["59"]}) == [(), ()]
    assert said("edit_unlifted", {**KNEE, "modifiers": ["XS"]}, INJECTION) == [(), ()]
    assert said("edit_unlifted", {**KNEE, "modifiers": ["RT"]}, {**INJECTION, "modifiers": ["RT"]}) == [(), ("29881",)]
    assert said("edit_unlifted", {**KNEE, "modifiers": ["RT"]}, {**INJECTION, "modifiers": ["LT"]}) == [(), ()]
    assert said("edit_never_paid", KNEE, INJECTION) == [(), ()]


def test_a_pair_is_of_one_day_and_provider() -> None:
    assert said("edit_never_paid", KNEE, {**SHAVING, "service_date": "2026-07-14"}) == [(), ()]
    assert said("edit_never_paid", KNEE, {**SHAVING, "rendering_provider": OTHER}) == [(), ()]
    unclear = (KNEE, {**SHAVING, "rendering_provider": UNCLEAR})
    assert said("edit_never_paid", *unclear) == [(), ()]
    assert said("possible_edit_never_paid", *unclear) == [(), ("29881",)]
    assert said("possible_edit_unlifted", KNEE, {**INJECTION, "rendering_provider": UNCLEAR}) == [(), ("29881",)]
    assert said("possible_edit_unlifted", KNEE, INJECTION) == [(), ()]


def test_the_pairs_are_of_the_date_of_service() -> None:
    later = {"service_date": "2026-08-01"}
    assert said("edit_never_paid", {**KNEE, **later}, {**SHAVING, **later}) == [(), ()]
    last = {"service_date": "2026-07-31"}
    assert said("edit_never_paid", {**KNEE, **last}, {**SHAVING, **last}) == [(), ("29881",)]


def test_the_hospital_has_a_table_of_its_own() -> None:
    assert said("edit_never_paid", KNEE, SHAVING, role="hospital_outpatient") == [(), ()]
    assert said("edit_unlifted", KNEE, SHAVING, role="hospital_outpatient") == [(), ("29881",)]
    assert said("edit_never_paid", KNEE, SHAVING, role="asc") == [(), ("29881",)]


@pytest.mark.parametrize("code", ["27447", "20550"])
def test_a_pair_with_a_procedure_that_has_rules_of_its_own_is_theirs(code: str) -> None:
    lines = ({"procedure": "64445"}, {"procedure": code})
    assert said("edit_never_paid", *lines) == said("edit_unlifted", *lines) == [(), ()]


def test_without_a_whole_table_nothing_is_said() -> None:
    for tables in ({}, {"mue": LIMITS}):
        found = facts(KNEE, SHAVING, {"procedure": "27447"}, {"procedure": "01402"}, tables=tables)
        assert [line["edits_known"] for line in found] == [False] * 4
        assert [line["edit_never_paid"] + line["edit_unlifted"] for line in found] == [()] * 4
    assert said("edit_unit_limit", {**INJECTION, "units": 3}, tables={"ncci_ptp": PAIRS}) == [None]
    assert said("edits_known", KNEE, {**KNEE, "service_date": None}) == [True, None]


def test_lines_that_are_alike_are_each_told() -> None:
    assert said("edit_never_paid", KNEE, KNEE, SHAVING, SHAVING) == [(), (), ("29881",), ("29881",)]
    assert said("edit_unlifted", KNEE, INJECTION, {**INJECTION, "modifiers": ["59"]}) == [(), ("29881",), ()]


def units(*lines: dict[str, Any], **other: Any) -> list[Any]:
    return [
        (int(line["edit_units"]), int(line["edit_unit_limit"])) if line["edit_unit_limit"] is not None else None
        for line in facts(*lines, **other)
    ]


def test_units_of_a_day_are_counted_together_and_told_once() -> None:
    two = {**INJECTION, "units": 2}
    assert units(two, two, KNEE) == [(4, 2), None, None]
    assert units(two, {**two, "modifiers": ["76"]}) == [(4, 2), None]
    assert units(two, {**two, "service_date": "2026-07-14"}) == [(2, 2), (2, 2)]
    assert units(two, {**two, "rendering_provider": OTHER}) == [(2, 2), (2, 2)]
    assert said("edit_limit_of_line", two, KNEE) == [False, None]


def test_units_of_a_line_are_held_against_a_limit_of_the_line() -> None:
    therapy = {"procedure": "97110", "units": 4}
    assert units(therapy, therapy) == [(4, 4), (4, 4)]
    assert said("edit_limit_of_line", therapy) == [True]
    assert units({"procedure": "G0154", "units": 1}) == [(1, 0)]


def test_a_surgical_center_bills_a_line_a_side() -> None:
    right, left = ({**INJECTION, "units": 2, "modifiers": [side]} for side in ("RT", "LT"))
    assert units(right, left, role="asc") == [(2, 2), (2, 2)]
    assert units(right, right, role="asc") == [(4, 2), None]
    assert units(right, left) == [(4, 2), None]


def test_minutes_are_no_units_and_missing_units_are_missing() -> None:
    assert units({"procedure": "01400", "units": 45, "unit_basis": "MJ"}) == [None]
    assert units({"procedure": "01400", "units": 2, "unit_basis": "UN"}) == [(2, 1)]
    assert said("edit_units", {**INJECTION, "units": None}, INJECTION) == [None, None]


def test_the_units_of_a_procedure_with_rules_of_its_own_are_theirs() -> None:
    assert units({"procedure": "64445", "units": 5}) == [None]


def test_a_line_over_several_days_counts_with_its_units_a_day() -> None:
    assert units({**INJECTION, "units": 4, "service_date_end": "2026-07-14"}) == [(2, 2)]


@pytest.mark.parametrize("count", [999])
def test_a_thousand_lines_are_judged_in_a_moment(count: int) -> None:
    codes = [f"{20000 + number:05}" for number in range(count)]
    lines = [{"procedure": code, "diagnosis_pointers": [1]} for code in codes]
    tables = {**WHOLE, "ncci_ptp": tuple(f"practitioner,20000,{code},0,2020-01-01," for code in codes[1:])}
    found = facts(*lines, tables=tables, total_charge="1.00")
    assert [line["edit_never_paid"] for line in found] == [(), *[("20000",)] * (count - 1)]
