"""`scrub submit`: claims in files onto the queue."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from worker.cli.sources import Files, Intake
from worker.cli.stores import opened
from worker.cli.terminal import complain, on_terminal, say


def submit(
    files: Files,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="CloudEvents source of plain claims, such as /hospital/ehr."),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Break off where Redis is too full; else wait for room, and say so.")
    ] = False,
) -> None:
    """Puts claims onto the queue, for workers to check and route.

    What cannot be read as a claim is refused at the door as `file:position: sentence`; the rest is sent. Sending a
    file again is safe: a claim that was decided before makes no second result.

    Exit codes: 0 everything was sent, 2 something was refused, or Redis cannot be used or (with --no-wait) is full.

    Examples:

    * `scrub submit claims.ndjson`
    * `scrub submit --source /hospital/ehr - < claims.ndjson`
    """
    from worker import inbox, wiring
    from worker.settings import load_settings

    settings = load_settings()
    intake = Intake(files, settings.max_event_bytes)
    sent = 0
    with opened(settings) as store:
        try:
            with progress() as advance:

                def count(number: int) -> None:
                    nonlocal sent
                    sent = number
                    advance(number)

                receipt = inbox.send(
                    store.redis, store.keys, intake.documents(), source=source or inbox.SOURCE, settings=settings,
                    on_progress=count, wait=0 if no_wait else None, on_wait=_Waiting(),
                )  # fmt: skip
                sent = len(receipt)
        finally:
            if sent:
                wiring.bell(store).ring()
            if sys.exc_info()[0]:
                complain(f"{sent} sent before it broke off; to send the files again is safe")
    refused = f"; {intake.refused} refused" if intake.refused else ""
    say(f"{sent} sent{refused}" + (". `scrub status` shows what becomes of them." if sent else "."))
    raise typer.Exit(2 if intake.refused else 0)


class _Waiting:
    """Says on standard error that it waits, at once and then every half a minute."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, sentence: str) -> None:
        if time.monotonic() >= self._next:
            complain(f"{sentence}; Ctrl-C breaks off, to send the files again is safe")
            self._next = time.monotonic() + 30


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """A count with its speed on standard error, where that is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda _: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from worker.cli.terminal import console

    parts = (SpinnerColumn(), TextColumn("{task.completed:.0f} claims sent"), TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda number: bar.update(task, completed=number)
