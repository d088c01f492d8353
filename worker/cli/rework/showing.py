"""`scrub rework show`: one case, with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from worker.cli.common.terminal import columns, flush, hung, paint, plain, say, say_json
from worker.cli.rework.common import CaseName, book_of, last_day_of, money, named, open_desk, today

if TYPE_CHECKING:
    from worker.desk.cases import Case


def show(
    case: CaseName,
    format: Annotated[Literal["text", "json"], typer.Option(help="text for people; json: one object.")] = "text",
) -> None:
    """Shows a case: its state, every decision on the claim with what was found, what people did, and their notes.

    Exit codes: 0, or 2 where there is no such case, or Redis or the case store cannot be used.

    Examples:

    * `scrub rework show k7m2q9x4bd`
    """
    day = today()
    with open_desk() as desk, desk.cases.session() as session:
        found = session.named(named(case))
        decisions, acts = session.decisions_of(found.handle), session.acts_of(found.handle)
        book = book_of(desk.store)
    if format == "json":
        from dataclasses import asdict

        from worker.desk.tabled import shown

        say_json(
            {
                **shown(found, day),
                "decisions": [asdict(one) for one in decisions],
                "acts": [asdict(one) for one in acts],
            }
        )
    else:
        say(*_head(found, day), *_decisions(found, decisions), *_ways_out(found, decisions, book), *_acts(acts))
    flush()


def _head(one: Case, day: date) -> Iterator[str]:
    from worker.cli.common.verdicts import STYLES
    from worker.desk.tabled import expected_text

    state = one.state_on(day)
    closed = f" ({one.closed_reason})" if one.closed_reason else ""
    shown = paint(state, STYLES["block"] if state == "open" else None)
    yield f"{paint(one.handle, 'bold')}  {plain(one.claim_id)}  {plain(one.payer_name)}  {shown}{closed}"
    rows = [
        ("  charge", money(one.charge_cents)),
        ("  expected payment", expected_text(one.expected, money)),
        ("  last day to file", last_day_of(one, day) + (f", by {one.last_day.rule}" if one.last_day else "")),
        ("  held since", f"{one.held_since[:19]}Z"),
        ("  owner", plain(one.owner) or "nobody"),
        *([("  facility", plain(one.scope))] if one.scope else []),
        ("  version", str(one.version)),
    ]
    if state == "pended":
        rows.insert(2, ("  pended until", f"{one.pended_until} by {plain(one.pended_by)}"))
    yield from columns(rows, ("dim",))


def _decisions(case: Case, decisions: Sequence[Any]) -> Iterator[str]:
    from worker.cli.common.verdicts import STYLES, explained, in_order, waiver
    from worker.cli.tail import report_of

    for one in reversed(decisions):
        late = " (a later version had been decided)" if one.superseded else ""
        late += " (another patient's claim under this number)" if one.stranger else ""
        yield ""
        where = paint(one.disposition, STYLES.get(one.disposition))
        yield f"{one.moment[:19]}Z  {where}  decision {one.decision_id}{late}"
        if one.content and one.decision_id == case.decision_id:
            report = report_of(one.content.report)
            yield from waiver(report)
            for finding in in_order(report.findings):
                yield from explained(finding)
        elif one.codes:
            gone = "" if one.content else "  (its content is gone: `scrub claim` shows what the audit log has)"
            yield f"  {', '.join(one.codes)}{gone}"


def _ways_out(case: Case, decisions: Sequence[Any], book: Any) -> Iterator[str]:
    """What is suggested for the decision that stands, as the book in force has it."""
    from rules.claim import read_claim
    from rules.engine.suggesting import suggestions_of
    from rules.errors import ScrubError
    from worker.cli.common.suggested import NOTHING, suggested
    from worker.cli.tail import report_of

    content = next((one.content for one in decisions if one.decision_id == case.decision_id), None)
    if content is None or case.state not in ("open", "pended"):
        return
    yield ""
    try:
        claim = read_claim(content.claim)
    except ScrubError:  # another release wrote what this one refuses
        yield NOTHING
        return
    found = suggestions_of(claim, report_of(content.report), book, received=today())
    if not found:
        yield NOTHING
        return
    yield from suggested(claim, found)
    yield "  " + paint(f"`scrub rework try {case.handle}` judges the claim with it, and sends nothing.", "dim")
    if any({step["class"] for step in one.operations} == {"format"} for one in found):
        yield "  " + paint(f"`scrub rework repair {case.handle}` shows what of it can be repaired here.", "dim")


def _acts(acts: Sequence[Any]) -> Iterator[str]:
    if acts:
        yield ""
    for one in acts:
        act = one.act
        what = {
            "pend": f"pended until {act.until}",
            "assign": f"assigned to {plain(act.owner) or 'nobody'}",
            "close": f"closed: {act.reason}",
            "reopen": "reopened",
            "note": "note",
            "settle": f"closed by the remittance of {act.until}: {act.reason}",
            "reverse": f"opened again: taken back by the payer on {act.until}",
            "preserve": "kept from purging",
            "release": "no longer kept from purging",
            "repair": "repaired what is only written otherwise",
            "waive": f"waived, for {plain(act.owner)}, until {act.until}",
        }[act.kind]
        state = {"pending": " (begun and not ended)", "gone": " (broke off, and never happened)"}.get(one.state, "")
        yield hung(
            f"{act.moment[:19]}Z  {plain(act.account)}  {what}{state}" + (f": {plain(one.text)}" if one.text else ""), 2
        )
