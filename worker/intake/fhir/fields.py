"""What of a claim comes from where in a FHIR Claim: claim field <- object, element. The tables here are what runs.

A newcomer reads FIELDS; scopes.py says which objects its rows name, CHECKS what is looked at besides. Of several rows
for one field the first that finds a value fills it. Source: https://hl7.org/fhir/R4/claim.html.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from worker.intake.fhir import checks, parties, systems
from worker.intake.fhir import elements as read
from worker.intake.fhir.node import Node
from worker.intake.fhir.reading import Reading
from worker.intake.fhir.scopes import INFO, PAYER, SCOPES, TEAM, bases

Form = Literal["P", "I"]


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
    behind: tuple[str, ...] = field(init=False)
    """Elements of the resource that the element refers to, which are what is read."""
    place: str = field(init=False)
    """The element without what chooses the object: `Claim.item.modifier`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "behind", read.BEHIND.get(self.convert, ()))
        object.__setattr__(self, "place", f"{self.at.partition('[')[0]}.{self.element}")


@dataclass(frozen=True, slots=True)
class Check:
    """An element that decides whether the claim can be read at all."""

    at: str
    elements: tuple[str, ...]
    check: Callable[[Reading], None]


_PLACE_OF_SERVICE = read.one_of(systems.place_of_service)


def _display(reference: Node) -> str | None:
    return reference.text("display")


def _named(
    path: str, at: str, element: str = "provider", forms: str = "PI", *, entity: bool = True
) -> tuple[Field, ...]:
    """The rows of NM1 of whoever a Reference names."""
    return (
        *((Field(f"{path}.entity", at, element, read.of_reference(parties.entity), forms),) if entity else ()),
        Field(f"{path}.last_name", at, element, read.of_reference(parties.last_name), forms, quiet=True),
        Field(f"{path}.first_name", at, element, read.of_reference(parties.first_name), forms, quiet=True),
    )


def _of_line(role: str, forms: str) -> tuple[Field, ...]:
    """A provider of an item, by who it is in the care team."""
    path, at = f"lines[].{role}_provider", f"{TEAM}[{role}, of the item]"
    return (
        Field(f"{path}.npi", at, "provider", read.of_reference(parties.npi), forms),
        Field(f"{path}.taxonomy", at, "qualification", read.one_of(systems.taxonomy), forms),
        Field(f"{path}.taxonomy", at, "provider", read.of_reference(parties.taxonomy), forms),
        *_named(path, at, forms=forms),
    )


_PARTS = ("street", "street_more", "city", "zip", "country")


def _address(path: str, at: str, element: str, *, nested: bool = True) -> tuple[Field, ...]:
    """N3 and N4 of whoever a Reference names, but for the state, which is beside them."""
    path = f"{path}.address" if nested else path
    return tuple(
        Field(f"{path}.{part}", at, element, read.of_reference(parties.address(part)), quiet=True) for part in _PARTS
    )


def _own_address(path: str, at: str) -> tuple[Field, ...]:
    """The same of a resource that is at hand, with the state."""
    return tuple(Field(f"{path}.{part}", at, "address", read.address(part), quiet=True) for part in (*_PARTS, "state"))


