"""Facts of the drugs, the diagnoses, the filing dates and the member id, where an example cannot reach."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.facts import FACTS, ClaimFacts, LineFacts
from tests.book import BOOK


@pytest.fixture(scope="module")
def book() -> Book:
    return BOOK


def facts(book: Book, **difference: Any) -> ClaimFacts:
    return ClaimFacts(case_of(read_claim(example_claim("practitioner", difference, {"id": "60054"})), book, None))


def test_units_of_a_drug_add_up_by_date_whatever_their_order(book: Book) -> None:
    drug = {"procedure": "J3301", "modifiers": []}
    lines = [{}, {**drug, "units": "9"}, {**drug, "units": "8"}, {**drug, "units": "16", "service_date": "2026-07-14"}]
    assert facts(book, lines=lines)["drugs_above_mue"] == ("J3301: 17 units, limit 16",)
    assert facts(book, lines=[lines[0], *lines[:0:-1]])["drugs_above_mue"] == ("J3301: 17 units, limit 16",)


def test_a_drug_is_judged_by_its_own_date(book: Book) -> None:
    lines = [{"service_date": "2024-12-31"}, {"procedure": "J2001", "service_date": "2025-01-01"}]
    assert facts(book, lines=lines)["deleted_drug_codes"] == ("J2001",)


SINGLE, MULTI = "70121157301", "00009030602"


@pytest.mark.parametrize(
    ("ndc", "modifiers", "single", "unknown"),
    [
        (SINGLE, [], (2,), ()),
        (SINGLE, ["JZ"], (), ()),
        (SINGLE, ["JW"], (), ()),
        (MULTI, [], (), ()),
        ("99999999999", [], (), (2,)),
        ("99999999999", ["JZ"], (), ()),
        (None, [], (), (2,)),
    ],
)
def test_a_drug_is_single_dose_by_its_ndc(
    book: Book, ndc: str | None, modifiers: list[str], single: tuple[int, ...], unknown: tuple[int, ...]
) -> None:
    known = facts(book, lines=[{}, {"procedure": "J1010", "modifiers": modifiers, "drug": {"ndc": ndc}}])
    assert (known["single_dose_lines_without_jz"], known["drug_lines_of_unknown_package"]) == (single, unknown)


def test_packages_are_of_drugs_that_the_block_does_not_include(book: Book) -> None:
    known = facts(book, lines=[{}, {"procedure": "J2003", "modifiers": []}, {"procedure": "99070", "modifiers": []}])
    assert known["drug_lines_of_unknown_package"] == ()


def center(book: Book, day: str, *procedures: str) -> ClaimFacts:
    lines: list[dict[str, Any]] = [{"service_date": day}]
    lines += [{"procedure": procedure, "modifiers": [], "service_date": day} for procedure in procedures]
    return ClaimFacts(
        case_of(read_claim(example_claim("asc", {"lines": lines}, {"filing_indicator": "MB"})), book, None)
    )


@pytest.mark.parametrize(
    ("day", "open_lines"), [("2024-12-31", ()), ("2025-01-01", (2,)), ("2025-12-31", (2,)), ("2026-01-01", ())]
)
def test_a_surgical_center_needs_jz_where_it_is_paid_for_the_drug(
    book: Book, day: str, open_lines: tuple[int, ...]
) -> None:
    assert center(book, day, "J1010", "J3301")["drug_lines_of_unknown_package"] == open_lines


@pytest.mark.parametrize(
    ("day", "items"),
    [("2024-12-31", ()), ("2025-12-31", ("C9804", "J0666")), ("2026-01-01", ("C9804", "C9812", "J0666"))],
)
def test_non_opioid_items_are_paid_apart_from_their_day_on(book: Book, day: str, items: tuple[str, ...]) -> None:
    assert center(book, day, "C9804", "C9812", "J0666", "C9803")["nopain_items"] == items


def test_a_practitioner_has_no_items_that_facilities_are_paid_for(book: Book) -> None:
    assert facts(book, lines=[{}, {"procedure": "J0666", "modifiers": []}])["nopain_items"] == ()


def test_every_package_is_of_one_of_two_kinds_and_its_ndc_is_well_formed(book: Book) -> None:
    spans = book.tables["drug_packages"].spans
    assert {row[2] for rows in spans.values() for row in rows} == {("single_dose",), ("multi_dose",)}
    assert all(len(ndc) == 11 and ndc.isdigit() for (ndc,) in spans)


@pytest.mark.parametrize(
    ("day", "received", "in_time"),
    [("2026-01-01", "2027-12-31", True), ("2026-01-01", "2028-01-01", False), ("2026-12-31", "2027-12-31", True)],
)
def test_the_end_of_the_next_year(book: Book, day: str, received: str, in_time: bool) -> None:
    known = facts(book, received_date=received, lines=[{"service_date": day}])
    assert known["received_by_end_of_next_year"] is in_time


def test_excluded_pairs_are_named_once_and_as_the_claim_writes_them(book: Book) -> None:
    assert facts(book, diagnoses=["G5701", "M54.31", "M54.31"])["excludes1_pairs"] == ("G5701 with M54.31",)
    assert facts(book, diagnoses=["?", ""])["excludes1_pairs"] == ()


def test_no_fact_holds_the_member_id(book: Book) -> None:
    secret = "ZZZ987654321"
    known = facts(book, subscriber={"member_id": secret})
    claim = known.case.claim
    assert secret in repr(claim)
    told = {name: known[name] for name, entry in FACTS.items() if entry.scope == "claim"}
    (line,) = claim.lines
    of_line = LineFacts(known, line)
    told |= {name: of_line[name] for name, entry in FACTS.items() if entry.scope == "line"}
    assert told.keys() == FACTS.keys()
    assert secret not in repr(told)
    report = check(claim, book)
    assert "IDN006" in {finding.code for finding in report.every}
    assert secret not in repr(report)
