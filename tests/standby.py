"""`scrub` and its workers without the start of an interpreter: forks of a process that has imported what they import.

Half of what a command costs is imports, which the tests paid a thousand times. What is run is what it was: a process of
its own, with arguments, environment, working directory, streams, signals and exit code. Tests of the start itself, of
command lines, and of streams that are closed start the program.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[1]
Program = Literal["scrub", "celery"]
_MOST = 1 << 20
"""Bytes of a request that are read at once."""


class Forked:
    """A process that was started so, as a Popen."""

    def __init__(self, line: socket.socket, command: list[str]) -> None:
        self.args = command
        self.returncode: int | None = None
        self._line = line
        self._said = b""
        self.pid = int(self._read(60) or -1)

    def _read(self, seconds: float | None) -> str | None:
        """The next line; None: there is none yet."""
        until = time.monotonic() + (seconds or 0)
        while b"\n" not in self._said:
            self._line.settimeout(None if seconds is None else max(0.0, until - time.monotonic()))
            try:
                part = self._line.recv(64)
            except (TimeoutError, BlockingIOError):
                return None
            assert part, "the process that waits is gone"
            self._said += part
        found, _, self._said = self._said.partition(b"\n")
        return found.decode()

    def poll(self) -> int | None:
        """The exit code; None: it still runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is None and (told := self._read(seconds)) is not None:
            self.returncode = int(told)
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To the process, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Standby:
    """The process that waits, as the tests see it."""

    def __init__(self, program: Program) -> None:
        self._folder = tempfile.mkdtemp(prefix="scrub-standby-")
        self._place = f"{self._folder}/s"
        self._program = program
        command = [sys.executable, "-m", "tests.standby", program, self._place]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == b".", "it did not start"

    def end(self) -> None:
        """It goes when its standard input ends."""
        self._process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(
        self, arguments: list[str], streams: list[int], *, cwd: str | Path, env: Mapping[str, str], session: bool
    ) -> Forked:
        """`streams`: what the three standard streams of the process are to be; `session`: whether it has one of its
        own."""
        command = [self._program, *arguments]
        asked = {"arguments": command, "cwd": str(cwd), "env": dict(env), "session": session}
        request = json.dumps(asked).encode()
        line = socket.socket(socket.AF_UNIX)
        line.connect(self._place)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
        line.sendmsg([f"{len(request)}\n".encode()], rights)
        line.sendall(request)
        return Forked(line, command)

    def run(
        self, arguments: list[str], *, input: bytes, cwd: str | Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run` with `capture_output`."""
        theirs, ours = _pipes()
        try:
            started = self.start(arguments, theirs, cwd=cwd, env=env, session=False)
        finally:
            for number in theirs:
                os.close(number)
        until = time.monotonic() + timeout
        try:
            out, err = _communicate(*ours, input, until)
            code = started.wait(max(1.0, until - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            started.send_signal(signal.SIGKILL)
            started.wait(10)
            raise subprocess.TimeoutExpired(started.args, timeout) from None
        return subprocess.CompletedProcess(started.args, code, out, err)


@cache
def _standby(program: Program) -> Standby:
    found = Standby(program)
    atexit.register(found.end)
    return found


def scrub(
    *arguments: str | Path, input: bytes = b"", cwd: str | Path = ROOT, env: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """A run of `scrub` to its end; of the program itself, where the environment speaks to Python. Raises
    subprocess.TimeoutExpired."""
    if any(name.startswith("PYTHON") and value != os.environ.get(name) for name, value in env.items()):
        command = [sys.executable, "-m", "worker", *map(str, arguments)]
        return subprocess.run(
            command, input=input, capture_output=True, cwd=cwd, env=dict(env), timeout=timeout, check=False
        )
    return _standby("scrub").run([str(one) for one in arguments], input=input, cwd=cwd, env=env, timeout=timeout)


def scrub_started(arguments: list[str], streams: list[int], cwd: Path, env: Mapping[str, str]) -> Forked:
    """A `scrub` that goes on, in a session of its own, whose standard streams are these."""
    return _standby("scrub").start(arguments, streams, cwd=cwd, env=env, session=True)


def scrub_in_text(
    *arguments: str | Path, input: str = "", cwd: str | Path = ROOT, env: Mapping[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """The same in text. Raises subprocess.TimeoutExpired."""
    done = scrub(*arguments, input=input.encode(), cwd=cwd, env=env, timeout=timeout)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def celery(*arguments: str, streams: list[int], env: Mapping[str, str]) -> Forked:
    """A `celery` in a session of its own, whose standard streams are these."""
    return _standby("celery").start(list(arguments), streams, cwd=Path.cwd(), env=env, session=True)


def _pipes() -> tuple[list[int], list[int]]:
    """The three ends of the child, and ours of the same streams."""
    (read_in, write_in), (read_out, write_out), (read_err, write_err) = os.pipe(), os.pipe(), os.pipe()
    return [read_in, write_out, write_err], [write_in, read_out, read_err]


def _communicate(stdin: int, stdout: int, stderr: int, content: bytes, until: float) -> tuple[bytes, bytes]:
    """Writes all of the content and reads both to their ends. Raises TimeoutError."""
    read: dict[int, list[bytes]] = {stdout: [], stderr: []}
    left = memoryview(content)
    os.set_blocking(stdin, False)
    with selectors.DefaultSelector() as selector:
        for number in read:
            selector.register(number, selectors.EVENT_READ)
        selector.register(stdin, selectors.EVENT_WRITE)
        try:
            while selector.get_map():
                ready = selector.select(max(0.0, until - time.monotonic()))
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    if key.fd == stdin:
                        try:
                            left = left[os.write(stdin, left[:65_536]) :]
                        except BrokenPipeError:
                            left = left[:0]
                        ended = not left
                    else:
                        read[key.fd].append(os.read(key.fd, 65_536))
                        ended = not read[key.fd][-1]
                    if ended:
                        selector.unregister(key.fd)
                        os.close(key.fd)
        finally:
            for number in list(selector.get_map()):
                os.close(number)
    return b"".join(read[stdout]), b"".join(read[stderr])


# The other side


def _wait_for_requests(place: str) -> tuple[dict[str, Any], list[int]] | None:
    """Forks for each request; answers it in the fork, and None in this process when its standard input has ended."""
    wake, woken = socket.socketpair()
    running: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector, wake, woken:
        for one in (wake, woken):
            one.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        listener.bind(place)
        listener.listen(64)
        for watched in (listener, wake, 0):
            selector.register(watched, selectors.EVENT_READ)
        os.write(1, b".")
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj is listener:
                    line = listener.accept()[0]
                    request, streams = _request(line)
                    child = os.fork()
                    if not child:
                        for other in (line, *running.values()):
                            other.close()
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        return request, streams
                    for number in streams:
                        os.close(number)
                    running[child] = line
                    line.sendall(f"{child}\n".encode())
                else:
                    with suppress(BlockingIOError):
                        wake.recv(4_096)
                    _tell_of_the_ended(running)


def _request(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, streams, _, _ = socket.recv_fds(line, 16, 3)
    while b"\n" not in head:
        head += line.recv(16)
    length, _, body = head.partition(b"\n")
    while len(body) < int(length):
        body += line.recv(_MOST)
    found: dict[str, Any] = json.loads(body)
    return found, streams


def _tell_of_the_ended(running: dict[int, socket.socket]) -> None:
    while running:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        with running.pop(child) as line, suppress(OSError):
            line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """This fork as a fresh interpreter would find itself."""
    if request["session"]:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["arguments"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was = getattr(sys, name)
        fresh = open(number, "w" if number else "r", encoding=was.encoding, errors=was.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, fresh)
        setattr(sys, f"__{name}__", fresh)


_LEFT_OUT = ("worker.app", "worker.bench", "worker.demo", "worker.process", "worker.reporting", "worker.tasks")
"""What a worker imports, with Celery, or a command that the tests seldom run."""
_OF_CELERY = (
    "celery.__main__", "celery.apps.worker", "celery.bin.celery", "celery.bin.worker", "celery.concurrency.prefork",
    "celery.worker.components", "celery.worker.consumer", "kombu.transport.redis", "worker.process.celeryapp",
    "worker.process.maintenancestep", "worker.process.mainloop", "worker.pipeline.maintenance",
)  # fmt: skip


def _import_what_it_imports(program: str) -> None:
    import rules
    import worker

    for package in (rules, worker):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and not module.name.startswith(_LEFT_OUT):
                importlib.import_module(module.name)
    for name in _OF_CELERY if program == "celery" else ():
        importlib.import_module(name)
    gc.freeze()


def _main(program: str, place: str) -> None:
    _import_what_it_imports(program)
    if asked := _wait_for_requests(place):
        _become(*asked)
        importlib.import_module({"scrub": "worker.cli", "celery": "celery.__main__"}[program]).main()


if __name__ == "__main__":
    _main(*sys.argv[1:])
