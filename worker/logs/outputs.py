"""Standard output and standard error of a worker: copies of what it does, never a condition of it.

Whoever reads them may go away (EPIPE), hang up (EIO), stop reading while the pipe is full, or have no room (ENOSPC).
So nobody writes to them but one thread a process and output, which may wait for as long as it must. All others hand it
whole lines and go on; where more than `ROOM` bytes wait, lines are left out and counted.

The descriptors are shared with other processes, which rely on how they are set: none of them is made non-blocking.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import errno
import fcntl
import io
import mmap
import os
import select
import struct
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import cache
from queue import SimpleQueue
from threading import RLock
from typing import Any, cast

import orjson

PIECE = 65_536
"""Bytes of whole lines that are handed over at once, if no line alone is longer."""
ROOM = 4 * 2**20
"""Bytes that wait at most, for each process and output."""
_PIECES = 8_192
"""Pieces that wait at most: small ones cost more than their bytes."""
_STALLED = 0xFFFF
"""In place of an error number: it takes nothing, and does not say why."""
_AGAIN = 1.0
"""Seconds after which an output that failed is tried again."""
_GATHERED = 16
_PARTING = 2.0
"""Seconds for which a process that ends waits for its last lines."""
_SLOTS = 1_024
_SLOT = struct.Struct("=QI")


class Output:
    """One output, for a process and its pool: make it before the fork.

    Of a descriptor that is closed already all lines are left out: its number may be another file's by now.
    """

    def __init__(self, number: int, room: int = ROOM, *, closed: bool = False) -> None:
        self.number = number
        self.name = {1: "standard output", 2: "standard error"}.get(number, f"descriptor {number}")
        self._room = room
        self._descriptor = None if closed else _own(number)
        self._shared = mmap.mmap(-1, _SLOTS * _SLOT.size + 1)
        """How many lines each process left out and why it does, by process id; then whether the last line is torn."""
        self._lock = _lock_file()
        self.other: Output | None = None
        """Where it is said that this one fails."""
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def put(self, lines: bytes) -> None:
        """Hands over whole lines. It never waits and never raises; a signal handler may call it."""
        for piece in _pieces(lines):
            if self._descriptor is None:
                self._leave_out(piece, errno.EBADF)
            elif self._queue.qsize() >= _PIECES or 0 < self._waiting > self._room - len(piece):
                self._leave_out(piece, _STALLED)
            else:
                with self._guard:
                    self._put += len(piece)
                self._queue.put(piece)
        if not self._running:
            self._run()

    def flush(self, seconds: float) -> bool:
        """Waits until all that was put is written, but no longer than that; answers whether it is."""
        if not self._running:
            return True
        written = _thread.allocate_lock()
        written.acquire()
        self._queue.put(written)
        return written.acquire(timeout=min(seconds, 0.1) if self._why else seconds)

    def trouble(self, processes: Iterable[int]) -> tuple[str, int]:
        """What is wrong with it in one of these processes, empty: nothing; and how many lines all left out so far."""
        found = [self._slot(process) for process in processes]
        why = next((why for _, why in found if why), 0)
        left_out = sum(self._slot(slot)[0] for slot in range(_SLOTS))
        return (f"{self.name} takes no lines ({_reason(why)})" if why else ""), left_out

    def _begin(self) -> None:
        """In each process anew: what a parent has not written yet is the parent's to write."""
        self._queue: SimpleQueue[bytes | _thread.LockType] = SimpleQueue()
        self._guard = RLock()
        self._running = False
        self._put = self._written = 0
        self._why = 0
        self._left_out = self._said = self._slot(os.getpid())[0]
        self._keep()

    def _run(self) -> None:
        with self._guard:
            if self._running or self._descriptor is None:
                return
            self._running = True
            try:
                # Not threading.Thread: its start waits, and takes locks that the code under a signal handler may hold.
                _thread.start_new_thread(self._deliver_all, (self._queue,))
            except RuntimeError:  # no more threads, or the interpreter is at its end
                self._running = False

    def _deliver_all(self, queue: SimpleQueue[bytes | _thread.LockType]) -> None:
        while True:
            taken = [queue.get()]
            while isinstance(taken[-1], bytes) and len(taken) < _GATHERED and not queue.empty():
                taken.append(queue.get())
            self._deliver(b"".join(one for one in taken if isinstance(one, bytes)))
            self._written += sum(len(one) for one in taken if isinstance(one, bytes))
            if not isinstance(taken[-1], bytes):
                taken[-1].release()

    @property
    def _waiting(self) -> int:
        """Bytes that were put and are not written yet."""
        return self._put - self._written

    def _deliver(self, lines: bytes) -> None:
        """Writes all of it, however long that takes."""
        at = 0
        while at < len(lines):
            at, error = self._write(lines, at)
            if error is None:
                continue
            if at and lines[at - 1 : at] != b"\n":  # the rest of a line makes no sense where others may write meanwhile
                self._shared[-1] = 1
                at = (lines.find(b"\n", at) + 1) or len(lines)
                self._leave_out(b"\n", error.errno or _STALLED)
            self._fails(error.errno or _STALLED)
            time.sleep(_AGAIN)
        if self._why and self._waiting - len(lines) <= self._room // 2:
            self._recovered()

    def _write(self, lines: bytes, at: int) -> tuple[int, OSError | None]:
        """Writes from there on, alone among the processes that share this output; answers how far it came."""
        assert self._descriptor is not None
        with self._alone():
            try:
                if self._shared[-1]:
                    os.write(self._descriptor, b"\n")
                    self._shared[-1] = 0
                while at < len(lines):
                    try:
                        at += os.write(self._descriptor, memoryview(lines)[at:])
                    except BlockingIOError:  # another process has made it non-blocking
                        waiting = select.poll()
                        waiting.register(self._descriptor, select.POLLOUT)
                        waiting.poll(1_000)
            except OSError as error:
                return at, error
        return at, None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """A lock of the kernel's, which goes with the process that holds it, however that ends."""
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def _leave_out(self, lines: bytes, why: int) -> None:
        with self._guard:
            self._left_out += lines.count(b"\n") or 1
            self._keep()
        if not self._why:
            self._fails(why)

    def _fails(self, why: int) -> None:
        if why == self._why:
            return
        self._why = why
        self._keep()
        self._tell("output.lost", f"{self.name} takes no lines ({_reason(why)}); the work goes on without it")

    def _recovered(self) -> None:
        with self._guard:
            self._why = 0
            number, self._said = self._left_out - self._said, self._left_out
            self._keep()
        sentence = f"{self.name} takes lines again; {number} lines of this process were left out there"
        self._tell("output.back", sentence, number)

    def _tell(self, action: str, sentence: str, number: int = 0) -> None:
        """Says it on the other output, as a line of the operational log; that log itself says it, too, once it can."""
        line = orjson.dumps(
            {
                "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "log.level": "warning",
                "log.logger": __name__, "message": sentence, "service.name": "claim-scrubber",
                "event.action": action, "output.left_out": number, "process.pid": os.getpid(),
            }
        ) + b"\n"  # fmt: skip
        if self.other and self.other._descriptor is not None and not self.other._why:
            self.other.put(line)
        if self.number == 2 and not self._why:
            self.put(line)

    def _slot(self, process: int) -> tuple[int, int]:
        found: tuple[int, int] = _SLOT.unpack_from(self._shared, process % _SLOTS * _SLOT.size)
        return found

    def _keep(self) -> None:
        _SLOT.pack_into(self._shared, os.getpid() % _SLOTS * _SLOT.size, self._left_out, self._why)


