"""From payments to answers: what all remittances together say of one claim. Pure: no file, no clock, no log.

A payer says one thing in several places. It splits a claim, and pays the parts apart; it takes back what it said, in
front of or behind the correction; a file comes twice. `settle` brings the payments of one claim into the order of
their days and puts together what belongs together; every payment is in an answer, or has a fate that says why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from worker.intake.x12.remittance import Adjustment, Payment, Service
from worker.outcomes.reasons import (
    DENIED,
    EARLIER_PAYER,
    RANKS,
    REVERSAL,
    SPLIT,
    UNDECIDED,
    Verdict,
    denials,
    net,
    verdict,
)

TWICE = "there twice"
UNDATED = "without a date"
TAKEN_BACK = "taken back"
REVERSES = "reversals"
UNMATCHED = "reversals without their payment"
NOT_NEGATED = "reversals whose amounts are not negated"
NOT_ADJUDICATED = "not adjudicated"
UNKNOWN_STATUS = "with a status that is not known"
OTHER_LINES = "without a line of the procedure"

_LAST = date.max
_WEIGHT: tuple[Verdict, ...] = ("denied", "pending", "paid", "unexplained")
"""Of two verdicts on parts of one line the first one here is that on the line."""
Amounts = tuple[Decimal, Decimal]
"""Charge and paid."""


@dataclass(frozen=True, slots=True)
class Line:
    """What was decided on one line of the procedure, or on the claim as a whole."""

    number: str | None
    """REF*6R; None: not said, or the whole claim."""
    code: tuple[str, ...]
    """Procedure and modifiers; empty: the whole claim."""
    charge: Decimal
    paid: Decimal
    adjustments: tuple[Adjustment, ...]
    remarks: tuple[str, ...]
    """Of the line and of the claim."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What a payer decided on a claim at one time; of a claim that it split, all parts."""

    day: date
    rank: int
    """1 for the first payer, 2 for the second; 0: a denial does not say."""
    charge: Decimal
    lines: tuple[Line, ...]
    parts: tuple[int, ...]
    """The payments that it is made of, by their indexes."""
    controls: frozenset[str]
    """CLP07 of the parts."""
    split: bool
    """Whether the payer says that it is a part (RARC MA15)."""
    behind: bool
    """Whether it takes another payer's payment into account (CARC 23)."""
    pieces: tuple[Answer, ...] = ()
    """The parts for themselves, where there are several."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of the payments of one claim."""

    answers: tuple[Answer, ...]
    """By day."""
    fates: dict[int, str]
    """Of the payments that are in no answer, by their indexes."""


def settle(payments: Sequence[Payment], codes: Container[str]) -> Settled:
    """What the payments of one claim come to; `codes`: of the procedures that are looked at."""
    fates: dict[int, str] = {}
    order = sorted(range(len(payments)), key=lambda index: payments[index].day or _LAST)
    twice = _there_twice(payments, order) if len(payments) > 1 else ()
    for index in order:
        if payments[index].day is None:
            fates[index] = UNDATED
        elif index in twice:
            fates[index] = TWICE
    left = [index for index in order if index not in fates]
    _take_back(payments, left, fates)
    for index in left:
        if index not in fates and (fate := _no_answer(payments[index], codes)):
            fates[index] = fate
    left = [index for index in left if index not in fates]
    return Settled(tuple(_answers(payments, left, codes)), fates)


def _there_twice(payments: Sequence[Payment], order: Sequence[int]) -> set[int]:
    seen: set[Payment] = set()
    twice = set()
    for index in order:
        if payments[index] in seen:
            twice.add(index)
        seen.add(payments[index])
    return twice


def _no_answer(payment: Payment, codes: Container[str]) -> str:
    """Why the payment says nothing on the procedure; empty where it does."""
    if payment.status in UNDECIDED:
        return NOT_ADJUDICATED
    if payment.status not in RANKS and payment.status != DENIED:
        return UNKNOWN_STATUS
    none = payment.services and not any(one.procedure in codes for one in payment.services)
    return OTHER_LINES if none and not denials(payment.adjustments) else ""


