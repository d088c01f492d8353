"""`scrub producer`: who may put claims on the queue, each on a stream of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import columns, complain, plain, say
from worker.store.outletspecs import Exit

app = typer.Typer(no_args_is_help=True, help="Registers those who send claims, each with a stream of its own.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the producer, as `ehr`.")]


@app.command("add")
def add(
    name: Name,
    facility: Annotated[
        str, typer.Option(metavar="NAME", help="Whose claims it sends; default: the installation's one facility.")
    ] = "",
    source: Annotated[
        str, typer.Option(metavar="URI", help="CloudEvents source that its events have, or begin with.")
    ] = "",
    trusted_receipt: Annotated[
        bool, typer.Option("--trusted-receipt", help="Its received_date and time are receipt.")
    ] = False,
    exit: Annotated[
        Exit,
        typer.Option(
            help="How its claims leave: stream, the outlets, for the hospital's readers; or file, the files that "
            "`scrub submit --out` makes of each 837 that came in."
        ),
    ] = "stream",
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where its password is, or is to be; prints its line for Redis' users."),
    ] = None,
) -> None:
    """Registers a producer: its stream on every partition, and what is bound to that.

    A registered producer can add to its own stream and ask whether there is room, nothing else. Voids, replacements
    and versions of its claims reach claims of its facility alone, and an event of it is never taken for one of another
    producer's. When its claims were received, Redis' clock says, unless --trusted-receipt.

    A producer has exactly one exit. Of one with `--exit file` nothing is on billing, rework or unchecked.

    With --password-file, the line for Redis' users goes to standard output: append it to the file producers.acl beside
    users.acl, and hand `ACL SETUSER` the same words for the server that runs. Again with more partitions, a new
    password or another source: the same command.

    Exit codes: 0, or 2 where it cannot be or Redis cannot be used. It wants the user `admin`.

    Examples:

    * `scrub producer add ehr --source /hospital/ehr`
    * `scrub producer add clinic --facility north --password-file secrets/redis-producer-clinic >> producers.acl`
    """
    from worker.pipeline import producers
    from worker.store.registry import Producer
    from worker.store.rights import producer_line
    from worker.store.secret import read_password

    for text, option in ((facility, "--facility"), (source, "--source")):
        if len(text) > 1_024 or not text.isprintable():
            raise typer.BadParameter("expected a printable name", param_hint=option)
    with opened() as store:
        new = Producer(name, facility, source, trusted_receipt, exit=exit)
        changed = producers.add(store.redis, store.keys, new)
        if password_file:
            if not password_file.exists():
                _make(password_file)
            say(producer_line(name, store.keys, read_password(password_file)))
    complain(f"{name} is registered{'' if changed else ', as it was before'}; its sender sets SCRUB_PRODUCER={name}")


@app.command("list")
def show() -> None:
    """Shows the registered producers, what is bound to each, and what of it waits.

    Exit codes: 0, or 2 where Redis cannot be used.

    Example: `scrub producer list`
    """
    from worker.monitoring.reconciliation import reconcile
    from worker.store.registry import producers_of

    with opened() as store:
        known = producers_of(store.redis, store.keys)
        counts = {one.name: one for one in reconcile(store.redis, store.keys).incoming}
    rows = [("name", "facility", "source", "receipt", "exit", "accepted", "waiting")]
    for one in known.values():
        if one.removed:
            continue
        count = counts.get(one.name)
        numbers = (str(count.accepted), str(count.waiting)) if count else ("", "")
        receipt = "as it says" if one.trusted else "by our clock"
        rows.append((one.name, plain(one.facility) or "-", plain(one.source) or "any", receipt, one.exit, *numbers))
    say(*(columns(rows) if len(rows) > 1 else ["Nobody is registered: all senders share the inbox."]))


@app.command("remove")
def remove(name: Name) -> None:
    """Takes a producer's stream away, once nothing of it waits. Shut it out of Redis first: ACL DELUSER producer-NAME.

    Its claims stay where they are, and its name is not given to another facility.

    Exit codes: 0, or 2 where it cannot be or Redis cannot be used. It wants the user `admin`.

    Example: `scrub producer remove clinic`
    """
    from worker.pipeline import producers

    with opened() as store:
        gone = producers.remove(store.redis, store.keys, name)
    say(f"{name} is removed." + (f" {gone} of its entries it had deleted itself." if gone else ""))


def _make(file: Path) -> None:
    import os
    import secrets

    from worker.store.private import open_private

    with open(open_private(file, os.O_WRONLY | os.O_EXCL), "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(32) + "\n")