FIELDS = (
    # the claim
    Field("form", "Claim", "type", read.form_of_type),
    Field("form", "Claim.meta", "profile", read.form),
    Field("claim_id", f"{INFO}[patientaccountnumber]", "valueString", read.control_number, first=True),
    Field("claim_id", "Claim.identifier", "value", read.control_number, first=True),
    Field("claim_id", "Claim", "id", read.control_number),
    Field("claim_id", f"{INFO}[patientaccountnumber]", "valueString", first=True),
    Field("claim_id", "Claim.identifier", "value", first=True),
    Field("frequency_code", f"{INFO}[typeofbill]", "code", read.bill_frequency(any_system=True), "I"),
    Field("frequency_code", "Claim", "subType", read.bill_frequency(any_system=False), "I"),
    Field("frequency_code", "Claim.related[prior]", "relationship", read.frequency),
    Field("original_reference_number", "Claim.related[prior]", "reference", read.original_number, also=("claim",)),
    Field("type_of_bill", f"{INFO}[typeofbill]", "code", read.bill(any_system=True), "I"),
    Field("type_of_bill", "Claim", "subType", read.bill(any_system=False), "I"),
    Field("place_of_service", "Claim.item[first]", "locationCodeableConcept", _PLACE_OF_SERVICE, "P"),
    Field("place_of_service", "Claim.item[first]", "locationAddress", read.place_in_address, "P", quiet=True),
    Field("place_of_service", f"{INFO}[cmspos]", "code", _PLACE_OF_SERVICE, "P"),
    Field("statement_from_date", "Claim.billablePeriod", "start", read.day, "I"),
    Field("statement_through_date", "Claim.billablePeriod", "end", read.day, "I"),
    Field("admission_date", f"{INFO}[admission]", "timingDate", read.day),
    Field("admission_date", f"{INFO}[admission].timingPeriod", "start", read.day),
    Field("admission_hour", f"{INFO}[admission].timingPeriod", "start", read.hour, "I", quiet=True),
    Field("discharge_hour", f"{INFO}[admission].timingPeriod", "end", read.hour, "I", quiet=True),
    Field("discharge_hour", f"{INFO}[discharge].timingPeriod", "end", read.hour, "I", quiet=True),
    Field("discharge_hour", f"{INFO}[discharge].timingPeriod", "start", read.hour, "I", quiet=True),
    Field("admission_type", f"{INFO}[admtype]", "code", read.one_of(systems.plain), "I"),
    Field("point_of_origin", f"{INFO}[pointoforigin]", "code", read.one_of(systems.plain), "I"),
    Field("patient_status", f"{INFO}[discharge-status]", "code", read.one_of(systems.plain), "I"),
    Field("condition_codes", "Claim", "supportingInfo", read.condition_codes, quiet=True),
    Field("occurrences", "Claim", "supportingInfo", read.occurrences, "I", quiet=True),
    Field("occurrence_spans", "Claim", "supportingInfo", read.occurrence_spans, "I", quiet=True),
    Field("value_codes", "Claim", "supportingInfo", read.value_codes, "I", quiet=True),
    Field("onset_date", f"{INFO}[onset]", "timingDate", read.day, "P"),
    Field("onset_date", f"{INFO}[onset].timingPeriod", "start", read.day, "P"),
    Field("related_causes", "Claim.accident", "type", read.one_of(systems.related_causes), "P"),
    Field("accident_date", "Claim.accident", "date", read.day, "P"),
    Field("accident_state", "Claim.accident.locationAddress", "state", read.of_resource(parties.state), "P"),
    Field("accident_state", "Location[of the accident].address", "state", read.of_resource(parties.state), "P"),
    Field("accident_country", "Claim.accident.locationAddress", "country", read.of_resource(parties.country), "P"),
    Field("accident_country", "Location[of the accident].address", "country", read.of_resource(parties.country), "P"),
    Field("total_charge", "Claim", "total", read.money),
    Field("prior_authorization", "Claim.insurance[focal]", "preAuthRef", read.first_text),
    Field("diagnoses", "Claim", "diagnosis", read.numbered_diagnoses),
    Field("admitting_diagnosis", "Claim", "diagnosis", read.diagnosis_of("admitting")),
    Field("reason_diagnoses", "Claim", "diagnosis", read.diagnoses_of("patientreasonforvisit")),
    Field("present_on_admission", "Claim", "diagnosis", read.present_on_admission, "I"),
    # the payers
    Field("payer.id", PAYER, "identifier", read.payer_number, also=("reference",)),
    Field("payer.name", "Organization[payer]", "name"),
    Field("payer.name", PAYER, "display"),
    Field("payer.filing_indicator", "Coverage", "type", read.one_of(systems.filing_indicator)),
    Field("payer.responsibility", "Claim.insurance[focal]", "sequence", read.rank),
    *_own_address("payer.address", "Organization[payer]"),
    Field("other_payers[].responsibility", "Claim.insurance[other]", "sequence", read.rank),
    Field("other_payers[].filing_indicator", "Coverage[other]", "type", read.one_of(systems.filing_indicator)),
    Field("other_payers[].relationship", "Coverage[other]", "relationship", read.one_of(systems.relationship)),
    Field("other_payers[].subscriber.member_id", "Coverage[other]", "subscriberId"),
    Field("other_payers[].subscriber.has_last_name", "Patient[other subscriber]", "name", read.present_name),
    Field("other_payers[].payer_id", "Coverage[other]", "payor", read.other_payer_number),
    Field("other_payers[].adjudication_date", "ClaimResponse.payment", "date", read.day),
    Field("other_payers[].paid", "ClaimResponse.payment", "amount", read.money),
    # the persons
    Field("subscriber.member_id", "Coverage", "subscriberId"),
    Field("subscriber.member_id", "Coverage.identifier[MB]", "value"),
    Field("subscriber.group_number", "Coverage.class[group]", "value"),
    Field("subscriber.relationship", "Coverage", "relationship", read.self_relationship, also=("subscriber",),
          quiet=True),
    Field("subscriber.entity", "Patient[subscriber]", "name", read.person),
    Field("subscriber.last_name", "Patient[subscriber]", "name", read.of_resource(parties.insured_last_name),
          quiet=True),
    Field("subscriber.first_name", "Patient[subscriber]", "name", read.of_resource(parties.insured_first_name),
          quiet=True),
    Field("patient.own_loop", "Coverage", "relationship", read.patients_own, also=("subscriber",), quiet=True),
    Field("patient.last_name", "Patient", "name", read.of_resource(parties.family), quiet=True),
    *_own_address("patient.address", "Patient"),
    Field("patient.birth_date", "Patient", "birthDate", read.day),
    Field("patient.sex", "Patient", "gender", read.sex),
    Field("patient.first_name", "Patient.name[official]", "given", read.first_text),
    # the providers
    Field("billing_provider.npi", "Claim", "provider", read.of_reference(parties.npi)),
    Field("billing_provider.taxonomy", "Claim", "provider", read.of_reference(parties.taxonomy)),
    Field("billing_provider.entity", "Claim", "provider", read.of_reference(parties.entity)),
    Field("billing_provider.state", "Claim", "provider", read.of_reference(parties.state_of)),
    *_named("billing_provider", "Claim", entity=False),
    *_address("billing_provider", "Claim", "provider"),
    Field("billing_provider.tax_id", "Claim", "provider", read.of_reference(parties.tax_id)),
    Field("billing_provider.social_security_number", "Claim", "provider",
          read.of_reference(parties.social_security_number)),
    *_address("pay_to_address", "Claim.payee[another]", "party", nested=False),
    Field("pay_to_address.state", "Claim.payee[another]", "party", read.of_reference(parties.state_of), quiet=True),
    *_named("rendering_provider", f"{TEAM}[rendering]"),
    *_named("referring_provider", f"{TEAM}[referring]"),
    *_named("referring_provider", "ServiceRequest", "requester"),
    *_named("attending_provider", f"{TEAM}[attending]"),
    *_named("operating_provider", f"{TEAM}[operating]"),
    *_named("supervising_provider", f"{TEAM}[supervising]", forms="P"),
    Field("supervising_provider.npi", f"{TEAM}[supervising]", "provider", read.of_reference(parties.npi), "P"),
    Field("supervising_provider.taxonomy", f"{TEAM}[supervising]", "qualification", read.one_of(systems.taxonomy),
          "P"),
    Field("supervising_provider.taxonomy", f"{TEAM}[supervising]", "provider", read.of_reference(parties.taxonomy),
          "P"),
    Field("rendering_provider.npi", f"{TEAM}[rendering]", "provider", read.of_reference(parties.npi)),
    Field("rendering_provider.taxonomy", f"{TEAM}[rendering]", "qualification", read.one_of(systems.taxonomy)),
    Field("rendering_provider.taxonomy", f"{TEAM}[rendering]", "provider", read.of_reference(parties.taxonomy)),
    Field("referring_provider.npi", f"{TEAM}[referring]", "provider", read.of_reference(parties.npi)),
    Field("referring_provider.npi", "ServiceRequest", "requester", read.of_reference(parties.npi)),
    Field("referring_provider.npi", "Claim", "referral", read.of_reference(parties.npi)),
    Field("referring_provider.taxonomy", f"{TEAM}[referring]", "qualification", read.one_of(systems.taxonomy)),
    Field("referring_provider.taxonomy", f"{TEAM}[referring]", "provider", read.of_reference(parties.taxonomy)),
    Field("referring_provider.taxonomy", "ServiceRequest", "requester", read.of_reference(parties.taxonomy)),
    Field("attending_provider.npi", f"{TEAM}[attending]", "provider", read.of_reference(parties.npi)),
    Field("attending_provider.taxonomy", f"{TEAM}[attending]", "qualification", read.one_of(systems.taxonomy)),
    Field("attending_provider.taxonomy", f"{TEAM}[attending]", "provider", read.of_reference(parties.taxonomy)),
    Field("operating_provider.npi", f"{TEAM}[operating]", "provider", read.of_reference(parties.npi)),
    Field("operating_provider.taxonomy", f"{TEAM}[operating]", "qualification", read.one_of(systems.taxonomy)),
    Field("operating_provider.taxonomy", f"{TEAM}[operating]", "provider", read.of_reference(parties.taxonomy)),
    Field("service_facility.npi", "Claim", "facility", read.of_reference(parties.npi)),
    Field("service_facility.name", "Location", "name"),
    Field("service_facility.name", "Claim", "facility", read.of_reference(_display)),
    Field("service_facility.state", "Claim", "facility", read.of_reference(parties.state_of)),
    *_address("service_facility", "Claim", "facility"),
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
    Field("lines[].rendering_provider.npi", f"{TEAM}[rendering, of the item]", "provider",
          read.of_reference(parties.npi)),
    Field("lines[].rendering_provider.taxonomy", f"{TEAM}[rendering, of the item]", "qualification",
          read.one_of(systems.taxonomy)),
    Field("lines[].rendering_provider.taxonomy", f"{TEAM}[rendering, of the item]", "provider",
          read.of_reference(parties.taxonomy)),
    *_named("lines[].rendering_provider", f"{TEAM}[rendering, of the item]"),
    *_of_line("supervising", "P"),
    *_of_line("referring", "PI"),
    Field("lines[].service_facility.npi", "Claim.item", "locationReference", read.of_reference(parties.npi),
          quiet=True),
    Field("lines[].service_facility.name", "Location[of the item]", "name"),
    Field("lines[].service_facility.name", "Claim.item", "locationReference", read.of_reference(_display), quiet=True),
    Field("lines[].service_facility.state", "Claim.item", "locationReference", read.of_reference(parties.state_of),
          quiet=True),
    Field("lines[].service_facility.state", "Claim.item", "locationAddress", read.state_in_address, quiet=True),
    *_address("lines[].service_facility", "Claim.item", "locationReference"),
    *(Field(f"lines[].service_facility.address.{part}", "Claim.item", "locationAddress", read.address(part), quiet=True)
      for part in _PARTS),
    Field("lines[].drug.ndc", "Claim.item.detail[drug]", "productOrService", read.drug),
    Field("lines[].drug.ndc", "Claim.item", "productOrService", read.drug),
    Field("lines[].drug.quantity", "Claim.item.detail[drug]", "quantity", read.quantity),
    Field("lines[].drug.unit", "Claim.item.detail[drug]", "quantity", read.drug_unit),
)  # fmt: skip

