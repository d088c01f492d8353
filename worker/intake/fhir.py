"""Reading FHIR R4: the Claims among the resources of a Bundle or of a line, and what else is there.

`FIELDS` says which element each field of a claim comes from. Source: https://hl7.org/fhir/R4/claim.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from rules.errors import Problem
from rules.problems import MOST
from worker.intake.fhirclaim import claim_of
from worker.intake.resource import Node, Resource, Targets

NOT_IN_FHIR = "-"
FIELDS: Mapping[str, str] = MappingProxyType({
    "claim_id": "Claim.supportingInfo[patientaccountnumber].valueString, else identifier.value, else id",
    "form": "Claim.type, else meta.profile",
    "frequency_code": "the last digit of type_of_bill; without one 7 where there is an original_reference_number",
    "original_reference_number": "Claim.related[prior].reference.value",
    "delay_reason_code": NOT_IN_FHIR,
    "received_date": NOT_IN_FHIR,
    "place_of_service": "Claim.item[0].locationCodeableConcept (CMS place of service)",
    "type_of_bill": "Claim.supportingInfo[typeofbill].code, else subType (NUBC); three digits get their leading zero",
    "statement_from_date": "Claim.billablePeriod.start (institutional)",
    "statement_through_date": "Claim.billablePeriod.end (institutional)",
    "payer.id": "identifier (payerid or NIIP, else the only one) of Claim.insurer, else of an Organization as "
    "Coverage.payor; unknown where an unchecked claim has none",
    "payer.name": "Organization.name, else Reference.display",
    "payer.filing_indicator": "Coverage.type (X12 data element 1032)",
    "payer.plan": NOT_IN_FHIR,
    "payer.responsibility": "Claim.insurance[focal].sequence: 1 P, 2 S, 3 T, 4 A ...",
    "payer.line_of_business": NOT_IN_FHIR,
    "other_payers[].payer_id": "Claim.insurance[not focal].coverage, as payer.id",
    "other_payers[].adjudication_date": "Claim.insurance[not focal].claimResponse: ClaimResponse.payment.date",
    "other_payers[].paid": "Claim.insurance[not focal].claimResponse: ClaimResponse.payment.amount",
    "subscriber.member_id": "Coverage.subscriberId, else Coverage.identifier (MB)",
    "subscriber.group_number": "Coverage.class[group].value",
    "patient.birth_date": "Patient.birthDate",
    "patient.sex": "Patient.gender: male M, female F, else U",
    "patient.first_name": "Patient.name[official, else the first].given[0]",
    "billing_provider.npi": "Claim.provider: identifier (us-npi) of the reference, Organization or Practitioner",
    "billing_provider.taxonomy": "PractitionerRole.specialty, Practitioner.qualification or Organization.type (NUCC)",
    "billing_provider.entity": "Organization: organization; Practitioner, PractitionerRole: person",
    "billing_provider.state": "Organization.address[0].state, Practitioner.address[0].state (two letters)",
    "billing_provider.participating": NOT_IN_FHIR,
    "rendering_provider": "Claim.careTeam[rendering or performing].provider, qualification (NUCC)",
    "referring_provider": "Claim.careTeam[referring]",
    "attending_provider": "Claim.careTeam[attending]",
    "operating_provider": "Claim.careTeam[operating]",
    "service_facility.npi": "Claim.facility: Location.identifier (us-npi)",
    "service_facility.name": "Location.name, else Reference.display",
    "service_facility.state": "Location.address.state (two letters)",
    "service_facility.kind": NOT_IN_FHIR,
    "prior_authorization": "Claim.insurance[focal].preAuthRef[0]",
    "diagnoses": "Claim.diagnosis in order of sequence, principal first: ICD-10-CM or ICD-9-CM code, or Condition.code",
    "admitting_diagnosis": "Claim.diagnosis[type admitting]",
    "reason_diagnoses": "Claim.diagnosis[type patientreasonforvisit]",
    "total_charge": "Claim.total",
    "lines[].number": "Claim.item.sequence",
    "lines[].procedure": "Claim.item.productOrService (CPT or HCPCS)",
    "lines[].modifiers": "Claim.item.modifier",
    "lines[].units": "Claim.item.quantity.value",
    "lines[].unit_basis": "Claim.item.quantity.code, else unit: none or 1 UN, min MJ, d DA",
    "lines[].charge": "Claim.item.net, else unitPrice x quantity x factor; 0.00 where an unchecked claim has none",
    "lines[].service_date": "Claim.item.servicedDate, else servicedPeriod.start, else a billablePeriod of one day",
    "lines[].service_date_end": "Claim.item.servicedPeriod.end, where it is another day",
    "lines[].place_of_service": "Claim.item.locationCodeableConcept (CMS place of service)",
    "lines[].diagnosis_pointers": "Claim.item.diagnosisSequence, as positions in diagnoses",
    "lines[].revenue_code": "Claim.item.revenue",
    "lines[].rendering_provider": "Claim.item.careTeamSequence, where it names a rendering or performing member",
    "lines[].drug.ndc": "Claim.item.productOrService or item.detail.productOrService (NDC), 11 digits",
    "lines[].drug.quantity": "quantity.value beside the NDC in item.detail",
    "lines[].drug.unit": "quantity.code beside the NDC: mL ML, g GR, mg ME, [iU] F2, 1 UN",
    "documentation": NOT_IN_FHIR,
    "not_read": "which of the elements that could matter (rules/unread.py) the Claim has",
})  # fmt: skip
"""Claim field <- FHIR path; `-`: FHIR has no place for it."""

_REFERRED = frozenset((
    "ClaimResponse", "Condition", "Coverage", "Location", "Organization", "Patient", "Practitioner", "PractitionerRole",
    "Procedure",
))  # fmt: skip
_BUNDLES = ("collection", "batch", "searchset", "transaction", "document", "message")


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One resource of the input: a claim, a claim that cannot be read, or a resource that is no claim."""

    number: int
    """Position in the Bundle, from 1; 0 outside of one."""
    kind: str
    """Resource type; `unnamed` where it is no type's name."""
    claim: dict[str, Any] | None = None
    """In the form of the claim model, not yet validated."""
    problems: tuple[Problem, ...] = ()


