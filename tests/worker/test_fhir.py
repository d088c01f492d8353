"""FHIR R4: claims are read whole or refused with the element; nothing is lost, and 64445 is never overlooked."""

from __future__ import annotations

import copy
import json
import re
import string
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.claim import Claim, Provider, read_claim
from rules.engine.check import check
from rules.problems import schema_of
from rules.unread import mattering
from tests.book import BOOK
from tests.rules.drawn import filled_paths
from tests.worker.fhirbundle import CPT, HCPCS, NDC, NPI, NUCC, POS, bundle, concept, contained
from tests.worker.fhirclaims import INSTITUTIONAL, PROFESSIONAL, claim_in, claims, read
from worker.intake.document import Document, Passed, Refusal
from worker.intake.documents import read_documents
from worker.intake.fhir.fields import FIELDS, NOT_IN_FHIR, NOT_READ_OF_FHIR

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhir.resources.R4B.bundle import Bundle as BundleSchema
    from fhir.resources.R4B.claim import Claim as ClaimSchema

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples" / "fhir"


@pytest.mark.parametrize("claim", [PROFESSIONAL, INSTITUTIONAL])
def test_a_claim_comes_back_as_it_was_written_in_a_bundle_or_with_what_it_contains(claim: dict[str, Any]) -> None:
    assert claims(read(bundle(claim))) == [read_claim(claim)]
    assert claims(read(contained(claim))) == [read_claim(claim)]


DATES = st.dates(date(1901, 1, 1)).map(lambda day: day.isoformat())
CODES = st.text(string.ascii_uppercase + string.digits, min_size=5, max_size=5)
NAMES = st.text(string.ascii_letters + " -", max_size=29).map(lambda name: f"N{name}".strip())
MONEY = st.decimals(0, 99_999, places=2).map(str)
PROVIDERS = st.fixed_dictionaries(
    {"npi": st.from_regex(r"[0-9]{10}", fullmatch=True), "taxonomy": st.none() | CODES, "entity": st.just("person"),
     "last_name": st.none() | NAMES, "first_name": st.none() | NAMES}
)  # fmt: skip
PLACES = st.none() | st.fixed_dictionaries(
    {"street": st.none() | NAMES, "street_more": st.none(), "city": NAMES, "zip": st.none() | CODES,
     "country": st.sampled_from([None, "US", "CA"])}
)  # fmt: skip
BILLING = st.builds(
    lambda provider, entity, state, place, number: {
        **provider, "entity": entity, "state": state, "address": place, "tax_id": number,
        **({} if entity == "person" else {"first_name": None}),
    },
    PROVIDERS, st.sampled_from(["organization", "person"]), st.sampled_from([None, "TX", "NY"]), PLACES,
    st.none() | CODES,
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn, form: str, number: int, rendering: bool) -> dict[str, Any]:
    units = draw(st.none() | st.decimals(0, 999, places=1).map(str))
    start = draw(DATES)
    revenue = draw(st.from_regex(r"0[0-9]{3}", fullmatch=True)) if form == "institutional" else None
    drug = st.fixed_dictionaries(
        {"ndc": st.from_regex(r"[0-9]{11}", fullmatch=True), "quantity": st.sampled_from(["1", "2.5"]),
         "unit": st.sampled_from([None, "ML", "GR", "ME", "F2", "UN"])}
    )  # fmt: skip
    return {
        "number": number,
        "procedure": draw(st.sampled_from(["64445", "20552", "J3301", *([None] if revenue else [])])),
        "modifiers": draw(st.lists(st.sampled_from(["RT", "LT", "59", "XS"]), max_size=4)),
        "units": units,
        "unit_basis": draw(st.sampled_from(["UN", "MJ", "DA"])) if units else None,
        "charge": draw(MONEY),
        "service_date": start,
        "service_date_end": draw(st.none() | DATES.filter(lambda day: day != start)),
        "place_of_service": draw(st.sampled_from([None, "11", "24"])),
        "diagnosis_pointers": draw(st.lists(st.integers(1, 40), max_size=4)),
        "revenue_code": revenue,
        "rendering_provider": draw(st.none() | PROVIDERS) if rendering else None,
        "drug": draw(st.none() | drug),
    }


