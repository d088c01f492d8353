"""The demonstration while it is up: its claims on their way, and the desk on which what is held can be worked on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from worker.cli.common.terminal import complain, flush, paint, say
from worker.process.signals import Stopped, held, pending

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.demo.stage import Stage

PROCESSES = 2
SECONDS = 60.0
"""After this it has failed."""
_HOST = "127.0.0.1"


@contextmanager
def played(settings: Settings, events: list[bytes]) -> Iterator[Stage | None]:
    """The stage, with all events decided and consumed; None: a signal came first. It is down when the block ends.

    Raises:
        DemoFailed
    """
    from worker.demo.events import SOURCE
    from worker.demo.stage import stage
    from worker.pipeline.producer import send
    from worker.process import celeryapp
    from worker.process.command import command

    with stage(settings, command(PROCESSES), pending) as parts:
        store = parts.store
        send(store.redis, store.keys, events, source=SOURCE, settings=settings)
        celeryapp.notifier(store).notify()
        yield parts if _wait(parts, len(events)) else None


def _wait(parts: Stage, total: int) -> bool:
    """Shows progress until everything is decided and consumed; False: a signal came."""
    import sys

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from worker.cli.common.terminal import console, on_terminal
    from worker.monitoring.reconciliation import reconcile

    shape = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    out = console(stderr=True)
    with Progress(*shape, console=out, transient=True, disable=not on_terminal(sys.stderr)) as progress:
        task = progress.add_task("the worker starts", total=total)

        def done() -> bool:
            found = reconcile(parts.store.redis, parts.store.keys)
            decided = sum(outlet.count for outlet in found.outlets)
            went = decided + found.repeated
            progress.update(task, completed=went, description="checking" if went else "the worker starts")
            return (
                found.accepted - found.forwarded == total
                and found.settled
                and decided == sum(map(len, parts.consumed.values()))
            )

        return parts.wait(done, seconds=SECONDS)


def show_desk(folder: Path, *, keep: bool, port: int | None) -> None:
    """Plays the demonstration, and serves the desk over what it left, until Ctrl-C.

    Raises:
        ExtraMissing, PortUnusable: before anything is started.
        DemoFolderTaken, DemoRuns, DemoFailed
        Stopped: before the desk was open.
    """
    from worker.config.settings import load_settings
    from worker.demo.events import all_events
    from worker.demo.stage import fresh
    from worker.process.listening import listen

    _look_for_extra()
    port = load_settings().serve_port if port is None else port
    listen(_HOST, port).close()
    events, was_open = all_events(), False
    say(f"{len(events)} demonstration claims go through a server and a worker in {short(folder)} ...")
    flush()
    try:
        with held(), fresh(folder, keep=keep) as settings:
            if not pending():
                with played(settings, events) as parts:
                    was_open = parts is not None and _serve(parts, port)
    except Stopped:
        complain("Stopped: desk, worker and server are down.")
        if not was_open:
            raise


def _look_for_extra() -> None:
    from importlib.util import find_spec

    from worker.errors import ExtraMissing

    if not all(map(find_spec, ("fastapi", "uvicorn", "jinja2", "sqlalchemy"))):
        raise ExtraMissing(what="`scrub demo --desk`", extra="serve")


def _serve(parts: Stage, port: int) -> bool:
    """Until a signal comes, which it answers; it fails where desk, worker or a consumer ends before."""
    import sys

    from worker.demo.stage import called_as, served

    start = f"SCRUB_STATE_DIR={short(parts.settings.state_dir)} {called_as()}"
    decided = parts.consumed["rework"]
    say(
        f"{sum(map(len, parts.consumed.values()))} are decided: {len(decided)} are held, for you to work on.",
        f"From another terminal: {start} rework list",
        "Ctrl-C here ends all of it.",
        "",
        paint("Open the address in a browser of this machine, and sign in with the code:", "bold green"),
    )
    flush()
    parts.idle()
    command = [sys.executable, "-P", "-m", "worker", "serve", "--host", _HOST, "--port", str(port)]
    with served(parts.settings, command) as desk:
        if parts.wait(lambda: desk.poll() is not None, seconds=inf):
            parts.fail(f"the desk ended with code {desk.returncode}")
    return True


def short(path: Path) -> str:
    """Relative to the current folder where it lies in it."""
    here = Path(os.getcwd())
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
