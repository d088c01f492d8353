"""What of a claim comes from where in an 837: claim field <- loop, segment, element. The tables here are what runs.

A newcomer reads FIELDS; DIAGNOSES and CODES say where each HI code goes, TRACE what an acknowledgment needs beside
the claim.
LOOPS is the part of the implementation guides' loop structure that decides which loop a segment is in.

Source: ASC X12N 005010X222A1/A2 (837P, here P) and 005010X223A2/A3 (837I, here I).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worker.intake.x12 import elements as read
from worker.intake.x12 import hicodes

Form = Literal["P", "I"]
Convert = Callable[[str, list[str], str], object]
"""From the element, all elements of its segment, and the component separator; None: the field stays absent.

Raises Unreadable.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One row: the element of the segment, within the loop, that fills a field of the claim."""

    path: str
    """Of the claim, as in the claim's JSON; `lines[]`, `other_payers[]` and `decisions[]` stand for each of them."""
    loop: str
    segment: str
    """`CLM`, or with its qualifier in element 1 as `NM1*PR`."""
    element: int
    """0: all of them, and what the segments of the loop give is one list."""
    convert: Convert = read.text
    forms: str = "PI"


def _address(path: str, loop: str, forms: str = "PI") -> tuple[Field, ...]:
    """The rows of N3 and N4, but for the state."""
    return (
        Field(f"{path}.street", loop, "N3", 1, forms=forms),
        Field(f"{path}.street_more", loop, "N3", 2, forms=forms),
        Field(f"{path}.city", loop, "N4", 1, forms=forms),
        Field(f"{path}.zip", loop, "N4", 3, forms=forms),
        Field(f"{path}.country", loop, "N4", 4, forms=forms),
    )


def _address_with_state(path: str, loop: str) -> tuple[Field, ...]:
    """Of an entity that has no state of its own in the claim."""
    return (*_address(path, loop), Field(f"{path}.state", loop, "N4", 2))


def _named(path: str, loop: str, segment: str, forms: str = "PI") -> tuple[Field, ...]:
    """The rows of NM1 that say what kind of entity is named, and whether its names are there."""
    return (
        Field(f"{path}.entity", loop, segment, 2, read.entity, forms),
        Field(f"{path}.last_name", loop, segment, 3, forms=forms),
        Field(f"{path}.first_name", loop, segment, 4, forms=forms),
    )


