"""`scrub rework waive`: what would go, and that it went."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import day_of
from worker.cli.common.terminal import flush, hung, paint, plain, say
from worker.cli.rework.common import CaseName, Seen, named, open_desk, person, today

if TYPE_CHECKING:
    from worker.desk.acting import Desk
    from worker.desk.waiving import Waivable


def waive(
    case: CaseName,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Kept in the case store alone. `-`: from stdin.")
    ] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Who answers for it; `me`.")] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="YYYY-MM-DD: last day on which it holds, in 31 days at most.")
    ] = "",
    seen: Seen = None,
) -> None:
    """Lets the claim of one case go as it is, once, in spite of what blocks it. Without options: says what would go.

    It names every finding that holds the claim now; what a worker finds besides holds it still. What the payer's front
    end refuses is not waived, nor an exact duplicate, nor a version of a claim of which a later one came in.

    Exit codes: 0, or 2 where it is not possible, or the case was changed meanwhile.

    Examples:

    * `scrub rework waive k7m2q9x4bd`
    * `scrub rework waive k7m2q9x4bd --reason "payer agreed by phone, ref. 4711" --owner me --until 2026-12-04`
    """
    said = (sys.stdin.read() if reason == "-" else reason).strip()
    told = (bool(said), bool(owner.strip()), bool(until))
    if any(told) and not all(told):
        raise typer.BadParameter("expected --reason, --owner and --until, or none of them")
    name, last = named(case), day_of(until) if until else None
    with open_desk() as desk:
        say(*_waived(desk, name, said, person(owner), last, today(), seen))
    flush()


def _waived(
    desk: Desk, name: str, reason: str, owner: str, until: date | None, day: date, version: int | None
) -> Iterator[str]:
    """Waives the case, or says what would go where no last day is given. `version`: at which it was seen.

    Raises:
        NotWaivable, ActNotPossible, CaseChanged, CaseUnknown, CaseAmbiguous
    """
    from worker.desk.waiving import names, waivable, waive
    from worker.errors import CaseChanged

    with desk.cases.session() as session:
        case = session.named(name)
    if version is not None and case.version != version:
        raise CaseChanged(case=case.handle, found=case.version, seen=version)
    seen = waivable(desk, case, day)
    if until is None:
        yield from _would(seen)
        return
    after = waive(desk, seen, reason, owner=owner, until=until, day=day)
    yield hung(
        f"{after.handle} ({plain(after.claim_id)}), waived, version {after.version}: "
        f"{', '.join(names(seen.findings))} let go. A worker decides on it now: `scrub rework show {after.handle}`",
        2,
    )


def _would(seen: Waivable) -> Iterator[str]:
    from worker.cli.common.verdicts import explained, in_order  # the engine: no command should wait for it

    yield f"{paint(seen.case.handle, 'bold')} ({plain(seen.case.claim_id)}) can be waived, which lets go:"
    for finding in in_order(seen.findings):
        yield from explained(finding)
    yield ""
    yield hung("To do so, give --reason, --owner and --until. The claim then goes as it is, once.", 0)