@st.composite
def model_claims(draw: st.DrawFn) -> dict[str, Any]:
    form = draw(st.sampled_from(["professional", "institutional"]))
    rendering = draw(st.none() | PROVIDERS)
    rows = [draw(lines(form, number, bool(rendering))) for number in range(1, draw(st.integers(1, 4)) + 1)]
    institutional = form == "institutional"
    original = draw(st.none() | NAMES)
    # A type of bill that ends in 1 says that the claim follows no other.
    bills = ["0137", "0138", "0132"] if original else ["0131", "0137", "0851"]
    bill = draw(st.none() | st.sampled_from(bills)) if institutional else None
    frequency = bill[-1] if bill else draw(st.sampled_from("78")) if original else "1"
    period = draw(st.none() | st.tuples(DATES, DATES)) if institutional else None
    codes = draw(st.lists(CODES, min_size=1, max_size=6, unique=True))
    other = st.fixed_dictionaries({"payer_id": CODES, "adjudication_date": DATES, "paid": MONEY})
    return {
        "claim_id": draw(NAMES),
        "form": form,
        "type_of_bill": bill,
        "frequency_code": frequency,
        "original_reference_number": original,
        "place_of_service": None if institutional else rows[0]["place_of_service"],
        "statement_from_date": period[0] if period else None,
        "statement_through_date": period[1] if period else None,
        "payer": {"id": draw(CODES), "name": draw(st.none() | NAMES), "responsibility": draw(st.sampled_from("PST"))}
        | {"filing_indicator": draw(st.sampled_from([None, "CI", "MB"]))},
        "other_payers": draw(st.lists(other, max_size=2)),
        "subscriber": draw(st.none() | st.fixed_dictionaries({"member_id": CODES, "group_number": st.none() | CODES})),
        "patient": draw(
            st.none()
            | st.fixed_dictionaries(
                {"birth_date": DATES, "sex": st.sampled_from("FMU"), "first_name": st.none() | NAMES}
            )
        ),
        "billing_provider": draw(st.none() | BILLING),
        "rendering_provider": rendering,
        "referring_provider": draw(st.none() | PROVIDERS),
        "attending_provider": draw(st.none() | PROVIDERS),
        "operating_provider": draw(st.none() | PROVIDERS),
        "service_facility": draw(
            st.none()
            | st.fixed_dictionaries({"npi": st.none() | CODES, "name": NAMES, "state": st.sampled_from([None, "TX"])})
        ),
        "prior_authorization": draw(st.none() | NAMES),
        "diagnoses": codes,
        "admitting_diagnosis": draw(st.none() | CODES),
        "reason_diagnoses": draw(st.lists(CODES, max_size=3)),
        "total_charge": draw(st.none() | MONEY),
        "lines": rows,
    }


@settings(max_examples=100, deadline=None)
@given(model_claims())
def test_any_claim_written_as_valid_fhir_is_read_back_the_same(claim: dict[str, Any]) -> None:
    whole, alone = bundle(claim), contained(claim)
    BundleSchema.model_validate(copy.deepcopy(whole))
    ClaimSchema.model_validate(copy.deepcopy(alone))
    assert claims(read(whole)) == [read_claim(claim)]
    assert claims(read(alone)) == [read_claim(claim)]


def test_the_claims_of_a_bundle_keep_to_their_own_references_and_the_rest_is_named() -> None:
    other = {
        **PROFESSIONAL,
        "claim_id": "PCN-2",
        "patient": {**PROFESSIONAL["patient"], "birth_date": "2001-01-01", "sex": "M", "first_name": "Bo"},
    }
    found = read(bundle(PROFESSIONAL, other, kind="transaction"))
    assert claims(found) == [read_claim(PROFESSIONAL), read_claim(other)]
    kinds = Counter(one.kind for one in found if isinstance(one, Passed))
    assert kinds["Patient"] == 4
    assert kinds.total() + 2 == len(found)
    assert [one.position for one in found][:2] == ["line 1 entry 1", "line 1 entry 2"]
    origins = [one.origin for one in found if isinstance(one, Document)]
    assert len(set(origins)) == 2


def test_two_resources_of_one_name_are_none() -> None:
    value = bundle(PROFESSIONAL)
    twin = copy.deepcopy(next(e for e in value["entry"] if e["resource"]["resourceType"] == "Patient"))
    twin["fullUrl"] = "http://elsewhere.test/fhir/" + twin["fullUrl"].partition("/fhir/")[2]
    twin["resource"]["birthDate"] = "1999-09-09"
    value["entry"].append(twin)
    (claim,) = claims(read(value))
    assert claim.patient is None


