"""The claim: what a hospital is about to send to a payer, in the terms of the 837 implementation guides.

The models are lenient on purpose where a rule judges (a bad NPI, no units, five modifiers, a pointer out of
range pass through to the rule) and strict where nothing could be judged (unknown keys, wrong types, absurd
sizes). Amounts are US dollars with at most two decimals; dates are ISO 8601 calendar dates without a zone.

Source of loops and segments: ASC X12N 005010X222A1/A2 (837P) and 005010X223A2/A3 (837I).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, cast, dataclass_transform

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from rules.errors import ClaimInvalid
from rules.lengths import too_long
from rules.problems import problems_of

MAX_LINES = 1_000
MAX_CODES = 200
LARGEST_AMOUNT = Decimal("9999999999.99")
CENT = Decimal("0.01")
_ZERO = Decimal(0)
VOID = "8"
"""The frequency code of a claim that voids another."""
Role = Literal["practitioner", "hospital_outpatient", "asc"]
"""Who bills."""
LineOfBusiness = Literal["commercial", "medicare_advantage", "medicaid", "exchange", "fep"]

T = TypeVar("T")


def iso_date(value: object) -> date:
    """A date from YYYY-MM-DD; numbers and times are refused."""
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif type(value) is date:
        return value
    raise PydanticCustomError("date", "expected a calendar date as YYYY-MM-DD")


def _decimal(value: str | int | Decimal, places: int) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise PydanticCustomError("number", "expected a decimal number such as 1 or 2.5") from None
    if not number.is_finite():
        raise PydanticCustomError("number", "expected a finite number")
    if not number:
        number = _ZERO  # -0 and 0E+9 equal 0 and would be written otherwise
    # copy_abs: abs() rounds to the context, and raises where the exponent is beyond its own limits.
    if number.copy_abs() > LARGEST_AMOUNT or int(number.as_tuple().exponent) < -12:
        raise PydanticCustomError("number", "expected at most 10 digits before and 12 after the decimal point")
    if places == 2 and number != round(number, 2):
        raise PydanticCustomError("money", "expected an amount in dollars with at most two decimals")
    return number.quantize(CENT) if places == 2 else number


decimal_of_text = lru_cache(maxsize=4_096)(_decimal)
"""Amounts come from price lists. Of texts alone: equal numbers may be written with more zeros or fewer."""


def number(value: object, places: int = 12) -> Decimal:
    """A decimal from a string or a JSON number; a float would already have lost digits and is refused."""
    if isinstance(value, str):
        if len(value) > 30:
            raise PydanticCustomError("number", "expected a decimal number of at most 30 characters")
        return decimal_of_text(value, places)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number", "expected a decimal number, as a string or a JSON number")
    return _decimal(value, places)


def money(value: object) -> Decimal:
    """US dollars, to the cent; see `number`."""
    return number(value, 2)


def printable(value: str) -> str:
    """The text, if no character of it is a control or a line break."""
    if not value.isprintable():
        raise PydanticCustomError("text", "expected printable characters only, no line breaks or controls")
    return value


def not_empty(value: tuple[object, ...]) -> tuple[object, ...]:
    """At least one entry. Pydantic's own min_length would also speak where the only entry has an error."""
    if not value:
        raise PydanticCustomError("empty", "expected at least 1 entry")
    return value


def without_free_places(value: tuple[T, ...] | None) -> tuple[T, ...]:
    """The entries that are there: null is an empty list, and an entry that is null or "" is a place left free, as in
    exports with a column for each place. No other field refers to a place in these lists, so nothing is displaced."""
    if not value or not (None in value or "" in value):
        return value or ()
    return tuple(entry for entry in value if entry is not None and entry != "")


