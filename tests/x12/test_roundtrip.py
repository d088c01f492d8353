"""A claim written as 837 and read back is the same claim, whatever its fields, its neighbors and the separators."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.x12.writer import apart, file_of
from worker.intake.document import Document
from worker.intake.x12 import read_x12

DIGITS, UPPER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def word(least: int, most: int, alphabet: str = DIGITS + UPPER) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


NAME = st.text(UPPER + "abcxyz ÄÉß.-'", min_size=1, max_size=30).map(str.strip).filter(bool)
DAY = st.dates(min_value=date(1900, 1, 1)).map(str)
MONEY = st.decimals(0, 99_999, places=2, allow_nan=False).map(str)
NPI = word(10, 10, DIGITS)


def sparse(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


YES = st.just(True)
PERSON = {"entity": st.sampled_from(["person", "organization"]), "last_name": NAME, "first_name": NAME}
PROVIDER = sparse({"npi": NPI}, {"taxonomy": word(10, 10), **PERSON})
BARE = sparse({"npi": NPI}, PERSON)
ADDRESS = {
    "street": word(1, 55), "street_more": word(1, 55), "city": word(2, 30), "zip": word(3, 15), "country": word(2, 3, UPPER)
}  # fmt: skip
MODIFIERS = st.lists(word(2, 2), min_size=1, max_size=4)
CODES = st.lists(word(3, 7), min_size=1, max_size=12)
FACILITY = sparse({"npi": NPI, "name": NAME, "state": word(2, 2, UPPER)}, {"address": st.fixed_dictionaries(ADDRESS)})
ADJUSTMENT = sparse(
    {"group": st.sampled_from(["CO", "OA", "PI", "PR"]), "reason": word(1, 3), "amount": MONEY}, {"quantity": MONEY}
)
ADJUSTMENTS = st.lists(ADJUSTMENT, min_size=1, max_size=14)
OTHER = sparse(
    {"payer_id": word(2, 10)},
    {
        "paid": MONEY, "adjudication_date": DAY, "responsibility": st.sampled_from("PSTABU"), "relationship": word(2, 2),
        "insurance_type": word(2, 2), "filing_indicator": word(2, 2), "adjustments": ADJUSTMENTS, "noncovered": MONEY,
        "remaining_liability": MONEY, "subscriber": st.just({"has_last_name": True, "member_id": "OTHERID1"}),
        "remark_codes": st.lists(word(2, 5), min_size=1, max_size=5),
    },
)  # fmt: skip
DECISION = sparse(
    {"payer_id": st.just("NOBODY99999"), "paid": MONEY},
    {
        "paid_units": MONEY, "bundled_into": word(1, 2, DIGITS), "adjudication_date": DAY, "adjustments": ADJUSTMENTS,
        "remaining_liability": MONEY,
    },
)  # fmt: skip
DRUG = sparse(
    {"ndc": word(11, 11, DIGITS), "quantity": MONEY, "unit": st.sampled_from(["ML", "UN", "GR", "F2", "ME"])}, {}
)
PATIENT = sparse({}, {"first_name": NAME, "birth_date": DAY, "sex": st.sampled_from("FMU")})
SUBSCRIBER = sparse({"member_id": word(2, 20)}, {"group_number": word(1, 20), "relationship": st.just("18")})
BILLING = sparse(
    {"npi": NPI, "entity": st.sampled_from(["person", "organization"])},
    {
        "state": word(2, 2, UPPER),
        "taxonomy": word(10, 10),
        "address": st.fixed_dictionaries(ADDRESS),
        "last_name": NAME,
        "tax_id": word(9, 9, DIGITS),
        "social_security_number": word(9, 9, DIGITS),
    },
)
PAYER = sparse(
    {"id": word(2, 20), "responsibility": st.sampled_from("PSTABU"), "filing_indicator": word(2, 2)},
    {"name": NAME, "insurance_type": word(2, 2)},
)


@st.composite
def lines(draw: st.DrawFn, professional: bool) -> list[dict[str, Any]]:
    made = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        line: dict[str, Any] = {"number": number, "charge": draw(MONEY)}
        optional: dict[str, Any] = {
            "units": MONEY,
            "unit_basis": st.sampled_from(["UN", "MJ", "DA"]),
            "drug": DRUG,
            "control_number": word(1, 30),
            "has_description": YES,
            "referring_provider": BARE,
        }
        optional["decisions"] = st.lists(DECISION, min_size=1, max_size=3)
        if professional:
            line["procedure"] = draw(st.one_of(st.just("64445"), word(5, 5).filter(lambda code: "64445" not in code)))
            optional |= {
                "modifiers": MODIFIERS, "place_of_service": word(2, 2, DIGITS), "rendering_provider": PROVIDER,
                "diagnosis_pointers": st.lists(st.integers(1, 12), min_size=1, max_size=4),
            }  # fmt: skip
        else:
            line["revenue_code"] = draw(word(4, 4, DIGITS))
            if draw(st.booleans()):
                line["procedure"] = "64445"
                optional["modifiers"] = MODIFIERS
            optional["rendering_provider"] = BARE
        line |= draw(sparse({}, optional))
        if draw(st.booleans()):
            first, last = draw(DAY), draw(DAY)
            line["service_date"] = first
            if first != last and draw(st.booleans()):
                line["service_date_end"] = last
        made.append(line)
    return made


@st.composite
def claims(draw: st.DrawFn, form: str) -> dict[str, Any]:
    professional = form == "professional"
    claim: dict[str, Any] = {
        "claim_id": draw(word(1, 38, DIGITS + UPPER + "-. /")).strip() or "X", "form": form,
        "frequency_code": draw(st.sampled_from("178")), "total_charge": draw(MONEY), "payer": draw(PAYER),
        "subscriber": draw(SUBSCRIBER), "billing_provider": draw(BILLING), "diagnoses": draw(CODES),
        "lines": draw(lines(professional)), "source_format": "x12",
    }  # fmt: skip
    patient = draw(PATIENT)
    if patient:
        claim["patient"] = patient
    optional: dict[str, Any] = {
        "prior_authorization": word(1, 30), "original_reference_number": word(1, 30), "delay_reason_code": word(1, 2, DIGITS),
        "service_facility": FACILITY, "other_payers": st.lists(OTHER, min_size=1, max_size=4), "referring_provider": BARE,
        "pay_to_address": st.fixed_dictionaries({**ADDRESS, "state": word(2, 2, UPPER)}), "assignment": st.sampled_from("ABC"),
        "benefits_assigned": st.sampled_from("YNW"), "release_of_information": st.sampled_from("YI"),
        "referral_number": word(1, 30), "has_remark": YES,
    }  # fmt: skip
    if professional:
        claim["place_of_service"] = draw(word(2, 2, DIGITS))
        optional |= {
            "rendering_provider": PROVIDER, "supervising_provider": BARE, "provider_signature": st.sampled_from("YN"),
            "patient_signature_source": st.just("P"), "accident_state": word(2, 2, UPPER), "accident_date": DAY,
            "related_causes": st.lists(st.sampled_from(["AA", "EM", "OA"]), min_size=1, max_size=3, unique=True),
            "onset_date": DAY, "admission_date": DAY, "patient_paid": MONEY,
        }  # fmt: skip
    else:
        claim["type_of_bill"] = f"0{draw(word(2, 2, DIGITS))}{claim['frequency_code']}"
        claim["statement_from_date"], claim["statement_through_date"] = draw(DAY), draw(DAY)
        claim["statement_is_range"] = True
        optional |= {
            "attending_provider": PROVIDER, "operating_provider": BARE, "rendering_provider": BARE,
            "patient_estimated": MONEY, "admitting_diagnosis": word(3, 7), "reason_diagnoses": st.lists(word(3, 7), min_size=1, max_size=3),
        }  # fmt: skip
    return claim | draw(sparse({}, optional))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), form=st.sampled_from(["professional", "institutional"]))
def test_claims_written_as_837_are_read_back(data: st.DataObject, form: str) -> None:
    given_claims = data.draw(st.lists(claims(form), min_size=1, max_size=4))
    dependent = [data.draw(st.booleans()) for _ in given_claims]
    separators = data.draw(st.sampled_from(["*:~", "|>\n", "~^_", "*\x1f\x1d"]))
    for claim, depends in zip(given_claims, dependent, strict=True):
        if not depends and "first_name" in claim.get("patient", {}):
            claim["subscriber"]["first_name"] = claim["patient"]["first_name"]  # who is insured is the patient
    written = [{"patient": {}, **claim} for claim in given_claims]
    raw = file_of(written, separators, data.draw(st.sampled_from(["", "\n", "\r\n"])), dependent)
    found = list(read_x12("f", io.BytesIO(raw.encode(data.draw(st.sampled_from(["utf-8", "latin-1"])))), limit=2**20))
    assert [item.problems for item in found if not isinstance(item, Document)] == []
    expected = [apart(one) if mark else one for one, mark in zip(given_claims, dependent, strict=True)]
    read = [item.value for item in found if isinstance(item, Document)]
    for one in read:
        one.pop("form_faults", None)  # a patient without a birth date, a line without a code
    assert read == expected
