"""What people do about a case: pend, assign, note, close, reopen."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.books import day_of
from worker.cli.common.terminal import plain, say
from worker.cli.rework.common import CaseName, Seen, Text, named, open_desk, person, today

if TYPE_CHECKING:
    from worker.desk.cases import ActKind, CloseReason

_DONE: Mapping[ActKind, str] = {
    "pend": "pended", "assign": "assigned", "note": "note written", "close": "closed", "reopen": "reopened",
    "preserve": "preserved", "release": "released",
}  # fmt: skip


def pend(
    case: CaseName,
    until: Annotated[str, typer.Argument(metavar="DATE", help="YYYY-MM-DD: the day on which it comes back by itself.")],
    text: Text = "",
    seen: Seen = None,
) -> None:
    """Puts a case off until a day, at least two days before the last day to file. A new version brings it back sooner.

    Exit codes: 0, or 2 where it is not possible, or the case was changed meanwhile.

    Examples:

    * `scrub rework pend k7m2q9x4bd 2026-12-04 --note "asked the surgeon for the side"`
    """
    act("pend", case, text, seen, until=day_of(until))


def assign(
    case: CaseName,
    owner: Annotated[str, typer.Argument(metavar="NAME", help="Who works on it; `me`; `nobody`.")],
    text: Text = "",
    seen: Seen = None,
) -> None:
    """Says who works on a case.

    Exit codes: 0, or 2 where it is not possible, or the case was changed meanwhile.

    Examples:

    * `scrub rework assign k7m2q9x4bd me`
    """
    act("assign", case, text, seen, owner=person(owner))


def note(case: CaseName, text: Annotated[str, typer.Argument(metavar="TEXT", help="`-`: from stdin.")]) -> None:
    """Writes a note on a case. It stays in the case store; the audit log has a keyed digest of it.

    Exit codes: 0, or 2 where it is not possible.

    Examples:

    * `scrub rework note k7m2q9x4bd "record asked for on Monday"`
    """
    act("note", case, text, None)


def close(
    case: CaseName,
    as_: Annotated[
        Literal["without_billing", "billed_elsewhere", "paid", "denied"],
        typer.Option("--as", help="Why nothing more is to be done."),
    ],
    text: Text = "",
    seen: Seen = None,
) -> None:
    """Closes a case. A new version of the claim that is held opens it again.

    Exit codes: 0, or 2 where it is not possible, or the case was changed meanwhile.

    Examples:

    * `scrub rework close k7m2q9x4bd --as without_billing --note "patient moved to self-pay"`
    """
    act("close", case, text, seen, reason=as_)


def reopen(case: CaseName, text: Text = "", seen: Seen = None) -> None:
    """Opens a case that was closed or pended.

    Exit codes: 0, or 2 where it is not possible, or the case was changed meanwhile.

    Examples:

    * `scrub rework reopen k7m2q9x4bd`
    """
    act("reopen", case, text, seen)


def act(
    kind: ActKind,
    name: str,
    text: str,
    seen: int | None,
    *,
    until: date | None = None,
    owner: str = "",
    reason: CloseReason | None = None,
) -> None:
    """Does an act on the case of this name, for whoever runs this, and says how the case is then."""
    from worker.desk.acting import of_me
    from worker.errors import CaseChanged

    day, wanted = today(), named(name)
    said = (sys.stdin.read() if text == "-" else text).strip()
    if kind == "note" and not said:
        raise typer.BadParameter("expected a text", param_hint="TEXT")
    with open_desk() as desk:
        with desk.cases.session() as session:
            case = session.named(wanted)
        if seen is not None and case.version != seen:
            raise CaseChanged(case=case.handle, found=case.version, seen=seen)
        after = desk.do(case, of_me(kind, until=until, owner=owner, reason=reason), said, day)
    state = after.state_on(day)
    until_text = f" until {after.pended_until}" if state == "pended" else ""
    owner_text = f", owner {plain(after.owner)}" if after.owner else ""
    say(
        f"{after.handle} ({plain(after.claim_id)}), {_DONE[kind]}, version {after.version}: "
        f"{state}{until_text}{owner_text}"
    )
