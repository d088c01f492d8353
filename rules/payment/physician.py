"""The physician fee schedule: relative values, each by the cost index of the locality, by the conversion factor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import lru_cache

from rules.payment.modifiers import ANOTHER, practitioner_modifiers
from rules.payment.money import cents_of, share_of
from rules.payment.question import Expected, Looked, Question, Rank, Unknown, between
from rules.tables.table import Row

SCHEDULE = "physician fee schedule"
_PLACES = {"office": "nonfacility", "facility": "facility"}
_SAID = {"office": "an office", "facility": "a facility"}
_TWO_FACTORS = date(2026, 1, 1)
"""From this day on there is a conversion factor of its own for qualifying participants."""
_PAID_STATUS = "A"
_STANDARD, _NEVER = "2", "0"
"""Indicators of multiple procedures: ranked by amount with others; never reduced."""
_BILATERAL = "1"
_NATIONAL = ("1", "1", "1")
_AT_ITS_WORD = f"modifier {ANOTHER} is taken at its word; Medicare ranks the procedures of a day itself"
_OTHER_PROCEDURES = "other procedures of the day: the dearest is paid in full, each other one half"


def physician_payment(question: Question, looked: Looked) -> Expected:
    """Of a practitioner's line.

    Raises:
        Unknown
    """
    if question.units != 1:
        raise Unknown(f"units {question.units}: the book has the payment of one unit")
    practitioner_modifiers(question)
    values, factor = _values(question, looked)
    multiple, bilateral = _indicators(question, looked)
    indices = _indices(question, looked)
    shares = [*_shares(question, looked), *_sides(question, looked, bilateral)]
    amounts = [amount_of((*values, factor), row) for row in indices]
    low, high, national = (
        _shared(cents_of(amount), shares)
        for amount in (min(amounts), max(amounts), amount_of((*values, factor), _NATIONAL))
    )
    steps = [_first_step(values, indices, factor), *(f"x {share} {what}" for share, what in shares)]
    missing = question.places.missing if len(amounts) > 1 else ()
    rank: Rank = "other" if ANOTHER in question.modifiers and question.rank == "only" else question.rank
    if rank != "only" and multiple != _NEVER:
        half = _half(question, looked, multiple)
        low, if_any = share_of(low, half), ""
        if rank == "uncertain":
            if_any, missing = ", if there is one", (*missing, _OTHER_PROCEDURES)
        else:
            high, national = share_of(high, half), share_of(national, half)
        steps.append(f"x {half} beside a dearer procedure{if_any}")
    notes = (_AT_ITS_WORD,) if ANOTHER in question.modifiers else ()
    return replace(
        between(low, high, SCHEDULE), national=national, steps=tuple(steps), notes=notes, missing=tuple(missing)
    )


def _first_step(values: Row, indices: Sequence[Row], factor: str) -> str:
    if len(indices) > 1:
        return f"{' + '.join(values)} relative values, by the cost indices, x {factor}"
    terms = " + ".join(f"{value} x {index}" for value, index in zip(values, indices[0], strict=True))
    return f"({terms}) x {factor}"


@lru_cache(maxsize=1_024)
def amount_of(units: Row, indices: Row) -> Decimal:
    """The sum of the relative values for work, practice and malpractice, each by its index, by the factor, to the
    cent."""
    *values, factor = map(Decimal, units)
    total = sum((value * Decimal(index) for value, index in zip(values, indices, strict=True)), Decimal(0))
    return Decimal(cents_of(total * factor)).scaleb(-2)


def _values(question: Question, looked: Looked) -> tuple[tuple[str, ...], str]:
    """The relative values for work, practice and malpractice, and the conversion factor."""
    place = _PLACES[question.site]
    row = looked.find("relative_values", (place, question.procedure), place)
    if row is None:
        raise Unknown(
            f"relative values of {question.procedure} in {_SAID[question.site]} on {question.day}: scrub tables import "
            "PPRRVU of that year"
        )
    *values, factor = row
    if question.qualifying and question.day >= _TWO_FACTORS:
        own = looked.find("conversion_factors", ("qualifying",))
        if own is None:
            raise Unknown(
                f"the conversion factor of qualifying participants on {question.day}: scrub tables import the zip of "
                "PPRRVU, which has both"
            )
        factor = own[0]
    return tuple(values), factor


def _indices(question: Question, looked: Looked) -> list[Row]:
    """The cost indices of every area: a range without one of them would be too narrow.

    Raises:
        Unknown
    """
    areas = question.places.areas
    found = [looked.find("localities", (area.state, area.locality)) for area in areas]
    if without := [str(area) for area, row in zip(areas, found, strict=True) if row is None]:
        raise Unknown(f"cost indices of {', '.join(without[:3])} on {question.day}: scrub tables import GPCI")
    if not found:
        raise Unknown(*(question.places.missing or (f"a locality on {question.day}: scrub tables import GPCI",)))
    return [row for row in found if row is not None]


def _indicators(question: Question, looked: Looked) -> tuple[str, str]:
    """Indicators of several procedures and of both sides."""
    row = looked.find("payment_indicators", ("physician", question.procedure), "physician")
    if row is None:
        raise Unknown(f"payment indicators of {question.procedure} on {question.day}: scrub tables import PPRRVU")
    if row[0] != _PAID_STATUS:
        raise Unknown(f"status {row[0]} of {question.procedure}: the book knows how status {_PAID_STATUS} is paid")
    return row[1], row[2]


def _shares(question: Question, looked: Looked) -> Iterator[tuple[Decimal, str]]:
    """What the amount is multiplied by for who gave the service."""
    if not question.participating:
        yield looked.share("physician", "not_participating"), "not participating"
    if question.nurse_or_assistant:
        yield looked.share("physician", "nurse_or_assistant"), "nurse or physician assistant"


def _sides(question: Question, looked: Looked, bilateral: str) -> Iterator[tuple[Decimal, str]]:
    """And for both sides, or the second one."""
    if question.sides == "one":
        return
    if bilateral != _BILATERAL:
        raise Unknown(f"bilateral indicator {bilateral or 'none'} of {question.procedure}: no share is for both sides")
    both = looked.share("physician", "bilateral")
    if question.sides == "both":
        yield both, "both sides"
    else:
        yield both - 1, "second side; the first is paid in full on its own line"


def _half(question: Question, looked: Looked, multiple: str) -> Decimal:
    if multiple != _STANDARD:
        raise Unknown(f"indicator {multiple or 'none'} of multiple procedures of {question.procedure}")
    return looked.share("physician", "another_procedure")


def _shared(cents: int, shares: Iterable[tuple[Decimal, str]]) -> int:
    for share, _ in shares:
        cents = share_of(cents, share)
    return cents
