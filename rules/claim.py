"""The claim: what a hospital is about to send to a payer, in the terms of the 837 implementation guides.

The models are lenient on purpose where a rule judges (a bad NPI, no units, five modifiers, a pointer out of
range pass through to the rule) and strict where nothing could be judged (unknown keys, wrong types, absurd
sizes). Amounts are US dollars with at most two decimals; dates are ISO 8601 calendar dates without a zone.

Source of loops and segments: ASC X12N 005010X222A1/A2 (837P) and 005010X223A2/A3 (837I).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from rules.errors import ClaimInvalid
from rules.lengths import too_long, without_empty
from rules.problems import problems_of
from rules.values import (
    Code,
    Codes,
    Date,
    Flag,
    Money,
    Name,
    Npi,
    Number,
    Prose,
    Some,
    Whole,
    claim_part,
    not_empty,
    printable,
)  # fmt: skip

MAX_LINES = 1_000
VOID = "8"
"""The frequency code of a claim that voids another."""
Role = Literal["practitioner", "hospital_outpatient", "asc"]
"""Who bills."""
LineOfBusiness = Literal["commercial", "medicare_advantage", "medicaid", "exchange", "fep"]
Entity = Literal["person", "organization"]


@claim_part
class Address:
    """N3 and N4 of a loop. It may say where a person lives: never a fact, never logged; rules learn what is missing."""

    street: Name | None = None
    """N301."""
    street_more: Name | None = None
    """N302."""
    city: Name | None = None
    """N401."""
    state: Code | None = None
    """N402: two letters, of a state, territory, military post or province. Null where whoever has the address has a
    `state` beside it."""
    zip: Code | None = None
    """N403: five or nine digits in the US, without the dash."""
    country: Code | None = None
    """N404: two letters, where it is not in the US."""


@claim_part
class Payer:
    """Loop 2010BB, NM1*PR, of the destination payer, with what 2000B says of the subscriber's cover."""

    id: Annotated[str, Field(strict=True, min_length=1, max_length=80), AfterValidator(printable)]
    """NM109, the payer id of the clearinghouse or payer."""
    name: Name | None = None
    """NM103."""
    filing_indicator: Code | None = None
    """SBR09: MA Medicare Part A, MB Medicare Part B, CI commercial, BL Blue Cross Blue Shield, 16, HM, MC ..."""
    plan: Name | None = None
    """A plan key of the payer file, such as `anthem` or `ibx`; not on the 837."""
    responsibility: Literal["P", "S", "T", "A", "B", "C", "D", "E", "F", "G", "H", "U"] | None = None
    """SBR01: P primary, S secondary, T tertiary, A to H fourth to eleventh, U unknown."""
    line_of_business: LineOfBusiness | None = None
    """Not on the 837; null: derived from SBR09."""
    address: Address | None = None
    """N3 and N4 of 2010BB."""
    insurance_type: Code | None = None
    """SBR05: why Medicare is not the first payer: 12, 13, 14, 15, 16, 41, 42, 43, 47; professional only."""


@claim_part
class Adjustment:
    """Segment CAS of loop 2320 or 2430: why another payer paid less, or more, than was charged. One for each reason."""

    group: Code | None = None
    """CAS01: CO, CR, OA, PI or PR."""
    reason: Code | None = None
    """CAS02, 05, 08, 11, 14 or 17: claim adjustment reason code (CARC)."""
    amount: Money | None = None
    """The element after it, US dollars; positive where less is paid."""
    quantity: Number | None = None
    """The element after that: units that are adjusted."""


@claim_part
class OtherSubscriber:
    """Loop 2330A, NM1*IL: who is insured with another payer."""

    has_last_name: Flag | None = None
    """Whether NM103 is there; the name itself is asked by no rule."""
    member_id: Name | None = None
    """NM109. Identifies a person: never a fact, never logged."""


@claim_part
class OtherPayer:
    """Loop 2320 with 2330A and 2330B: another payer of the same claim and what it decided."""

    payer_id: Name | None = None
    """2330B NM109."""
    adjudication_date: Date | None = None
    """2330B DTP*573."""
    paid: Money | None = None
    """2320 AMT*D, US dollars."""
    dated_by_lines: Flag | None = None
    """True: loop 2330B has no date, and `adjudication_date` is the latest of 2430 DTP*573."""
    responsibility: Code | None = None
    """2320 SBR01, as in `payer.responsibility`."""
    relationship: Code | None = None
    """2320 SBR02: what the patient is to the subscriber; 18 self."""
    insurance_type: Code | None = None
    """2320 SBR05, as in `payer.insurance_type`."""
    filing_indicator: Code | None = None
    """2320 SBR09, as in `payer.filing_indicator`."""
    adjustments: Some[Adjustment] = ()
    """2320 CAS: of the claim as a whole, beside those of its lines."""
    remaining_liability: Money | None = None
    """2320 AMT*EAF: what is left for the patient to pay, US dollars."""
    noncovered: Money | None = None
    """2320 AMT*A8: what the payer does not cover, US dollars."""
    benefits_assigned: Code | None = None
    """2320 OI03: Y, N, or W where the patient refuses."""
    patient_signature_source: Code | None = None
    """2320 OI04: P where the provider signed for the patient; professional only."""
    release_of_information: Code | None = None
    """2320 OI06: Y a signed statement, I informed consent."""
    subscriber: OtherSubscriber | None = None
    remark_codes: Some[Code] = ()
    """2320 MIA05, MIA20 to 23, MOA03 to 07: remittance advice remark codes (RARC)."""


