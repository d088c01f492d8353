"""`scrub token`: who may use the HTTP service without being a person."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.books import day_of
from worker.cli.common.terminal import columns, complain, flush, paint, plain, say, say_json

if TYPE_CHECKING:
    from worker.serve.tokens import Token, TokenFile

app = typer.Typer(no_args_is_help=True)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@app.callback()
def _group() -> None:
    """Tokens of programs that use `scrub serve`: what each may do, for which facilities, until when.

    A token is shown once and kept as a hash (SCRUB_TOKENS), so it cannot be told again: who loses it gets another one.
    Rights: check (have claims judged), submit (put them on the queue), read (see cases and claims), work (pend, assign,
    note, close, reopen), waive, admin (figures, and what concerns all facilities).
    """


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="In the audit log, as token:NAME: a-z, 0-9, -.")],
    scope: Annotated[
        list[str],
        typer.Option("--scope", metavar="RIGHT", help="A right; several: give it several times."),
    ],
    facility: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Cases of this facility alone; several times; '': those of no facility."),
    ] = None,
    producer: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="submit: as this registered producer, which says the facility; default: the inbox."
        ),
    ] = "",
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="submit: CloudEvents source, as /hospital/ehr.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="Last day on which it counts, YYYY-MM-DD; default: a year.")
    ] = None,
) -> None:
    """Makes a token and prints it, once.

    Exit codes: 0, or 2 where the file of tokens, or the producer, cannot be used.

    Examples:

    * `scrub token add ehr --scope submit --producer north --source /north/ehr`
    * `scrub token add scheduler --scope check --expires 2027-03-31`
    """
    from worker.audit.lines import who
    from worker.serve.scopes import SCOPES

    if not _NAME.fullmatch(name):
        raise typer.BadParameter("expected up to 32 of a-z, 0-9 and -, a letter first", param_hint="NAME")
    if unknown := [one for one in scope if one not in SCOPES]:
        raise typer.BadParameter(f"{plain(unknown[0])!r} is none of {', '.join(SCOPES)}", param_hint="--scope")
    if producer and "submit" not in scope:
        raise typer.BadParameter("goes with --scope submit", param_hint="--producer")
    if producer or "submit" in scope:
        source = _source(producer, source)
    last = day_of(expires) or _in_a_year()
    if last < datetime.now().astimezone().date():
        raise typer.BadParameter("expected a day that is not over", param_hint="--expires")
    end = datetime.combine(last, time.max).astimezone().astimezone(UTC).replace(microsecond=0)
    facilities = None if facility is None else tuple(dict.fromkeys(facility))
    made, text = _tokens().add(
        name, dict.fromkeys(scope), made_by=who(), facilities=facilities, producer=producer, source=source or "",
        expires=end,
    )  # fmt: skip
    complain(f"Token {made.id} of {name}, until {last}. It is shown this once:")
    say(text)
    flush()


def _source(producer: str, source: str | None) -> str | None:
    """The source of what is submitted, as its producer may have it; None: the token's name."""
    if not producer:
        return source
    from worker.cli.common.stores import opened
    from worker.store.registry import producers_of

    with opened() as store:
        known = producers_of(store.redis, store.keys).get(producer)
    if known is None or known.removed:
        raise typer.BadParameter("no such producer is registered: `scrub producer add`", param_hint="--producer")
    found = source or known.source or None
    if found and not known.has(found):
        raise typer.BadParameter(f"the producer is registered for {plain(known.source)}", param_hint="--source")
    return found


def _in_a_year() -> date:
    today = datetime.now().astimezone().date()
    return date(today.year + 1, today.month, min(today.day, 28))


@app.command("list")
def list_(
    format: Annotated[Literal["table", "json"], typer.Option(help="json: one token a line.")] = "table",
) -> None:
    """Lists the tokens, also those that count no longer; never their text.

    Examples:

    * `scrub token list`
    """
    now, found = datetime.now(UTC), _tokens().all()
    if format == "json":
        from dataclasses import asdict

        for one in found:
            shown = asdict(one) | {"state": one.state(now)}
            del shown["digest"]
            say_json(shown)
    elif not found:
        say("No token.")
    else:
        say(*columns([("id", "name", "state", "rights", "facilities", "until"), *(_row(one, now) for one in found)]))
    flush()


def _row(one: Token, now: datetime) -> tuple[str, ...]:
    facilities = "all" if one.facilities is None else ", ".join(plain(name) or "none" for name in one.facilities)
    state = one.state(now)
    rights = ", ".join(one.scopes) + (f" (as {one.producer})" if one.producer else "")
    shown = paint(state, "green" if state == "valid" else "yellow")
    return one.id, plain(one.name), shown, rights, facilities, (one.expires or "-")[:10]


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it: not the token itself.")],
) -> None:
    """Has a token count no longer, from the next request on.

    Exit codes: 0, or 2 where there is none.

    Examples:

    * `scrub token revoke 3f9a01c2`
    """
    found = _tokens().revoke(token)
    say(f"Token {found.id} of {plain(found.name)} is revoked.")


def _tokens() -> TokenFile:
    from worker.config.settings import load_settings
    from worker.serve.tokens import TokenFile

    return TokenFile(load_settings().token_path)
