"""Facts of several payers of one claim: their order, and what the earlier ones decided.

A payer is named by its place in the order (primary, secondary, tertiary), else by its position among the other payers;
no one who is insured is named. No claim with another payer, or with a decision on a line, shares its shape, so none of
these facts is the claim's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

from rules.case import Case, dates_of
from rules.claim import Adjustment, Line, LineDecision, OtherPayer
from rules.facts.registry import fact

ORDER = "PSTABCDEFGH"
"""SBR01, first payer first; U, unknown, has no place in it."""
PLACES = {"P": "primary", "S": "secondary", "T": "tertiary"}
SELF = "18"
MEDICARE = ("MA", "MB")
FILING_INDICATORS = frozenset(
    {"11", "12", "13", "14", "15", "16", "17", "AM", "BL", "CH", "CI", "DS", "FI", "HM", "LM", "MA", "MB", "MC", "OF",
     "TV", "VA", "WC", "ZZ"}
)  # fmt: skip
"""SBR09 of the guides of version 5010."""
REASON = re.compile(r"[1-9][0-9]{0,2}|[ABDPWY][0-9]{1,2}")
"""The form of a claim adjustment reason code (CARC)."""
REMARK = re.compile(r"M[1-9][0-9]{0,2}|MA[0-9]{2,3}|N[1-9][0-9]{0,2}")
"""The form of a remittance advice remark code (RARC)."""
NOTHING = Decimal(0)
HERE = "the payer that the claim goes to"


# the payers in their order


@fact("code", "the payer's place in the order of payers", reach="head")
def payer_place(case: Case) -> str | None:
    """SBR01 of 2000B: P primary, S secondary, T tertiary, A to H after these, U unknown."""
    return case.claim.payer.responsibility


@fact("flag", "the primary payer", reach="head")
def names_primary_payer(case: Case) -> bool:
    """Whether the claim goes to the primary payer, or names it among the others (2320 SBR01); true as well where
    another payer's place is missing."""
    return case.claim.payer.responsibility == "P" or any(
        other.responsibility in ("P", None) for other in case.claim.other_payers
    )


@fact("codes", "the payers' places in their order", reach="head")
def repeated_payer_places(case: Case) -> tuple[str, ...]:
    """The places (SBR01) that two payers of the claim have; U, unknown, may be there more than once."""
    places = [case.claim.payer.responsibility, *(other.responsibility for other in case.claim.other_payers)]
    counts = Counter(place for place in places if place and place != "U")
    return tuple(_place(place) for place, count in counts.items() if count > 1)


@fact("number", "the payers' places in their order", reach="head")
def payers_ahead(case: Case) -> Decimal:
    """How many other payers come before the one that the claim goes to."""
    return Decimal(sum(earlier(case, other) for other in case.claim.other_payers))


# what kind of payer, and why


@fact("code", "the claim filing indicator", reach="head")
def filing_indicator(case: Case) -> str | None:
    """SBR09 of 2000B: the kind of payer that the claim goes to."""
    return case.claim.payer.filing_indicator or None


@fact("codes", "the claim filing indicators", reach="head")
def unknown_filing_indicators(case: Case) -> tuple[str, ...]:
    """The claim filing indicators (SBR09 of 2000B and 2320) that are not in the list of version 5010."""
    given = [case.claim.payer.filing_indicator, *(other.filing_indicator for other in case.claim.other_payers)]
    return tuple(dict.fromkeys(code for code in given if code and code not in FILING_INDICATORS))


@fact("flag", "the claim filing indicators", reach="head")
def names_part_b_twice(case: Case) -> bool:
    """Whether both the payer that the claim goes to and another one are Medicare Part B (SBR09 MB)."""
    others = case.claim.other_payers
    return case.claim.payer.filing_indicator == "MB" and any(other.filing_indicator == "MB" for other in others)


@fact("codes", "the insurance type codes", reach="head")
def insurance_types(case: Case) -> tuple[str, ...]:
    """The insurance type codes (SBR05 of 2000B and 2320) of the claim."""
    given = [case.claim.payer.insurance_type, *(other.insurance_type for other in case.claim.other_payers)]
    return tuple(dict.fromkeys(code for code in given if code))


