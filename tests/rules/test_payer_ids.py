"""Payer ids: every one finds its payer, its plan and what it implies; how far a parent's rules go for a plan; BlueCard.

Elsewhere: one id is several payers at several clearinghouses (UnitedHealthcare's guides say so themselves), and lists
that were copied from one another disagree. So an id is here with its source, and the hospital's word goes before it.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import with_rows
from rules.book.assignment import OF_HOME, OF_HOST, ClaimKind
from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import read_overrides
from rules.claim import Payer, read_claim
from rules.engine.check import check
from rules.errors import OverridesInvalid
from rules.payers import LINES_OF_BUSINESS, Registry, Selection
from rules.report import Report
from rules.terms import SEVERITIES
from tests.book import BOOK
from worker.pipeline.ledger import patient_of

REGISTRY: Registry = BOOK.registry
IDS = [(key, entry) for key, payer in REGISTRY.payers.items() for entry in payer.ids]
COMMERCIAL = [(key, entry) for key, entry in IDS if key != "medicare"]
CAPPED = [
    (key, plan, shape.at_most)
    for key, payer in REGISTRY.payers.items()
    for plan, shape in payer.plans.items()
    if shape.at_most
]
HOSPITAL = "overrides:\n  - {{name: {name}, payers: [{payer}], {what}, reason: our table, owner: o, expires: {expires}{pin}}}\n"


def select(**payer: Any) -> Selection:
    return REGISTRY.select(Payer(**payer))


@pytest.mark.parametrize("written", [str, str.lower, " {} ".format], ids=["as listed", "small letters", "blanks"])
@pytest.mark.parametrize(("key", "entry"), IDS, ids=lambda one: getattr(one, "id", one))
def test_every_id_finds_its_payer_its_plan_and_its_line_of_business(key: str, entry: Any, written: Any) -> None:
    business = "medicare" if key == "medicare" else entry.line_of_business
    assert select(id=written(entry.id)) == (key, entry.plan, True, business, None)


@pytest.mark.parametrize(("key", "entry"), COMMERCIAL, ids=lambda one: getattr(one, "id", one))
def test_no_id_rests_on_a_weak_list_or_means_other_payers_elsewhere(key: str, entry: Any) -> None:
    assert entry.grade in "AB"
    assert len(entry.id) > 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "medicaid"),
        ({"filing_indicator": "CI"}, "medicaid"),
        ({"filing_indicator": "BL"}, "medicaid"),
        ({"filing_indicator": "HM"}, "medicaid"),
        ({"filing_indicator": "ZZ"}, "medicaid"),
        ({"filing_indicator": "16"}, "medicare_advantage"),
        ({"filing_indicator": "FI"}, "fep"),
        ({"filing_indicator": "16", "line_of_business": "exchange"}, "exchange"),
        ({"line_of_business": "commercial"}, "commercial"),
    ],
)
def test_the_claim_goes_before_a_close_sbr09_and_that_before_the_id_and_that_before_a_general_one(
    said: dict[str, str], expected: str
) -> None:
    assert select(id="38692", **said).line_of_business == expected


@pytest.mark.parametrize("number", ["87726", "60054", "95959", "04567", "26337", "00770", "00401"])
def test_an_id_that_lines_of_business_share_implies_none(number: str) -> None:
    assert select(id=number).line_of_business is None
    assert {select(id=number, filing_indicator=one).line_of_business for one in LINES_OF_BUSINESS} >= {"medicaid"}


@pytest.mark.parametrize("number", ["63092", "52192", "OSCAR", "GEHA", "030", "1579"])
def test_what_is_no_payers_of_the_book_stays_unknown(number: str) -> None:
    assert select(id=number, filing_indicator="CI").payer is None


def test_a_plan_that_the_payer_does_not_have_leaves_that_of_the_id() -> None:
    assert select(id="39026", plan="nowhere")[1:3] == ("umr", False)
    assert select(id="39026", plan="oxford")[1:3] == ("oxford", True)


def test_a_patients_history_is_by_the_id_on_the_claim_whatever_plan_the_book_makes_of_it() -> None:
    """So claims of before and after an id was read are one patient's."""
    assert patient_of(b"k", "39026", "912345678") == patient_of(b"k", " 39026 ", "912345678")
    assert patient_of(b"k", "bind", "912345678") == patient_of(b"k", "BIND", "912345678")
    assert patient_of(b"k", "39026", "912345678") != patient_of(b"k", "87726", "912345678")