# reversals


def _reverses(payment: Payment) -> bool:
    """Amounts that are negated take back, whatever the status says."""
    return payment.status == REVERSAL or payment.charge < 0


def _take_back(payments: Sequence[Payment], order: Sequence[int], fates: dict[int, str]) -> None:
    """Gives each reversal the payment that it takes back: of the same claim, with the same amounts, negated.

    It may stand before or behind the correction and have a number of its own; a payer takes back a split claim at
    once, or in parts what it paid at once.
    """
    if not any(_reverses(payments[index]) for index in order):
        return
    standing = _Standing(payments, [index for index in order if not _reverses(payments[index])])
    open_: list[int] = []
    for index in order:
        if _reverses(payments[index]):
            one = payments[index]
            if one.charge > 0 or one.paid > 0:
                fates[index] = NOT_NEGATED
            elif found := standing.take([one]):
                fates |= {index: REVERSES} | dict.fromkeys(found, TAKEN_BACK)
            else:
                fates[index] = UNMATCHED
                open_.append(index)
    for together in _by_remittance(payments, open_):
        if len(together) > 1 and (found := standing.take([payments[one] for one in together])):
            fates |= dict.fromkeys(together, REVERSES) | dict.fromkeys(found, TAKEN_BACK)


class _Standing:
    """The payments that nothing has taken back yet."""

    def __init__(self, payments: Sequence[Payment], indexes: Sequence[int]) -> None:
        self._payments = payments
        self._gone: set[int] = set()
        self._by_amounts: dict[Amounts, list[list[int]]] = defaultdict(list)
        for index in indexes:
            self._by_amounts[_amounts([payments[index]])].append([index])
        for together in _by_remittance(payments, indexes):
            if len(together) > 1:
                self._by_amounts[_amounts([payments[one] for one in together])].append(together)

    def take(self, reversals: Sequence[Payment]) -> list[int]:
        """What the reversals take back together; empty where nothing has their amounts."""
        charge, paid = _amounts(reversals)
        day = reversals[0].day or _LAST
        fit = [
            one
            for one in self._by_amounts.get((-charge, -paid), ())
            if not self._gone.intersection(one) and (self._payments[one[0]].day or _LAST) <= day
        ]
        if not fit:
            return []
        found = max(fit, key=lambda one: self._likeness(one, reversals))
        self._gone.update(found)
        return found

    def _likeness(self, taken: Sequence[int], reversals: Sequence[Payment]) -> tuple[bool, bool, bool, bool, int]:
        """How well they fit beside their amounts; of two that fit alike, the newer one."""
        whole = [self._payments[index] for index in taken]
        controls = {one.control for one in whole if one.control}
        return (
            _reasons(whole) == {reason: -amount for reason, amount in _reasons(reversals).items()},
            whole[0].day != reversals[0].day or whole[0].trace != reversals[0].trace,
            bool(controls) and controls == {one.control for one in reversals},
            len(taken) == 1,
            taken[0],
        )


def _amounts(payments: Iterable[Payment]) -> Amounts:
    every = list(payments)
    return sum((one.charge for one in every), Decimal(0)), sum((one.paid for one in every), Decimal(0))


def _reasons(payments: Iterable[Payment]) -> dict[str, Decimal]:
    """The adjustments by reason; their groups may differ, as a reversal had one of its own (CR) until 5010."""
    every = [one for payment in payments for one in payment.adjustments]
    every += [one for payment in payments for service in payment.services for one in service.adjustments]
    return {one.reason: one.amount for one in net(every) if one.amount}


def _named(payment: Payment) -> set[str]:
    found = {one.reason for one in payment.adjustments}
    return found.union(*[[one.reason for one in service.adjustments] for service in payment.services])


