"""The claim: what a hospital is about to send to a payer, in the terms of the 837 implementation guides.

The models are lenient on purpose where a rule judges (a bad NPI, no units, five modifiers, a pointer out of
range pass through to the rule) and strict where nothing could be judged (unknown keys, wrong types, absurd
sizes). Amounts are US dollars with at most two decimals; dates are ISO 8601 calendar dates without a zone.

Source of loops and segments: ASC X12N 005010X222A1/A2 (837P) and 005010X223A2/A3 (837I).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from rules.claim.billcodes import Occurrence, OccurrenceSpan, PresentOnAdmission, ValueCode
from rules.claim.lines import Drug, Line
from rules.claim.payers import Adjustment, LineDecision, LineOfBusiness, OtherPayer, OtherSubscriber, Payer
from rules.claim.persons import BillingProvider, Entity, Patient, Provider, Subscriber
from rules.claim.places import Address, ServiceFacility
from rules.claim.records import Agent, Documentation
from rules.errors import ClaimInvalid
from rules.lengths import too_long, without_empty
from rules.problems import problems_of
from rules.values import Code, Codes, Date, Flag, Money, Name, Some, Whole, claim_part, not_empty, printable

__all__ = (
    "MAX_LINES",
    "VOID",
    "Address",
    "Adjustment",
    "Agent",
    "BillingProvider",
    "Claim",
    "Documentation",
    "Drug",
    "Entity",
    "FormFault",
    "Line",
    "LineDecision",
    "LineOfBusiness",
    "Occurrence",
    "OccurrenceSpan",
    "OtherPayer",
    "OtherSubscriber",
    "Patient",
    "Payer",
    "PresentOnAdmission",
    "Provider",
    "Role",
    "ServiceFacility",
    "Subscriber",
    "ValueCode",
    "read_claim",
)

MAX_LINES = 1_000
VOID = "8"
"""The frequency code of a claim that voids another."""
Role = Literal["practitioner", "hospital_outpatient", "asc"]
"""Who bills."""


@claim_part
class FormFault:
    """Where an 837 departs from the table of its form, as a 999 would answer it; written by the reader."""

    kind: Literal[
        "segment_missing", "segment_order", "segment_repeated", "segment_unexpected", "element_missing",
        "element_short", "element_long", "element_type", "element_character", "element_code", "element_date",
        "element_unexpected",
    ]  # fmt: skip
    loop: Code
    """`2010AA`; ST: before the first HL."""
    segment: Code
    """`N3`, or with the qualifier that tells it from others of its loop: `REF*EI`. The table's word, not the file's."""
    element: Code | None = None
    """`NM103`, or with its component `CLM05-2`; null: the segment as a whole."""
    line: Whole | None = None
    """The service line that it is in, counted from 1; null: none."""
    answer: Code
    """`IK304 3`, `IK403 7`: the element of the 999 and the code in it."""


@claim_part
class Claim:
    """Loop 2300 with what it inherits from the billing provider, subscriber and patient loops above it."""

    claim_id: Annotated[str, Field(strict=True, min_length=1, max_length=38), AfterValidator(printable)]
    """CLM01: the provider's own control number."""
    form: Literal["professional", "institutional"]
    """professional: 837P; institutional: 837I."""
    frequency_code: Literal["0", "1", "2", "3", "4", "5", "7", "8", "9"] = "1"
    """CLM05-3: 1 original, 7 replacement, 8 void; institutional also 0, 2 to 5 and 9."""
    original_reference_number: Name | None = None
    """REF*F8: the payer's own number of the claim that this one replaces or voids."""
    delay_reason_code: Code | None = None
    """CLM20: why the claim is late."""
    received_date: Date | None = None
    """The day on which the payer is expected to receive the claim; null: the day of the event."""
    place_of_service: Code | None = None
    """CLM05-1, two digits; professional only."""
    type_of_bill: Code | None = None
    """CLM05-1 and -3 with a leading zero, 4 digits such as 0131; institutional only."""
    statement_from_date: Date | None = None
    """DTP*434, first day; institutional only."""
    statement_through_date: Date | None = None
    """DTP*434, last day; institutional only."""
    statement_is_range: Flag | None = None
    """DTP02 of DTP*434: true where the statement came as two dates (RD8), false where as one (D8)."""
    admission_date: Date | None = None
    """DTP*435, the day of admission or start of care."""
    admission_hour: Code | None = None
    """DTP*435 in the format DT: the hour and minute, HHMM; institutional only."""
    discharge_hour: Code | None = None
    """DTP*096 in the format TM: HHMM; institutional only."""
    admission_type: Code | None = None
    """CL101: the priority of the admission or visit, one digit; institutional only."""
    point_of_origin: Code | None = None
    """CL102: where the patient came from, one character; institutional only."""
    patient_status: Code | None = None
    """CL103: the discharge status, two digits; institutional only."""
    condition_codes: Some[Code] = ()
    """HI*BG, in order, two characters each."""
    occurrences: Some[Occurrence] = ()
    occurrence_spans: Some[OccurrenceSpan] = ()
    value_codes: Some[ValueCode] = ()
    has_remark: Flag | None = None
    """NTE of loop 2300: whether there is a note. Its text is not kept."""
    payer: Payer
    other_payers: Some[OtherPayer] = ()
    subscriber: Subscriber | None = None
    patient: Patient | None = None
    billing_provider: BillingProvider | None = None
    rendering_provider: Provider | None = None
    referring_provider: Provider | None = None
    attending_provider: Provider | None = None
    operating_provider: Provider | None = None
    other_operating_provider: Provider | None = None
    """Loop 2310C of the 837I."""
    service_facility: ServiceFacility | None = None
    prior_authorization: Name | None = None
    """REF*G1."""
    diagnoses: Codes
    """HI*ABK and HI*ABF, in order, with or without the dot."""
    present_on_admission: Some[PresentOnAdmission] = ()
    """Of the diagnoses that bring an indicator; institutional only."""
    admitting_diagnosis: Code | None = None
    """HI*ABJ; institutional only."""
    reason_diagnoses: Some[Code] = ()
    """HI*APR: the patient's reason for the visit; institutional only."""
    total_charge: Money | None = None
    """CLM02, US dollars."""
    lines: Annotated[
        tuple[Line, ...], Field(max_length=MAX_LINES, json_schema_extra={"minItems": 1}), AfterValidator(not_empty)
    ]
    documentation: Some[Documentation] = ()
    transaction_type: Code | None = None
    """BHT06 where it is not CH: RP an encounter, which is reported and not charged, 31 a subrogation demand."""
    provider_signature: Code | None = None
    """CLM06: Y or N, whether the provider's signature is on file; professional only."""
    assignment: Code | None = None
    """CLM07: A assigned, B assigned for laboratory services alone, C not assigned."""
    benefits_assigned: Code | None = None
    """CLM08: Y or N, whether the insured lets the payer pay the provider; W not applicable."""
    release_of_information: Code | None = None
    """CLM09: Y a signed statement, I informed consent."""
    patient_signature_source: Code | None = None
    """CLM10: P, where the provider signed for the patient; professional only."""
    related_causes: Some[Code] = ()
    """CLM11-1 to -3: AA auto accident, EM employment, OA other accident; professional only."""
    accident_state: Code | None = None
    """CLM11-4: the state of an auto accident."""
    accident_country: Code | None = None
    """CLM11-5: the country of an auto accident, where it is not in the US."""
    accident_date: Date | None = None
    """DTP*439; professional only."""
    onset_date: Date | None = None
    """DTP*431: onset of the illness or its symptom; professional only."""
    referral_number: Name | None = None
    """REF*9F. Never a fact."""
    patient_paid: Money | None = None
    """AMT*F5: what the patient paid, US dollars; professional only."""
    patient_estimated: Money | None = None
    """AMT*F3: what the patient is estimated to owe, US dollars; institutional only."""
    has_long_note: Flag | None = None
    """Whether a note of the claim (NTE02) has more than 80 characters."""
    several_principal_diagnoses: Flag | None = None
    """Whether HI*ABK stands on the claim more than once."""
    supervising_provider: Provider | None = None
    """Loop 2310D (837P)."""
    pay_to_address: Address | None = None
    """N3 and N4 of 2010AB."""
    source_format: Literal["x12"] | None = None
    """Written by the reader of an 837: what the form carries was there to be read, so what is null is not on the claim.
    No part of the claim's digest."""
    not_read: Some[Name] = ()
    """What of an 837 or FHIR Claim was passed over though a rule could ask it, written by the reader: loop and segment,
    or element (rules/unread.py), as `2300 PWK`; never a value. Absent on most claims, and no part of their digest."""
    oddities: Some[Name] = ()
    """What of an 837 or FHIR Claim is not as it should be and was read all the same, written by the reader: a place and
    a word of `rules/unread.py`, as `2300 REF*G1 repeated`; never a value. Absent on most claims, and no part of their
    digest."""
    form_faults: Some[FormFault] = ()
    """What a 999 would find in the 837 that the claim was read from, written by the reader: place and kind, never a
    value. Absent where there is nothing, and no part of the claim's digest."""


_CLAIM = TypeAdapter(Claim)


def read_claim(data: object) -> Claim:
    """The claim in decoded JSON.

    Raises:
        ClaimInvalid: with every problem of the claim, at most a hundred, each with its path and a sentence that holds
            no value of it; where something is longer than may be, with that alone.
    """
    if problems := too_long(data, Claim):
        raise ClaimInvalid(problems)
    try:
        return _CLAIM.validate_python(data)
    except ValidationError as error:
        filled = without_empty(data, Claim)
        if filled is data:
            raise ClaimInvalid(problems_of(error, Claim)) from None
    try:
        return _CLAIM.validate_python(filled)
    except ValidationError as error:
        raise ClaimInvalid(problems_of(error, Claim)) from None
