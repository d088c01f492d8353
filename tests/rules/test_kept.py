"""What is kept of one claim and met by another: never what was its own, and never what struck from outside."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.claim import Claim, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.engine.memory import memory_of
from rules.engine.shape import shape_of
from rules.errors import ClaimInvalid
from rules.facts import registry
from rules.tables.table import FOREVER, Table
from tests.book import BOOK, unused
from tests.rules.test_shape import unplanned

AETNA = {"id": "60054", "filing_indicator": "CI", "responsibility": "P"}
PROVIDER = {"npi": "1234567893", "taxonomy": "208VP0000X"}
FULL: dict[str, Any] = {
    "original_reference_number": "OR1", "prior_authorization": "PA1", "delay_reason_code": "1",
    "received_date": "2026-08-20", "rendering_provider": PROVIDER, "attending_provider": PROVIDER,
    "operating_provider": PROVIDER, "admitting_diagnosis": "M54.31", "reason_diagnoses": ["M54.31"],
    "diagnoses": ["M54.31", "G89.29"], "total_charge": "550.00",
    "service_facility": {"npi": "1234567893", "name": "F", "state": "TX", "kind": "hospital"},
    "lines": [
        {"service_date": "2026-07-14", "revenue_code": "0361", "diagnosis_pointers": [1, 2], "modifiers": ["RT"]},
        {
            "procedure": "J3301", "modifiers": ["JZ"], "units": "4", "charge": "100.00", "service_date": "2026-07-14",
            "diagnosis_pointers": [1], "drug": {"ndc": "00003029305", "quantity": "1", "unit": "ML"},
        },
    ],
}  # fmt: skip
"""A claim with nearly everything that a claim may carry."""
ODD = [None, "", " ", "0", "-0", "0.00", "1.0", "2", "x", "2026-07-13", "2026-07-15", "RT ", [], ["RT"], [1], "7", "24"]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every value in the claim, and of every part."""
    if path:
        yield path
    nested = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in nested:
        yield from places(value, (*path, key))


def with_value(data: dict[str, Any], path: tuple[Any, ...], value: Any) -> Claim | None:
    """The claim with another value there; None: it is not readable so."""
    changed = deepcopy(data)
    part = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    try:
        return read_claim(changed)
    except ClaimInvalid:
        return None


def wanting_authorizations() -> Book:
    rows = dict.fromkeys([("aetna", ""), ("medicare", "")], ((date.min, FOREVER, ()),))
    return replace(BOOK, tables={**BOOK.tables, "authorizations": Table("authorizations", rows, {"": date.min})})


def forgetting(book: Book) -> Book:
    """The book as no claim had met it, but for the plans of a day, which are the same for all claims of a kind."""
    memory = memory_of(book)
    for kept in (
        memory.heads, memory.lines, memory.together, memory.by_shape, memory.by_diagnoses, memory.found, memory.shown,
    ):  # fmt: skip
        kept.clear()
    return book


@pytest.mark.parametrize("role", ["practitioner", "hospital_outpatient"])
def test_a_claim_that_differs_in_one_value_is_judged_the_same_after_the_other_and_before_it(role: str) -> None:
    data = example_claim(role, FULL, AETNA)
    book = wanting_authorizations()
    one, shape = read_claim(data), shape_of(case_of(read_claim(data), book, None))
    alone, alike = unplanned(one, book), 0
    for path in places(data):
        for value in ODD:
            other = with_value(data, path, value)
            case = other and case_of(other, book, None)
            if other is None or not case or not case.lines or shape_of(case) != shape:
                continue
            alike += 1
            expected = unplanned(other, book)
            for first, second, said in ((one, other, expected), (other, one, alone)):
                used = forgetting(book)
                check(first, used)
                assert repr(check(second, used)) == repr(said), (path, value)
    assert alike > 150


class OutOfTime(Exception):
    """Comes from outside, as Celery's soft time limit does."""


@pytest.mark.parametrize("scope", ["DERIVED", "DERIVED_OF_LINES"])
def test_what_strikes_a_rule_from_outside_is_raised_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    one, struck = read_claim(example_claim("practitioner", FULL, AETNA)), 0
    expected = unplanned(one, BOOK)

    def strike(*_: object) -> None:
        raise OutOfTime

    for name in getattr(registry, scope):
        book = replace(BOOK)
        with monkeypatch.context() as patch:
            patch.setitem(getattr(registry, scope), name, strike)
            try:
                assert check(one, book) == expected, name  # it is not asked
            except OutOfTime:
                struck += 1
        assert check(one, book) == expected, name
    assert struck > 15


@pytest.mark.parametrize("scope", ["DERIVED", "DERIVED_OF_LINES"])
def test_a_fact_that_cannot_be_derived_holds_the_claim_and_the_other_rules_run(
    monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    one, held = read_claim(example_claim("practitioner", FULL, AETNA)), 0

    def fail(*_: object) -> None:
        raise ValueError

    for name in getattr(registry, scope):
        with monkeypatch.context() as patch:
            patch.setitem(getattr(registry, scope), name, fail)
            report = check(one, replace(BOOK))
            assert report.codes("block") <= unplanned(one, BOOK).codes("block"), name
            held += "ENG001" in report.codes("block")
    assert held > 15


def test_what_is_kept_names_no_claim() -> None:
    book = unused()
    check(read_claim(example_claim("practitioner", {**FULL, "claim_id": "CANARY"}, AETNA)), book)
    of_book = memory_of(book)
    for memory in (of_book.by_shape, of_book.by_diagnoses, of_book.found):
        assert len(memory) > 0
        assert "CANARY" not in repr(memory._entries)


def test_claims_with_the_same_fault_share_its_finding_and_with_other_amounts_they_do_not() -> None:
    def found(**changes: Any) -> Any:
        report = check(read_claim(example_claim("practitioner", FULL | changes, AETNA)), book)
        return next(one for one in report.every if one.code == "CLM001")

    book = unused()
    first = found(total_charge="1.00", claim_id="A")
    assert found(total_charge="1.00", claim_id="B", received_date="2026-08-21") is first
    assert found(total_charge="2.00").message != first.message