def test_references_are_found_by_full_url_version_identifier_and_type() -> None:
    value = bundle(PROFESSIONAL)
    claim = claim_in(value)
    claim["patient"]["reference"] = "http://ehr.test/fhir/Patient/1-p/_history/3"
    claim["provider"]["reference"] = f"Organization?identifier={NPI}|1234567893"
    assert claims(read(value)) == [read_claim(PROFESSIONAL)]
    claim["provider"] = {"reference": f"Practitioner?identifier={NPI}|1999999999"}
    (read_back,) = claims(read(value))
    assert read_back.billing_provider is not None
    assert read_back.billing_provider.npi == "1999999999"
    claim["provider"] = {"type": "Organization", "identifier": {"system": NPI, "value": "1888888888"}}
    (read_back,) = claims(read(value))
    assert read_back.billing_provider is not None
    assert (read_back.billing_provider.npi, read_back.billing_provider.entity) == ("1888888888", "organization")


def test_a_practitioner_role_gives_specialty_and_the_person_behind_it() -> None:
    value = contained({**PROFESSIONAL, "rendering_provider": None})
    value["contained"] += [
        {"resourceType": "PractitionerRole", "id": "role", "practitioner": {"reference": "#who"},
         "specialty": [concept("207L00000X", "http://nucc.org/provider-taxonomy")]},
        {"resourceType": "Practitioner", "id": "who", "identifier": [{"system": NPI, "value": "1777777777"}]},
    ]  # fmt: skip
    value["careTeam"] = [{"sequence": 1, "provider": {"reference": "#role"}, "role": concept("performing")}]
    (claim,) = claims(read(value))
    assert claim.rendering_provider is not None
    assert claim.rendering_provider == Provider(npi="1777777777", taxonomy="207L00000X", entity="person")


def test_bulk_files_are_read_line_by_line() -> None:
    rows = [contained(PROFESSIONAL), {"resourceType": "Patient", "id": "p"}, contained(INSTITUTIONAL), 7]
    found = read(b"\n".join(json.dumps(row).encode() for row in rows))
    assert [type(one) for one in found] == [Document, Passed, Document, Refusal]
    assert [one.position for one in found] == ["line 1", "line 2", "line 3", "line 4"]


def test_a_bulk_file_may_hold_what_its_claims_refer_to_before_them() -> None:
    resources = [entry["resource"] for entry in bundle(PROFESSIONAL)["entry"]]
    ordered = sorted(resources, key=lambda one: one["resourceType"] == "Claim")
    twice = [*ordered[:-1], *ordered]
    for rows in (ordered, twice):
        found = read(b"\n".join(json.dumps(row).encode() for row in rows))
        assert claims(found) == [read_claim(PROFESSIONAL)]
    late = read(b"\n".join(json.dumps(row).encode() for row in reversed(ordered)))
    assert isinstance(late[0], Refusal)
    assert {one.path for one in late[0].problems} == {"Claim.insurer", "Claim.diagnosis[1]"}


def test_a_bundle_may_be_larger_than_an_event_and_other_documents_may_not() -> None:
    value = bundle(*[{**PROFESSIONAL, "claim_id": f"PCN-{n}"} for n in range(30)])
    assert len(json.dumps(value)) > 65_536
    line = json.dumps(PROFESSIONAL).encode()
    pretty = json.dumps(value, indent=1).encode()
    single = json.dumps(value).encode()
    for raw in (pretty, single, single + b"\n" + line, line + b"\n" + single + b"\n" + line):
        found = read(raw, limit=20_000)
        assert not [one for one in found if isinstance(one, Refusal)]
        assert len(claims(found)) == 30 + raw.count(line)
    huge = {**contained(PROFESSIONAL), "text": {"div": '"resourceType": "Bundle"' * 2_000}}
    (refusal,) = read(json.dumps(huge).replace("\\", "").encode(), limit=20_000)
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize("kind", ["history", "transaction-response", None, 7])
def test_a_bundle_that_is_no_set_of_current_claims_is_refused(kind: object) -> None:
    (refusal,) = read({**bundle(PROFESSIONAL), "type": kind})
    assert isinstance(refusal, Refusal)
    assert refusal.sentence.startswith("Bundle.type: expected")


def test_a_file_without_any_claim_is_refused_after_what_it_holds_was_named() -> None:
    found = read(b'{"resourceType": "Patient"}\n{"resourceType": "Coverage"}\n')
    assert [type(one) for one in found] == [Passed, Passed, Refusal]
    assert "no Claim among its 2 FHIR resources" in str(found[2])
    assert isinstance(read({"resourceType": "Bundle", "type": "collection"}), list)
    assert "no Claim" in str(read(b'{"resourceType": "<script>"}')[-1])
    assert isinstance(first := read(b'{"resourceType": "JANE CANARY"}')[0], Passed)
    assert first.kind == "unnamed"


