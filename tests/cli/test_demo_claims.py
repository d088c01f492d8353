"""The demonstration claims get the verdicts that they are there to show, on any day."""

from __future__ import annotations

from datetime import date

import pytest

from rules.book.book import Book
from rules.claim import read_claim
from rules.engine.check import check
from tests.book import BOOK
from worker.demo.claims import EXAMPLES, DemoClaim
from worker.demo.events import all_events, unreadable
from worker.errors import EventInvalid
from worker.intake.events import read_event


@pytest.fixture(scope="module")
def book() -> Book:
    return BOOK


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.number} {example.shows}")
@pytest.mark.parametrize("received", [date(2026, 7, 20), date(2031, 1, 1)], ids=str)
def test_each_claim_goes_where_it_should_for_the_reason_that_it_shows(
    book: Book, example: DemoClaim, received: date
) -> None:
    report = check(read_claim(example.claim), book, received=received)
    findings = {finding.code for finding in report.every if finding.severity != "note"}
    assert report.disposition == example.expect
    assert set(example.codes) <= findings
    if not example.codes:
        assert not findings


def test_they_show_all_payers_all_kinds_of_bills_and_many_faults(book: Book) -> None:
    reports = [check(read_claim(example.claim), book) for example in EXAMPLES]
    assert len(reports) >= 60
    kinds = {(report.payer, report.bills_as) for report in reports}
    assert {payer for payer, _ in kinds} >= {*BOOK.registry.payers, None}
    assert {kind for _, kind in kinds} == {"practitioner", "hospital_outpatient", "asc"}
    assert len({code for report in reports for code in report.codes("block")}) >= 20


def test_every_claim_has_its_own_id_and_patient() -> None:
    claims = [example.claim for example in EXAMPLES]
    assert len({claim["claim_id"] for claim in claims}) == len(claims)
    assert len({(claim["payer"]["id"], claim["subscriber"]["member_id"]) for claim in claims}) == len(claims)


@pytest.mark.parametrize("event", unreadable())
def test_the_unreadable_ones_cannot_be_read(event: bytes) -> None:
    with pytest.raises(EventInvalid):
        read_event(event, limit=2**20)


def test_it_repeats_some_events_and_reuses_an_id() -> None:
    events = all_events()
    assert len(events) - len(set(events)) == 3
