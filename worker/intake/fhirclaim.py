"""A FHIR R4 Claim in the form of the claim model, with the resources that it refers to.

A Claim in which no item has a CPT or HCPCS code is read as far as it goes, since nothing of it is judged: it is
unchecked. In every other Claim, an item, a diagnosis or a payer that cannot be read refuses the claim. Code systems
are those that US Core, CARIN Blue Button and Da Vinci name.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rules.errors import Problem
from rules.unread import mattering
from worker.intake.fhirparty import (
    RENDERING,
    billing_of,
    dollars,
    facility_of,
    first_text,
    line_provider,
    member,
    other_payer,
    patient_of,
    payer_of,
    subscriber_of,
)  # fmt: skip
from worker.intake.resource import Node, Resource, Targets, plain_system

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
_FORMS = ("professional", "institutional")
_TYPES = (*_FORMS, "pharmacy", "oral", "vision")
_TYPE_OF_BILL = "www.nubc.org/CodeSystem/TypeOfBill"
_KNOWN = {
    "snomed.info/sct": "SNOMED CT", "hl7.org/fhir/sid/cvx": "CVX", "hl7.org/fhir/sid/ndc": "NDC",
    "www.nlm.nih.gov/research/umls/rxnorm": "RxNorm", "loinc.org": "LOINC",
}  # fmt: skip
_CPT = "http://www.ama-assn.org/go/cpt"
_UNITS = {"": "UN", "1": "UN", "{unit}": "UN", "min": "MJ", "d": "DA"}
_DRUG_UNITS = {"mL": "ML", "ml": "ML", "g": "GR", "mg": "ME", "[iU]": "F2", "1": "UN", "{each}": "UN"}
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
    coverage = insurance.object("coverage").target("Coverage")
    lines = [_line(item, claim, judged, places) for item in items]
    _nothing_hidden(claim, items, lines)
    bill = _type_of_bill(claim) if form == "institutional" else None
    original = _original(claim)
    period = claim.object("billablePeriod")
    total = claim.object("total")
    place = lines[0]["place_of_service"] if lines and form == "professional" else None
    passed = _not_read(claim, items, diagnoses)
    apart = {kind: [code for code, types in diagnoses if kind in types] for kind in _LISTED_APART}
    return {
        "claim_id": _claim_id(claim),
        "form": form,
        "frequency_code": bill[-1] if bill else "7" if original else "1",
        "original_reference_number": original,
        "place_of_service": place,
        "type_of_bill": bill,
        "statement_from_date": period.day("start") if form == "institutional" else None,
        "statement_through_date": period.day("end") if form == "institutional" else None,
        "payer": payer_of(claim, insurance, coverage, judged),
        "other_payers": [other_payer(one) for one in claim.objects("insurance") if one.value is not insurance.value],
        "subscriber": subscriber_of(coverage),
        "patient": patient_of(claim.object("patient").target("Patient")),
        "billing_provider": billing_of(claim.object("provider")),
        "rendering_provider": member(claim, *RENDERING),
        "referring_provider": member(claim, "referring"),
        "attending_provider": member(claim, "attending"),
        "operating_provider": member(claim, "operating"),
        "service_facility": facility_of(claim.object("facility")),
        "prior_authorization": first_text(insurance, "preAuthRef"),
        "diagnoses": [code for code, types in diagnoses if not _only_apart(types)],
        "admitting_diagnosis": next(iter(apart["admitting"]), None),
        "reason_diagnoses": apart["patientreasonforvisit"],
        "total_charge": dollars(total) if total else None,
        "lines": lines,
        **({"not_read": passed} if passed else {}),
    }, claim.problems  # fmt: skip


def _not_read(claim: Node, items: list[Node], diagnoses: list[tuple[str, list[str]]]) -> list[str]:
    """The elements that are passed over here and that a rule could ask: see rules/unread.py."""
    there = {
        "supportingInfo.attachment": bool(_supporting(claim, "attachment")),
        "careTeam.supervisor": any(
            {"supervisor", "supervising"} & set(one.object("role").codes()) for one in claim.objects("careTeam")
        ),
        "item.bodySite": any(item.value.get("bodySite") for item in items),
        "item.locationReference": any(map(_nowhere, items)),
        "diagnosis.externalcause": any(kind.startswith("externalcause") for _, types in diagnoses for kind in types),
    }
    return [place for name, found in there.items() if found and (place := f"Claim.{name}") in mattering("F")]


def _nowhere(item: Node) -> bool:
    """Whether it says where the service was given and no state can be had from that."""
    place = item.object("locationReference")
    return bool(place) and not (facility_of(place) or {}).get("state")


def _form(claim: Node) -> str | None:
    """By the type, which may carry codes of the sender's own as well; else by the profiles that the claim names."""
    kinds = [code for code in claim.object("type").codes() if code in _TYPES]
    if not kinds:
        meta = claim.object("meta").value.get("profile")
        names = [str(one).rpartition("/")[2].lower() for one in meta] if isinstance(meta, list) else []
        kinds = [form for form in _FORMS if any(form in name for name in names)]
    if len(kinds) == 1 and kinds[0] in _FORMS:
        return kinds[0]
    if len(kinds) == 1:
        claim.note("type", f"a {kinds[0]} claim goes out in another form than the 837P and 837I, and is not checked")
    else:
        claim.note("type", "expected either professional or institutional")
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


