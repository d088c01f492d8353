"""`scrub rules explain`: why a rule says what it says of a claim."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import BookFolder, day_of, rules_named, untried_book
from worker.cli.common.choices import codes
from worker.cli.common.sources import Intake
from worker.cli.common.terminal import Format, Style, columns, hung, paint, plain, say, say_json

if TYPE_CHECKING:
    from rules.authoring.explain import Asking, ConditionPart, Explanation, Judgement
    from rules.report import Evidence

_VALUES: dict[bool | None, tuple[str, Style]] = {
    True: ("true", "green"), False: ("false", "red"), None: ("unknown", "yellow"),
}  # fmt: skip


def explain(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="File of the claim, as `scrub check` reads it; `-`.")],
    code: Annotated[
        str, typer.Argument(metavar="CODE", autocompletion=codes, help="Such as UNT001, or a file: UNT001-one-unit.")
    ],
    claim_id: Annotated[
        str | None, typer.Option("--claim-id", metavar="ID", help="Of a file with several claims, this one alone.")
    ] = None,
    received: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Used where the claim has no received date; default: today."),
    ] = None,
    book: BookFolder = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one claim a line.")] = "text",
) -> None:
    """Shows why a rule passed or failed on a claim: each condition, true, false or unknown, with the values it saw.

    Where a rule does not run for the claim, it says why: payer, plan, billing role, void, dates, retired. What the
    hospital's overrides (SCRUB_OVERRIDES) make of the rule is shown beside it.

    Exit codes: 0 explained, 2 unreadable claim or unknown rule.

    Examples:

    * `scrub rules explain claim.json UNT001`

    * `scrub rules explain claims.ndjson TIM001-one-year --claim-id PCN-0001 --format json`
    """
    from rules.authoring.explain import explain as explanations_of
    from worker.books.overrides import with_overrides
    from worker.config.settings import load_settings

    settings = load_settings()
    rules = with_overrides(untried_book(book, signed=True), settings)
    named = rules_named(code, rules)
    day = day_of(received) or datetime.now().astimezone().date()
    intake = Intake([claim], settings.max_event_bytes, codes=rules.codes)
    shown = 0
    for document in intake.documents():
        if claim_id not in (None, document.claim.claim_id):
            continue
        event_day = document.event.day if document.event and not received else None
        explanations = explanations_of(document.claim, rules, named, received=event_day or day)
        shown += 1
        if format == "json":
            say_json({"claim_id": document.claim.claim_id, "rules": explanations})
            continue
        say(paint(plain(document.claim.claim_id), "bold"))
        say(*_listed(explanations), "")
    if claim_id and not shown and not intake.refused:
        raise typer.BadParameter(f"no claim of {claim} has the id {claim_id!r}")
    raise typer.Exit(2 if intake.refused else 0)


def _listed(explanations: tuple[Explanation, ...]) -> Iterator[str]:
    for one in explanations:
        if one.judgements:
            status = "" if one.status == "active" else f" ({one.status})"
            yield f"  {paint(one.code, 'bold')}  {one.title}{status}  {paint(one.rule, 'dim')}"
        for judgement in one.judgements:
            yield from _judged(judgement, one.fault)
    idle = [(f"    {one.rule}", plain("; ".join(one.not_run))) for one in explanations if one.not_run]
    if idle:
        yield f"  {paint('does not run', 'bold')}"
        yield from columns(idle, ("dim",))


def _judged(judgement: Judgement, fault: str | None) -> Iterator[str]:
    place = "claim" if judgement.line is None else f"line {judgement.line}"
    outcome = judgement.outcome + (f" ({judgement.severity})" if judgement.severity else "")
    told = f"{fault}; {judgement.told}" if fault and judgement.outcome == "fail" else judgement.told
    yield f"    {place}  {paint(outcome, 'bold')}  {paint(plain(told), 'dim')}"
    for asking in judgement.asked:
        if len(judgement.asked) > 1:
            yield f"      the version of {asking.start}: {asking.outcome}"
        yield from _rows(asking)


def _rows(asking: Asking) -> Iterator[str]:
    indent = max(map(len, asking.conditions)) + 2
    for name, part in asking.conditions.items():
        for place, (depth, one) in enumerate(_outline(part)):
            word, style = _VALUES[one.value]
            seen = ", ".join(f"{fact} = {_shown(value)}" for fact, value in one.seen.items())
            margin = 6 + indent + 9 + 2 * depth
            head = f"      {name if place == 0 else '':<{indent}}{paint(f'{word:<9}', style)}{'  ' * depth}"
            yield head + hung(plain(f"{one.says}  [{seen}]" if seen else one.says), margin)


def _outline(part: ConditionPart, depth: int = 0) -> Iterator[tuple[int, ConditionPart]]:
    yield depth, part
    for inner in part.parts:
        yield from _outline(inner, depth + 1)


def _shown(value: Evidence) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
