"""The last day to file is found by asking the rules, in whatever form they say their limit."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rules.claim import read_claim
from rules.engine.check import check
from tests.book import BOOK
from worker.demo.claims import EXAMPLES
from worker.desk.lastday import last_day
from worker.intake.plain import undated

CLEAN = next(entry.claim for entry in EXAMPLES if entry.shows == "right side in the office")


def claim(payer: dict[str, Any], served: str, **more: Any) -> Any:
    lines = [{**line, "service_date": served} for line in CLEAN["lines"]]
    return read_claim({**CLEAN, "payer": payer, "lines": lines, "received_date": None, **more})


MEDICARE = CLEAN["payer"]
AETNA = {"id": "60054", "filing_indicator": "CI", "responsibility": "P"}
UHC = {"id": "87726", "filing_indicator": "CI", "responsibility": "P"}
CIGNA = {"id": "62308", "filing_indicator": "CI", "responsibility": "P"}


def test_medicare_takes_a_claim_for_one_calendar_year() -> None:
    found = last_day(claim(MEDICARE, "2026-07-13"), BOOK)
    assert found is not None
    assert (found.day, found.grade) == (date(2027, 7, 13), "A")
    assert "TIM001" in found.rule


@pytest.mark.parametrize("payer", [MEDICARE, AETNA, UHC, CIGNA], ids=["medicare", "aetna", "uhc", "cigna"])
def test_no_filing_rule_speaks_on_that_day_and_one_speaks_on_the_next(payer: dict[str, Any]) -> None:
    one = claim(payer, "2026-03-02")
    found = last_day(one, BOOK)
    assert found is not None

    def late(day: date) -> bool:
        return any(f.code == "TIM001" and f.outcome == "fail" for f in check(undated(one), BOOK, received=day).every)

    assert not late(found.day)
    assert late(date.fromordinal(found.day.toordinal() + 1))


def test_it_does_not_depend_on_when_the_claim_was_received() -> None:
    assert last_day(claim(UHC, "2026-03-02", received_date="2029-01-01"), BOOK) == last_day(
        claim(UHC, "2026-03-02"), BOOK
    )


def test_it_is_not_known_where_no_rule_says_it_or_the_claim_has_no_date() -> None:
    assert last_day(claim({"id": "99999", "filing_indicator": "CI", "responsibility": "P"}, "2026-03-02"), BOOK) is None
    bare = read_claim({**CLEAN, "lines": [{**line, "service_date": None} for line in CLEAN["lines"]]})
    assert last_day(bare, BOOK) is None
