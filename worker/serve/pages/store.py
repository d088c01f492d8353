"""Reads of the case store for pages; where it does not answer, what was seen last, and a word on that."""

from __future__ import annotations

from collections.abc import Iterable

from worker.desk import lists
from worker.desk.cases import HELD, Case
from worker.desk.casestore import Session
from worker.desk.wanted import Wanted, payers_named
from worker.errors import CaseElsewhere, CaseStoreTooNew, CaseStoreUnusable, CaseUnknown, NotWaivable
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here
from worker.serve.pages.memory import Opened
from worker.serve.pages.waivepage import Waiver
from worker.serve.pages.words import without_commands
from worker.serve.pages.worklist import Filters, OnList, Order

DOWN = (CaseStoreUnusable, CaseStoreTooNew)


def is_down(here: Here) -> None:
    """From now on this page is read-only."""
    last = here.pages.memory.last
    seen = f"Seen last at {here.words.clock(last)}; what you see may be older." if last else "Nothing was seen yet."
    here.down = Said(
        "warn",
        "Read only: the database of cases cannot be reached",
        "Claims are checked as ever, and clean ones go to billing. Nothing can be saved here until it is back. " + seen,
    )


def order_of(here: Here, filters: Filters) -> Order:
    """A list as it is now."""
    try:
        with here.serving.cases().session() as session:
            found = lists.listed(session, _wanted(here, filters, session), here.words.today)
    except DOWN:
        is_down(here)
        found = here.pages.memory.listed(_wanted(here, filters), here.words.today)
    return Order.of(filters, found, here.words.now.isoformat())


def every(here: Here, filters: Filters) -> list[Case]:
    """The cases of a list as they are now, of all its pages.

    Raises:
        CaseStoreUnusable
    """
    with here.serving.cases().session() as session:
        return lists.page(session, _wanted(here, filters, session), here.words.today)


def _wanted(here: Here, filters: Filters, session: Session | None = None) -> Wanted:
    """None: the store is away."""
    mine, payers = here.caller.facilities, None
    if filters.payer:
        known = lists.payers(session, mine) if session else here.pages.memory.payers()
        payers = payers_named(filters.payer, here.serving.book, known, whole=True)
    return filters.wanted(here.caller.account, payers, mine)


def on_page(here: Here, handles: Iterable[str]) -> tuple[dict[str, Case], lists.Choices]:
    """Cases as they are now, and what a list can be filtered by."""
    wanted, memory = list(handles), here.pages.memory
    try:
        with here.serving.cases().session() as session:
            found = lists.named(session, wanted, here.caller.facilities)
            choices = lists.choices(session, here.caller.facilities)
    except DOWN:
        is_down(here)
        found = {name: one for name, one in memory.named(wanted).items() if here.sees(one)}
        here.serving.listed(here.caller, list(found.values()))
        return found, lists.Choices((), (), ())
    here.serving.listed(here.caller, list(found.values()))
    memory.keep(found.values(), here.words.now)
    return found, choices


def opened(here: Here, handle: str) -> Opened:
    """A case with its decisions and acts.

    Raises:
        CaseUnknown, CaseElsewhere: which is told as the same.
        CaseStoreUnusable: and it was not seen before.
    """
    try:
        with here.serving.cases().session() as session:
            case = _named(session, here, handle)
            found = Opened(
                case=case,
                decisions=tuple(session.decisions_of(handle)),
                acts=tuple(session.acts_of(handle)),
            )
    except DOWN:
        is_down(here)
        known = here.pages.memory.opened(handle)
        if known is None or not here.sees(known.case):
            raise
        return known
    here.pages.memory.keep_opened(found, here.words.now)
    return found


def _named(session: Session, here: Here, handle: str) -> Case:
    found = lists.named(session, [handle]).get(handle)
    if found is None:
        raise CaseUnknown(case=handle)
    if not here.sees(found):
        raise CaseElsewhere(case=handle)
    return found


def waiver(here: Here, case: Case) -> Waiver | None:
    """Whether this person can waive what holds a case; None: he may not, or nothing is held."""
    if "waive" not in here.caller.scopes or here.down or case.state_on(here.words.today) not in HELD:
        return None
    try:
        return Waiver.of(here.serving.waivable(here.caller, case).findings)
    except NotWaivable as error:
        return Waiver(refused=without_commands(str(error.values["reason"])))
    except DOWN:
        is_down(here)
        return None


def owners(here: Here) -> tuple[str, ...]:
    """To whom held cases are assigned, for a form's list."""
    with here.serving.cases().session() as session:
        return lists.choices(session, here.caller.facilities).owners


def place_of(here: Here, token: str, handle: str) -> OnList | None:
    """Where a case is on an open list."""
    order = here.visit.lists.get(token)
    return OnList.on(order, handle) if order else None


def where(handle: str, token: str = "") -> str:
    """The address of a claim's page."""
    return f"/cases/{handle}?list={token}" if token else f"/cases/{handle}"
