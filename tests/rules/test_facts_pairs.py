"""What on the day forms a pair with 64445, and what the hospital wants authorized."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.facts import ClaimFacts, LineFacts
from rules.tables.table import FOREVER, Table
from tests.book import BOOK


def pairs(*others: dict[str, Any], **line: Any) -> tuple[str, ...] | None:
    data = example_claim("practitioner", {"lines": [line, *others]}, {"id": "04412"})
    case = case_of(read_claim(data), BOOK, None)
    found: tuple[str, ...] | None = LineFacts(ClaimFacts(case), case.lines[0])["pairs_of_day"]
    return found


@pytest.mark.parametrize("code", ["20610", "27447", "01480", "99213", "28296", "01991"])
def test_a_procedure_of_an_edit_forms_a_pair(code: str) -> None:
    assert pairs({"procedure": code}) == (code,)


@pytest.mark.parametrize("code", ["64446", "64447", "64450", "76942", "J3301", "99203", "64445"])
def test_a_procedure_of_no_edit_forms_none(code: str) -> None:
    assert pairs({"procedure": code}) == ()


def test_pairs_are_of_one_day_and_named_once() -> None:
    assert pairs({"procedure": "20610", "service_date": "2026-07-14"}) == ()
    assert pairs({"procedure": "20610"}, {"procedure": "20610"}, {"procedure": "27447"}) == ("20610", "27447")
    assert pairs({"procedure": "20610"}, service_date=None) is None


def authorization(rows: list[tuple[str, str]], payer: dict[str, Any], **difference: Any) -> bool | None:
    data = example_claim("practitioner", difference, payer)
    case = case_of(read_claim(data), BOOK, None)
    always = Table("authorizations", dict.fromkeys(rows, ((date.min, FOREVER, ()),)), {"": date.min})
    tables = {**BOOK.tables, "authorizations": always}
    wanted: bool | None = ClaimFacts(case._replace(tables=tables))["authorization_wanted"]
    return wanted


def test_no_payer_wants_an_authorization_by_the_shipped_table() -> None:
    assert len(BOOK.tables["authorizations"]) == 0
    assert authorization([], {"id": "60054"}) is False


@pytest.mark.parametrize(
    ("row", "wanted"),
    [(("bcbs", ""), True), (("bcbs", "anthem"), True), (("bcbs", "ibx"), False), (("aetna", ""), False)],
)
def test_a_row_is_for_one_plan_or_for_all_plans_of_the_payer(row: tuple[str, str], wanted: bool) -> None:
    assert authorization([row], {"id": "00770"}) is wanted


def test_without_a_date_an_authorization_is_unknown_only_where_a_row_is_for_the_payer() -> None:
    undated = {"lines": [{"service_date": None}]}
    assert authorization([("aetna", "")], {"id": "60054"}, **undated) is None
    assert authorization([("cigna", "")], {"id": "60054"}, **undated) is False
