"""`scrub webhook`: what `scrub serve` could not tell."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from worker.cli.common.terminal import columns, flush, plain, say, say_json

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Decisions that `scrub serve` tells the address of SCRUB_WEBHOOK: signed (Standard Webhooks), at least once, in
    the order of the decisions, without the claim unless SCRUB_WEBHOOK_CLAIMS is on.
    """


@app.command("dead")
def dead(
    format: Annotated[Literal["table", "json"], typer.Option(help="json: one decision a line.")] = "table",
) -> None:
    """Lists the decisions that were put aside, since the address refused them ten times. `scrub claim` shows each.

    Exit codes: 0 none, 1 some.

    Examples:

    * `scrub webhook dead`
    """
    from worker.config.settings import load_settings
    from worker.serve.webhook import read_dead

    found = read_dead(load_settings())
    if format == "json":
        say_json(*found)
    elif not found:
        say("None.")
    else:
        rows = [tuple(plain(one[name]) for name in ("moment", "claim_id", "decision_id", "reason")) for one in found]
        say(*columns([("decided", "claim", "decision", "why"), *rows]))
    flush()
    raise typer.Exit(1 if found else 0)