CHECKS = (
    Check("Claim", ("use", "status"), checks.is_to_be_sent),
    Check("Claim", ("item",), checks.has_items),
    Check("Claim", ("related", "supportingInfo", "subType"), checks.related_agrees),
    Check("ClaimResponse", ("request", "identifier"), checks.related_agrees),
    Check("Claim.item", ("productOrService", "detail"), checks.nothing_hidden),
    Check("Claim.item.detail", ("productOrService", "subDetail"), checks.nothing_hidden),
    Check("Claim.item.detail.subDetail", ("productOrService",), checks.nothing_hidden),
    Check("Claim", ("procedure",), checks.all_billed),
    Check("Claim.procedure", ("procedureCodeableConcept", "procedureReference"), checks.all_billed),
    Check("Claim.diagnosis",
          ("sequence", "diagnosisCodeableConcept", "diagnosisReference", "type", "onAdmission"), checks.diagnoses),
    Check("Claim.supportingInfo", ("category",), checks.attachments),
    Check("Claim.item", ("locationReference", "locationAddress"), checks.places),
    Check("Claim.careTeam", ("sequence", "role"), checks.team),
    Check("Claim.insurance", ("coverage", "sequence"), checks.other_payers),
    Check("Coverage", ("order", "payor", "relationship", "beneficiary"), checks.covers),
    Check("Claim.supportingInfo", ("category", "code", "timingDate", "timingPeriod", "valueQuantity"),
          checks.categories),
    Check("Claim", ("accident",), checks.accident),
    Check("Claim.item", ("net", "unitPrice", "quantity", "factor"), checks.prices),
)  # fmt: skip

