"""FHIR claims as those who send bills write them: each way of saying a thing is read as what it says.

The inputs are written here; the threads and pages that they follow are named beside each.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.engine.check import check
from tests.book import BOOK
from tests.worker.fhirbundle import CPT, HCPCS, ICD, NPI, NUCC, bundle, concept, contained
from tests.worker.fhirclaims import INSTITUTIONAL, PROFESSIONAL, changed, claim_in, claims, one, read, refused
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "reading"
RELATED = "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship"
CARIN = "http://hl7.org/fhir/us/carin-bb/CodeSystem"
SNOMED = "http://snomed.info/sct"
RECEIVED = date(2026, 10, 20)

EXPECTED = {
    # disposition, codes that block
    "h_01_pos_medplum.json": ("billing", set()),
    "h_02b_pos_nosystem.json": ("billing", set()),
    "h_03_team_primary.json": ("billing", set()),
    "h_04b_jcode.json": ("rework", {"CLM001"}),  # its total leaves out the drug
    "h_05e_one_concept.json": ("rework", {"MOD002"}),
    "h_06_npi_v2_0203.json": ("billing", set()),
    "h_07_period_start_only.json": ("billing", set()),
    "h_08_two_payer_ids.json": ("billing", set()),
    "h_18b.json": ("billing", set()),
    "h_18e.json": ("rework", {"CLM008"}),  # a replacement whose original's number is not at hand
    "n_08_npi_int.ndjson": ("billing", set()),
    "n_10_null_mods.ndjson": ("billing", set()),
    "n_11_empty_mods.ndjson": ("billing", set()),
}


@pytest.mark.skipif(not CASES.exists(), reason="the handed inputs are beside the project, and not here")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_handed_input_comes_out_as_it_must(name: str) -> None:
    (found,) = [one for one in _file(CASES / name) if isinstance(one, Document | Refusal)]
    assert isinstance(found, Document), found
    report = check(found.claim, BOOK, received=RECEIVED)
    assert (report.disposition, set(report.codes("block"))) == EXPECTED[name]


def _file(path: Path) -> list[Any]:
    return list(read_documents(path.name, io.BytesIO(path.read_bytes())))


@pytest.mark.skipif(not CASES.exists(), reason="the handed inputs are beside the project, and not here")
def test_every_handed_input_in_fhir_and_ndjson_is_expected() -> None:
    assert {path.name for path in CASES.iterdir() if path.name[:2] in ("h_", "n_")} == EXPECTED.keys()


def organization(value: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in value["contained"] if one["id"] == name)


# all codes of a concept, or a refusal

SEVERAL = {
    "two codings": ([{"coding": [{"system": CPT, "code": "50"}, {"system": CPT, "code": "RT"}]}], ("50", "RT")),
    "CPT beside HCPCS": ([{"coding": [{"system": CPT, "code": "RT"}, {"system": HCPCS, "code": "RT"}]}], ("RT",)),
    "SNOMED CT beside it": (
        [{"coding": [{"system": SNOMED, "code": "24028007"}, {"system": CPT, "code": "RT"}]}],
        ("RT",),
    ),
    "no system": ([concept("RT"), concept("59")], ("RT", "59")),
    "Blue Button's system": ([concept("RT", "https://bluebutton.cms.gov/resources/codesystem/hcpcs")], ("RT",)),
    "a code that is none": ([concept("RIGHT", "http://ehr.test/mod")], ("RIGHT",)),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_all_modifiers_of_a_concept_are_read(name: str) -> None:
    """CMSgov/bluebutton-data-server#79 and CMSgov/beneficiary-fhir-data#2446: modifiers by system, by index, of a
    system of their own."""
    value, expected = SEVERAL[name]
    assert one(changed(lambda claim: claim["item"][0].update(modifier=value))).lines[0].modifiers == expected


AMBIGUOUS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "two places of service": (
        lambda claim: claim["item"][0]["locationCodeableConcept"]["coding"].append({"code": "22", "system": "x/pos"}),
        "Claim.item[0].locationCodeableConcept",
    ),
    "two diagnoses in one": (
        lambda claim: claim["diagnosis"][0]["diagnosisCodeableConcept"]["coding"].append({"system": ICD, "code": "G57.01"}),
        "Claim.diagnosis[0].diagnosisCodeableConcept",
    ),
    "two revenue codes": (
        lambda claim: claim["item"][0].update(revenue={"coding": [{"code": "0361"}, {"code": "0450"}]}),
        "Claim.item[0].revenue",
    ),
    "two kinds of cover": (
        lambda claim: organization(claim, "focal")["type"]["coding"].append(
            {"system": "https://codesystem.x12.org/005010/1032", "code": "MB"}
        ),
        "Coverage.type",
    ),
    "two taxonomies of a member": (
        lambda claim: claim["careTeam"][0]["qualification"]["coding"].append({"system": NUCC, "code": "207L00000X"}),
        "Claim.careTeam[0].qualification",
    ),
    "two rendering providers": (
        lambda claim: claim["careTeam"].append(
            {"sequence": 9, "role": concept("rendering"), "provider": {"identifier": {"system": NPI, "value": "1679576722"}}}
        ),
        "Claim.careTeam",
    ),
    "two NPIs of one": (
        lambda claim: organization(claim, "billing")["identifier"].append({"system": NPI, "value": "1679576722"}),
        "Claim.provider",
    ),
    "two principal diagnoses": (
        lambda claim: claim["diagnosis"][1].update(type=[concept("principal")]), "Claim.diagnosis",
    ),
    "addresses in two states": (
        lambda claim: organization(claim, "billing")["address"].append({"state": "NY"}), "Claim.provider",
    ),
    "two drugs": (
        lambda claim: claim["item"][1]["detail"].append(
            {"sequence": 2, "productOrService": concept("00003029320", "http://hl7.org/fhir/sid/ndc")}
        ),
        "Claim.item.detail",
    ),
    "two group numbers": (
        lambda claim: organization(claim, "focal")["class"].append({"type": concept("group"), "value": "G8"}),
        "Coverage.class",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_two_codes_where_the_claim_has_place_for_one_refuse_it_by_the_element(name: str) -> None:
    change, path = AMBIGUOUS[name]
    assert path in refused(changed(change)), refused(changed(change))


def test_where_nothing_is_judged_nothing_is_in_doubt() -> None:
    value = changed(AMBIGUOUS["two places of service"][0])
    for item in value["item"]:
        item["productOrService"] = concept("185349003", SNOMED)
    assert one(value).lines[0].procedure is None


def test_one_meaning_in_several_systems_is_that_of_the_right_one() -> None:
    def change(claim: dict[str, Any]) -> None:
        item, diagnosis = claim["item"][0], claim["diagnosis"][0]["diagnosisCodeableConcept"]
        item["productOrService"]["coding"].insert(0, {"system": SNOMED, "code": "7246002"})
        item["locationCodeableConcept"]["coding"].insert(0, {"system": SNOMED, "code": "11"})
        item["locationCodeableConcept"]["coding"].append({"system": "http://ehr.test/rooms", "code": "07"})
        diagnosis["coding"].insert(0, {"system": SNOMED, "code": "23056005"})
        diagnosis["coding"].append({"system": ICD, "code": "M5431"})
        diagnosis["coding"].append({"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "724.3"})

    claim = one(changed(change))
    assert (claim.lines[0].procedure, claim.place_of_service, claim.diagnoses[0]) == ("64445", "11", "M54.31")


# what the claim before this one is

FOLLOWS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "HL7's prior, by the claim's number": (
        {"relationship": concept("prior", RELATED), "claim": {"identifier": {"value": "ICN99"}}}, "7", "ICN99"),
    "Da Vinci PAS": ({"relationship": concept("replaces", RELATED), "reference": {"value": "ICN99"}}, "7", "ICN99"),
    "CARIN's first draft": (
        {"relationship": concept("replaced", f"{CARIN}/x"), "reference": {"value": "ICN99"}}, "7", "ICN99"),
    "the form's own digit": ({"relationship": concept("8"), "reference": {"value": "ICN99"}}, "8", "ICN99"),
    "the form's own words": (
        {"relationship": {"text": "Void/Cancel of Prior Claim"}, "claim": {"identifier": {"value": "ICN99"}}}, "8", "ICN99"),
    "a void beside HL7's prior": (
        {"relationship": {"coding": [{"system": RELATED, "code": "prior"}, {"code": "void"}]},
         "reference": {"value": "ICN99"}}, "8", "ICN99"),
    "HL7's kinds of relation": (
        {"relationship": concept("RPLC", "http://terminology.hl7.org/CodeSystem/v3-ActRelationshipType"),
         "claim": {"identifier": {"value": "ICN99"}}}, "7", "ICN99"),
    "a claim elsewhere": ({"relationship": concept("prior", RELATED), "claim": {"reference": "Claim/old"}}, "7", None),
    "a claim of another suite": (
        {"relationship": concept("associated", RELATED), "claim": {"identifier": {"value": "ICN99"}}}, "1", None),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWS)
def test_a_claim_that_follows_another_says_so_in_the_forms_terms(name: str) -> None:
    """https://hl7.org/fhir/us/davinci-pas/StructureDefinition-profile-claim-update.html (replaces),
    https://hl7.org/fhir/us/carin-bb/2020Feb/CodeSystem-CARIN-BB-Related-Claim-Relationship.html (replaced), and the
    frequency codes of https://www.stedi.com/changelog/claim-edit-invalid-claim-frequency-code."""
    related, frequency, original = FOLLOWS[name]
    claim = one(changed(lambda value: value.update(related=[related])))
    assert (claim.frequency_code, claim.original_reference_number) == (frequency, original)


