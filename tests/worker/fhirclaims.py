"""Claims that tests write as FHIR, and how they are read back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from rules.claim import Claim
from tests.worker.fhirbundle import contained
from worker.intake.document import Document, Found, Refusal
from worker.intake.documents import read_documents

PROVIDER = {"npi": "1234567893", "taxonomy": "208VP0000X", "entity": "person", "last_name": "Lee", "first_name": "Kim"}
REFERRING = {"npi": "1245319599", "entity": "person", "last_name": "Poe", "first_name": "Max"}
ADDRESS = {"street": "1 Main St", "street_more": "Suite 2", "city": "Austin", "zip": "787010001", "country": "US"}
PROFESSIONAL: dict[str, Any] = {
    "claim_id": "PCN-1", "form": "professional", "place_of_service": "11",
    "payer": {"id": "60054", "name": "AETNA", "filing_indicator": "CI", "responsibility": "S",
              "address": {**ADDRESS, "state": "KY"}},
    "other_payers": [{"payer_id": "62308", "adjudication_date": "2026-10-03", "paid": "12.30", "responsibility": "P",
                      "filing_indicator": "MB", "relationship": "01",
                      "subscriber": {"has_last_name": True, "member_id": "M9"}}],
    "subscriber": {"member_id": "W100000002", "group_number": "G7", "entity": "person", "last_name": "Roe",
                   "first_name": "Sam"},
    "patient": {"birth_date": "1970-03-02", "sex": "F", "first_name": "Ann", "last_name": "Roe", "own_loop": True,
                "address": {**ADDRESS, "state": "TX"}},
    "billing_provider": {"npi": "1234567893", "taxonomy": "208VP0000X", "entity": "organization", "state": "TX",
                         "last_name": "Pain Center", "tax_id": "123456789", "address": ADDRESS},
    "rendering_provider": PROVIDER, "referring_provider": REFERRING, "supervising_provider": {**PROVIDER, "npi": "1679576722"},
    "service_facility": {"npi": "1245319599", "name": "Clinic", "state": "TX", "address": ADDRESS},
    "prior_authorization": "PA-1", "diagnoses": ["M54.31", "M5432"], "total_charge": "470.10",
    "related_causes": ["AA", "EM"], "accident_state": "NV", "accident_country": "US", "accident_date": "2026-09-01",
    "onset_date": "2026-09-02", "admission_date": "2026-09-30", "pay_to_address": {**ADDRESS, "state": "NV"},
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["RT", "59"], "units": "1", "unit_basis": "UN",
         "charge": "450.10", "service_date": "2026-10-01", "place_of_service": "11", "diagnosis_pointers": [2, 1],
         "service_facility": {"npi": "1245319599", "name": "North", "state": "OK", "address": ADDRESS}},
        {"number": 2, "procedure": "J3301", "units": "4", "unit_basis": "UN", "charge": "20.00",
         "service_date": "2026-10-01", "diagnosis_pointers": [1],
         "rendering_provider": {**REFERRING, "taxonomy": None},
         "supervising_provider": {**PROVIDER, "npi": "1679576722"},
         "referring_provider": {**PROVIDER, "npi": "1679576722"},
         "drug": {"ndc": "00003029305", "quantity": "4.5", "unit": "ML"}},
    ],
}  # fmt: skip
INSTITUTIONAL: dict[str, Any] = {
    **{key: value for key, value in PROFESSIONAL.items() if key not in (
        "related_causes", "accident_state", "accident_country", "accident_date", "onset_date", "supervising_provider")},
    "form": "institutional", "place_of_service": None, "type_of_bill": "0137", "frequency_code": "7",
    "original_reference_number": "ICN9", "statement_from_date": "2026-10-01", "statement_through_date": "2026-10-02",
    "rendering_provider": None, "attending_provider": PROVIDER, "operating_provider": REFERRING,
    "admission_hour": "0815", "discharge_hour": "1730", "admission_type": "3", "point_of_origin": "1",
    "patient_status": "01", "condition_codes": ["20", "D9"], "value_codes": [{"code": "12", "amount": "39.15"}],
    "occurrences": [{"code": "11", "day": "2026-09-20"}, {"code": "11", "day": "2026-09-01", "group": 2}],
    "occurrence_spans": [{"code": "72", "from_date": "2026-10-01", "through_date": "2026-10-02"}],
    "present_on_admission": [{"diagnosis": 2, "indicator": "Y"}],
    "billing_provider": {**PROVIDER, "state": "TX", "social_security_number": "123456789", "address": ADDRESS},
    "subscriber": {"member_id": "W100000002", "relationship": "18", "entity": "person", "last_name": "Roe",
                   "first_name": "Ann"},
    "patient": {**PROFESSIONAL["patient"], "own_loop": False},
    "admitting_diagnosis": "M54.30", "reason_diagnoses": ["M79.604", "M79.605"],
    "lines": [
        {"number": 1, "procedure": "64445", "charge": "450.10", "revenue_code": "0361", "service_date": "2026-10-01"},
        {"number": 2, "procedure": None, "charge": "20.00", "revenue_code": "0250"},
    ],
}  # fmt: skip


def read(value: object, **options: Any) -> list[Found]:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return list(read_documents("f.json", io.BytesIO(raw), **options))


def claims(found: list[Found]) -> list[Claim]:
    return [one.claim for one in found if isinstance(one, Document)]


def claim_in(value: dict[str, Any]) -> dict[str, Any]:
    """The Claim of a Bundle that has one."""
    found: dict[str, Any] = next(
        entry["resource"] for entry in value["entry"] if entry["resource"]["resourceType"] == "Claim"
    )
    return found


def changed(change: Callable[[dict[str, Any]], object], base: dict[str, Any] = PROFESSIONAL) -> dict[str, Any]:
    """The base as a Claim with what it contains, changed."""
    value = contained(base)
    change(value)
    return value


def one(value: dict[str, Any]) -> Claim:
    """The only claim of a document that is read."""
    found = read(value)
    (claim,) = claims(found) or [None]
    assert claim is not None, found
    return claim


def refused(value: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the only document that is not read, by path."""
    (refusal,) = [one for one in read(value) if isinstance(one, Refusal)]
    return {problem.path: problem.sentence for problem in refusal.problems}
