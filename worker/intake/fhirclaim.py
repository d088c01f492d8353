"""A FHIR R4 Claim in the form of the claim model, with the resources that it refers to.

A Claim in which no item has a CPT or HCPCS code is read as far as it goes, since nothing of it is judged: it is
unchecked. In every other Claim, an item, a diagnosis or a payer that cannot be read refuses the claim. Code systems
are those that US Core, CARIN Blue Button and Da Vinci name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from rules.errors import Problem
from worker.intake.resource import NPI, Node, Resource, Targets, plain_system

PROCEDURES = (
    "www.ama-assn.org/go/cpt", "urn:oid:2.16.840.1.113883.6.12",
    "www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "urn:oid:2.16.840.1.113883.6.285",
    "urn:oid:2.16.840.1.113883.6.14", "bluebutton.cms.gov/resources/codesystem/hcpcs",
)  # fmt: skip
_DIAGNOSES = (
    "hl7.org/fhir/sid/icd-10-cm", "hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90",
    "hl7.org/fhir/sid/icd-9-cm", "urn:oid:2.16.840.1.113883.6.103",
)  # fmt: skip
_NDC = ("hl7.org/fhir/sid/ndc", "urn:oid:2.16.840.1.113883.6.69")
_PLACE = (
    "www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set",
    "terminology.hl7.org/CodeSystem/ex-serviceplace",
)  # fmt: skip
_TYPE_OF_BILL = "www.nubc.org/CodeSystem/TypeOfBill"
_TAXONOMY = "nucc.org/provider-taxonomy"
_FILING_INDICATOR = "codesystem.x12.org/005010/1032"
_TAX_NUMBER = "urn:oid:2.16.840.1.113883.4.4"
_KNOWN = {
    "snomed.info/sct": "SNOMED CT", "hl7.org/fhir/sid/cvx": "CVX", "hl7.org/fhir/sid/ndc": "NDC",
    "www.nlm.nih.gov/research/umls/rxnorm": "RxNorm", "loinc.org": "LOINC",
}  # fmt: skip
_OWN_CODE = re.compile(r"(?<!\d)64445(?!\d)")
_UNITS = {"": "UN", "1": "UN", "{unit}": "UN", "min": "MJ", "d": "DA"}
_DRUG_UNITS = {"mL": "ML", "ml": "ML", "g": "GR", "mg": "ME", "[iU]": "F2", "1": "UN", "{each}": "UN"}
_SEX = {"male": "M", "female": "F"}
_RANKS = "PSTABCDEFGH"
_RENDERING = ("rendering", "performing")
_LISTED_APART = ("admitting", "patientreasonforvisit", "externalcauseofinjury", "externalcause")


def claim_of(value: Resource, targets: Targets) -> tuple[dict[str, Any], list[Problem]]:
    """The claim, not yet validated, and every problem of reading it; with a problem the claim is not to be used."""
    claim = Node(value, "Claim", targets.within(value))
    form = _form(claim)
    _is_to_be_sent(claim)
    items = claim.objects("item")
    if not items and not claim.problems:
        claim.note("item", "expected at least one item")
    judged = any(_concept(item).codes(*PROCEDURES) for item in items)
    diagnoses, places = _diagnoses(claim, judged)
    insurance = _focal(claim)
    coverage = insurance.object("coverage").target()
    lines = [_line(item, claim, judged, places) for item in items]
    _nothing_hidden(claim, items, lines)
    bill = _type_of_bill(claim) if form == "institutional" else None
    prior = next((one for one in claim.objects("related") if "prior" in one.object("relationship").codes()), None)
    period = claim.object("billablePeriod")
    total = claim.object("total")
    place = lines[0]["place_of_service"] if lines and form == "professional" else None
    apart = {kind: [code for code, types in diagnoses if kind in types] for kind in _LISTED_APART}
    return {
        "claim_id": _claim_id(claim),
        "form": form,
        "frequency_code": bill[-1] if bill else "7" if prior else "1",
        "original_reference_number": prior.object("reference").text("value") if prior else None,
        "place_of_service": place,
        "type_of_bill": bill,
        "statement_from_date": period.day("start") if form == "institutional" else None,
        "statement_through_date": period.day("end") if form == "institutional" else None,
        "payer": _payer(claim, insurance, coverage, judged),
        "other_payers": [_other_payer(one) for one in claim.objects("insurance") if one.value is not insurance.value],
        "subscriber": _subscriber(coverage),
        "patient": _patient(claim.object("patient").target()),
        "billing_provider": _billing(claim.object("provider")),
        "rendering_provider": _member(claim, *_RENDERING),
        "referring_provider": _member(claim, "referring"),
        "attending_provider": _member(claim, "attending"),
        "operating_provider": _member(claim, "operating"),
        "service_facility": _facility(claim.object("facility")),
        "prior_authorization": _first_text(insurance, "preAuthRef"),
        "diagnoses": [code for code, types in diagnoses if not _only_apart(types)],
        "admitting_diagnosis": next(iter(apart["admitting"]), None),
        "reason_diagnoses": apart["patientreasonforvisit"],
        "total_charge": _dollars(total) if total else None,
        "lines": lines,
    }, claim.problems  # fmt: skip


def _form(claim: Node) -> Literal["professional", "institutional"] | None:
    kinds = claim.object("type").codes()
    if not kinds:
        meta = claim.object("meta").value.get("profile")
        names = [str(one).rpartition("/")[2].lower() for one in meta] if isinstance(meta, list) else []
        kinds = [form for form in ("professional", "institutional") if any(form in name for name in names)]
    if len(kinds) == 1 and kinds[0] in ("professional", "institutional"):
        return kinds[0]  # type: ignore[return-value]
    if kinds and kinds[0] in ("pharmacy", "oral", "vision"):
        claim.note("type", f"a {kinds[0]} claim goes out in another form than the 837P and 837I, and is not checked")
    else:
        claim.note("type", "expected professional or institutional")
    return None


def _is_to_be_sent(claim: Node) -> None:
    use, status = claim.text("use"), claim.text("status")
    if use in ("preauthorization", "predetermination"):
        claim.note("use", f"this is a {use}, which is not billed; expected claim")
    elif use not in ("claim", None):
        claim.note("use", "expected claim")
    if status in ("cancelled", "entered-in-error"):
        claim.note("status", f"the claim is marked {status}; expected active")
    elif status not in ("active", "draft", None):
        claim.note("status", "expected active")


def _claim_id(claim: Node) -> str | None:
    """The patient control number; what is too long for CLM01 gives way to the next."""
    known = [one.text("valueString") for one in _supporting(claim, "patientaccountnumber")]
    known += [one.text("value") for one in claim.objects("identifier")]
    known.append(claim.text("id"))
    fitting = [one for one in known if one and len(one) <= 38]
    return next(iter(fitting), None) or next((one for one in known if one), None)


def _supporting(claim: Node, category: str) -> list[Node]:
    return [one for one in claim.objects("supportingInfo") if category in one.object("category").codes()]


def _type_of_bill(claim: Node) -> str | None:
    codes = [one.object("code").code() for one in _supporting(claim, "typeofbill")]
    found = next((code for code in codes if code), None) or claim.object("subType").code(_TYPE_OF_BILL)
    return f"0{found}" if found and len(found) == 3 else found


def _diagnoses(claim: Node, judged: bool) -> tuple[list[tuple[str, list[str]]], dict[int, int]]:
    """Each code with its types, and the position in the claim's list (from 1) of each sequence number."""
    rows = []
    for one in claim.objects("diagnosis"):
        concept = one.object("diagnosisCodeableConcept") or one.object("diagnosisReference").target().object("code")
        types = [code.lower() for kind in one.objects("type") for code in kind.codes()]
        code, sequence = concept.code(*_DIAGNOSES), one.whole("sequence")
        if code is None or sequence is None:
            if judged:
                one.note("", "no ICD-10-CM code can be read here, nor from a Condition that came with the claim")
            continue
        rows.append((sequence, code, types))
    rows.sort(key=lambda row: ("principal" not in row[2], row[0]))
    listed = [sequence for sequence, _, types in rows if not _only_apart(types)]
    return [row[1:] for row in rows], {sequence: place for place, sequence in enumerate(listed, 1)}


