"""What the lines of a claim are expected to bring: what is read off the claim, and what it leaves open."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from rules.authoring.examples import example_claim
from rules.claim import Claim, Role, read_claim
from rules.payment.claims import NOTHING_OF_OURS, LineExpected, Ours, expected_of
from rules.payment.contracts import COLUMNS, read_contracts
from rules.payment.medicare import medicare_payment
from rules.payment.places import by_locality
from rules.payment.question import Expected, Question
from rules.payment.sums import ClaimExpected, claim_expected
from tests.book import BOOK
from tests.rules.claims import CLAIMS

DAY = date(2026, 7, 13)
MEDICARE = {"filing_indicator": "MB"}
TX = (16193, 18000)


def claim(role: Role = "practitioner", payer: dict[str, Any] = MEDICARE, **difference: Any) -> Claim:
    return read_claim(example_claim(role, difference, payer))


def lines_of(one: Claim, ours: Ours = NOTHING_OF_OURS) -> tuple[LineExpected, ...]:
    return expected_of(one, BOOK.registry.select(one.payer), BOOK.tables, BOOK.codes, ours)


def pays(
    role: Role = "practitioner", payer: dict[str, Any] = MEDICARE, ours: Ours = NOTHING_OF_OURS, **more: Any
) -> Expected:
    (found,) = lines_of(claim(role, payer, **more), ours)
    return found.expected


def bounds(*given: Any, **more: Any) -> tuple[int | None, int | None]:
    found = pays(*given, **more)
    return found.low, found.high


def test_a_claim_of_a_state_is_a_range_and_of_a_state_with_one_locality_an_amount() -> None:
    assert bounds() == TX
    assert bounds(billing_provider={"state": "AL"}) == (15581, 15581)
    assert bounds(billing_provider={"state": None}) == (15359, 23035)


def test_a_neighbors_dearer_locality_is_in_the_range_of_the_state_that_it_reaches_into() -> None:
    suburbs = medicare_payment(Question("64445", DAY, "office", by_locality(BOOK.tables, "DC 01", DAY)), BOOK.tables)
    for state in ("VA", "MD"):
        assert pays(billing_provider={"state": state}).high == suburbs.high


def test_the_facility_says_where_the_service_was_given_before_the_billing_provider() -> None:
    assert bounds(service_facility={"state": "AL"}) == (15581, 15581)
    assert bounds(service_facility={"npi": "1234567893"}) == TX


@pytest.mark.parametrize(
    ("place", "bounds_of"),
    [
        ("11", TX),
        ("22", (6437, 6827)),
        ("24", (6437, 6827)),
        ("19", (6437, 6827)),
        ("49", TX),
        ("65", TX),
        ("23", (6437, 6827)),
    ],
)
def test_places_pay_as_an_office_or_as_a_facility(place: str, bounds_of: tuple[int, int]) -> None:
    one = claim(place_of_service=place)
    (found,) = lines_of(one)
    assert (found.expected.low, found.expected.high) == bounds_of


def test_a_line_has_its_own_place() -> None:
    assert bounds(lines=[{"place_of_service": "22"}]) == (6437, 6827)


@pytest.mark.parametrize("place", [None, "06", "18", "66", "??"])
def test_a_place_of_which_nothing_is_known_is_not_guessed(place: str | None) -> None:
    assert pays(place_of_service=place).missing == (
        "a place of service that is known to pay as an office or as a facility",
    )


def test_nobody_is_paid_more_than_the_charge_but_a_hospital() -> None:
    found = pays(lines=[{"charge": "170.00"}])
    assert (found.low, found.high) == (16193, 17000)
    assert found.notes == ("at most the charge, which is below the schedule",)
    assert bounds(lines=[{"charge": "100.00"}]) == (10000, 10000)
    assert bounds("asc", lines=[{"charge": "100.00"}]) == (10000, 10000)
    assert bounds("hospital_outpatient", lines=[{"charge": "100.00"}]) == (72117, 72117)


def test_both_sides_on_two_lines_are_paid_as_on_one() -> None:
    left, right = lines_of(claim(lines=[{"modifiers": ["LT"]}, {"modifiers": ["RT"]}]))
    assert (left.expected.low, left.expected.high) == TX
    assert (right.expected.low, right.expected.high) == (8097, 9000)
    assert bounds(lines=[{"modifiers": ["50"]}]) == (24290, 27000)


def test_another_operation_of_the_day_leaves_open_which_is_paid_in_full() -> None:
    one = claim(lines=[{}, {"procedure": "20610", "modifiers": ["RT"]}])
    (found,) = lines_of(one)
    assert (found.expected.low, found.expected.high) == (8097, 18000)
    for beside in ("99213", "J3301", "76942", "01402", "64445"):
        line = {
            "procedure": beside,
            "modifiers": [],
            "service_date": "2026-07-14" if beside == "64445" else "2026-07-13",
        }
        assert lines_of(claim(lines=[{}, line]))[0].expected.high == 18000
        assert lines_of(claim(lines=[{}, line]))[0].expected.low == 16193


def test_a_hospital_is_paid_nothing_of_its_own_beside_a_comprehensive_operation() -> None:
    found = pays("hospital_outpatient", lines=[{}, {"procedure": "27447", "modifiers": []}])
    assert (found.kind, found.low, found.high) == ("packaged", 0, 0)


@pytest.mark.parametrize(
    ("role", "more", "missing"),
    [
        ("practitioner", {"frequency_code": "8"}, "a void: nothing is paid"),
        ("practitioner", {"lines": [{"service_date": None}]}, "the date of service"),
        ("practitioner", {"lines": [{"units": None}]}, "the units"),
        ("practitioner", {"lines": [{"charge": "-1.00"}]}, "a charge of 0 or more"),
        ("practitioner", {"payer": {**MEDICARE, "responsibility": "S"}}, "what the payers before Medicare allow: Medicare is not the first"),
        ("hospital_outpatient", {"type_of_bill": "0851"}, "the costs of the hospital: a critical access hospital is paid by them"),
        ("hospital_outpatient", {"type_of_bill": None}, "a type of bill of a hospital's outpatient department (013x)"),
        ("hospital_outpatient", {"type_of_bill": "0141"}, "a type of bill of a hospital's outpatient department (013x)"),
        ("hospital_outpatient", {"billing_provider": {"state": "MD"}}, "the state's rates: Maryland's hospitals are paid by them"),
        ("practitioner", {"lines": [{"service_date": "2027-02-01"}]}, "relative values of 64445 in an office on 2027-02-01: scrub tables import PPRRVU of that year"),
    ],
)  # fmt: skip
def test_what_a_claim_does_not_tell_is_unknown(role: Role, more: dict[str, Any], missing: str) -> None:
    found = pays(role, **more)
    assert (found.kind, found.low, found.missing) == ("unknown", None, (missing,))


def test_who_bills_from_a_surgical_center_is_not_guessed() -> None:
    found = pays(place_of_service="24", rendering_provider=None, billing_provider={"taxonomy": None})
    assert found.missing == (
        "who bills from place 24: the taxonomy of the billing provider, or the rendering provider",
    )


def test_nurses_and_assistants_and_who_does_not_participate_are_paid_less() -> None:
    assert bounds(rendering_provider={"taxonomy": "363L00000X"}) == (13764, 15300)
    assert bounds(rendering_provider={"taxonomy": "363A00000X"}) == (13764, 15300)
    assert bounds(billing_provider={"participating": False}) == (15383, 17100)


def test_what_the_hospital_says_of_itself_counts() -> None:
    assert bounds(ours=Ours(qualifying=True)) == (16274, 18090)
    assert bounds("hospital_outpatient", ours=Ours(wage_index=Decimal("1.0412"))) == (73900, 73900)


def test_other_payers_pay_what_their_contract_says_and_advantage_is_no_medicare() -> None:
    text = (
        ",".join(COLUMNS)
        + "\naetna,,64445,office,,dollars,310.00,2026-01-01,\nuhc,medicare_advantage,64445,office,,percent_of_medicare,100,2026-01-01,\n"
    )
    contracts, problems = read_contracts("c.csv", text, BOOK.registry.names, ("medicare_advantage",))
    assert not problems
    ours = Ours(contracts)
    assert bounds(payer={"id": "60054", "filing_indicator": "CI"}, ours=ours) == (31000, 31000)
    assert bounds(payer={"id": "87726", "filing_indicator": "16"}, ours=ours) == TX
    assert pays(payer={"id": "87726", "filing_indicator": "CI"}, ours=ours).kind == "unknown"
    assert pays(payer={"id": "87726", "filing_indicator": "16"}).kind == "unknown"


def test_lines_of_other_procedures_are_not_priced_and_a_sum_of_some_lines_says_so() -> None:
    one = claim(lines=[{}, {"procedure": "99213", "charge": "150.00", "modifiers": []}, {"service_date": "2027-02-01"}])
    found = lines_of(one)
    assert [line.number for line in found] == [1, 3]
    of_lines = [(one.expected.kind, one.expected.low, one.expected.high) for one in found]
    assert claim_expected(of_lines) == ClaimExpected("part", *TX)
    assert claim_expected(of_lines[:1]) == ClaimExpected("range", *TX)


def test_no_address_of_a_claim_is_in_an_answer() -> None:
    address = {"street": "12 CANARY ST", "city": "CANARYVILLE", "state": "TX", "zip": "752019999"}
    one = claim(
        billing_provider={"address": address, "npi": "1234567893"},
        service_facility={"address": address, "name": "CANARY"},
    )
    text = repr(lines_of(one))
    assert not any(word in text for word in ("CANARY", "75201", "9999", "1234567893"))


@settings(max_examples=60, deadline=None)
@given(CLAIMS)
def test_whatever_a_claim_holds_there_is_an_answer_with_bounds_in_order(data: dict[str, Any]) -> None:
    for line in lines_of(read_claim(data)):
        found = line.expected
        if found.kind == "unknown":
            assert found.low is found.high is None
            assert found.missing
        else:
            assert found.low is not None
            assert found.high is not None
            assert 0 <= found.low <= found.high
            assert (found.kind == "range") is (found.low < found.high)
