"""Facts of what only the institutional form has: admission, discharge and statement, the condition, occurrence and
value codes, revenue codes, and who attended and operated.

No name is a fact, only whether there is one. All but those on procedures and modifiers are `own`: no shape holds these
fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import date
from decimal import Decimal

from rules.case import Case, filled
from rules.claim import Line
from rules.facts.operations import SURGERY
from rules.facts.registry import fact
from rules.formats import document_control_number, modifier

CLAIM_CHANGE = frozenset({"D0", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "E0"})
"""Condition codes that say why a claim is replaced or voided."""
OF_ANOTHER_PAYER = frozenset({"12", "13", "14", "15", "16", "41", "42", "43", "47"})
"""Value codes that hold what a payer before Medicare paid, each for one reason why it comes first."""
ACCIDENT_OR_ONSET = frozenset({"01", "02", "03", "04", "05", "06", "11"})
"""Occurrence codes of an accident or crime, or of the first symptoms: the patient was treated because of it."""
OFF_CAMPUS = frozenset({"PO", "PN", "ER"})
"""Modifiers of a hospital's department away from its campus."""
NEEDS_A_CODE = frozenset({"0360", "0361", "0450", "0490", "0510", "0636"})
"""Revenue codes of operating room, emergency room, clinic and drugs with codes: Medicare returns an outpatient line of
one of them without a procedure code. Not the whole list, which is not public in one place."""
STATUSES = frozenset(
    f"{number:02d}"
    for part in ((1, 8), (9, 10), (20, 22), (30, 31), (40, 44), (50, 52), (61, 67), (69, 71), (81, 96))
    for number in range(*part)
)
"""Discharge statuses in use, as the data dictionary of Medicare's claims prints them:
https://resdac.org (Patient Discharge Status Code)."""
TOTAL = "0001"
PRESENT = frozenset({"Y", "N", "U", "W"})
PUNCTURES = ("36400", "36416")
"""Drawing blood has codes within the range of surgery, and nobody operates."""
MATERNITY, MATERNITY_AGES = "O", range(9, 65)


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _twice(values: Iterable[Hashable]) -> list[Hashable]:
    return [value for value, times in Counter(values).items() if times > 1]


# admission, discharge, statement


@fact("flag", "the kind of admission", own=True)
def has_admission_codes(case: Case) -> bool:
    """Whether the claim says anything of the kind of admission, the point of origin or the patient status (CL1)."""
    claim = case.claim
    return filled(claim.admission_type) or filled(claim.point_of_origin) or filled(claim.patient_status)


@fact("code", "the kind of admission", own=True)
def admission_type(case: Case) -> str | None:
    """CL101: the priority of the admission or visit."""
    return case.claim.admission_type or None


@fact("code", "the point of origin", own=True)
def point_of_origin(case: Case) -> str | None:
    """CL102: where the patient came from."""
    return case.claim.point_of_origin or None


@fact("code", "the patient status", own=True)
def patient_status(case: Case) -> str | None:
    """CL103: the discharge status."""
    return case.claim.patient_status or None


@fact("flag", "the patient status", own=True)
def patient_status_known(case: Case) -> bool:
    """Whether the patient status is a discharge status that Medicare prints."""
    return (case.claim.patient_status or "") in STATUSES


@fact("flag", "the discharge hour", own=True)
def has_discharge_hour(case: Case) -> bool:
    """Whether the claim has the hour of discharge (DTP*096)."""
    return filled(case.claim.discharge_hour)


@fact("flag", "the statement dates", own=True)
def has_statement_dates(case: Case) -> bool:
    """Whether the claim has the first and the last day of the statement (DTP*434)."""
    return case.claim.statement_from_date is not None and case.claim.statement_through_date is not None


@fact("flag", "the statement dates", own=True)
def statement_is_one_date(case: Case) -> bool:
    """Whether the statement came as one date (D8), not as two (RD8)."""
    return case.claim.statement_is_range is False


