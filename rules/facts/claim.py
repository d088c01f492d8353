"""Facts of the claim form: charges, dates, pointers, modifiers, places; and who pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from rules.case import Case, date_of, dates_of, filled, last_dates_of, place_of_service_of, role_is_certain
from rules.claim import Line
from rules.facts.registry import fact, line_fact
from rules.facts.units import counted
from rules.formats import modifier, procedure
from rules.unread import oddity

NO_CHARGE = Decimal(0)
MOST_POINTERS = 4
MOST_MODIFIERS = 4


def _numbers(case: Case, wanted: Callable[[Line], bool]) -> tuple[int, ...]:
    return tuple([line.number for line in case.claim.lines if wanted(line)])


@fact("code", "the claim form", reach="head")
def form(case: Case) -> str:
    """professional (837P) or institutional (837I)."""
    return case.claim.form


@fact("code", "the billing role", reach="head")
def bills_as(case: Case) -> str:
    """practitioner, hospital_outpatient or asc, from the form, the billing taxonomy and the place of service."""
    return case.role


@fact("flag", "the billing taxonomy", reach="lines")
def role_certain(case: Case) -> bool:
    """Whether it is clear that an ambulatory surgical center, or else a practitioner, bills."""
    return role_is_certain(case.claim)


@fact("code", "the claim frequency code", reach="head")
def frequency_code(case: Case) -> str:
    """CLM05-3: 1 original, 7 replacement, 8 void."""
    return case.claim.frequency_code


@fact("codes", "what was odd in the file", reach="head")
def oddities(case: Case) -> tuple[str, ...]:
    """What of the 837 is not as the guide has it and was read all the same: what stands twice where it may stand once,
    out of its place, or under a qualifier that the guide does not know. Places, never values."""
    return tuple(filter(None, map(oddity, case.claim.oddities)))


@fact("flag", "the payer's original reference number", reach="head")
def has_original_reference(case: Case) -> bool:
    """Whether the claim names the payer's own number of the claim that it replaces or voids (REF*F8)."""
    return filled(case.claim.original_reference_number)


@fact("code", "the delay reason code", reach="head")
def delay_reason_code(case: Case) -> str | None:
    """CLM20: why the claim is late; missing on nearly all claims."""
    return case.claim.delay_reason_code or None


@fact("flag", "the payer id", reach="head")
def payer_known(case: Case) -> bool:
    """Whether the payer registry has a rule set for the claim's payer."""
    return case.selection.payer is not None and case.ruled


@fact("flag", "the plan", reach="head")
def plan_known(case: Case) -> bool:
    """Whether the plan that the claim names, if any, is one of the payer's plans in the registry."""
    return case.selection.plan_known


@fact("code", "the payer id", reach="head")
def payer_id(case: Case) -> str:
    """The destination payer's id (2010BB NM109)."""
    return case.claim.payer.id


@fact("code", "the line of business", reach="head")
def line_of_business(case: Case) -> str | None:
    """commercial, medicare_advantage, medicaid, exchange, fep, or medicare for Part A and B; given, else from SBR09."""
    return case.selection.line_of_business


@fact("flag", "the provider's participation with this payer", reach="head")
def participating(case: Case) -> bool | None:
    """Whether the billing provider has a contract with the payer."""
    return case.claim.billing_provider.participating if case.claim.billing_provider else None


@fact("money", "the total charge", own=True)
def total_charge(case: Case) -> Decimal | None:
    """CLM02, US dollars."""
    return case.claim.total_charge


@fact("money", "the line charges", own=True)
def line_charge_total(case: Case) -> Decimal:
    """Sum of all line charges, US dollars."""
    return sum([line.charge for line in case.claim.lines], NO_CHARGE)


@fact("lines", "the line charges", own=True)
def lines_with_negative_charge(case: Case) -> tuple[int, ...]:
    """Lines whose charge is below zero."""
    return tuple([line.number for line in case.claim.lines if line.charge < NO_CHARGE])


@line_fact("money", "the line's charge", own=True)
def charge(case: Case, line: Line) -> Decimal:
    """The line's charge (SV102 or SV203), US dollars."""
    return line.charge


@fact("lines", "the diagnosis pointers", reach="each")
def lines_without_pointers(case: Case) -> tuple[int, ...]:
    """Lines that point to no diagnosis."""
    return _numbers(case, lambda line: not line.diagnosis_pointers)


@fact("lines", "the diagnosis pointers", reach="each")
def lines_with_excess_pointers(case: Case) -> tuple[int, ...]:
    """Lines with more than four diagnosis pointers."""
    return _numbers(case, lambda line: len(line.diagnosis_pointers) > MOST_POINTERS)


@fact("lines", "the diagnosis pointers", diagnoses=True)
def lines_pointing_nowhere(case: Case) -> tuple[int, ...]:
    """Lines with a pointer that is not a position in the list of diagnoses."""
    count = len(case.claim.diagnoses)
    return _numbers(case, lambda line: any(not 1 <= pointer <= count for pointer in line.diagnosis_pointers))


@fact("lines", "the diagnosis pointers", reach="each")
def lines_with_repeated_pointers(case: Case) -> tuple[int, ...]:
    """Lines that point to one diagnosis twice."""
    return _numbers(case, lambda line: len(set(line.diagnosis_pointers)) < len(line.diagnosis_pointers))


@fact("lines", "the modifiers", reach="each")
def lines_with_excess_modifiers(case: Case) -> tuple[int, ...]:
    """Lines with more than four modifiers."""
    return _numbers(case, lambda line: len(line.modifiers) > MOST_MODIFIERS)


@fact("lines", "the modifiers", reach="each")
def lines_with_malformed_modifiers(case: Case) -> tuple[int, ...]:
    """Lines with a modifier that is not two capital letters or digits."""
    return _numbers(case, lambda line: not all(map(modifier, line.modifiers)))


