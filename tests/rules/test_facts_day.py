"""Facts of one day: who counts as the same provider, which line speaks for the day, what stands beside it."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.case import Case
from rules.claim import Role, read_claim
from rules.engine.cases import case_of
from rules.facts import ClaimFacts, LineFacts
from tests.book import BOOK

OTHER: dict[str, Any] = {"npi": "1245319599"}
MEDICARE = {"id": "04412", "filing_indicator": "MB"}


def case(*lines: dict[str, Any], role: Role = "practitioner", **difference: Any) -> Case:
    return case_of(read_claim(example_claim(role, {"lines": list(lines), **difference}, MEDICARE)), BOOK, None)


def each(name: str, of: Case) -> list[Any]:
    claim = ClaimFacts(of)
    return [LineFacts(claim, line)[name] for line in of.lines]


def test_a_surgical_centers_lines_are_of_one_provider_whoever_is_named_on_them() -> None:
    assert each("units_of_day", case({}, {"rendering_provider": OTHER}, role="asc")) == [2, 2]


def test_lines_of_an_uncertain_provider_speak_for_themselves() -> None:
    lines = ({}, {"rendering_provider": OTHER}, {"rendering_provider": OTHER})
    assert each("first_of_day", case(*lines)) == [True, True, False]
    assert each("first_of_possible_day", case(*lines)) == [True, False, False]
    assert each("units_of_day", case(*lines)) == [1, 2, 2]
    assert each("possible_units_of_day", case(*lines)) == [3, 3, 3]
    assert each("lines_of_day", case(*lines)) == [(1,), (2, 3), (2, 3)]
    assert each("possible_lines_of_day", case(*lines)) == [(1, 2, 3)] * 3


def test_the_first_line_of_each_side_speaks_for_it() -> None:
    sides = [{"modifiers": [side]} for side in ("RT", "LT", "LT", "RT")]
    assert each("first_of_side", case(*sides)) == [True, True, False, False]
    assert each("units_of_side", case(*sides)) == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("modifiers", "expected"),
    [
        ([["LT"], ["RT"]], ("LT", "RT")),
        ([[], ["RT"], ["LT"]], ("LT", "RT")),
        ([["RT"], ["RT"]], ("RT",)),
        ([["LT", "RT"]], ()),
        ([["50"]], ()),
    ],
)
def test_sides_of_the_day(modifiers: list[list[str]], expected: tuple[str, ...]) -> None:
    assert each("sides_of_day", case(*({"modifiers": one} for one in modifiers)))[0] == expected


def test_a_line_repeats_a_bilateral_one_if_it_has_no_fifty_or_comes_after() -> None:
    fifty, right = {"modifiers": ["50"]}, {"modifiers": ["RT"]}
    assert each("bilateral_lines_beside", case(fifty, right)) == [(), (1,)]
    assert each("bilateral_lines_beside", case(right, fifty)) == [(2,), ()]
    assert each("bilateral_lines_beside", case(fifty, fifty)) == [(), (1,)]


def test_a_table_without_values_still_lists_its_codes() -> None:
    of = case({}, {"procedure": "76942"}, {"procedure": "64450"})
    assert each("imaging_codes", of) == [("76942",)]
    assert each("imaging_lines", of) == [(2,)]
    assert each("other_needle_procedures", of) == [("64450",)]


def test_an_undated_companion_is_looked_up_on_the_blocks_date() -> None:
    of = case({}, {"procedure": "99213", "service_date": None})
    assert each("visits_without_25", of) == [()]
    assert each("possible_visits_without_25", of) == [("99213",)]


def test_pairs_are_missing_only_where_an_undated_block_stands_beside_a_partner() -> None:
    undated = {"service_date": None}
    assert each("ncci_partners", case(undated, {"procedure": "20610"})) == [None]
    assert each("ncci_unlifted", case(undated, {"procedure": "20610"})) == [None]
    assert each("ncci_partners", case(undated, {"procedure": "64450"})) == [()]
    assert each("ncci_partners", case({}, {"procedure": "20610"})) == [("20610",)]