def test_an_empty_bundle_is_refused() -> None:
    found = read({"resourceType": "Bundle", "type": "searchset", "entry": []})
    assert [type(one) for one in found] == [Refusal]


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(claim: dict[str, Any]) -> None:
        at: Any = claim
        *steps, last = path.split(".")
        for step in steps:
            at = at[int(step)] if step.isdigit() else at[step]
        if value is None:
            del at[last]
        else:
            at[int(last) if last.isdigit() else last] = value

    return change


SNOMED = concept("185349003", "http://snomed.info/sct")
REFUSED: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "pharmacy": (_set("type", concept("pharmacy")), "Claim.type", "goes out in another form"),
    "no type": (_set("type", None), "Claim.type", "expected either professional or"),
    "an estimate": (_set("use", "predetermination"), "Claim.use", "not billed"),
    "a request": (_set("use", "preauthorization"), "Claim.use", "not billed"),
    "cancelled": (_set("status", "cancelled"), "Claim.status", "expected active"),
    "no items": (_set("item", []), "Claim.item", "expected at least one item"),
    "items of another kind": (_set("item", {"a": 1}), "Claim.item", "expected a list of objects"),
    "an item that is text": (_set("item.1", "64445"), "Claim.item", "expected a list of objects"),
    "SNOMED beside CPT": (_set("item.1.productOrService", SNOMED), "Claim.item[1].productOrService", "found SNOMED CT"),
    "text alone": (_set("item.1.productOrService", {"text": "x"}), "Claim.item[1].productOrService", "found none"),
    "two codes": (
        _set("item.0.productOrService.coding", [{"system": CPT, "code": "64445"}, {"system": HCPCS, "code": "G0001"}]),
        "Claim.item[0].productOrService", "two procedure codes",
    ),
    "no price": (_set("item.0.net", None), "Claim.item[0]", "charge is not known"),
    "another currency": (_set("item.0.net.currency", "EUR"), "Claim.item[0].net.currency", "expected USD"),
    "a price as text": (_set("item.0.net.value", "450"), "Claim.item[0].net.value", "expected a number"),
    "a month as date": (_set("item.0.servicedDate", "2026-10"), "Claim.item[0].servicedDate", "with its day"),
    "a day that is none": (_set("item.0.servicedDate", "2026-02-30"), "lines[0].service_date", "servicedDate"),
    "no sequence": (_set("item.0.sequence", None), "lines[0].number", "Claim.item.sequence"),
    "a diagnosis in SNOMED": (_set("diagnosis.0.diagnosisCodeableConcept", SNOMED), "Claim.diagnosis[0]", "ICD-10-CM"),
    "a diagnosis elsewhere": (
        _set("diagnosis.1.diagnosisReference", {"reference": "Condition/9"}), "Claim.diagnosis[1]", "ICD-10-CM"
    ),
    "no payer": (_set("insurance.0.coverage", {"display": "Aetna"}), "Claim.insurer", "no payer id"),
    "a modifier without a code": (
        _set("item.0.modifier", [{"text": "right"}]), "Claim.item[0].modifier[0]", "cannot be read"
    ),
    "two focal insurances": (_set("insurance.1.focal", True), "Claim.insurance", "one insurance with focal true"),
    "a procedure in a detail": (
        _set("item.0.detail", [{"sequence": 1, "productOrService": concept("76942", CPT)}]),
        "Claim.item[0].detail[0]", "an item of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_element(name: str) -> None:
    change, path, sentence = REFUSED[name]
    value = contained(PROFESSIONAL)
    change(value)
    (refusal,) = read(value)
    assert isinstance(refusal, Refusal), refusal
    (problem,) = [one for one in refusal.problems if one.path == path]
    assert sentence in problem.sentence
    assert problem.safe_path == path


HIDDEN: dict[str, Callable[[dict[str, Any]], None]] = {
    "no system": _set("item.0.productOrService", concept("64445")),
    "another system": _set("item.0.productOrService", concept("64445", "http://ehr.test/codes")),
    "text alone": _set("item.0.productOrService", {"text": "CPT 64445 right"}),
    "a blank": _set("item.0.productOrService", concept("64445 ", "http://ehr.test/codes")),
    "a detail": _set("item.0.detail", [{"sequence": 1, "productOrService": concept("64445")}]),
    "a subdetail": _set(
        "item.0.detail", [{"productOrService": {}, "subDetail": [{"productOrService": concept("64445", CPT)}]}]
    ),
    "a procedure without an item": _set(
        "procedure", [{"sequence": 1, "procedureCodeableConcept": concept("64445", CPT)}]
    ),
}


ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"


def _of(kind: str, name: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Sets an element of each resource of this type that the claim contains."""

    def change(claim: dict[str, Any]) -> None:
        for one in claim["contained"]:
            if one["resourceType"] == kind:
                one[name] = value

    return change


def _role(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Lets a PractitionerRole stand before the first of the care team."""

    def change(claim: dict[str, Any]) -> None:
        member = claim["careTeam"][0]
        role = {"resourceType": "PractitionerRole", "id": "role", "practitioner": member["provider"], name: value}
        claim["contained"].append(role)
        member["provider"] = {"reference": "#role"}
        member.pop("qualification", None)

    return change


NUMBER = [{"system": NPI, "value": "1234567893"}]
OF_A_HOSPITAL = ("Claim.accident", "Claim.careTeam.supervisor")
"""Places that the 837P has a place for, and the 837I has not."""


def _resources(claim: dict[str, Any], kind: str, name: str = "") -> list[dict[str, Any]]:
    return [one for one in claim["contained"] if one["resourceType"] == kind and name in ("", one["id"])]


def _coverages(claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The one that the claim goes to, and the other."""
    return _resources(claim, "Coverage")


PASSED: dict[str, Callable[[dict[str, Any]], None]] = {
    "Claim.item.bodySite": _set("item.0.bodySite", concept("RIGHT")),
    "Claim.item.subSite": _set("item.0.subSite", [concept("LATERAL")]),
    "Claim.item.locationAddress": _set("item.0.locationAddress", {"city": "RENO"}),
    "Claim.item.locationCodeableConcept": _set("item.1.locationCodeableConcept", concept("HOSP", ROLE_CODE)),
    "Claim.item.detail.modifier": _set("item.1.detail.0.modifier", [concept("RT", CPT)]),
    "Claim.item.detail.subDetail.modifier": _set("item.1.detail.0.subDetail", [{"modifier": [concept("RT", CPT)]}]),
    "Claim.careTeam.other": lambda claim: claim["careTeam"].append(
        {"sequence": 99, "role": concept("assist"), "provider": {"reference": "#pr1"}}
    ),
    "Claim.careTeam.referring": lambda claim: claim["careTeam"].append(
        {"sequence": 99, "role": concept("referring"), "provider": {"reference": "#billing"}}
    ),
    "Coverage.type": _of("Coverage", "type", concept("PPO", "http://terminology.hl7.org/CodeSystem/v3-ActCode")),
    "PractitionerRole.specialty": _role("specialty", [concept("208VP0000X", NUCC), concept("207L00000X", NUCC)]),
    "Practitioner.qualification": _of(
        "Practitioner", "qualification", [{"code": concept(code, NUCC)} for code in ("208VP0000X", "207L00000X")]
    ),
    "Organization.type": _of("Organization", "type", [concept("208VP0000X", NUCC), concept("207L00000X", NUCC)]),
    "Claim.item.locationReference": _set("item.0.locationReference", {"reference": "Location/other"}),
    "Claim.supportingInfo.attachment": _set(
        "supportingInfo",
        [
            {"sequence": 1, "category": concept("attachment")},
            {"sequence": 2, "category": concept("patientaccountnumber"), "valueString": "PCN-1"},
        ],
    ),
    "Claim.careTeam.supervisor": lambda claim: claim["careTeam"].append(
        {"sequence": 99, "role": concept("supervisor"), "provider": {"reference": "#pr1"}}
    ),
    "Claim.accident": _set("accident", {"date": "2026-09-01", "type": concept("MVA")}),
    "Claim.accident.type": _set("accident.type", concept("BITE", "http://ehr.test/accidents")),
    "Claim.supportingInfo.other": lambda claim: claim["supportingInfo"].append(
        {"sequence": 99, "category": concept("attestation"), "code": concept("Y")}
    ),
    "Claim.supportingInfo.code": lambda claim: (
        claim["item"][0].pop("locationCodeableConcept"),
        claim["supportingInfo"].append(
            {
                "sequence": 99,
                "category": concept("cmspos"),
                "code": {"coding": [{"system": POS, "code": "11"}, {"system": "http://ehr.test/where", "code": "22"}]},
            }
        ),
    ),
    "Claim.insurance.coverage": _set("insurance.1.coverage", {"reference": "Coverage/elsewhere"}),
    "Coverage.payor": lambda claim: _coverages(claim)[1].update(payor=[{"identifier": {"value": "62308"}}]),
    "Coverage.order": lambda claim: _coverages(claim)[0].update(order=1),
    "Coverage.relationship": lambda claim: _coverages(claim)[0].update(
        relationship=concept("ward", "http://ehr.test/kin")
    ),
    **{
        f"ClaimResponse.{name}": _of("ClaimResponse", name, [{"amount": {"value": 1}}])
        for name in ("item", "adjudication", "total")
    },
    "Organization.address": lambda claim: _resources(claim, "Organization", "billing")[0]["address"].append(
        {"line": ["2 Main St"], "city": "Austin", "state": "TX", "postalCode": "78701"}
    ),
    "Practitioner.address": lambda claim: (
        claim["contained"].append(
            {
                "resourceType": "Practitioner",
                "id": "own",
                "identifier": NUMBER,
                "address": [{"text": "1 Main St, Austin"}],
            }
        ),
        claim.update(provider={"reference": "#own"}),
    ),
    "Location.address": _of("Location", "address", {"text": "1 Main St, Austin", "state": "TX"}),
    "Patient.address": lambda claim: _resources(claim, "Patient", "p")[0]["address"].append(
        {"line": ["2 Main St"], "city": "Austin", "state": "TX", "postalCode": "78701"}
    ),
    "Patient.name": lambda claim: _resources(claim, "Patient", "p")[0].update(name=[{"text": "Ann Roe"}]),
    "Practitioner.name": _of("Practitioner", "name", [{"text": "Kim Lee"}]),
    "RelatedPerson.name": _of("RelatedPerson", "name", [{"text": "Sam Roe"}]),
    "Claim.diagnosis.externalcause": _set("diagnosis.1.type", [concept("externalcauseofinjury")]),
}


@pytest.mark.parametrize("place", PASSED)
def test_an_element_that_a_rule_could_ask_and_that_is_not_read_is_noted_by_its_place(place: str) -> None:
    value = contained(INSTITUTIONAL if place in OF_A_HOSPITAL else PROFESSIONAL)
    for member in value["careTeam"]:
        member.pop("qualification", None)
    PASSED[place](value)
    (claim,) = claims(read(value))
    assert claim.not_read == (place,)


def test_every_such_element_is_looked_for() -> None:
    assert PASSED.keys() == mattering("F").keys()


@pytest.mark.parametrize("others", ["coded", "not coded"])
@pytest.mark.parametrize("name", HIDDEN)
def test_64445_in_any_other_place_or_coding_is_an_error_and_never_a_clean_claim(name: str, others: str) -> None:
    value = contained(PROFESSIONAL)
    value["item"][0]["productOrService"] = concept("20552", CPT) if others == "coded" else SNOMED
    value["item"][1]["productOrService"] = concept("J3301", HCPCS) if others == "coded" else SNOMED
    HIDDEN[name](value)
    (refusal,) = read(value)
    assert isinstance(refusal, Refusal)
    assert any("64445" in one.sentence or "item of its own" in one.sentence for one in refusal.problems)


@pytest.mark.parametrize(
    "name", ["text alone", "no system", "another system", "a detail", "a procedure without an item"]
)
def test_the_codes_of_the_book_in_use_are_guarded_as_the_shipped_ones_are(name: str) -> None:
    value = contained(PROFESSIONAL)
    value["item"][0]["productOrService"] = concept("20552", CPT)
    HIDDEN[name](value)
    other = json.loads(json.dumps(value).replace("64445", "64447").replace("20552", "64445"))
    (refusal,) = read(other, codes=["64447"])
    assert isinstance(refusal, Refusal)
    assert any("64447" in one.sentence or "item of its own" in one.sentence for one in refusal.problems)
    assert any("64447" in one.sentence for one in refusal.problems) is (name != "a detail")


def test_a_code_of_another_book_is_read_as_any_other() -> None:
    value = contained(PROFESSIONAL)
    value["procedure"] = [{"sequence": 1, "procedureCodeableConcept": concept("64447", CPT)}]
    assert claims(read(value)) == [read_claim(PROFESSIONAL)]
    (refusal,) = read(value, codes=["64445", "64447"])
    assert isinstance(refusal, Refusal)


def test_a_claim_without_any_procedure_code_is_held_for_its_form() -> None:
    value = contained(PROFESSIONAL)
    for item in value["item"]:
        item["productOrService"] = SNOMED
    (claim,) = claims(read(value))
    report = check(claim, BOOK)
    assert (report.disposition, report.coverage, "CLM007" in report.codes("block")) == ("rework", "none", True)


@pytest.mark.parametrize("payor", ["contained", "elsewhere", "typed"])
@pytest.mark.parametrize("judged", [True, False])
def test_a_person_who_pays_is_no_payer_and_no_name_or_number_of_a_person_is_one(payor: str, judged: bool) -> None:
    value = contained(PROFESSIONAL)
    coverage = next(one for one in value["contained"] if one["resourceType"] == "Coverage")
    patient = next(one for one in value["contained"] if one["resourceType"] == "Patient")
    patient["identifier"] = [{"value": "MRN-CANARY"}]
    coverage["payor"] = [{
        "contained": {"reference": "#p", "display": "JANE CANARY"},
        "elsewhere": {"reference": "Patient/77", "display": "JANE CANARY", "identifier": {"value": "MRN-CANARY"}},
        "typed": {"type": "RelatedPerson", "display": "JANE CANARY", "identifier": {"value": "MRN-CANARY"}},
    }[payor]]  # fmt: skip
    value["insurance"][0]["coverage"]["display"] = "JANE CANARY"
    if not judged:
        for item in value["item"]:
            item["productOrService"] = SNOMED
    (found,) = read(value)
    if judged:
        assert isinstance(found, Refusal)
        assert [one.path for one in found.problems] == ["Claim.insurer"]
        assert "CANARY" not in str(found)
    else:
        assert isinstance(found, Document)
        assert (found.claim.payer.id, found.claim.payer.name) == ("unknown", None)


def test_an_insurer_without_an_id_gives_way_to_the_payor_of_the_coverage() -> None:
    value = contained(PROFESSIONAL)
    value["insurer"] = {"display": "Aetna"}
    assert claims(read(value)) == [read_claim(PROFESSIONAL)]
    value["insurer"] = {"display": "Cigna", "identifier": {"value": "62308"}}
    assert [claim.payer.id for claim in claims(read(value))] == ["62308"]


def test_a_payer_with_several_numbers_of_which_none_is_marked_is_not_guessed() -> None:
    value = contained(PROFESSIONAL)
    value["insurer"] = {"reference": "#ins"}
    plain = [
        {"system": NPI, "value": "1"},
        {"system": "urn:oid:2.16.840.1.113883.4.4", "value": "2"},
        {"value": "60054"},
    ]
    value["contained"].append({"resourceType": "Organization", "id": "ins", "identifier": plain})
    assert [claim.payer.id for claim in claims(read(value))] == ["60054"]
    plain.append({"system": "http://x", "value": "9"})
    coverage = next(one for one in value["contained"] if one["resourceType"] == "Coverage")
    del coverage["payor"]
    assert isinstance(read(value)[0], Refusal)


def test_units_and_prices_and_single_days_are_worked_out() -> None:
    value = contained(PROFESSIONAL)
    first, second = value["item"]
    del first["servicedDate"], first["net"], second["net"]
    first["unitPrice"], first["quantity"], first["factor"] = {"value": 225.05}, {"value": 2, "unit": "min"}, 0.5
    second["unitPrice"], second["servicedPeriod"] = {"value": 5}, {"start": "2026-10-01T08:00:00-05:00"}
    del second["servicedDate"]
    value["billablePeriod"] = {"start": "2026-10-01T08:00:00Z", "end": "2026-10-01T09:00:00Z"}
    (claim,) = claims(read(value))
    assert [str(line.charge) for line in claim.lines] == ["225.05", "20.00"]
    assert [line.unit_basis for line in claim.lines] == ["MJ", "UN"]
    assert [str(line.service_date) for line in claim.lines] == ["2026-10-01", "2026-10-01"]


@pytest.mark.parametrize(
    ("ndc", "eleven"),
    [("0003-0293-05", "00003029305"), ("00003-293-05", "00003029305"), ("00003-0293-5", "00003029305"), ("3", "3")],
)
def test_an_ndc_gets_its_zero_where_its_hyphens_say(ndc: str, eleven: str) -> None:
    value = contained(PROFESSIONAL)
    value["item"][1]["detail"][0]["productOrService"] = concept(ndc, NDC)
    drug = claims(read(value))[0].lines[1].drug
    assert drug is not None
    assert drug.ndc == eleven


@pytest.mark.parametrize(
    ("profile", "form"),
    [
        ("http://hl7.org/fhir/us/davinci-pct/StructureDefinition/davinci-pct-gfe-professional", "professional"),
        ("http://hl7.org/fhir/us/davinci-pct/StructureDefinition/davinci-pct-gfe-institutional", "institutional"),
        ("http://hl7.org/fhir/us/carin-bb/StructureDefinition/C4BB-ExplanationOfBenefit-Professional-NonClinician|2.0.0",
         "professional"),
    ],
)  # fmt: skip
def test_the_profile_decides_the_form_where_the_type_does_not(profile: str, form: str) -> None:
    value = contained(PROFESSIONAL)
    del value["type"]
    value["meta"] = {"profile": [profile]}
    assert [claim.form for claim in claims(read(value))] == [form]
    value["type"] = concept("40", "https://bluebutton.cms.gov/resources/codesystem/eob-type")
    assert [claim.form for claim in claims(read(value))] == [form]
    value["type"]["coding"].append({"code": "institutional"})
    assert [claim.form for claim in claims(read(value))] == ["institutional"]
    value["type"]["coding"].append({"code": "professional"})
    assert isinstance(read(value)[0], Refusal)


def _fields(schema: dict[str, Any], node: dict[str, Any], path: str) -> list[str]:
    if "$ref" in node:
        inner = schema["$defs"][node["$ref"].rpartition("/")[2]]["properties"]
        return [field for key, value in inner.items() for field in _fields(schema, value, f"{path}.{key}")]
    inside = [(one, path) for one in node.get("anyOf", ())] + (
        [(node["items"], f"{path}[]")] if "items" in node else []
    )
    for option, here in inside:
        found = _fields(schema, option, here)
        if found != [here]:
            return found
    return [path]


def test_the_table_names_every_field_of_the_claim_and_no_other() -> None:
    schema = schema_of(Claim)
    fields = {f for key, node in schema["properties"].items() for f in _fields(schema, node, key)}
    rows = {
        *(row.path for row in FIELDS),
        *NOT_IN_FHIR,
        *NOT_READ_OF_FHIR,
        "not_read",
        "oddities",
        "source_format",
        "form_faults",
    }
    covered = {
        field: next((row for row in rows if field == row or re.match(re.escape(row) + r"(\[\])?\.", field)), None)
        for field in fields
    }
    assert [field for field, row in covered.items() if row is None] == []
    assert rows == set(covered.values())


def test_a_field_that_fhir_has_no_place_for_is_never_filled() -> None:
    found = [
        one.value for base in (PROFESSIONAL, INSTITUTIONAL) for one in read(bundle(base)) if isinstance(one, Document)
    ]
    filled = {path for value in found for path in filled_paths(value)}
    assert len(found) == 2
    assert not filled & {*NOT_IN_FHIR, *NOT_READ_OF_FHIR}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["code", "coding", "value", "id"]), inner)
    ),
    max_leaves=4,
)


def _places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for key, inner in rows:
        found += _places(inner, (*path, key))
    return found


WHOLE = bundle(PROFESSIONAL, INSTITUTIONAL)
WITHIN = _places(WHOLE)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WITHIN), JUNK), min_size=1, max_size=4))
def test_whatever_is_in_a_bundle_it_is_read_refused_or_named_once(changes: list[tuple[Any, object]]) -> None:
    value = copy.deepcopy(WHOLE)
    for path, junk in changes:
        at: Any = value
        try:
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue
    found = read(value)
    entries = value.get("entry")
    if value.get("type") == "collection" and isinstance(entries, list) and all(isinstance(e, dict) for e in entries):
        single = [one for one in found if one.position.startswith("line 1 entry")]
        whole = [one for one in found if one not in single]
        assert [one.position for one in single] == [f"line 1 entry {n}" for n in range(1, len(single) + 1)]
        assert len(single) == len(entries) or whole
    else:
        assert found
    for one in found:
        if isinstance(one, Document):
            hidden = "64445" in json.dumps([item.get("productOrService") for item in _items(one, value)])
            assert not hidden or any(line.procedure == "64445" for line in one.claim.lines)


def _items(document: Document, value: dict[str, Any]) -> list[dict[str, Any]]:
    number = int(document.position.rpartition(" ")[2]) if "entry" in document.position else 0
    resource = value["entry"][number - 1]["resource"] if number else value
    return [item for item in resource["item"] if isinstance(item, dict)]


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public samples are beside the project, and not here")
def test_the_public_samples_give_their_counts() -> None:
    with (SAMPLES / "synthea/claims_500.ndjson").open("rb") as stream:
        bulk = list(read_documents("claims_500.ndjson", stream))
    assert Counter(type(one).__name__ for one in bulk) == {"Document": 410, "Refusal": 90}
    assert {str(one.problems[0].path) for one in bulk if isinstance(one, Refusal)} == {"Claim.type"}
    assert {one.claim.form for one in bulk if isinstance(one, Document)} == {"institutional"}
    with (SAMPLES / "synthea/bundle_Buster_Hoeger.json").open("rb") as stream:
        whole = list(read_documents("bundle.json", stream))
    assert Counter(type(one).__name__ for one in whole) == {"Document": 6, "Refusal": 1, "Passed": 59}
    book = BOOK
    for claim in claims(bulk + whole):
        assert check(claim, book).disposition == "unchecked"