@fact("codes", "the insurance type codes", reach="head")
def primary_with_insurance_type(case: Case) -> tuple[str, ...]:
    """The payers that are primary (SBR01 P) and have an insurance type code (SBR05)."""
    here = case.claim.payer.responsibility == "P" and bool(case.claim.payer.insurance_type)
    others = named(case, lambda other: other.responsibility == "P" and bool(other.insurance_type))
    return (*([HERE] if here else []), *others)


@fact("codes", "the insurance type codes", reach="head")
def medicare_without_insurance_type(case: Case) -> tuple[str, ...]:
    """The payers that are Medicare (SBR09 MA or MB), not primary, and have no insurance type code (SBR05)."""
    payer = case.claim.payer
    here = payer.filing_indicator in MEDICARE and _rank(payer.responsibility) > 0 and not payer.insurance_type
    others = named(
        case,
        lambda other: (
            other.filing_indicator in MEDICARE and _rank(other.responsibility) > 0 and not other.insurance_type
        ),
    )
    return (*([HERE] if here else []), *others)


# who is insured


@fact("flag", "the patient's relationship to the subscriber", reach="head")
def subscriber_is_patient(case: Case) -> bool:
    """Whether the subscriber's relationship (SBR02 of 2000B) says that the patient is the subscriber: 18."""
    return bool(case.claim.subscriber and case.claim.subscriber.relationship == SELF)


@fact("flag", "the patient's own loop", reach="head")
def has_patient_loop(case: Case) -> bool:
    """Whether loop 2000C names the patient apart from the subscriber."""
    return bool(case.claim.patient and case.claim.patient.own_loop)


@fact("codes", "the other insurance information", reach="head")
def payers_without_insurance_information(case: Case) -> tuple[str, ...]:
    """The other payers without other insurance coverage information (2320 OI)."""
    return named(
        case,
        lambda other: not (other.benefits_assigned or other.patient_signature_source or other.release_of_information),
    )


@fact("codes", "the other payer's subscriber", reach="head")
def payers_without_subscriber(case: Case) -> tuple[str, ...]:
    """The other payers whose subscriber (2330A) has no name or no member id."""
    return named(
        case, lambda other: not (other.subscriber and other.subscriber.has_last_name and other.subscriber.member_id)
    )


# what earlier payers decided, and when


@fact("codes", "the other payers' decision dates", reach="head")
def payers_without_decision_date(case: Case) -> tuple[str, ...]:
    """The payers before the one that the claim goes to without a decision date, at the claim (2330B DTP*573) or at a
    line (2430 DTP*573)."""
    return named(
        case,
        lambda other: (
            earlier(case, other)
            and other.adjudication_date is None
            and not any(decision.adjudication_date for _, decision in decisions(case, other))
        ),
    )


@fact("codes", "the other payers' decision dates", reach="head")
def payers_dated_twice(case: Case) -> tuple[str, ...]:
    """The other payers with a decision date both at the claim (2330B DTP*573) and at a line (2430 DTP*573)."""
    return named(
        case,
        lambda other: (
            other.adjudication_date is not None
            and not other.dated_by_lines
            and any(decision.adjudication_date for _, decision in decisions(case, other))
        ),
    )


@fact("lines", "the decision dates of lines", reach="head")
def lines_without_decision_date(case: Case) -> tuple[int, ...]:
    """Lines with a decision of another payer (2430 SVD) that has no date of its own (2430 DTP*573)."""
    return _lines(case, lambda _, decision: decision.adjudication_date is None)


@fact("codes", "the other payers' decision dates", reach="head")
def payers_misdated(case: Case) -> tuple[str, ...]:
    """The payers before the one that the claim goes to that decided, by their date, before the first service or after
    the day on which this payer receives the claim."""
    if not case.claim.other_payers:
        return ()
    first = min(dates_of(case.claim, case.claim.lines), default=None)

    def misdated(day: date | None) -> bool:
        return day is not None and bool((first and day < first) or (case.received and day > case.received))

    return named(
        case,
        lambda other: (
            earlier(case, other)
            and any(
                map(misdated, (other.adjudication_date, *(one.adjudication_date for _, one in decisions(case, other))))
            )
        ),
    )


