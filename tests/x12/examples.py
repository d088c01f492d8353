"""Claims of the tests with every field that an 837 holds."""

from __future__ import annotations

from typing import Any

PROFESSIONAL: dict[str, Any] = {
    "claim_id": "PCN-1", "form": "professional", "frequency_code": "7", "original_reference_number": "ICN998",
    "delay_reason_code": "11", "place_of_service": "11",
    "payer": {"id": "87726", "name": "UHC", "filing_indicator": "CI", "responsibility": "S"},
    "other_payers": [
        {"payer_id": "60054", "adjudication_date": "2026-10-20", "paid": "39.15"}, {"payer_id": "62308", "paid": "0"},
    ],
    "subscriber": {"member_id": "912345678", "group_number": "GRP1"},
    "patient": {"birth_date": "1970-03-02", "sex": "F", "first_name": "CANARY"},
    "billing_provider": {"npi": "1234567893", "taxonomy": "208VP0000X", "entity": "organization", "state": "TX"},
    "rendering_provider": {"npi": "1982345677", "taxonomy": "207L00000X"}, "referring_provider": {"npi": "1003000126"},
    "service_facility": {"npi": "1457384521", "name": "SURGERY PLACE", "state": "LA"},
    "prior_authorization": "AUTH77", "diagnoses": ["M54.31", "G57.01", "M5416"], "total_charge": "500.25",
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["RT", "59"], "units": "1", "unit_basis": "UN",
         "charge": "450.00", "service_date": "2026-10-01", "diagnosis_pointers": [1, 3], "place_of_service": "22",
         "rendering_provider": {"npi": "1750384806", "taxonomy": "207LP2900X"}},
        {"number": 2, "procedure": "J3301", "units": "4.5", "unit_basis": "UN", "charge": "50.25",
         "service_date": "2026-10-01", "service_date_end": "2026-10-02", "diagnosis_pointers": [2],
         "drug": {"ndc": "00003029305", "quantity": "1.5", "unit": "ML"}},
    ],
    "not_read": ["2300 PWK"],
}  # fmt: skip
INSTITUTIONAL: dict[str, Any] = {
    "claim_id": "HOSP-1", "form": "institutional", "frequency_code": "1", "type_of_bill": "0131",
    "statement_from_date": "2026-10-01", "statement_through_date": "2026-10-02",
    "payer": {"id": "00435", "name": "MEDICARE A", "filing_indicator": "MA", "responsibility": "P"},
    "subscriber": {"member_id": "1EG4TE5MK73"},
    "patient": {"birth_date": "1940-03-02", "sex": "M", "first_name": "CANARY"},
    "billing_provider": {"npi": "1234567893", "taxonomy": "282N00000X", "entity": "organization", "state": "PA"},
    "attending_provider": {"npi": "1982345677", "taxonomy": "207L00000X"}, "operating_provider": {"npi": "1003000126"},
    "rendering_provider": {"npi": "1750384806"}, "referring_provider": {"npi": "1457384521"},
    "service_facility": {"npi": "1457384521", "name": "WEST WING", "state": "PA"},
    "diagnoses": ["M5431", "I10", "E119"], "admitting_diagnosis": "M5431", "reason_diagnoses": ["M5431", "R52"],
    "total_charge": "1280.00",
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["LT"], "units": "1", "unit_basis": "UN",
         "charge": "1200.00", "service_date": "2026-10-01", "revenue_code": "0361"},
        {"number": 2, "units": "3", "unit_basis": "UN", "charge": "80.00", "revenue_code": "0250"},
    ],
    "not_read": ["2300 PWK"],
}  # fmt: skip
