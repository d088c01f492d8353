"""Claims of the tests with every field that an 837 holds."""

from __future__ import annotations

from typing import Any

PROFESSIONAL: dict[str, Any] = {
    "source_format": "x12", "transaction_type": "RP",
    "claim_id": "PCN-1", "form": "professional", "frequency_code": "7", "original_reference_number": "ICN998",
    "delay_reason_code": "11", "place_of_service": "11",
    "payer": {"id": "87726", "name": "UHC", "filing_indicator": "CI", "responsibility": "S",
              "insurance_type": "12"},
    "other_payers": [
        {"payer_id": "60054", "adjudication_date": "2026-10-20", "paid": "39.15", "responsibility": "P",
         "relationship": "01", "insurance_type": "13", "filing_indicator": "12",
         "adjustments": [
             {"group": "CO", "reason": "45", "amount": "10.00"},
             {"group": "PR", "reason": "1", "amount": "21.89", "quantity": "1"},
             {"group": "PR", "reason": "2", "amount": "15.00"},
         ],
         "remaining_liability": "36.89", "noncovered": "5.00", "benefits_assigned": "Y", "patient_signature_source": "P",
         "release_of_information": "Y", "subscriber": {"has_last_name": True, "member_id": "OTHERID1"}, "remark_codes": ["MA18", "N381"]},
        {"payer_id": "62308", "paid": "0", "responsibility": "T", "relationship": "18", "filing_indicator": "CI",
         "benefits_assigned": "Y", "release_of_information": "Y", "subscriber": {"has_last_name": True, "member_id": "OTHERID1"},
         "adjudication_date": "2026-10-25", "dated_by_lines": True},
    ],
    "subscriber": {"member_id": "912345678", "group_number": "GRP1", "relationship": "18"},
    "patient": {"birth_date": "1970-03-02", "sex": "F", "first_name": "CANARY"},
    "billing_provider": {"npi": "1234567893", "taxonomy": "208VP0000X", "entity": "organization", "state": "TX"},
    "rendering_provider": {"npi": "1982345677", "taxonomy": "207L00000X"}, "referring_provider": {"npi": "1003000126"},
    "service_facility": {"npi": "1457384521", "name": "SURGERY PLACE", "state": "LA"},
    "prior_authorization": "AUTH77", "diagnoses": ["M54.31", "G57.01", "M5416"], "total_charge": "500.25",
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["RT", "59"], "units": "1", "unit_basis": "UN",
         "charge": "450.00", "service_date": "2026-10-01", "diagnosis_pointers": [1, 3], "place_of_service": "22",
         "rendering_provider": {"npi": "1750384806", "taxonomy": "207LP2900X"}, "prior_authorization": "AUTH78",
         "service_facility": {"npi": "1003000126", "name": "NORTH PLACE", "state": "NV"},
         "decisions": [
             {"payer_id": "62308", "paid": "300.00", "paid_units": "1", "adjudication_date": "2026-10-24",
              "adjustments": [{"group": "CO", "reason": "45", "amount": "150.00", "quantity": "2"}],
              "remaining_liability": "12.00"},
             {"payer_id": "60054", "paid": "0", "paid_units": "1", "bundled_into": "2"},
         ]},
        {"number": 2, "procedure": "J3301", "units": "4.5", "unit_basis": "UN", "charge": "50.25",
         "service_date": "2026-10-01", "service_date_end": "2026-10-02", "diagnosis_pointers": [2],
         "drug": {"ndc": "00003029305", "quantity": "1.5", "unit": "ML"},
         "decisions": [{"payer_id": "62308", "paid": "50.25", "adjudication_date": "2026-10-25"}]},
    ],
    "not_read": ["2300 PWK"],
}  # fmt: skip
INSTITUTIONAL: dict[str, Any] = {
    "source_format": "x12",
    "claim_id": "HOSP-1", "form": "institutional", "frequency_code": "1", "type_of_bill": "0131",
    "statement_from_date": "2026-10-01", "statement_through_date": "2026-10-02",
    "payer": {"id": "00435", "name": "MEDICARE A", "filing_indicator": "MA", "responsibility": "P"},
    "subscriber": {"member_id": "1EG4TE5MK73", "relationship": "18"},
    "patient": {"birth_date": "1940-03-02", "sex": "M", "first_name": "CANARY"},
    "billing_provider": {"npi": "1234567893", "taxonomy": "282N00000X", "entity": "organization", "state": "PA"},
    "attending_provider": {"npi": "1982345677", "taxonomy": "207L00000X"}, "operating_provider": {"npi": "1003000126"},
    "rendering_provider": {"npi": "1750384806"}, "referring_provider": {"npi": "1457384521"},
    "service_facility": {"npi": "1457384521", "name": "WEST WING", "state": "PA"},
    "diagnoses": ["M5431", "I10", "E119"], "admitting_diagnosis": "M5431", "reason_diagnoses": ["M5431", "R52"],
    "total_charge": "1280.00",
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["LT"], "units": "1", "unit_basis": "UN",
         "charge": "1200.00", "service_date": "2026-10-01", "revenue_code": "0361", "prior_authorization": "AUTH79"},
        {"number": 2, "units": "3", "unit_basis": "UN", "charge": "80.00", "revenue_code": "0250"},
    ],
    "not_read": ["2300 PWK"],
}  # fmt: skip
