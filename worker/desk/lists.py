"""Which cases, in which order: asked of the database, since a list of many thousand is opened for fifty of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

import orjson
from sqlalchemy import ColumnElement, Text, and_, case, cast, func, or_, select

from worker.desk.cases import HELD, URGENCIES, Case, StateWanted, Urgency
from worker.desk.casestore import Session
from worker.desk.schema import acts, cases, decisions

WHICH: tuple[StateWanted, ...] = get_args(StateWanted)
Due = Literal["", "past", "week", "month", "unknown"]
DUES: tuple[Due, ...] = get_args(Due)
NOBODY = "-"
"""For an owner: nobody, which no account is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list is of; what is empty does not matter."""

    which: StateWanted = "held"
    payer: str = ""
    """Key of the payer's rule set, or its name where it has none."""
    code: str = ""
    owner: str = ""
    """An account, or `NOBODY`."""
    due: Due = ""
    """week, month: what is past is among them."""
    scopes: frozenset[str] | None = None
    """Facilities that its reader may see; None: all."""


class Listed(NamedTuple):
    """A case in its place on a list."""

    handle: str
    cents: int
    urgency: Urgency


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
    """In groups by the last day to file, the highest charge first in each."""
    urgency = _urgency(day)
    found = select(cases.c.handle, cases.c.charge_cents, urgency.label("urgency")).where(*_where(wanted, day))
    order = (urgency, cases.c.charge_cents.desc(), cases.c.handle)
    return [Listed(row[0], row[1], URGENCIES[row[2]]) for row in session.rows(found.order_by(*order))]


def named(session: Session, handles: Iterable[str], scopes: frozenset[str] | None = None) -> dict[str, Case]:
    """The cases of some handles, as they are now."""
    wanted = select(cases).where(cases.c.handle.in_(list(handles)), *_seen_by(scopes))
    return {one.handle: one for one in session.chosen(wanted)}


def choices(session: Session, scopes: frozenset[str] | None) -> Choices:
    """For the filters of a list."""
    held = (cases.c.state.in_(HELD), *_seen_by(scopes))
    payers = session.rows(select(cases.c.payer, func.min(cases.c.payer_name)).where(*held).group_by(
        cases.c.payer, case((cases.c.payer.is_(None), cases.c.payer_name), else_="")))  # fmt: skip
    texts = session.rows(select(cast(cases.c.codes, Text)).where(*held).distinct())
    owners = session.rows(select(cases.c.owner).where(*held, cases.c.owner != "").distinct())
    return Choices(
        tuple(sorted(((row[0], row[1]) for row in payers), key=lambda one: (one[1], one[0] or ""))),
        tuple(sorted({code for row in texts for code in _codes(row[0])})),
        tuple(sorted(row[0] for row in owners)),
    )


def beginning(session: Session, number: str, scopes: frozenset[str] | None, most: int = 50) -> list[Case]:
    """Cases whose claim number is this one or begins with it, blanks, hyphens and capital letters aside."""
    bare = func.upper(func.replace(func.replace(cases.c.claim_id, "-", ""), " ", ""))
    begin = number.replace("-", "").replace(" ", "").upper()
    wanted = select(cases).where(bare.startswith(begin, autoescape=True), *_seen_by(scopes))
    return session.chosen(wanted.order_by(cases.c.claim_id, cases.c.handle).limit(most))


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


def _where(wanted: Wanted, day: date) -> Iterable[ColumnElement[bool]]:
    yield from _seen_by(wanted.scopes)
    yield from _in_state(wanted.which, day)
    if wanted.payer:
        yield func.coalesce(cases.c.payer, cases.c.payer_name) == wanted.payer
    if wanted.code:
        yield cast(cases.c.codes, Text).contains(f'"{wanted.code}"', autoescape=True)
    if wanted.owner:
        yield cases.c.owner == ("" if wanted.owner == NOBODY else wanted.owner)
    if wanted.due == "unknown":
        yield cases.c.last_day.is_(None)
    elif wanted.due == "past":
        yield cases.c.last_day < day
    elif wanted.due:
        yield cases.c.last_day <= day + timedelta(days=7 if wanted.due == "week" else 30)


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
