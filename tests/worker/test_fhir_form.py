"""What of a FHIR claim the rules of the form ask: accidents, names, addresses, numbers, order of payers, stay.

The inputs are written here; the threads and pages that they follow are named beside each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from ops.notread import page
from rules.claim import read_claim
from rules.engine.check import check
from rules.report import Report
from tests.book import BOOK
from tests.worker.fhirbundle import ICD, NPI, POS, bundle, concept, contained
from tests.worker.fhirclaims import INSTITUTIONAL, PROFESSIONAL, changed, claims, one, read, refused
from worker.intake.document import Passed

RECEIVED = date(2026, 10, 20)
KIN = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"


def named(value: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in value["contained"] if one["id"] == name)


def report(value: dict[str, Any]) -> Report:
    return check(one(value), BOOK, received=RECEIVED)


def codes(value: dict[str, Any]) -> set[str]:
    return {found.code for found in report(value).findings}


FOUND: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an accident after the service": (lambda claim: claim["accident"].update(date="2026-10-09"), "CLM017"),
    "an accident without a day": (lambda claim: claim["accident"].pop("date"), "CLM015"),
    "an auto accident without a state": (lambda claim: claim["accident"].pop("locationAddress"), "CLM016"),
    "an accident of no kind": (lambda claim: claim["accident"].pop("type"), "CLM018"),
    "an onset after the service": (
        lambda claim: next(
            one for one in claim["supportingInfo"] if one["category"]["coding"][0]["code"] == "onset"
        ).update(timingDate="2026-10-09"),
        "CLM019",
    ),
    "a post office box": (lambda claim: named(claim, "billing")["address"][0].update(line=["PO BOX 7"]), "ADR004"),
    "no street": (lambda claim: named(claim, "billing")["address"][0].pop("line"), "ADR002"),
    "a ZIP code of one digit": (lambda claim: named(claim, "p")["address"][0].update(postalCode="7"), "ADR006"),
    "a tax id of two digits": (
        lambda claim: named(claim, "billing")["identifier"][1].update(value="12"), "ADR012",
    ),
    "no first name": (
        lambda claim: [one.update(name=[{"family": "Lee"}]) for one in claim["contained"]
                       if one["resourceType"] == "Practitioner"], "ADR010",
    ),
    "a supervisor who renders": (
        lambda claim: claim.update(careTeam=[
            one if one["role"]["coding"][0]["code"] != "supervisor"
            else {**one, "provider": claim["careTeam"][0]["provider"]} for one in claim["careTeam"]
        ]), "ADR014",
    ),
    "Medicare after another without a reason": (
        lambda claim: named(claim, "focal").update(type=concept("MB", "https://codesystem.x12.org/005010/1032")),
        "COB019",
    ),
    "two payers in one place": (lambda claim: claim["insurance"][0].update(sequence=1), "COB002"),
    "a payer before this one without an answer": (lambda claim: claim["insurance"][1].pop("claimResponse"), "COB011"),
    "self, and another person": (
        lambda claim: named(claim, "focal").update(relationship=concept("self", KIN)), "COB014",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_the_form_rules_ask_is_read_where_fhir_has_it(name: str) -> None:
    """masslight/ottehr#8354 and #9708 (accident, its date and state, from a FHIR claim to CLM11 and DTP*439), #9184
    (a second insurance of the claim); openemr/openemr#9265 (relationship and order of covers)."""
    change, code = FOUND[name]
    assert code not in codes(contained(PROFESSIONAL)), code
    assert code in codes(changed(change))


def test_a_hospitals_stay_is_read_from_the_categories_of_the_public_profiles() -> None:
    """https://hl7.org/fhir/us/carin-bb/ValueSet-C4BBSupportingInfoType.html; HL7/davinci-pas, PASSupportingInfoType."""
    claim = one(contained(INSTITUTIONAL))
    stay = (claim.admission_type, claim.point_of_origin, claim.patient_status, claim.admission_hour)
    assert stay == ("3", "1", "01", "0815")
    for_still = changed(lambda claim: claim["supportingInfo"][-1].update(code=concept("30")), INSTITUTIONAL)
    assert one(for_still).patient_status == "30"
    assert "UBF027" in codes(contained(INSTITUTIONAL))  # present on admission, on an outpatient claim


