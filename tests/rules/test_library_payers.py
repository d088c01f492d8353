"""What the shipped rules on units, modifiers, bundling and filing say together of whole claims, payer by payer."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import payer_part
from rules.book.book import Book
from rules.claim import Role, read_claim
from rules.engine.check import check
from rules.report import Finding, Report
from tests.book import BOOK

FAMILIES = ("UNT", "MOD", "BND", "TIM")
KNOWN: dict[str, dict[str, Any]] = {
    "medicare": {"id": "04412", "filing_indicator": "MB"},
    "aetna": {"id": "60054", "filing_indicator": "CI"},
    "bcbs": {"id": "84980", "filing_indicator": "BL"},
    "cigna": {"id": "62308", "filing_indicator": "CI"},
    "uhc": {"id": "87726", "filing_indicator": "CI"},
    "uhc advantage": {"id": "87726", "filing_indicator": "16"},
}
PAYERS = {**{key: payer_part(BOOK, key) for key in BOOK.registry.payers}, **KNOWN}
BOTH_SIDES = [{"modifiers": ["LT"]}, {"modifiers": ["RT"]}]
FIFTY = [{"modifiers": ["50"]}]
ROLES: tuple[Role, ...] = ("practitioner", "hospital_outpatient", "asc")


@pytest.fixture(scope="module")
def book() -> Book:
    return BOOK


def report(book: Book, payer: str, role: Role = "practitioner", **difference: Any) -> Report:
    key, _, plan = payer.partition("/")
    return check(read_claim(example_claim(role, difference, PAYERS[key] | {"plan": plan or None})), book)


def ours(verdict: Report) -> list[Finding]:
    return [found for found in verdict.every if found.code.startswith(FAMILIES)]


def said(verdict: Report) -> list[tuple[str, str]]:
    return [(found.code, found.severity) for found in ours(verdict)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("payer", PAYERS)
def test_a_clean_claim_has_no_finding(book: Book, payer: str, role: Role) -> None:
    verdict = report(book, payer, role)
    assert (verdict.disposition, ours(verdict)) == ("billing", [])


@pytest.mark.parametrize("role", ["practitioner", "hospital_outpatient"])
@pytest.mark.parametrize("payer", PAYERS)
def test_both_sides_as_fifty_with_one_unit_are_clean(book: Book, payer: str, role: Role) -> None:
    assert ours(report(book, payer, role, lines=FIFTY, diagnoses=["G57.03"])) == []


def test_both_sides_as_two_lines_are_clean_from_a_medicare_surgical_center(book: Book) -> None:
    verdict = report(book, "medicare", "asc", lines=BOTH_SIDES, diagnoses=["G57.03"])
    assert (verdict.disposition, ours(verdict)) == ("billing", [])


def test_both_sides_as_two_lines_are_held_for_a_medicare_practitioner(book: Book) -> None:
    verdict = report(book, "medicare", lines=BOTH_SIDES)
    assert (verdict.disposition, said(verdict)) == ("rework", [("MOD004", "block"), ("UNT002", "block")])


def test_an_unclear_role_warns_once_a_code(book: Book) -> None:
    unclear: dict[str, Any] = {
        "place_of_service": "24",
        "rendering_provider": None,
        "billing_provider": {"taxonomy": None},
    }
    verdict = report(book, "medicare", lines=BOTH_SIDES, **unclear)
    assert said(verdict) == [("MOD004", "warn"), ("UNT002", "warn")]
    facility = report(book, "medicare", lines=BOTH_SIDES, service_facility={"kind": "asc"}, **unclear)
    assert said(facility) == [("MOD004", "warn"), ("UNT002", "warn")]


FAULTY: dict[str, list[dict[str, Any]]] = {
    "UNT001": [{"units": "2"}],
    "UNT002": [{}, {}],
    "MOD001": [{"modifiers": ["RT", "26"]}],
    "MOD003": [{"modifiers": ["50"], "units": "2"}],
    "MOD004": BOTH_SIDES,
    "BND001": [{}, {"procedure": "76942", "modifiers": []}],
    "BND003": [{"modifiers": ["RT"]}, {"procedure": "20610"}],
    "BND004": [{}, {"procedure": "99213", "modifiers": []}],
}


@pytest.mark.parametrize("code", FAULTY)
def test_medicare_advantage_hears_medicares_rules_as_warnings_and_each_once(book: Book, code: str) -> None:
    verdict = report(book, "uhc advantage", lines=FAULTY[code], diagnoses=["G57.03"])
    found = [finding for finding in ours(verdict) if finding.code == code]
    assert [finding.severity for finding in found] == ["warn"]
    assert verdict.disposition == "billing"
    original = report(book, "medicare", lines=FAULTY[code])
    assert (code, "block") in said(original)


def test_medicare_advantage_is_bundled_by_medicares_rule_and_not_by_the_payers_own(book: Book) -> None:
    verdict = report(book, "uhc advantage", lines=FAULTY["BND003"])
    assert [(found.code, found.rule) for found in ours(verdict)] == [
        ("BND003", "procedures/64445/medicare/BND003-pair")
    ]
    own = ours(report(book, "uhc", lines=FAULTY["BND003"]))
    assert [(found.code, found.rule) for found in own] == [("BND003", "procedures/64445/uhc/BND003-pair")]


def test_medicares_filing_year_is_not_taken_over(book: Book) -> None:
    late = {"received_date": "2027-07-20"}
    assert {found.rule for found in ours(report(book, "uhc advantage", **late))} == {"form/uhc/TIM001-primary"}
    assert said(report(book, "medicare", **late)) == [("TIM001", "block")]


PLANS = {
    "bcbs": [("MOD004", "warn"), ("UNT002", "warn")],
    "bcbs/bcbsok": [],
    "bcbs/nebraska": [("MOD004", "block"), ("UNT002", "warn")],
    "bcbs/nd": [("MOD004", "warn"), ("UNT002", "warn")],
}


@pytest.mark.parametrize("payer", PLANS)
def test_both_sides_as_two_lines_at_the_blue_plans(book: Book, payer: str) -> None:
    assert said(report(book, payer, lines=BOTH_SIDES)) == PLANS[payer]


@pytest.mark.parametrize("plan", ["bcbsok", "nebraska", "nd"])
def test_a_plans_rule_replaces_the_general_one(book: Book, plan: str) -> None:
    own = [found for found in ours(report(book, f"bcbs/{plan}", lines=FAULTY["MOD003"])) if found.code == "MOD003"]
    assert [(found.rule, found.severity) for found in own] == [(f"procedures/64445/bcbs/MOD003-{plan}", "block")]


def test_a_second_line_beside_fifty_is_held_at_oklahoma_alone(book: Book) -> None:
    lines = [{"modifiers": ["50"]}, {"modifiers": ["RT"]}]
    held = report(book, "bcbs/bcbsok", lines=lines)
    assert [(found.code, found.severity, found.line) for found in ours(held)] == [("UNT002", "block", 2)]
    assert report(book, "bcbs", lines=lines).disposition == "billing"


def test_an_unknown_payer_hears_the_rules_for_all_alone(book: Book) -> None:
    lines = [{"modifiers": ["50", "RT"], "units": "2"}]
    verdict = check(read_claim(example_claim("practitioner", {"lines": lines}, {"id": "99999"})), book)
    assert said(verdict) == [("MOD002", "block")]


def test_a_pair_that_59_lifts_is_shown_and_goes_to_billing(book: Book) -> None:
    verdict = report(book, "medicare", lines=[{}, {"procedure": "20610", "modifiers": ["RT", "59"]}])
    assert verdict.disposition == "billing"
    (found,) = ours(verdict)
    assert (found.code, found.outcome, found.severity, found.expected_denial) == ("BND003", "bypassed", "note", None)
    assert "20610" in found.message
    assert "record" in found.fix


def test_a_visit_without_25_is_held_by_its_own_rule_alone(book: Book) -> None:
    verdict = report(book, "medicare", lines=FAULTY["BND004"])
    assert (verdict.disposition, said(verdict)) == ("rework", [("BND004", "block")])
    (found,) = ours(verdict)
    assert found.expected_denial is not None
    assert (found.expected_denial.group, found.expected_denial.carc) == ("CO", "97")


def test_a_rule_of_the_day_speaks_once(book: Book) -> None:
    lines = [{}, {}, {"procedure": "99213", "modifiers": []}, {"procedure": "76942", "modifiers": []}]
    codes = [found.code for found in ours(report(book, "medicare", lines=lines))]
    assert codes == ["BND001", "BND004", "UNT002"]


def test_each_physicians_own_surplus_is_found_where_a_specialty_is_unknown(book: Book) -> None:
    other = {"rendering_provider": {"npi": "1245319599"}}
    found = ours(report(book, "medicare", lines=[{}, other, other]))
    assert [(finding.code, finding.severity, finding.line) for finding in found] == [
        ("UNT002", "block", 2),
        ("UNT002", "warn", 1),
    ]


def test_a_void_repeats_its_fault_unhindered(book: Book) -> None:
    void = {"frequency_code": "8", "original_reference_number": "123"}
    assert ours(report(book, "medicare", lines=BOTH_SIDES, received_date="2028-01-01", **void)) == []


@pytest.mark.parametrize(("participating", "expected"), [(True, "fail"), (False, None), (None, "undetermined")])
def test_cigna_between_its_limits(book: Book, participating: bool | None, expected: str | None) -> None:
    verdict = report(
        book, "cigna", billing_provider={"participating": participating}, received_date="2026-10-12"
    )  # day 91
    assert [found.outcome for found in ours(verdict)] == ([expected] if expected else [])
    assert verdict.disposition == ("rework" if expected else "billing")


def test_the_repair_of_the_units_makes_the_claim_clean(book: Book) -> None:
    verdict = report(book, "medicare", lines=[{"units": "3"}])
    patches = [operation for found in ours(verdict) for operation in found.patch]
    assert patches == [{"op": "replace", "path": "/lines/0/units", "value": "1"}]


@pytest.mark.parametrize("payer", PAYERS)
def test_every_finding_tells_what_to_do_and_who_says_so(book: Book, payer: str) -> None:
    lines = [{"modifiers": ["50", "RT", "26"], "units": "2"}, {}, {"procedure": "99213"}, {"procedure": "76942"}]
    findings = ours(report(book, payer, lines=lines))
    assert findings
    for found in findings:
        assert found.fix
        assert found.citation.source
        assert "{" not in found.message + found.fix
        assert "(missing)" not in found.message + found.fix
