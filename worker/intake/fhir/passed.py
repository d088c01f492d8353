"""Which elements of a Claim are passed over: named where a rule could ask them, refused where no one knows them.

What is read follows from the tables in fields.py; ELEMENTS is what an R4 Claim may have; rules/unread.py says of each
of the others why no rule asks it, or which could. Source: https://hl7.org/fhir/R4/claim.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache

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
    }.items()
}
"""Each object of an R4 Claim and its elements, beside what every resource and every element has."""
_EVERYWHERE = frozenset(("id", "extension", "modifierExtension"))
"""An extension adds to what is said and never changes it, so that it may be passed over; a modifierExtension does, and
refuses the claim. Source: https://hl7.org/fhir/R4/extensibility.html."""
_OF_A_RESOURCE = frozenset(("resourceType", "meta", "implicitRules", "language", "text", "contained"))


@cache
def classed() -> frozenset[str]:
    """Elements that are passed over for a reason."""
    return frozenset(place for row in UNREAD if "F" in row.forms for place in row.places())


@cache
def _read() -> frozenset[str]:
    return elements_read()


def left_over() -> list[str]:
    """Elements of an R4 Claim that are neither read nor classed: none."""
    return [
        f"{name}.{element}"
        for name, elements in ELEMENTS.items()
        for element in elements
        if name not in classed() and f"{name}.{element}" not in _read() | classed()
    ]


def look_over(claim: Node) -> None:
    """Notes what of the Claim is passed over, and refuses what is none of its elements."""
    refuse_unknown_meaning(claim)
    for name, value in claim.value.items():
        if name != "contained":
            _modifying(value, name, claim)
    _look(claim, "Claim")


def _modifying(value: object, path: str, claim: Node) -> None:
    """A modifierExtension in whatever element."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "modifierExtension" and inner:
                refuse_unknown_meaning(Node(value, f"{claim.path}.{path}", claim.targets, claim.notes))
            else:
                _modifying(inner, f"{path}.{name}", claim)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _modifying(inner, f"{path}[{number}]", claim)


def _look(node: Node, name: str) -> None:
    known = ELEMENTS[name]
    for key, value in node.value.items():
        if value in (None, "", [], {}) or key in known or key.startswith("_"):
            continue
        if key not in _EVERYWHERE and not (name == "Claim" and key in _OF_A_RESOURCE):
            near = get_close_matches(key[:64], known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            node.doubt("", f"has an element that no {name} of FHIR R4 has{hint}")
    for element in known:
        value, place = node.value.get(element), f"{name}.{element}"
        if value in (None, "", [], {}):
            continue
        if place in mattering("F") and place not in _read():
            node.notes.passed.add(place)
        if place in ELEMENTS and place not in classed():
            for one in node.objects(element) if isinstance(value, list) else [node.object(element)]:
                _look(one, place)