@pytest.mark.parametrize(("key", "plan", "ceiling"), CAPPED)
@pytest.mark.parametrize("role", ["practitioner", "hospital_outpatient", "asc"])
def test_a_parents_own_rules_go_no_farther_than_the_plan_is_known_to_follow(
    key: str, plan: str, ceiling: str, role: Any
) -> None:
    kind = ClaimKind(Selection(key, plan, True, "commercial"), role, False, True)
    assigned = BOOK.assign(kind)
    own = [one for one in assigned if f"/{key}/" in one.rule.file and f"{key}/{plan}" not in one.rule.payers]
    assert own
    assert {one.at_most for one in own} == {ceiling}
    assert all(REGISTRY.payers[key].name in one.whose for one in own)
    assert {one.at_most for one in assigned if "/common/" in one.rule.file} == {None}


def report(payer: dict[str, Any], book: Book = BOOK, **difference: Any) -> Report:
    return check(read_claim(example_claim("practitioner", difference, payer)), book)


DRUG = [{}, {"procedure": "J3301", "modifiers": []}]


@pytest.mark.parametrize(
    ("number", "severity", "disposition"),
    [("87726", "block", "rework"), ("25463", "warn", "billing"), ("39026", "note", "billing")],
)
def test_a_drug_without_ndc_is_held_only_where_the_rule_is_the_plans(
    number: str, severity: str, disposition: str
) -> None:
    found = report({"id": number, "filing_indicator": "CI"}, lines=DRUG)
    assert found.disposition == disposition
    assert [(f.severity, "was not read" in f.message) for f in found.findings if f.code == "DRG002"] == [
        (severity, severity != "block")
    ]


def test_an_unknown_line_of_business_holds_no_claim_of_a_plan_with_a_ceiling() -> None:
    found = report({"id": "04567"}, lines=DRUG)
    assert [(f.outcome, f.severity) for f in found.findings if f.code == "DRG002"] == [("undetermined", "warn")]
    assert found.disposition == "billing"


@cache
def prefixed(payer: str = "bcbs/ibx", what: str = "member_prefixes: [QCC, Q1A]", expires: str = "2027-06-30") -> Book:
    text = HOSPITAL.format(name="homes", payer=payer, what=what, expires=expires, pin="")
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", text, BOOK)
    pin = str(caught.value.problems[0]).rpartition("which is ")[2].removesuffix(" now")
    text = HOSPITAL.format(name="homes", payer=payer, what=what, expires=expires, pin=f', written_for: "{pin}"')
    return overridden(BOOK, read_overrides("o.yaml", text, BOOK), date(2026, 11, 29))


LATE: dict[str, Any] = {"received_date": "2026-07-05", "lines": [{"service_date": "2026-01-05"}]}
NC = {"id": "BCSNC", "filing_indicator": "BL"}


OF_NEBRASKA = OF_HOME.format(plan="Blue Cross and Blue Shield of Nebraska")


