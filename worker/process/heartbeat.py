"""The heartbeat of a worker's main process: a small file that a probe reads without Redis and without settings.

It is written by the main loop itself, never by a thread or a signal handler, which would go on while the loop hangs.
Each worker has a file of its own in a private folder of its machine or container: the user's runtime folder, else
the folder for temporary files. Not in the state folder, which several containers may share. A file belongs to the
process with its number and time of birth, so that neither the one before nor a namesake elsewhere answers for it.
Times are CLOCK_MONOTONIC: setting the clock makes no loop look hung, nor a hung one alive.

Nothing but the standard library is imported here: a probe runs every few seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.process.servicemanager import TURNS, tell

STALE = 60.0
"""Seconds without a tick of the main loop after which it counts as hung. A tick waits for Redis for a few seconds at
most, and for the names of Redis as long as the resolver tries."""
UNANSWERED = 20.0
"""Seconds after which a worker that Redis did not answer is not ready; it asks every 5."""
LEAST_ROOM = 2**20
"""Bytes on the disk of the audit log, below which a host's workers are as good as stopped."""
_FORGOTTEN = 86_400.0
"""Seconds after which the file of a process that cannot be seen from here is removed."""
_PREFIX = "worker-"


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker that runs here said last."""

    pid: int
    ticked: float
    """Seconds since its main loop last ticked."""
    answered: float | None
    """Seconds since Redis last answered it; None: not yet."""
    audit: Path
    """Its audit folder."""


class Heartbeat:
    """Of this process. Make it in the worker's main process; a failure is reported once, and never raised."""

    def __init__(self, audit: Path, complain: Callable[[str], object]) -> None:
        """`complain` gets the sentence where no heartbeat can be written."""
        self._says: dict[str, object] = {"audit": str(audit)}
        self._complain = complain
        self._width = 0
        self._reported = False
        self._descriptor: int | None = None
        self._file: Path | None = None

    def tick(self) -> None:
        """The main loop is running; the file calls it `turned`."""
        self._write(turned=time.monotonic())
        tell(TURNS)

    def answer(self) -> None:
        """Redis has answered."""
        self._write(answered=time.monotonic())

    def end(self) -> None:
        """This worker is no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._file:
            self._file.unlink(missing_ok=True)

    def _write(self, **when: float) -> None:
        self._says |= when
        try:
            descriptor = self._descriptor or self._open()
            if not os.fstat(descriptor).st_nlink:  # somebody has cleaned up
                self.end()
                descriptor = self._open()
            line = json.dumps(self._says).encode()
            self._width = max(self._width, len(line) + 64)  # nothing of a longer line may be left behind
            os.pwrite(descriptor, line.ljust(self._width), 0)
        except OSError as error:
            if not self._reported:
                self._complain(f"No heartbeat can be written ({error.strerror}), so liveness probes will fail.")
            self._reported = True

    def _open(self) -> int:
        folder, pid = _made(), os.getpid()
        _sweep(folder)
        self._says |= {"pid": pid, "born": _born(pid)}
        file = folder / f"{_PREFIX}{pid}-{os.urandom(4).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(file, flags, 0o600)
        self._file, self._descriptor = file, descriptor
        return descriptor


def folders() -> list[Path]:
    """Where a worker of this user keeps its heartbeat, the first that can be used."""
    user = os.getuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    return [Path(runtime) / "claim-scrubber", Path(tempfile.gettempdir()) / f"claim-scrubber-{user}"]


def beats() -> list[Beat]:
    """The workers of this user that run on this machine, or in this container."""
    found = {beat.pid: beat for folder in folders() if _private(folder) for beat in _read(folder)}
    return [found[pid] for pid in sorted(found)]


def hung(beat: Beat, stale: float = STALE) -> str | None:
    """What is wrong with its main loop; None: it ticks."""
    if beat.ticked <= stale:
        return None
    return f"the main loop of worker {beat.pid} has not turned for {beat.ticked:.0f} s"


def unready(beat: Beat) -> str | None:
    """Why it decides no claims; None: it could."""
    if beat.answered is None or beat.answered > UNANSWERED:
        since = "yet" if beat.answered is None else f"for {beat.answered:.0f} s"
        return f"Redis has not answered worker {beat.pid} {since}"
    if not os.access(beat.audit, os.W_OK | os.X_OK):
        return f"no audit file can be made in {beat.audit}, and no claim is decided without its line"
    disk = os.statvfs(beat.audit)
    if (room := disk.f_bavail * disk.f_frsize) < LEAST_ROOM:
        return f"no room for the audit log ({room // 1024} KiB), and no claim is decided without it"
    return None


def _made() -> Path:
    for folder in folders():
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700)
        if _private(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise PermissionError(0, f"neither {' nor '.join(map(str, folders()))} is a folder of this user's alone")


def _private(folder: Path) -> bool:
    """Whether nobody else could have put a file there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o022


def _read(folder: Path) -> Iterator[Beat]:
    now = time.monotonic()
    for said in map(_said, folder.glob(f"{_PREFIX}*")):
        if said and said["born"] == _born(said["pid"]):
            answered = said.get("answered")
            last = None if answered is None else now - answered
            yield Beat(said["pid"], now - said.get("turned", 0.0), last, Path(said["audit"]))


def _said(file: Path) -> dict | None:  # type: ignore[type-arg]
    """What a heartbeat file says; None: it is gone, or none."""
    try:
        found = json.loads(file.read_bytes())
        return found if {"pid", "born", "audit"} <= found.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _sweep(folder: Path) -> None:
    """Removes what processes left that were killed long ago; who lives in another container is not seen from here."""
    for file in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _FORGOTTEN:
                file.unlink()


def _born(pid: int) -> str | None:
    """When a process began, in ticks since boot; None: it is gone. Where the system says nothing, empty if it runs."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return None
        return "" if _runs(pid) else None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