class _OrNull:
    """Marks a list that may be null and may have free places, in what is read and in the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        entries = cast(core_schema.TupleSchema, handler(source))
        places = {**entries, "items_schema": [core_schema.nullable_schema(entries["items_schema"][0])]}
        either = core_schema.nullable_schema(cast(CoreSchema, places))
        return core_schema.no_info_after_validator_function(without_free_places, either)


_DECIMAL_SCHEMA = {
    "anyOf": [{"type": "string", "pattern": r"^[-+]?[0-9]+(\.[0-9]+)?$"}, {"type": "number"}],
}
_text = AfterValidator(printable)
_some = AfterValidator(not_empty)

Date = Annotated[date, PlainValidator(iso_date), WithJsonSchema({"type": "string", "format": "date"})]
Money = Annotated[Decimal, PlainValidator(money), WithJsonSchema(_DECIMAL_SCHEMA)]
Number = Annotated[Decimal, PlainValidator(number), WithJsonSchema(_DECIMAL_SCHEMA)]
Whole = Annotated[int, Field(strict=True, ge=-999_999, le=999_999)]
Code = Annotated[str, Field(strict=True, max_length=30), _text]
Name = Annotated[str, Field(strict=True, max_length=200), _text]
Prose = Annotated[str, Field(strict=True, max_length=2_000)]
Flag = Annotated[bool, Field(strict=True)]
Codes = Annotated[tuple[Code, ...], Field(max_length=MAX_CODES)]
Some = Annotated[tuple[T, ...], Field(max_length=MAX_CODES), _OrNull()]
"""A list that may be absent or null."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def claim_part(kind: type[T]) -> type[T]:
    """Frozen; unknown keys are refused, since a misspelled key would otherwise hide a fact from the rules.

    Dataclasses with slots: pydantic's own models take four times as long to read an attribute of.
    """
    config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    return cast(type[T], dataclass(frozen=True, kw_only=True, slots=True, config=config)(kind))


@claim_part
class Payer:
    """Loop 2010BB, NM1*PR, of the destination payer, with what 2000B says of the subscriber's cover."""

    id: Annotated[str, Field(strict=True, min_length=1, max_length=80), _text]
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


@claim_part
class OtherPayer:
    """Loop 2320 with 2330B: another payer of the same claim and what it decided."""

    payer_id: Name | None = None
    """2330B NM109."""
    adjudication_date: Date | None = None
    """2330B DTP*573."""
    paid: Money | None = None
    """2320 AMT*D, US dollars."""


@claim_part
class Subscriber:
    """Loop 2010BA, NM1*IL."""

    member_id: Name | None = None
    """NM109 with qualifier MI. Identifies a person: never a fact, never logged."""
    group_number: Name | None = None
    """2000B SBR03."""


@claim_part
class Patient:
    """Loop 2010CA, or 2010BA where the patient is the subscriber. Identifies a person: never a fact, never logged."""

    birth_date: Date | None = None
    """DMG02."""
    sex: Literal["F", "M", "U"] | None = None
    """DMG03."""
    first_name: Name | None = None
    """NM104."""


@claim_part
class Provider:
    """A provider in a role: 2310A referring, 2310B and 2420A rendering; 837I: 2310A attending, 2310B operating."""

    npi: Code | None = None
    """NM109 with qualifier XX: the National Provider Identifier, 10 digits."""
    taxonomy: Code | None = None
    """PRV03: provider taxonomy code, 10 characters."""


@claim_part
class BillingProvider(Provider):
    """Loop 2010AA with 2000A PRV."""

    entity: Literal["person", "organization"] | None = None
    """NM102: 1 person, 2 non-person entity."""
    state: Code | None = None
    """N402, two letters."""
    participating: Flag | None = None
    """Whether the provider has a contract with this payer; not on the 837."""


@claim_part
class ServiceFacility:
    """Loop 2310C (837P) or 2310E (837I): where the service was given, if not at the billing provider's address."""

    npi: Code | None = None
    """NM109."""
    name: Name | None = None
    """NM103."""
    state: Code | None = None
    """N402, two letters."""
    kind: Literal["asc", "hospital"] | None = None
    """Not on the 837."""


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
class Claim:
    """Loop 2300 with what it inherits from the billing provider, subscriber and patient loops above it."""

    claim_id: Annotated[str, Field(strict=True, min_length=1, max_length=38), _text]
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
    payer: Payer
    other_payers: Some[OtherPayer] = ()
    subscriber: Subscriber | None = None
    patient: Patient | None = None
    billing_provider: BillingProvider | None = None
    rendering_provider: Provider | None = None
    referring_provider: Provider | None = None
    attending_provider: Provider | None = None
    operating_provider: Provider | None = None
    service_facility: ServiceFacility | None = None
    prior_authorization: Name | None = None
    """REF*G1."""
    diagnoses: Codes
    """HI*ABK and HI*ABF, in order, with or without the dot."""
    admitting_diagnosis: Code | None = None
    """HI*ABJ; institutional only."""
    reason_diagnoses: Some[Code] = ()
    """HI*APR: the patient's reason for the visit; institutional only."""
    total_charge: Money | None = None
    """CLM02, US dollars."""
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES, json_schema_extra={"minItems": 1}), _some]
    documentation: Some[Documentation] = ()
    not_read: Some[Name] = ()
    """What of an 837 or FHIR Claim was passed over though a rule could ask it, written by the reader: loop and segment,
    or element (rules/unread.py), as `2300 PWK`; never a value. Absent on most claims, and no part of their digest."""


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
        raise ClaimInvalid(problems_of(error, Claim)) from None