FORM_FIELDS = (
    # What rules of the form alone ask. Of a segment that stands twice the first counts: no claim is refused for it.
    # names, addresses and numbers
    *_named("billing_provider", "2010AA", "NM1*85")[1:],
    *_address("billing_provider.address", "2010AA"),
    Field("billing_provider.tax_id", "2010AA", "REF*EI", 2),
    Field("billing_provider.social_security_number", "2010AA", "REF*SY", 2),
    *_address_with_state("pay_to_address", "2010AB"),
    *_named("subscriber", "2010BA", "NM1*IL"),
    Field("patient.last_name", "2010BA", "NM1*IL", 3),
    *_address_with_state("patient.address", "2010BA"),
    *_address_with_state("payer.address", "2010BB"),
    Field("patient.last_name", "2010CA", "NM1*QC", 3),
    *_address_with_state("patient.address", "2010CA"),
    *_named("referring_provider", "2310A", "NM1*DN", "P"),
    *_named("rendering_provider", "2310B", "NM1*82", "P"),
    *_address("service_facility.address", "2310C", "P"),
    *_named("supervising_provider", "2310D", "NM1*DQ", "P"),
    Field("supervising_provider.npi", "2310D", "NM1*DQ", 9, read.when(8, "XX"), "P"),
    *_named("rendering_provider", "2310D", "NM1*82", "I"),
    *_address("service_facility.address", "2310E", "I"),
    *_named("referring_provider", "2310F", "NM1*DN", "I"),
    *_named("lines[].rendering_provider", "2420A", "NM1*82", "P"),
    *_address("lines[].service_facility.address", "2420C", "P"),
    *_named("lines[].supervising_provider", "2420B-H", "NM1*DQ", "P"),
    Field("lines[].supervising_provider.npi", "2420B-H", "NM1*DQ", 9, read.when(8, "XX"), "P"),
    *_named("lines[].referring_provider", "2420B-H", "NM1*DN", "P"),
    Field("lines[].referring_provider.npi", "2420B-H", "NM1*DN", 9, read.when(8, "XX"), "P"),
    *_named("lines[].rendering_provider", "2420C", "NM1*82", "I"),
    *_named("lines[].referring_provider", "2420A-D", "NM1*DN", "I"),
    Field("lines[].referring_provider.npi", "2420A-D", "NM1*DN", 9, read.when(8, "XX"), "I"),
    # indicators and dates of the claim
    Field("provider_signature", "2300", "CLM", 6, forms="P"),
    Field("assignment", "2300", "CLM", 7),
    Field("benefits_assigned", "2300", "CLM", 8),
    Field("release_of_information", "2300", "CLM", 9),
    Field("patient_signature_source", "2300", "CLM", 10, forms="P"),
    Field("related_causes", "2300", "CLM", 11, read.related_causes, "P"),
    Field("accident_state", "2300", "CLM", 11, read.component_at(4), "P"),
    Field("accident_country", "2300", "CLM", 11, read.component_at(5), "P"),
    Field("onset_date", "2300", "DTP*431", 3, read.day_of(2), "P"),
    Field("accident_date", "2300", "DTP*439", 3, read.day_of(2), "P"),
    Field("admission_date", "2300", "DTP*435", 3, read.day_of(2), "P"),
    Field("patient_paid", "2300", "AMT*F5", 2, read.number, "P"),
    Field("patient_estimated", "2300", "AMT*F3", 2, read.number, "I"),
    Field("referral_number", "2300", "REF*9F", 2),
    Field("has_remark", "2300", "NTE", 2, read.present, "P"),
    Field("has_long_note", "2300", "NTE", 2, read.longer_than(80)),
    # the lines
    Field("lines[].has_description", "2400", "SV1", 1, read.described, "P"),
    Field("lines[].has_description", "2400", "SV2", 2, read.described, "I"),
    Field("lines[].has_description", "2400", "NTE", 2, read.present),
    Field("lines[].has_long_note", "2400", "NTE", 2, read.longer_than(80)),
    Field("lines[].control_number", "2400", "REF*6R", 2),
)
FIELDS = (
    # the transaction set
    Field("transaction_type", "ST", "BHT", 6, read.unless("CH")),
    # the provider who bills
    Field("billing_provider.taxonomy", "2000A", "PRV*BI", 3, read.when(2, "PXC")),
    Field("billing_provider.entity", "2010AA", "NM1*85", 2, read.entity),
    Field("billing_provider.npi", "2010AA", "NM1*85", 9, read.when(8, "XX")),
    Field("billing_provider.state", "2010AA", "N4", 2),
    # the destination payer, the subscriber, the patient
    Field("payer.responsibility", "2000B", "SBR", 1),
    Field("subscriber.relationship", "2000B", "SBR", 2),
    Field("subscriber.group_number", "2000B", "SBR", 3),
    Field("payer.insurance_type", "2000B", "SBR", 5),
    Field("payer.filing_indicator", "2000B", "SBR", 9),
    Field("patient.first_name", "2010BA", "NM1*IL", 4),
    Field("subscriber.member_id", "2010BA", "NM1*IL", 9, read.when(8, "MI")),
    Field("patient.birth_date", "2010BA", "DMG", 2, read.day_of(1)),
    Field("patient.sex", "2010BA", "DMG", 3),
    Field("payer.name", "2010BB", "NM1*PR", 3),
    Field("payer.id", "2010BB", "NM1*PR", 9),
    Field("patient.own_loop", "2010CA", "NM1*QC", 1, read.present),
    Field("patient.first_name", "2010CA", "NM1*QC", 4),
    Field("patient.birth_date", "2010CA", "DMG", 2, read.day_of(1)),
    Field("patient.sex", "2010CA", "DMG", 3),
    # the claim
    Field("claim_id", "2300", "CLM", 1),
    Field("total_charge", "2300", "CLM", 2, read.number),
    Field("place_of_service", "2300", "CLM", 5, read.place_of_service, "P"),
    Field("type_of_bill", "2300", "CLM", 5, read.type_of_bill, "I"),
    Field("frequency_code", "2300", "CLM", 5, read.frequency),
    Field("delay_reason_code", "2300", "CLM", 20),
    Field("statement_from_date", "2300", "DTP*434", 3, read.first_day, "I"),
    Field("statement_through_date", "2300", "DTP*434", 3, read.last_day, "I"),
    Field("statement_is_range", "2300", "DTP*434", 3, read.is_range, "I"),
    Field("admission_date", "2300", "DTP*435", 3, read.day_of_moment, "I"),
    Field("admission_hour", "2300", "DTP*435", 3, read.hour_of_moment, "I"),
    Field("discharge_hour", "2300", "DTP*096", 3, read.hour, "I"),
    Field("admission_type", "2300", "CL1", 1, read.text, "I"),
    Field("point_of_origin", "2300", "CL1", 2, read.text, "I"),
    Field("patient_status", "2300", "CL1", 3, read.text, "I"),
    Field("has_remark", "2300", "NTE", 2, read.there, "I"),
    Field("prior_authorization", "2300", "REF*G1", 2, read.for_destination),
    Field("original_reference_number", "2300", "REF*F8", 2),
    Field("referring_provider.npi", "2310A", "NM1*DN", 9, read.when(8, "XX"), "P"),
    Field("rendering_provider.npi", "2310B", "NM1*82", 9, read.when(8, "XX"), "P"),
    Field("rendering_provider.taxonomy", "2310B", "PRV*PE", 3, read.when(2, "PXC"), "P"),
    Field("service_facility.name", "2310C", "NM1*77", 3, read.text, "P"),
    Field("service_facility.npi", "2310C", "NM1*77", 9, read.when(8, "XX"), "P"),
    Field("service_facility.state", "2310C", "N4", 2, read.text, "P"),
    Field("attending_provider.npi", "2310A", "NM1*71", 9, read.when(8, "XX"), "I"),
    Field("attending_provider.entity", "2310A", "NM1*71", 2, read.entity, "I"),
    Field("attending_provider.last_name", "2310A", "NM1*71", 3, read.text, "I"),
    Field("attending_provider.first_name", "2310A", "NM1*71", 4, read.text, "I"),
    Field("attending_provider.taxonomy", "2310A", "PRV*AT", 3, read.when(2, "PXC"), "I"),
    Field("operating_provider.npi", "2310B", "NM1*72", 9, read.when(8, "XX"), "I"),
    Field("operating_provider.entity", "2310B", "NM1*72", 2, read.entity, "I"),
    Field("operating_provider.last_name", "2310B", "NM1*72", 3, read.text, "I"),
    Field("operating_provider.first_name", "2310B", "NM1*72", 4, read.text, "I"),
    Field("other_operating_provider.npi", "2310C", "NM1*ZZ", 9, read.when(8, "XX"), "I"),
    Field("other_operating_provider.entity", "2310C", "NM1*ZZ", 2, read.entity, "I"),
    Field("other_operating_provider.last_name", "2310C", "NM1*ZZ", 3, read.text, "I"),
    Field("other_operating_provider.first_name", "2310C", "NM1*ZZ", 4, read.text, "I"),
    Field("rendering_provider.npi", "2310D", "NM1*82", 9, read.when(8, "XX"), "I"),
    Field("service_facility.name", "2310E", "NM1*77", 3, read.text, "I"),
    Field("service_facility.npi", "2310E", "NM1*77", 9, read.when(8, "XX"), "I"),
    Field("service_facility.state", "2310E", "N4", 2, read.text, "I"),
    Field("referring_provider.npi", "2310F", "NM1*DN", 9, read.when(8, "XX"), "I"),
    # other payers of the same claim
    Field("other_payers[].responsibility", "2320", "SBR", 1),
    Field("other_payers[].relationship", "2320", "SBR", 2),
    Field("other_payers[].insurance_type", "2320", "SBR", 5),
    Field("other_payers[].filing_indicator", "2320", "SBR", 9),
    Field("other_payers[].adjustments", "2320", "CAS", 0, read.adjustments),
    Field("other_payers[].paid", "2320", "AMT*D", 2, read.number),
    Field("other_payers[].noncovered", "2320", "AMT*A8", 2, read.number),
    Field("other_payers[].remaining_liability", "2320", "AMT*EAF", 2, read.number),
    Field("other_payers[].benefits_assigned", "2320", "OI", 3),
    Field("other_payers[].patient_signature_source", "2320", "OI", 4),
    Field("other_payers[].release_of_information", "2320", "OI", 6),
    Field("other_payers[].remark_codes", "2320", "MIA", 0, read.at_places(5, 20, 21, 22, 23), "I"),
    Field("other_payers[].remark_codes", "2320", "MOA", 0, read.at_places(3, 4, 5, 6, 7)),
    Field("other_payers[].subscriber.has_last_name", "2330A", "NM1*IL", 3, read.present),
    Field("other_payers[].subscriber.member_id", "2330A", "NM1*IL", 9),
    Field("other_payers[].payer_id", "2330B", "NM1*PR", 9),
    Field("other_payers[].adjudication_date", "2330B", "DTP*573", 3, read.day_of(2)),
    # the service lines
    Field("lines[].number", "2400", "LX", 1, read.whole),
    Field("lines[].procedure", "2400", "SV1", 1, read.procedure, "P"),
    Field("lines[].modifiers", "2400", "SV1", 1, read.modifiers, "P"),
    Field("lines[].charge", "2400", "SV1", 2, read.number, "P"),
    Field("lines[].unit_basis", "2400", "SV1", 3, read.text, "P"),
    Field("lines[].units", "2400", "SV1", 4, read.number, "P"),
    Field("lines[].place_of_service", "2400", "SV1", 5, read.text, "P"),
    Field("lines[].diagnosis_pointers", "2400", "SV1", 7, read.pointers, "P"),
    Field("lines[].revenue_code", "2400", "SV2", 1, read.text, "I"),
    Field("lines[].procedure", "2400", "SV2", 2, read.procedure, "I"),
    Field("lines[].modifiers", "2400", "SV2", 2, read.modifiers, "I"),
    Field("lines[].charge", "2400", "SV2", 3, read.number, "I"),
    Field("lines[].unit_basis", "2400", "SV2", 4, read.text, "I"),
    Field("lines[].units", "2400", "SV2", 5, read.number, "I"),
    Field("lines[].non_covered_charge", "2400", "SV2", 7, read.number, "I"),
    Field("lines[].prior_authorization", "2400", "REF*G1", 2, read.for_destination, "P"),
    Field("lines[].service_date", "2400", "DTP*472", 3, read.first_day),
    Field("lines[].service_date_end", "2400", "DTP*472", 3, read.later_day),
    Field("lines[].drug.ndc", "2410", "LIN", 3, read.when(2, "N4")),
    Field("lines[].drug.quantity", "2410", "CTP", 4, read.number),
    Field("lines[].drug.unit", "2410", "CTP", 5, read.first_component),
    Field("lines[].rendering_provider.npi", "2420A", "NM1*82", 9, read.when(8, "XX"), "P"),
    Field("lines[].rendering_provider.taxonomy", "2420A", "PRV*PE", 3, read.when(2, "PXC"), "P"),
    Field("lines[].service_facility.name", "2420C", "NM1*77", 3, read.text, "P"),
    Field("lines[].service_facility.npi", "2420C", "NM1*77", 9, read.when(8, "XX"), "P"),
    Field("lines[].service_facility.state", "2420C", "N4", 2, read.text, "P"),
    Field("lines[].rendering_provider.npi", "2420C", "NM1*82", 9, read.when(8, "XX"), "I"),
    # what other payers decided on a line; where loop 2330B has no date, that of its payer is the latest of these
    Field("lines[].decisions[].payer_id", "2430", "SVD", 1),
    Field("lines[].decisions[].paid", "2430", "SVD", 2, read.number),
    Field("lines[].decisions[].paid_units", "2430", "SVD", 5, read.number),
    Field("lines[].decisions[].bundled_into", "2430", "SVD", 6),
    Field("lines[].decisions[].adjustments", "2430", "CAS", 0, read.adjustments),
    Field("lines[].decisions[].adjudication_date", "2430", "DTP*573", 3, read.day_of(2)),
    Field("lines[].decisions[].remaining_liability", "2430", "AMT*EAF", 2, read.number),
    *FORM_FIELDS,
)

