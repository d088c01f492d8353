"""`scrub status`: the books on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.stores import opened
from worker.cli.terminal import columns, paint, say, say_bytes

if TYPE_CHECKING:
    from worker.status import Books


def status(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    healthcheck: Annotated[bool, typer.Option("--healthcheck", help="One line, for probes.")] = False,
) -> None:
    """Shows what waits, what is in flight, what went where, and whether the books balance.

    Exit codes: 0 the books balance, 1 they do not, 2 Redis cannot be used.

    Examples:

    * `scrub status`
    * `scrub status --json | jq .waiting`
    * `scrub status --healthcheck` (for containers)
    """
    from worker.status import books
    from worker.wiring import where

    with opened() as store:
        found = books(store.redis, store.keys)
        address = where(store.settings)
        if store.settings.embedded:
            address += " (embedded)"
    if json:
        import orjson

        more = {"accounted": found.accounted, "balance": found.balance, "settled": found.settled}
        say_bytes([orjson.dumps(asdict(found) | more)])
    elif healthcheck:
        say(_balance(found))
    else:
        say(*_screen(found, address))
    raise typer.Exit(1 if found.balance else 0)


def _balance(found: Books) -> str:
    if found.balance:
        side = "unaccounted for" if found.balance > 0 else "more than were accepted"
        return f"The books do NOT balance: {abs(found.balance)} claims {side}."
    return f"The books balance: {found.accepted} accepted, {found.accounted} accounted for."


def _screen(found: Books, address: str) -> Iterator[str]:
    oldest = f"the oldest for {_span(found.oldest_waiting)}" if found.oldest_waiting is not None else ""
    rows = [
        ("Redis", "", address),
        ("accepted", str(found.accepted), ""),
        ("waiting", str(found.waiting), oldest),
        ("in flight", str(found.in_flight), ""),
    ]
    for outlet in found.outlets:
        readers = "; ".join(
            f"group {group.name}: {'?' if group.lag is None else group.lag} unread, {group.pending} in hand"
            for group in outlet.groups
        )
        rows.append((outlet.name, str(outlet.count), readers))
    rows += [("repeated", str(found.repeated), "events that were sent again; no second result")]
    if found.requeued:
        rows += [("requeued", str(found.requeued), "put back from quarantine")]
    size = max(len(row[1]) for row in rows)
    yield from columns([(name, number.rjust(size), text) for name, number, text in rows], ("bold", None, "dim"))
    yield ""
    if found.workers:
        yield paint("Worker processes that were seen", "bold")
        yield from columns(
            [(f"  {w.name}", f"{w.pending} in hand", f"read {_span(w.idle or 0)} ago") for w in found.workers]
        )
    else:
        yield "No worker has read from this queue yet; start one with `scrub worker`."
    yield ""
    yield paint(_balance(found), "bold red" if found.balance else "bold green")


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
