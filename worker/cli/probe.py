"""`scrub probe`: what an orchestrator asks of a worker. It needs neither Redis nor settings."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from worker.cli.common.terminal import say
from worker.process.heartbeat import STALE, beats, folders, hung, unready


def probe(
    what: Annotated[
        Literal["live", "ready"],
        typer.Argument(help="live: its main loop turns. ready: and Redis answers it, and its audit log has room."),
    ],
    pid: Annotated[
        int | None, typer.Option(min=1, help="Of the worker's main process; default: every worker of this user here.")
    ] = None,
    stale: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="Without a turn of the main loop for so long it is hung.")
    ] = STALE,
) -> None:
    """Asks the worker of this machine or container how it is, by the heartbeat that its main loop writes.

    live is a reason to restart it: a loop that hangs stays so. ready is not: Redis or the disk is. A backlog is
    neither: see `scrub status --healthcheck`.

    Exit codes: 0 yes, 1 no.

    Examples:

    * `scrub probe live`
    * `scrub probe ready --pid 4711`
    """
    found = [beat for beat in beats() if pid in (None, beat.pid)]
    named = "no worker of this user" if pid is None else f"no worker {pid} of this user"
    ill = [] if found else [f"{named} runs here (looked in {', '.join(map(str, folders()))})"]
    ill += [sentence for beat in found if (sentence := hung(beat, stale))]
    if what == "ready":
        ill += [sentence for beat in found if (sentence := unready(beat))]
    say("; ".join(ill) or f"{what}: {', '.join(f'worker {beat.pid}' for beat in found)}")
    raise typer.Exit(1 if ill else 0)
