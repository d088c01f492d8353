"""Commands that judge many claims: on how many cores, and a bar for who waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.terminal import console, on_terminal

if TYPE_CHECKING:
    from rich.progress import Progress

    from worker.cli.common.sources import Intake
    from worker.intake.document import Document

Cores = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes; default: one a core. What is written is the same."),
]


def used(cores: int | None) -> int:
    """How many are used where so many were asked for."""
    from worker.cores import available

    return min(cores or available(), available())


@contextmanager
def side_by_side(intake: Intake, work: Callable[[Document], Any], cores: int | None) -> Iterator[None]:
    """The files of the intake are read on several cores meanwhile; what `work` makes of a document stands for it.

    A bar is shown of more than one piece, on standard error where that is a terminal and the output is none.
    """
    from worker.intake.sidebyside import Job, SideBySide

    bar = Bar(intake.size) if on_terminal(sys.stderr) and not on_terminal(sys.stdout) else None
    told = bar.advance if bar else lambda _: None
    intake.side = SideBySide(Job(work, intake.limit, intake.codes), used(cores), told)
    try:
        yield
    finally:
        if bar:
            bar.close()


class Bar:
    """Shows how much of the input is done; nothing of an input of one piece."""

    def __init__(self, total: int | None) -> None:
        """`total`: bytes; None: that is not known."""
        self._total, self._done, self._began = total, 0, time.monotonic()
        self._progress: Progress | None = None

    def advance(self, size: int) -> None:
        """So many bytes more are done."""
        if self._done and self._progress is None:
            self._progress = self._shown()
        self._done += size
        if self._progress:
            # Packed files hold more than their size.
            self._progress.update(self._progress.task_ids[0], completed=min(self._done, self._total or self._done))
            self._progress.refresh()

    def close(self) -> None:
        """Takes the bar away."""
        if self._progress:
            self._progress.stop()

    def _shown(self) -> Progress:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

        # Without a thread of its own: processes are made by forks.
        progress = Progress(
            TextColumn("checking"), BarColumn(), DownloadColumn(), TimeElapsedColumn(), console=console(stderr=True),
            transient=True, auto_refresh=False,
        )  # fmt: skip
        progress.add_task("", total=self._total)
        progress.start()
        return progress
