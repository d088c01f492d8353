"""Claims of the tests with every field that an 837 holds."""

from __future__ import annotations

from typing import Any

PERSON = {"entity": "person", "has_last_name": True, "has_first_name": True}
ADDRESS = {"street": "PO BOX 30555", "street_more": "STE 2", "city": "TOWN", "zip": "V5K0A1", "country": "CA"}
PROFESSIONAL: dict[str, Any] = {
    "source_format": "x12", "transaction_type": "RP",
    "claim_id": "PCN-1", "form": "professional", "frequency_code": "7", "original_reference_number": "ICN998",
    "delay_reason_code": "11", "place_of_service": "11",
    "payer": {"id": "87726", "name": "UHC", "filing_indicator": "CI", "responsibility": "S",
              "address": {**ADDRESS, "state": "UT"}},
    "other_payers": [
        {"payer_id": "60054", "adjudication_date": "2026-10-20", "paid": "39.15"}, {"payer_id": "62308", "paid": "0"},
    ],
    "subscriber": {"member_id": "912345678", "group_number": "GRP1", **PERSON},
    "patient": {"birth_date": "1970-03-02", "sex": "F", "first_name": "CANARY", "has_last_name": True,
                "address": {**ADDRESS, "street": "2 CANARY ST", "state": "BC"}},
    "billing_provider": {"npi": "1234567893", "taxonomy": "208VP0000X", "entity": "organization", "state": "TX",
                         "address": {**ADDRESS, "street": "1 MAIN ST"},
                         "has_last_name": True, "has_first_name": True, "social_security_number": "123456789"},
    "pay_to_address": {**ADDRESS, "street": "2 SIDE ST", "state": "ZZ"},
    "rendering_provider": {"npi": "1982345677", "taxonomy": "207L00000X", **PERSON},
    "referring_provider": {"npi": "1003000126", **PERSON},
    "supervising_provider": {"npi": "1003000126", **PERSON},
    "service_facility": {"npi": "1457384521", "name": "SURGERY PLACE", "state": "LA",
                         "address": {**ADDRESS, "street": "9 HILL ST"}},
    "provider_signature": "Y", "assignment": "A", "benefits_assigned": "Y",
    "release_of_information": "Y", "patient_signature_source": "P", "related_causes": ["AA", "OA"],
    "accident_state": "TX", "accident_country": "US", "accident_date": "2026-08-30", "onset_date": "2026-08-28",
    "admission_date": "2026-08-29", "referral_number": "R77", "patient_paid": "20.00", "has_note": True,
    "has_long_note": True, "several_principal_diagnoses": True,
    "prior_authorization": "AUTH77", "diagnoses": ["M54.31", "G57.01", "M5416"], "total_charge": "500.25",
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["RT", "59"], "units": "1", "unit_basis": "UN",
         "charge": "450.00", "service_date": "2026-10-01", "diagnosis_pointers": [1, 3], "place_of_service": "22",
         "rendering_provider": {"npi": "1750384806", "taxonomy": "207LP2900X", **PERSON}, "control_number": "LINE1",
         "supervising_provider": {"npi": "1003000126", **PERSON},
         "referring_provider": {"npi": "1457384521", **PERSON}, "prior_authorization": "AUTH78",
         "service_facility": {"npi": "1003000126", "name": "NORTH PLACE", "state": "NV", "address": {**ADDRESS, "street": "3"}}},
        {"number": 2, "procedure": "J3301", "units": "4.5", "unit_basis": "UN", "charge": "50.25",
         "service_date": "2026-10-01", "service_date_end": "2026-10-02", "diagnosis_pointers": [2],
         "drug": {"ndc": "00003029305", "quantity": "1.5", "unit": "ML"},
         "has_description": True, "has_long_note": True},
    ],
    "not_read": ["2300 PWK"],
}  # fmt: skip
INSTITUTIONAL: dict[str, Any] = {
    "source_format": "x12",
    "claim_id": "HOSP-1", "form": "institutional", "frequency_code": "1", "type_of_bill": "0131",
    "statement_from_date": "2026-10-01", "statement_through_date": "2026-10-02",
    "payer": {"id": "00435", "name": "MEDICARE A", "filing_indicator": "MA", "responsibility": "P"},
    "subscriber": {"member_id": "1EG4TE5MK73", **PERSON},
    "patient": {"birth_date": "1940-03-02", "sex": "M", "first_name": "CANARY", "has_last_name": True},
    "billing_provider": {"npi": "1234567893", "taxonomy": "282N00000X", "entity": "organization", "state": "PA",
                         "has_last_name": True, "tax_id": "123456789"},
    "attending_provider": {"npi": "1982345677", "taxonomy": "207L00000X", **PERSON},
    "operating_provider": {"npi": "1003000126", **PERSON}, "rendering_provider": {"npi": "1750384806", **PERSON},
    "referring_provider": {"npi": "1457384521", **PERSON},
    "service_facility": {"npi": "1457384521", "name": "WEST WING", "state": "PA",
                         "address": {"street": "9 HILL ST", "city": "ERIE", "zip": "165010001"}},
    "assignment": "C", "benefits_assigned": "W", "release_of_information": "I",
    "diagnoses": ["M5431", "I10", "E119"], "admitting_diagnosis": "M5431", "reason_diagnoses": ["M5431", "R52"],
    "total_charge": "1280.00",
    "lines": [
        {"number": 1, "procedure": "64445", "modifiers": ["LT"], "units": "1", "unit_basis": "UN",
         "charge": "1200.00", "service_date": "2026-10-01", "revenue_code": "0361", "has_description": True,
         "prior_authorization": "AUTH79"},
        {"number": 2, "units": "3", "unit_basis": "UN", "charge": "80.00", "revenue_code": "0250"},
    ],
    "not_read": ["2300 PWK"],
}  # fmt: skip
