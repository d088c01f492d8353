"""The table of FHIR fields is what runs: each of its rows fills its field, and each element of a Claim is accounted for.

The tests are made of the table: a row that is added without an example fails here by its name.
"""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from ops.notread import page
from rules.unread import UNREAD
from tests.worker.fhirbundle import CPT, NDC, NPI, NUCC, POS, concept, contained
from tests.worker.fhirclaims import INSTITUTIONAL, PROFESSIONAL, read
from tests.worker.test_fhir import SNOMED
from worker.intake.document import Document, Refusal
from worker.intake.events import decode
from worker.intake.fhir.claim import Filled, claim_of
from worker.intake.fhir.fields import CHECKS, FIELDS, NOT_IN_FHIR, Field, elements_read, source_of
from worker.intake.fhir.node import Targets
from worker.intake.fhir.passed import ELEMENTS, classed, left_over
from worker.intake.fhir.scopes import SCOPES

Change = Callable[[dict[str, Any]], object]


def _resource(claim: dict[str, Any], kind: str, number: int = 0) -> dict[str, Any]:
    return [one for one in claim["contained"] if one["resourceType"] == kind][number]


def _coverage(claim: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in claim["contained"] if one["id"] == "focal")


def _requested(claim: dict[str, Any]) -> None:
    claim["careTeam"] = [one for one in claim["careTeam"] if one["role"]["coding"][0]["code"] != "referring"]
    requester = {"resourceType": "PractitionerRole", "id": "asks", "identifier": [{"system": NPI, "value": "1245319599"}],
                 "specialty": [concept("208VP0000X", NUCC)], "practitioner": {"reference": "#person"}}  # fmt: skip
    person = {"resourceType": "Practitioner", "id": "person", "name": [{"family": "Poe", "given": ["Max"]}]}
    order = {"resourceType": "ServiceRequest", "id": "order", "requester": {"reference": "#asks"}}
    claim["contained"] += [requester, person, order]
    claim["referral"] = {"reference": "#order"}


def _referred(claim: dict[str, Any]) -> None:
    claim["careTeam"] = [one for one in claim["careTeam"] if one["role"]["coding"][0]["code"] != "referring"]
    claim["referral"] = {"identifier": {"type": concept("npi"), "value": "1245319599"}}


def _with_taxonomy(role: str) -> Change:
    """The taxonomy behind the member of the care team, not beside it."""

    def change(claim: dict[str, Any]) -> None:
        for member in claim["careTeam"]:
            if member["role"]["coding"][0]["code"] == role:
                member.pop("qualification", None)
                name = member["provider"]["reference"].removeprefix("#")
                who = next(one for one in claim["contained"] if one["id"] == name)
                who["qualification"] = [{"code": concept("208VP0000X", NUCC)}]

    return change


def _qualified(role: str) -> Change:
    return lambda claim: [
        one.update(qualification=concept("208VP0000X", NUCC))
        for one in claim["careTeam"]
        if one["role"]["coding"][0]["code"] == role
    ]


def _drop(*names: str) -> Change:
    return lambda claim: [claim.pop(name, None) for name in names]


def _both(*changes: Change) -> Change:
    return lambda claim: [change(claim) for change in changes]


def _informed(category: str, **timing: Any) -> Change:
    row = {"sequence": 99, "category": concept(category), **timing}
    return lambda claim: claim.update(supportingInfo=[row])