@pytest.mark.parametrize(
    ("moment", "hour"),
    [("2026-09-30T08:15:00-05:00", "0815"), ("2026-09-30T00:00:00Z", None), ("2026-09-30", None),
     ("2026-09-30T00:05:00Z", "0005")],
)  # fmt: skip
def test_an_hour_is_what_the_senders_clock_had_and_midnight_to_the_second_is_none(
    moment: str, hour: str | None
) -> None:
    value = changed(
        lambda claim: next(one for one in claim["supportingInfo"] if "timingPeriod" in one).update(
            timingPeriod={"start": moment}
        ),
        INSTITUTIONAL,
    )
    assert one(value).admission_hour == hour


# other payers


def test_a_cover_that_did_not_come_along_is_named_and_its_place_is_kept() -> None:
    """An EHR sends the claim alone, and the cover by a reference: masslight/ottehr#9184."""
    value = changed(lambda claim: claim["insurance"][1].update(coverage={"reference": "Coverage/elsewhere"}))
    claim = one(value)
    assert claim.not_read == ("Claim.insurance.coverage",)
    assert claim.other_payers[0].responsibility == "P"
    assert any("Claim.insurance.coverage" in gap.sentence for gap in report(value).gaps)


@pytest.mark.parametrize(
    "payor", [{"reference": "Organization/elsewhere"}, {"identifier": {"value": "62308"}}, {"display": "Aetna"}]
)
def test_another_payer_without_an_id_is_named(payor: dict[str, Any]) -> None:
    value = changed(lambda claim: named(claim, "c1").update(payor=[payor]))
    assert one(value).not_read == ("Coverage.payor",)


def test_an_order_of_the_cover_that_the_claim_does_not_say_is_named() -> None:
    """openemr/openemr#9265: `order` 1 is primary, 2 secondary, 3 tertiary, whatever the claim's own list says."""
    value = changed(lambda claim: named(claim, "focal").update(order=1))
    assert one(value).not_read == ("Coverage.order",)
    assert one(changed(lambda claim: named(claim, "focal").update(order=2))).not_read == ()


# what contradicts itself

CONTRADICTING: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "more than one unit": (
        lambda claim: claim["item"][0]["quantity"].update(comparator=">"), "Claim.item[0].quantity.comparator",
    ),
    "less of a drug": (
        lambda claim: claim["item"][1]["detail"][0]["quantity"].update(comparator="<="),
        "Claim.item[1].detail[0].quantity.comparator",
    ),
    "two relationships": (
        lambda claim: named(claim, "focal")["relationship"]["coding"].append({"system": KIN, "code": "self"}),
        "Coverage.relationship",
    ),
    "a child who is the subscriber": (
        lambda claim: named(claim, "focal").update(subscriber={"reference": "#p"}), "Coverage.relationship",
    ),
    "the cover of another patient": (
        lambda claim: (
            claim["contained"].append({"resourceType": "Patient", "id": "other", "birthDate": "1950-01-01"}),
            named(claim, "focal").update(beneficiary={"reference": "#other"}),
        ),
        "Coverage.beneficiary",
    ),
    "two tax ids": (
        lambda claim: named(claim, "billing")["identifier"].append(
            {"system": "http://hl7.org/fhir/sid/us-ein", "value": "98-7654321"}
        ),
        "Claim.provider",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTING)
def test_what_says_two_things_is_refused_by_its_element(name: str) -> None:
    """A SimpleQuantity has no comparator: https://hl7.org/fhir/R4/datatypes.html#SimpleQuantity."""
    change, path = CONTRADICTING[name]
    found = refused(changed(change))
    assert path in found, found


def test_a_second_place_of_service_of_an_unknown_system_is_named() -> None:
    value = changed(
        lambda claim: claim["item"][0].update(
            locationCodeableConcept={
                "coding": [{"system": POS, "code": "11"}, {"system": "http://x.test", "code": "22"}]
            }
        )
    )
    claim = one(value)
    assert claim.lines[0].place_of_service == "11"
    assert claim.not_read == ("Claim.item.locationCodeableConcept",)