@fact("lines", "the dates of service", own=True)
def lines_outside_statement(case: Case) -> tuple[int, ...]:
    """Lines with a day before the first or after the last of the statement; none where the claim lacks one of these."""
    start, end = case.claim.statement_from_date, case.claim.statement_through_date
    if start is None or end is None or end < start:
        return ()
    return tuple([line.number for line in case.claim.lines if _outside(line, start, end)])


def _outside(line: Line, start: date, end: date) -> bool:
    days = (line.service_date, line.service_date_end)
    return any(day is not None and not start <= day <= end for day in days)


@fact("code", "the type of bill", reach="head")
def facility_code(case: Case) -> str | None:
    """The kind of facility and of care: what the type of bill has between its leading zero and the frequency code."""
    bill = case.claim.type_of_bill
    return bill[1:3] if bill and len(bill) == 4 and bill[0] == "0" else None


@fact("flag", "the type of bill", reach="head")
def facility_code_is_whole(case: Case) -> bool | None:
    """Whether the kind of facility and of care are each a digit from 1 to 9; missing where `facility_code` is."""
    code = facility_code(case)
    return None if code is None else all("1" <= digit <= "9" for digit in code)


# condition, occurrence and value codes


@fact("codes", "the condition codes", own=True)
def condition_codes(case: Case) -> tuple[str, ...]:
    """The condition codes, each once (HI*BG)."""
    return _distinct(case.claim.condition_codes)


@fact("codes", "the condition codes", own=True)
def claim_change_codes(case: Case) -> tuple[str, ...]:
    """The condition codes that say why a claim is replaced or voided: D0 to D9 and E0, each once."""
    return _distinct(code for code in case.claim.condition_codes if code in CLAIM_CHANGE)


@fact("number", "the condition codes", own=True)
def claim_change_count(case: Case) -> Decimal:
    """How many different condition codes say why the claim is replaced or voided."""
    return Decimal(len(claim_change_codes(case)))


@fact("codes", "the condition codes", own=True)
def repeated_condition_codes(case: Case) -> tuple[str, ...]:
    """Condition codes that the claim has twice."""
    return tuple(map(str, _twice(case.claim.condition_codes)))


@fact("codes", "the condition codes", own=True)
def malformed_condition_codes(case: Case) -> tuple[str, ...]:
    """Condition codes that are not two capital letters or digits."""
    return _distinct(code for code in case.claim.condition_codes if not modifier(code))


@fact("codes", "the occurrence codes", own=True)
def occurrence_codes(case: Case) -> tuple[str, ...]:
    """The occurrence codes, each once (HI*BH)."""
    return _distinct(one.code for one in case.claim.occurrences)


@fact("codes", "the occurrence codes", own=True)
def repeated_occurrence_codes(case: Case) -> tuple[str, ...]:
    """Occurrence codes that one HI segment of the claim has twice."""
    twice = _twice((one.code, one.group) for one in case.claim.occurrences)
    return _distinct(one.code for one in case.claim.occurrences if (one.code, one.group) in twice)


@fact("codes", "the occurrence codes", own=True)
def occurrences_without_date(case: Case) -> tuple[str, ...]:
    """Occurrence codes that have no date beside them."""
    return _distinct(one.code for one in case.claim.occurrences if one.day is None)


@fact("codes", "the occurrence codes", own=True)
def occurrences_after_treatment(case: Case) -> tuple[str, ...]:
    """Occurrence codes of an accident, a crime or an onset of symptoms that are dated after the last day of the
    statement, or after the payer receives the claim."""
    ends = [day for day in (case.claim.statement_through_date, case.received) if day]
    if not ends:
        return ()
    return _distinct(
        one.code
        for one in case.claim.occurrences
        if one.code in ACCIDENT_OR_ONSET and one.day is not None and one.day > min(ends)
    )


@fact("codes", "the value codes", own=True)
def value_codes(case: Case) -> tuple[str, ...]:
    """The value codes, each once (HI*BE)."""
    return _distinct(one.code for one in case.claim.value_codes)


