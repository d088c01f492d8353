"""`scrub tail`: what is in an outlet, without taking it from anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.choices import outlets as completed
from worker.cli.common.stores import opened
from worker.cli.common.terminal import Format, flush, hung, paint, plain, say, say_json
from worker.store.outletspecs import OUTLETS, listed

if TYPE_CHECKING:
    from rules.claim import Claim
    from worker.pipeline.outlets import OutletEntry


_DIGEST = re.compile(r"(?<=-)[0-9a-f]{40}\Z")


def tail(
    outlet: Annotated[str, typer.Argument(metavar="OUTLET", autocompletion=completed, help=f"{listed(OUTLETS)}.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", metavar="N", min=0, help="Only the last N entries that are there.")
    ] = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one CloudEvent a line.")] = "text",
) -> None:
    """Prints what is in an outlet, oldest first. Consumers of the outlet do not notice.

    Exit codes: 0, or 2 where the outlet is unknown or Redis cannot be used.

    Examples:

    * `scrub tail rework`
    * `scrub tail -n 5 rework`
    * `scrub tail -f --format json billing | jq .data.claim`
    """
    from worker.pipeline import outlets

    with opened() as store:
        empty = True
        start = "-" if lines is None else outlets.before_last(store.redis, store.keys, outlet, lines)
        for entry in outlets.tail(store.redis, store.keys, outlet, follow=follow, start=start):
            empty = False
            _show(entry, format)
            if follow:
                flush()
        if empty and format == "text" and lines != 0:
            say(f"Nothing is in {outlet}.")
        flush()


def _show(entry: OutletEntry, format: Format) -> None:
    if format == "json":
        say_json(entry.event)
    else:
        say(*(quarantined(entry) if "reason" in entry.data else _scrubbed(entry)), "")


def _scrubbed(entry: OutletEntry) -> Iterator[str]:
    from worker.cli.common.verdicts import verdict

    claim = entry.data["claim"]
    expected = entry.data.get("expected", ())  # not in entries of earlier releases
    report = report_of(entry.data["report"])
    yield from verdict(report, payer_of(claim), entry.event["time"], claim=claim_of(claim), expected=expected)


def claim_of(data: object) -> Claim | None:
    """The claim as this release reads it; None: another release wrote what it refuses."""
    from rules.claim import read_claim
    from rules.errors import ScrubError

    try:
        return read_claim(data)
    except ScrubError:
        return None


def payer_of(claim: dict[str, Any]) -> str:
    """The payer's name as the claim has it, else its id."""
    return str(claim["payer"].get("name") or f"payer {claim['payer']['id']}")


def report_of(data: object) -> Any:
    """The Report in decoded JSON."""
    from pydantic import TypeAdapter

    from rules.report import Report

    found: TypeAdapter[Report] = _ADAPTERS.setdefault("report", TypeAdapter(Report))
    return found.validate_python(data)


_ADAPTERS: dict[str, Any] = {}


def named(entry: OutletEntry) -> str:
    """A quarantine entry by its event, else by its inbox entry.

    The ids that `scrub submit` makes end in a digest of the whole claim, which would let its reader guess at the rest.
    """
    if "eventid" not in entry.event:
        return f"inbox entry {entry.data['inbox_entry']}"
    return f"event {_DIGEST.sub('...', str(entry.event['eventid']))}"


def quarantined(entry: OutletEntry) -> Iterator[str]:
    """Reason and problems of a quarantine entry."""
    data = entry.data
    when = paint(f"({entry.event['time']})", "dim")
    yield f"{paint(named(entry), 'bold')}  {paint('quarantine', 'magenta')}  {data['reason']}  {when}"
    yield "  " + hung(data["sentence"] + (":" if data["problems"] else "."), 2)
    for problem in data["problems"]:
        path = f"{problem['path']}: " if problem["path"] else ""
        yield "    " + hung(plain(path + problem["sentence"]), 4)