def test_icd_10_of_the_who_is_read_as_icd_10_cm_and_said() -> None:
    """LinuxForHealth/hl7v2-fhir-converter#189 and hapifhir/org.hl7.fhir.core#593: senders in the US write it."""
    value = changed(
        lambda claim: claim["diagnosis"][0].update(
            diagnosisCodeableConcept=concept("M54.31", "http://hl7.org/fhir/sid/icd-10")
        )
    )
    assert one(value).oddities == ("Claim.diagnosis.diagnosisCodeableConcept international",)
    (found,) = [found for found in report(value).findings if found.code == "RDR001"]
    assert "ICD-10-CM" in found.message
    assert found.severity == "note"
    both = changed(
        lambda claim: claim["diagnosis"][0]["diagnosisCodeableConcept"]["coding"].append(
            {"system": "http://hl7.org/fhir/sid/icd-10", "code": "M54.3"}
        )
    )
    assert claims(read(both))[0].oddities == ()
    assert ICD in str(both)


@pytest.mark.parametrize(
    ("parts", "odd"),
    [
        ({"unitPrice": {"value": 450.1}}, False),
        ({"unitPrice": {"value": 225.05}, "quantity": {"value": 2}}, False),
        ({"unitPrice": {"value": 450.1}, "quantity": {"value": 2}}, True),
        ({"unitPrice": {"value": 450.1}, "factor": 0.5}, True),
    ],
)
def test_a_charge_that_is_not_price_times_quantity_is_read_and_said(parts: dict[str, Any], odd: bool) -> None:
    value = changed(lambda claim: claim["item"][0].update(parts))
    claim = one(value)
    assert str(claim.lines[0].charge) == "450.10"
    assert claim.oddities == (("Claim.item.net differs",) if odd else ())


def test_a_draft_is_what_is_checked_before_it_is_sent() -> None:
    """Billing systems keep a claim as a draft until it goes out; one that was entered in error never does."""
    assert one(changed(lambda claim: claim.update(status="draft"))) == one(contained(PROFESSIONAL))
    assert "Claim.status" in refused(changed(lambda claim: claim.update(status="entered-in-error")))


# names and addresses


def test_of_several_names_the_official_one_is_read_and_none_that_is_old() -> None:
    value = changed(
        lambda claim: named(claim, "p").update(
            name=[{"use": "old", "family": "Before"}, {"family": "Nick"}, {"use": "official", "family": "Roe"}]
        )
    )
    patient = one(value).patient
    assert patient is not None
    assert (patient.last_name, patient.first_name) == ("Roe", None)


@pytest.mark.parametrize("country", ["US", "USA", "us", "U.S.A.", "United States"])
def test_a_country_of_this_one_is_no_address_abroad(country: str) -> None:
    value = changed(lambda claim: named(claim, "billing")["address"][0].update(country=country, state="Texas"))
    provider = one(value).billing_provider
    assert provider is not None
    assert provider.address is not None
    assert (provider.address.country, provider.state) == ("US", "TX")
    assert not {"ADR007", "ADR008", "ADR009"} & codes(value)


@pytest.mark.parametrize(
    "identifier",
    [
        {"system": "http://hl7.org/fhir/sid/us-ein", "value": "12-3456789"},
        {"system": "urn:oid:2.16.840.1.113883.4.4", "value": "123456789"},
        {"type": concept("TAX", "http://terminology.hl7.org/CodeSystem/v2-0203"), "value": "123456789"},
        {"type": concept("EI"), "system": "http://ehr.test/ein", "value": "123456789"},
    ],
)
def test_a_tax_id_is_known_by_its_system_or_type(identifier: dict[str, Any]) -> None:
    """https://hl7.org/fhir/us/carin-bb/CodeSystem-C4BBIdentifierType.html, HL7 table 0203."""
    value = changed(
        lambda claim: named(claim, "billing").update(identifier=[{"system": NPI, "value": "1234567893"}, identifier])
    )
    provider = one(value).billing_provider
    assert provider is not None
    assert provider.tax_id == "123456789"


def test_no_name_address_or_number_of_a_person_is_in_what_is_said_of_the_claim() -> None:
    for change, _ in FOUND.values():
        said = str([found.message for found in report(changed(change)).findings]).lower()
        assert not [word for word in ("main st", "787010001", "123456789", "roe", "po box 7") if word in said]