@fact("codes", "the value codes", own=True)
def value_codes_of_another_payer(case: Case) -> tuple[str, ...]:
    """The value codes that hold what a payer before Medicare paid: 12 to 16, 41 to 43 and 47."""
    return _distinct(one.code for one in case.claim.value_codes if one.code in OF_ANOTHER_PAYER)


@fact("codes", "the value codes", own=True)
def value_codes_of_nothing_paid(case: Case) -> tuple[str, ...]:
    """The value codes of a payer before Medicare whose amount is zero."""
    return _distinct(one.code for one in case.claim.value_codes if one.code in OF_ANOTHER_PAYER and one.amount == 0)


@fact("codes", "the value codes", own=True)
def repeated_value_codes(case: Case) -> tuple[str, ...]:
    """Value codes that the claim has twice."""
    return tuple(map(str, _twice(one.code for one in case.claim.value_codes)))


@fact("codes", "the value codes", own=True)
def value_codes_without_amount(case: Case) -> tuple[str, ...]:
    """Value codes that have no amount beside them."""
    return _distinct(one.code for one in case.claim.value_codes if one.amount is None)


@fact("flag", "the remarks", own=True)
def has_remark(case: Case) -> bool:
    """Whether the claim has a note (NTE of loop 2300)."""
    return bool(case.claim.has_remark)


@fact("flag", "the payer's original reference number", own=True)
def original_reference_is_dcn(case: Case) -> bool:
    """Whether the original reference number has the form of a document control number of Medicare Part A: 14 to 23
    letters and digits that begin with the century, the year and the day of the year."""
    return document_control_number((case.claim.original_reference_number or "").strip())


# diagnoses


@fact("number", "the patient's reasons for the visit", own=True)
def reason_count(case: Case) -> Decimal:
    """How many reasons for the visit the claim has (HI*APR)."""
    return Decimal(len(case.claim.reason_diagnoses))


@fact("codes", "the indicators of what was present on admission", own=True)
def unknown_admission_indicators(case: Case) -> tuple[str, ...]:
    """Indicators of what was present on admission that are none of Y, N, U and W."""
    return _distinct(one.indicator for one in case.claim.present_on_admission if one.indicator not in PRESENT)


@fact("flag", "the indicators of what was present on admission", own=True)
def has_admission_indicators(case: Case) -> bool:
    """Whether a diagnosis says that it was present on admission, or not."""
    return bool(case.claim.present_on_admission)


@fact("codes", "the patient's birth date", own=True)
def maternity_diagnoses_out_of_age(case: Case) -> tuple[str, ...]:
    """Diagnoses of pregnancy, birth and childbed (chapter O) of a patient who is younger than 9 or older than 64 on the
    first date of service; none where the birth date or the date is unknown."""
    birth = case.claim.patient.birth_date if case.claim.patient else None
    if birth is None or case.first_day is None:
        return ()
    age = case.first_day.year - birth.year - ((case.first_day.month, case.first_day.day) < (birth.month, birth.day))
    if age in MATERNITY_AGES or age < 0:
        return ()
    return _distinct(code for code in case.claim.diagnoses if code.startswith(MATERNITY))


# the lines


def _numbers(case: Case, found: Iterable[Line]) -> tuple[int, ...]:
    return tuple([line.number for line in found])


@fact("lines", "the revenue codes", own=True)
def lines_with_malformed_revenue_code(case: Case) -> tuple[int, ...]:
    """Lines whose revenue code is not four digits of which the first is 0, 1, 2 or 3."""
    return _numbers(case, [line for line in case.claim.lines if line.revenue_code and not _revenue(line.revenue_code)])


def _revenue(code: str) -> bool:
    return len(code) == 4 and code.isascii() and code.isdigit() and code[0] in "0123"


@fact("lines", "the revenue codes", own=True)
def lines_with_total(case: Case) -> tuple[int, ...]:
    """Lines with revenue code 0001, which is the total of a claim on paper."""
    return _numbers(case, [line for line in case.claim.lines if line.revenue_code == TOTAL])