TOO_LONG = "x" * 39
ACCOUNT = [{"sequence": 7, "category": concept("patientaccountnumber"), "valueString": "PCN-7"}]
EXAMPLES: dict[str, Change] = {
    "form <- Claim.meta.profile": _both(
        _drop("type"), lambda claim: claim.update(meta={"profile": ["http://x.test/gfe-professional"]})
    ),
    "claim_id <- Claim.supportingInfo[patientaccountnumber].valueString": lambda claim: claim.update(supportingInfo=ACCOUNT),
    "claim_id <- Claim.id": _drop("identifier"),
    "original_reference_number <- Claim.related[prior].claim": lambda claim: claim["related"][0].update(
        claim={"identifier": {"value": "ICN8"}}, reference={}
    ),
    "type_of_bill <- Claim.subType": _both(
        _drop("supportingInfo"),
        lambda claim: claim.update(subType=concept("137", "https://www.cms.gov/codes/billtype")),
    ),
    "frequency_code <- Claim.supportingInfo[typeofbill].code": _drop("related"),
    "frequency_code <- Claim.subType": _both(
        _drop("supportingInfo", "related"),
        lambda claim: claim.update(subType=concept("0137", "https://www.nubc.org/CodeSystem/TypeOfBill")),
    ),
    "frequency_code <- Claim.related[prior].relationship": lambda claim: claim.update(
        related=[{"relationship": concept("replaces"), "reference": {"value": "ICN8"}}]
    ),
    "place_of_service <- Claim.item[first].locationAddress": lambda claim: claim["item"][0].update(
        locationCodeableConcept={}, locationAddress={"state": "11"}
    ),
    "lines[].place_of_service <- Claim.item.locationAddress": lambda claim: claim["item"][0].update(
        locationCodeableConcept={}, locationAddress={"state": "11"}
    ),
    "place_of_service <- Claim.supportingInfo[cmspos].code": lambda claim: (
        claim["item"][0].pop("locationCodeableConcept"),
        claim.update(supportingInfo=[{"sequence": 8, "category": concept("cmspos"), "code": concept("22", POS)}]),
    ),
    "payer.name <- Claim.insurer, else Coverage.payor.display": lambda claim: claim.update(
        insurer={"display": "Aetna", "identifier": {"value": "60054"}}
    ),
    "payer.id <- Claim.insurer, else Coverage.payor.identifier": lambda claim: claim.update(
        insurer={"identifier": {"value": "62308"}}
    ),
    "subscriber.member_id <- Coverage.identifier[MB].value": lambda claim: (
        _coverage(claim).pop("subscriberId"),
        _coverage(claim).update(identifier=[{"type": concept("MB"), "value": "W7"}]),
    ),
    **{f"{role}_provider.taxonomy <- Claim.careTeam[{role}].provider": _with_taxonomy(role)
       for role in ("rendering", "referring", "attending", "operating")},
    **{f"{role}_provider.taxonomy <- Claim.careTeam[{role}].qualification": _qualified(role)
       for role in ("rendering", "referring", "attending", "operating")},
    "referring_provider.npi <- ServiceRequest.requester": _requested,
    "referring_provider.taxonomy <- ServiceRequest.requester": _requested,
    **{f"referring_provider.{name} <- ServiceRequest.requester": _requested
       for name in ("entity", "last_name", "first_name")},
    "referring_provider.npi <- Claim.referral": _referred,
    "admission_date <- Claim.supportingInfo[admission].timingDate": _informed("admissionDates", timingDate="2026-10-01"),
    "discharge_hour <- Claim.supportingInfo[discharge].timingPeriod.end": _informed(
        "dischargeDates", timingPeriod={"end": "2026-10-02T17:30:00Z"}
    ),
    "discharge_hour <- Claim.supportingInfo[discharge].timingPeriod.start": _informed(
        "dischargeDates", timingPeriod={"start": "2026-10-02T17:30:00Z"}
    ),
    "onset_date <- Claim.supportingInfo[onset].timingPeriod.start": _informed(
        "onset", timingPeriod={"start": "2026-09-02"}
    ),
    **{f"accident_{part} <- Location[of the accident].address.{part}": lambda claim: (
        claim["accident"].pop("locationAddress"), claim["accident"].update(locationReference={"reference": "#f"}),
    ) for part in ("state", "country")},
    "supervising_provider.taxonomy <- Claim.careTeam[supervising].provider": _with_taxonomy("supervisor"),
    "lines[].supervising_provider.taxonomy <- Claim.careTeam[supervising, of the item].provider": _with_taxonomy(
        "supervisor"
    ),
    "lines[].referring_provider.taxonomy <- Claim.careTeam[referring, of the item].provider": _with_taxonomy("referring"),
    "subscriber.relationship <- Coverage.relationship": lambda claim: _coverage(claim).pop("subscriber"),
    "patient.own_loop <- Coverage.relationship": lambda claim: _coverage(claim).pop("subscriber"),
    **{f"lines[].service_facility.address.{part} <- Claim.item.locationAddress": lambda claim: (
        claim["item"][0].pop("locationReference"),
        claim["item"][0].update(locationAddress={
            "line": ["1 Main St", "Suite 2"], "city": "Reno", "postalCode": "89501-0001", "country": "CA"}),
    ) for part in ("street", "street_more", "city", "zip", "country")},
    "service_facility.name <- Claim.facility": lambda claim: (
        _resource(claim, "Location").pop("name"), claim["facility"].update(display="Clinic"),
    ),
    "lines[].charge <- Claim.item.unitPrice": lambda claim: (
        claim["item"][0].pop("net"), claim["item"][0].update(unitPrice={"value": 7}),
    ),
    "lines[].service_date <- Claim.item.servicedPeriod.start": lambda claim: (
        claim["item"][0].pop("servicedDate"), claim["item"][0].update(servicedPeriod={"start": "2026-10-01"}),
    ),
    "lines[].service_date_end <- Claim.item.servicedPeriod.end": lambda claim: (
        claim["item"][0].pop("servicedDate"),
        claim["item"][0].update(servicedPeriod={"start": "2026-10-01", "end": "2026-10-02"}),
    ),
    "lines[].service_date <- Claim.billablePeriod.start": lambda claim: (
        claim["item"][0].pop("servicedDate"), claim.update(billablePeriod={"start": "2026-10-01"}),
    ),
    "lines[].rendering_provider.taxonomy <- Claim.careTeam[rendering, of the item].qualification": _qualified("rendering"),
    "lines[].rendering_provider.taxonomy <- Claim.careTeam[rendering, of the item].provider": _with_taxonomy("rendering"),
    "lines[].service_facility.name <- Claim.item.locationReference": lambda claim: claim["item"][0].update(
        locationReference={"display": "Clinic"}
    ),
    "lines[].service_facility.state <- Claim.item.locationAddress": lambda claim: (
        claim["item"][0].pop("locationReference"), claim["item"][0].update(locationAddress={"state": "NV"}),
    ),
    "lines[].drug.ndc <- Claim.item.productOrService": lambda claim: (
        claim["item"][1].pop("detail"),
        claim["item"][1]["productOrService"]["coding"].append({"system": NDC, "code": "00003029305"}),
    ),
}  # fmt: skip
"""For each row that neither claim of test_fhir.py has as it is: what makes the claim one that it fills. A row of which
another of its elements fills the field is named by that one."""