def _by_remittance(payments: Sequence[Payment], indexes: Iterable[int]) -> Iterator[list[int]]:
    """Those of the same day and the same check."""
    groups: dict[tuple[date | None, str], list[int]] = defaultdict(list)
    for index in indexes:
        groups[payments[index].day, payments[index].trace].append(index)
    yield from groups.values()


# answers


def _answers(payments: Sequence[Payment], indexes: Sequence[int], codes: Container[str]) -> Iterator[Answer]:
    for together in _by_remittance(payments, indexes):
        ranks = {RANKS.get(payments[index].status, 0) for index in together} - {0}
        first = min(ranks, default=0)
        # One payer may answer as the first and as the second one of the same patient: these are no parts of a claim.
        for rank in sorted(ranks) or [0]:
            parts = [index for index in together if (RANKS.get(payments[index].status, 0) or first) == rank]
            whole = _answer([payments[index] for index in parts], tuple(parts), rank, codes)
            pieces = [_answer([payments[index]], (index,), rank, codes) for index in parts] if len(parts) > 1 else ()
            yield replace(whole, pieces=tuple(pieces)) if pieces else whole


def _answer(payments: Sequence[Payment], parts: tuple[int, ...], rank: int, codes: Container[str]) -> Answer:
    return Answer(
        payments[0].day or _LAST,
        rank,
        _amounts(payments)[0],
        _lines_together(line for payment in payments for line in _lines(payment, codes)),
        parts,
        frozenset(payment.control for payment in payments),
        any(SPLIT in payment.remarks for payment in payments),
        any(EARLIER_PAYER in _named(payment) and _reasons([payment]).get(EARLIER_PAYER, 0) > 0 for payment in payments),
    )


def _lines_together(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines with each one put together that the payer split over the parts of the claim."""
    every = tuple(lines)
    if len(every) < 2:
        return every
    found: dict[object, Line] = {}
    for index, line in enumerate(every):
        key: object = (line.number, line.code) if line.number and line.code else index
        other = found.setdefault(key, line)
        if other is not line:
            found[key] = Line(
                line.number, line.code, other.charge + line.charge, other.paid + line.paid,
                other.adjustments + line.adjustments, (*other.remarks, *line.remarks),
                min(other.verdict, line.verdict, key=_WEIGHT.index),
            )  # fmt: skip
    return tuple(found.values())


def _lines(payment: Payment, codes: Container[str]) -> Iterator[Line]:
    services = _joined([one for one in payment.services if one.procedure in codes])
    if services and not denials(payment.adjustments):
        for one in services:
            yield _line(payment, one)
        return
    # It was denied as a whole, or no line of it is on the remittance.
    inner = [each for one in services for each in one.adjustments]
    remarks = [each for one in services for each in one.remarks]
    number = services[0].line if len(services) == 1 else None
    whole = Service("", payment.charge, payment.paid, number, (*payment.adjustments, *inner), tuple(remarks))
    yield _line(payment, whole)


def _line(payment: Payment, one: Service) -> Line:
    remarks = dict.fromkeys((*one.remarks, *payment.remarks))
    remarks.pop(SPLIT, None)
    said = verdict(payment, one.charge, one.paid, one.adjustments)
    code = (one.procedure, *one.modifiers) if one.procedure else ()
    return Line(one.line, code, one.charge, one.paid, one.adjustments, tuple(remarks), said)


def _joined(services: Iterable[Service]) -> list[Service]:
    """Services with each line that the payer split, as for a limit, put together again."""
    every = list(services)
    if len(every) < 2:
        return every
    found: dict[object, Service] = {}
    for index, one in enumerate(every):
        key: object = (one.line, one.procedure, one.modifiers) if one.line else index
        other = found.setdefault(key, one)
        if other is not one:
            found[key] = Service(
                one.procedure, other.charge + one.charge, other.paid + one.paid, one.line,
                other.adjustments + one.adjustments, other.remarks + one.remarks, one.modifiers,
            )  # fmt: skip
    return list(found.values())
