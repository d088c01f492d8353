"""What the claim model lets through to the rules, what it refuses, and what its sentences say."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import Claim, read_claim
from rules.errors import ClaimInvalid


def claim(**difference: Any) -> dict[str, Any]:
    return example_claim("practitioner", difference, {"id": "87726"})


def problems(data: object) -> dict[str, str]:
    with pytest.raises(ClaimInvalid) as caught:
        read_claim(data)
    return {problem.path: problem.sentence for problem in caught.value.problems}


def test_smallest_claim_needs_only_what_the_design_names() -> None:
    read = read_claim(
        {
            "claim_id": "1",
            "form": "professional",
            "payer": {"id": "1"},
            "diagnoses": [],
            "lines": [{"number": 1, "charge": 1}],
        }
    )
    assert (read.frequency_code, read.lines[0].units, read.total_charge) == ("1", None, None)


def test_all_errors_of_a_bad_claim_come_at_once_with_path_and_sentence() -> None:
    data = claim()
    del data["payer"]["id"]
    data |= {"form": "dental", "total_charge": "12.345", "linez": []}
    data["lines"][0] |= {"service_date": "2026-02-30", "units": "two", "modifiers": "RT"}
    assert problems(data) == {
        "linez": "unknown key; did you mean 'lines'?",
        "payer.id": "is required",
        "form": "expected 'professional' or 'institutional'",
        "total_charge": "expected an amount in dollars with at most two decimals",
        "lines[0].service_date": "expected a calendar date as YYYY-MM-DD",
        "lines[0].units": "expected a decimal number such as 1 or 2.5",
        "lines[0].modifiers": "expected a list",
    }


def test_a_misspelled_key_is_not_called_missing_as_well() -> None:
    data = claim()
    data["claimid"] = data.pop("claim_id")
    with pytest.raises(ClaimInvalid) as caught:
        read_claim(data)
    assert [problem.path for problem in caught.value.problems] == ["claimid"]


def test_an_unknown_key_does_not_reach_the_path_that_may_be_logged() -> None:
    data = claim()
    data["lines"][0]["MARY CANARY 1970"] = 1
    with pytest.raises(ClaimInvalid) as caught:
        read_claim(data)
    (problem,) = caught.value.problems
    assert (problem.path, problem.safe_path) == ("lines[0].MARY CANARY 1970", "lines[0]")


def test_no_sentence_quotes_a_value() -> None:
    data = claim(total_charge="CANARY", patient={"birth_date": "CANARY", "sex": "CANARY"}, claim_id="CANARY" * 20)
    data["lines"][0]["charge"] = ["CANARY"]
    found = problems(data)
    assert found.keys() == {"claim_id", "total_charge", "patient.birth_date", "patient.sex", "lines[0].charge"}
    assert "CANARY" not in str(found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("units", None),
        ("units", "0"),
        ("units", "-1"),
        ("modifiers", ["50", "LT", "RT", "59", "XS"]),
        ("modifiers", ["lt", ""]),
        ("diagnosis_pointers", [0, 99, 1, 1, 2]),
        ("procedure", "6444"),
        ("charge", "-5"),
    ],
)
def test_what_a_rule_judges_passes_the_schema(field: str, value: object) -> None:
    data = claim()
    data["lines"][0][field] = value
    assert isinstance(read_claim(data), Claim)


@pytest.mark.parametrize("value", ["450", "450.0", "450.00", 450, Decimal("450.00")])
def test_money_is_exact_to_the_cent_however_it_is_written(value: object) -> None:
    assert str(read_claim(claim(total_charge=value)).total_charge) == "450.00"


@pytest.mark.parametrize(
    "value", [450.0, True, "NaN", "Infinity", "1e400", Decimal("NaN"), "9" * 31, "1E+20", 10**40, " "]
)
def test_money_is_never_a_float_nor_absurd(value: object) -> None:
    assert list(problems(claim(total_charge=value))) == ["total_charge"]


@pytest.mark.parametrize("value", [20260713, "20260713", "2026-7-13", "2026-07-13T", "2026-13-01", 1.5, True])
def test_a_date_is_written_in_one_way(value: object) -> None:
    assert list(problems(claim(received_date=value))) == ["received_date"]


@pytest.mark.parametrize(
    "rest", ["T00:00:00", " 00:00:00", "T00:00", "T00:00:00.000", "T00:00:00Z", "T00:00:00-05:00", " 00:00:00.000 UTC",
             "T00:00:00.0000000+00:00"],
)  # fmt: skip
def test_a_date_at_midnight_is_the_day_that_is_written(rest: str) -> None:
    """As exports of databases write a column of dates: dbgate/dbgate#578, metabase/metabase#14504."""
    assert read_claim(claim(received_date=f"2026-07-13{rest}")).received_date == date(2026, 7, 13)


