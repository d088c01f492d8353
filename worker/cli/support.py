"""`scrub support`: what who helps from outside may see."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import typer

from worker.cli.common.terminal import complain, plain, say

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What who helps from outside may see of this installation."""


@app.command("bundle")
def bundle(
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A worker's log, of which the last lines go in; - is standard input."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: support-TIME.tar.gz, here.")
    ] = None,
) -> None:
    """Writes one archive without patient data: settings with passwords hidden, what doctor and status say, versions,
    digests of books, and of a log the lines of the operational log.

    No audit line, nothing of a stream, an outlet or the case store goes in, no claim number, no words of a person.
    Names of hosts, folders and producers do. Look at it before you send it: `tar -xzOf FILE | less`.

    Exit codes: 0 written, 1 written without what Redis knows, 2 it cannot be written.

    Examples:

    * `scrub support bundle`
    * `journalctl -u 'claim-scrubber-*' -o cat -n 5000 | scrub support bundle --log -`
    """
    from rules.errors import ScrubError
    from worker.cli.common.stores import opened
    from worker.config.settings import load_settings
    from worker.doctor.bundle import contents, write

    settings, now = load_settings(), datetime.now(UTC)
    file = output or Path(f"support-{now:%Y%m%dT%H%M%SZ}.tar.gz")
    with _opened(log) as lines:
        text = list(lines) if lines else []
    code = 0
    try:
        with opened(settings, check=False) as store:
            parts = contents(settings, store, text, now.date())
    except ScrubError as error:
        complain(f"Without what Redis knows: {error}")
        parts, code = contents(settings, None, text, now.date()), 1
    write(file.absolute(), parts)
    say(f"{plain(str(file))}: {', '.join(sorted(parts))}. No claim is in it; look before you send it.")
    raise typer.Exit(code)


def _opened(log: Path | None) -> IO[bytes] | nullcontext[IO[bytes] | None]:
    if log is None:
        return nullcontext(None)
    return nullcontext(sys.stdin.buffer) if str(log) == "-" else log.open("rb")