def _only_apart(types: list[str]) -> bool:
    """Whether a diagnosis has a segment of its own in the 837 and is none of the numbered ones."""
    return bool(types) and all(kind in _LISTED_APART for kind in types)


def _concept(item: Node) -> Node:
    return item.object("productOrService")


def _line(item: Node, claim: Node, judged: bool, places: Mapping[int, int]) -> dict[str, Any]:
    revenue = item.object("revenue").code()
    quantity = item.object("quantity")
    first, last = _days(item, claim)
    return {
        "number": item.whole("sequence"),
        "procedure": _procedure(item, judged, revenue),
        "modifiers": [code for one in item.objects("modifier") if (code := one.code())],
        "units": quantity.number("value"),
        "unit_basis": _unit(quantity, _UNITS) if quantity else None,
        "charge": _charge(item, judged),
        "service_date": first,
        "service_date_end": last if last != first else None,
        "place_of_service": item.object("locationCodeableConcept").code(*_PLACE),
        "diagnosis_pointers": [_pointer(one, places) for one in item.wholes("diagnosisSequence")],
        "revenue_code": revenue,
        "rendering_provider": _line_provider(item, claim),
        "drug": _drug(item),
    }


def _procedure(item: Node, judged: bool, revenue: str | None) -> str | None:
    concept = _concept(item)
    codes = concept.codes(*PROCEDURES)
    if len(codes) > 1:
        concept.note("", "carries two procedure codes; expected one an item")
    if not codes and judged and not (revenue and _absent(concept)):
        systems = {plain_system(one.text("system")) for one in concept.objects("coding")}
        found = ", ".join(sorted({_KNOWN.get(system, "another code system") for system in systems})) or "none"
        concept.note("", f"expected a CPT or HCPCS coding ({PROCEDURES[0]}), found {found}")
    return codes[0] if codes else None