@fact("lines", "the modifiers", reach="each")
def lines_with_repeated_modifiers(case: Case) -> tuple[int, ...]:
    """Lines with one modifier twice."""
    return _numbers(case, lambda line: len(set(line.modifiers)) < len(line.modifiers))


@fact("date", "the date on which the payer receives the claim", own=True)
def received_date(case: Case) -> date | None:
    """The day on which the payer is expected to receive the claim."""
    return case.received


@fact("date", "the date of service", own=True)
def last_service_date(case: Case) -> date | None:
    """The last date of any line, or where none has one, as on a stay in hospital, the statement's last day; missing
    where a line of the procedure has none."""
    if case.first_day is None:
        return None
    return max(last_dates_of(case.claim, case.claim.lines), default=case.claim.statement_through_date)


@fact("lines", "the dates of service", reach="head")
def lines_ending_before_start(case: Case) -> tuple[int, ...]:
    """Lines whose last day is before their first."""
    return _numbers(
        case,
        lambda line: bool(line.service_date and line.service_date_end and line.service_date_end < line.service_date),
    )


@fact("flag", "the statement dates", own=True)
def statement_ends_before_start(case: Case) -> bool:
    """Whether the statement period of an institutional claim ends before it starts."""
    start, end = case.claim.statement_from_date, case.claim.statement_through_date
    return bool(start and end and end < start)


@fact("flag", "the patient's birth date", own=True)
def serves_before_birth(case: Case) -> bool | None:
    """Whether a line's date is before the patient's birth date."""
    birth = case.claim.patient.birth_date if case.claim.patient else None
    if birth is None:
        return None
    days = dates_of(case.claim, case.claim.lines)
    if days and min(days) < birth:
        return True
    return None if case.first_day is None else False


@fact("lines", "the procedure codes", reach="each")
def lines_without_procedure(case: Case) -> tuple[int, ...]:
    """Lines that carry no procedure code."""
    return _numbers(case, lambda line: line.procedure is None)


@fact("lines", "the procedure codes", reach="each")
def lines_with_malformed_procedure(case: Case) -> tuple[int, ...]:
    """Lines whose procedure code is not five capital letters or digits with at least one digit."""
    return _numbers(case, lambda line: line.procedure is not None and not procedure(line.procedure))


@fact("lines", "the place of service", reach="each")
def lines_without_place_of_service(case: Case) -> tuple[int, ...]:
    """Lines that have no place of service of their own on a claim that has none either."""
    return _numbers(case, lambda line: place_of_service_of(case.claim, line) is None)


@fact("code", "the type of bill", reach="head")
def type_of_bill(case: Case) -> str | None:
    """CLM05-1 and -3 with a leading zero, such as 0131."""
    return case.claim.type_of_bill or None


@fact("lines", "the revenue codes", reach="each")
def lines_without_revenue_code(case: Case) -> tuple[int, ...]:
    """Lines that carry no revenue code."""
    return _numbers(case, lambda line: not line.revenue_code)


@fact("codes", "the revenue codes", own=True)
def revenue_codes(case: Case) -> tuple[str, ...]:
    """The revenue codes on the claim, each once, with a leading zero."""
    return tuple(dict.fromkeys(line.revenue_code.zfill(4) for line in case.claim.lines if line.revenue_code))


@fact("number", "the lines", reach="lines")
def line_count(case: Case) -> Decimal:
    """How many service lines the claim has."""
    return Decimal(len(case.claim.lines))


@fact("lines", "the line numbers", reach="lines")
def repeated_line_numbers(case: Case) -> tuple[int, ...]:
    """Line numbers that more than one line carries."""
    counts = Counter(line.number for line in case.claim.lines)
    return tuple(sorted(number for number, count in counts.items() if count > 1))


@fact("flag", "the type of bill", reach="head")
def type_of_bill_has_frequency(case: Case) -> bool | None:
    """Whether the fourth character of the type of bill is the claim frequency code, and its last."""
    return case.claim.type_of_bill[3:] == case.claim.frequency_code if case.claim.type_of_bill else None


@fact("code", "the kind of the service facility", reach="head")
def service_facility_kind(case: Case) -> str | None:
    """asc or hospital, where the claim names a service facility and says its kind."""
    return case.claim.service_facility.kind if case.claim.service_facility else None


@line_fact("flag", "the date of service", reach="line")
def spans_several_days(case: Case, line: Line) -> bool | None:
    """Whether the line's last day is after its first; a line without a last day has one date at most."""
    first, last = date_of(case.claim, line), line.service_date_end
    if last is None:
        return False
    return None if first is None else last > first


@line_fact("flag", "the units", reach="line")
def units_are_whole(case: Case, line: Line) -> bool | None:
    """Whether the line's units are a whole number."""
    found = counted(case, line)
    return None if found is None else found == found.to_integral_value()


@line_fact("code", "the place of service", reach="line")
def place_of_service(case: Case, line: Line) -> str | None:
    """The line's place of service, else the claim's."""
    return place_of_service_of(case.claim, line)


@line_fact("number", "the units", reach="line")
def units(case: Case, line: Line) -> Decimal | None:
    """Units of service on the line (SV104 or SV205); missing where they count minutes, days or a measure."""
    return counted(case, line)


@line_fact("codes", "the modifiers", reach="line")
def modifiers(case: Case, line: Line) -> tuple[str, ...]:
    """The line's modifiers, in order."""
    return line.modifiers


@line_fact("date", "the date of service", own=True)
def service_date(case: Case, line: Line) -> date | None:
    """The line's date of service, or the first day of its range."""
    return date_of(case.claim, line)
