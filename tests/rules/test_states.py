"""A state is the same however it is written, and what is no state is unknown, never elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.facts import ClaimFacts, LineFacts
from rules.states import state_code
from tests.book import BOOK

NAMES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky",
    "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina",
    "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia",
    "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "PR": "Puerto Rico",
    "VI": "Virgin Islands", "GU": "Guam", "AS": "American Samoa", "MP": "Northern Mariana Islands",
}  # fmt: skip


@pytest.mark.parametrize("code", NAMES)
def test_a_state_is_known_by_its_code_and_by_its_name_in_every_way_of_writing(code: str) -> None:
    name = NAMES[code]
    written = (code, code.lower(), code.title(), f" {code} ", f"{code[0]}.{code[1]}.", f"US-{code}")
    for text in (*written, name, name.upper(), name.lower(), f"  {name} ", name.replace(" ", ""), f"{name}."):
        assert state_code(text) == code, text


@pytest.mark.parametrize(
    ("text", "code"),
    [("Calif.", "CA"), ("Mass.", "MA"), ("Washington, D.C.", "DC"), ("W. Va.", "WV"), ("N. Mex.", "NM"), ("Tex", "TX")],
)
def test_older_abbreviations_are_known(text: str, code: str) -> None:
    assert state_code(text) == code


@pytest.mark.parametrize("text", [None, "", " ", "XX", "ZZ", "ON", "QC", "C", "CAL1F", "12", "USXX", "--", "Fresno"])
def test_what_names_no_state_is_unknown(text: str | None) -> None:
    assert state_code(text) is None


def facts(line: dict[str, Any] | None, claim: str | None, billing: str | None) -> LineFacts:
    changes: dict[str, Any] = {"billing_provider": {"state": billing}, "lines": [{"service_facility": line}]}
    if claim is not None:
        changes["service_facility"] = {"state": claim}
    case = case_of(read_claim(example_claim("practitioner", changes, {"id": "04412"})), BOOK, None)
    return LineFacts(ClaimFacts(case), case.lines[0])


@pytest.mark.parametrize(
    ("line", "claim", "billing", "contractor"),
    [
        (None, None, "ca", "noridian"),
        (None, None, " Georgia ", "palmetto"),
        ({"state": "CA"}, None, "TX", "noridian"),
        ({"state": "ca"}, "GA", "TX", "noridian"),
        ({"name": "NORTH"}, "GA", "TX", "palmetto"),
        ({"state": " "}, None, "TX", "novitas"),
        ({"state": "XX"}, "GA", "TX", None),
        (None, "XX", "TX", None),
        (None, None, "XX", None),
        (None, None, "ON", None),
        (None, None, None, None),
    ],
)
def test_the_contractor_follows_the_lines_place_else_the_claims_else_the_billing_provider(
    line: dict[str, Any] | None, claim: str | None, billing: str | None, contractor: str | None
) -> None:
    found = facts(line, claim, billing)
    assert found["contractor"] == contractor
    assert found["billing_state"] == state_code(billing)


def test_each_line_has_the_contractor_of_its_own_place() -> None:
    changes = {
        "billing_provider": {"state": "TX"}, "lines": [{"service_facility": {"state": "CA"}}, {"modifiers": ["LT"]}],
    }  # fmt: skip
    case = case_of(read_claim(example_claim("practitioner", changes, {"id": "04412"})), BOOK, None)
    claim = ClaimFacts(case)
    assert [LineFacts(claim, line)["contractor"] for line in case.lines] == ["noridian", "novitas"]
    assert [LineFacts(claim, line)["medicare_area"] for line in case.lines] == ["CA", "TX"]


@pytest.mark.parametrize(
    ("claim", "lines", "has"),
    [
        ("A1", [None, None], True), (None, ["A1", "A2"], True), (None, ["A1", None], False), (None, [None], False),
        (None, [" "], False), (" ", ["A1"], True),
    ],
)  # fmt: skip
def test_an_authorization_is_the_claims_or_each_lines_own(
    claim: str | None, lines: list[str | None], has: bool
) -> None:
    changes = {"prior_authorization": claim, "lines": [{"prior_authorization": one} for one in lines]}
    case = case_of(read_claim(example_claim("practitioner", changes, {"id": "60054"})), BOOK, None)
    assert ClaimFacts(case)["has_prior_authorization"] is has