def _absent(concept: Node) -> bool:
    """Whether the item says that it has no procedure code, as a revenue code alone or a drug by NDC does."""
    systems = {plain_system(one.text("system")) for one in concept.objects("coding")}
    return systems <= {"terminology.hl7.org/CodeSystem/data-absent-reason", *_NDC}


def _nothing_hidden(claim: Node, items: list[Node], lines: list[dict[str, Any]]) -> None:
    """A procedure that is there in any other place or coding than the item's own is a claim that cannot be read."""
    for item, line in zip(items, lines, strict=True):
        if line["procedure"] != "64445" and _mentions(_concept(item)):
            _concept(item).note("", f"64445 is there, but not as a CPT coding; expected the system {PROCEDURES[0]}")
        for detail in item.objects("detail"):
            for part in (detail, *detail.objects("subDetail")):
                if _concept(part).codes(*PROCEDURES) or _mentions(_concept(part)):
                    part.note("", "a detail carries a procedure; expected an item of its own for each service line")
    if any(line["procedure"] == "64445" for line in lines):
        return
    for one in claim.objects("procedure"):
        concept = one.object("procedureCodeableConcept") or one.object("procedureReference").target().object("code")
        if _mentions(concept):
            one.note("", "64445 was done, but no item bills it")


def _mentions(concept: Node) -> bool:
    texts = [concept.text("text"), *(one.text("code") for one in concept.objects("coding"))]
    return any(_OWN_CODE.search(text) for text in texts if text)


def _charge(item: Node, judged: bool) -> Decimal | str | None:
    if net := item.object("net"):
        return _dollars(net)
    if price := item.object("unitPrice"):
        amount = _dollars(price)
        times = (item.object("quantity").number("value"), item.number("factor"))
        for one in times:
            amount = amount * one if amount is not None and one is not None else amount
        return amount.normalize() + 0 if amount is not None else None
    if not judged:
        return "0.00"
    item.note("", "has neither net nor unitPrice, so that its charge is not known")
    return None


