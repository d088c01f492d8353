"""Which elements of a Claim are passed over: named where a rule could ask them, refused where no one knows them.

What is read follows from the tables in fields.py; ELEMENTS is what an R4 Claim and what it refers to may have;
rules/unread.py says of each of the others why no rule asks it, or which could. Source: https://hl7.org/fhir/R4/.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache

from rules.problems import MOST
from rules.unread import UNREAD, mattering
from worker.intake.fhir.fields import elements_read
from worker.intake.fhir.node import Node, refuse_unknown_meaning

_PRICED = "sequence revenue category productOrService modifier programCode quantity unitPrice factor net udi"
ELEMENTS: Mapping[str, tuple[str, ...]] = {
    name: tuple(elements.split())
    for name, elements in {
        "Claim": "identifier status type subType use patient billablePeriod created enterer insurer provider priority "
        "fundsReserve related prescription originalPrescription payee referral facility careTeam supportingInfo "
        "diagnosis procedure insurance accident item total",
        "Claim.related": "claim relationship reference",
        "Claim.payee": "type party",
        "Claim.careTeam": "sequence provider responsible role qualification",
        "Claim.supportingInfo": "sequence category code timingDate timingPeriod valueBoolean valueString valueQuantity "
        "valueAttachment valueReference reason",
        "Claim.diagnosis": "sequence diagnosisCodeableConcept diagnosisReference type onAdmission packageCode",
        "Claim.procedure": "sequence type date procedureCodeableConcept procedureReference udi",
        "Claim.insurance": "sequence focal identifier coverage businessArrangement preAuthRef claimResponse",
        "Claim.accident": "date type locationAddress locationReference",
        "Claim.item": f"{_PRICED} careTeamSequence diagnosisSequence procedureSequence informationSequence "
        "servicedDate servicedPeriod locationCodeableConcept locationAddress locationReference bodySite subSite "
        "encounter detail",
        "Claim.item.detail": f"{_PRICED} subDetail",
        "Claim.item.detail.subDetail": _PRICED,
        # what a Claim refers to
        "Patient": "identifier active name telecom gender birthDate deceasedBoolean deceasedDateTime address "
        "maritalStatus multipleBirthBoolean multipleBirthInteger photo contact communication generalPractitioner "
        "managingOrganization link",
        "RelatedPerson": "identifier active patient relationship name telecom gender birthDate address photo period "
        "communication",
        "Coverage": "identifier status type policyHolder subscriber subscriberId beneficiary dependent relationship "
        "period payor class order network costToBeneficiary subrogation contract",
        "Organization": "identifier active type name alias telecom address partOf contact endpoint",
        "Practitioner": "identifier active name telecom address gender birthDate photo qualification communication",
        "PractitionerRole": "identifier active period practitioner organization code specialty location "
        "healthcareService telecom availableTime notAvailable availabilityExceptions endpoint",
        "Location": "identifier status operationalStatus name alias description mode type telecom address "
        "physicalType position managingOrganization partOf hoursOfOperation availabilityExceptions endpoint",
        "ClaimResponse": "identifier status type subType use patient created insurer requestor request outcome "
        "disposition preAuthRef preAuthPeriod payeeType item addItem adjudication total payment fundsReserve formCode "
        "form processNote communicationRequest insurance error",
    }.items()
}
"""Each object of an R4 Claim, and each resource that it refers to, with its elements, beside what every resource and
every element has."""
_EVERYWHERE = frozenset(("id", "extension", "modifierExtension"))
"""An extension adds to what is said and never changes it, so that it may be passed over; a modifierExtension does, and
refuses the claim. Source: https://hl7.org/fhir/R4/extensibility.html."""
_OF_A_RESOURCE = frozenset(("resourceType", "meta", "implicitRules", "language", "text", "contained"))


@cache
def classed() -> frozenset[str]:
    """Elements that are passed over for a reason."""
    return frozenset(place for row in UNREAD if "F" in row.forms for place in row.places())


@cache
def unread() -> frozenset[str]:
    """Those of which nothing is read."""
    return classed() - elements_read()


@cache
def _inner() -> frozenset[str]:
    """Objects whose elements are looked at for themselves."""
    return frozenset(ELEMENTS.keys() - unread())


@cache
def _noted() -> frozenset[str]:
    """Elements that no row reads, and that a rule could ask."""
    return frozenset(mattering("F").keys() - elements_read())


def left_over() -> list[str]:
    """Elements of an R4 Claim, and of what it refers to, that are neither read nor classed: none."""
    return [
        f"{name}.{element}"
        for name, elements in ELEMENTS.items()
        for element in elements
        if name not in unread() and f"{name}.{element}" not in elements_read() | classed()
    ]


def look_over(claim: Node) -> None:
    """Notes what of the Claim is passed over, and refuses what is none of its elements."""
    if _is_modified(claim.value):
        _name_modified(claim.value, claim.path, "Claim", claim)
    _look(claim, "Claim")


def _is_modified(claim: Mapping[str, object]) -> bool:
    """Whether the Claim has what may change its meaning; what it contains is looked at where it is read."""
    rest: list[object] = [value for name, value in claim.items() if name != "contained"]
    if claim.get("modifierExtension") or claim.get("implicitRules"):
        return True
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            if value.get("modifierExtension"):
                return True
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return False


def _name_modified(value: object, path: str, place: str, claim: Node) -> None:
    """`path`: ends with the last element that R4 knows, since any other key could be a person's name."""
    if isinstance(value, dict):
        refuse_unknown_meaning(Node(value, path, claim.targets, claim.notes))
        for name, inner in value.items():
            if name in ("contained", "modifierExtension"):
                continue
            known = name in ELEMENTS.get(place, ())
            _name_modified(inner, f"{path}.{name}" if known else path, f"{place}.{name}" if known else "", claim)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _name_modified(inner, f"{path}[{number}]" if place else path, place, claim)


def _look(node: Node, name: str) -> None:
    known = ELEMENTS[name]
    for key, value in node.value.items():
        if value in (None, "", [], {}) or key.startswith("_") or key in _EVERYWHERE:
            continue
        if key not in known:
            if name != "Claim" or key not in _OF_A_RESOURCE:
                near = get_close_matches(key[:64], known, n=1) if len(node.notes.doubts) < MOST else []
                hint = f"; did you mean {near[0]!r}?" if near else ""
                node.doubt("", f"has an element that no {name} of FHIR R4 has{hint}")
        elif (place := f"{name}.{key}") in _inner():
            for one in node.objects(key) if isinstance(value, list) else [node.object(key)]:
                _look(one, place)
        elif place in _noted():
            node.notes.passed.add(place)
