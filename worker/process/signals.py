"""Signals as one exception, which waits while something is started or stopped that must not be left half done."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Ctrl-C, a signal that asks the process to end, or a reader of its output that went away."""

    def __init__(self, number: int) -> None:
        self.number = number

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that a signal ended."""
        return 128 + self.number


class _State:
    depth = 0
    pending: int | None = None


def install() -> None:
    """Takes the signals over; one that is ignored (nohup, a shell's background job) stays ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def _handle(number: int, _: FrameType | None) -> None:
    if _State.depth:
        _State.pending = number
    else:
        raise Stopped(number)


def pending() -> int | None:
    """The signal that came while signals are held back."""
    return _State.pending


def raise_pending() -> None:
    """Raises the signal that came while signals are held back, once.

    Raises:
        Stopped
    """
    number, _State.pending = _State.pending, None
    if number is not None:
        raise Stopped(number)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Holds signals back; the outermost `held` raises what came, on its way out."""
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        if not _State.depth:
            raise_pending()
