"""Facts of what a claim says of itself: signatures, related causes, dates beside those of service, notes, numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from rules.case import Case, date_of, filled, place_of_service_of
from rules.facts.addresses import HOME
from rules.facts.diagnoses import undotted
from rules.facts.registry import fact

INPATIENT = frozenset({"21", "51", "61"})
"""Places of service of inpatients: hospital, psychiatric facility, comprehensive rehabilitation."""
FACILITIES = frozenset({"19", "21", "22", "23", "24"})
"""Places of a hospital or surgical center."""
OLDEST = 150
UNLISTED = frozenset({
    "01999", "17999", "20999", "22899", "22999", "24999", "27299", "27599", "27899", "28899", "29999", "64999",
    "76496", "76497", "76498", "76499", "76999", "84999", "95999", "96999", "97039", "97139", "97799", "99199",
    "99499", "C9399", "E1399", "J3490", "J3590", "J7999", "J8499", "J8999", "J9999",
})  # fmt: skip
"""Codes for what has no code of its own, of the kinds that stand beside a nerve block."""
_SIGNATURES: tuple[tuple[str, str, frozenset[str], str], ...] = (
    ("CLM06", "provider_signature", frozenset({"Y", "N"}), "P"),
    ("CLM07", "assignment", frozenset({"A", "B", "C"}), "PI"),
    ("CLM08", "benefits_assigned", frozenset({"Y", "N", "W"}), "PI"),
    ("CLM09", "release_of_information", frozenset({"Y", "I"}), "PI"),
)


@fact("flag", "the kind of the transaction (claim or encounter)", reach="head")
def is_encounter(case: Case) -> bool:
    """Whether the claim only reports an encounter and asks for no payment (BHT06 is RP); a claim that says nothing asks
    for payment."""
    return case.claim.transaction_type == "RP"


def _signatures(case: Case, wanted: Callable[[str | None, frozenset[str]], bool]) -> tuple[str, ...]:
    form = case.claim.form[0].upper()
    if case.claim.source_format != "x12" and not any(getattr(case.claim, name) for _, name, _, _ in _SIGNATURES):
        return ()
    return tuple(
        place
        for place, name, values, forms in _SIGNATURES
        if form in forms and wanted(getattr(case.claim, name), values)
    )


@fact("codes", "the signature and assignment codes", own=True)
def missing_signature_codes(case: Case) -> tuple[str, ...]:
    """Which of CLM06 (professional), CLM07, CLM08 and CLM09 are blank."""
    return _signatures(case, lambda value, _values: not filled(value))


@fact("codes", "the signature and assignment codes", own=True)
def unknown_signature_codes(case: Case) -> tuple[str, ...]:
    """Which of CLM06 (professional), CLM07, CLM08 and CLM09 hold a code that is not of their list."""
    return _signatures(case, lambda value, values: filled(value) and value not in values)


@fact("codes", "the related causes", own=True)
def related_causes(case: Case) -> tuple[str, ...]:
    """CLM11: AA auto accident, EM employment, OA other accident."""
    return case.claim.related_causes


@fact("flag", "the date of the accident", own=True)
def has_accident_date(case: Case) -> bool:
    """Whether the date of an accident is on the claim (DTP*439)."""
    return case.claim.accident_date is not None


@fact("flag", "the state of the accident", own=True)
def has_accident_place(case: Case) -> bool:
    """Whether the claim has the state of an auto accident, or its country where it is not in the US (CLM11-4, -5)."""
    country = (case.claim.accident_country or "").strip().upper()
    return filled(case.claim.accident_state) or country not in HOME


@fact("lines", "the date of the accident", own=True)
def lines_before_accident(case: Case) -> tuple[int, ...]:
    """Lines that were given before the accident that is said to have caused them."""
    return _before(case, case.claim.accident_date)


@fact("lines", "the date of onset", own=True)
def lines_before_onset(case: Case) -> tuple[int, ...]:
    """Lines that were given before the onset of the illness."""
    return _before(case, case.claim.onset_date)


def _before(case: Case, start: date | None) -> tuple[int, ...]:
    if start is None:
        return ()
    days = [(line.number, date_of(case.claim, line)) for line in case.claim.lines]
    return tuple(number for number, day in days if day and day < start)


@fact("lines", "the date of admission", own=True)
def inpatient_lines_before_admission(case: Case) -> tuple[int, ...]:
    """Lines at an inpatient place of service (21, 51, 61) that were given before the day of admission."""
    inpatient = set(inpatient_lines(case))
    return tuple(number for number in _before(case, case.claim.admission_date) if number in inpatient)


@fact("lines", "the place of service", own=True)
def inpatient_lines(case: Case) -> tuple[int, ...]:
    """Lines at an inpatient place of service: 21, 51 or 61."""
    return _at(case, INPATIENT)


@fact("lines", "the place of service", own=True)
def facility_lines(case: Case) -> tuple[int, ...]:
    """Lines at a hospital or surgical center by their place of service (19, 21, 22, 23, 24) that name no service
    facility of their own."""
    own = {line.number for line in case.claim.lines if line.service_facility}
    return tuple(number for number in _at(case, FACILITIES) if number not in own)


def _at(case: Case, places: frozenset[str]) -> tuple[int, ...]:
    return tuple(line.number for line in case.claim.lines if place_of_service_of(case.claim, line) in places)


@fact("flag", "the date of admission", own=True)
def has_admission_date(case: Case) -> bool:
    """Whether the day of admission is on the claim (DTP*435)."""
    return case.claim.admission_date is not None


@fact("lines", "the line control numbers", own=True)
def lines_with_repeated_control_number(case: Case) -> tuple[int, ...]:
    """Lines whose control number (REF*6R) another line has as well."""
    numbers = [(line.number, (line.control_number or "").strip()) for line in case.claim.lines]
    counts = Counter(number for _, number in numbers)
    return tuple(place for place, number in numbers if number and counts[number] > 1)


@fact("flag", "the claim note", own=True)
def has_long_note(case: Case) -> bool:
    """Whether a note (NTE02) of the claim or of a line has more than 80 characters."""
    return bool(case.claim.has_long_note) or any(line.has_long_note for line in case.claim.lines)


@fact("lines", "the description of the service", own=True)
def unlisted_lines_without_description(case: Case) -> tuple[int, ...]:
    """Lines with a code for what has no code of its own, without a description or note of theirs or the claim's."""
    if case.claim.has_remark:
        return ()
    return tuple(line.number for line in case.claim.lines if line.procedure in UNLISTED and not line.has_description)


