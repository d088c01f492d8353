"""Who takes part in a FHIR claim: payers, subscriber, patient, providers and the place, by reference or contained.

A payer is an Organization. Whoever pays for himself is a Patient or RelatedPerson, whose name and numbers are never
read as a payer's: a payer id reaches logs.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from worker.intake.resource import NPI, Node, plain_system

_TAXONOMY = "nucc.org/provider-taxonomy"
_FILING_INDICATOR = "codesystem.x12.org/005010/1032"
_NO_PAYER_IDS = (NPI, "urn:oid:2.16.840.1.113883.4.4")
"""Systems of provider and employer numbers."""
_SEX = {"male": "M", "female": "F"}
_RANKS = "PSTABCDEFGH"
RENDERING = ("rendering", "performing")


def dollars(money: Node) -> Decimal | None:
    """The amount of a Money, which counts as US dollars where it names no currency."""
    if money.text("currency") not in ("USD", None):
        money.note("currency", "expected USD")
    return money.number("value")


def payer_of(claim: Node, insurance: Node, coverage: Node, judged: bool) -> dict[str, Any]:
    """The destination payer; where no rule will ask for it, `unknown` stands for an id that is not there."""
    references = [claim.object("insurer"), _payor(coverage)]
    reference = next((one for one in references if _payer_id(one)), None)
    if reference is None and judged:
        at = "Claim.insurer or Coverage.payor"
        claim.note("insurer", f"no payer id: expected {at} with an identifier, or an Organization that has one")
    rank = insurance.whole("sequence") or 0
    return {
        "id": _payer_id(reference) if reference else "unknown",
        "name": reference.target("Organization").text("name") or reference.text("display") if reference else None,
        "filing_indicator": coverage.object("type").code(_FILING_INDICATOR),
        "responsibility": _RANKS[rank - 1] if 0 < rank <= len(_RANKS) else None,
    }


def _payor(coverage: Node) -> Node:
    """The first payor that is no person."""
    for one in coverage.objects("payor"):
        kind = one.target().kind or one.text("type") or (one.text("reference") or "").partition("/")[0]
        if kind == "Organization":
            return one
    return Node({}, "Coverage.payor", coverage.targets, coverage.problems)


def _payer_id(reference: Node) -> str | None:
    """The identifier that is marked as a payer's, else the only one that is neither an NPI nor a tax number."""
    identifiers = [reference.object("identifier"), *reference.target("Organization").objects("identifier")]
    for one in identifiers:
        if {"payerid", "NIIP"} & set(one.object("type").codes()):
            return one.text("value")
    found = {one.text("value") for one in identifiers if one and plain_system(one.text("system")) not in _NO_PAYER_IDS}
    return found.pop() if len(found) == 1 else None


def other_payer(insurance: Node) -> dict[str, Any]:
    """Another payer of the claim, and what it decided."""
    payment = insurance.object("claimResponse").target("ClaimResponse").object("payment")
    amount = payment.object("amount")
    return {
        "payer_id": _payer_id(_payor(insurance.object("coverage").target("Coverage"))),
        "adjudication_date": payment.day("date"),
        "paid": dollars(amount) if amount else None,
    }


def subscriber_of(coverage: Node) -> dict[str, Any] | None:
    """Who is insured."""
    identifiers = [one for one in coverage.objects("identifier") if "MB" in one.object("type").codes()]
    groups = [one for one in coverage.objects("class") if "group" in one.object("type").codes()]
    found = {
        "member_id": coverage.text("subscriberId") or next((one.text("value") for one in identifiers), None),
        "group_number": next((one.text("value") for one in groups), None),
    }
    return _known(found)


def patient_of(patient: Node) -> dict[str, Any] | None:
    """Who was treated."""
    if not patient:
        return None
    names = sorted(patient.objects("name"), key=lambda name: name.value.get("use") != "official")
    gender = patient.text("gender")
    return {
        "birth_date": patient.day("birthDate"),
        "sex": _SEX.get(gender, "U") if gender else None,
        "first_name": first_text(names[0], "given") if names else None,
    }


def first_text(node: Node, name: str) -> str | None:
    """The first of a list of strings."""
    found = node.value.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str | None) for one in found):
        node.note(name, "expected a list of strings")
        return None
    return next((one for one in found if one), None)


def _provider(reference: Node) -> dict[str, Any]:
    """NPI and taxonomy of a Practitioner, PractitionerRole or Organization, or of a reference that names the NPI."""
    role = reference.target("Practitioner", "PractitionerRole", "Organization", "Location")
    person = role.object("practitioner").target("Practitioner") if role.kind == "PractitionerRole" else role
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


def billing_of(reference: Node) -> dict[str, Any] | None:
    """Who bills."""
    if not reference:
        return None
    found = reference.target("Practitioner", "PractitionerRole", "Organization")
    person = found.object("practitioner").target("Practitioner") if found.kind == "PractitionerRole" else found
    kind = found.kind or reference.text("type") or (reference.text("reference") or "").partition("/")[0]
    entities = {"Organization": "organization", "Practitioner": "person", "PractitionerRole": "person"}
    state = _state(next(iter(person.objects("address")), Node({}, "", reference.targets)))
    return _known({**_provider(reference), "entity": entities.get(kind), "state": state})


def _known(found: dict[str, Any]) -> dict[str, Any] | None:
    """None where nothing is known: an object of nulls says no more."""
    return found if any(value is not None for value in found.values()) else None


def _state(address: Node) -> str | None:
    """As it stands: which state it names is for the facts to say (rules/states.py)."""
    return address.text("state")


def member(claim: Node, *roles: str, sequences: list[int] | None = None) -> dict[str, Any] | None:
    """The first care team member in one of the roles; `sequences`: among these."""
    for one in claim.objects("careTeam"):
        if sequences is not None and one.whole("sequence") not in sequences:
            continue
        if set(roles) & set(one.object("role").codes()):
            found = _provider(one.object("provider"))
            return _known({**found, "taxonomy": one.object("qualification").code(_TAXONOMY) or found["taxonomy"]})
    return None


def line_provider(item: Node, claim: Node) -> dict[str, Any] | None:
    """Who gave the service of one item, where it says so."""
    sequences = item.wholes("careTeamSequence")
    return member(claim, *RENDERING, sequences=sequences) if sequences else None


def facility_of(reference: Node) -> dict[str, Any] | None:
    """Where the services were given."""
    if not reference:
        return None
    place = reference.target("Location", "Organization")
    name = place.text("name") or reference.text("display")
    return _known({"npi": _provider(reference)["npi"], "name": name, "state": _state(place.object("address"))})
