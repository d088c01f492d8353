"""What of a claim comes from where in a FHIR Claim: claim field <- object, element. The tables here are what runs.

A newcomer reads FIELDS; SCOPES says which objects its rows name, CHECKS what is looked at besides. Of several rows for
one field the first that finds a value fills it. Source: https://hl7.org/fhir/R4/claim.html.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from worker.intake.fhir import checks, parties, systems
from worker.intake.fhir import elements as read
from worker.intake.fhir.node import Node
from worker.intake.fhir.reading import Reading

Form = Literal["P", "I"]
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


@dataclass(frozen=True, slots=True)
class Field:
    """One row: the element of the object that fills a field of the claim."""

    path: str
    """Of the claim, as in the claim's JSON; `lines[]` and `other_payers[]` stand for each of them."""
    at: str
    element: str
    convert: read.Convert = read.text
    forms: str = "PI"
    first: bool = False
    """Whether the first of several objects is meant; else two that say different things refuse the claim."""
    also: tuple[str, ...] = ()
    """Elements of the object that have a part in it."""
    quiet: bool = False
    """Whether a check says where the element is not read, since other rows read another part of it."""
    place: str = field(init=False)
    """The element without what chooses the object: `Claim.item.modifier`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", f"{self.at.partition('[')[0]}.{self.element}")


@dataclass(frozen=True, slots=True)
class Check:
    """An element that decides whether the claim can be read at all."""

    at: str
    elements: tuple[str, ...]
    check: Callable[[Reading], None]


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


def _rendering(_node: Node, reading: Reading) -> list[Node]:
    """Whom no item refers to, since an item's own is on the line; the first, where each item has its own."""
    found = reading.team.members.get("rendering", [])
    if len(found) < 2:
        return found
    referred = {sequence for item in reading.items for sequence in item.wholes("careTeamSequence")}
    free = [one for one in found if one.whole("sequence") not in referred]
    return free or (found[:1] if all(_of_item(item, reading) for item in reading.items) else found)


def _of_item(item: Node, reading: Reading) -> list[Node]:
    return reading.team.in_role("rendering", item.wholes("careTeamSequence"))


def _referring(_node: Node, reading: Reading) -> list[Node]:
    """The first: a claim may have others by line, which are noted."""
    return reading.team.members.get("referring", [])[:1]


def _display(reference: Node) -> str | None:
    return reference.text("display")


def _official(node: Node, _reading: Reading) -> list[Node]:
    return sorted(node.objects("name"), key=lambda name: name.value.get("use") != "official")[:1]


def _others(node: Node, reading: Reading) -> list[Node]:
    return [one for one in node.objects("insurance") if one.value is not reading.focal.value]


_INFO, _TEAM = "Claim.supportingInfo", "Claim.careTeam"
_PLACE_OF_SERVICE = read.one_of(systems.place_of_service)
_PAYER = "Claim.insurer, else Coverage.payor"