DIAGNOSES = {
    # 2300 HI01 to HI12, by the qualifier in the first component; None: no diagnosis of the claim model
    "ABK": "diagnoses", "ABF": "diagnoses", "BK": "diagnoses", "BF": "diagnoses",
    "ABJ": "admitting_diagnosis", "BJ": "admitting_diagnosis",
    "APR": "reason_diagnoses", "PR": "reason_diagnoses",
    "ABN": None, "BN": None,  # external cause of injury
    "DR": None,  # diagnosis related group
    "BBR": None, "BR": None, "CAH": None, "BBQ": None, "BQ": None,  # inpatient procedures
    "BP": None, "BO": None,  # anesthesia related procedures
    "TC": None,  # treatment codes
}  # fmt: skip
PRINCIPAL = frozenset({"ABK", "BK"})
"""Qualifiers of the principal diagnosis, of which a claim has one."""
CODES: dict[str, tuple[str, Callable[[str, str], object]]] = {
    # 2300 HI01 to HI12 that are no diagnoses: the list of the claim that they go to, and how each is read
    "BG": ("condition_codes", hicodes.condition),
    "BH": ("occurrences", hicodes.occurrence),
    "BI": ("occurrence_spans", hicodes.occurrence_span),
    "BE": ("value_codes", hicodes.value_code),
}
ICD9 = frozenset({"BK", "BF", "BJ", "PR", "BN"})
"""Qualifiers of ICD-9-CM, beside which the code is no ICD-10-CM code, whatever its shape."""

