"""A claim as each layer of the book sees it."""

from __future__ import annotations

from datetime import date

from rules.book.book import Book
from rules.carried import carried
from rules.case import Case, date_of, dates_of, role_of
from rules.claim import Claim
from rules.engine.active import Cases
from rules.engine.memory import selection_of
from rules.history import NOT_CONSULTED, History
from rules.terms import EDITS, FORM, LAYERS


def cases_of(claim: Claim, book: Book, received: date | None, history: History = NOT_CONSULTED) -> Cases:
    """The claim as each layer sees it that it is for."""
    codes = book.codes
    named = {codes.get(line.procedure or "") for line in claim.lines}
    edits = (EDITS,) if EDITS in book.layers else ()
    layers = (FORM, *edits, *(name for name in book.procedures if name in named))
    whole = case_of(claim, book, received, history, FORM)
    return (whole, *[_seen_by(whole, book, layer) for layer in layers[1:]])


def case_of(
    claim: Claim, book: Book, received: date | None, history: History = NOT_CONSULTED, layer: str | None = None
) -> Case:
    """The claim as the rules of one layer see it; default: those of the book's first procedure."""
    selection = selection_of(book, claim.payer)
    if book.registry.prefixes:
        selection = book.registry.seen_from_home(selection, claim.subscriber.member_id if claim.subscriber else None)
    first = min(dates_of(claim, claim.lines), default=claim.statement_from_date)
    provider = _named_provider(claim, book) if book.overrides.providers else None
    whole = Case(
        FORM, None, book.tables, claim.lines, first, {},
        claim, selection, role_of(claim), claim.received_date or received, history,
        provider, selection.payer in book.ruled,
        book.registry.forms, book.with_rules, carried(claim),
        book.overrides.locations_of(selection, provider, first) if provider else (), book.former,
    )  # fmt: skip
    return whole if layer == FORM else _seen_by(whole, book, layer or next(iter(book.procedures)))


def _seen_by(whole: Case, book: Book, layer: str) -> Case:
    if layer in LAYERS:
        return whole.of_layer(layer, None, whole.tables, whole.lines, whole.first_day)
    package = book.procedures[layer]
    lines = tuple([line for line in whole.lines if line.procedure in package.codes])
    days = dates_of(whole.claim, lines)
    first = min(days) if days and len(days) == len(lines) else None
    return whole.of_layer(layer, package, book.own[layer], lines, first)


def _named_provider(claim: Claim, book: Book) -> str | None:
    number = claim.billing_provider.npi if claim.billing_provider else None
    return number if number in book.overrides.providers else None


def uncovered(case: Case, book: Book) -> str | None:
    """Why the rules of this procedure say nothing of the claim, or None."""
    start = book.covers_from_of(case.selection.payer)
    for line in case.lines:
        day = date_of(case.claim, line)
        if day is not None and day < start:
            return f"line {line.number} is dated {day}; the book's rules for this payer begin on {start}"
    return None


def judging(cases: Cases, book: Book) -> tuple[Cases, str | None]:
    """The layers whose rules are asked, and why those of no procedure are among them."""
    reasons = [uncovered(case, book) if case.package else None for case in cases]
    live = tuple(case for case, reason in zip(cases, reasons, strict=True) if reason is None)
    if any(case.package for case in live):
        return live, None
    found = [reason for reason in reasons if reason]
    return live, found[0] if found else f"no line carries procedure {', '.join(book.codes)}"
