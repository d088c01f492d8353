"""`scrub submit`: claims in files onto the queue."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import codes_of
from worker.cli.common.sources import FORMATS, Intake
from worker.cli.common.stores import opened
from worker.cli.common.terminal import complain, on_terminal, say
from worker.cli.filing import file_out, one_exit, out_folder
from worker.cli.watch import summary

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.filing.cutoff import Cutoff
    from worker.intake.document import Document

_REFRESH = 0.1
"""Seconds between two changes of the progress bar."""


def _source(text: str | None) -> str | None:
    if text is None or (text.strip() and text.isprintable() and len(text) <= 1_024):
        return text
    raise typer.BadParameter("expected a name, such as /hospital/ehr")


def submit(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help=f"{FORMATS}; `-` is standard input.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="CloudEvents source of plain claims, as /hospital/ehr.", callback=_source),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Break off where Redis is too full; else wait for room, and say so.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read all, send nothing; no Redis."),
    ] = False,
    watch: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the files of this drop folder as they come, instead of FILE."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --watch: write the files of each 837 here, as its claims are decided."),
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="With --out: write a file at the latest at 17:00, or 4h after it came."),
    ] = None,
    settle: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="With --watch: how long a file must not have changed.")
    ] = 5.0,
) -> None:
    """Puts claims onto the queue, for workers to check and route.

    What cannot be read as a claim is refused as `file:position: sentence`; the rest is sent. Sending a
    file again, whole or after a break, is safe: the same claim at the same place is the same event, which makes no
    second result (`scrub status` counts it as repeated).

    With --watch each file of DIR that has settled is sent and moved to DIR/done, or to DIR/failed where something in
    it was refused, with a report beside it and, of an X12 file, the answer to its sender (TA1, 999, 277CA): what that
    rejects is not sent. A sender that may pause longer than --settle should write under another
    name (.NAME, NAME.tmp or NAME.part) and rename. Several watchers may share a folder, and one that is killed in the
    middle of a file leaves it for the next.

    With --out, of a producer that is registered with `--exit file`, nothing is on billing, rework or unchecked: each
    837 becomes NAME.clean.837 (to be sent), NAME.held.837, NAME.unchecked.837, NAME.undecided.837, the answer to its
    sender, the reports, and last NAME.manifest.json, once all claims are decided or at --cutoff. Every claim is in one
    of them, or in the manifest as refused or repeated; NAME.unchecked.send.837 and NAME.undecided.send.837 are what
    SCRUB_SEND_UNCHECKED and SCRUB_SEND_UNDECIDED send. Whatever breaks off is taken up again by the next run.

    Exit codes: 0 everything was sent, 2 something was refused, or Redis cannot be used or (with --no-wait) is full.

    Examples:

    * `scrub submit claims.ndjson`
    * `scrub submit --source /hospital/ehr - < claims.ndjson`
    * `scrub submit --dry-run export/*.ndjson.gz`
    * `scrub submit --watch /srv/claims/out`
    * `SCRUB_PRODUCER=ehr scrub submit --watch /srv/claims/out --out /srv/claims/checked --cutoff 17:00`
    """
    from worker.config.settings import load_settings
    from worker.pipeline import producer

    if bool(files) == bool(watch) or (watch and dry_run):
        raise typer.BadParameter("expected FILE..., or --watch DIR alone")
    if (out and not watch) or (cutoff and not out):
        raise typer.BadParameter("expected --watch DIR --out DIR" if out else "expected --out DIR as well")
    settings = load_settings()
    name = source or producer.SOURCE
    if watch:
        _watch(watch, settle, name, settings, out, _cutoff(cutoff))
        return
    intake = Intake(files or [], settings.max_event_bytes, codes=codes_of(settings))
    if dry_run:
        _rehearse(intake, name, settings)
    else:
        _send(intake, name, settings, wait=0 if no_wait else None)
    raise typer.Exit(2 if intake.refused else 0)


def _cutoff(text: str | None) -> Cutoff | None:
    from worker.filing.cutoff import Cutoff

    try:
        return Cutoff.read(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--cutoff'") from None


def _watch(
    folder: Path, settle: float, source: str, settings: Settings, out: Path | None, cutoff: Cutoff | None
) -> None:
    from worker.cli.watch import watch
    from worker.errors import DropFolderUnusable
    from worker.intake.dropfolder import DropFolder

    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        # Files that cannot be moved away would be sent again and again.
        raise typer.BadParameter("expected a folder that exists and that you may write", param_hint="'--watch'")
    drop = DropFolder(folder, settle)
    if reason := drop.closed():
        raise DropFolderUnusable(folder=folder, reason=reason)
    if out:
        out_folder(out, folder)
    with opened(settings) as store:
        if out:
            file_out(store, drop, out, cutoff, source)
        else:
            one_exit(store, by_file=False)
            watch(store, drop, source)


def _rehearse(intake: Intake, source: str, settings: Settings) -> None:
    from worker.pipeline.eventmaker import EventMaker

    maker = EventMaker(source, settings.max_event_bytes, intake.turn_away)
    with progress(intake) as shown:
        for _ in maker.events(shown(intake.documents())):
            pass
    say(f"{maker.read} read, nothing sent (dry run)" + summary(0, intake).removeprefix("0 sent") + ".")


def _send(intake: Intake, source: str, settings: Settings, *, wait: float | None) -> None:
    from worker.pipeline import producer
    from worker.pipeline.eventmaker import EventMaker
    from worker.process import celeryapp

    maker = EventMaker(source, settings.max_event_bytes, intake.turn_away)
    sent = 0

    def count(number: int) -> None:
        nonlocal sent
        sent = number

    with opened(settings) as store:
        one_exit(store, by_file=False)
        try:
            with progress(intake) as shown:
                producer.send(
                    store.redis, store.keys, maker.events(shown(intake.documents())),
                    source=source, settings=settings, on_progress=count, wait=wait, on_wait=_Waiting(),
                )  # fmt: skip
        finally:
            if sent:
                celeryapp.notifier(store).notify()
            if sys.exc_info()[0]:
                complain(f"{sent} sent before it broke off; to send the files again is safe")
    say(f"{summary(sent, intake)}." + (" `scrub status` shows what becomes of them." if sent else ""))


Shown = Callable[[Iterator["Document"]], Iterator["Document"]]


class _Waiting:
    """Says on standard error that it waits, at once and then every half a minute."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, sentence: str) -> None:
        if time.monotonic() >= self._next:
            complain(f"{sentence}; Ctrl-C breaks off, to send the files again is safe")
            self._next = time.monotonic() + 30


@contextmanager
def progress(intake: Intake) -> Iterator[Shown]:
    """A bar over the bytes of the files, with claims and claims/s, on standard error where that is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda documents: documents
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from worker.cli.common.terminal import console

    numbers = TextColumn("{task.fields[claims]:,} claims, {task.fields[speed]:,.0f}/s")
    parts = (BarColumn(), TaskProgressColumn(), numbers, TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=intake.size, claims=0, speed=0.0)

        def shown(documents: Iterator[Document]) -> Iterator[Document]:
            started = last = time.monotonic()
            for number, document in enumerate(documents, 1):
                yield document
                now = time.monotonic()
                if now - last > _REFRESH:
                    last = now
                    bar.update(task, completed=intake.done, claims=number, speed=number / (now - started))

        yield shown
