"""Facts of history: the block against what was billed before for this patient.

A line of the same day, procedure, provider, billing role and side, under another claim, is the same block. What is
not known of it (a side, an NPI, who the patient is) makes it a possible one; what is known and differs, another.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache, wraps
from itertools import takewhile

from rules.case import Case, date_of, role_is_certain
from rules.claim import Line, Role
from rules.facts.day import BILATERAL, SIDES, side_of
from rules.facts.registry import history_fact, line_fact
from rules.facts.together import days_of, of_day, once
from rules.history import Billed, Side

Find = Callable[[Case, Line], Iterator[Billed]]
MONTHS = 6
LIFTING = ("59", "76", "77", "XE", "XS")
"""Modifiers by which a bill says that it is for another block, or for one that was given again."""


def billed_side(line: Line) -> Side:
    """LT, RT, 50 for both sides, or nothing where the line names no side."""
    if BILATERAL in line.modifiers or ("LT" in line.modifiers and "RT" in line.modifiers):
        return "50"
    return side_of(line)


def lifts_of(line: Line) -> tuple[str, ...]:
    """The line's modifiers that can tell its block from another of the same day."""
    return tuple([code for code in LIFTING if code in line.modifiers])


def _lifted(line: Line, billed: Billed) -> bool:
    """Whether the line says so by a modifier that the earlier one does not carry: with the same ones it is a copy."""
    return not set(lifts_of(line)).issubset(billed.lifts)


def _same_side(one: Side, other: Side) -> bool | None:
    """None where one names no side, or both sides and the other one of them."""
    if one == other:
        return True
    return False if one in SIDES and other in SIDES else None


def _same_role(case: Case, other: Role) -> bool | None:
    if case.role == other:
        return True
    unclear = case.role != "hospital_outpatient" and other != "hospital_outpatient" and not role_is_certain(case.claim)
    return None if unclear else False


def _same_npi(case: Case, other: str | None) -> bool | None:
    npi = case.claim.billing_provider.npi if case.claim.billing_provider else None
    return npi == other if npi and other else None


def _of_day(case: Case, line: Line) -> list[tuple[Billed, bool | None]]:
    """Billed lines of the procedure on the line's day, each with whether they are of its side."""
    key = (days_of(case, line), billed_side(line))
    return once(case, ("billed", key), lambda: list(_billed(case, *key[0], key[1])))


def _billed(case: Case, first: date | None, last: date | None, here: Side) -> Iterator[tuple[Billed, bool | None]]:
    if first is None or last is None:
        return
    for billed in case.history.billed:
        if billed.procedure in case.codes and first <= billed.last_day and billed.day <= last:
            side = _same_side(here, billed.side)
            if side is not False:
                yield billed, side


def _same_block(case: Case, line: Line) -> list[tuple[Billed, bool]]:
    """Lines of other claims that may be of the same block by the same provider, each with whether that is certain."""
    return once(case, ("block", days_of(case, line), billed_side(line)), lambda: list(_blocks(case, line)))


def _blocks(case: Case, line: Line) -> Iterator[tuple[Billed, bool]]:
    for billed, side in _of_day(case, line):
        if billed.relation != "other":
            continue
        alike = (side, _same_npi(case, billed.npi), _same_role(case, billed.bills_as), billed.certain or None)
        if False not in alike:
            yield billed, None not in alike


def _claims(label: str, *, dated: bool = True) -> Callable[[Find], Find]:
    """A fact that names earlier claims, each with its date: none where nothing was billed; unknown where something was
    and the line has no date, if that matters."""

    def add(find: Find) -> Find:
        @wraps(find)
        def derive(case: Case, line: Line) -> tuple[str, ...] | None:
            if not case.history.billed:
                return ()
            if dated and date_of(case.claim, line) is None:
                return None
            asked = (find.__name__, days_of(case, line), billed_side(line), lifts_of(line))
            return once(case, asked, lambda: tuple(dict.fromkeys(map(str, find(case, line)))))

        history_fact("codes", label)(derive)
        return find

    return add


@_claims("the date of service")
def billed_before(case: Case, line: Line) -> Iterator[Billed]:
    """Claims, each with its date, under which this block went to billing: same patient, provider, role, day, side."""
    return (billed for billed, sure in _same_block(case, line) if sure)


