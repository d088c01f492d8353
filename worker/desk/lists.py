"""Which cases, in which order: asked of the database, since a list of many thousand is opened for fifty of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, func, or_, select, tuple_

from rules.payment.sums import ClaimExpected
from worker.desk.cases import HELD, URGENCIES, Case, Sort, StateWanted
from worker.desk.casestore import Session
from worker.desk.schema import acts, cases, decisions
from worker.desk.wanted import Listed, Sums, Wanted


class Share(NamedTuple):
    """Some of the cases: how many, and their charges."""

    name: str
    claims: int
    cents: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What the held cases can be told apart by."""

    payers: tuple[tuple[str | None, str], ...]
    """Key and name, as claims have it."""
    codes: tuple[str, ...]
    owners: tuple[str, ...]


def listed(session: Session, wanted: Wanted, day: date) -> list[Listed]:
    """In the order that is wanted, each with its place on it alone."""
    c = cases.c
    asked = select(c.handle, c.charge_cents, _urgency(day), c.expected_kind, c.expected_low, c.expected_high)
    return [
        Listed(handle, cents, URGENCIES[urgency], ClaimExpected(kind, low, high) if kind else None)
        for handle, cents, urgency, kind, low, high in session.rows(_paged(asked, wanted, day))
    ]


def page(session: Session, wanted: Wanted, day: date) -> list[Case]:
    """The cases themselves."""
    return session.chosen(_paged(select(cases), wanted, day))


def sums(session: Session, wanted: Wanted, day: date) -> Sums:
    """Of all pages."""
    c, whole = cases.c, cases.c.expected_kind.not_in(("part", "unknown"))
    of_whole = (func.sum(case((whole, one), else_=0)) for one in (1, c.charge_cents, c.expected_low, c.expected_high))
    asked = select(func.count(), func.sum(c.charge_cents), *of_whole).where(*_where(wanted, day))
    return Sums(*(int(one or 0) for one in session.rows(asked)[0]))


def numbers(session: Session, wanted: Wanted, day: date) -> set[str]:
    """Claim numbers of all pages."""
    asked = select(cases.c.claim_id).where(*_where(wanted, day)).distinct()
    return {row[0] for row in session.rows(asked)}


def payers(session: Session, scopes: frozenset[str] | None = None) -> list[tuple[str | None, str]]:
    """Key and name of every payer that a case has, in whatever state."""
    asked = select(cases.c.payer, cases.c.payer_name).where(*_seen_by(scopes)).distinct()
    return [(row[0], row[1]) for row in session.rows(asked)]


def named(session: Session, handles: Iterable[str], scopes: frozenset[str] | None = None) -> dict[str, Case]:
    """The cases of some handles, as they are now."""
    wanted = select(cases).where(cases.c.handle.in_(list(handles)), *_seen_by(scopes))
    return {one.handle: one for one in session.chosen(wanted)}


def choices(session: Session, scopes: frozenset[str] | None) -> Choices:
    """For the filters of a list."""
    held = (cases.c.state.in_(HELD), *_seen_by(scopes))
    named = session.rows(select(cases.c.payer, func.min(cases.c.payer_name)).where(*held).group_by(
        cases.c.payer, case((cases.c.payer.is_(None), cases.c.payer_name), else_="")))  # fmt: skip
    texts = session.rows(select(cast(cases.c.codes, Text)).where(*held).distinct())
    owners = session.rows(select(cases.c.owner).where(*held, cases.c.owner != "").distinct())
    return Choices(
        tuple(sorted(((row[0], row[1]) for row in named), key=lambda one: (one[1], one[0] or ""))),
        tuple(sorted({code for row in texts for code in _codes(row[0])})),
        tuple(sorted(row[0] for row in owners)),
    )


def beginning(session: Session, number: str, scopes: frozenset[str] | None, most: int = 50) -> list[Case]:
    """Cases whose claim number is this one or begins with it, blanks, hyphens and capital letters aside."""
    bare = func.upper(func.replace(func.replace(cases.c.claim_id, "-", ""), " ", ""))
    begin = number.replace("-", "").replace(" ", "").upper()
    asked = select(cases).where(bare.startswith(begin, autoescape=True), *_seen_by(scopes))
    return session.chosen(asked.order_by(cases.c.claim_id, cases.c.handle).limit(most))


def by_payer(session: Session, scopes: frozenset[str] | None) -> list[Share]:
    """Held cases, the most money first; named by key, or as claims have it."""
    name = func.coalesce(cases.c.payer, cases.c.payer_name)
    return _shares(session, name, scopes)


def by_code(session: Session, scopes: frozenset[str] | None) -> list[Share]:
    """Held cases by what holds them, the most money first. A case that two rules hold counts under both."""
    found: dict[str, list[int]] = {}
    for text, claims, cents in _shares(session, cast(cases.c.codes, Text), scopes):
        for code in _codes(text):
            one = found.setdefault(code, [0, 0])
            one[0], one[1] = one[0] + claims, one[1] + cents
    shares = (Share(code, claims, cents) for code, (claims, cents) in found.items())
    return sorted(shares, key=lambda one: (-one.cents, one.name))