@fact("lines", "the NDC's quantity", own=True)
def lines_without_ndc_quantity(case: Case) -> tuple[int, ...]:
    """Lines with an NDC but without its quantity or unit."""
    return tuple(
        line.number
        for line in case.claim.lines
        if line.drug and filled(line.drug.ndc) and (line.drug.quantity is None or not filled(line.drug.unit))
    )


@fact("flag", "the patient's birth date", own=True)
def is_too_old(case: Case) -> bool:
    """Whether the patient would have been 150 years old or more on the first date of service; not where the birth date
    or every date of service is missing, which another rule asks for."""
    birth = case.claim.patient.birth_date if case.claim.patient else None
    day = case.first_day
    if birth is None or day is None:
        return False
    return (day.year - birth.year) - ((day.month, day.day) < (birth.month, birth.day)) >= OLDEST


@fact("flag", "what the patient paid", own=True)
def patient_paid_more_than_charged(case: Case) -> bool:
    """Whether the patient paid (AMT*F5) more than the total charge."""
    paid, total = case.claim.patient_paid, case.claim.total_charge
    return paid is not None and total is not None and paid > total


@fact("flag", "what the patient is estimated to owe", own=True)
def patient_estimate_above_charge(case: Case) -> bool:
    """Whether the patient is estimated to owe (AMT*F3) more than the total charge."""
    owed, total = case.claim.patient_estimated, case.claim.total_charge
    return owed is not None and total is not None and owed > total


@fact("flag", "the diagnoses", reach="head")
def has_several_principal_diagnoses(case: Case) -> bool:
    """Whether a principal diagnosis stands on the claim more than once (HI*ABK)."""
    return bool(case.claim.several_principal_diagnoses)


@fact("code", "the diagnoses", diagnoses=True)
def principal_diagnosis_kind(case: Case) -> str:
    """external_cause (V, W, X or Y code), sequela (seventh character S) or other, of the first diagnosis."""
    return _kind(case.claim.diagnoses[0]) if case.claim.diagnoses else "other"


@fact("code", "the diagnoses", diagnoses=True)
def principal_diagnosis(case: Case) -> str | None:
    """The first diagnosis."""
    return case.claim.diagnoses[0] if case.claim.diagnoses else None


@lru_cache(maxsize=2**14)
def _kind(code: str) -> str:
    bare = undotted(code).strip().upper()
    if bare[:1] in ("V", "W", "X", "Y"):
        return "external_cause"
    return "sequela" if len(bare) == 7 and bare[-1] == "S" else "other"


@fact("flag", "the payer's kind (SBR09)", own=True)
def pays_for_accidents(case: Case) -> bool:
    """Whether the payer is one of work injuries, cars or liability (SBR09 WC, AM, LM, LI, LT); not where it does not
    say so."""
    return case.claim.payer.filing_indicator in ("WC", "AM", "LM", "LI", "LT")


@fact("flag", "the related causes", own=True)
def has_related_cause(case: Case) -> bool:
    """Whether the claim names a related cause (CLM11)."""
    return bool(case.claim.related_causes)