# where payments go


def test_where_payments_go_is_read_of_another_party_than_who_bills() -> None:
    """Claim.payee: https://hl7.org/fhir/R4/claim-definitions.html#Claim.payee; 2010AB is sent where it differs alone."""
    claim = one(contained(PROFESSIONAL))
    assert claim.pay_to_address is not None
    assert (claim.pay_to_address.state, claim.pay_to_address.city) == ("NV", "Austin")
    same = changed(lambda claim: claim["payee"].update(party=claim["provider"]))
    assert one(same).pay_to_address is None
    person = changed(lambda claim: claim["payee"].update(party={"reference": "#p"}, type=concept("subscriber")))
    assert one(person).pay_to_address is None
    unknown = changed(lambda claim: claim["payee"].update(party={"display": "Lockbox"}))
    assert one(unknown).pay_to_address is None


def test_a_zip_code_of_one_digit_where_payments_go_is_found() -> None:
    value = changed(lambda claim: named(claim, "paid")["address"][0].update(postalCode="7"))
    assert "ADR006" in codes(value)


# codes of the UB-04


def with_codes(*rows: dict[str, Any], base: dict[str, Any] = INSTITUTIONAL) -> dict[str, Any]:
    """A claim whose supporting information ends with these rows."""
    value = contained({key: value for key, value in base.items() if key not in (
        "condition_codes", "occurrences", "occurrence_spans", "value_codes")})  # fmt: skip
    value["supportingInfo"] += [{"sequence": 80 + number, **row} for number, row in enumerate(rows)]
    return value


NUBC, BLUE, HL7 = (
    "https://www.nubc.org/CodeSystem/", "https://bluebutton.cms.gov/resources/variables/",
    "http://terminology.hl7.org/CodeSystem/",
)  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "occurrence", "span", "amount"),
    [
        (f"{HL7}v2-0043", f"{HL7}v2-0350", f"{HL7}v2-0351", f"{HL7}v2-0153"),
        (f"{NUBC}ConditionCodes", f"{NUBC}OccurrenceCodes", f"{NUBC}OccurrenceSpanCodes", f"{NUBC}ValueCodes"),
        (f"{BLUE}clm_rlt_cond_cd", f"{BLUE}clm_rlt_ocrnc_cd", f"{BLUE}clm_span_cd", f"{BLUE}clm_val_cd"),
        (f"{HL7}v2-0043|2.9", f"{HL7}v2-0350/", f"{HL7}V2-0351", "terminology.hl7.org/v2plusvocab/CodeSystem/nubc-ValueCode-cs"),
    ],
)  # fmt: skip
def test_codes_of_the_ub04_are_known_by_their_system(condition: str, occurrence: str, span: str, amount: str) -> None:
    """HL7's tables 0043, 0153, 0350 and 0351 are the NUBC's lists: https://terminology.hl7.org/CodeSystem-v2-0350.html."""
    info = concept("info")
    found = one(with_codes(
        {"category": info, "code": concept("20", condition)}, {"category": info, "code": concept("D9", condition)},
        {"category": info, "code": concept("11", occurrence), "timingDate": "2026-09-20"},
        {"category": info, "code": concept("11", occurrence), "timingPeriod": {"start": "2026-09-01"}},
        {"category": info, "code": concept("72", span), "timingPeriod": {"start": "2026-10-01", "end": "2026-10-02"}},
        {"category": info, "code": concept("12", amount), "valueQuantity": {"value": 39.15}},
    ))  # fmt: skip
    assert found.condition_codes == ("20", "D9")
    assert [(it.code, str(it.day), it.group) for it in found.occurrences] == [
        ("11", "2026-09-20", 1), ("11", "2026-09-01", 2),
    ]  # fmt: skip
    assert [(it.code, str(it.from_date), str(it.through_date)) for it in found.occurrence_spans] == [
        ("72", "2026-10-01", "2026-10-02")
    ]
    assert [(it.code, str(it.amount)) for it in found.value_codes] == [("12", "39.15")]
    assert found.not_read == ()