@claim_part
class LineDecision:
    """Loop 2430: what another payer decided on one service line."""

    payer_id: Name | None = None
    """SVD01: that of loop 2330B."""
    paid: Money | None = None
    """SVD02, US dollars."""
    paid_units: Number | None = None
    """SVD05."""
    bundled_into: Code | None = None
    """SVD06: the number of the line into which the payer bundled this one."""
    adjudication_date: Date | None = None
    """DTP*573."""
    adjustments: Some[Adjustment] = ()
    """CAS."""
    remaining_liability: Money | None = None
    """AMT*EAF, US dollars."""


@claim_part
class Subscriber:
    """Loop 2010BA, NM1*IL."""

    member_id: Name | None = None
    """NM109 with qualifier MI. Identifies a person: never a fact, never logged."""
    group_number: Name | None = None
    """2000B SBR03."""
    entity: Entity | None = None
    """NM102: the insured is a person, but for an employer of work injuries."""
    last_name: Name | None = None
    """NM103. Never a fact, never logged."""
    first_name: Name | None = None
    """NM104. Never a fact, never logged."""
    relationship: Code | None = None
    """2000B SBR02: 18 where the patient is the subscriber, else nothing."""


@claim_part
class Patient:
    """Loop 2010CA, or 2010BA where the patient is the subscriber. Identifies a person: never a fact, never logged."""

    birth_date: Date | None = None
    """DMG02."""
    sex: Literal["F", "M", "U"] | None = None
    """DMG03."""
    first_name: Name | None = None
    """NM104."""
    last_name: Name | None = None
    """NM103. Never a fact, never logged."""
    address: Address | None = None
    """N3 and N4."""
    own_loop: Flag | None = None
    """Whether loop 2000C names the patient apart from the subscriber."""


@claim_part
class Provider:
    """A provider in a role: 2310A referring, 2310B and 2420A rendering, 2310D and 2420D supervising, 2420F referring;
    837I: 2310A attending, 2310B operating, 2310D rendering, 2310F and 2420D referring."""

    npi: Npi | None = None
    """NM109 with qualifier XX: the National Provider Identifier, 10 digits."""
    taxonomy: Code | None = None
    """PRV03: provider taxonomy code, 10 characters."""
    entity: Literal["person", "organization"] | None = None
    """NM102: 1 person, 2 non-person entity."""
    last_name: Name | None = None
    """NM103: of a person the last name, else the name. Never a fact, never logged."""
    first_name: Name | None = None
    """NM104. Never a fact, never logged."""


@claim_part
class BillingProvider(Provider):
    """Loop 2010AA with 2000A PRV."""

    state: Code | None = None
    """N402, two letters."""
    participating: Flag | None = None
    """Whether the provider has a contract with this payer; not on the 837."""
    address: Address | None = None
    """N3 and N4 of 2010AA."""
    tax_id: Name | None = None
    """REF*EI: the Employer Identification Number, 9 digits. Never a fact, never logged."""
    social_security_number: Name | None = None
    """REF*SY, where a person has no tax id of another kind. Identifies a person: never a fact, never logged."""


@claim_part
class Occurrence:
    """Loop 2300, one composite of HI*BH: something that happened, and when."""

    code: Code
    """HI01-2: the occurrence code, two characters."""
    day: Date | None = None
    """HI01-4."""
    group: Whole = 1
    """Which HI*BH segment of the claim it stands in, from 1: a code may stand in each of them once."""


@claim_part
class OccurrenceSpan:
    """Loop 2300, one composite of HI*BI: something that lasted, and from when to when."""

    code: Code
    """HI01-2: the occurrence span code, two characters."""
    from_date: Date | None = None
    """HI01-4, first day."""
    through_date: Date | None = None
    """HI01-4, last day."""


