"""Facts of money: the lowest amount of a state, of the nation, and none where a table does not speak."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.case import Case
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.facts.fees import medicare_amount, medicare_area
from rules.tables.table import empty_table
from tests.book import BOOK


def case(state: str | None, day: str = "2026-07-13") -> Case:
    difference: dict[str, Any] = {"billing_provider": {"state": state}, "lines": [{"service_date": day}]}
    return case_of(read_claim(example_claim("practitioner", difference, {"filing_indicator": "MB"})), BOOK, None)


@pytest.mark.parametrize(
    ("state", "area", "amount"),
    [
        ("AL", "AL", "155.81"),
        ("TX", "TX", "161.93"),
        ("AK", "AK", "201.80"),
        ("GU", "any state", "153.59"),
        (None, "any state", "153.59"),
    ],
)
def test_the_lowest_amount_of_the_state_or_of_the_nation(state: str | None, area: str, amount: str) -> None:
    one = case(state)
    assert (medicare_area(one, one.lines[0]), medicare_amount(one, one.lines[0])) == (area, Decimal(amount))


def test_each_year_has_its_own_amounts_and_a_year_without_has_none() -> None:
    amounts = [
        medicare_amount(one, one.lines[0]) for one in (case("AL", f"{year}-12-31") for year in range(2024, 2028))
    ]
    assert amounts == [None, Decimal("135.92"), Decimal("155.81"), None]


@pytest.mark.parametrize("table", ["localities", "relative_values"])
def test_without_one_of_its_tables_there_is_no_amount(table: str) -> None:
    one = case("TX")
    bare = one._replace(tables={**one.tables, table: empty_table(table)})
    assert medicare_amount(bare, bare.lines[0]) is None
