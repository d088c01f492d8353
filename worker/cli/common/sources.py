"""Reading the files of `check` and `submit`: every document, and every fault with its file and position."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.terminal import complain, plain

if TYPE_CHECKING:
    from worker.intake.document import Document, Refusal
    from worker.intake.sidebyside import SideBySide
    from worker.intake.x12.ended import Ended

FORMATS = "JSON, NDJSON, CloudEvents, X12 837P or 837I, or FHIR R4 (Claim, Bundle, NDJSON), by content; plain or gzip"
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help=f"{FORMATS}; `-` is standard input.",
    ),
]
_PLACE = re.compile(r"(?:line (\d+) )?column (\d+)")
_MOST = 20
"""Problems that are shown of one document."""
MOST_SHOWN = 1_000
"""Refusals that are shown of one file; all are counted."""
_KINDS = 6
"""Types of resources that are named of those passed by."""
_LINE = re.compile(r"line (\d+)")


def show(refusal: Refusal) -> None:
    """Writes a refusal to standard error."""
    for line in refusal_lines(refusal):
        complain(line)


@dataclass(slots=True)
class Intake:
    """The documents of the files; what cannot be read, and what is no claim, is counted."""

    files: list[str]
    limit: int
    refuse: Callable[[Refusal], None] = show
    """Gets what cannot be read."""
    codes: Collection[str] | None = None
    """Of the procedures of the book in use; None: of the one that ships."""
    ended: Callable[[Ended], None] | None = None
    """Is told what of an X12 file has ended (`read_x12`)."""
    side: SideBySide | None = None
    """Reads the files on several cores, and gives what it makes of each document."""
    refused: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    """FHIR resources that are no claims, by type."""
    _in_file: int = 0
    _last: str = ""
    _ended: int = 0
    _stream: IO[bytes] | None = None

    def documents(self) -> Iterator[Document]:
        """Every document that can be read, file by file, one at a time."""
        from worker.intake.document import Document

        return (found for found in self.found() if isinstance(found, Document))

    def judged(self) -> Iterator[Any]:
        """What `side` makes of every document that can be read."""
        from worker.intake.document import Refusal

        return (found for found in self.found() if not isinstance(found, Refusal))

    def found(self) -> Iterator[Any]:
        """Every document, also those that cannot be read, once they are reported and counted."""
        if self.side:
            sources = ((_named(file), partial(open_source, file)) for file in self.files)
            for name, found in self.side.every(sources, self.ended):
                try:
                    yield from self._taken(name, found)
                except OSError as error:
                    self._unopened(name, getattr(error, "why", error))
            return
        for file in self.files:
            yield from self.of(file, self.within)

    def of(
        self, file: str, read: Callable[[str, IO[bytes]], Iterator[Document | Refusal]]
    ) -> Iterator[Document | Refusal]:
        """What `read` makes of a file, under the name that messages have for it."""
        name = _named(file)
        try:
            stream = open_source(file)
        except (OSError, ValueError) as error:
            self._unopened(name, error)
            return
        try:
            with stream:
                yield from read(name, stream)
        except OSError as error:
            self._unopened(name, getattr(error, "why", error))

    def _unopened(self, name: str, error: OSError | ValueError) -> None:
        self.refused += 1
        complain(f"{name}: {reason_of(error)}")

    def within(self, name: str, stream: IO[bytes]) -> Iterator[Document | Refusal]:
        """As `found`, of one open file."""
        from worker.intake.documents import read_documents

        self._stream = stream
        if self.side:
            found = self.side.read(name, stream, self.ended)
        else:
            found = read_documents(name, stream, limit=self.limit, codes=self.codes, ended=self.ended)
        yield from self._taken(name, found)
        self._ended, self._stream = self.done, None

    def _taken(self, name: str, every: Iterator[Any]) -> Iterator[Any]:
        """What was found in a file, once it is counted."""
        from worker.intake.document import Passed, Refusal

        self._in_file = 0
        for found in every:
            if isinstance(found, Passed):
                self.passed[found.kind] += 1
                continue
            if isinstance(found, Refusal):
                self.turn_away(found)
            yield found
        if (more := self._in_file - MOST_SHOWN) > 0:
            complain(f"{name}: and {more} more could not be read, the last of them at {self._last}")

    def turn_away(self, refusal: Refusal) -> None:
        """Counts a refusal and hands it on."""
        self.refused += 1
        self._in_file += 1
        self._last = refusal.position or self._last
        if self._in_file <= MOST_SHOWN or not refusal.number:
            self.refuse(refusal)

    @property
    def size(self) -> int | None:
        """Bytes of all files; None where they are not known before, as on standard input."""
        try:
            sizes = [os.stat(file).st_size for file in self.files if file != "-"]
        except (OSError, ValueError):
            return None
        return sum(sizes) if len(sizes) == len(self.files) else None

    @property
    def done(self) -> int:
        """Bytes of the files that were taken in so far, packed as they may be."""
        try:
            return self._ended + (self._stream.tell() if self._stream else 0)
        except (OSError, ValueError):
            return self._ended

    def passed_by(self) -> str:
        """`3 passed by (Patient 2, Coverage 1)`; empty where there are none."""
        if not self.passed:
            return ""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.passed.most_common(_KINDS))
        rest = ", ..." if len(self.passed) > _KINDS else ""
        return f"{self.passed.total()} passed by ({kinds}{rest})"


def _named(file: str) -> str:
    """The name that messages have for a file."""
    return "stdin" if file == "-" else plain(file)


def open_source(file: str) -> IO[bytes]:
    """The file, or standard input for `-`.

    Raises:
        OSError, ValueError: see `reason_of`.
    """
    if file != "-":
        return open(file, "rb")
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return open(sys.stdin.fileno(), "rb", closefd=False)


def short(position: str) -> str:
    """`3` for `line 3`, as compilers write it; any other position as it is."""
    alone = _LINE.fullmatch(position)
    return alone[1] if alone else position


def place(document: Document) -> str:
    """File and position, as they stand beside a verdict."""
    return f"{document.file}:{short(document.position)}" if document.position else document.file


def refusal_lines(refusal: Refusal) -> list[str]:
    """One line a problem: `file:position: sentence`, position as line:column where it is known."""
    alone = _LINE.fullmatch(refusal.position)
    start = int(alone[1]) if alone else None
    lines = []
    for problem in refusal.problems[:_MOST]:
        place = _PLACE.fullmatch(problem.path)
        if place and start:
            where = f"{start + int(place[1] or 1) - 1}:{place[2]}"
            sentence = problem.sentence
        else:
            where = str(start) if start else refusal.position
            sentence = str(problem)
        lines.append(plain(f"{refusal.file}:{where}: {sentence}" if where else f"{refusal.file}: {sentence}"))
    if (more := len(refusal.problems) - _MOST) > 0:
        lines.append(f"{refusal.file}:{start or refusal.position}: and {more} more problems of this claim")
    return lines


def reason_of(error: OSError | ValueError) -> str:
    """Why a file cannot be opened, as a user may read it."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory; expected a file (try its files: FOLDER/*.json)"
    if isinstance(error, PermissionError):
        return "you may not read this file"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "this is no file name"