def test_the_payers_answer_gives_the_number_of_the_claim_that_is_replaced() -> None:
    value = bundle(PROFESSIONAL)
    claim_in(value)["related"] = [{"relationship": concept("prior"), "claim": {"reference": "Claim/old"}}]
    answer: dict[str, Any] = {
        "resourceType": "ClaimResponse", "id": "a", "request": {"reference": "http://ehr.test/fhir/Claim/old/_history/2"},
        "identifier": [{"value": "ICN99"}],
    }  # fmt: skip
    value["entry"].append({"resource": answer})
    assert one(value).original_reference_number == "ICN99"
    answer["identifier"].append({"type": concept("uc", f"{CARIN}/C4BBIdentifierType"), "value": "ICN7"})
    assert one(value).original_reference_number == "ICN7"
    answer["identifier"].append({"type": concept("uc"), "value": "ICN8"})
    assert "several numbers" in refused(value)["Claim.related[0].claim"]


def test_a_cancelled_claim_that_names_the_one_before_it_voids_that() -> None:
    """Claim.status `cancelled` is how FHIR withdraws a claim: https://hl7.org/fhir/R4/claim.html."""
    prior = {"relationship": concept("prior", RELATED), "reference": {"value": "ICN99"}}
    claim = one(changed(lambda value: value.update(status="cancelled", related=[prior])))
    assert (claim.form, claim.frequency_code, claim.original_reference_number) == ("professional", "8", "ICN99")
    assert "takes back" in refused(changed(lambda value: value.update(status="cancelled")))["Claim.status"]


