"""Scenarios of what a worker writes: its outputs are gone, its audit files are taken away. None may hold or hide claims."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import orjson

from .reckoning import Reckoning, reckon
from .scenarios import recovered, scenario
from .stage import Stage

_GRACE = 45
"""Seconds within which a worker that is asked to stop must end, as containers are given."""


class Reader:
    """Reads the workers' standard output from a named pipe, stops reading, goes away and comes back."""

    def __init__(self, pipe: Path) -> None:
        os.mkfifo(pipe)
        self._pipe = pipe
        self._goes_on = threading.Event()
        self._end: int | None = None
        self.got = b""
        """What the present reader has read; lines of one that went away may be cut in two."""
        self.come()

    def come(self) -> None:
        """A reader that reads on; after one that went away it is another."""
        if self._end is None:
            self._end, self.got = os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK), b""
        self._goes_on.set()
        threading.Thread(target=self._read, args=(self._end,), daemon=True).start()

    def stall(self) -> None:
        self._goes_on.clear()

    def go(self) -> None:
        self._goes_on.clear()
        time.sleep(0.1)
        if self._end is not None:
            os.close(self._end)
            self._end = None

    def _read(self, end: int) -> None:
        while self._goes_on.is_set():
            with contextlib.suppress(BlockingIOError):
                self.got += os.read(end, 65_536)
            time.sleep(0.005)


@scenario("output", 12)
def output(stage: Stage) -> Reckoning:
    """Standard output, with the copy of the audit lines, loses its reader or is not read for a while; in the end it
    has none, and SIGTERM still ends the workers.
    """
    stage.environment["SCRUB_AUDIT_STDOUT"] = "true"
    reader = Reader(stage.home / "out")
    stage.stdout = stage.home / "out"
    stage.server.start()
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)
    for number in stage.each():
        reader.stall() if number % 2 else reader.go()
        stage.feed()
        recovered(stage)
        time.sleep(stage.random.uniform(0.2, 1))
        reader.come()
    reader.go()
    stage.settle()
    found = reckon(stage)
    lost = sum(worker.text().count('"output.lost"') for worker in stage.workers)
    stage.notes.append(f"workers said {lost} times that they had no output")
    if not lost:
        found.say("no worker said that its output was gone")
    _told_apart(stage, found)
    for worker in list(stage.workers):
        if worker.stop(_GRACE):
            found.say(f"a worker without output ended with {worker.process.returncode}")
        stage.workers.remove(worker)
    return found


def _told_apart(stage: Stage, found: Reckoning) -> None:
    """Claims are decided once: a line that is written again and again shows as more lines than decisions."""
    lines = [orjson.loads(raw) for file in stage.audit.glob("*.jsonl") for raw in file.read_bytes().splitlines()]
    decided = [line["claim.decision_id"] for line in lines if line["event.action"] == "claim.scrubbed"]
    taken_back = sum(line["event.action"] == "claim.superseded" for line in lines)
    if len(decided) - taken_back > len(set(decided)):
        found.say(f"{len(decided)} lines of {len(set(decided))} decisions, {taken_back} taken back")


@scenario("auditfile", 12)
def auditfile(stage: Stage) -> Reckoning:
    """An audit file, or the whole folder, is removed, moved or truncated under the workers, who are stopped for that
    moment. What was in it is put back in the end: no result may be without a line.
    """
    stage.parts_a_fault = 2
    stage.server.start()
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)
    aside = stage.home / "aside"
    aside.mkdir()
    for number in stage.each():
        stage.until(lambda: any(stage.audit.glob("*.jsonl")))
        _signal(stage, signal.SIGSTOP)
        files = sorted(stage.audit.glob("*.jsonl"), key=lambda file: file.stat().st_mtime)
        for file in files if number % 4 == 3 else files[-1:]:
            _keep(file, aside)
            _harm(file, number % 4)
        if number % 4 == 3:
            shutil.rmtree(stage.audit)
        _signal(stage, signal.SIGCONT)
        stage.feed()
        recovered(stage)
    stage.settle()
    lost = sum(worker.text().count("while it was being written") for worker in stage.workers)
    for file in aside.iterdir():
        shutil.copy(file, stage.audit / file.name)
    found = reckon(stage)
    stage.notes.append(f"workers noticed {lost} times that a file was lost")
    if not lost:
        found.say("no worker noticed that its file was lost")
    return found


def _keep(file: Path, aside: Path) -> None:
    """What is in the file at this moment; one that was kept before and truncated since is kept as it was."""
    if file.stat().st_size:
        shutil.copy(file, aside / file.name)


def _harm(file: Path, way: int) -> None:
    if way == 0:
        file.unlink()
    elif way == 1:
        os.truncate(file, 0)
    elif way == 2:
        file.rename(file.with_name(f"{file.name}.1"))


def _signal(stage: Stage, number: signal.Signals) -> None:
    for worker in stage.workers:
        os.killpg(worker.process.pid, number)