NOT_IN_FHIR = (
    "delay_reason_code", "received_date", "payer.plan", "payer.line_of_business", "payer.insurance_type",
    "billing_provider.participating", "service_facility.kind", "lines[].service_facility.kind",
    "lines[].prior_authorization", "lines[].control_number", "transaction_type", "documentation",
    "statement_is_range", "other_operating_provider", "lines[].non_covered_charge", "several_principal_diagnoses",
    # signatures: R4 has no place but extensions
    "provider_signature", "assignment", "benefits_assigned", "release_of_information", "patient_signature_source",
    "patient_paid", "patient_estimated", "other_payers[].insurance_type", "other_payers[].benefits_assigned",
    "other_payers[].patient_signature_source", "other_payers[].release_of_information",
    "other_payers[].dated_by_lines",
    # which stands beside the address
    "billing_provider.address.state", "service_facility.address.state", "lines[].service_facility.address.state",
)  # fmt: skip
"""Fields that an R4 Claim and what it refers to have no place for; `not_read`, `oddities`, `form_faults` and
`source_format` are a reader's own."""

NOT_READ_OF_FHIR = (
    "has_remark", "has_long_note", "referral_number", "lines[].has_description", "lines[].has_long_note",
    "lines[].decisions", "other_payers[].adjustments", "other_payers[].remaining_liability",
    "other_payers[].noncovered", "other_payers[].remark_codes",
)  # fmt: skip
"""Fields that could stand in FHIR, in places or codes that no two senders share; rules/unread.py says where, and a
claim that has one of the places is noted."""


