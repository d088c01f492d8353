"""`scrub rework list`: the claims that are held, in the order in which to work on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.suggested import csv_of
from worker.cli.common.terminal import columns, flush, paint, plain, say, say_json
from worker.cli.rework.common import last_day_of, money, open_desk, person, today
from worker.desk.cases import Sort, StateWanted

if TYPE_CHECKING:
    from worker.desk.cases import Case
    from worker.store.connections import Store

_URGENCY = {
    "past": "Past the last day to file", "week": "7 days and less", "month": "30 days and less", "later": "Later",
    "unknown": "Last day not known",
}  # fmt: skip
_MOST = 500
"""Cases of a table."""
_COLUMNS = (
    "case", "facility", "claim", "state", "payer", "charge", "last_day", "last_day_grade", "days_left", "owner",
    "pended_until", "held_since", "codes", "fault",
)  # fmt: skip


def list_(
    state: Annotated[
        StateWanted,
        typer.Option(help="held: open, and pended ones too."),
    ] = "open",
    payer: Annotated[
        str | None, typer.Option(metavar="PAYER", help="Key or name of the payer, or its beginning.")
    ] = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Held by this rule.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Assigned to; `me`; `nobody`.")] = None,
    due: Annotated[int | None, typer.Option(metavar="DAYS", help="Last day to file within so many days.")] = None,
    sort: Annotated[
        Sort,
        typer.Option(help="urgency: in groups by the last day to file, the highest charge first in each."),
    ] = "urgency",
    format: Annotated[Literal["table", "csv", "json"], typer.Option(help="json: one case a line.")] = "table",
) -> None:
    """Lists cases, with the last day to file and the grade of its source, charge, owner, and what is wrong.

    Exit codes: 0 none, 1 some, 2 Redis or the case store cannot be used.

    Examples:

    * `scrub rework list`
    * `scrub rework list --payer aetna --due 30 --sort charge`
    * `scrub rework list --owner me --format csv > mine.csv`
    """
    from worker.desk.listing import Wanted, by

    day = today()
    with open_desk() as desk, desk.cases.session() as session:
        every = [*session.all()]
        names = _payers(desk.store, payer, every)
        _known_code(desk.store, code, every)
    asked = Wanted(state=state, payers=names, code=code, owner=None if owner is None else person(owner), due=due)
    wanted = [one for one in every if asked.meets(one, day)]
    found = [one for one in wanted if asked.in_state(one, day)]
    _put(sorted(found, key=by(sort, day)), sort, format, day)
    aside = sum(one.state_on(day) == "pended" for one in wanted)
    if format == "table" and state == "open" and aside:
        say(f"{aside} pended, not shown (--state held)")
    flush()
    raise typer.Exit(1 if found else 0)


def _payers(store: Store, wanted: str | None, every: Sequence[Case]) -> frozenset[str] | None:
    """Keys and names of the payers that are meant: of the book, and as claims have them."""
    if wanted is None:
        return None
    from worker.cli.common.books import untried_book
    from worker.desk.listing import payers_named

    book = untried_book(store.settings.book)
    found = payers_named(wanted, book, every)
    if not found:
        raise typer.BadParameter(
            f"no payer begins so: {plain(wanted)!r}; known are {', '.join(book.registry.payers)}", param_hint="--payer"
        )
    return found


def _known_code(store: Store, code: str | None, every: Sequence[Case]) -> None:
    from worker.cli.common.books import untried_book

    if code is None or any(code.upper() in one.codes for one in every):
        return
    if not any(rule.code == code.upper() for rule in untried_book(store.settings.book).rules):
        raise typer.BadParameter(
            f"the book has no rule {plain(code)!r}; `scrub rules list` has them", param_hint="--code"
        )


def _put(found: Sequence[Case], sort: str, format: str, day: date) -> None:
    if format == "json":
        from worker.desk.listing import shown

        say_json(*(shown(one, day) for one in found))
    elif format == "csv":
        _csv(found, day)
    elif not found:
        say("No case.")
    else:
        _table(found, sort, day)


def _table(found: Sequence[Case], sort: str, day: date) -> None:
    head = ("  case", "last day to file", "claim", "payer", "charge", "owner", "what is wrong")
    rows = [head, *(_row(one, day) for one in found[:_MOST])]
    first, *lines = columns(rows, ("dim",))
    group = ""
    say(first)
    for one, line in zip(found, lines, strict=False):
        if sort == "urgency" and (name := _URGENCY[one.urgency(day)]) != group:
            say(*([""] if group else []), paint(name, "bold"))
            group = name
        say(line)
    say("")
    if len(found) > _MOST:
        say(f"and {len(found) - _MOST} more: --format csv has all")
    total = sum(one.charge_cents for one in found)
    say(paint(f"{len(found)} case{'s' * (len(found) != 1)}, {money(total)}", "bold"))


def _row(one: Case, day: date) -> tuple[str, ...]:
    state = one.state_on(day)
    more = f"{state} until {one.pended_until}: " if state == "pended" else "" if state == "open" else f"{state}: "
    codes = f" [{', '.join(one.codes)}]" if one.codes else ""
    return (
        f"  {one.handle}", last_day_of(one, day), plain(one.claim_id), plain(one.payer_name), money(one.charge_cents),
        plain(one.owner) or "-", plain(more + (one.fault or "not looked at") + codes),
    )  # fmt: skip


def _csv(found: Sequence[Case], day: date) -> None:
    rows = []
    for one in found:
        last = one.last_day
        rows.append((
            one.handle, one.scope, one.claim_id, one.state_on(day), one.payer_name, f"{one.charge_cents / 100:.2f}",
            last and last.day, last and last.grade, one.days_left(day), one.owner, one.pended_until, one.held_since,
            " ".join(one.codes), one.fault,
        ))  # fmt: skip
    say(*csv_of(_COLUMNS, rows))
