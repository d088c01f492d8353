"""What is written: colours and wrapped lines for a person at a terminal, plain lines into a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from signal import SIGPIPE
from textwrap import wrap
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn

from worker.cli.signals import Stopped

if TYPE_CHECKING:
    from rich.console import Console

Style = Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan", "bold red", "bold green"]
Format = Literal["text", "json"]
_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}
_LEAST_WIDTH = 40


def on_terminal(stream: Any) -> bool:
    """Whether a person looks at this stream."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


@cache
def coloured() -> bool:
    """Whether standard output may carry colours (https://no-color.org)."""
    return on_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def paint(text: str, style: Style | None) -> str:
    """The text in a style, where colours may be written."""
    if not style or not text or not coloured():
        return text
    codes = ";".join(str(_CODES[part]) for part in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


@cache
def width() -> int | None:
    """Columns of the terminal; None in a pipe, where one line stays one line."""
    if not on_terminal(sys.stdout):
        return None
    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def hung(text: str, indent: int, style: Style | None = None) -> str:
    """The text wrapped into what is right of the indent; its first line is meant to follow `indent` columns."""
    columns = width()
    lines = wrap(text, max(20, columns - indent), break_on_hyphens=False) if columns else [text]
    return ("\n" + " " * indent).join(paint(line, style) for line in lines or [""])


def plain(text: str) -> str:
    """The text without control characters: what a file holds must not steer the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def say(*lines: str) -> None:
    """Writes lines to standard output.

    Raises:
        Stopped: nobody reads any more.
    """
    _write("".join(f"{line}\n" for line in lines))


def say_bytes(lines: Iterable[bytes]) -> None:
    """Writes JSON lines to standard output.

    Raises:
        Stopped: nobody reads any more.
    """
    try:
        sys.stdout.flush()
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
    except BrokenPipeError:
        _unread()


@contextmanager
def writer() -> Iterator[IO[bytes]]:
    """Standard output for bytes.

    Raises:
        Stopped: nobody reads any more.
    """
    try:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _unread()


def complain(text: str) -> None:
    """Writes to standard error; nothing happens where it is closed."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, AttributeError, ValueError):
        pass


def flush() -> None:
    """Writes out what standard output still holds.

    Raises:
        Stopped: nobody reads any more.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _unread()


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        _unread()


def give_up() -> None:
    """Lets go of standard output: Python flushes it once more at its end, which must not fail then."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _unread() -> NoReturn:
    give_up()
    raise Stopped(SIGPIPE)


def columns(rows: Sequence[tuple[str, ...]], styles: tuple[Style | None, ...] = ()) -> list[str]:
    """Rows as left-aligned columns two spaces apart; the last column is wrapped on a terminal, and in no pipe."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)] if rows else []
    indent = sum(widths) + 2 * len(widths)
    lines = []
    for row in rows:
        cells = []
        for place, (cell, size) in enumerate(zip(row, widths, strict=False)):
            style = styles[place] if place < len(styles) else None
            cells.append(paint(cell, style) + " " * (size - len(cell) + 2))
        last = styles[len(widths)] if len(widths) < len(styles) else None
        lines.append(("".join(cells) + hung(row[-1], indent, last)).rstrip())
    return lines


def console(*, stderr: bool = False) -> Console:
    """A rich console for tables and progress, which ends as the rest does when nobody reads any more."""
    from rich.console import Console as Base

    class Quiet(Base):
        def on_broken_pipe(self) -> None:
            _unread()

    stream = sys.stderr if stderr else sys.stdout
    columns = None if on_terminal(stream) else 100
    return Quiet(stderr=stderr, highlight=False, no_color=not coloured() or None, width=columns)
