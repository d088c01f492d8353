"""A hospital's own list of the locations that Medicare has enrolled: what is asked with it, and what never leaves it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import read_overrides
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.errors import OverridesInvalid
from rules.facts import FACTS, ClaimFacts
from rules.report import Report
from tests.book import BOOK
from worker.intake.document import Document
from worker.intake.documents import read_documents

TODAY = date(2026, 11, 23)
MEDICARE_A = {"id": "04411", "filing_indicator": "MA", "responsibility": "P"}
LIST = """overrides:
  - name: pecos
    locations:
      - {street: 77 CANARY PKWY, street_more: SUITE 9, city: AUSTIN, state: TX, zip: "787019998"}
      - {street: 4 CANARY CT, city: WACO, state: TX, zip: 76701-0001}
    payers: [medicare]
    providers: ["1234567893"]
    reason: enrollment of October
    owner: J. Miller, enrollment
    expires: 2027-06-30
"""
CASES = Path(__file__).parents[3] / "shared" / "cases" / "form"


def book(text: str = LIST, today: date = TODAY) -> Book:
    return overridden(BOOK, read_overrides("o.yaml", text, BOOK), today)


def judged(found: Book, payer: dict[str, Any] = MEDICARE_A, **address: str | None) -> Report:
    at = {"street": "77 CANARY PKWY", "street_more": "SUITE 9", "city": "AUSTIN", "zip": "787019998", **address}
    facility = {"name": "CANARY CLINIC", "state": "TX", "address": at}
    return check(read_claim(example_claim("hospital_outpatient", {"service_facility": facility}, payer)), found)


def codes(report: Report) -> set[str]:
    return {one.code for one in report.every}


def test_a_location_that_is_not_as_enrolled_holds_the_claim_and_names_the_list() -> None:
    report = judged(book(), street="77 CANARY PARKWAY")
    (finding,) = [one for one in report.every if one.code == "UBF033"]
    assert (finding.severity, finding.override and finding.override.name) == ("block", "pecos")
    assert finding.override
    assert finding.override.effect == "2 enrolled locations"
    assert report.disposition == "rework"
    assert "UBF033" not in codes(judged(book()))
    assert "UBF033" not in codes(judged(book(), street="4 CANARY CT", street_more=None, city="WACO", zip="767010001"))


def test_nothing_is_asked_where_there_is_no_list_of_this_provider_payer_or_day() -> None:
    wrong = {"street": "77 CANARY PARKWAY"}
    assert "UBF033" not in codes(judged(BOOK, **wrong))
    assert "UBF033" not in codes(judged(book(LIST.replace("1234567893", "1003000126")), **wrong))
    assert "UBF033" not in codes(
        judged(book(), {"id": "87726", "filing_indicator": "CI", "responsibility": "P"}, **wrong)
    )
    assert "UBF033" not in codes(judged(book(LIST + "    effective: {from: 2026-08-01}\n"), **wrong))
    assert "UBF033" not in codes(judged(book(today=date(2027, 7, 1)), **wrong))
    assert "UBF033" in codes(judged(book(LIST + "    effective: {from: 2026-07-01}\n"), **wrong))


def test_no_address_is_in_a_report_a_fact_or_what_an_override_says_of_itself() -> None:
    found = book()
    report = judged(found, street="78 CANARY PKWY")
    assert "CANARY" not in str(asdict(report))
    assert "CANARY" not in " ".join(str(entry.named()) for entry in found.overrides.entries)
    claim = read_claim(
        example_claim("hospital_outpatient", {"service_facility": {"address": {"street": "CANARY"}}}, MEDICARE_A)
    )
    facts = ClaimFacts(case_of(claim, found, None, layer="form"))
    said = [str(facts[name]) for name, one in FACTS.items() if one.scope == "claim"]
    assert not any("CANARY" in one for one in said)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"787019998"', '"78701"', "locations.0.zip"),
        ("    payers: [medicare]\n", "", "`payers: [medicare]` and `providers` are required"),
        ("[medicare]", "[uhc]", "`payers: [medicare]` and `providers` are required"),
        ('    providers: ["1234567893"]\n', "", "`payers: [medicare]` and `providers` are required"),
        ("state: TX, zip: 76701-0001", "state: Texas, zip: 76701-0001", "locations.1.state"),
        ("    reason:", "    severity: warn\n    reason:", "has no effect with `locations`"),
    ],
)  # fmt: skip
def test_a_faulty_list_is_refused_with_its_place_and_without_an_address(old: str, new: str, expected: str) -> None:
    assert old in LIST
    with pytest.raises(OverridesInvalid) as caught:
        book(LIST.replace(old, new))
    said = str(caught.value)
    assert expected in said.replace("[", ".").replace("]", "") or expected in said
    assert "CANARY" not in said
    assert "78701" not in said


def test_two_lists_of_one_provider_for_the_same_days_are_refused() -> None:
    second = LIST.partition("overrides:\n")[2].replace("pecos", "other")
    with pytest.raises(OverridesInvalid, match="is for the same rule and claims as 'pecos'"):
        book(LIST + second)


@pytest.mark.skipif(not CASES.exists(), reason="the cases are beside the project, and not here")
def test_the_case_of_the_form_edits_is_found_with_a_list_and_is_no_finding_without() -> None:
    """I_24 has a service facility that is not written as enrolled, which the claim alone cannot show."""
    with (CASES / "I_24_facility_addr.837").open("rb") as stream:
        (found,) = read_documents("f.837", stream)
    assert isinstance(found, Document)
    assert "UBF033" not in codes(check(found.claim, BOOK, received=date(2026, 10, 20)))
    billing = found.claim.billing_provider
    assert billing
    own = LIST.replace("1234567893", billing.npi or "")
    assert "UBF033" in codes(check(found.claim, book(own), received=date(2026, 10, 20)))
