"""A testbed: an embedded server in a folder of its own, and the processes that are measured."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from worker.config.settings import Settings, load_settings
from worker.store import opening
from worker.store.connections import Store

Fsync = Literal["always", "everysec"]


class NotMoving(Exception):
    """What is measured does not get on: the last it wrote is added."""


@dataclass(slots=True)
class Testbed:
    """An empty server, and whatever was started on it; all gone when the block ends."""

    settings: Settings
    store: Store
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        """Starts a process on this server, in a group of its own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(command),
                env={**clean, "SCRUB_STATE_DIR": str(self.settings.state_dir), **environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.settings.state_dir / "bench.log"

    def end(self) -> None:
        """Kills what was started: nothing of it is needed any more."""
        while self.started:
            process = self.started.pop()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                while True:  # its children too: who still dies still holds the server
                    os.killpg(process.pid, 0)
                    time.sleep(0.01)
            process.wait()

    def await_moving(self, done: Callable[[], int], *, seconds: float = 60) -> None:
        """Waits until something is done.

        Raises:
            NotMoving: nothing is.
        """
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise NotMoving(self.log.read_text("utf-8", "replace")[-2000:])
            time.sleep(0.05)

    def rate(self, done: Callable[[], int], total: int, *, since: float = 0.1, seconds: float = 300) -> float:
        """Units a second from the part `since` of `total` to its last twentieth: neither start nor end counts.

        Raises:
            NotMoving: nothing is done for ten seconds, or it takes longer than `seconds`.
        """
        first, last = int(total * since), total * 19 // 20
        deadline, moved, before = time.monotonic() + seconds, time.monotonic(), -1
        begun: tuple[float, int] | None = None
        while True:
            count, now = done(), time.monotonic()
            if count != before:
                moved, before = now, count
            if count >= first and begun is None:
                begun = (now, count)
            if begun and count >= last:
                return (count - begun[1]) / (now - begun[0])
            if now > deadline or now - moved > 20:
                raise NotMoving(self.log.read_text("utf-8", "replace")[-2000:])
            time.sleep(0.005)


@contextlib.contextmanager
def fresh_testbed(fsync: Fsync = "always") -> Iterator[Testbed]:
    """An empty testbed; its folder is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="scrub-bench-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108
    try:
        settings = load_settings(
            state_dir=folder, redis_url=None, broker_url=None, secret_file=None, audit_dir=None, book=None
        )
        with opening.open_store(settings) as store:
            store.redis.config_set("appendfsync", fsync)
            found = Testbed(settings, store)
            try:
                yield found
            finally:
                found.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def python(*arguments: str) -> list[str]:
    """This Python with these arguments, and the current folder kept off its path."""
    return [sys.executable, "-P", *arguments]
