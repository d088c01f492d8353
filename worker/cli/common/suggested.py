"""Suggestions and tried changes as people and spreadsheets read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rules.printable import csv_of
from worker.cli.common.terminal import hung, paint, plain

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.claim import Claim
    from rules.engine.suggesting import Suggestion
    from rules.engine.trying import Tried
    from rules.report import Finding, Report

_INDENT = 10
_COLUMNS = ("change", "place", "was", "becomes", "class", "confirm")
NOTHING = "Nothing is suggested: what each finding asks for is made in the host system."


def suggested(claim: Claim, suggestions: Sequence[Suggestion]) -> Iterator[str]:
    """What is suggested for a claim, each with what a person confirms."""
    from rules.engine.trying import changes

    for one in suggestions:
        what = "; ".join(str(change) for change in changes(claim, one.operations))
        kind = "written otherwise" if one.change_class == "format" else "to confirm"
        place = f", line {one.line}" if one.line is not None else ""
        yield f"  {paint(f'try {one.key}', 'green')}  {hung(plain(f'{one.code}{place} ({kind}): {what}'), _INDENT)}"
        for sentence in one.confirm:
            yield " " * _INDENT + paint("confirm: ", "dim") + hung(plain(sentence), _INDENT + 9)


def tried_text(before: Claim, tried: Tried) -> Iterator[str]:
    """What is changed, what it comes to, and where it is to be made."""
    from rules.engine.trying import changes

    keys = ", ".join(one.key for one in tried.suggestions)
    yield f"Tried {keys}; nothing was sent, and nothing was changed."
    yield ""
    for one in changes(before, tried.operations, told=True):
        yield "  " + hung(plain(f"{one} ({one.change_class})"), 4)
    yield ""
    for sentence in dict.fromkeys(sentence for one in tried.suggestions for sentence in one.confirm):
        yield "  " + paint("confirm: ", "dim") + hung(plain(sentence), 11)
    yield ""
    yield from verdict_of(tried)


def verdict_of(tried: Tried) -> Iterator[str]:
    """Whether the changes mend the claim, or what holds it still."""
    if tried.left or tried.new:
        for one in tried.left:
            yield hung(f"Not applied: with this change {_named(one)} still holds the claim: {plain(one.message)}", 2)
        for one in tried.new:
            yield hung(f"Not applied: with this change {_named(one)} holds the claim: {plain(one.message)}", 2)
    elif tried.report.disposition == "billing" and tried.mends:
        yield paint("With this change the claim would go to billing.", "green")
    elif not tried.unasked:
        yield f"With this change the claim would go to {tried.report.disposition}."
    if tried.unasked:
        yield hung(f"Not asked again: {', '.join(tried.unasked)}. What was billed before is not looked at here.", 2)
    else:
        yield hung("Judged without the ledger: what was billed before was not looked at.", 2, "dim")
    yield hung("Make the same change in your billing system; the claim's next version closes the case.", 2)


def _named(one: Finding) -> str:
    return f"{one.code} (line {one.line})" if one.line is not None else one.code


def tried_csv(before: Claim, tried: Tried) -> str:
    """The changes as a table."""
    from rules.engine.trying import changes

    confirm = " ".join(dict.fromkeys(sentence for one in tried.suggestions for sentence in one.confirm))
    rows = [
        (one.label, one.path, one.was, one.becomes, one.change_class, confirm)
        for one in changes(before, tried.operations, told=True)
    ]
    return csv_of(_COLUMNS, rows)


def tried_json(tried: Tried) -> dict[str, object]:
    """The changes as RFC 6902, and what they come to."""
    return {
        "claim_id": tried.claim.claim_id,
        "tried": [one.key for one in tried.suggestions],
        "patch": list(tried.operations),
        "confirm": list(dict.fromkeys(sentence for one in tried.suggestions for sentence in one.confirm)),
        "disposition": tried.report.disposition,
        "still_holding": [{"code": one.code, "line": one.line, "message": one.message} for one in tried.left],
        "newly_holding": [{"code": one.code, "line": one.line, "message": one.message} for one in tried.new],
        "not_asked": list(tried.unasked),
    }


def tried_of(report: Report, claim: Claim, book: Book, received: date) -> dict[str, Any]:
    """Of a held claim, what comes of what is suggested."""
    if report.verdict != "rework":
        return {}
    from rules.engine.suggesting import suggestions_of
    from rules.engine.trying import try_changes
    from rules.errors import ChangesContradict

    if not suggestions_of(claim, report, book, received=received):
        return {}
    try:
        return {"tried": tried_json(try_changes(claim, report, book, received=received))}
    except ChangesContradict as error:
        return {"tried": {"refused": str(error)}}


def told_ways(report: Report, claim: Claim, book: Book, received: date, try_: bool) -> Iterator[str]:
    """The same for people."""
    if report.verdict != "rework":
        return
    from rules.engine.suggesting import suggestions_of
    from rules.engine.trying import try_changes
    from rules.errors import ChangesContradict

    found = suggestions_of(claim, report, book, received=received)
    yield from suggested(claim, found)
    if try_ and not found:
        yield "  " + hung(NOTHING, 2, "dim")
    if found and try_:
        try:
            yield from (f"  {line}" for line in verdict_of(try_changes(claim, report, book, received=received)))
        except ChangesContradict as error:
            yield f"  {plain(str(error))}"