def named(row: Field, element: str = "") -> str:
    return f"{row.path} <- {row.at}.{element or row.element}"


def _read(value: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Filled]]:
    filled: list[Filled] = []
    targets = Targets()
    for one in value["contained"]:
        if one["resourceType"] == "ClaimResponse":
            targets.add(one)  # an answer to a claim before is found by that, not by a reference to it
    claim, problems = claim_of(cast(dict[str, Any], decode(json.dumps(value).encode())), targets, filled)
    return (None if problems else claim), filled


ROWS = [row for row in FIELDS if row.convert.__name__ != "text" or row.path != "claim_id"]
"""Without those that let a number that is too long through, so that it is refused by its length."""


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_each_row_fills_its_field_from_its_element(row: Field) -> None:
    bases = [PROFESSIONAL, INSTITUTIONAL] if "P" in row.forms else [INSTITUTIONAL]
    for base in bases:
        value = contained(base)
        change = EXAMPLES.get(named(row))
        try:
            if change:
                change(value)
        except (KeyError, IndexError):
            continue
        whole, filled = _read(value)
        if whole is None or not any(one.row is row for one in filled):
            continue
        objects = [one.at.value for one in filled if one.row is row]
        less, _ = _read(cast(dict[str, Any], without(value, row.element, objects)))
        assert less is None or _at(less, row.path) != _at(whole, row.path)
        return
    pytest.fail(f"no example is filled by {named(row)}")