SCOPES = (
    Scope("Claim.meta", "Claim", "meta", _one("meta")),
    Scope(f"{_INFO}[patientaccountnumber]", "Claim", "supportingInfo",
          _those("supportingInfo", read.marked("patientaccountnumber")), ("category",)),
    Scope(f"{_INFO}[typeofbill]", "Claim", "supportingInfo",
          _those("supportingInfo", read.marked("typeofbill")), ("category",)),
    Scope(f"{_INFO}[cmspos]", "Claim", "supportingInfo",
          _those("supportingInfo", read.marked("cmspos")), ("category",)),
    Scope("Claim.identifier", "Claim", "identifier", _each("identifier")),
    Scope("Claim.related[prior]", "Claim", "related", checks.following, ("relationship",)),
    Scope("Claim.billablePeriod", "Claim", "billablePeriod", _one("billablePeriod")),
    # who pays
    Scope(_PAYER, "Claim", "insurer", lambda _node, reading: [reading.payer] if reading.payer else []),
    Scope("Organization of the payer", _PAYER, "reference", lambda node, _reading: [node.target("Organization")]),
    Scope("Claim.insurance[focal]", "Claim", "insurance", lambda _node, reading: [reading.focal], ("focal",)),
    Scope("Coverage", "Claim.insurance[focal]", "coverage", lambda _node, reading: [reading.coverage]),
    Scope("Coverage.identifier[MB]", "Coverage", "identifier", _those("identifier", read.marked("MB"))),
    Scope("Coverage.class[group]", "Coverage", "class", _those("class", read.marked("group"))),
    Scope("Claim.insurance[other]", "Claim", "insurance", _others, ("focal",)),
    Scope("Coverage of another payer", "Claim.insurance[other]", "coverage", _target("coverage", "Coverage")),
    Scope("ClaimResponse", "Claim.insurance[other]", "claimResponse", _target("claimResponse", "ClaimResponse")),
    Scope("ClaimResponse.payment", "ClaimResponse", "payment", _one("payment")),
    # who is treated, and by whom
    Scope("Patient", "Claim", "patient", _target("patient", "Patient")),
    Scope("Patient.name[official]", "Patient", "name", _official),
    Scope(f"{_TEAM}[rendering]", "Claim", "careTeam", _rendering, ("role",)),
    Scope(f"{_TEAM}[referring]", "Claim", "careTeam", _referring, ("role",)),
    Scope(f"{_TEAM}[attending]", "Claim", "careTeam", _role("attending"), ("role",)),
    Scope(f"{_TEAM}[operating]", "Claim", "careTeam", _role("operating"), ("role",)),
    Scope("ServiceRequest", "Claim", "referral", _target("referral", "ServiceRequest")),
    Scope("Location", "Claim", "facility", _target("facility", "Location", "Organization")),
    # the items
    Scope("Claim.item", "Claim", "item", _each("item")),
    Scope("Claim.item[first]", "Claim", "item", lambda _node, reading: reading.items[:1]),
    Scope("Claim.item.servicedPeriod", "Claim.item", "servicedPeriod", _one("servicedPeriod")),
    Scope("Location of the item", "Claim.item", "locationReference",
          _target("locationReference", "Location", "Organization")),
    Scope("Claim.item.detail[drug]", "Claim.item", "detail", _those("detail", read.is_drug), ("productOrService",)),
    Scope(f"{_TEAM}[rendering, of the item]", "Claim.item", "careTeamSequence", _of_item),
)  # fmt: skip

