"""`scrub audit verify`: whether an audit file is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.stores import opened
from worker.cli.terminal import Style, complain, paint, plain, say

if TYPE_CHECKING:
    from worker.commit import Head
    from worker.settings import Settings

app = typer.Typer(help="The audit log.", no_args_is_help=True)
_STYLES: dict[str, Style] = {"sound": "green", "torn": "yellow", "tampered": "bold red"}


@app.callback()
def _group() -> None:
    """The audit log: one JSON object a line, chained, in the audit folder of the state folder."""


@app.command("verify")
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Audit files, as the workers wrote them.")],
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask Redis where the files ended; a cut tail then stays unseen.")
    ] = False,
) -> None:
    """Checks that no line of an audit file was changed, removed, added or reordered, and that its end is there.

    sound: as it was written. torn: sound, but for a last line that a crash cut off before it counted. tampered:
    somebody changed it; the sentence says from which line on. Needs the secret that the workers used.

    Exit codes: 0 all are sound, 1 one is torn or tampered, 2 one cannot be read.

    Example: `scrub audit verify ~/.local/state/claim-scrubber/audit/*.jsonl`
    """
    from rules.errors import ScrubError
    from worker import audit
    from worker.errors import SecretUnusable
    from worker.secret import load_secret
    from worker.settings import load_settings

    settings = load_settings()
    there = [file for file in files if _readable(file)]
    if not there:
        raise typer.Exit(2)
    if not settings.secret_path.exists():
        raise SecretUnusable(file=settings.secret_path, reason="it is not there")
    secret = load_secret(settings.secret_path)
    code = 0 if len(there) == len(files) else 2
    for file in there:
        try:
            found = audit.verify(file, secret)
            if not offline and found.chain and (head := _head(settings, found.chain)):
                found = audit.verify(file, secret, head)
        except (OSError, ScrubError) as error:
            complain(plain(str(error)))
            code = 2
            continue
        say(f"{plain(str(file))}: {paint(found.state, _STYLES[found.state])}: {plain(found.sentence)}")
        code = max(code, 0 if found.state == "sound" else 1)
    raise typer.Exit(code)


def _readable(file: Path) -> bool:
    try:
        with file.open("rb"):
            return True
    except OSError as error:
        complain(f"{plain(str(file))}: {error.strerror or error}")
        return False


def _head(settings: Settings, chain: str) -> Head | None:
    from rules.errors import ScrubError
    from worker import wiring

    try:
        with opened(settings) as store:
            return wiring.chain_head(store, chain)
    except ScrubError as error:
        complain(f"Without Redis the end of the file is not checked: {error}")
        return None