def _original(claim: Node) -> str | None:
    """The payer's number of the claim that this one replaces."""
    prior = [one for one in claim.objects("related") if "prior" in one.object("relationship").codes()]
    return next((value for one in prior if (value := one.object("reference").text("value"))), None)


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
        concept = one.object("diagnosisCodeableConcept") or one.object("diagnosisReference").target("Condition").object(
            "code"
        )
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
        "modifiers": _modifiers(item, judged),
        "units": quantity.number("value"),
        "unit_basis": _unit(quantity, _UNITS) if quantity else None,
        "charge": _charge(item, judged),
        "service_date": first,
        "service_date_end": last if last != first else None,
        "place_of_service": item.object("locationCodeableConcept").code(*_PLACE),
        "diagnosis_pointers": [_pointer(one, places) for one in item.wholes("diagnosisSequence")],
        "revenue_code": revenue,
        "rendering_provider": line_provider(item, claim),
        "drug": _drug(item),
        "service_facility": facility_of(item.object("locationReference")),
    }


def _procedure(item: Node, judged: bool, revenue: str | None) -> str | None:
    concept = _concept(item)
    codes = concept.codes(*PROCEDURES)
    if len(codes) > 1:
        concept.note("", "carries two procedure codes; expected one an item")
    if not codes and judged and not _mentions(concept) and not (revenue and _absent(concept)):
        systems = {plain_system(one.text("system")) for one in concept.objects("coding")}
        found = ", ".join(sorted({_KNOWN.get(system, "another code system") for system in systems})) or "none"
        concept.note("", f"expected a CPT or HCPCS coding ({_CPT}), found {found}")
    return codes[0] if codes else None


def _modifiers(item: Node, judged: bool) -> list[str]:
    found = []
    for one in item.objects("modifier"):
        if code := one.code():
            found.append(code)
        elif judged:
            one.note("", "a modifier without a code cannot be read")
    return found


def _absent(concept: Node) -> bool:
    """Whether the item says that it has no procedure code, as a revenue code alone or a drug by NDC does."""
    systems = {plain_system(one.text("system")) for one in concept.objects("coding")}
    return systems <= {"terminology.hl7.org/CodeSystem/data-absent-reason", *_NDC}


def _nothing_hidden(claim: Node, items: list[Node], lines: list[dict[str, Any]]) -> None:
    """A procedure that is there in any other place or coding than the item's own is a claim that cannot be read."""
    for item, line in zip(items, lines, strict=True):
        if line["procedure"] not in claim.targets.own and (own := _mentions(_concept(item))):
            _concept(item).note("", f"{own} is there, but not as a CPT coding; expected the system {_CPT}")
        for detail in item.objects("detail"):
            for part in (detail, *detail.objects("subDetail")):
                if _concept(part).codes(*PROCEDURES) or _mentions(_concept(part)):
                    part.note("", "a detail carries a procedure; expected an item of its own for each service line")
    billed = {line["procedure"] for line in lines}
    for one in claim.objects("procedure"):
        concept = one.object("procedureCodeableConcept") or one.object("procedureReference").target("Procedure").object(
            "code"
        )
        if (own := _mentions(concept)) and own not in billed:
            one.note("", f"{own} was done, but no item bills it")


def _mentions(concept: Node) -> str | None:
    """The first of the codes that the concept names in whatever way."""
    texts = [concept.text("text"), *(one.text("code") for one in concept.objects("coding"))]
    return next(
        (code for code, own in concept.targets.own.items() for text in texts if text and own.search(text)), None
    )


def _charge(item: Node, judged: bool) -> Decimal | str | None:
    if net := item.object("net"):
        return dollars(net)
    if price := item.object("unitPrice"):
        amount = dollars(price)
        times = (item.object("quantity").number("value"), item.number("factor"))
        for one in times:
            amount = amount * one if amount is not None and one is not None else amount
        return amount.normalize() + 0 if amount is not None else None
    if not judged:
        return "0.00"
    item.note("", "has neither net nor unitPrice, so that its charge is not known")
    return None


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
