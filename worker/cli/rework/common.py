"""What the commands of `scrub rework` share: the case store with all that was decided, and how a case is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import complain, dollars, plain

if TYPE_CHECKING:
    from worker.desk.acting import Desk
    from worker.desk.cases import Case
    from worker.desk.wanted import Due
    from worker.store.connections import Store

CaseName = Annotated[
    str, typer.Argument(metavar="CASE", help="Handle, as `list` shows it, or the claim number; `-`: a line of stdin.")
]
Seen = Annotated[
    int | None, typer.Option("--seen", metavar="VERSION", help="Refuses where the case is no longer at this version.")
]
Text = Annotated[
    str, typer.Option("--note", metavar="TEXT", help="Kept in the case store alone; no patient names. `-`: from stdin.")
]


def named(case: str) -> str:
    """The argument, or the line of standard input that stands for it."""
    name = sys.stdin.readline().strip() if case == "-" else case
    if not name:
        raise typer.BadParameter("expected a handle or a claim number", param_hint="CASE")
    return name


def today() -> date:
    """Today, where its people work."""
    return datetime.now().astimezone().date()


def person(name: str) -> str:
    """Whom an argument means: `me`, `nobody` or a name."""
    from worker.audit.lines import who

    return {"me": who(), "nobody": ""}.get(name.strip(), name.strip())


def last_day_of(one: Case, day: date) -> str:
    """The last day to file, as people read it."""
    if one.last_day is None:
        return "not known"
    left = one.days_left(day) or 0
    return f"{one.last_day.day} ({left} d, grade {one.last_day.grade})"


def money(cents: int) -> str:
    """US cents as dollars."""
    from decimal import Decimal

    return dollars(Decimal(cents) / 100)


def due(text: str | None) -> Due | None:
    """The argument of --due."""
    from worker.desk.wanted import DUE_WORDS, due_of

    if text is None:
        return None
    found = due_of(text)
    if found is None:
        said = f"expected {', '.join(DUE_WORDS)}, or a number of days up to 9999; found {plain(text)!r}"
        raise typer.BadParameter(said, param_hint="--due")
    return found


@contextmanager
def open_desk() -> Iterator[Desk]:
    """The case store, with all that was decided until now."""
    try:
        from worker.desk.acting import Desk
        from worker.desk.casestore import CaseStore
        from worker.desk.following import follow
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("sqlalchemy", "alembic"):
            raise
        from worker.errors import ExtraMissing

        raise ExtraMissing(what="`scrub rework`", extra="desk") from None
    from worker.audit.actlines import acts_logged
    from worker.audit.log import AuditLog, check_folder
    from worker.store.keyring import load_rings

    with opened() as store:
        settings = store.settings
        check_folder(settings.audit_path)
        ring = load_rings(settings.secret_path).audit
        cases = CaseStore(settings.case_store_url, settings.case_store_password_file)
        audit = AuditLog.of(settings, ring)
        try:
            if cases.made and (lost := len(acts_logged(settings.audit_path))):
                complain(
                    f"The case store {cases.where} is a new one, and the audit log here has {lost} acts of people on "
                    "cases. Where it should be another one, set SCRUB_CASE_STORE; where it was lost, put its newest "
                    "backup back; then `scrub rework rebuild`."
                )
            follow(store, cases, lambda: book_of(store))
            desk = Desk(store, cases, audit, ring)
            _tell(desk)
            yield desk
        finally:
            audit.close()
            cases.close()


def book_of(store: Store) -> Any:
    """The rule book with the overrides of the hospital."""
    from worker.books.overrides import with_overrides
    from worker.cli.common.books import read_book

    settings = store.settings
    return with_overrides(read_book(settings.book, settings.tables_path, keys=settings.trusted), settings)


def _tell(desk: Desk) -> None:
    """What was begun and broke off: its author decides."""
    from worker.desk.acting import broke_off

    for one in filter(broke_off, desk.finish()):
        complain(
            f"case {one.handle}: {plain(one.act.account)} began to {one.act.kind} it on {one.act.moment[:10]}, and it"
            " broke off before the audit log had it: nothing happened. Do it again, if it is still meant"
        )
        desk.give_up(one)
