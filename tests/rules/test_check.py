"""The verdict: dispositions, coverage, versions by date, missing facts, bypass, Medicare Advantage, drafts.

The books here are small ones of our own; the shipped library has its own tests.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.book.logic import Condition
from rules.claim import read_claim
from rules.engine.check import check
from rules.loader import read_book
from rules.report import Report
from tests.rules.small import LIBRARY_FILES, RULE


def book(*rules: tuple[str, str], **files: str) -> Book:
    content = {name: text.encode() for name, text in files.items()}
    return read_book({**LIBRARY_FILES, **content, **{name: text.encode() for name, text in rules}})


def rule(**changes: str) -> str:
    text = RULE
    for old, new in changes.items():
        before = {
            "severity": "severity: block",
            "payers": "payers: [medicare]",
            "start": "from: 2026-01-01",
            "status": "status: active",
        }
        assert before[old] in text
        text = text.replace(before[old], new)
    return text


ONE = ("procedures/64445/medicare/UNT001-one.yaml", RULE)


def report(book: Book, role: Any = "practitioner", received: date | None = None, **difference: Any) -> Report:
    payer = difference.pop("payer", {"id": "1", "filing_indicator": "MB"})
    return check(read_claim(example_claim(role, difference, payer)), book, received=received)


TWO = [{"units": "2"}]


def test_a_failed_block_rule_sends_the_claim_to_rework_with_all_that_a_biller_needs() -> None:
    result = report(book(ONE), lines=TWO)
    assert (result.disposition, result.coverage, result.history, result.payer) == (
        "rework",
        "full",
        "not_consulted",
        "medicare",
    )
    finding = asdict(result.findings[0])
    assert finding | {"citation": finding["citation"]["source"]} == {
        "code": "UNT001",
        "outcome": "fail",
        "severity": "block",
        "line": 1,
        "title": "One unit",
        "message": "64445 has 2 units.",
        "fix": "Set units to 1.",
        "patch": ({"op": "replace", "path": "/lines/0/units", "value": "1"},),
        "expected_denial": None,
        "citation": "Manual",
        "evidence": {"units": "2"},
        "version": "2026-01-01",
        "rule": "procedures/64445/medicare/UNT001-one",
        "override": None,
        "cause": None,
        "fault": None,
        "observed": None,
        "because": (),
    }


def test_a_clean_claim_goes_to_billing_without_findings() -> None:
    result = report(book(ONE))
    assert (result.disposition, result.findings, result.rules_run) == ("billing", (), 1)


@pytest.mark.parametrize(("severity", "disposition"), [("block", "rework"), ("warn", "billing"), ("note", "billing")])
def test_only_block_routes_to_rework(severity: str, disposition: str) -> None:
    result = report(book((ONE[0], rule(severity=f"severity: {severity}"))), lines=TWO)
    assert (result.disposition, result.findings[0].severity) == (disposition, severity)


def test_a_missing_fact_is_undetermined_and_no_pass() -> None:
    result = report(book(ONE), lines=[{"units": None}])
    (finding,) = result.findings
    assert (result.disposition, finding.outcome, finding.patch, finding.expected_denial) == (
        "rework",
        "undetermined",
        (),
        None,
    )
    assert finding.message == "Cannot check this: missing on the claim: the units."
    assert finding.evidence == {"units": None}


def test_a_claim_without_the_procedure_is_unchecked_and_says_why() -> None:
    result = report(book(ONE), lines=[{"procedure": "64450"}])
    assert (result.disposition, result.coverage, result.reason) == (
        "unchecked",
        "none",
        "no line carries procedure 64445",
    )


@pytest.mark.parametrize(("day", "disposition"), [("2024-06-30", "unchecked"), ("2024-07-01", "billing")])
def test_a_date_before_the_payers_rules_begin_is_unchecked(day: str, disposition: str) -> None:
    result = report(book(ONE), lines=[{"units": "2", "service_date": day}])
    assert result.disposition == disposition


def test_what_the_book_does_not_cover_is_unchecked_after_claims_that_it_covers() -> None:
    used = book(ONE)
    days = ("2024-07-01", "2024-06-30", "2024-07-01", "2024-06-30")
    found = [report(used, lines=[{"service_date": day}]).disposition for day in days]
    assert found == ["billing", "unchecked", "billing", "unchecked"]


@pytest.mark.parametrize(
    "text",
    [
        rule().replace("{units} units", "{units} units for {charge}"),
        rule().replace("Set units to 1.", "Set units to 1 and {charge} to less."),
        rule().replace(
            "    message", "    bypass: {when: {units: {ge: 3}}, message: Three, fix: 'Lower {charge}.'}\n    message"
        ),
    ],
    ids=["message", "fix", "fix of a lifted edit"],
)
def test_a_sentence_shows_the_facts_of_its_own_claim(text: str) -> None:
    used = book((ONE[0], text))
    for charge in ("100.00", "200.00", "100.00"):
        (finding,) = report(used, lines=[{"units": "3", "charge": charge}]).findings
        assert f"${charge}" in f"{finding.message} {finding.fix}"
        assert finding.evidence == {"units": "3", "charge": charge}


@pytest.mark.parametrize(("day", "codes"), [("2025-12-31", []), ("2026-01-01", ["UNT001"])])
def test_a_version_judges_from_its_first_day_on(day: str, codes: list[str]) -> None:
    assert report(book(ONE), lines=[{"units": "2", "service_date": day}]).codes("block") == codes


def test_a_missing_date_matters_only_where_versions_disagree() -> None:
    undated = {"service_date": None}
    assert report(book(ONE), lines=[undated]).findings == ()
    (finding,) = report(book(ONE), lines=[{**undated, "units": "2"}]).findings
    assert (finding.outcome, finding.message) == (
        "undetermined",
        "Cannot check this: missing on the claim: the date of service.",
    )


def test_an_unknown_payer_meets_the_common_rules_alone() -> None:
    common = ("procedures/64445/common/UNT001-all.yaml", rule(payers="payers: [all]"))
    result = report(book(ONE, common), lines=TWO, payer={"id": "nobody"})
    assert (result.coverage, result.payer) == ("common_only", None)
    assert [finding.rule for finding in result.findings] == ["procedures/64445/common/UNT001-all"]


def test_an_id_names_the_payer_before_the_filing_indicator_does() -> None:
    assert report(book(ONE), payer={"id": "87726", "filing_indicator": "MB"}).payer == "uhc"


ADVANTAGE = "payer: medicare\nname: M\ncovers_from: 2024-07-01\nfiling_indicators: [MB]\nadvantage: {codes: [UNT001], at_most: warn}\n"
UHC = {"id": "87726", "line_of_business": "medicare_advantage"}


def test_medicare_advantage_takes_over_medicares_rule_as_a_warning() -> None:
    shelf = book(ONE, **{"payers/medicare.yaml": ADVANTAGE})
    result = report(shelf, lines=TWO, payer=UHC)
    assert [(f.code, f.severity) for f in result.findings] == [("UNT001", "warn")]
    assert result.disposition == "billing"
    assert report(shelf, lines=TWO, payer={**UHC, "line_of_business": "commercial"}).findings == ()


def test_medicare_advantage_does_not_say_a_thing_twice() -> None:
    own = ("procedures/64445/uhc/UNT001-own.yaml", rule(payers="payers: [uhc]", severity="severity: note"))
    shelf = book(ONE, own, **{"payers/medicare.yaml": ADVANTAGE})
    assert [f.rule for f in report(shelf, lines=TWO, payer=UHC).findings] == ["procedures/64445/uhc/UNT001-own"]


def test_a_draft_runs_in_the_shadow_and_never_routes() -> None:
    result = report(book((ONE[0], rule(status="status: draft"))), lines=TWO)
    assert (result.disposition, result.findings, [f.code for f in result.shadow]) == ("billing", (), ["UNT001"])


def test_a_retired_rule_does_not_run() -> None:
    result = report(book((ONE[0], rule(status="status: retired"))), lines=TWO)
    assert (result.disposition, result.findings, result.shadow, result.rules_run) == ("billing", (), (), 0)


def test_a_void_meets_only_the_rules_that_are_meant_for_it() -> None:
    assert report(book(ONE), lines=TWO, frequency_code="8").findings == ()


def test_a_rule_that_raises_becomes_a_finding_and_the_others_run() -> None:
    shelf = book(ONE, ("procedures/64445/medicare/UNT001-two.yaml", RULE))

    def explode(_: object) -> bool:
        raise RuntimeError("CANARY")

    broken = replace(
        shelf.rules[0],
        versions=(
            replace(shelf.rules[0].versions[0], demand=Condition("explode(f)", "explode(f)", (), {"explode": explode})),
        ),
    )
    result = report(replace(shelf, rules=(broken, shelf.rules[1])), lines=TWO)
    assert [(f.code, f.severity) for f in result.findings] == [("ENG001", "block"), ("UNT001", "block")]
    assert "CANARY" not in str(result)


def test_the_given_date_of_receipt_is_used_only_where_the_claim_has_none() -> None:
    late = RULE.replace("scope: line", "scope: claim").replace(
        "{units: {le: 1}}", "{received_date: {before: 2026-08-01}}"
    )
    late = (
        late.replace("{units} units", "{received_date}").split("    patch:")[0]
        + "    citation:"
        + late.split("citation:")[1]
    )
    late = late.replace("lines: [{units: 1}]", "received_date: 2026-07-31").replace(
        "lines: [{units: 2}]", "received_date: 2026-08-01"
    )
    shelf = book((ONE[0], late))
    assert report(shelf, received=date(2026, 9, 1)).findings == ()
    assert [f.message for f in report(shelf, received=date(2026, 9, 1), received_date=None).findings] == [
        "64445 has 2026-09-01."
    ]
    assert [f.outcome for f in report(shelf, received_date=None).findings] == ["undetermined"]


@pytest.mark.parametrize(
    ("difference", "role"),
    [
        ({}, "practitioner"),
        ({"place_of_service": "24"}, "practitioner"),
        ({"place_of_service": "24", "rendering_provider": None}, "asc"),
        ({"place_of_service": "24", "rendering_provider": None, "service_facility": {"name": "X"}}, "practitioner"),
        ({"billing_provider": {"taxonomy": "261QA1903X"}}, "asc"),
    ],
)
def test_who_bills_a_professional_claim(difference: dict[str, Any], role: str) -> None:
    assert report(book(ONE), **difference).bills_as == role


def test_the_same_claim_gives_the_same_report() -> None:
    assert report(book(ONE), lines=TWO) == report(book(ONE), lines=TWO)