def without(value: object, name: str, objects: list[Any]) -> object:
    """The same, of which the objects have no such element."""
    if isinstance(value, list):
        return [without(one, name, objects) for one in value]
    if not isinstance(value, dict):
        return value
    same = json.loads(json.dumps(value))
    hit = any(json.loads(json.dumps(one, default=float)) == same for one in objects)
    return {key: without(one, name, objects) for key, one in value.items() if not (hit and key == name)}


def _at(claim: object, path: str) -> object:
    """What is at a path, of each line or other payer."""
    for step in path.split("."):
        if isinstance(claim, list):
            rest = path[path.index(step) :]
            return [_at(one, rest) for one in claim]
        claim = claim.get(step.removesuffix("[]")) if isinstance(claim, dict) else None
    return claim


def test_every_example_is_one_of_a_row_of_the_table() -> None:
    names = {named(row, element) for row in FIELDS for element in (row.element, *row.also)}
    assert EXAMPLES.keys() <= names


def test_a_number_that_is_too_long_for_the_form_is_refused_by_its_length() -> None:
    value = {**contained(PROFESSIONAL), "id": TOO_LONG, "identifier": [{"value": TOO_LONG}]}
    (refusal,) = read(value)
    assert isinstance(refusal, Refusal)
    assert str(refusal.problems[0]).startswith("claim_id: expected at most 38 characters")
    assert "Claim.identifier.value" in str(refusal.problems[0])


@pytest.mark.parametrize("row", FIELDS, ids=named)
def test_what_is_wrong_with_a_field_is_said_with_the_element_it_comes_from(row: Field) -> None:
    assert row.element in source_of(row.path)


def test_each_row_reads_from_an_object_that_is_there() -> None:
    names = {"Claim", *(scope.name for scope in SCOPES)}
    assert {row.at for row in FIELDS} <= names
    assert {scope.parent for scope in SCOPES} <= names
    assert {scope.name for scope in SCOPES} <= {row.at for row in FIELDS} | {scope.parent for scope in SCOPES}


def test_what_the_table_reads_is_what_a_claim_may_have() -> None:
    """Names that the table writes wrongly are no elements of R4."""
    own = {f"{name}.{element}" for name, elements in ELEMENTS.items() for element in elements}
    datatypes = ("Claim.id", "Claim.meta", "Claim.billablePeriod.", "Claim.item.servicedPeriod.", "Claim.identifier.",
                 "Claim.insurer,", "Claim.accident.locationAddress.", "Claim.supportingInfo.timingPeriod.",
                 "Patient.name.", "Coverage.class.", "Coverage.identifier.", "ClaimResponse.payment.",
                 "Location.address.")  # fmt: skip
    assert [name for name in elements_read() - own if not name.startswith(datatypes)] == []
    # What is classed is an element, or a part of one that is read.
    parents = {*own, *ELEMENTS}
    places = [place for place in classed() if place.startswith("Claim.")]
    assert [place for place in places if not {place, place.rpartition(".")[0]} & parents] == []


def _by_role(claim: dict[str, Any]) -> None:
    """A rendering provider by a PractitionerRole, with its own number; the billing one with a specialty."""
    member = next(one for one in claim["careTeam"] if one["role"]["coding"][0]["code"] in ("rendering", "attending"))
    person, own = member["provider"], [{"system": NPI, "value": "1679576722"}]
    claim["contained"].append(
        {"resourceType": "PractitionerRole", "id": "role", "practitioner": person, "identifier": own,
         "specialty": [concept("207L00000X", NUCC)]}
    )  # fmt: skip
    member["provider"] = {"reference": "#role"}
    member.pop("qualification", None)


def _by_number(claim: dict[str, Any]) -> None:
    """The member id by an identifier of its own, and a claim that replaces another by the payer's answer to that."""
    coverage = _coverage(claim)
    coverage["identifier"] = [{"type": concept("MB"), "value": coverage.pop("subscriberId")}]
    answer = {"resourceType": "ClaimResponse", "id": "before", "request": {"reference": "Claim/before"},
              "identifier": [{"type": concept("uc"), "value": "ICN7"}]}  # fmt: skip
    claim["contained"].append(answer)
    claim["related"] = [{"relationship": concept("replaces"), "claim": {"reference": "Claim/before"}}]