@claim_part
class ValueCode:
    """Loop 2300, one composite of HI*BE: an amount or a number that the payer needs."""

    code: Code
    """HI01-2: the value code, two characters."""
    amount: Number | None = None
    """HI01-5: US dollars, or a count or measure, as the code says."""


@claim_part
class PresentOnAdmission:
    """Loop 2300 HI, component 9 of a diagnosis: whether it was there when the patient was admitted."""

    diagnosis: Whole
    """Its position in `diagnoses`, from 1."""
    indicator: Code
    """HI01-9: Y yes, N no, U not documented, W not to be determined."""


@claim_part
class ServiceFacility:
    """Loop 2310C (837P) or 2310E (837I), of a line 2420C (837P): where the service was given, if not at the billing
    provider's address."""

    npi: Npi | None = None
    """NM109."""
    name: Name | None = None
    """NM103."""
    state: Code | None = None
    """N402, two letters."""
    kind: Literal["asc", "hospital"] | None = None
    """Not on the 837."""
    address: Address | None = None
    """N3 and N4."""


@claim_part
class Drug:
    """Loop 2410: what was given, beside the J code of the line."""

    ndc: Code | None = None
    """LIN03 with qualifier N4: 11 digits, no dashes."""
    quantity: Number | None = None
    """CTP04, in the unit beside it."""
    unit: Code | None = None
    """CTP05-1: F2, GR, ML, UN or ME."""


@claim_part
class Line:
    """Loop 2400: one service line."""

    number: Whole
    """LX01, from 1."""
    procedure: Code | None = None
    """SV101-2 or SV202-2: a CPT or HCPCS code; null on institutional lines that have a revenue code alone."""
    modifiers: Some[Code] = ()
    """SV101-3 to -6 or SV202-3 to -6, in order."""
    units: Number | None = None
    """SV104 or SV205, in `unit_basis`."""
    unit_basis: Code | None = None
    """SV103 or SV204: UN units, MJ minutes, DA days."""
    charge: Money
    """SV102 or SV203, US dollars."""
    non_covered_charge: Money | None = None
    """SV207, US dollars: the part of the charge that is not covered; institutional only."""
    service_date: Date | None = None
    """DTP*472: the day, or the first of a range."""
    service_date_end: Date | None = None
    """DTP*472 with RD8: the last day of a range; null where there is one day."""
    place_of_service: Code | None = None
    """SV105; null: that of the claim."""
    diagnosis_pointers: Some[Whole] = ()
    """SV107: positions in `diagnoses`, from 1; professional only."""
    revenue_code: Code | None = None
    """SV201, 4 digits; institutional only."""
    rendering_provider: Provider | None = None
    """Loop 2420A; null: that of the claim."""
    drug: Drug | None = None
    """Loop 2410."""
    control_number: Name | None = None
    """REF*6R: the provider's own number of the line. Never a fact."""
    has_description: Flag | None = None
    """Whether SV101-7 or SV202-7 describes the service, or a note of the line (NTE) does."""
    has_long_note: Flag | None = None
    """Whether a note of the line (NTE02) has more than 80 characters."""
    supervising_provider: Provider | None = None
    """Loop 2420D (837P); null: that of the claim."""
    referring_provider: Provider | None = None
    """Loop 2420F, NM1*DN (837P), or 2420D (837I); null: that of the claim."""
    decisions: Some[LineDecision] = ()
    """Loop 2430: one for each other payer that decided on the line, or several where it split the line."""
    service_facility: ServiceFacility | None = None
    """Loop 2420C (837P): where this line was given; null: that of the claim."""
    prior_authorization: Name | None = None
    """2400 REF*G1 of the destination payer; null: that of the claim."""


@claim_part
class Agent:
    """One agent that was injected."""

    name: Name
    """Name and strength, as the record has it."""
    volume_ml: Number | None = None
    """Millilitres."""


@claim_part
class Documentation:
    """What the medical record says of the block on one date; not on the 837."""

    service_date: Date | None = None
    """Null: any date of the claim."""
    indication: (
        Literal["chronic_pain", "acute_pain", "postoperative_pain", "diagnostic", "surgical_anesthesia"] | None
    ) = None
    block_timing: Literal["preoperative", "intraoperative", "postoperative"] | None = None
    laterality: Literal["right", "left", "bilateral"] | None = None
    guidance: Literal["ultrasound", "fluoroscopy", "ct", "none"] | None = None
    agents: Some[Agent] = ()
    response: Prose | None = None
    consent: Flag | None = None
    time_out: Flag | None = None
    procedure_note: Flag | None = None
    conservative_treatment: Some[Name] = ()
    pain_program: Flag | None = None
    surgeon_request: Flag | None = None
    intraoperative_anesthesia: Literal["general", "spinal", "epidural", "regional", "mac", "sedation"] | None = None


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