def source_of(path: str) -> str:
    """Where a field of the claim comes from, in words: `Claim.item.servicedDate, else ...`; empty: from nowhere."""
    rows = dict.fromkeys(f"{row.at}: {row.element}" if row.at == PAYER else f"{row.at}.{row.element}"
                         for row in FIELDS if row.path == path)  # fmt: skip
    return ", else ".join(rows)


RESOURCES = (
    "Claim",
    "Patient",
    "RelatedPerson",
    "Coverage",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "ClaimResponse",
)
"""Of which every element is read or classed. Of a Condition or Procedure the code is read, of a ServiceRequest the
requester."""


@cache
def elements_read() -> frozenset[str]:
    """The elements that the tables here read: `Claim.item.modifier`, `Patient.birthDate`."""
    base = bases()
    found = {f"{base[row.at]}.{name}" for row in FIELDS for name in (row.element, *row.also)}
    found |= {place for row in FIELDS for place in row.behind}
    for scope in SCOPES:
        found.add(f"{base[scope.parent]}.{scope.element}")
        found |= {f"{base[scope.name]}.{name}" for name in scope.by}
    found |= {f"{check.at}.{name}" for check in CHECKS for name in check.elements}
    return frozenset(name for name in found if name.partition(".")[0] in RESOURCES)