BEHIND = sorted(place for place in elements_read() if not place.startswith("Claim.") and place.count(".") == 1)
DECIDING = ("Coverage.order", "Coverage.beneficiary", "ClaimResponse.item")


@pytest.mark.parametrize("place", [place for place in BEHIND if place not in DECIDING])
def test_what_is_said_to_be_read_of_what_a_claim_refers_to_makes_a_difference(place: str) -> None:
    """A claim says another thing without it; what decides whether a claim can be read is tested in test_fhir.py."""
    kind, element = place.split(".")
    for base in (PROFESSIONAL, INSTITUTIONAL):
        for change in (lambda claim: None, _by_role, _by_number):
            value = contained(base)
            change(value)
            whole, _ = _read(value)
            assert whole is not None
            assert any(change is not _by_role or one["id"] == "role" for one in value["contained"])
            for one in value["contained"]:
                if one["resourceType"] == kind:
                    one.pop(element, None)
            if _read(value)[0] != whole:
                return
    pytest.fail(f"{place} makes no difference")


def test_every_element_of_a_claim_is_read_or_classed() -> None:
    assert left_over() == []


def test_no_field_is_both_read_and_said_to_have_no_place() -> None:
    assert not {row.path.split(".")[0] for row in FIELDS} & {path for path in NOT_IN_FHIR if "." not in path}
    assert not {row.path for row in FIELDS} & set(NOT_IN_FHIR)
    assert CHECKS


ANY = {
    "boolean": True, "string": "x", "code": "x", "integer": 1, "date": "2026-01-01", "money": {"value": 1, "currency": "USD"},
    "concept": concept("x", "http://x.test"), "reference": {"display": "x"}, "identifier": {"value": "x"},
}  # fmt: skip


def _unread_elements() -> list[str]:
    own = [f"{name}.{element}" for name, elements in ELEMENTS.items() for element in elements]
    return [place for place in own if place in classed() and place not in elements_read()]


@pytest.mark.parametrize("place", _unread_elements())
def test_each_element_that_is_not_read_is_noted_where_it_could_matter_and_does_no_harm_elsewhere(place: str) -> None:
    value = contained(PROFESSIONAL)
    value["item"][1]["detail"][0]["subDetail"] = [{"sequence": 1, "productOrService": concept("x", NDC)}]
    value["procedure"] = [{"sequence": 1, "procedureCodeableConcept": SNOMED}]
    value["supportingInfo"] += ACCOUNT
    kind, *steps = place.split(".")
    if kind == "PractitionerRole":
        value["contained"].append({"resourceType": kind, "id": "role", "practitioner": {"reference": "#pr1"}})
        value["careTeam"][0]["provider"] = {"reference": "#role"}
    at: Any = value if kind == "Claim" else next(one for one in value["contained"] if one["resourceType"] == kind)
    for step in steps[:-1]:
        at = at[step][-1] if isinstance(at[step], list) else at[step]
    at[steps[-1]] = [concept("x", CPT)] if steps[-1] in ("modifier", "subSite") else ANY["concept"]
    (found,) = read(value)
    assert isinstance(found, Document), found
    matters = any(row.rules and place in row.places() for row in UNREAD)
    assert list(found.claim.not_read) == ([place] if matters else [])


@pytest.mark.parametrize("path", ["", "item.0.", "item.1.detail.0.", "careTeam.0.", "insurance.0.", "diagnosis.0."])
def test_an_element_that_r4_does_not_know_is_refused_and_not_quoted(path: str) -> None:
    """A misspelled name hides what it says: 837 and JSON are refused for it as well."""
    value = contained(PROFESSIONAL)
    at: Any = value
    for step in path.split(".")[:-1]:
        at = at[int(step)] if step.isdigit() else at[step]
    at["modifer"] = [concept("50", CPT)]
    at["JANE-CANARY"] = 1
    (refusal,) = read(value)
    assert isinstance(refusal, Refusal)
    assert all("FHIR R4" in problem.sentence for problem in refusal.problems)
    assert "CANARY" not in str(refusal.problems)
    if path == "item.0.":
        assert any("did you mean 'modifier'?" in problem.sentence for problem in refusal.problems)


