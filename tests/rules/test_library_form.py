"""What the shipped rules on form, identifiers, payer, diagnoses and place say together of whole claims."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import examples_of, payer_part
from rules.book.book import Book
from rules.book.rulefile import read_document
from rules.claim import Claim, Role, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.history import NOTHING_BILLED
from rules.loader import LIBRARY
from rules.report import Report
from tests.book import BOOK

FAMILIES = ("CLM", "IDN", "PAY", "DXN", "POS")
ON_VOID = {"CLM001", "CLM008", "CLM009", "CLM011", "IDN001", "IDN003", "IDN004"}
KNOWN: dict[str, dict[str, Any]] = {
    "medicare": {"id": "04412", "filing_indicator": "MB"},
    "aetna": {"id": "60054", "filing_indicator": "CI"},
    "bcbs": {"id": "84980", "filing_indicator": "BL"},
    "cigna": {"id": "62308", "filing_indicator": "CI"},
    "uhc": {"id": "87726", "filing_indicator": "CI"},
}
PAYERS = {key: KNOWN.get(key) or payer_part(BOOK, key) for key in BOOK.registry.payers}
MEMBERS = {
    "medicare": "1EG4TE5MK73",
    "aetna": "W123456789",
    "bcbs": "XYZ123456789",
    "cigna": "U12345678",
    "uhc": "123456789",
}
ROLES: tuple[Role, ...] = get_args(Role)


@pytest.fixture(scope="module")
def book() -> Book:
    return BOOK


def claim(role: Role = "practitioner", payer: str = "aetna", **difference: Any) -> Claim:
    """A claim with a member id of the payer's usual shape, unless the difference has another."""
    member = {"subscriber": {"member_id": MEMBERS[payer]}} if payer in MEMBERS else {}
    return read_claim(example_claim(role, member | difference, PAYERS.get(payer, {"id": payer})))


def of_form(report: Report) -> list[str]:
    return [found.code for found in report.every if found.code.startswith(FAMILIES)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("payer", PAYERS)
def test_a_clean_claim_has_no_finding(book: Book, role: Role, payer: str) -> None:
    report = check(claim(role, payer), book, history=NOTHING_BILLED)
    assert (report.payer, of_form(report)) == (payer, [])
    assert {gap.kind for gap in report.gaps} <= {"edition_past", "table_not_imported", "field_not_read"}
    assert report.coverage == ("partial" if report.gaps else "full")


@pytest.mark.parametrize("role", ROLES)
def test_a_payer_without_rules_is_reported_and_judged_by_the_common_ones(book: Book, role: Role) -> None:
    report = check(claim(role, "99999", total_charge="1.00"), book)
    assert report.coverage == "common_only"
    assert of_form(report) == ["CLM001", "PAY001"]
    assert report.disposition == "rework"


def test_an_unknown_payer_alone_does_not_hold_a_claim(book: Book) -> None:
    report = check(claim(payer="99999"), book)
    assert of_form(report) == ["PAY001"]
    assert [found.severity for found in report.every if found.code == "PAY001"] == ["warn"]


def test_an_unknown_plan_is_reported_once(book: Book) -> None:
    named = read_claim(example_claim("practitioner", {"payer": {"plan": "nowhere"}}, PAYERS["bcbs"]))
    assert of_form(check(named, book)) == ["PAY001"]
    stranger = read_claim(example_claim("practitioner", {"payer": {"plan": "nowhere"}}, {"id": "99999"}))
    assert of_form(check(stranger, book)) == ["PAY001"]


@pytest.mark.parametrize(("payer_id", "payer", "plan"), [("84980", "bcbs", "bcbstx"), ("00770", "bcbs", "anthem")])
def test_a_payer_id_may_name_the_plan(book: Book, payer_id: str, payer: str, plan: str) -> None:
    report = check(claim(payer=payer_id), book)
    assert (report.payer, report.plan) == (payer, plan)


FAULTS: dict[str, Any] = {
    "received_date": "2026-07-01",
    "diagnoses": ["724.3", "724.3"],
    "rendering_provider": {"npi": "123"},
    "billing_provider": {"npi": "123"},
    "subscriber": {"member_id": "123456789A"},
    "total_charge": "1.00",
    "lines": [{"modifiers": ["R", "R"], "units": "9", "diagnosis_pointers": [9], "procedure": "64445"}],
}


@pytest.mark.parametrize("payer", PAYERS)
def test_a_void_runs_only_the_rules_that_are_meant_for_it(book: Book, payer: str) -> None:
    original = set(of_form(check(claim(payer=payer, **FAULTS), book)))
    void = check(claim(payer=payer, frequency_code="8", **FAULTS), book)
    assert original >= {"CLM001", "CLM003", "CLM004", "CLM005", "CLM006", "IDN001", "IDN002", "DXN001"}
    assert {found.code for found in void.every} <= ON_VOID
    assert {"CLM001", "CLM008", "IDN001"} <= {found.code for found in void.every}


def test_a_claim_without_a_place_of_service_is_reported_once(book: Book) -> None:
    assert of_form(check(claim(place_of_service=None), book)) == ["CLM009"]


def test_no_message_holds_a_patient_identifier(book: Book) -> None:
    secret = "CANARY77777"
    report = check(
        claim(payer="medicare", subscriber={"member_id": secret}, patient={"birth_date": "2026-07-19"}), book
    )
    assert {"IDN004", "CLM006"} <= set(of_form(report))
    assert secret not in repr(report)
    assert "2026-07-19" not in repr(report)


def test_an_example_for_a_payer_is_of_none_of_its_plans(book: Book) -> None:
    rule = book.files["form/common/PAY001-unknown-plan"]
    document = read_document(f"{rule.file}.yaml", (LIBRARY / f"{rule.file}.yaml").read_text())
    of_bcbs = next(example for example in examples_of(book, rule, document) if example.name == "no plan")
    selection = case_of(of_bcbs.claim, book, None).selection
    assert (selection.payer, selection.plan) == ("bcbs", None)


STAY = {
    "type_of_bill": "0111",
    "statement_from_date": "2026-07-10",
    "statement_through_date": "2026-07-14",
    "lines": [
        {"procedure": None, "service_date": None, "revenue_code": "0120", "units": "4", "unit_basis": "DA"},
        {"procedure": None, "service_date": None, "revenue_code": "0250"},
    ],
}


@pytest.mark.parametrize("payer", PAYERS)
def test_a_stay_whose_lines_have_no_dates_is_judged_by_its_statement(book: Book, payer: str) -> None:
    report = check(claim("hospital_outpatient", payer, **STAY), book, history=NOTHING_BILLED)
    assert (report.disposition, [found.code for found in report.every if found.severity == "block"]) == (
        "unchecked",
        [],
    )


def test_a_statement_that_ends_after_the_day_of_receipt_is_a_service_in_the_future(book: Book) -> None:
    late = STAY | {"statement_through_date": "2026-07-25"}
    assert "CLM006" in of_form(check(claim("hospital_outpatient", "aetna", **late), book))