NOT_UNDERSTOOD: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a code of the sender's own": ([{"relationship": concept("adj"), "claim": {"reference": "Claim/1"}}],
                                   "Claim.related[0].relationship"),
    "no relationship": ([{"claim": {"identifier": {"value": "ICN99"}}}], "Claim.related[0].relationship"),
    "replaced itself": ([{"relationship": concept("replacedby", f"{CARIN}/C4BBRelatedClaimRelationshipCodes"),
                          "reference": {"value": "9"}}], "Claim.related[0].relationship"),
    "a replacement and a void": ([{"relationship": concept("replaces"), "reference": {"value": "1"}},
                                  {"relationship": concept("void"), "reference": {"value": "1"}}], "Claim.related"),
    "two originals": ([{"relationship": concept("prior"), "reference": {"value": "1"}},
                       {"relationship": concept("prior"), "reference": {"value": "2"}}], "Claim.related"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_a_relation_that_is_not_understood_refuses_the_claim(name: str) -> None:
    """https://hl7.org/fhir/us/carin-bb/CodeSystem-C4BBRelatedClaimRelationshipCodes.html has `replacedby`."""
    related, path = NOT_UNDERSTOOD[name]
    assert path in refused(changed(lambda value: value.update(related=related)))


def test_a_type_of_bill_that_says_otherwise_is_no_original_in_silence() -> None:
    value = contained(INSTITUTIONAL)
    value["supportingInfo"][0]["code"] = concept("0131", "https://www.nubc.org/CodeSystem/TypeOfBill")
    assert "last digit" in refused(value)["Claim.related"]
    value["supportingInfo"][0]["code"] = concept("0138", "https://www.nubc.org/CodeSystem/TypeOfBill")
    assert one(value).frequency_code == "8"
    value["related"][0]["relationship"] = concept("replaces")
    assert "last digit" in refused(value)["Claim.related"]
    value["supportingInfo"][0]["code"] = concept("0133", "https://www.nubc.org/CodeSystem/TypeOfBill")
    value["related"][0]["relationship"] = concept("prior")
    assert one(value).frequency_code == "3"  # an interim bill has one before it


# systems in use

PLACES = [
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes",
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set",
    "http://www.cms.gov/medicare/coding/place-of-service-codes/",
    "http://terminology.hl7.org/CodeSystem/ex-serviceplace", "https://bluebutton.cms.gov/resources/variables/line_place_of_srvc_cd",
    "http://hl7.org/fhir/us/carin-bb/ValueSet/CMSPlaceofServiceCodes", "http://ehr.test/pos", "http://ehr.test/rooms", "",
]  # fmt: skip


@pytest.mark.parametrize("system", PLACES)
def test_a_place_of_service_is_read_under_each_of_its_systems_and_none(system: str) -> None:
    """medplum/medplum#9820: CMS's page as the system first, then any coding; the state of an address before that."""
    claim = one(changed(lambda value: value["item"][0].update(locationCodeableConcept=concept("22", system))))
    assert (claim.place_of_service, claim.lines[0].place_of_service) == ("22", "22")


PROCEDURE_SYSTEMS = [
    "http://terminology.hl7.org/CodeSystem/HCPCS", "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "https://bluebutton.cms.gov/resources/codesystem/hcpcs", "https://bluebutton.cms.gov/resources/variables/hcpcs_cd",
    "urn:oid:2.16.840.1.113883.6.285", "HTTPS://WWW.CMS.GOV/Medicare/Coding/HCPCSReleaseCodeSets/",
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets|2026",
]  # fmt: skip


@pytest.mark.parametrize("system", PROCEDURE_SYSTEMS)
def test_a_hcpcs_code_is_read_under_each_of_its_systems(system: str) -> None:
    """CMSgov/beneficiary-fhir-data#2446 has two of them, HL7 Terminology one."""
    claim = one(changed(lambda value: value["item"][1].update(productOrService=concept("J3301", system))))
    assert claim.lines[1].procedure == "J3301"


IDENTIFIERS: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "by type alone": ([{"type": concept("NPI", "http://terminology.hl7.org/CodeSystem/v2-0203"), "value": "1679576722"}],
                      "1679576722"),
    "CARIN's type": ([{"type": concept("npi", f"{CARIN}/C4BBIdentifierType"), "value": "1679576722"}], "1679576722"),
    "the system as the type's": ([{"type": concept("x", NPI), "value": "1679576722"}], "1679576722"),
    "a variable's name": ([{"system": "https://bluebutton.cms.gov/resources/variables/carr_clm_blg_npi_num",
                            "value": "1679576722"}], "1679576722"),
    "the table of types as the system": ([{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "value": "204299999"},
                                          {"system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                                           "value": "1679576722"}], "1679576722"),
    "an OID": ([{"system": "urn:oid:2.16.840.1.113883.4.6", "value": "1679576722"}], "1679576722"),
    "nothing but the number": ([{"value": "1679576722"}], "1679576722"),
    "a number of another kind": ([{"value": "1679576723"}, {"type": concept("TAX"), "value": "1679576722"}], None),
    "one of before": ([{"use": "old", "system": NPI, "value": "1245319599"}, {"system": NPI, "value": "1679576722"}],
                      "1679576722"),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_an_npi_is_known_by_its_type_its_system_or_its_check_digit(name: str) -> None:
    """CMSgov/beneficiary-fhir-data#648 (the NPI's system in the type, the table of types as a system of tax numbers) and
    fastenhealth/fasten-sources#12 (a type without a system, a variable as a system)."""
    identifiers, npi = IDENTIFIERS[name]
    claim = one(changed(lambda value: organization(value, "billing").update(identifier=identifiers)))
    assert claim.billing_provider
    assert claim.billing_provider.npi == npi


PAYER_IDS: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "CMS's system beside a clearinghouse's": (
        [{"system": "https://www.joincandidhealth.com/chc-payerid", "value": "SMTX0"},
         {"system": "https://www.cms.gov/payer-id", "value": "04412"}], "04412"),
    "a clearinghouse's beside numbers of its own": (
        [{"system": "http://ehr.test/orgs", "value": "771"}, {"system": "https://www.stedi.com/payer-id", "value": "60054"}],
        "60054"),
    "the type decides": (
        [{"system": "https://www.cms.gov/payer-id", "value": "04412"},
         {"type": concept("payerid", f"{CARIN}/C4BBIdentifierType"), "value": "60054"}], "60054"),
    "a tax number, an NPI and NAIC's code": (
        [{"type": concept("TAX"), "value": "1"}, {"system": NPI, "value": "2"},
         {"system": "urn:oid:2.16.840.1.113883.6.300", "value": "95109"}, {"value": "60054"}], "60054"),
    "two of one kind": (
        [{"system": "http://a.test/payer-id", "value": "1"}, {"system": "http://b.test/payer-id", "value": "2"}], None),
}  # fmt: skip


@pytest.mark.parametrize("name", PAYER_IDS)
def test_of_several_payer_ids_the_marked_one_is_read_and_none_is_guessed(name: str) -> None:
    """medplum/medplum#8428 and #9312: one Organization has the ids of each clearinghouse that its claims go through."""
    identifiers, payer = PAYER_IDS[name]
    value = changed(lambda claim: organization(claim, "payer").update(identifier=identifiers))
    if payer:
        assert one(value).payer.id == payer
    else:
        assert any("several payer ids" in sentence for sentence in refused(value).values())


def test_a_payer_by_an_absolute_url_is_an_organization_whether_it_came_along_or_not() -> None:
    value = bundle(PROFESSIONAL)
    coverage = next(e["resource"] for e in value["entry"] if e["resource"]["id"].endswith("-focal"))
    coverage["payor"] = [{"reference": "https://payers.test/r4/Organization/1-payer/_history/4"}]
    assert one(value).payer.id == "60054"
    coverage["payor"] = [{"reference": "https://payers.test/r4/Organization/77", "identifier": {"value": "60054"}}]
    assert one(value).payer.id == "60054"
    coverage["payor"] = [{"reference": "https://payers.test/r4/Patient/77", "identifier": {"value": "60054"}}]
    assert "no payer id" in refused(value)["Claim.insurer"]
    coverage["payor"] = [{"identifier": {"system": "https://www.cms.gov/payer-id", "value": "60054"}}]
    assert one(value).payer.id == "60054"


def test_an_entry_whose_resource_has_no_id_is_known_by_its_full_url() -> None:
    value = bundle(PROFESSIONAL)
    for entry in value["entry"]:
        if entry["resource"]["resourceType"] == "Organization":
            del entry["resource"]["id"]
    assert one(value).payer.id == "60054"


@pytest.mark.parametrize(
    ("quantity", "basis"),
    [({}, "UN"), ({"unit": "Units"}, "UN"), ({"unit": "each", "code": "{each}"}, "UN"), ({"code": "min"}, "MJ"),
     ({"unit": "minutes"}, "MJ"), ({"code": "d"}, "DA"), ({"code": "mL"}, "ML"), ({"unit": "h"}, "h")],
)  # fmt: skip
def test_units_are_those_of_the_form_where_it_has_them_and_stand_as_they_are_where_not(
    quantity: dict[str, str], basis: str
) -> None:
    claim = one(changed(lambda value: value["item"][0].update(quantity={"value": 1, **quantity})))
    assert claim.lines[0].unit_basis == basis


# who does what

TEAMS: dict[str, tuple[list[Any], dict[str, str | None]]] = {
    "HL7's primary": ([("primary", "1679576722")], {"rendering": "1679576722"}),
    "Medplum's performing": ([("performing", "1679576722"), ("primary", "1245319599")], {"rendering": "1679576722"}),
    "no role, one member": ([(None, "1679576722")], {"rendering": "1679576722"}),
    "referral": ([("rendering", "1679576722"), ("referral", "1245319599")],
                 {"rendering": "1679576722", "referring": "1245319599"}),
    "qualifiers of the 837": ([("82", "1679576722"), ("DN", "1245319599")],
                              {"rendering": "1679576722", "referring": "1245319599"}),
    "kinds of participation": ([("PPRF", "1679576722"), ("REF", "1245319599")],
                               {"rendering": "1679576722", "referring": "1245319599"}),
    "a text alone": ([({"text": "Rendering provider"}, "1679576722"), ({"text": "Primary care"}, "1245319599")],
                     {"rendering": "1679576722", "referring": None}),
    "two roles in one concept": (
        [({"coding": [{"code": "rendering"}, {"code": "referring"}]}, "1679576722")],
        {"rendering": "1679576722", "referring": "1679576722"}),
}  # fmt: skip


@pytest.mark.parametrize("name", TEAMS)
def test_roles_of_the_care_team_are_those_that_senders_write(name: str) -> None:
    """medplum/medplum#9451 (performing), HL7/UTG#26 (the code system of roles), CMSgov/beneficiary-fhir-data#648."""
    members, expected = TEAMS[name]
    team = [
        {"sequence": place, "provider": {"identifier": {"system": NPI, "value": npi}},
         **({"role": role if isinstance(role, dict) else concept(role)} if role else {})}
        for place, (role, npi) in enumerate(members, 1)
    ]  # fmt: skip
    value = changed(lambda claim: claim.update(careTeam=team))
    for item in value["item"]:
        item.pop("careTeamSequence", None)
    claim = one(value)
    for role, npi in expected.items():
        provider = getattr(claim, f"{role}_provider")
        assert (provider and provider.npi) == npi


def test_of_a_hospitals_claim_the_primary_provider_is_the_attending_one() -> None:
    value = contained(INSTITUTIONAL)
    value["careTeam"] = [{"sequence": 1, "role": concept("primary"),
                          "provider": {"identifier": {"system": NPI, "value": "1679576722"}}}]  # fmt: skip
    claim = one(value)
    assert claim.attending_provider
    assert claim.attending_provider.npi == "1679576722"
    assert claim.rendering_provider is None


def test_each_item_may_have_a_provider_of_its_own() -> None:
    def change(claim: dict[str, Any]) -> None:
        claim["careTeam"] = [
            {"sequence": place, "role": concept("rendering"), "provider": {"identifier": {"system": NPI, "value": npi}}}
            for place, npi in enumerate(("1679576722", "1245319599"), 1)
        ]
        for place, item in enumerate(claim["item"], 1):
            item["careTeamSequence"] = [place]

    claim = one(changed(change))
    assert [line.rendering_provider and line.rendering_provider.npi for line in claim.lines] == [
        "1679576722",
        "1245319599",
    ]


# days


@pytest.mark.parametrize(
    ("period", "day"),
    [({"start": "2026-10-01"}, "2026-10-01"), ({"start": "2026-10-01T08:00:00-05:00"}, "2026-10-01"),
     ({"start": "2026-10-01", "end": "2026-10-01"}, "2026-10-01"), ({"start": "2026-10-01", "end": "2026-10-02"}, None),
     ({"end": "2026-10-01"}, None)],
)  # fmt: skip
def test_a_billable_period_of_one_day_or_with_a_start_alone_dates_the_items(
    period: dict[str, str], day: str | None
) -> None:
    def change(claim: dict[str, Any]) -> None:
        claim["billablePeriod"] = period
        for item in claim["item"]:
            item.pop("servicedDate", None)

    assert [line.service_date and str(line.service_date) for line in one(changed(change)).lines] == [day, day]


def test_the_example_of_a_paper_form_in_the_standard_says_its_type_of_bill_in_the_subtype() -> None:
    """medplum/medplum#6086 prints https://hl7.org/fhir/R4/claim-example-cms1500-medical.json.html: subType with the
    system https://www.cms.gov/codes/billtype and three digits, an insurer by an identifier and a name."""

    def change(claim: dict[str, Any]) -> None:
        del claim["supportingInfo"], claim["related"]
        claim["subType"] = concept("831", "https://www.cms.gov/codes/billtype")
        claim["insurer"] = {
            "identifier": {"system": "http://www.bindb.com/bin", "value": "123456"},
            "display": "Humana Inc.",
        }
        claim["created"] = "2015-10-16T00:00:00-07:00"

    claim = one(changed(change, INSTITUTIONAL))
    assert (claim.type_of_bill, claim.frequency_code) == ("0831", "1")
    assert (claim.payer.id, claim.payer.name) == ("123456", "Humana Inc.")


def test_fhir_as_a_whole_file_of_a_database_is_read_line_by_line() -> None:
    rows = [json.dumps(contained({**PROFESSIONAL, "claim_id": f"PCN-{number}"})) for number in range(3)]
    assert [claim.claim_id for claim in claims(read("\n".join(rows).encode()))] == ["PCN-0", "PCN-1", "PCN-2"]
