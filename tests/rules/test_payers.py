"""Who judges a claim: payer ids, filing indicators, plans, lines of business, Medicare Advantage, the contractor."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.assignment import OF_MEDICARE, ClaimKind
from rules.book.book import Book
from rules.claim import Payer, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.facts import ClaimFacts, LineFacts
from rules.payers import Selection
from rules.report import Report
from tests.book import BOOK

OTHER_MEDICARE_CODES = {
    "TIM001",
    "TIM002",
    "IDN004",
    "MOD010",
    "MOD013",
    "MOD015",
    "CLM008",
    "BND009",
    "DOC006",
    "DRG004",
}


@pytest.fixture(scope="module")
def book() -> Book:
    return BOOK


def select(book: Book, **payer: Any) -> Selection:
    return book.registry.select(Payer(**payer))


def report(book: Book, payer: dict[str, Any], **difference: Any) -> Report:
    return check(read_claim(example_claim("practitioner", difference, payer)), book)


@pytest.mark.parametrize(
    ("payer_id", "payer", "plan"),
    [
        ("60054", "aetna", None),
        ("62308", "cigna", None),
        ("87726", "uhc", None),
        ("84980", "bcbs", "bcbstx"),
        ("G84980", "bcbs", "bcbstx"),
        ("00770", "bcbs", "anthem"),
        ("00834", "bcbs", "anthem"),
        ("00621", "bcbs", "bcbsil"),
        ("00430", "bcbs", "premera"),
        ("BCSNC", "bcbs", "bcbsnc"),
        ("61473", "bcbs", "bcbsnc"),
        ("04412", "medicare", None),
        ("04411", "medicare", None),
        ("99999", None, None),
    ],
)
def test_a_payer_id_names_the_payer_and_where_known_the_plan(
    book: Book, payer_id: str, payer: str | None, plan: str | None
) -> None:
    found = select(book, id=payer_id)
    assert (found.payer, found.plan, found.plan_known) == (payer, plan, True)


def test_every_state_with_a_part_b_contractor_has_one_for_part_a(book: Book) -> None:
    numbers = {entry.id for entry in book.registry.payers["medicare"].ids}
    part_b = {number for number in numbers if number.endswith("2")}
    split = {"01182", "13282", "13292"}  # parts of California and New York, for Part B alone
    assert {number[:4] + "1" for number in part_b - split} == numbers - part_b
    assert len(part_b) == 55


@pytest.mark.parametrize(
    ("indicator", "payer", "business"),
    [
        ("MA", "medicare", "medicare"),
        ("MB", "medicare", "medicare"),
        ("BL", "bcbs", "commercial"),
        ("16", None, "medicare_advantage"),
        ("CI", None, "commercial"),
        ("HM", None, "commercial"),
        ("MC", None, "medicaid"),
        ("FI", None, "fep"),
        ("ZZ", None, None),
        (None, None, None),
    ],
)
def test_the_filing_indicator_speaks_where_the_id_is_unknown(
    book: Book, indicator: str | None, payer: str | None, business: str | None
) -> None:
    found = select(book, id="99999", filing_indicator=indicator)
    assert (found.payer, found.line_of_business) == (payer, business)


def test_the_payer_id_goes_before_the_filing_indicator(book: Book) -> None:
    found = select(book, id="60054", filing_indicator="MB")
    assert (found.payer, found.line_of_business) == ("aetna", None)


def test_a_stated_line_of_business_goes_before_the_filing_indicator(book: Book) -> None:
    for indicator in ("CI", "HM", "16"):
        found = select(book, id="87726", filing_indicator=indicator, line_of_business="medicaid")
        assert found.line_of_business == "medicaid"


@pytest.mark.parametrize("indicator", ["MA", "MB"])
def test_an_advantage_plan_is_not_medicare_whatever_its_filing_indicator(book: Book, indicator: str) -> None:
    found = select(book, id="99999", filing_indicator=indicator, line_of_business="medicare_advantage")
    assert (found.payer, found.line_of_business) == (None, "medicare_advantage")


def test_the_plan_of_the_claim_goes_before_that_of_the_id(book: Book) -> None:
    assert select(book, id="00770", plan="anthem_ny").plan == "anthem_ny"
    unknown = select(book, id="00770", plan="nowhere")
    assert (unknown.plan, unknown.plan_known) == ("anthem", False)


def test_every_plan_that_the_sources_speak_of_is_there(book: Book) -> None:
    assert set(book.registry.payers["bcbs"].plans) >= {
        "anthem", "anthem_ny", "azblue", "bcbsil", "bcbsma", "bcbsnc", "bcbsok", "bcbstx",
        "florida_blue", "highmark", "ibx", "nd", "nebraska", "premera",
    }  # fmt: skip


PLANS = [
    {"id": "87726", "line_of_business": "medicare_advantage"},
    {"id": "60054", "filing_indicator": "16"},
    {"id": "00834", "filing_indicator": "HM", "line_of_business": "medicare_advantage"},
    {"id": "62308", "filing_indicator": "CI", "line_of_business": "medicare_advantage"},
    {"id": "99999", "filing_indicator": "16"},
    {"id": "99999", "filing_indicator": "MB", "line_of_business": "medicare_advantage"},
]


@pytest.mark.parametrize("payer", PLANS)
def test_an_advantage_plan_hears_its_own_rules_and_the_named_families_of_medicare(
    book: Book, payer: dict[str, Any]
) -> None:
    selection = select(book, **payer)
    assigned = book.assign(ClaimKind(selection, "practitioner", False, False))
    taken = [entry for entry in assigned if "/medicare/" in entry.rule.file]
    advantage = book.registry.advantage()
    assert advantage
    medicare = {rule.code for rule in book.rules if "/medicare/" in rule.file and "practitioner" in rule.bills_as}
    assert {entry.rule.code for entry in taken} == medicare & set(advantage.codes)
    assert {entry.at_most for entry in taken} == {"warn"}
    own = [entry for entry in assigned if entry not in taken]
    assert all(entry.at_most is None and entry.rule.serves(selection.payer, selection.plan) for entry in own)
    assert len(own) > 50


def test_what_holds_for_part_a_and_b_alone_is_not_taken_over(book: Book) -> None:
    advantage = book.registry.advantage()
    assert advantage
    assert not OTHER_MEDICARE_CODES & set(advantage.codes)


@pytest.mark.parametrize("business", ["commercial", "medicaid", "exchange", "fep", None])
def test_other_lines_of_business_hear_nothing_of_medicare(book: Book, business: str | None) -> None:
    selection = select(book, id="87726", line_of_business=business)
    assert [
        e for e in book.assign(ClaimKind(selection, "practitioner", False, False)) if "/medicare/" in e.rule.file
    ] == []


def test_a_taken_over_rule_says_that_it_is_medicares(book: Book) -> None:
    pair = [{}, {"procedure": "20610"}]
    taken = report(book, PLANS[0], lines=pair)
    assert [f.message.endswith(OF_MEDICARE) for f in taken.every if f.code == "BND003"] == [True]
    assert taken.disposition == "billing"
    own = report(book, {"id": "04412"}, lines=pair)
    assert [OF_MEDICARE in f.message for f in own.every if f.code == "BND003"] == [False]


def test_an_advantage_plan_outside_the_registry_is_reported_and_judged_by_medicares_families(book: Book) -> None:
    verdict = report(book, PLANS[4], lines=[{"units": "2"}])
    found = {(f.code, f.severity) for f in verdict.every}
    assert (verdict.coverage, verdict.disposition) == ("common_only", "billing")
    assert {("PAY001", "warn"), ("UNT001", "warn"), ("UNT002", "warn")} <= found


@pytest.mark.parametrize(("participating", "outcome"), [(True, ["fail"]), (False, []), (None, ["undetermined"])])
def test_day_100_at_united_depends_on_the_contract(book: Book, participating: bool | None, outcome: list[str]) -> None:
    verdict = report(
        book,
        {"id": "87726", "filing_indicator": "CI"},
        billing_provider={"participating": participating},
        received_date="2026-10-21",
    )
    assert [f.outcome for f in verdict.every if f.code == "TIM001"] == outcome


@pytest.mark.parametrize(
    ("facility", "billing", "contractor"),
    [
        ("WA", "GA", "noridian"),
        (None, "GA", "palmetto"),
        ("FL", None, "first_coast"),
        (None, "TX", "novitas"),
        (None, "IL", "ngs"),
        (None, "KS", "wps"),
        (None, "OH", "cgs"),
        (None, "XX", None),
        (None, "GU", None),
        (None, None, None),
    ],
)
def test_the_contractor_follows_the_service_facility_else_the_billing_provider(
    book: Book, facility: str | None, billing: str | None, contractor: str | None
) -> None:
    data = example_claim(
        "practitioner",
        {"service_facility": {"state": facility}, "billing_provider": {"state": billing}},
        {"id": "04412"},
    )
    case = case_of(read_claim(data), book, None)
    assert LineFacts(ClaimFacts(case), case.lines[0])["contractor"] == contractor


def test_every_state_of_the_registrys_comments_has_a_contractor(book: Book) -> None:
    names = {row[2][0] for spans in book.tables["contractors"].spans.values() for row in spans}
    assert names == {"cgs", "first_coast", "ngs", "noridian", "novitas", "palmetto", "wps"}
    assert len(book.tables["contractors"]) == 53
