"""Facts of the drugs, the diagnoses and the member id, where an example cannot reach."""

from __future__ import annotations

from typing import Any

import pytest

from rules.book import Book
from rules.check import case_of, check
from rules.claim import read_claim
from rules.examples import example_claim
from rules.facts import FACTS, ClaimFacts
from rules.formats import aetna_id, blue_id, cigna_id, fep_id, uhc_id
from rules.loader import load_book


@pytest.fixture(scope="module")
def book() -> Book:
    return load_book()


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


def test_excluded_pairs_are_told_once_and_as_the_claim_writes_them(book: Book) -> None:
    assert facts(book, diagnoses=["G5701", "M54.31", "M54.31"])["excludes1_pairs"] == ("G5701 with M54.31",)
    assert facts(book, diagnoses=["?", ""])["excludes1_pairs"] == ()


def test_no_fact_holds_the_member_id(book: Book) -> None:
    secret = "ZZZ987654321"
    known = facts(book, subscriber={"member_id": secret})
    told = {name: known[name] for name, entry in FACTS.items() if entry.scope == "claim"}
    assert secret not in repr(told)
    report = check(known.case.claim, book)
    assert "IDN006" in {finding.code for finding in report.findings}
    assert secret not in repr(report)


@pytest.mark.parametrize("form", [aetna_id, blue_id, cigna_id, fep_id, uhc_id])
@pytest.mark.parametrize("code", ["", "W12345678\n", "W123456789\n", "R12345678\n", "٣٢١٣٢١٣٢١", "ÄBC123456"])
def test_no_member_id_has_a_line_break_or_other_letters(form: Any, code: str) -> None:
    assert not form(code)