FIELDS = (
    # the claim
    Field("form", "Claim", "type", read.form_of_type),
    Field("form", "Claim.meta", "profile", read.form),
    Field("claim_id", f"{_INFO}[patientaccountnumber]", "valueString", read.control_number, first=True),
    Field("claim_id", "Claim.identifier", "value", read.control_number, first=True),
    Field("claim_id", "Claim", "id", read.control_number),
    Field("claim_id", f"{_INFO}[patientaccountnumber]", "valueString", first=True),
    Field("claim_id", "Claim.identifier", "value", first=True),
    Field("frequency_code", f"{_INFO}[typeofbill]", "code", read.bill_frequency(any_system=True), "I"),
    Field("frequency_code", "Claim", "subType", read.bill_frequency(any_system=False), "I"),
    Field("frequency_code", "Claim.related[prior]", "relationship", read.frequency),
    Field("original_reference_number", "Claim.related[prior]", "reference", read.original_number, also=("claim",)),
    Field("type_of_bill", f"{_INFO}[typeofbill]", "code", read.bill(any_system=True), "I"),
    Field("type_of_bill", "Claim", "subType", read.bill(any_system=False), "I"),
    Field("place_of_service", "Claim.item[first]", "locationCodeableConcept", _PLACE_OF_SERVICE, "P"),
    Field("place_of_service", "Claim.item[first]", "locationAddress", read.place_in_address, "P", quiet=True),
    Field("place_of_service", f"{_INFO}[cmspos]", "code", _PLACE_OF_SERVICE, "P"),
    Field("statement_from_date", "Claim.billablePeriod", "start", read.day, "I"),
    Field("statement_through_date", "Claim.billablePeriod", "end", read.day, "I"),
    Field("total_charge", "Claim", "total", read.money),
    Field("prior_authorization", "Claim.insurance[focal]", "preAuthRef", read.first_text),
    Field("diagnoses", "Claim", "diagnosis", read.numbered_diagnoses),
    Field("admitting_diagnosis", "Claim", "diagnosis", read.diagnosis_of("admitting")),
    Field("reason_diagnoses", "Claim", "diagnosis", read.diagnoses_of("patientreasonforvisit")),
    # the payers
    Field("payer.id", _PAYER, "identifier", read.payer_number, also=("reference",)),
    Field("payer.name", "Organization of the payer", "name"),
    Field("payer.name", _PAYER, "display"),
    Field("payer.filing_indicator", "Coverage", "type", read.one_of(systems.filing_indicator)),
    Field("payer.responsibility", "Claim.insurance[focal]", "sequence", read.rank),
    Field("other_payers[].payer_id", "Coverage of another payer", "payor", read.other_payer_number),
    Field("other_payers[].adjudication_date", "ClaimResponse.payment", "date", read.day),
    Field("other_payers[].paid", "ClaimResponse.payment", "amount", read.money),
    # the persons
    Field("subscriber.member_id", "Coverage", "subscriberId"),
    Field("subscriber.member_id", "Coverage.identifier[MB]", "value"),
    Field("subscriber.group_number", "Coverage.class[group]", "value"),
    Field("patient.birth_date", "Patient", "birthDate", read.day),
    Field("patient.sex", "Patient", "gender", read.sex),
    Field("patient.first_name", "Patient.name[official]", "given", read.first_text),
    # the providers
    Field("billing_provider.npi", "Claim", "provider", read.of_reference(parties.npi)),
    Field("billing_provider.taxonomy", "Claim", "provider", read.of_reference(parties.taxonomy)),
    Field("billing_provider.entity", "Claim", "provider", read.of_reference(parties.entity)),
    Field("billing_provider.state", "Claim", "provider", read.of_reference(parties.state_of)),
    Field("rendering_provider.npi", f"{_TEAM}[rendering]", "provider", read.of_reference(parties.npi)),
    Field("rendering_provider.taxonomy", f"{_TEAM}[rendering]", "qualification", read.one_of(systems.taxonomy)),
    Field("rendering_provider.taxonomy", f"{_TEAM}[rendering]", "provider", read.of_reference(parties.taxonomy)),
    Field("referring_provider.npi", f"{_TEAM}[referring]", "provider", read.of_reference(parties.npi)),
    Field("referring_provider.npi", "ServiceRequest", "requester", read.of_reference(parties.npi)),
    Field("referring_provider.npi", "Claim", "referral", read.of_reference(parties.npi)),
    Field("referring_provider.taxonomy", f"{_TEAM}[referring]", "qualification", read.one_of(systems.taxonomy)),
    Field("referring_provider.taxonomy", f"{_TEAM}[referring]", "provider", read.of_reference(parties.taxonomy)),
    Field("referring_provider.taxonomy", "ServiceRequest", "requester", read.of_reference(parties.taxonomy)),
    Field("attending_provider.npi", f"{_TEAM}[attending]", "provider", read.of_reference(parties.npi)),
    Field("attending_provider.taxonomy", f"{_TEAM}[attending]", "qualification", read.one_of(systems.taxonomy)),
    Field("attending_provider.taxonomy", f"{_TEAM}[attending]", "provider", read.of_reference(parties.taxonomy)),
    Field("operating_provider.npi", f"{_TEAM}[operating]", "provider", read.of_reference(parties.npi)),
    Field("operating_provider.taxonomy", f"{_TEAM}[operating]", "qualification", read.one_of(systems.taxonomy)),
    Field("operating_provider.taxonomy", f"{_TEAM}[operating]", "provider", read.of_reference(parties.taxonomy)),
    Field("service_facility.npi", "Claim", "facility", read.of_reference(parties.npi)),
    Field("service_facility.name", "Location", "name"),
    Field("service_facility.name", "Claim", "facility", read.of_reference(_display)),
    Field("service_facility.state", "Claim", "facility", read.of_reference(parties.state_of)),
    # the service lines
    Field("lines[].number", "Claim.item", "sequence", read.whole),
    Field("lines[].procedure", "Claim.item", "productOrService", read.procedure),
    Field("lines[].modifiers", "Claim.item", "modifier", read.modifiers),
    Field("lines[].units", "Claim.item", "quantity", read.quantity),
    Field("lines[].unit_basis", "Claim.item", "quantity", read.unit),
    Field("lines[].charge", "Claim.item", "net", read.money),
    Field("lines[].charge", "Claim.item", "unitPrice", read.price, also=("quantity", "factor")),
    Field("lines[].service_date", "Claim.item", "servicedDate", read.day),
    Field("lines[].service_date", "Claim.item.servicedPeriod", "start", read.day),
    Field("lines[].service_date", "Claim.billablePeriod", "start", read.only_day, also=("end",)),
    Field("lines[].service_date_end", "Claim.item.servicedPeriod", "end", read.later_day),
    Field("lines[].place_of_service", "Claim.item", "locationCodeableConcept", _PLACE_OF_SERVICE),
    Field("lines[].place_of_service", "Claim.item", "locationAddress", read.place_in_address, quiet=True),
    Field("lines[].diagnosis_pointers", "Claim.item", "diagnosisSequence", read.pointers),
    Field("lines[].revenue_code", "Claim.item", "revenue", read.one_of(systems.revenue)),
    Field("lines[].rendering_provider.npi", f"{_TEAM}[rendering, of the item]", "provider",
          read.of_reference(parties.npi)),
    Field("lines[].rendering_provider.taxonomy", f"{_TEAM}[rendering, of the item]", "qualification",
          read.one_of(systems.taxonomy)),
    Field("lines[].rendering_provider.taxonomy", f"{_TEAM}[rendering, of the item]", "provider",
          read.of_reference(parties.taxonomy)),
    Field("lines[].service_facility.npi", "Claim.item", "locationReference", read.of_reference(parties.npi),
          quiet=True),
    Field("lines[].service_facility.name", "Location of the item", "name"),
    Field("lines[].service_facility.name", "Claim.item", "locationReference", read.of_reference(_display), quiet=True),
    Field("lines[].service_facility.state", "Claim.item", "locationReference", read.of_reference(parties.state_of),
          quiet=True),
    Field("lines[].service_facility.state", "Claim.item", "locationAddress", read.state_in_address, quiet=True),
    Field("lines[].drug.ndc", "Claim.item.detail[drug]", "productOrService", read.drug),
    Field("lines[].drug.ndc", "Claim.item", "productOrService", read.drug),
    Field("lines[].drug.quantity", "Claim.item.detail[drug]", "quantity", read.quantity),
    Field("lines[].drug.unit", "Claim.item.detail[drug]", "quantity", read.drug_unit),
)  # fmt: skip

