"""Which objects of a FHIR Claim the rows of fields.py read from: elements of the Claim, resources that it refers to,
and those of a list that have a certain code.

A newcomer reads SCOPES. Source: https://hl7.org/fhir/R4/claim.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from worker.intake.fhir import checks, parties
from worker.intake.fhir import elements as read
from worker.intake.fhir.node import Node
from worker.intake.fhir.reading import Reading

Find = Callable[[Node, Reading], list[Node]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Objects that rows read from: an element of the Claim, a resource that it refers to, or those of a list that have
    a certain code."""

    name: str
    """As rows name it; of a list with what chooses among it: `Claim.careTeam[rendering]`."""
    parent: str
    element: str
    find: Find
    """From the parent; several where the element is a list."""
    by: tuple[str, ...] = ()
    """Elements of the object that decide whether it is one of these."""


def _one(name: str) -> Find:
    return lambda node, _reading: [found] if (found := node.object(name)) else []


def _each(name: str) -> Find:
    return lambda node, _reading: node.objects(name)


def _those(name: str, wanted: Callable[[Node], bool]) -> Find:
    return lambda node, _reading: [one for one in node.objects(name) if wanted(one)]


def _target(name: str, *kinds: str) -> Find:
    return lambda node, _reading: [found] if (found := node.object(name).target(*kinds)) else []


def _role(name: str) -> Find:
    return lambda _node, reading: reading.team.members.get(name, [])


def _lead(role: str) -> Find:
    """Whom no item refers to, since an item's own is on the line; the first, where each item has its own."""

    def find(_node: Node, reading: Reading) -> list[Node]:
        found = reading.team.members.get(role, [])
        if len(found) < 2:
            return found
        referred = {sequence for item in reading.items for sequence in item.wholes("careTeamSequence")}
        free = [one for one in found if one.whole("sequence") not in referred]
        return free or (found[:1] if all(_of_item(role)(item, reading) for item in reading.items) else found)

    return find


def _of_item(role: str) -> Find:
    return lambda item, reading: reading.team.in_role(role, item.wholes("careTeamSequence"))


def _another(item: Node, reading: Reading) -> list[Node]:
    """Who referred to an item, where that is not who referred to the claim."""
    claims = [one.value.get("provider") for one in _referring(item, reading)]
    return [one for one in _of_item("referring")(item, reading) if one.value.get("provider") not in claims]


def _referring(_node: Node, reading: Reading) -> list[Node]:
    """The first: a claim may have others by line, which are noted."""
    return reading.team.members.get("referring", [])[:1]


def _official(node: Node, _reading: Reading) -> list[Node]:
    return [found] if (found := parties.official(node)) else []


def _insured(node: Node, _reading: Reading) -> list[Node]:
    """Who is insured with another payer: as `parties.subscriber`."""
    found = parties.subscriber(node, _reading.claim)
    return [found] if found else []


def _payee(node: Node, _reading: Reading) -> list[Node]:
    """Where payments go, if not to who bills; a person who is insured has no place in the 837."""
    payee, provider = node.object("payee"), node.object("provider")
    party = payee.object("party").target()
    return [payee] if party and party.value != provider.target().value else []


INFO, TEAM = "Claim.supportingInfo", "Claim.careTeam"
_CATEGORIES = {
    "onset": ("onset",),
    "admission": ("admissionperiod", "admissiondates", "hospitalized"),
    "discharge": ("dischargedates",),
    "admtype": ("admtype",),
    "pointoforigin": ("pointoforigin",),
    "discharge-status": ("discharge-status", "dischargestatus", "discharge"),
}
"""Of supporting information: HL7's own (claiminformationcategory), CARIN Blue Button's and Da Vinci PAS's."""
PAYER = "Claim.insurer, else Coverage.payor"


def _informed(*names: str) -> tuple[Scope, ...]:
    """Supporting information by its category, and its period."""
    return tuple(
        scope
        for name in names
        for scope in (
            Scope(f"{INFO}[{name}]", "Claim", "supportingInfo",
                  _those("supportingInfo", read.marked(*_CATEGORIES[name])), ("category",)),
            *(
                [Scope(f"{INFO}[{name}].timingPeriod", f"{INFO}[{name}]", "timingPeriod", _one("timingPeriod"))]
                if name in ("onset", "admission", "discharge") else []
            ),
        )
    )  # fmt: skip