@pytest.mark.parametrize("rest", ["T05:00:00Z", "T23:59:59", " 12:00", "T00:00:01"])
def test_at_another_time_of_day_the_zone_would_decide(rest: str) -> None:
    (sentence,) = problems(claim(received_date=f"2026-07-13{rest}")).values()
    assert "the zone decides which day it is" in sentence


def test_an_npi_may_be_a_number_since_none_begins_with_zero() -> None:
    """As a column of digits comes out of a database or a table of numbers."""
    for value in (1234567893, Decimal("1234567893"), Decimal("1234567893.0"), "1234567893"):
        found = read_claim(claim(billing_provider={"npi": value}))
        assert found.billing_provider
        assert found.billing_provider.npi == "1234567893"


@pytest.mark.parametrize("value", [123456789, 12345678901, -1234567893, Decimal("1234567893.5"), True, 0])
def test_a_number_that_has_not_ten_digits_is_no_npi(value: object) -> None:
    assert list(problems(claim(billing_provider={"npi": value}))) == ["billing_provider.npi"]


@pytest.mark.parametrize("path", ["payer.id", "subscriber.member_id", "place_of_service", "claim_id"])
def test_another_number_has_lost_its_zeros_and_is_refused_with_that_reason(path: str) -> None:
    """As in RTICWDT/open-data-maker#65, where ids came out of an API without their zeros."""
    data = claim(subscriber={"member_id": "W1"})
    at = data[path.partition(".")[0]] if "." in path else data
    at[path.rpartition(".")[2]] = 4412
    assert problems(data) == {path: "expected a string: a number would have lost zeros at its beginning"}


def test_an_empty_text_is_absent_wherever_a_single_value_is_expected() -> None:
    """As exports with a column for each field write it."""
    data = claim(
        received_date="", total_charge="", place_of_service="", frequency_code="",
        patient={"birth_date": "", "sex": "", "first_name": "Ann"}, service_facility={"kind": ""},
    )  # fmt: skip
    data["lines"][0] |= {"units": "", "service_date_end": "", "drug": {"quantity": ""}}
    found = read_claim(data)
    assert (found.received_date, found.total_charge, found.frequency_code) == (None, None, "1")
    assert found.patient
    assert (found.patient.birth_date, found.patient.sex, found.patient.first_name) == (None, None, "Ann")
    assert (found.lines[0].units, found.lines[0].service_date_end) == (None, None)


def test_an_empty_text_is_no_value_that_has_to_be_there_and_no_key_that_is_unknown() -> None:
    data = claim(received_date="", recieved_date="")
    data["lines"][0]["charge"] = ""
    assert problems(data) == {
        "recieved_date": "unknown key; did you mean 'received_date'?", "lines[0].charge": "is required",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["x" * 10_000_000, 5, ["M54.31"] * 201])
def test_absurd_sizes_and_types_are_refused(value: object) -> None:
    assert problems(claim(diagnoses=value if isinstance(value, list) else [value]))


def test_a_million_lines_are_refused_by_their_number() -> None:
    data = claim()
    data["lines"] = data["lines"] * 1_000_000
    assert problems(data) == {"lines": "expected at most 1000 entries"}


def test_no_lines_is_one_error_and_a_bad_only_line_is_not_a_second_one() -> None:
    data = claim()
    data["lines"][0]["number"] = "one"
    assert list(problems(data)) == ["lines[0].number"]
    assert problems({**data, "lines": []}) == {"lines": "expected at least 1 entry"}


@pytest.mark.parametrize("data", [None, [], "claim", 5, {"claim": {}}])
def test_what_is_no_claim_at_all_is_said_so(data: object) -> None:
    assert problems(data)


def test_control_characters_are_refused_in_identifiers() -> None:
    assert list(problems(claim(claim_id="A\nB"))) == ["claim_id"]


def test_a_claim_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        read_claim(claim()).claim_id = "other"  # type: ignore[misc]


@pytest.mark.parametrize("zero", ["-0", "-0.00", "0", "0.00"])
def test_zero_has_no_sign(zero: str) -> None:
    line = read_claim(claim(lines=[{"units": zero, "charge": zero}])).lines[0]
    assert str(line.units) in ("0", "0.00")
    assert str(line.charge) == "0.00"