CHECKS = (
    Check("Claim", ("use", "status"), checks.is_to_be_sent),
    Check("Claim", ("item",), checks.has_items),
    Check("Claim", ("related", "supportingInfo", "subType"), checks.related_agrees),
    Check("Claim.item", ("productOrService", "detail"), checks.nothing_hidden),
    Check("Claim.item.detail", ("productOrService", "subDetail"), checks.nothing_hidden),
    Check("Claim.item.detail.subDetail", ("productOrService",), checks.nothing_hidden),
    Check("Claim", ("procedure",), checks.all_billed),
    Check("Claim.procedure", ("procedureCodeableConcept", "procedureReference"), checks.all_billed),
    Check("Claim.diagnosis", ("sequence", "diagnosisCodeableConcept", "diagnosisReference", "type"), checks.diagnoses),
    Check("Claim.supportingInfo", ("category",), checks.attachments),
    Check("Claim.item", ("locationReference", "locationAddress"), checks.places),
    Check("Claim.careTeam", ("sequence", "role"), checks.team),
)  # fmt: skip

NOT_IN_FHIR = (
    "delay_reason_code", "received_date", "payer.plan", "payer.line_of_business", "billing_provider.participating",
    "service_facility.kind", "lines[].service_facility.kind", "lines[].prior_authorization", "transaction_type",
    "documentation",
    # of the institutional form
    "statement_is_range", "admission_date", "admission_hour", "discharge_hour", "admission_type", "point_of_origin",
    "patient_status", "condition_codes", "occurrences", "occurrence_spans", "value_codes", "has_remark",
    "billing_provider.last_name", "billing_provider.first_name", "other_operating_provider", "present_on_admission",
    "lines[].non_covered_charge",
    # names of providers
    "attending_provider.entity", "attending_provider.first_name", "attending_provider.last_name",
    "lines[].rendering_provider.entity", "lines[].rendering_provider.first_name",
    "lines[].rendering_provider.last_name", "operating_provider.entity", "operating_provider.first_name",
    "operating_provider.last_name", "referring_provider.entity", "referring_provider.first_name",
    "referring_provider.last_name", "rendering_provider.entity", "rendering_provider.first_name",
    "rendering_provider.last_name",
    # names, addresses, indicators and dates that form rules ask
    "payer.address", "subscriber.entity", "subscriber.last_name", "subscriber.first_name", "patient.last_name",
    "patient.address", "billing_provider.address", "billing_provider.tax_id", "billing_provider.social_security_number",
    "supervising_provider", "service_facility.address", "pay_to_address", "provider_signature", "assignment",
    "benefits_assigned", "release_of_information", "patient_signature_source", "related_causes", "accident_state",
    "accident_country", "accident_date", "onset_date", "referral_number", "patient_paid", "has_long_note",
    "several_principal_diagnoses", "lines[].control_number", "lines[].has_description", "lines[].has_long_note",
    "lines[].supervising_provider", "lines[].referring_provider", "lines[].service_facility.address",
    # other payers, but who they are, what they paid and when
    "payer.insurance_type", "subscriber.relationship", "patient.own_loop", "lines[].decisions",
    "other_payers[].dated_by_lines", "other_payers[].responsibility", "other_payers[].relationship",
    "other_payers[].insurance_type", "other_payers[].filing_indicator", "other_payers[].adjustments",
    "other_payers[].remaining_liability", "other_payers[].noncovered", "other_payers[].benefits_assigned",
    "other_payers[].patient_signature_source", "other_payers[].release_of_information", "other_payers[].subscriber",
    "other_payers[].remark_codes",
)  # fmt: skip
"""Fields that FHIR has no place for, or none that is read; `not_read`, `oddities`, `form_faults` and `source_format`
are a reader's own."""


def source_of(path: str) -> str:
    """Where a field of the claim comes from, in words: `Claim.item.servicedDate, else ...`; empty: from nowhere."""
    rows = dict.fromkeys(f"{row.at}: {row.element}" if row.at == _PAYER else f"{row.at}.{row.element}"
                         for row in FIELDS if row.path == path)  # fmt: skip
    return ", else ".join(rows)


def elements_read() -> frozenset[str]:
    """The elements of a Claim that the tables here read: `Claim.item.modifier`."""
    base = {scope.name: scope.name.partition("[")[0] for scope in SCOPES}
    found = {f"{base.get(row.at, row.at)}.{name}" for row in FIELDS for name in (row.element, *row.also)}
    for scope in SCOPES:
        found.add(f"{base.get(scope.parent, scope.parent)}.{scope.element}")
        found |= {f"{base[scope.name]}.{name}" for name in scope.by}
    found |= {f"{check.at}.{name}" for check in CHECKS for name in check.elements}
    return frozenset(name for name in found if name.startswith("Claim."))