def faults(session: Session, scopes: frozenset[str] | None) -> dict[str, str]:
    """What is wrong first, by the code of the first rule that holds a case; of several, what most held cases have."""
    codes, fault, count = cast(cases.c.codes, Text), cases.c.fault, func.count()
    wanted = select(codes, fault, count).where(cases.c.state.in_(HELD), fault != "", *_seen_by(scopes))
    found: dict[str, dict[str, int]] = {}
    for row in session.rows(wanted.group_by(codes, fault)):
        for first in _codes(row[0])[:1]:
            said = found.setdefault(first, {})
            said[row[1]] = said.get(row[1], 0) + row[2]
    return {code: min(said, key=lambda one: (-said[one], one)) for code, said in found.items()}


def held_and_done(
    session: Session, scopes: frozenset[str] | None, since: datetime
) -> tuple[list[tuple[str, str]], list[tuple[str, str, int]]]:
    """Since a moment: held decisions (moment, handle), and cases that are done (moment, how, charge)."""
    begin = since.isoformat()[:19]
    mine = _seen_by(scopes)
    held = session.rows(
        select(decisions.c.moment, decisions.c.handle)
        .join(cases, cases.c.handle == decisions.c.handle)
        .where(decisions.c.disposition == "rework", decisions.c.moment >= begin, *mine)
    )
    mended = session.rows(
        select(cases.c.moment, cases.c.state, cases.c.charge_cents).where(
            cases.c.state.in_(("mended", "waived")), cases.c.moment >= begin, *mine
        )
    )
    closed = session.rows(
        select(func.max(acts.c.moment), cases.c.closed_reason, cases.c.charge_cents)
        .join(cases, cases.c.handle == acts.c.handle)
        .where(
            acts.c.kind.in_(("close", "settle")),
            acts.c.state == "done",
            cases.c.state == "closed",
            acts.c.moment >= begin,
            *mine,
        )
        .group_by(cases.c.handle, cases.c.closed_reason, cases.c.charge_cents)
    )
    done = [(str(row[0]), str(row[1] or "closed"), int(row[2])) for row in (*mended, *closed)]
    return [(row[0], row[1]) for row in held], done


def _shares(session: Session, name: ColumnElement[Any], scopes: frozenset[str] | None) -> list[Share]:
    count, cents = func.count(), func.sum(cases.c.charge_cents)
    wanted = select(name, count, cents).where(cases.c.state.in_(HELD), *_seen_by(scopes)).group_by(name)
    return [Share(str(row[0]), int(row[1]), int(row[2])) for row in session.rows(wanted.order_by(cents.desc(), name))]


def _codes(text: str) -> list[str]:
    return list(orjson.loads(text))


def _paged(asked: Select[*tuple[Any, ...]], wanted: Wanted, day: date) -> Select[*tuple[Any, ...]]:
    order = _order(wanted.sort, day)
    asked = asked.where(*_where(wanted, day)).order_by(*order)
    if wanted.after is not None:
        asked = asked.where(tuple_(*order) > tuple_(*wanted.after))
    return asked if wanted.limit is None else asked.limit(wanted.limit)


def _order(sort: Sort, day: date) -> Sequence[ColumnElement[Any]]:
    """As `worker.desk.wanted.place_of` has it."""
    c = cases.c
    if sort == "charge":
        return (-c.charge_cents, c.handle)
    if sort == "age":
        return (c.held_since, c.handle)
    if sort == "expected":
        unknown = case((c.expected_low.is_(None), 1), else_=0)
        return (unknown, -func.coalesce(c.expected_low, 0), -func.coalesce(c.expected_high, 0), c.handle)
    return (_urgency(day), -c.charge_cents, c.handle)


def _where(wanted: Wanted, day: date) -> Iterable[ColumnElement[bool]]:
    yield from _seen_by(wanted.scopes)
    yield from _in_state(wanted.state, day)
    if wanted.payers is not None:
        named = sorted(wanted.payers)
        yield or_(cases.c.payer.in_(named), cases.c.payer_name.in_(named))
    if wanted.code is not None:  # as the list in JSON has it
        yield cast(cases.c.codes, Text).contains(json.dumps(wanted.code), autoescape=True)
    if wanted.owner is not None:
        yield cases.c.owner == wanted.owner
    if wanted.due == "unknown":
        yield cases.c.last_day.is_(None)
    elif wanted.due is not None:
        yield cases.c.last_day <= day + timedelta(days=wanted.due)
    if wanted.claim_ids is not None:
        yield cases.c.claim_id.in_(sorted(wanted.claim_ids))


def _seen_by(scopes: frozenset[str] | None) -> Sequence[ColumnElement[bool]]:
    return () if scopes is None else (cases.c.scope.in_(sorted(scopes)),)


def _in_state(which: StateWanted, day: date) -> Iterable[ColumnElement[bool]]:
    """As of the day: a pended case comes back by itself."""
    back = and_(cases.c.state == "pended", cases.c.pended_until.is_not(None), cases.c.pended_until <= day)
    if which == "open":
        yield or_(cases.c.state == "open", back)
    elif which == "pended":
        yield and_(cases.c.state == "pended", ~back)
    elif which == "held":
        yield cases.c.state.in_(HELD)
    elif which != "all":
        yield cases.c.state == which


def _urgency(day: date) -> ColumnElement[int]:
    """Its place among `URGENCIES`."""
    last = cases.c.last_day
    return case(
        (last.is_(None), URGENCIES.index("unknown")),
        (last < day, URGENCIES.index("past")),
        (last <= day + timedelta(days=7), URGENCIES.index("week")),
        (last <= day + timedelta(days=30), URGENCIES.index("month")),
        else_=URGENCIES.index("later"),
    )