@_claims("the date of service")
def billed_before_unlifted(case: Case, line: Line) -> Iterator[Billed]:
    """Those of them that carry every modifier (59, 76, 77, XE, XS) by which the line could say that it is another."""
    return (billed for billed, sure in _same_block(case, line) if sure and not _lifted(line, billed))


@_claims("the date of service")
def maybe_billed_before(case: Case, line: Line) -> Iterator[Billed]:
    """As billed_before_unlifted, where a side, an NPI, the billing role or the patient is not known for sure, or a
    side is one of two."""
    return (billed for billed, sure in _same_block(case, line) if not sure and not _lifted(line, billed))


@_claims("the claim id", dated=False)
def copies_billed(case: Case, line: Line) -> Iterator[Billed]:
    """This very claim, with its date, where it went to billing before under the same claim id, to the letter."""
    return (billed for billed in case.history.billed if billed.relation == "copy")


@_claims("the claim id", dated=False)
def versions_billed(case: Case, line: Line) -> Iterator[Billed]:
    """This claim, with its date, where it went to billing before under the same claim id with other content."""
    return (billed for billed in case.history.billed if billed.relation == "version")


@_claims("the date of service")
def billed_by_others(case: Case, line: Line) -> Iterator[Billed]:
    """Claims, each with its date, under which another practitioner billed a block of that day and maybe that side."""
    for billed, _ in _of_day(case, line):
        practitioner = billed.relation == "other" and billed.bills_as == "practitioner"
        if practitioner and _same_npi(case, billed.npi) is False:
            yield billed


@history_fact("number", "the date of service", own=True)
def injections_of_site(case: Case, line: Line) -> Decimal | None:
    """The most days on which the line's side was injected within any six months that include the line's day: this
    claim and what was billed before under others; a day counts once, whoever billed it."""
    day = date_of(case.claim, line)
    if day is None:
        return None if case.history.billed else Decimal(1)
    sides: tuple[str, ...] = SIDES if billed_side(line) == BILATERAL else (billed_side(line),)
    return Decimal(max(_most(_days(case, side), day) for side in sides))


def _days(case: Case, side: str) -> list[date]:
    """The days, in order, on which the side was injected."""
    return once(case, ("days", side), lambda: sorted(_injected(case, side)))


def _injected(case: Case, side: str) -> set[date]:
    here = ((date_of(case.claim, other), billed_side(other)) for other in case.lines)
    others = (billed for billed in case.history.billed if billed.relation == "other")
    before = ((billed.day, billed.side) for billed in others if billed.procedure in case.codes)
    return {when for when, where in (*here, *before) if when and where in _meant(side)}


def _meant(side: str) -> tuple[str, ...]:
    return (side, BILATERAL) if side else ("",)


def _most(days: list[date], day: date) -> int:
    starts = takewhile(lambda place: day < months_after(days[place]), reversed(range(bisect_right(days, day))))
    return max(bisect_left(days, months_after(days[place])) - place for place in starts)


@lru_cache(4_096)
def months_after(day: date, months: int = MONTHS) -> date:
    """The day that many months later; the 1st of the month after where the month is too short."""
    year, month = divmod(day.month - 1 + months, 12)
    try:
        return day.replace(year=day.year + year, month=month + 1)
    except ValueError:
        year, month = divmod(day.month + months, 12)
        return date(day.year + year, month + 1, 1)


@line_fact("number", "the date of service", reach="lines")
def sites_of_day(case: Case, line: Line) -> Decimal:
    """Places that injections of the package's family on the line's day name: code and side, a line
    without a side counting only where no other names one for its code."""
    first, last = (case.package.family if case.package else None) or ("", "")
    sites: set[tuple[str, str]] = set()
    for other, _ in of_day(case, line):
        code = other.procedure or ""
        if len(code) == 5 and first <= code <= last:
            side = billed_side(other)
            sites |= {(code, part) for part in (SIDES if side == BILATERAL else (side,))}
    sided = {code for code, side in sites if side}
    return Decimal(sum(bool(side) or code not in sided for code, side in sites))