def said(found: Report, code: str) -> list[tuple[str, bool]]:
    return [(f.severity, OF_HOST in f.message) for f in found.findings if f.code == code]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("QCC123456789", [("note", True)]),
        ("qcc123456789", [("note", True)]),
        ("Q1A123456789", [("note", True)]),
        ("XYZ123456789", [("warn", False)]),
        ("QC", [("warn", False)]),
        (None, [("warn", False)]),
    ],
)
def test_filing_is_the_home_plans_where_the_hospital_says_whose_prefix_it_is(
    member: str | None, expected: list[tuple[str, bool]]
) -> None:
    for book in (prefixed(), prefixed()):  # what is kept of one claim is no other member's
        assert said(report(NC, book, subscriber={"member_id": member}, **LATE), "TIM001") == expected
    assert said(report(NC, subscriber={"member_id": member}, **LATE), "TIM001") == [("warn", False)]


def test_coverage_is_the_home_plans_and_the_edits_stay_with_the_host() -> None:
    ibx = {"id": "99999", "filing_indicator": "BL", "plan": "ibx"}
    home, away = prefixed(), prefixed("bcbs/anthem")
    member = {"subscriber": {"member_id": "QCC123456789"}}
    assert said(report(ibx, home, **member), "COV004") == [("warn", False)]
    assert said(report(ibx, away, **member), "COV004") == [("note", True)]
    visit = {"lines": [{}, {"procedure": "99211", "modifiers": ["25"]}]}
    found = report(NC, home, **member, **visit)
    assert (said(found, "BND004"), found.disposition) == ([("block", False)], "rework")


def days_late(day: str, **more: Any) -> dict[str, Any]:
    """A claim of a contracted provider for 2026-01-05 that arrives on this day."""
    billing = {"entity": "organization", "npi": "1881018562", "participating": True}
    lines = [{"service_date": "2026-01-05"}]
    return {
        "received_date": day,
        "lines": lines,
        "billing_provider": billing,
        "subscriber": {"member_id": "QCC1"},
        **more,
    }


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-05-05", []),  # day 120
        ("2026-05-06", [("TIM001", "warn", OF_NEBRASKA)]),
        ("2026-07-04", [("TIM001", "warn", OF_NEBRASKA)]),  # day 180
        ("2026-07-05", [("TIM001", "note", OF_HOST), ("TIM001", "warn", OF_NEBRASKA)]),
    ],
)
def test_the_limit_of_the_members_own_plan_is_asked_beside_that_of_the_plan_that_takes_the_claim(
    day: str, expected: list[tuple[str, str, str]]
) -> None:
    """Nebraska's text of 2022: claims of other plans' members go by the limits of those plans."""
    found = report(NC, prefixed("bcbs/nebraska"), **days_late(day))
    late = [f for f in found.every if f.code == "TIM001"]
    assert (
        sorted((f.code, f.severity, of) for f in late for of in (OF_HOST, OF_NEBRASKA) if of in f.message) == expected
    )
    assert len(late) == len(expected)
    assert found.plan == "bcbsnc"


def test_where_the_plan_that_takes_the_claim_is_unknown_coverage_and_filing_are_the_members_plans() -> None:
    somewhere = {"id": "99999", "filing_indicator": "BL"}
    found = report(somewhere, prefixed("bcbs/nebraska"), **days_late("2026-05-06"))
    assert [(f.severity, OF_NEBRASKA in f.message) for f in found.every if f.code == "TIM001"] == [("warn", True)]
    assert [f for f in report(somewhere, **days_late("2026-05-06")).every if f.code == "TIM001"] == []


def test_the_coverage_policy_of_the_members_own_plan_is_asked_and_none_of_its_edits() -> None:
    book, member = prefixed(), {"subscriber": {"member_id": "QCC123456789"}}
    found = report(NC, book, **member)
    assert [(f.severity, "member of Independence" in f.message) for f in found.every if f.code == "COV004"] == [
        ("warn", True)
    ]
    assert not [f for f in report(NC, **member).every if f.code == "COV004"]
    own = [rule.file for rule in BOOK.rules if "bcbs/ibx" in rule.payers]
    kind = ClaimKind(book.registry.select(Payer(**NC))._replace(home="ibx"), "practitioner", False, True)
    asked = {one.rule.file for one in book.assign(kind)}
    assert {file.rpartition("/")[2][:3] for file in own if file in asked} <= {"COV", "FRQ", "TIM"}
    assert {file.rpartition("/")[2][:6] for file in own if file in asked} >= {"COV004", "FRQ001"}


