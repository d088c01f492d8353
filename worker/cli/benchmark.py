"""`scrub benchmark`: what a line is expected to bring, by date, place and site."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from worker.cli.common.books import BookFolder, day_of, read_book
from worker.cli.common.payments import amount_text
from worker.cli.common.terminal import Format, columns, dollars, hung, paint, plain, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from rules.book.book import Book
    from rules.payment.question import Expected, Places, Question

_SITES = {
    "office": "a practitioner in an office",
    "facility": "a practitioner in a facility",
    "hospital": "a hospital's outpatient department",
    "asc": "a surgical center",
}
_ALLOWED = "Payer's and patient's part together, before deductible and sequestration."


def benchmark(
    site: Annotated[
        str,
        typer.Option("--site", metavar="SITE", help=f"{'; '.join(f'{key}: {text}' for key, text in _SITES.items())}."),
    ],
    date: Annotated[str | None, typer.Option("--date", metavar="DATE", help="Of service; default: today.")] = None,
    zip: Annotated[
        str | None, typer.Option("--zip", metavar="ZIP", help="Where it was given: five digits or nine.")
    ] = None,
    locality: Annotated[
        str | None, typer.Option("--locality", metavar="LOCALITY", help="In place of the ZIP code: TX 11, or 04412 11.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="Where no more is known: all localities of the state."),
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Procedure; default: the first one of the book.")
    ] = None,
    units: Annotated[str, typer.Option("--units", metavar="N", help="Units of the line.")] = "1",
    modifiers: Annotated[
        str, typer.Option("--modifiers", metavar="LIST", help="Of the line, with commas between: 50,59.")
    ] = "",
    payer: Annotated[
        str,
        typer.Option("--payer", metavar="PAYER", help="Payer of the rule book, or EDI payer id, as contracts name it."),
    ] = "medicare",
    line_of_business: Annotated[
        str | None, typer.Option("--line-of-business", metavar="NAME", help="As the contract table has it.")
    ] = None,
    charge: Annotated[str | None, typer.Option("--charge", metavar="USD", help="Charge of the line.")] = None,
    with_: Annotated[
        str, typer.Option("--with", metavar="LIST", help="Codes of the other lines, with commas between: 27447.")
    ] = "",
    qualifying: Annotated[
        bool | None,
        typer.Option("--qualifying/--not-qualifying", help="Qualifying participant (QP); default: SCRUB_QUALIFYING."),
    ] = None,
    wage_index: Annotated[
        str | None, typer.Option("--wage-index", metavar="N", help="Of the facility; default: SCRUB_WAGE_INDEX.")
    ] = None,
    contracts: Annotated[
        Path | None, typer.Option("--contracts", metavar="FILE", help="Contract table; default: SCRUB_CONTRACTS.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Of a practitioner's line: a line for each locality that it may be in.")
    ] = False,
    book: BookFolder = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one object, with --each one a line.")] = "text",
) -> None:
    """Says what a line is expected to bring: what Medicare allows, or what a contract of the hospital's pays.

    Medicare pays a practitioner by the locality, which the ZIP code tells once its file is imported (scrub tables
    import); a hospital or surgical center by a national rate and the wage index of the place. Other payers pay what the
    hospital's own table of contracts says. What cannot be said is said to be unknown, with what is missing.

    Exit codes: 0 an amount or a range, or packaged: nothing of its own; 1 unknown; 2 bad usage.

    Examples:

    * `scrub benchmark --date 2026-07-13 --locality "TX 11" --site office`

    * `scrub benchmark --date 2026-07-13 --state TX --site office --each`

    * `scrub benchmark --date 2026-07-13 --zip 94110-0001 --site facility --modifiers 50`

    * `scrub benchmark --date 2026-07-13 --site hospital --wage-index 1.0412 --with 27447`

    * `scrub benchmark --date 2026-07-13 --site office --payer aetna --contracts contracts.csv --format json`
    """
    from worker.books.overrides import today
    from worker.config.settings import load_settings

    settings = load_settings()
    rules = read_book(book or settings.book, settings.tables_path, keys=settings.trusted)
    day = day_of(date) or today()
    if sum(given is not None for given in (zip, locality, state)) > 1:
        raise typer.BadParameter("give one of --zip, --locality and --state")
    question = _question(
        rules,
        day,
        site=site,
        places=_places(rules, day, zip, locality, state),
        code=code,
        units=_number("--units", units) or Decimal(1),
        modifiers=_listed(modifiers),
        beside=_listed(with_),
        qualifying=settings.qualifying if qualifying is None else qualifying,
        wage_index=_number("--wage-index", wage_index) or settings.wage_index,
    )
    usd = _number("--charge", charge)
    if each:
        _each(rules, question, payer, format)
    found = _answer(rules, question, payer, line_of_business, usd, contracts or settings.contracts)
    if format == "json":
        say_json(_described(question, payer, found, usd), default=str)
    else:
        say(*_told(question, payer, found, usd))
    raise typer.Exit(1 if found.kind == "unknown" else 0)


def _each(rules: Book, question: Question, payer: str, format: Format) -> NoReturn:
    """An answer for each locality, and the end of the command."""
    from dataclasses import replace

    from rules.payment.medicare import medicare_payment

    if payer != "medicare" or question.site not in ("office", "facility") or not question.places.areas:
        raise typer.BadParameter(
            "it is for localities of Medicare: --site office or facility, and a place that there is"
        )
    alone = [
        replace(question, places=replace(question.places, areas=(area,), how=str(area), missing=()))
        for area in question.places.areas
    ]
    found = [medicare_payment(one, rules.tables) for one in alone]
    if format == "json":
        say_json(
            *(_described(one, payer, expected, None) for one, expected in zip(alone, found, strict=True)), default=str
        )
    else:
        rows = [
            (area.contractor, area.state, area.locality, amount_text(expected), area.name)
            for area, expected in zip(question.places.areas, found, strict=True)
        ]
        say(*columns(rows))
    raise typer.Exit(1 if any(one.kind == "unknown" for one in found) else 0)


def _places(rules: Book, day: date, code: str | None, locality: str | None, state: str | None) -> Places:
    from rules.payment.places import by_locality, by_state, by_zip, everywhere
    from rules.states import state_code

    if code is not None:
        return by_zip(rules.tables, code, day)
    if locality is not None:
        return by_locality(rules.tables, locality, day)
    if state is None:
        return everywhere(rules.tables, day)
    if state_code(state) is None:
        raise typer.BadParameter(f"{state!r} is no state; expected two letters, such as TX")
    return by_state(rules.tables, state, day)


def _question(rules: Book, day: date, *, site: str, code: str | None, beside: Sequence[str], **more: Any) -> Question:
    from rules.payment.question import SITES, Question

    known = next((one for one in SITES if one == site), None)
    if known is None:
        raise typer.BadParameter(f"{site!r} is no site; expected {', '.join(SITES)}")
    procedure = (code or rules.procedure).upper()
    return Question(procedure, day, known, beside=tuple(beside), **more)


def _answer(
    rules: Book, question: Question, payer: str, business: str | None, charge: Decimal | None, contracts: Path | None
) -> Expected:
    from rules.payment.claims import at_most
    from rules.payment.contracts import contract_payment
    from rules.payment.medicare import medicare_payment
    from rules.payment.money import cents_of
    from worker.tables.contracts import contracts_in

    cents = None if charge is None else cents_of(charge)
    if payer == "medicare" and business is None:
        found = medicare_payment(question, rules.tables)
        return found if question.site == "hospital" or cents is None else at_most(found, cents)
    known = payer.partition("/")[0]
    names = [payer, known] if known in rules.registry.payers else [payer.upper()]
    table = contracts_in(contracts, rules.registry)
    return contract_payment(question, rules.tables, table, dict.fromkeys(names), business, cents)


def _number(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or not 0 < found < 10_000_000:
        raise typer.BadParameter(f"{text!r} is no number above 0", param_hint=name)
    return found


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip().upper() for one in text.split(",") if one.strip())


def _told(question: Question, payer: str, found: Expected, charge: Decimal | None) -> Iterator[str]:
    where = f", {question.places.how}" if question.places.areas and question.site in ("office", "facility") else ""
    modifiers = f" with {', '.join(question.modifiers)}" if question.modifiers else ""
    yield paint(plain(f"{question.procedure}{modifiers} on {question.day}: {_SITES[question.site]}{where}"), "bold")
    beside = "" if charge is None else f"; charge {dollars(charge)}"
    who = "Medicare" if payer == "medicare" else payer
    if found.kind == "unknown":
        yield "  " + paint(plain(f"what {who} allows is unknown"), "yellow") + beside
    else:
        yield f"  {plain(who)} is expected to allow {paint(amount_text(found), 'green')}{beside}"
    if found.national is not None and found.kind == "range":
        yield f"  {dollars(Decimal(found.national) / 100)} with every cost index at 1"
    for step in found.steps:
        yield "    " + hung(plain(step), 4)
    rows = [*(("note:", one) for one in found.notes), *(("missing:", one) for one in found.missing)]
    rows += [("by:", "; ".join(found.editions))] if found.editions else []
    for label, text in rows:
        yield f"  {paint(f'{label:<9}', 'dim')}" + hung(plain(text), 11)
    if found.low:
        yield "  " + paint(_ALLOWED, "dim")


def _described(question: Question, payer: str, found: Expected, charge: Decimal | None) -> dict[str, Any]:
    from worker.pipeline.expected import text_of, told

    return {
        "procedure": question.procedure,
        "date": question.day,
        "site": question.site,
        "payer": payer,
        "modifiers": question.modifiers,
        "units": question.units,
        "localities": [
            {"contractor": one.contractor, "state": one.state, "locality": one.locality, "name": one.name}
            for one in question.places.areas
        ] if question.site in ("office", "facility") else [],
        "charge": charge,
        "national": text_of(found.national),
        "expected": told(found),
    }  # fmt: skip