CHECKED = (
    # fills nothing: what is read elsewhere means something else if this does not hold
    Field("total_charge", "2000A", "CUR", 2, read.dollars),
)
TRACE = (
    # not on the claim, but on its acknowledgment (277CA), or of its sending; identifies persons
    Field("batch", "ST", "BHT", 3),
    Field("sent", "ST", "BHT", 4),
    Field("submitter.name", "1000A", "NM1*41", 3),
    Field("submitter.id", "1000A", "NM1*41", 9),
    Field("submitter.entity", "1000A", "NM1*41", 2),
    Field("receiver.name", "1000B", "NM1*40", 3),
    Field("receiver.id", "1000B", "NM1*40", 9),
    Field("provider.entity", "2010AA", "NM1*85", 2),
    Field("provider.name", "2010AA", "NM1*85", 3),
    Field("provider.first_name", "2010AA", "NM1*85", 4),
    Field("provider.npi", "2010AA", "NM1*85", 9, read.when(8, "XX")),
    Field("provider.tax_id", "2010AA", "REF*EI", 2),
    Field("patient.name", "2010BA", "NM1*IL", 3),
    Field("patient.first_name", "2010BA", "NM1*IL", 4),
    Field("member_id", "2010BA", "NM1*IL", 9, read.when(8, "MI")),
    Field("patient.name", "2010CA", "NM1*QC", 3),
    Field("patient.first_name", "2010CA", "NM1*QC", 4),
    Field("clearinghouse_number", "2300", "REF*D9", 2),
)


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop and what may be in it; `rank`: siblings of a higher rank come after it."""

    name: str
    opens: tuple[str, ...]
    parent: str
    members: str
    rank: int = 0
    forms: str = "PI"


_PERSON = "N3 N4 REF PER"
_PROVIDER = "PRV N3 N4 REF PER"
LOOPS = (
    Loop("ST", (), "", "BHT REF"),
    Loop("1000A", ("NM1*41",), "ST", "N2 PER"),
    Loop("1000B", ("NM1*40",), "ST", "N2"),
    # the HL segment opens 2000A (level 20), 2000B (22) and 2000C (23), the CLM segment 2300
    Loop("2000A", (), "", "PRV CUR"),
    Loop("2010AA", ("NM1*85",), "2000A", _PERSON),
    Loop("2010AB", ("NM1*87",), "2000A", "N3 N4 REF"),
    Loop("2010AC", ("NM1*PE",), "2000A", _PERSON),
    Loop("2000B", (), "", "SBR PAT"),
    Loop("2010BA", ("NM1*IL",), "2000B", f"{_PERSON} DMG"),
    Loop("2010BB", ("NM1*PR",), "2000B", _PERSON),
    Loop("2000C", (), "", "PAT"),
    Loop("2010CA", ("NM1*QC",), "2000C", f"{_PERSON} DMG"),
    Loop("2300", (), "", "DTP CL1 PWK CN1 AMT REF K3 NTE CR1 CR2 CR3 CR5 CR6 CRC HI HCP QTY"),
    Loop("2310A", ("NM1*DN", "NM1*P3"), "2300", _PROVIDER, 0, "P"),
    Loop("2310B", ("NM1*82",), "2300", _PROVIDER, 0, "P"),
    Loop("2310C", ("NM1*77",), "2300", _PROVIDER, 0, "P"),
    Loop("2310D", ("NM1*DQ",), "2300", _PROVIDER, 0, "P"),
    Loop("2310E", ("NM1*PW",), "2300", "N3 N4", 0, "P"),
    Loop("2310F", ("NM1*45",), "2300", "N3 N4", 0, "P"),
    Loop("2310A", ("NM1*71",), "2300", _PROVIDER, 0, "I"),
    Loop("2310B", ("NM1*72",), "2300", _PROVIDER, 0, "I"),
    Loop("2310C", ("NM1*ZZ",), "2300", _PROVIDER, 0, "I"),
    Loop("2310D", ("NM1*82",), "2300", _PROVIDER, 0, "I"),
    Loop("2310E", ("NM1*77",), "2300", _PROVIDER, 0, "I"),
    Loop("2310F", ("NM1*DN",), "2300", _PROVIDER, 0, "I"),
    Loop("2320", ("SBR",), "2300", "CAS AMT OI MIA MOA DMG", 1),
    Loop("2330A", ("NM1*IL",), "2320", _PERSON),
    Loop("2330B", ("NM1*PR",), "2320", f"{_PERSON} DTP"),
    Loop("2330C-G", ("NM1*DN", "NM1*P3", "NM1*82", "NM1*77", "NM1*DQ", "NM1*85"), "2320", _PROVIDER, 0, "P"),
    Loop(
        "2330C-I", ("NM1*71", "NM1*72", "NM1*ZZ", "NM1*77", "NM1*82", "NM1*DN", "NM1*85"), "2320", _PROVIDER, 0, "I"
    ),
    Loop("2400", ("LX",), "2300", "SV1 SV5 PWK CR1 CR3 CRC DTP QTY MEA CN1 REF AMT K3 NTE PS1 HCP", 2, "P"),
    Loop("2400", ("LX",), "2300", "SV2 PWK DTP QTY CN1 REF AMT K3 NTE HCP", 2, "I"),
    Loop("2410", ("LIN",), "2400", "CTP REF"),
    Loop("2420A", ("NM1*82",), "2400", _PROVIDER, 0, "P"),
    Loop("2420C", ("NM1*77",), "2400", _PROVIDER, 0, "P"),
    Loop(
        "2420B-H", ("NM1*QB", "NM1*DQ", "NM1*DK", "NM1*DN", "NM1*P3", "NM1*PW", "NM1*45"), "2400",
        _PROVIDER, 0, "P",
    ),
    Loop("2420C", ("NM1*82",), "2400", _PROVIDER, 0, "I"),
    Loop("2420A-D", ("NM1*72", "NM1*ZZ", "NM1*DN"), "2400", _PROVIDER, 0, "I"),
    Loop("2430", ("SVD",), "2400", "CAS DTP AMT"),
    Loop("2440", ("LQ",), "2400", "FRM", 0, "P"),
)  # fmt: skip