@fact("codes", "the amounts paid by other payers", reach="head")
def payers_without_paid_amount(case: Case) -> tuple[str, ...]:
    """The other payers that decided on lines (2430 SVD) and have no amount paid for the claim (2320 AMT*D)."""
    return named(case, lambda other: other.paid is None and any(True for _ in decisions(case, other)))


@fact("lines", "the amounts paid by other payers", reach="head")
def lines_paid_below_zero(case: Case) -> tuple[int, ...]:
    """Lines for which another payer paid less than nothing (2430 SVD02)."""
    return _lines(case, lambda _, decision: decision.paid is not None and decision.paid < NOTHING)


@fact("lines", "the other payers of lines", reach="head")
def lines_decided_by_nobody(case: Case) -> tuple[int, ...]:
    """Lines with a decision (2430 SVD01) of a payer that is none of the claim's other payers (2330B NM109)."""
    known = {other.payer_id for other in case.claim.other_payers}
    return _lines(case, lambda _, decision: bool(decision.payer_id) and decision.payer_id not in known)


@fact("codes", "the patient's remaining liability", reach="head")
def payers_with_liability_twice(case: Case) -> tuple[str, ...]:
    """The other payers whose decision leaves an amount to the patient (AMT*EAF) both at the claim (2320) and at a
    line (2430)."""
    return named(
        case,
        lambda other: (
            other.remaining_liability is not None
            and any(decision.remaining_liability is not None for _, decision in decisions(case, other))
        ),
    )


# why


@fact("codes", "the reasons of adjustments", reach="head")
def unexplained_adjustments(case: Case) -> tuple[str, ...]:
    """Where an adjustment (CAS) has no reason code: at the claim of a payer, or on a line."""
    claims = named(case, lambda other: any(not one.reason for one in other.adjustments))
    lines = _lines(case, lambda _, decision: any(not one.reason for one in decision.adjustments))
    return (*claims, *(f"line {number}" for number in lines))


@fact("codes", "the reasons of adjustments", reach="head")
def malformed_adjustment_reasons(case: Case) -> tuple[str, ...]:
    """The reasons of adjustments (CAS) that do not have the form of a claim adjustment reason code."""
    given = [one.reason for adjustments in _all_adjustments(case) for one in adjustments]
    return tuple(dict.fromkeys(reason for reason in given if reason and not REASON.fullmatch(reason)))


@fact("codes", "the remark codes of other payers", reach="head")
def malformed_remark_codes(case: Case) -> tuple[str, ...]:
    """The remark codes of other payers (2320 MIA and MOA) that do not have the form of one."""
    given = [code for other in case.claim.other_payers for code in other.remark_codes]
    return tuple(dict.fromkeys(code for code in given if not REMARK.fullmatch(code)))


def _place(code: str) -> str:
    return PLACES.get(code, code)


def _rank(code: str | None) -> int:
    """The place in the order from 0; -1 where it is unknown."""
    return ORDER.find(code) if code else -1


def earlier(case: Case, other: OtherPayer) -> bool:
    """Whether that payer decides before the one that the claim goes to."""
    return 0 <= _rank(other.responsibility) < _rank(case.claim.payer.responsibility)


def named(case: Case, wanted: Callable[[OtherPayer], bool]) -> tuple[str, ...]:
    """The other payers for which that holds, each by its place in the order."""
    found = [
        PLACES.get(other.responsibility or "", f"other payer {position}")
        for position, other in enumerate(case.claim.other_payers, 1)
        if wanted(other)
    ]
    return tuple(dict.fromkeys(found))


def _lines(case: Case, wanted: Callable[[Line, LineDecision], bool]) -> tuple[int, ...]:
    """The lines with a decision for which that holds."""
    return tuple(
        [
            line.number
            for line in case.claim.lines
            if line.decisions and any(wanted(line, one) for one in line.decisions)
        ]
    )


def decisions(case: Case, other: OtherPayer) -> Iterator[tuple[Line, LineDecision]]:
    """What that payer decided, line by line."""
    if other.payer_id:
        for line in case.claim.lines:
            for decision in line.decisions:
                if decision.payer_id == other.payer_id:
                    yield line, decision


def _all_adjustments(case: Case) -> Iterator[tuple[Adjustment, ...]]:
    for other in case.claim.other_payers:
        yield other.adjustments
    for line in case.claim.lines:
        for decision in line.decisions:
            yield decision.adjustments