def test_how_often_the_members_own_plan_pays_is_a_gap_where_no_history_was_asked() -> None:
    gaps = [gap.rule for gap in report(NC, prefixed(), subscriber={"member_id": "QCC123456789"}).gaps]
    assert "FRQ001" in gaps
    assert "FRQ001" not in [gap.rule for gap in report(NC, prefixed(), subscriber={"member_id": "XYZ123456789"}).gaps]


def test_of_a_member_of_a_plan_that_the_book_does_not_have_the_rules_that_were_not_asked_are_a_gap() -> None:
    book = prefixed("bcbs")
    found = report(NC, book, subscriber={"member_id": "QCC123456789"}, **LATE)
    assert said(found, "TIM001") == [("note", True)]
    (gap,) = [gap for gap in found.gaps if gap.kind == "plan_unknown"]
    assert "coverage and filing" in gap.sentence
    assert found.coverage == "partial"
    here = report(NC, book, subscriber={"member_id": "XYZ123456789"}, **LATE)
    assert said(here, "TIM001") == [("warn", False)]
    assert not [gap for gap in here.gaps if gap.kind == "plan_unknown"]


@pytest.mark.parametrize(
    ("table", "wanted"),
    [("bcbs,nebraska", True), ("bcbs,", True), ("bcbs,bcbsnc", False)],
    ids=["the member's plan wants it", "all plans want it", "the plan that takes the claim wants it"],
)
def test_authorization_is_what_the_members_own_plan_wants(table: str, wanted: bool) -> None:
    """BlueChoice in South Carolina, on who does what: prior authorization is the home plan's."""
    book = with_rows(prefixed("bcbs/nebraska"), {"authorizations": (f"{table},2000-01-01,",)})
    found = report(NC, book, subscriber={"member_id": "QCC123456789"})
    assert [f.code for f in found.every if f.code == "AUT001"] == ["AUT001"] * wanted
    here = report(NC, book, subscriber={"member_id": "XYZ123456789"})
    assert [f.code for f in here.every if f.code == "AUT001"] == ["AUT001"] * (table != "bcbs,nebraska")


@pytest.mark.parametrize(
    ("payer", "what", "expires"),
    [
        ("uhc/umr", "member_prefixes: [QCC]", "2027-06-30"),
        ("bcbs/bcbsnc", "member_prefixes: [QCC]", "2027-06-30"),
        ("bcbs/ibx", "member_prefixes: [QCC]", "2026-01-01"),
    ],
    ids=["a prefix of another payer", "of the very plan", "an expired table"],
)
def test_a_prefix_changes_nothing_where_it_is(payer: str, what: str, expires: str) -> None:
    book = prefixed(payer, what, expires)
    assert said(report(NC, book, subscriber={"member_id": "QCC123456789"}, **LATE), "TIM001") == [("warn", False)]


def test_a_replacement_is_never_late_by_the_limit_of_a_first_claim_at_a_commercial_payer() -> None:
    """Cigna's text takes late replacements and is a warning; Medicare's year holds for none of these."""
    for key, payer in REGISTRY.payers.items():
        for plan in (None, *payer.plans) if "commercial" in (payer.groups or ()) else ():
            named = {"id": payer.ids[0].id, "plan": plan, "filing_indicator": "BL" if key == "bcbs" else "CI"}
            found = report(
                named, frequency_code="7", original_reference_number="A1", received_date="2026-12-20",
                lines=[{"service_date": "2026-01-05"}], subscriber={"member_id": None},
            )  # fmt: skip
            late = [f for f in found.findings if f.code == "TIM001" and f.outcome == "fail"]
            assert not late or key == "cigna", (key, plan)
            assert all(SEVERITIES.index(f.severity) > 0 for f in late)