def _dollars(money: Node) -> Decimal | None:
    if money.text("currency") not in ("USD", None):
        money.note("currency", "expected USD")
    return money.number("value")


def _days(item: Node, claim: Node) -> tuple[str | None, str | None]:
    if "servicedDate" in item.value:
        return item.day("servicedDate"), None
    period = item.object("servicedPeriod")
    if not period:
        # Every service lies within the billable period: one of a single day dates them all.
        period = claim.object("billablePeriod")
        if period.day("start") != period.day("end"):
            return None, None
    return period.day("start"), period.day("end")


def _pointer(sequence: int, places: Mapping[int, int]) -> int:
    """A sequence that no listed diagnosis has stays out of range, for the rule that judges it."""
    return places.get(sequence, sequence if sequence > len(places) else 0)


def _unit(quantity: Node, names: Mapping[str, str]) -> str:
    unit = quantity.text("code") or quantity.text("unit") or ""
    return names.get(unit, unit)


def _drug(item: Node) -> dict[str, Any] | None:
    for part in (item, *item.objects("detail")):
        if ndc := _concept(part).code(*_NDC):
            quantity = part.object("quantity") if part is not item else Node({}, "", item.targets)
            unit = _unit(quantity, _DRUG_UNITS) if quantity else None
            return {"ndc": _eleven(ndc), "quantity": quantity.number("value"), "unit": unit or None}
    return None


def _eleven(ndc: str) -> str:
    """A hyphenated NDC in 5-4-2 form without its hyphens; the segment that is short says where the zero belongs."""
    parts = ndc.split("-")
    if len(parts) == 3 and all(part.isdigit() for part in parts):
        return "".join(part.zfill(size) for part, size in zip(parts, (5, 4, 2), strict=True))
    return ndc


def _focal(claim: Node) -> Node:
    insurance = claim.objects("insurance")
    focal = [one for one in insurance if one.value.get("focal") is True]
    if len(focal) == 1:
        return focal[0]
    if len(insurance) == 1:
        return insurance[0]
    claim.note("insurance", "expected one insurance with focal true: the payer that this claim goes to")
    return Node({}, "Claim.insurance", claim.targets, claim.problems)


def _payer(claim: Node, insurance: Node, coverage: Node, judged: bool) -> dict[str, Any]:
    reference = claim.object("insurer") or _payor(coverage)
    found = _payer_id(reference)
    name = reference.target().text("name") or reference.text("display") or insurance.object("coverage").text("display")
    if found is None:
        if judged:
            at = "Claim.insurer or Coverage.payor"
            claim.note("insurer", f"no payer id: expected {at} with an identifier, or an Organization that has one")
        # A name is no id of the registry; it only stands in for one where no rule will ask.
        found = name or reference.text("reference") or insurance.object("coverage").text("reference")
    rank = insurance.whole("sequence") or 0
    return {
        "id": found[:80] if found else None,
        "name": name,
        "filing_indicator": coverage.object("type").code(_FILING_INDICATOR),
        "responsibility": _RANKS[rank - 1] if 0 < rank <= len(_RANKS) else None,
    }


def _payor(coverage: Node) -> Node:
    return next(iter(coverage.objects("payor")), Node({}, "Coverage.payor", coverage.targets, coverage.problems))


def _payer_id(reference: Node) -> str | None:
    identifiers = [reference.object("identifier"), *reference.target().objects("identifier")]
    for one in identifiers:
        if {"payerid", "NIIP"} & set(one.object("type").codes()):
            return one.text("value")
    no_payer_ids = (NPI, _TAX_NUMBER)
    others = {one.text("value") for one in identifiers if one and plain_system(one.text("system")) not in no_payer_ids}
    return others.pop() if len(others) == 1 else None