SCOPES = (
    Scope("Claim.meta", "Claim", "meta", _one("meta")),
    Scope(f"{INFO}[patientaccountnumber]", "Claim", "supportingInfo",
          _those("supportingInfo", read.marked("patientaccountnumber")), ("category",)),
    Scope(f"{INFO}[typeofbill]", "Claim", "supportingInfo",
          _those("supportingInfo", read.marked("typeofbill")), ("category",)),
    Scope(f"{INFO}[cmspos]", "Claim", "supportingInfo",
          _those("supportingInfo", read.marked("cmspos")), ("category",)),
    *_informed("onset", "admission", "discharge"),
    *_informed("admtype", "pointoforigin", "discharge-status"),
    Scope("Claim.accident", "Claim", "accident", _one("accident")),
    Scope("Claim.accident.locationAddress", "Claim.accident", "locationAddress", _one("locationAddress")),
    Scope("Location[of the accident]", "Claim.accident", "locationReference", _target("locationReference", "Location")),
    Scope("Location[of the accident].address", "Location[of the accident]", "address", _one("address")),
    Scope("Claim.identifier", "Claim", "identifier", _each("identifier")),
    Scope("Claim.related[prior]", "Claim", "related", checks.following, ("relationship",)),
    Scope("Claim.billablePeriod", "Claim", "billablePeriod", _one("billablePeriod")),
    Scope("Claim.payee[another]", "Claim", "payee", _payee),
    # who pays
    Scope(PAYER, "Claim", "insurer", lambda _node, reading: [reading.payer] if reading.payer else []),
    Scope("Organization[payer]", PAYER, "reference", lambda node, _reading: [node.target("Organization")]),
    Scope("Claim.insurance[focal]", "Claim", "insurance", lambda _node, reading: [reading.focal], ("focal",)),
    Scope("Coverage", "Claim.insurance[focal]", "coverage", lambda _node, reading: [reading.coverage]),
    Scope("Coverage.identifier[MB]", "Coverage", "identifier", _those("identifier", read.marked("MB"))),
    Scope("Coverage.class[group]", "Coverage", "class", _those("class", read.marked("group"))),
    Scope("Patient[subscriber]", "Coverage", "subscriber",
          lambda _node, reading: [reading.subscriber] if reading.subscriber else []),
    Scope("Claim.insurance[other]", "Claim", "insurance", lambda _node, reading: reading.others, ("focal",)),
    Scope("Coverage[other]", "Claim.insurance[other]", "coverage", _target("coverage", "Coverage")),
    Scope("Patient[other subscriber]", "Coverage[other]", "subscriber", _insured),
    Scope("ClaimResponse", "Claim.insurance[other]", "claimResponse", _target("claimResponse", "ClaimResponse")),
    Scope("ClaimResponse.payment", "ClaimResponse", "payment", _one("payment")),
    # who is treated, and by whom
    Scope("Patient", "Claim", "patient", _target("patient", "Patient")),
    Scope("Patient.name[official]", "Patient", "name", _official),
    Scope(f"{TEAM}[rendering]", "Claim", "careTeam", _lead("rendering"), ("role",)),
    Scope(f"{TEAM}[referring]", "Claim", "careTeam", _referring, ("role",)),
    Scope(f"{TEAM}[attending]", "Claim", "careTeam", _role("attending"), ("role",)),
    Scope(f"{TEAM}[operating]", "Claim", "careTeam", _role("operating"), ("role",)),
    Scope(f"{TEAM}[supervising]", "Claim", "careTeam", _lead("supervising"), ("role",)),
    Scope("ServiceRequest", "Claim", "referral", _target("referral", "ServiceRequest")),
    Scope("Location", "Claim", "facility", _target("facility", "Location", "Organization")),
    # the items
    Scope("Claim.item", "Claim", "item", _each("item")),
    Scope("Claim.item[first]", "Claim", "item", lambda _node, reading: reading.items[:1]),
    Scope("Claim.item.servicedPeriod", "Claim.item", "servicedPeriod", _one("servicedPeriod")),
    Scope("Location[of the item]", "Claim.item", "locationReference",
          _target("locationReference", "Location", "Organization")),
    Scope("Claim.item.detail[drug]", "Claim.item", "detail", _those("detail", read.is_drug), ("productOrService",)),
    Scope(f"{TEAM}[rendering, of the item]", "Claim.item", "careTeamSequence", _of_item("rendering")),
    Scope(f"{TEAM}[supervising, of the item]", "Claim.item", "careTeamSequence", _of_item("supervising")),
    Scope(f"{TEAM}[referring, of the item]", "Claim.item", "careTeamSequence", _another),
)  # fmt: skip


def bases() -> dict[str, str]:
    """The element or type of resource that a scope stands for, without what chooses it: `Claim.careTeam`."""
    return {"Claim": "Claim", **{scope.name: re.sub(r"\[[^]]*\]", "", scope.name) for scope in SCOPES}}
