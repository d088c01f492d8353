"""What is written: colors and wrapped lines for a person at a terminal, plain lines into a pipe.

All that a command prints goes through here, and with it all foreign text: names of files and consumer groups, what a
claim says, what somebody wrote into Redis. No command writes to a standard stream itself.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from secrets import token_hex
from signal import SIGPIPE
from textwrap import wrap
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, cast

from rules.printable import printable
from worker.process.signals import Stopped

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console

Style = Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan", "bold red", "bold green"]
Format = Literal["text", "json"]
_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}
_LEAST_WIDTH = 40
_OURS = f"\x1b<{token_hex(8)}>"
"""Stands before each control sequence that the commands mean. It is another one in each process, so that no text from
outside can hold it: what a command prints is neutral but for these, whoever forgets to think of it."""
_MEANT = re.compile(rf"{_OURS}(\[[0-9;]*[mHJ]|\n)")
_LINES = re.compile(rf"(?<!{_OURS})\n")
CLEAR = f"{_OURS}[H{_OURS}[J"
"""Clears the screen, at the start of a line that is said."""


plain = printable


def on_terminal(stream: Any) -> bool:
    """Whether a person looks at this stream."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


@cache
def colored() -> bool:
    """Whether standard output may carry colors (https://no-color.org)."""
    return on_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def paint(text: str, style: Style | None) -> str:
    """The text in a style, where colors may be written."""
    if not style or not text or not colored():
        return text
    codes = ";".join(str(_CODES[part]) for part in style.split())
    return f"{_OURS}[{codes}m{text}{_OURS}[0m"


@cache
def width() -> int | None:
    """Columns of the terminal; None in a pipe, where one line stays one line."""
    if not on_terminal(sys.stdout):
        return None
    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def _rendered(text: str) -> str:
    if _OURS not in text:
        return plain(text)
    parts = _MEANT.split(text)  # foreign, meant, foreign, ...
    parts[::2] = map(plain, parts[::2])
    parts[1::2] = (part if part == "\n" else f"\x1b{part}" for part in parts[1::2])
    return "".join(parts)


def _seen(text: str) -> int:
    """Columns that a text takes once it is rendered."""
    return len(plain(_MEANT.sub("", text)))


def hung(text: str, indent: int, style: Style | None = None) -> str:
    """The text wrapped into what is right of the indent; its first line is meant to follow `indent` columns."""
    columns = width()
    lines = wrap(text, max(20, columns - indent), break_on_hyphens=False) if columns else [text]
    return (f"{_OURS}\n" + " " * indent).join(paint(line, style) for line in lines or [""])


def lines_of(text: str) -> list[str]:
    """The lines of a text that ends with one: by its line feeds, and by nothing else that somebody wrote into it."""
    return text.removesuffix("\n").split("\n")


def say(*lines: str) -> None:
    """Writes lines to standard output. Only what `paint`, `hung` and `CLEAR` made steers the terminal: all other text
    is foreign, and stays on its line.

    Raises:
        Stopped: nobody reads any more.
        Unwritten
    """
    with _guarded():
        sys.stdout.write(said(*lines))


def said(*lines: str) -> str:
    """Lines as `say` would write them, for `put`."""
    return "".join(f"{_rendered(line)}\n" for line in lines)


