"""`scrub partitions`: over how many sets of keys the claims are spread."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import on_terminal, say


def partitions(
    count: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", min=1, max=256, help="How many there are to be.")
    ] = None,
) -> None:
    """Says how many partitions this Redis holds, or makes them more.

    To change the number: let the workers finish (`scrub status`: nothing waits, nothing is in flight), stop all of
    them, run this, set SCRUB_PARTITIONS for every worker and producer, start the workers again. Ledgers and event
    memory move to the new homes of their patients; outlets stay as they are. Producers may go on all the while: what
    they put on the queue waits. If it breaks off, run it again; until then no worker starts.

    Exit codes: 0, or 2 where the number cannot change or Redis cannot be used.

    Examples:

    * `scrub partitions`
    * `scrub partitions 4`
    """
    from worker.config.settings import load_settings
    from worker.pipeline.repartition import repartition
    from worker.store import reachability
    from worker.store.agreement import standing
    from worker.store.fitness import check_server

    settings = load_settings()
    with opened(settings, check=False) as store:
        check_server(store.redis, reachability.claims(settings))
        if count is None:
            now, wanted, *_ = standing(store.redis)
            say(f"{now}" if now == wanted else f"{now}; a change to {wanted} broke off: `scrub partitions {wanted}`")
            return
        moved = repartition(store.redis, count, _progress if on_terminal(sys.stderr) else lambda _: None)
    say(
        f"{count} partition{'s' * (count > 1)}; {moved['ledger']} ledgers and {moved['event']} events moved.",
        f"Set SCRUB_PARTITIONS={count} for every worker and producer before you start them.",
    )


def _progress(seen: int) -> None:
    from worker.cli.common.terminal import console

    console(stderr=True).print(f"{seen:,} keys looked at", end="\r")
