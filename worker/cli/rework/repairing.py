"""`scrub rework repair`: what would be written otherwise, and that it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.terminal import flush, hung, paint, plain, say
from worker.cli.rework.common import CaseName, Seen, Text, book_of, named, open_desk, today

if TYPE_CHECKING:
    from worker.desk.acting import Desk
    from worker.desk.repairing import Repairable


def repair(
    case: CaseName,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="You have compared it with the record: the claim goes so.")
    ] = False,
    note: Text = "",
    seen: Seen = None,
) -> None:
    """Repairs the form of one held claim here: values that are only written otherwise, and stay what they are.

    Dots, blanks, dashes and small letters of diagnoses, procedures, modifiers, NPIs, NDCs and member ids, where a rule
    holds the claim for them; all else stays a suggestion (`try`). Without --confirm: says what would change. With it a
    worker judges the claim as it is then, by the book and what was billed; what else is wrong holds it still. A later
    version from its sender wins. Correct it in your billing system too, which still has it as it was.

    Exit codes: 0, or 2 where nothing can be repaired, or the case was changed meanwhile.

    Examples:

    * `scrub rework repair k7m2q9x4bd`
    * `scrub rework repair k7m2q9x4bd --seen 3 --confirm`
    """
    name, text = named(case), (sys.stdin.read() if note == "-" else note).strip()
    with open_desk() as desk:
        say(*_repaired(desk, name, text, today(), seen, confirm=confirm))
    flush()


def _repaired(desk: Desk, name: str, text: str, day: date, version: int | None, *, confirm: bool) -> Iterator[str]:
    """Repairs the case, or says what would change. `version`: at which it was seen.

    Raises:
        NotRepairable, ActNotPossible, CaseChanged, CaseUnknown, CaseAmbiguous
    """
    from worker.desk.repairing import repair as done
    from worker.desk.repairing import repairable
    from worker.errors import CaseChanged

    with desk.cases.session() as session:
        case = session.named(name)
    if version is not None and case.version != version:
        raise CaseChanged(case=case.handle, found=case.version, seen=version)
    book = book_of(desk.store)
    seen = repairable(desk, case, book, day)
    if not confirm:
        yield from _would(seen)
        return
    after = done(desk, seen, book, text, day=day)
    yield hung(
        f"{after.handle} ({plain(after.claim_id)}), repaired, version {after.version}: "
        f"{'; '.join(plain(str(one)) for one in seen.changes)}. A worker judges it now: "
        f"`scrub rework show {after.handle}`",
        2,
    )


def _would(seen: Repairable) -> Iterator[str]:
    case = seen.case
    yield f"{paint(case.handle, 'bold')} ({plain(case.claim_id)}), for {', '.join(seen.codes)}:"
    for change in seen.changes:
        yield "  " + hung(plain(str(change)), 4)
    for sentence in seen.confirm:
        yield "  " + paint("confirm: ", "dim") + hung(plain(sentence), 11)
    yield ""
    yield hung(
        f"To do so: `scrub rework repair {case.handle} --seen {case.version} --confirm`. A worker then judges the "
        "claim as it is so.",
        0,
    )