def _own(number: int) -> int | None:
    """A descriptor of our own for the same output: whoever closes the first must not make us write elsewhere."""
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10)
    except OSError:
        return None


def _lock_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("scrub-output")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _pieces(lines: bytes) -> Iterator[bytes]:
    begin = 0
    while len(lines) - begin > PIECE:
        end = lines.rfind(b"\n", begin, begin + PIECE) + 1 or lines.find(b"\n", begin) + 1 or len(lines)
        yield lines[begin:end]
        begin = end
    if begin < len(lines):
        yield lines[begin:]


def _reason(why: int) -> str:
    return {_STALLED: "its reader is too slow or has stopped", errno.EBADF: "closed"}.get(why) or os.strerror(why)


class _Bytes(io.RawIOBase):
    """The output as a binary file."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._output.number

    def write(self, data: Any) -> int:
        self._output.put(bytes(data))
        return len(data)


class Stream(io.TextIOBase):
    """The output as `sys.stdout` and `sys.stderr`: print, logging and Celery never wait for it nor see it fail."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, output: Output) -> None:
        self._output = output
        self._begun = ""
        self.buffer = _Bytes(output)
        self.name = f"<{output.name}>"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._output.number

    def isatty(self) -> bool:
        return os.isatty(self._output.number)

    def write(self, text: str) -> int:
        lines, end, self._begun = (self._begun + text).rpartition("\n")
        if end:
            self._output.put(f"{lines}\n".encode(self.encoding, self.errors))
        return len(text)

    def flush(self) -> None:
        begun, self._begun = self._begun, ""
        if begun:
            self._output.put(begun.encode(self.encoding, self.errors))


@cache
def standard(number: int) -> Output:
    """Standard output (1) or standard error (2) of this process."""
    closed = (sys.__stdout__, sys.__stderr__)[number - 1] is None
    return Output(number, closed=closed)


def install() -> None:
    """Replaces Python's own outputs by these, before anything is forked. Again: nothing happens.

    Descriptors that were closed at the start become the null device, so that no socket gets their numbers.
    """
    if isinstance(cast(object, sys.__stdout__), Stream):
        return
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # not inherited: what we become sees for itself that it was closed
    out, err = standard(1), standard(2)
    out.other, err.other = err, out
    for name, output in (("stdout", out), ("stderr", err)):
        stream = Stream(output)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    atexit.register(flush)


def flush(seconds: float = _PARTING) -> None:
    """Waits for the last lines of this process, for as long as that may take at its end."""
    end = time.monotonic() + seconds
    for number in (1, 2):
        standard(number).flush(max(0.0, end - time.monotonic()))


def say(text: object, stream: object = None) -> None:
    """What Celery says from its signal handlers; its own function writes to the descriptor, and may wait or fail."""
    standard(1 if stream is sys.__stdout__ else 2).put(f"\n{text}\n".encode(errors="backslashreplace"))


def trouble(processes: Iterable[int]) -> tuple[str, int]:
    """What is wrong with the outputs of these processes, empty: nothing; and how many lines were left out so far."""
    processes = (os.getpid(), *processes)
    found = [standard(number).trouble(processes) for number in (1, 2)]
    return "; ".join(sentence for sentence, _ in found if sentence), sum(number for _, number in found)