def test_codes_of_the_ub04_are_known_by_their_category_where_they_have_no_system() -> None:
    found = one(with_codes(
        {"category": concept("condition-code"), "code": concept("20")},
        {"category": concept("ValueCode"), "code": concept("12"), "valueQuantity": {"value": 7}},
    ))  # fmt: skip
    assert (found.condition_codes, [it.code for it in found.value_codes]) == (("20",), ["12"])


def test_two_codes_of_the_ub04_in_one_concept_refuse_the_claim() -> None:
    both = {"coding": [{"system": f"{HL7}v2-0043", "code": code} for code in ("20", "21")]}
    problems = refused(with_codes({"category": concept("info"), "code": both}))
    assert any("carries 2 condition codes; expected one" in sentence for sentence in problems.values())


OTHER = ("Claim.supportingInfo.other",)


@pytest.mark.parametrize(
    ("row", "base"),
    [
        ({"category": concept("info"), "code": concept("12", f"{HL7}v2-0153"), "valueString": "39.15"}, INSTITUTIONAL),
        ({"category": concept("info"), "code": concept("20", f"{HL7}v2-0043"), "valueBoolean": False}, INSTITUTIONAL),
        ({"category": concept("info"), "code": concept("11", f"{HL7}v2-0350"), "timingDate": "2026-09-20"}, PROFESSIONAL),
        ({"category": concept("attestation"), "valueBoolean": True}, PROFESSIONAL),
        ({"category": concept("signature"), "timingDate": "2026-09-20"}, PROFESSIONAL),
    ],
)  # fmt: skip
def test_what_supporting_information_says_and_no_row_reads_is_named(row: dict[str, Any], base: dict[str, Any]) -> None:
    """An amount as a text, a condition that does not hold, a code of the other form, and an attestation."""
    found = one(with_codes(row, base=base))
    assert found.not_read == OTHER
    assert found.condition_codes == found.occurrences == ()


def test_a_condition_of_a_professional_claim_is_read() -> None:
    """HI*BG is in the guides of both forms."""
    row = {"category": concept("info"), "code": concept("AA", f"{HL7}v2-0043")}
    assert one(with_codes(row, base=PROFESSIONAL)).condition_codes == ("AA",)


def test_a_condition_code_that_stands_twice_is_found_as_in_an_837() -> None:
    row = {"category": concept("info"), "code": concept("20", f"{HL7}v2-0043")}
    assert "UBF021" in codes(with_codes(row, row))


def test_an_attestation_is_named_with_the_rule_on_signatures() -> None:
    value = with_codes({"category": concept("attestation"), "valueBoolean": True}, base=PROFESSIONAL)
    gaps = [gap.sentence for gap in report(value).gaps if "Claim.supportingInfo.other" in gap.sentence]
    assert gaps
    assert "CLM012" in "".join(gaps)


def test_who_signed_the_resource_is_no_part_of_the_claim() -> None:
    """A Provenance points to the Claim, and no Claim to it: https://hl7.org/fhir/R4/provenance.html."""
    value = bundle(PROFESSIONAL)
    signed = {"resourceType": "Provenance", "id": "w", "target": [{"reference": "Claim/1-c"}], "recorded": "2026-10-02",
              "agent": [{"who": {"reference": "Practitioner/1-pr1"}}], "signature": [{"when": "2026-10-02"}]}  # fmt: skip
    value["entry"].append({"fullUrl": "http://ehr.test/fhir/Provenance/w", "resource": signed})
    found = read(value)
    assert claims(found) == [read_claim(PROFESSIONAL)]
    assert any(isinstance(one, Passed) and one.kind == "Provenance" for one in found)
    assert "`Provenance.signature`" in page()


@pytest.mark.parametrize("element", ["item", "adjudication", "total"])
def test_what_another_payer_adjusted_is_named_and_what_it_paid_is_read(element: str) -> None:
    """R4 has no group of an adjustment (CO, PR): https://hl7.org/fhir/R4/claimresponse.html."""
    row = {"category": concept("deductible"), "amount": {"value": 20, "currency": "USD"}, "reason": concept("1")}
    rows = [{"itemSequence": 1, "adjudication": [row]}] if element == "item" else [row]
    found = one(changed(lambda claim: named(claim, "r1").update({element: rows})))
    assert found.not_read == (f"ClaimResponse.{element}",)
    assert str(found.other_payers[0].paid) == "12.30"