@pytest.mark.parametrize("where", ["claim", "item", "concept", "coverage", "quantity"])
def test_a_modifier_extension_refuses_the_claim(where: str) -> None:
    """FHIR forbids to pass one over: https://hl7.org/fhir/R4/extensibility.html; icanbwell/fhir-server#1075 and
    IHE/ITI.MHD#18 are about what readers made of it."""
    value = contained(PROFESSIONAL)
    item = value["item"][0]
    at = {
        "claim": value, "item": item, "concept": item["productOrService"], "coverage": _coverage(value),
        "quantity": item["quantity"],
    }[where]  # fmt: skip
    at["modifierExtension"] = [{"url": "http://x.test/not-done", "valueBoolean": True}]
    (refusal,) = read(value)
    assert isinstance(refusal, Refusal)
    assert refusal.problems[0].path.endswith("modifierExtension")
    del at["modifierExtension"]
    at["extension"] = [{"url": "http://x.test/anything", "valueBoolean": True}]
    assert isinstance(read(value)[0], Document)


def test_a_key_that_no_one_knows_is_in_no_path() -> None:
    value = contained(PROFESSIONAL)
    value["item"][0]["JANE-CANARY"] = [{"modifierExtension": [{"url": "x"}]}]
    found = read(value)
    assert isinstance(found[0], Refusal)
    assert {one.path for one in found[0].problems} == {"Claim.item[0].modifierExtension", "Claim.item[0]"}
    assert "CANARY" not in str(found)


def test_a_claim_of_unknown_elements_alone_takes_no_longer_than_its_bytes() -> None:
    value = contained(PROFESSIONAL) | {f"modifier{number}": 1 for number in range(20_000)}
    began = time.process_time()
    assert len(read(value)[0].problems) <= 102  # type: ignore[union-attr]
    assert time.process_time() - began < 2


def test_rules_that_a_claim_was_written_by_and_that_no_one_knows_refuse_it() -> None:
    (refusal,) = read({**contained(PROFESSIONAL), "implicitRules": "http://x.test/rules"})
    assert isinstance(refusal, Refusal)
    assert refusal.problems[0].path == "Claim.implicitRules"


def test_the_page_names_what_of_a_claim_is_not_read() -> None:
    text = page()
    for place in _unread_elements():
        assert f"`{place}`" in text


def test_extensions_and_what_belongs_to_every_resource_are_passed_over() -> None:
    value = contained(PROFESSIONAL)
    plain = copy.deepcopy(value)
    value |= {"language": "en", "text": {"status": "generated", "div": "<div/>"}, "extension": [{"url": "http://x"}]}
    value["_status"] = {"id": "s"}
    value["item"][0]["id"] = "i1"
    found, expected = read(value)[0], read(plain)[0]
    assert isinstance(found, Document)
    assert isinstance(expected, Document)
    assert json.dumps(found.value, default=str) == json.dumps(expected.value, default=str)


# what stands several times