def said_json(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """A value as `say_json` would write it, for `put`."""
    from worker.logs.printable import json_bytes  # a probe needs no JSON

    return json_bytes(value, default=default) + b"\n"


def put(text: str | bytes) -> None:
    """Writes what `said` or `said_json` made, here or in another process of this command.

    Raises:
        Stopped: nobody reads any more.
        Unwritten
    """
    with _guarded():
        if isinstance(text, str):
            sys.stdout.write(text)
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(text)


def say_json(*values: Any, indent: bool = False, default: Callable[[Any], Any] | None = None) -> None:
    """Writes each value as JSON, one a line.

    Raises:
        Stopped: nobody reads any more.
        Unwritten
    """
    from worker.logs.printable import json_bytes  # a probe needs no JSON

    with _guarded():
        sys.stdout.flush()
        for value in values:  # JSON is UTF-8, whatever the locale
            sys.stdout.buffer.write(json_bytes(value, indent=indent, default=default) + b"\n")


def say_content(content: bytes) -> None:
    """Writes what a file or an entry holds: byte for byte, but to a terminal so that it steers nothing.

    Raises:
        Stopped: nobody reads any more.
        Unwritten
    """
    if on_terminal(sys.stdout):
        say(*content.decode("utf-8", "surrogateescape").split("\n"))
        return
    with writer() as out:
        out.write(content + b"\n")


@contextmanager
def writer() -> Iterator[IO[bytes]]:
    """Standard output for bytes that are no text.

    Raises:
        Stopped: nobody reads any more.
        Unwritten
    """
    with _guarded():
        sys.stdout.flush()
        yield cast("IO[bytes]", _Bytes(sys.stdout.buffer))
        sys.stdout.buffer.flush()


def complain(text: str) -> None:
    """Writes to standard error, lines as they are, and else as `say`; nothing happens where it cannot be written."""
    try:
        sys.stderr.write("".join(f"{_rendered(line)}\n" for line in _LINES.split(text)))
        sys.stderr.flush()
    except (OSError, AttributeError, ValueError):
        pass


def flush() -> None:
    """Writes out what standard output still holds.

    Raises:
        Stopped: nobody reads any more.
        Unwritten
    """
    with _guarded():
        sys.stdout.flush()


class Unwritten(BaseException):
    """Standard output cannot be written. No error of a file: nobody who reads one may take it for that."""

    def __init__(self, error: OSError) -> None:
        closed = error.errno == errno.EBADF
        self.reason = "it is closed" if closed else error.strerror or type(error).__name__


class _Bytes:
    """What goes wrong in a write is the output's fault, and what goes wrong between two writes is not."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def write(self, content: bytes) -> int:
        with _guarded():
            return self._out.write(content)


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _unread()
    except OSError as error:
        raise Unwritten(error) from None


def give_up(stream: IO[str] | None = None) -> None:
    """Lets go of a stream, standard output by default: Python flushes it at its end, which must not fail then."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, (stream or sys.stdout).fileno())
    os.close(null)


def end_complaints() -> None:
    """What standard error still holds and does not take is no reason to end otherwise: Python would exit with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        give_up(sys.stderr)
    except (AttributeError, ValueError):
        pass


def _unread() -> NoReturn:
    give_up()
    raise Stopped(SIGPIPE)


def dollars(amount: Decimal) -> str:
    """An amount of US dollars as people write it."""
    return f"${amount:,.2f}"


def columns(rows: Sequence[tuple[str, ...]], styles: tuple[Style | None, ...] = ()) -> list[str]:
    """Rows as left-aligned columns two spaces apart; the last column is wrapped on a terminal, and in no pipe."""
    widths = [max(_seen(row[place]) for row in rows) for place in range(len(rows[0]) - 1)] if rows else []
    indent = sum(widths) + 2 * len(widths)
    lines = []
    for row in rows:
        cells = []
        for place, (cell, size) in enumerate(zip(row, widths, strict=False)):
            style = styles[place] if place < len(styles) else None
            cells.append(paint(cell, style) + " " * (size - _seen(cell) + 2))
        last = styles[len(widths)] if len(widths) < len(styles) else None
        lines.append(("".join(cells) + hung(row[-1], indent, last)).rstrip())
    return lines


def console(*, stderr: bool = False) -> Console:
    """A rich console for tables and progress, which ends as the rest does when nobody reads any more."""
    from rich.console import Console as Base
    from rich.segment import Segment

    class Quiet(Base):
        def on_broken_pipe(self) -> None:
            _unread()

        def print(self, *objects: Any, **more: Any) -> None:
            with _guarded():
                super().print(*objects, **more)

        def render(self, *arguments: Any, **more: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*arguments, **more):
                yield Segment(text if control else "\n".join(map(plain, text.split("\n"))), style, control)

    stream = sys.stderr if stderr else sys.stdout
    columns = None if on_terminal(stream) else 100
    return Quiet(stderr=stderr, highlight=False, no_color=not colored() or None, width=columns)
