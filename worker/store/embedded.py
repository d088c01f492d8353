"""The embedded server: a real Redis or Valkey of our own, shared by all commands of a user, with no port and no daemon.

Three locks in its folder say who is there; the kernel drops each of them even on kill -9:

    start.lock   exclusive, for as long as somebody starts or stops the server
    users.lock   shared by every user; who can have it exclusively is the last one out, and shuts the server down
    server.lock  held by the server process itself through an inherited descriptor: free means that none runs

A server whose users were all killed stays up, and the next user takes it over. One that was killed itself starts
again from its append-only file at the next use.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from worker.errors import FolderUnusable, ServerFailed
from worker.store import serverlog
from worker.store.private import close_folder, make_folder, open_private
from worker.store.serverbinary import Server, choose, how_it_ended, record

_SOCKET_LIMIT = 103 if sys.platform == "darwin" else 107
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOG = "server.log"


def socket_path(folder: Path) -> Path:
    """Where the server of this folder listens: in the folder, or in a private one of the user if that is too deep."""
    path = folder / "s.sock"
    if len(os.fsencode(path)) <= _SOCKET_LIMIT:
        return path
    name = f"scrub-{os.getuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    return Path(tempfile.gettempdir()) / name / "s.sock"


def private_folder(folder: Path) -> Path:
    """The folder, made with mode 0700 where it is not there.

    Raises:
        FolderUnusable: it is not ours, or others may enter it, or it cannot be made.
    """
    try:
        make_folder(folder)
        found = folder.lstat()
    except OSError as error:
        raise FolderUnusable(folder=folder, reason=error.strerror) from None
    if not stat.S_ISDIR(found.st_mode):
        raise FolderUnusable(folder=folder, reason="it is a link or a file")
    if found.st_uid != os.getuid():
        raise FolderUnusable(folder=folder, reason="it belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise FolderUnusable(folder=folder, reason=f"its mode is {stat.S_IMODE(found.st_mode):o}")
    return folder


class Lease:
    """The right to use the embedded server; `release` it once, in the process that acquired it."""

    def __init__(self, folder: Path) -> None:
        """Starts the server where none runs.

        Raises:
            FolderUnusable, ServerMissing, ServerDiffers, ServerFailed
        """
        self._folder = private_folder(folder)
        self._owner = os.getpid()
        self._users: int | None = None
        private_folder(socket_path(folder).parent)
        with _locked(self._folder / "start.lock"):
            users = _open(self._folder / "users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                _ensure_server(self._folder)
            except BaseException:
                os.close(users)
                raise
        self._users = users

    def revive(self) -> None:
        """Starts the server again if it died while we use it.

        Raises:
            FolderUnusable, ServerMissing, ServerDiffers, ServerFailed
        """
        if not _answers(self._folder):
            with _locked(self._folder / "start.lock"):
                _ensure_server(self._folder)

    def release(self) -> None:
        """The last one out shuts the server down and waits for its end; a second call does nothing, nor a child's."""
        users, self._users = self._users, None
        if users is None or os.getpid() != self._owner:
            return
        try:
            with _locked(self._folder / "start.lock"):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _stop_server(self._folder)
                os.close(users)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(users)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def server_runs(folder: Path) -> bool:
    """Whether a server process of this folder is alive."""
    if not (folder / "server.lock").exists():
        return False
    lock = _open(folder / "server.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return open_private(path, os.O_RDWR)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = _open(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def server_binary() -> str:
    """The program that a new folder gets.

    Raises:
        ServerMissing
    """
    return choose(None).binary


def _ensure_server(folder: Path) -> None:
    """Under start.lock: a server that answers."""
    deadline = time.monotonic() + _START_SECONDS
    started: _Start | None = None
    while not _answers(folder):
        if not server_runs(folder):
            if started:
                raise ServerFailed(folder=folder, reason=_why_it_ended(folder, started), log=folder / _LOG)
            started = _start_server(folder)
        if time.monotonic() > deadline:
            reason = "a server process of this folder is alive, but does not answer; stop it and try again"
            raise ServerFailed(folder=folder, reason=reason, log=folder / _LOG)
        time.sleep(0.01)
    if started:
        record(folder, started.server)


class _Start(NamedTuple):
    """A server process that was started."""

    server: Server
    pid: int
    logged: int
    """Bytes of the log before its own lines."""


def _start_server(folder: Path) -> _Start:
    """Starts the server in a session of its own, holding server.lock and nothing else of ours."""
    _refuse_lost_claims(folder)
    server, logged = choose(folder), serverlog.size(folder / _LOG)
    lock = _open(folder / "server.lock")
    log = open_private(folder / _LOG, os.O_WRONLY | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        close_folder(folder)
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = socket_path(folder)
        path.unlink(missing_ok=True)
        # All of ours are close-on-exec; the copies, under numbers of their own, are what the server keeps.
        copies = [(null, 0), (log, 1), (log, 2), (lock, 3 if lock != 3 else 4)]
        actions = [(os.POSIX_SPAWN_DUP2, ours, its) for ours, its in copies]
        # Its own files take the umask, which posix_spawn cannot set.
        command = ["/bin/sh", "-c", 'umask 077; exec "$@"', "sh", server.binary, *_arguments(server, folder, path)]
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)
    except OSError as error:
        raise ServerFailed(folder=folder, reason=error.strerror, log=folder / _LOG) from None
    finally:
        for descriptor in (lock, log, null):
            os.close(descriptor)
    _CHILDREN.add(pid)
    return _Start(server, pid, logged)


def _refuse_lost_claims(folder: Path) -> None:
    """A server that finds no manifest begins empty, and says nothing of the claims in the files beside it."""
    files = folder / "appendonlydir"
    if not any(files.glob("*.manifest")) and any(found.stat().st_size for found in files.glob("*.incr.aof")):
        reason = (
            f"the list of its append-only files is missing in {files}, and a server would begin empty beside the claims"
            " in them; bring the folder back from a copy (ops/runbook.md, The embedded server does not start)"
        )
        raise ServerFailed(folder=folder, reason=reason, log=folder / _LOG)


def _why_it_ended(folder: Path, start: _Start) -> str:
    code = _reap().get(start.pid)
    ended = f"{start.server} {how_it_ended(code) if code is not None else 'ended at once'}"
    found = serverlog.reason(folder / _LOG, start.logged)
    return f"{ended}: {found.why}; {found.mend}" if found else ended


def _arguments(server: Server, folder: Path, path: Path) -> list[str]:
    options = {
        "port": "0", "unixsocket": str(path), "unixsocketperm": "700", "dir": str(folder), "daemonize": "no",
        "appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction",
        # These keep arguments of commands, and those are claims.
        "slowlog-log-slower-than": "-1", "crash-log-enabled": "no",
    }  # fmt: skip
    if server.logs_large_commands:
        options |= {"commandlog-request-larger-than": "-1", "commandlog-reply-larger-than": "-1"}
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _stop_server(folder: Path) -> None:
    """Under start.lock and alone: asks the server to end, and waits until its process is gone."""
    with contextlib.suppress(OSError):
        _ask(folder, b"SHUTDOWN", seconds=_STOP_SECONDS)
    deadline = time.monotonic() + _STOP_SECONDS
    while server_runs(folder) and time.monotonic() < deadline:
        time.sleep(0.005)
    _reap()


_CHILDREN: set[int] = set()
"""Servers that this process started."""


def _reap() -> dict[int, int]:
    """Takes the exit codes of servers that this process started and that have ended, so that no zombie stays."""
    deadline = time.monotonic() + 1
    codes = {}
    while _CHILDREN and time.monotonic() < deadline:
        for child in tuple(_CHILDREN):
            with contextlib.suppress(ChildProcessError):
                ended, status = os.waitpid(child, os.WNOHANG)
                if not ended:
                    continue
                codes[child] = os.waitstatus_to_exitcode(status)
            _CHILDREN.discard(child)
        time.sleep(0.002)
    return codes


def _answers(folder: Path) -> bool:
    """Whether the server answers PING; one that still loads its file does not yet."""
    try:
        return _ask(folder, b"PING", seconds=2).startswith(b"+PONG")
    except OSError:
        return False


def _ask(folder: Path, command: bytes, *, seconds: float) -> bytes:
    """One inline command in the Redis protocol; the answer is empty where the server closes the connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(str(socket_path(folder)))
        connection.sendall(command + b"\r\n")
        return connection.recv(256)