def read_fhir(value: Resource, known: Targets) -> Iterator[BundleEntry]:
    """Every resource of a decoded resource or Bundle, in order; a Bundle in a Bundle gives the entry of the outer one.

    `known`: what references may point to besides. A resource that a later Claim may refer to is added to it, so that
    a bulk file may hold Organizations, Patients and Coverages before its Claims.
    """
    kind = _kind(value)
    if kind == "Bundle":
        yield from _bundle(value, known)
    elif kind == "Claim":
        claim, problems = claim_of(value, known)
        yield BundleEntry(0, kind, None if problems else claim, tuple(dict.fromkeys(problems)))
    else:
        if kind in _REFERRED:
            known.add(value)
        yield BundleEntry(0, kind)


def with_source(problem: Problem) -> Problem:
    """A problem of the claim model, with the FHIR path that its field comes from."""
    source = FIELDS.get(re.sub(r"\[\d+\]", "[]", problem.safe_path), NOT_IN_FHIR)
    return replace(problem, sentence=f"{problem.sentence} ({source})") if source != NOT_IN_FHIR else problem


def _kind(value: Resource) -> str:
    kind = value.get("resourceType")
    return kind if isinstance(kind, str) and re.fullmatch(r"[A-Z][A-Za-z]{1,40}", kind) else "unnamed"


def _bundle(value: Resource, known: Targets) -> Iterator[BundleEntry]:
    rows = value.get("entry")
    entries: list[object] = rows if isinstance(rows, list) else [] if rows is None else [None]
    yield from read_entries(value, lambda: entries, known)


def read_entries(head: Resource, entries: Callable[[], Iterable[object]], known: Targets) -> Iterator[BundleEntry]:
    """The resources of a Bundle, whose entries are gone through twice: for what they may refer to, and for the claims.

    `head`: the Bundle, with or without its entries.
    """
    bundle = Node(head, "Bundle", Targets())
    if bundle.text("type") not in _BUNDLES:
        bundle.note("type", f"expected a Bundle of type {', '.join(_BUNDLES)}")
    targets = Targets(known)
    for number, entry in enumerate(entries()):
        if not isinstance(entry, dict):
            bundle.note("entry", "expected a list of objects")
            break
        if not entry:
            continue
        node = Node(entry, f"Bundle.entry[{number}]", bundle.targets, bundle.problems)
        resource = node.object("resource").value
        kind = _kind(resource)
        # Of what no Claim refers to, no more than that it is there: two of one name point to neither.
        named = resource if kind in _REFERRED else {"resourceType": kind, "id": resource.get("id")}
        targets.add(named, node.text("fullUrl") or "")
        if len(bundle.problems) > MOST:
            break
    if bundle.problems:
        yield BundleEntry(0, "Bundle", problems=tuple(bundle.problems))
        return
    for number, entry in enumerate(entries(), 1):
        part = entry.get("resource") if isinstance(entry, dict) else None
        if not part:
            yield BundleEntry(number, "unnamed")
            continue
        for found in read_fhir(part, targets):
            yield BundleEntry(number, found.kind, found.claim, found.problems)