def _other_payer(insurance: Node) -> dict[str, Any]:
    payment = insurance.object("claimResponse").target().object("payment")
    amount = payment.object("amount")
    return {
        "payer_id": _payer_id(_payor(insurance.object("coverage").target())),
        "adjudication_date": payment.day("date"),
        "paid": _dollars(amount) if amount else None,
    }


def _subscriber(coverage: Node) -> dict[str, Any] | None:
    identifiers = [one for one in coverage.objects("identifier") if "MB" in one.object("type").codes()]
    groups = [one for one in coverage.objects("class") if "group" in one.object("type").codes()]
    found = {
        "member_id": coverage.text("subscriberId") or next((one.text("value") for one in identifiers), None),
        "group_number": next((one.text("value") for one in groups), None),
    }
    return _known(found)


def _patient(patient: Node) -> dict[str, Any] | None:
    if not patient:
        return None
    names = sorted(patient.objects("name"), key=lambda name: name.value.get("use") != "official")
    gender = patient.text("gender")
    return {
        "birth_date": patient.day("birthDate"),
        "sex": _SEX.get(gender, "U") if gender else None,
        "first_name": _first_text(names[0], "given") if names else None,
    }


def _first_text(node: Node, name: str) -> str | None:
    found = node.value.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str | None) for one in found):
        node.note(name, "expected a list of strings")
        return None
    return next((one for one in found if one), None)


def _provider(reference: Node) -> dict[str, Any]:
    """NPI and taxonomy of a Practitioner, PractitionerRole or Organization, or of a reference that names the NPI."""
    role = reference.target()
    person = role.object("practitioner").target() if role.kind == "PractitionerRole" else role
    identifiers = [reference.object("identifier"), *role.objects("identifier"), *person.objects("identifier")]
    npis = [one.text("value") for one in identifiers if plain_system(one.text("system")) == NPI]
    conditional = re.fullmatch(rf"\w+\?identifier=https?://{re.escape(NPI)}\|(\w+)", reference.text("reference") or "")
    concepts = [*role.objects("specialty"), *(one.object("code") for one in person.objects("qualification"))]
    if role.kind == "Organization":
        concepts += role.objects("type")
    return {
        "npi": next((one for one in npis if one), conditional[1] if conditional else None),
        "taxonomy": next((code for one in concepts if (code := one.code(_TAXONOMY))), None),
    }


def _billing(reference: Node) -> dict[str, Any] | None:
    if not reference:
        return None
    found = reference.target()
    person = found.object("practitioner").target() if found.kind == "PractitionerRole" else found
    kind = found.kind or reference.text("type") or (reference.text("reference") or "").partition("/")[0]
    entities = {"Organization": "organization", "Practitioner": "person", "PractitionerRole": "person"}
    state = _state(next(iter(person.objects("address")), Node({}, "", reference.targets)))
    return _known({**_provider(reference), "entity": entities.get(kind), "state": state})


def _known(found: dict[str, Any]) -> dict[str, Any] | None:
    """None where nothing is known: an object of nulls says no more."""
    return found if any(value is not None for value in found.values()) else None


def _state(address: Node) -> str | None:
    state = address.text("state")
    return state.upper() if state and len(state) == 2 else None


def _member(claim: Node, *roles: str, sequences: list[int] | None = None) -> dict[str, Any] | None:
    """The first care team member in one of the roles; `sequences`: among these."""
    for one in claim.objects("careTeam"):
        if sequences is not None and one.whole("sequence") not in sequences:
            continue
        if set(roles) & set(one.object("role").codes()):
            found = _provider(one.object("provider"))
            return _known({**found, "taxonomy": one.object("qualification").code(_TAXONOMY) or found["taxonomy"]})
    return None


def _line_provider(item: Node, claim: Node) -> dict[str, Any] | None:
    sequences = item.wholes("careTeamSequence")
    return _member(claim, *_RENDERING, sequences=sequences) if sequences else None


def _facility(reference: Node) -> dict[str, Any] | None:
    if not reference:
        return None
    place = reference.target()
    name = place.text("name") or reference.text("display")
    return _known({"npi": _provider(reference)["npi"], "name": name, "state": _state(place.object("address"))})
