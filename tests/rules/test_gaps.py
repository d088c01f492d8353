"""Gaps in few words: what was not looked at, and which editions to import, by the claim's own dates."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.engine.gaps import editions_wanted, numbered, unread
from rules.report import Gap, Report
from rules.tables.cadence import release_on
from rules.terms import Cadence
from tests.book import BOOK
from worker.demo.claims import EXAMPLES


def judged(**changes: Any) -> tuple[Report, Claim]:
    claim = read_claim(copy.deepcopy(EXAMPLES[0].claim) | changes)
    return check(claim, BOOK, received=date(2026, 11, 2)), claim


def with_gaps(*gaps: Gap, **changes: Any) -> tuple[Report, Claim]:
    report, claim = judged()
    return replace(report, gaps=gaps, **changes), claim


@pytest.mark.parametrize(
    ("cadence", "day", "name"),
    [
        ("quarterly", "2026-09-30", "2026 Q3"),
        ("quarterly", "2026-10-01", "2026 Q4"),
        ("yearly", "2026-12-31", "2026"),
        ("fiscal_yearly", "2026-09-30", "FY 2026"),
        ("fiscal_yearly", "2026-10-01", "FY 2027"),
        ("fiscal_yearly", "2027-01-01", "FY 2027"),
    ],
)
def test_an_edition_is_named_as_its_publisher_names_it(cadence: Cadence, day: str, name: str) -> None:
    assert release_on(cadence, date.fromisoformat(day)) == name


def test_a_file_is_named_once_with_the_rules_that_asked_it_and_the_edition_of_the_lines_date() -> None:
    past = [Gap("edition_past", code, 1, "ncci_ptp", "x") for code in ("BND003", "BND002")]
    report, claim = with_gaps(*past, Gap("table_extract", "BND002", 1, "ncci_ptp", "y"))
    assert [str(one) for one in unread(report, claim)] == ["NCCI pairs (practitioner) 2026 Q3 [BND002, BND003]"]
    assert editions_wanted(report, claim) == ["NCCI pairs (practitioner) 2026 Q3"]
    hospital = replace(report, bills_as="hospital_outpatient")
    assert editions_wanted(hospital, claim) == ["NCCI pairs (hospital) 2026 Q3"]
    assert [one.what for one in unread(report, None)] == ["NCCI pairs (practitioner)"]


def test_claims_that_share_a_report_want_the_editions_of_their_own_dates() -> None:
    line = copy.deepcopy(EXAMPLES[0].claim["lines"][0])
    found = {}
    for day in ("2026-10-02", "2027-01-04", "2026-10-02"):
        found[day] = editions_wanted(*judged(lines=[line | {"service_date": day}]))
    assert "MUE (practitioner) 2026 Q4" in found["2026-10-02"]
    assert "MUE (practitioner) 2027 Q1" in found["2027-01-04"]


def test_a_table_that_is_no_official_file_is_named_and_not_to_be_imported() -> None:
    report, claim = with_gaps(Gap("edition_past", "DXN009", 1, "excludes1", "x"))
    (one,) = unread(report, claim)
    assert (one.what, one.official, editions_wanted(report, claim)) == ("excludes1", False, [])


def test_history_that_no_file_check_has_is_no_gap_of_a_claim_and_a_missing_member_id_is() -> None:
    gaps = [Gap("history_not_consulted", code, None, None, "x") for code in ("DUP001", "DUP002")]
    assert unread(*with_gaps(*gaps, history="not_consulted")) == ()
    assert [str(one) for one in unread(*with_gaps(*gaps, history="no_member_id"))] == ["history (no member id)"]


def test_what_a_finding_says_already_is_not_said_again() -> None:
    report, claim = judged(payer={"id": "NOBODY", "filing_indicator": "CI", "responsibility": "P"})
    assert "PAY001" in {one.code for one in report.every}
    assert "payer_without_rules" in {one.kind for one in report.gaps}
    assert "payer_without_rules" not in {one.kind for one in unread(report, claim)}


@pytest.mark.parametrize(
    ("lines", "text"), [([2], "line 2"), ([2, 4], "lines 2 and 4"), ([1, 2, 4], "lines 1, 2 and 4"), ([], "lines")]
)
def test_lines_are_numbered_as_one_says_them(lines: list[int], text: str) -> None:
    assert numbered(lines) == text


def test_a_field_that_stands_on_the_claim_and_one_that_it_leaves_out_are_not_said_in_the_same_words() -> None:
    report, claim = judged(not_read=["2310A NM1*P3"])
    said = {one.what: one.codes for one in unread(report, claim) if one.kind == "field_not_read"}
    assert said["2310A NM1*P3, which is on the claim and is not read"] == ("IDN002",)
    assert "ADR001" in said["fields that the claim leaves out"]
    assert "IDN002" not in said["fields that the claim leaves out"]