@fact("lines", "the revenue codes", own=True)
def lines_without_needed_procedure(case: Case) -> tuple[int, ...]:
    """Lines without a procedure code whose revenue code is one of operating room, emergency room, clinic or drugs with
    codes: 0360, 0361, 0450, 0490, 0510, 0636."""
    lines = case.claim.lines
    return _numbers(case, [one for one in lines if one.revenue_code in NEEDS_A_CODE and not one.procedure])


@fact("lines", "the lines' charges", own=True)
def lines_with_excess_non_covered(case: Case) -> tuple[int, ...]:
    """Lines whose non-covered charge is above their charge."""
    lines = case.claim.lines
    return _numbers(case, [one for one in lines if one.non_covered_charge and one.non_covered_charge > one.charge])


@fact("lines", "the modifiers", reach="each")
def lines_with_two_departments(case: Case) -> tuple[int, ...]:
    """Lines with both PO and PN."""
    return _numbers(case, [line for line in case.claim.lines if {"PO", "PN"}.issubset(line.modifiers)])


@fact("lines", "the modifiers", reach="each")
def lines_off_campus(case: Case) -> tuple[int, ...]:
    """Lines with PO, PN or ER: of a department away from the hospital's campus."""
    return _numbers(case, [line for line in case.claim.lines if not OFF_CAMPUS.isdisjoint(line.modifiers)])


@fact("lines", "the modifiers", reach="each")
def lines_on_campus(case: Case) -> tuple[int, ...]:
    """Lines with a procedure code and without PO, PN and ER."""
    lines = case.claim.lines
    return _numbers(case, [one for one in lines if one.procedure and OFF_CAMPUS.isdisjoint(one.modifiers)])


@fact("flag", "the service facility", own=True)
def has_service_facility(case: Case) -> bool:
    """Whether the claim names a place of service other than the billing provider's address (2310E)."""
    return case.claim.service_facility is not None


@fact("codes", "the procedure codes", reach="each")
def surgical_codes(case: Case) -> tuple[str, ...]:
    """Procedure codes of the claim in the range of surgery, each once, without those for drawing blood."""
    codes = (line.procedure or "" for line in case.claim.lines)
    return _distinct(code for code in codes if _surgical(code))


def _surgical(code: str) -> bool:
    in_range = len(code) == 5 and code.isdigit() and SURGERY[0] <= code <= SURGERY[1]
    return in_range and not PUNCTURES[0] <= code <= PUNCTURES[1]


# who attended and operated, and who pays first


@fact("flag", "the attending provider", own=True)
def attending_is_billing(case: Case) -> bool:
    """Whether the attending provider and the billing provider have one NPI."""
    attending, billing = case.claim.attending_provider, case.claim.billing_provider
    return bool(attending and billing and attending.npi and attending.npi == billing.npi)


@fact("flag", "the attending provider", own=True)
def attending_is_organization(case: Case) -> bool:
    """Whether the attending provider is named as an organization (NM102 2)."""
    attending = case.claim.attending_provider
    return bool(attending and attending.entity == "organization")


@fact("flag", "the operating provider", own=True)
def has_operating_provider(case: Case) -> bool:
    """Whether the claim names who operated (2310B)."""
    return case.claim.operating_provider is not None


@fact("flag", "the operating provider", own=True)
def operating_is_complete(case: Case) -> bool:
    """Whether the provider who operated has an NPI, a last and a first name; true where none is named."""
    operating = case.claim.operating_provider
    return operating is None or all(map(filled, (operating.npi, operating.last_name, operating.first_name)))


@fact("code", "the place of the payer in the order", own=True)
def payer_responsibility(case: Case) -> str | None:
    """SBR01 of the payer that gets this claim: P first, S second, T third, U unknown."""
    return case.claim.payer.responsibility


@fact("codes", "the revenue codes", own=True)
def unscheduled_revenue_codes(case: Case) -> tuple[str, ...]:
    """The revenue codes of the claim that are of a visit nobody planned: emergency room (045x), urgent care (0516) and
    observation (0762)."""
    codes = dict.fromkeys(line.revenue_code.zfill(4) for line in case.claim.lines if line.revenue_code)
    return tuple(code for code in codes if code.startswith("045") or code in ("0516", "0762"))