def _objects(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every object and list of a resource, with its path."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _objects(one, (*path, key))


def _follow(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _place(value: Any, path: tuple[Any, ...]) -> str:
    """`Claim.item.modifier`: from the innermost resource."""
    at = [place for place in range(len(path) + 1) if "resourceType" in (_follow(value, path[:place]) or ())]
    names = [step for step in path[at[-1] :] if isinstance(step, str)]
    return ".".join([_follow(value, path[: at[-1]])["resourceType"], *names])


def _another(code: str) -> str:
    """A code of the same form."""
    last = code[-1]
    return code[:-1] + (str((int(last) + 1) % 10) if last.isdigit() else "Y" if last == "X" else "X")


def _changed(value: Any, name: str = "") -> Any:
    """The same with other values, but for what says what kind of thing it is."""
    if isinstance(value, dict):
        return {key: one if key in _KINDS else _changed(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_changed(one, name) for one in value]
    if isinstance(value, str):
        return f"{value[:8]}05{value[10:]}" if re.fullmatch(r"\d{4}-\d\d-\d\d.*", value) else _another(value)
    return value + 50 if isinstance(value, int) and not isinstance(value, bool) else value


_KINDS = ("system", "resourceType", "reference", "use", "category", "role", "type")
BASES = {"professional": contained(PROFESSIONAL), "institutional": contained(INSTITUTIONAL)}
TOLD = {
    (form, _place(base, path), path)
    for form, base in BASES.items()
    for path, one in _objects(base)
    if isinstance(one, dict) and isinstance(one.get("coding"), list)
}
REPEATED = {
    (form, _place(base, path), path)
    for form, base in BASES.items()
    for path, one in _objects(base)
    if isinstance(one, list) and path[-1] not in ("coding", "contained")
}
NO_MATTER = {
    # a code that is not known beside the one that decides what kind of thing it is
    "Claim.type", "Claim.diagnosis.type", "Claim.supportingInfo.category", "Coverage.class.type",
    "Organization.identifier.type",
    # of which nothing is read
    "Claim.payee.type", "Claim.priority", "ClaimResponse.type", "ClaimResponse.payment.type",
    # that an item has no procedure code, in other words
    "Claim.item.productOrService: data-absent-reason",
    # a name is there or not, and its first one is read; rules ask no more
    "Patient.name", "Practitioner.name", "RelatedPerson.name", "Patient.name.given", "Practitioner.name.given",
    "RelatedPerson.name.given",
    # numbers beyond the first, of which rules ask whether there is one
    "Claim.identifier", "Claim.insurance.preAuthRef",
    # the same provider, payer or group once more
    "Claim.careTeam", "Coverage.payor", "Coverage.class",
}  # fmt: skip
"""Where a second one may be passed over without a word, and why."""


def _silent(form: str, value: dict[str, Any]) -> bool:
    """Whether the claim is read as if nothing had been added."""
    plain, found = read(BASES[form])[0], read(value)[0]
    assert isinstance(plain, Document)
    return isinstance(found, Document) and found.value == plain.value


@pytest.mark.parametrize(("form", "place", "path"), sorted(TOLD, key=str))
def test_a_second_code_of_a_concept_is_read_refused_or_named(form: str, place: str, path: tuple[Any, ...]) -> None:
    """Every CodeableConcept of both claims, with another code of the same system beside its own."""
    value = copy.deepcopy(BASES[form])
    codings = _follow(value, path)["coding"]
    system = codings[0].get("system", "")
    codings.append({**codings[0], "code": _another(codings[0]["code"])})
    assert {place, f"{place}: {system.rpartition('/')[2]}"} & NO_MATTER or not _silent(form, value)


@pytest.mark.parametrize(("form", "place", "path"), sorted(REPEATED, key=str))
def test_one_more_of_what_may_repeat_is_read_refused_or_named(form: str, place: str, path: tuple[Any, ...]) -> None:
    """Every list of both claims, with another one like its last."""
    value = copy.deepcopy(BASES[form])
    rows = _follow(value, path)
    rows.append(_changed(copy.deepcopy(rows[-1])))
    assert place in NO_MATTER or not _silent(form, value)


def test_a_second_payer_of_a_cover_is_named() -> None:
    value = contained(PROFESSIONAL)
    _coverage(value)["payor"].append({"reference": "#other1"})
    (found,) = read(value)
    assert isinstance(found, Document)
    assert found.claim.not_read == ("Coverage.payor",)


def test_a_place_in_the_care_team_that_nobody_has_is_said() -> None:
    value = contained(PROFESSIONAL)
    value["item"][0]["careTeamSequence"] = [77]
    (found,) = read(value)
    assert isinstance(found, Document)
    assert found.claim.oddities == ("Claim.item.careTeamSequence dangling",)
