"""What Medicare is expected to allow: all localities against the table that was worked out apart, and the arithmetic of
sides, several procedures, reduced services and wage index, each to the cent."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rules.payment.medicare import medicare_payment
from rules.payment.places import by_locality, by_state, everywhere
from rules.payment.question import Expected, Places, Question, Site
from rules.tables.table import empty_table
from tests.book import BOOK

REFERENCE = Path(os.environ.get("SCRUB_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
DAY = date(2026, 7, 13)
TABLES = BOOK.tables
DALLAS = by_locality(TABLES, "TX 11", DAY)


def pays(site: Site = "office", places: Places = DALLAS, day: date = DAY, code: str = "64445", **more: Any) -> Expected:
    return medicare_payment(Question(code, day, site, places, **more), TABLES)


def cents(site: Site = "office", **more: Any) -> int | None:
    found = pays(site, **more)
    assert found.low == found.high
    return found.low


def rows(name: str) -> list[dict[str, str]]:
    file = REFERENCE / "medicare-2026" / name
    if not file.is_file():
        pytest.skip(f"no reference file {name}; set SCRUB_REFERENCE to its folder")
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize(
    ("year", "column", "site", "qualifying"),
    [
        (2025, "nonfacility", "office", False),
        (2025, "nonfacility", "office", True),
        (2025, "facility", "facility", False),
        (2026, "nonfacility_nonQP", "office", False),
        (2026, "facility_nonQP", "facility", False),
        (2026, "nonfacility_QP", "office", True),
        (2026, "facility_QP", "facility", True),
    ],
)
def test_all_109_localities_equal_the_reference(year: int, column: str, site: Site, qualifying: bool) -> None:
    """Before 2026 there was one conversion factor for all."""
    day, wanted = date(year, 7, 13), rows(f"expected_64445_{year}_by_locality.csv")
    assert len(wanted) == 109
    for row in wanted:
        for text in (f"{row['mac']} {row['locality']}", f"{row['state']} {row['locality']}"):
            places = by_locality(TABLES, text, day)
            found = pays(site, places, day, qualifying=qualifying)
            assert found.kind == "amount"
            assert Decimal(found.low or 0) / 100 == Decimal(row[column]), row


@pytest.mark.parametrize(
    ("site", "low", "high", "national"), [("office", 15359, 23035, 17335), ("facility", 6149, 8762, 6613)]
)
def test_over_the_nation_it_is_a_range_and_not_one_figure(site: Site, low: int, high: int, national: int) -> None:
    found = pays(site, everywhere(TABLES, DAY))
    assert (found.kind, found.low, found.high, found.national) == ("range", low, high, national)
    assert found.missing == ("a ZIP code or a locality",)


def test_qualifying_participants_are_paid_by_their_own_factor_and_nobody_guesses_it() -> None:
    nation = everywhere(TABLES, DAY)
    assert (pays("office", nation, qualifying=True).national, pays("facility", nation, qualifying=True).national) == (
        17422,
        6646,
    )
    without = {**TABLES, "conversion_factors": empty_table("conversion_factors")}
    found = medicare_payment(Question("64445", DAY, "office", DALLAS, qualifying=True), without)
    assert found.kind == "unknown"
    assert found.missing == ("the conversion factor of qualifying participants on 2026-07-13: scrub tables import the zip of PPRRVU, which has both",)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "amount"),
    [
        ({}, 17256),
        ({"modifiers": ("RT",)}, 17256),
        ({"modifiers": ("50",)}, 25884),
        ({"modifiers": ("LT", "RT")}, 25884),
        ({"modifiers": ("RT",), "second_side": True}, 8628),
        ({"modifiers": ("51",)}, 8628),
        ({"rank": "other"}, 8628),
        ({"modifiers": ("50", "51")}, 12942),
        ({"participating": False}, 16393),
        ({"nurse_or_assistant": True}, 14668),
        ({"modifiers": ("50",), "nurse_or_assistant": True}, 22002),
    ],
)
def test_a_practitioners_amount_in_dallas(more: dict[str, Any], amount: int) -> None:
    assert cents("office", **more) == amount


def test_another_procedure_of_the_day_of_which_nothing_is_known_is_a_range() -> None:
    found = pays(rank="uncertain")
    assert (found.kind, found.low, found.high) == ("range", 8628, 17256)
    assert found.missing == ("other procedures of the day: the dearest is paid in full, each other one half",)


@pytest.mark.parametrize(
    ("more", "amount"),
    [
        ({}, 72117),
        ({"modifiers": ("50",)}, 108176),
        ({"modifiers": ("RT",), "second_side": True}, 36059),
        ({"rank": "other"}, 36059),
        ({"modifiers": ("73",)}, 36059),
        ({"modifiers": ("52",)}, 36059),
        ({"modifiers": ("74",)}, 72117),
        ({"modifiers": ("PO", "RT")}, 72117),
        ({"modifiers": ("PN", "RT")}, 28847),
        ({"modifiers": ("PN", "50")}, 43271),
        ({"wage_index": Decimal("1.0412")}, 73900),
        ({"wage_index": Decimal("0.9000")}, 67790),
        ({"wage_index": Decimal("1.0412"), "modifiers": ("50",)}, 110850),
    ],
)
def test_a_hospitals_amount(more: dict[str, Any], amount: int) -> None:
    assert cents("hospital", **more) == amount


@pytest.mark.parametrize(
    ("more", "amount"),
    [
        ({}, 12353),
        ({"units": Decimal(2)}, 18530),
        ({"modifiers": ("LT",), "second_side": True}, 6177),
        ({"modifiers": ("73",)}, 6177),
        ({"wage_index": Decimal("1.1274")}, 13140),
        ({"rank": "other"}, 6177),
        ({"day": date(2024, 9, 2)}, 10751),
        ({"day": date(2025, 12, 31)}, 10124),
        ({"day": date(2026, 9, 30)}, 12353),
    ],
)
def test_a_surgical_centers_amount_by_quarter(more: dict[str, Any], amount: int) -> None:
    assert cents("asc", **more) == amount


def test_without_a_wage_index_the_national_rate_is_said_to_be_one() -> None:
    assert pays("hospital").notes == ("national rate, before the wage index (SCRUB_WAGE_INDEX)",)
    assert pays("hospital", wage_index=Decimal(1)).notes == ()


def test_beside_an_operation_that_pays_for_all_it_is_packaged_and_a_modifier_earns_nothing() -> None:
    found = pays("hospital", beside=("27447",), modifiers=("59", "50"))
    assert (found.kind, found.low, found.high) == ("packaged", 0, 0)
    assert found.steps == ("packaged into 27447 (status J1): no payment of its own",)
    assert pays("hospital", beside=("76942", "99213")).low == 72117
    assert pays("asc", beside=("27447",)).low == 12353


@pytest.mark.parametrize(
    ("site", "more", "missing"),
    [
        ("office", {"modifiers": ("52",)}, "modifier 52: the contractor sets the amount of a reduced service by its documentation"),
        ("office", {"modifiers": ("53",)}, "modifier 53: the contractor sets the amount of a service that was broken off by its documentation"),
        ("office", {"modifiers": ("80",)}, "modifier 80: the book does not say how it changes the payment"),
        ("office", {"modifiers": ("GZ", "RT")}, "modifier GZ: the book does not say how it changes the payment"),
        ("office", {"units": Decimal(2)}, "units 2: the book has the payment of one unit"),
        ("office", {"code": "64447"}, "relative values of 64447 in an office on 2026-07-13: scrub tables import PPRRVU of that year"),
        ("facility", {"day": date(2027, 1, 1)}, "relative values of 64445 in a facility on 2027-01-01: scrub tables import PPRRVU of that year"),
        ("office", {"day": date(2024, 12, 31)}, "relative values of 64445 in an office on 2024-12-31: scrub tables import PPRRVU of that year"),
        ("hospital", {"modifiers": ("53",)}, "modifier 53: it is for practitioners; a facility bills 73 or 74"),
        ("asc", {"modifiers": ("PN",)}, "modifier PN: the book does not say how it changes the payment"),
        ("hospital", {"day": date(2027, 1, 1)}, "status of 64445 on 2027-01-01: scrub tables import OPPS Addendum B of that quarter"),
        ("hospital", {"modifiers": ("50", "73")}, "a reduced service on both sides, or beside another procedure: the book has no share for both at once"),
        ("hospital", {"units": Decimal("1.5")}, "units 1.5: the book has the payment of one unit"),
        ("asc", {"modifiers": ("50",)}, "modifier 50: a surgical center bills each side on a line of its own, and modifier 50 may be paid wrongly"),
        ("asc", {"day": date(2026, 10, 1)}, "status of 64445 on 2026-10-01: scrub tables import ASC Addendum AA of that quarter"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_guessed(site: Site, more: dict[str, Any], missing: str) -> None:
    found = pays(site, **more)
    assert (found.kind, found.low, found.high, found.steps) == ("unknown", None, None, ())
    assert found.missing == (missing,)


@pytest.mark.parametrize("place", ["office", "hospital"])
@pytest.mark.parametrize("table", ["payment_shares", "payment_indicators"])
def test_a_book_of_an_earlier_release_without_these_tables_says_so(place: Site, table: str) -> None:
    question = Question("64445", DAY, place, DALLAS, modifiers=("50",))
    found = medicare_payment(question, {**TABLES, table: empty_table(table)})
    assert found.kind == "unknown"
    assert found.missing


def test_a_range_without_the_indices_of_one_of_its_localities_is_none() -> None:
    table = TABLES["localities"]
    fewer = replace(table, spans={key: spans for key, spans in table.spans.items() if key != ("TX", "31")})
    question = Question("64445", DAY, "office", by_state(TABLES, "TX", DAY))
    found = medicare_payment(question, {**TABLES, "localities": fewer})
    assert found.missing == ("cost indices of TX 31 (Austin) on 2026-07-13: scrub tables import GPCI",)
    assert medicare_payment(replace(question, places=DALLAS), {**TABLES, "localities": fewer}).low == 17256


def test_an_answer_names_the_tables_that_it_rests_on() -> None:
    assert pays().editions == ("the book's relative_values", "the book's payment_indicators", "the book's localities")


def test_a_range_of_a_state_is_that_of_its_localities() -> None:
    found = pays(places=by_state(TABLES, "TX", DAY))
    amounts = [
        cents(places=by_locality(TABLES, f"TX {one}", DAY)) for one in ("09", "11", "15", "18", "20", "28", "31", "99")
    ]
    assert (found.low, found.high) == (min(filter(None, amounts)), max(filter(None, amounts)))
