"""`scrub rework list`: the claims that are held, in the order in which to work on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.terminal import columns, flush, lines_of, paint, plain, say, say_json
from worker.cli.rework.common import due as due_in
from worker.cli.rework.common import last_day_of, money, open_desk, person, today
from worker.desk.cases import Sort, StateWanted

if TYPE_CHECKING:
    from worker.desk.cases import Case
    from worker.desk.casestore import Session
    from worker.desk.wanted import Sums
    from worker.store.connections import Store

_URGENCY = {
    "past": "Past the last day to file", "week": "7 days and less", "month": "30 days and less", "later": "Later",
    "unknown": "Last day not known",
}  # fmt: skip
_MOST = 500
"""Cases of a table."""


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
    due: Annotated[
        str | None,
        typer.Option(metavar="DAYS", help="Last day to file within so many days; `past`, `week`, `month`, `unknown`."),
    ] = None,
    sort: Annotated[
        Sort,
        typer.Option(
            help="urgency: in groups by the last day to file, the highest charge first in each; expected: the highest "
            "expected payment first, unknown last."
        ),
    ] = "urgency",
    format: Annotated[Literal["table", "csv", "json"], typer.Option(help="json: one case a line.")] = "table",
) -> None:
    """Lists cases, with the last day to file and the grade of its source, charge and expected payment, owner, and what
    is wrong.

    What Medicare, or a contract of yours, is expected to pay is said as of the decision: an amount, from one to
    another,
    of a part of the lines, nothing of its own (packaged), or unknown, which is not 0 and in no sum.

    Exit codes: 0 none, 1 some, 2 Redis or the case store cannot be used.

    Examples:

    * `scrub rework list`
    * `scrub rework list --payer aetna --due 30 --sort charge`
    * `scrub rework list --sort expected --due week`
    * `scrub rework list --owner me --format csv > mine.csv`
    """
    from worker.desk.wanted import Wanted

    day, whose, within = today(), None if owner is None else person(owner), due_in(due)
    with open_desk() as desk, desk.cases.session() as session:
        from worker.desk.lists import page, sums  # wants the packages of the extra, which open_desk names

        asked = Wanted(
            state=state, payers=_payers(desk.store, session, payer), code=_code(desk.store, session, code, day),
            owner=whose, due=within, sort=sort, limit=_MOST if format == "table" else None,
        )  # fmt: skip
        found, total = page(session, asked, day), sums(session, asked, day)
        aside = sums(session, replace(asked, state="pended"), day).claims
    _put(found, total, sort, format, day)
    if format == "table" and state == "open" and aside:
        say(f"{aside} pended, not shown (--state held)")
    flush()
    raise typer.Exit(1 if found else 0)


def _payers(store: Store, session: Session, wanted: str | None) -> frozenset[str] | None:
    """Keys and names of the payers that are meant: of the book, and as claims have them."""
    if wanted is None:
        return None
    from worker.cli.common.books import untried_book
    from worker.desk.lists import payers
    from worker.desk.wanted import payers_named

    book = untried_book(store.settings.book)
    found = payers_named(wanted, book, payers(session))
    if not found:
        raise typer.BadParameter(
            f"no payer begins so: {plain(wanted)!r}; known are {', '.join(book.registry.payers)}", param_hint="--payer"
        )
    return found


def _code(store: Store, session: Session, code: str | None, day: date) -> str | None:
    """One that holds a case, or that the book has."""
    if code is None:
        return None
    from worker.cli.common.books import untried_book
    from worker.desk.lists import sums
    from worker.desk.wanted import Wanted

    found = code.upper()
    if sums(session, Wanted(state="all", code=found), day).claims:
        return found
    if not any(rule.code == found for rule in untried_book(store.settings.book).rules):
        raise typer.BadParameter(
            f"the book has no rule {plain(code)!r}; `scrub rules list` has them", param_hint="--code"
        )
    return found


def _put(found: Sequence[Case], total: Sums, sort: str, format: str, day: date) -> None:
    if format == "json":
        from worker.desk.tabled import shown

        say_json(*(shown(one, day) for one in found))
    elif format == "csv":
        from rules.printable import csv_of
        from worker.desk.tabled import COLUMNS, row_of

        say(*lines_of(csv_of(COLUMNS, (row_of(one, day) for one in found))))
    elif not found:
        say("No case.")
    else:
        _table(found, total, sort, day)


def _table(found: Sequence[Case], total: Sums, sort: str, day: date) -> None:
    from worker.desk.tabled import sums_text

    head = ("  case", "last day to file", "claim", "payer", "charge", "expected", "owner", "what is wrong")
    first, *lines = columns([head, *(_row(one, day) for one in found)], ("dim",))
    group = ""
    say(first)
    for one, line in zip(found, lines, strict=True):
        if sort == "urgency" and (name := _URGENCY[one.urgency(day)]) != group:
            say(*([""] if group else []), paint(name, "bold"))
            group = name
        say(line)
    say("")
    if total.claims > len(found):
        say(f"and {total.claims - len(found)} more: --format csv has all")
    say(paint(f"{total.claims} case{'s' * (total.claims != 1)}, {sums_text(total, money)}", "bold"))


def _row(one: Case, day: date) -> tuple[str, ...]:
    from worker.desk.tabled import expected_text

    state = one.state_on(day)
    more = f"{state} until {one.pended_until}: " if state == "pended" else "" if state == "open" else f"{state}: "
    codes = f" [{', '.join(one.codes)}]" if one.codes else ""
    return (
        f"  {one.handle}", last_day_of(one, day), plain(one.claim_id), plain(one.payer_name), money(one.charge_cents),
        expected_text(one.expected, money), plain(one.owner) or "-",
        plain(more + (one.fault or "not looked at") + codes),
    )  # fmt: skip
