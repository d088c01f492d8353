"""`scrub rework try`: the claim of a case with changes, judged and not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.terminal import flush, lines_of, say, say_json
from worker.cli.rework.common import CaseName, book_of, named, open_desk, today

if TYPE_CHECKING:
    from rules.claim import Claim
    from rules.report import Report
    from worker.desk.acting import Desk
    from worker.desk.cases import Case


def try_(
    case: CaseName,
    fix: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="KEY", help="As `show` lists it, such as 1 or 2b; default: the first of each."),
    ] = None,
    format: Annotated[
        Literal["text", "csv", "json"], typer.Option(help="csv: the changes as a table; json: with an RFC 6902 patch.")
    ] = "text",
) -> None:
    """Judges the claim of a case with suggested changes, by the book in force. Sends nothing and changes nothing.

    What it prints is for a person: to confirm against the record, and to make in the billing system. The next version
    that it sends closes the case. What was billed before is not looked at.

    Exit codes: 0 nothing that was looked at holds it any more, 1 something does, or nothing is suggested, 2 there is
    no such case or suggestion, or what the claim said is gone.

    Examples:

    * `scrub rework try k7m2q9x4bd`
    * `scrub rework try k7m2q9x4bd --fix 1b --fix 2 --format csv > changes.csv`
    """
    from rules.engine.trying import try_changes
    from rules.errors import NothingSuggested
    from worker.cli.common.suggested import tried_csv, tried_json, tried_text

    with open_desk() as desk:
        with desk.cases.session() as session:
            found = session.named(named(case))
        claim, report = content_of(desk, found)
        book = book_of(desk.store)
    try:
        tried = try_changes(claim, report, book, fix or (), received=today())
    except NothingSuggested as error:
        say(str(error))
        raise typer.Exit(1) from None
    if format == "json":
        say_json(tried_json(tried))
    else:
        say(*(lines_of(tried_csv(claim, tried)) if format == "csv" else tried_text(claim, tried)))
    flush()
    raise typer.Exit(0 if tried.mends else 1)


def content_of(desk: Desk, case: Case) -> tuple[Claim, Report]:
    """Claim and report of the decision that stands: of the case store, else of its outlet entry.

    Raises:
        ContentGone, ClaimInvalid: written by a release whose claims this one refuses.
    """
    from rules.claim import read_claim
    from worker.cli.tail import report_of
    from worker.errors import ContentGone
    from worker.pipeline.whereabouts import in_outlets

    with desk.cases.session() as session:
        decisions = session.decisions_of(case.handle)
    for one in decisions:
        if one.decision_id == case.decision_id and one.content:
            return read_claim(one.content.claim), report_of(one.content.report)
    for out in in_outlets(desk.store, case.claim_id):
        if out.entry.decision_id == case.decision_id and "report" in out.entry.data:
            return read_claim(out.entry.data["claim"]), report_of(out.entry.data["report"])
    raise ContentGone(claim=case.claim_id)
