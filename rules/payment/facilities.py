"""What Medicare pays a hospital's outpatient department or a surgical center: a national rate, part of it by the wage
index of the place; nothing of its own where it is packaged into an operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from rules.payment.modifiers import NOT_EXCEPTED, facility_modifiers
from rules.payment.money import cents_of, share_of
from rules.payment.question import Expected, Looked, Question, Unknown, between

_SCHEDULES = {"hospital": "hospital_outpatient", "asc": "asc"}
_NAMES = {"hospital": "hospital outpatient rates (OPPS)", "asc": "surgical center rates (ASC)"}
_FILES = {"hospital": "OPPS Addendum B", "asc": "ASC Addendum AA"}
_PACKAGED = {"hospital": ("N",), "asc": ("N1",)}
_PAID = {"hospital": ("S", "T", "V"), "asc": ("A2", "G2", "P2", "P3", "R2")}
_RANKED = ("T", "Y")
"""Status of a hospital's procedures that are ranked with others of the day, and the mark of surgical centers'."""
_UNADJUSTED = "national rate, before the wage index (SCRUB_WAGE_INDEX)"
_OTHERS = "other procedures of the day: the dearest is paid in full, each other one half"


def facility_payment(question: Question, looked: Looked) -> Expected:
    """Of a hospital's or a surgical center's line.

    Raises:
        Unknown
    """
    schedule = _SCHEDULES[question.site]
    if question.site == "hospital" and (packaged := _packaging(question, looked)):
        return packaged
    status, ranked = _status(question, looked, schedule)
    if status in _PACKAGED[question.site]:
        return Expected(
            "packaged", 0, 0, _NAMES[question.site], steps=(f"status {status}: packaged into other services",)
        )
    if status not in _PAID[question.site]:
        raise Unknown(f"status {status} of {question.procedure}: the book does not know how it is paid")
    shares = [*_shares(question, looked, schedule)]
    low, steps, notes = _rate(question, looked, schedule)
    for share, what in shares:
        low, steps = share_of(low, share), [*steps, f"x {share} {what}"]
    high = low
    if ranked and question.rank != "only":
        half = looked.share(schedule, "another_procedure")
        low = share_of(low, half)
        high = high if question.rank == "uncertain" else low
        if_any = ", if there is one" if question.rank == "uncertain" else ""
        steps.append(f"x {half} beside a dearer procedure{if_any}")
    return replace(
        between(low, high, _NAMES[question.site]),
        steps=tuple(steps),
        notes=tuple(notes),
        missing=(_OTHERS,) if low != high else (),
    )


def _shares(question: Question, looked: Looked, schedule: str) -> Iterator[tuple[Decimal, str]]:
    """What the rate is multiplied by whatever else is on the claim, and how that reads."""
    reduced, sides = facility_modifiers(question), question.sides
    if question.site == "asc" and question.units == 2 and sides == "one":
        sides = "both"
    elif question.units != 1:
        raise Unknown(f"units {question.units}: the book has the payment of one unit")
    if reduced and (sides != "one" or question.rank != "only"):
        raise Unknown(
            "a reduced service on both sides, or beside another procedure: the book has no share for both at once"
        )
    if NOT_EXCEPTED in question.modifiers:
        yield looked.share(schedule, "off_campus"), "off-campus department that is not excepted (PN)"
    if reduced:
        yield looked.share(schedule, "reduced"), "reduced, or broken off before anesthesia"
    if sides == "both":
        yield looked.share(schedule, "bilateral"), "both sides"
    elif sides == "second":
        yield looked.share(schedule, "bilateral") - 1, "second side; the first is paid in full on its own line"


def _packaging(question: Question, looked: Looked) -> Expected | None:
    """Nothing, where another line of the claim is paid with all that goes with it."""
    packaging = [code for code in question.beside if looked.find("packaging_operations", (code,)) is not None]
    if not packaging:
        return None
    step = f"packaged into {', '.join(packaging)} (status J1): no payment of its own"
    return Expected("packaged", 0, 0, _NAMES["hospital"], steps=(step,))


def _status(question: Question, looked: Looked, schedule: str) -> tuple[str, bool]:
    row = looked.find("payment_indicators", (schedule, question.procedure), schedule)
    if row is None:
        raise Unknown(
            f"status of {question.procedure} on {question.day}: scrub tables import {_FILES[question.site]} of that "
            "quarter"
        )
    status, multiple, _ = row
    return status, (status if question.site == "hospital" else multiple) in _RANKED


def _rate(question: Question, looked: Looked, schedule: str) -> tuple[int, list[str], list[str]]:
    row = looked.find("fee_schedule", (schedule, question.procedure), schedule)
    if row is None:
        raise Unknown(
            f"rate of {question.procedure} on {question.day}: scrub tables import {_FILES[question.site]} of that "
            "quarter"
        )
    national = Decimal(row[0])
    steps = [f"national rate {national}"]
    if question.wage_index is None:
        return cents_of(national), steps, [_UNADJUSTED]
    labor = looked.share(schedule, "labor")
    adjusted = national * labor * question.wage_index + national * (1 - labor)
    return cents_of(adjusted), [*steps, f"{labor} of it x wage index {question.wage_index}"], []
