"""The moving parts of the demonstration: server, worker, consumers and desk in a folder of their own, all gone at the
end.

Signals are held back while anything of it is up (`worker.process.signals.held`) and looked at between steps, so that
whatever was started is always known, and ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker.config.settings import Settings, load_settings
from worker.pipeline.outlets import OutletEntry, Reader
from worker.store import opening
from worker.store.connections import Store
from worker.store.embedded import Lease, server_runs
from worker.store.outletspecs import OUTLETS
from worker.store.private import make_folder, open_private, write_private

MARK = ".claim-scrubber-demo"
GRACE = 12.0
"""Seconds in which the worker may finish what is in hand; its own soft shutdown takes up to 10."""
_PID = "worker.pid"
_BUSY, _IDLE = 0.02, 0.5
"""Seconds between two looks of a consumer: while claims are on their way, and while a person looks at them."""


class DemoFolderTaken(ScrubError):
    """The folder {folder} was not made by `scrub demo`, so it is left alone. Name another one with --state."""


class DemoRuns(ScrubError):
    """Another `scrub demo` runs in {folder}{hint}. Wait for its end, or name another folder with --state."""


class DemoFailed(ScrubError):
    """The demonstration failed: {reason}. The worker's own log is {log}."""


@dataclass(slots=True)
class Stage:
    """What is up while the demonstration runs."""

    settings: Settings
    store: Store
    worker: subprocess.Popen[bytes]
    interrupted: Callable[[], object]
    consumed: dict[str, list[OutletEntry]] = field(default_factory=lambda: {name: [] for name in OUTLETS})
    faults: list[str] = field(default_factory=list)
    pace: float = _BUSY

    def idle(self) -> None:
        """What is left comes by hand: consumers look less often."""
        self.pace = _IDLE

    def wait(self, done: Callable[[], bool], *, seconds: float) -> bool:
        """Waits until it is done; answers False where a signal came first.

        Raises:
            DemoFailed: it takes too long, or the worker or a consumer ended.
        """
        deadline = time.monotonic() + seconds
        while not self.interrupted():
            if done():
                return True
            if self.worker.poll() is not None:
                self.fail(f"the worker ended with code {self.worker.returncode}")
            if self.faults:
                self.fail(f"a consumer broke off ({self.faults[0]})")
            if time.monotonic() > deadline:
                self.fail(f"it did not come to rest within {seconds:.0f} seconds")
            time.sleep(max(0.03, self.pace / 5))
        return False

    def fail(self, reason: str) -> None:
        raise DemoFailed(reason=reason, log=log_file(self.settings))


def log_file(settings: Settings) -> Path:
    """Where the worker writes its operational log."""
    return settings.state_dir / "worker.log"


@contextlib.contextmanager
def fresh(folder: Path, *, keep: bool) -> Iterator[Settings]:
    """An empty state folder of our own, locked; what an earlier demonstration left there is removed, or moved aside.

    Raises:
        DemoFolderTaken, DemoRuns
    """
    if os.path.lexists(folder):
        _clear(folder, keep=keep)
    try:
        make_folder(folder)
        mark = open_private(folder / MARK, os.O_RDWR | os.O_EXCL)
    except FileExistsError:
        raise DemoRuns(folder=folder, hint="") from None
    except OSError as error:
        raise DemoFailed(reason=f"{folder} cannot be made ({error.strerror})", log="not there yet") from None
    try:
        fcntl.flock(mark, fcntl.LOCK_EX)
        # None on purpose: the demonstration never touches a Redis or an audit folder that the environment names.
        yield load_settings(state_dir=folder, redis_url=None, broker_url=None, secret_file=None, audit_dir=None)
    finally:
        os.close(mark)


def _clear(folder: Path, *, keep: bool) -> None:
    ours = folder.is_dir() and not folder.is_symlink() and (folder / MARK).is_file()
    if not ours:
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()
            return
        raise DemoFolderTaken(folder=folder)
    with (folder / MARK).open("rb") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRuns(folder=folder, hint="") from None
        if server_runs(folder / "redis"):
            # Left by a demonstration that was killed: whoever is last out ends it, unless its worker is alive too.
            Lease(folder / "redis").release()
            if server_runs(folder / "redis"):
                raise DemoRuns(folder=folder, hint=_orphan(folder))
        if keep:
            stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(folder.stat().st_mtime))
            folder.rename(folder.with_name(f"{folder.name}-{stamp}"))
        else:
            shutil.rmtree(folder)


def _orphan(folder: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f", or its worker outlived it (then: kill {int((folder / _PID).read_text())})"
    return ""


@contextlib.contextmanager
def stage(settings: Settings, command: Sequence[str], interrupted: Callable[[], object]) -> Iterator[Stage]:
    """Worker, server and a consumer on each outlet; down again however the block ends."""
    over = threading.Event()
    consumers: list[threading.Thread] = []
    with open(open_private(log_file(settings), os.O_WRONLY | os.O_TRUNC), "wb") as log:
        worker = _start(settings, command, log)
    write_private(settings.state_dir / _PID, b"%d\n" % worker.pid)
    try:
        with opening.open_store(settings) as store:
            try:
                found = Stage(settings, store, worker, interrupted)
                for name in OUTLETS:
                    consumers.append(threading.Thread(target=_consume, args=(found, name, over), daemon=True))
                    consumers[-1].start()
                yield found
            finally:
                over.set()
                for consumer in consumers:
                    consumer.join()
                _end(worker)
    finally:
        _end(worker)


@contextlib.contextmanager
def served(settings: Settings, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The desk, which says on our own standard error where it is and how to sign in; down again however the block ends.

    Its log has warnings alone, since it is mixed with that; SCRUB_TIMEZONE is that of who looks at it.
    """
    desk = _start(settings, command, None, SCRUB_TIMEZONE=settings.timezone, SCRUB_LOG_LEVEL="warning")
    try:
        yield desk
    finally:
        _end(desk)


def _start(settings: Settings, command: Sequence[str], log: BinaryIO | None, **more: str) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches it through us alone, and none of its processes can be missed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    environment |= {"SCRUB_STATE_DIR": str(settings.state_dir), **more}
    if settings.book:
        environment["SCRUB_BOOK"] = str(settings.book)
    return subprocess.Popen(
        list(command), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Asks, and insists after the grace; a second call does nothing."""
    if worker.returncode is not None:
        return
    worker.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(GRACE)
    if worker.returncode != 0:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _consume(found: Stage, outlet: str, over: threading.Event) -> None:
    try:
        reader = Reader(found.store.redis, found.store.keys, outlet, outlet, "demo")
        while not over.wait(found.pace):
            for entry in reader.entries(follow=False):
                found.consumed[outlet].append(entry)
    except (RedisError, ScrubError, ValueError) as error:
        found.faults.append(f"{outlet}: {type(error).__name__}")


def called_as() -> str:
    """How the user may call this command again."""
    name = Path(sys.argv[0])
    if name.name != "scrub":
        return "python -m worker"
    on_path = shutil.which("scrub")
    if on_path and Path(on_path).resolve() == name.resolve():
        return "scrub"
    with contextlib.suppress(ValueError):
        return str(name.absolute().relative_to(Path.cwd()))
    return str(name)
