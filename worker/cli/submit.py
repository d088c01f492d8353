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
from worker.cli.watch import summary

if TYPE_CHECKING:
    from worker.config.settings import Settings
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
        typer.Option("--dry-run", help="Read all, send nothing; no Redis, so duplicates stay unknown."),
    ] = False,
    watch: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the files of this drop folder as they come, instead of FILE."),
    ] = None,
    settle: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="With --watch: how long a file must not have changed.")
    ] = 5.0,
) -> None:
    """Puts claims onto the queue, for workers to check and route.

    What cannot be read as a claim is refused as `file:position: sentence`; the rest is sent. Sending a
    file again, whole or after a break, is safe: the same claim at the same place is the same event. The ones that
    were decided before are not sent again; one that still waits on the queue is, and makes no second result.

    With --watch each file of DIR that has settled is sent and moved to DIR/done, or to DIR/failed where something in
    it was refused, with a report beside it and, of an X12 file, the answer to its sender (TA1, 999, 277CA): what that
    rejects is not sent. A sender that may pause longer than --settle should write under another
    name (.NAME, NAME.tmp or NAME.part) and rename. Several watchers may share a folder, and one that is killed in the
    middle of a file leaves it for the next.

    Exit codes: 0 everything was sent, 2 something was refused, or Redis cannot be used or (with --no-wait) is full.

    Examples:

    * `scrub submit claims.ndjson`
    * `scrub submit --source /hospital/ehr - < claims.ndjson`
    * `scrub submit --dry-run export/*.ndjson.gz`
    * `scrub submit --watch /srv/claims/out`
    """
    from worker.config.settings import load_settings
    from worker.pipeline import producer

    if bool(files) == bool(watch) or (watch and dry_run):
        raise typer.BadParameter("expected FILE..., or --watch DIR alone")
    settings = load_settings()
    name = source or producer.SOURCE
    if watch:
        _watch(watch, settle, name, settings)
        return
    intake = Intake(files or [], settings.max_event_bytes, codes=codes_of(settings))
    if dry_run:
        _rehearse(intake, name, settings)
    else:
        _send(intake, name, settings, wait=0 if no_wait else None)
    raise typer.Exit(2 if intake.refused else 0)


def _watch(folder: Path, settle: float, source: str, settings: Settings) -> None:
    from worker.cli.watch import watch
    from worker.errors import DropFolderUnusable
    from worker.intake.dropfolder import DropFolder

    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        # Files that cannot be moved away would be sent again and again.
        raise typer.BadParameter("expected a folder that exists and that you may write", param_hint="'--watch'")
    drop = DropFolder(folder, settle)
    if reason := drop.closed():
        raise DropFolderUnusable(folder=folder, reason=reason)
    with opened(settings) as store:
        watch(store, drop, source)


def _rehearse(intake: Intake, source: str, settings: Settings) -> None:
    from worker.pipeline.deduplication import Deduplicator

    dedup = Deduplicator(source, settings.max_event_bytes, intake.turn_away)
    with progress(intake) as shown:
        for _ in dedup.rehearse(shown(intake.documents())):
            pass
    say(f"{dedup.read} read, nothing sent (dry run)" + summary(0, dedup, intake).removeprefix("0 sent") + ".")


def _send(intake: Intake, source: str, settings: Settings, *, wait: float | None) -> None:
    from worker.pipeline import producer
    from worker.pipeline.deduplication import Deduplicator
    from worker.process import celeryapp

    dedup = Deduplicator(source, settings.max_event_bytes, intake.turn_away)
    sent = 0

    def count(number: int) -> None:
        nonlocal sent
        sent = number

    with opened(settings) as store:
        try:
            with progress(intake) as shown:
                producer.send(
                    store.redis, store.keys, dedup.events(shown(intake.documents()), store.redis, store.keys),
                    source=source, settings=settings, on_progress=count, wait=wait, on_wait=_Waiting(),
                )  # fmt: skip
        finally:
            if sent:
                celeryapp.notifier(store).notify()
            if sys.exc_info()[0]:
                complain(f"{sent} sent before it broke off; to send the files again is safe")
    say(f"{summary(sent, dedup, intake)}." + (" `scrub status` shows what becomes of them." if sent else ""))


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
