"""Reading the FILE arguments of `check` and `submit`: every document, and every fault with its file and position."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import complain, plain

if TYPE_CHECKING:
    from worker.intake.documents import Document, Refusal

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="JSON (one claim, or a list) or NDJSON (one claim a line), plain or gzip; `-` is standard input.",
    ),
]
_PLACE = re.compile(r"(?:line (\d+) )?column (\d+)")
_MOST = 20
"""Problems that are shown of one document."""


@dataclass(slots=True)
class Intake:
    """The documents of the files; what cannot be read goes to standard error and is counted."""

    files: list[str]
    limit: int
    refused: int = 0
    names: set[str] = field(default_factory=set)

    def documents(self) -> Iterator[Document]:
        """Every document that can be read, file by file, one at a time."""
        from worker.intake.documents import Document

        return (found for found in self.found() if isinstance(found, Document))

    def found(self) -> Iterator[Document | Refusal]:
        """Every document, also those that cannot be read, once they are told and counted."""
        from worker.intake.documents import Document, read_documents

        for file in self.files:
            name = "stdin" if file == "-" else plain(file)
            try:
                with self._open(file) as stream:
                    for found in read_documents(name, stream, limit=self.limit):
                        if not isinstance(found, Document):
                            self._refuse(found)
                        yield found
            except (OSError, ValueError) as error:
                self.refused += 1
                complain(f"{name}: {_reason(error)}")

    def _open(self, file: str):  # type: ignore[no-untyped-def]
        if file != "-":
            return open(file, "rb")
        if sys.stdin is None:
            raise OSError("standard input is closed")
        return open(sys.stdin.fileno(), "rb", closefd=False)

    def _refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        for line in refusal_lines(refusal):
            complain(line)


def refusal_lines(refusal: Refusal) -> list[str]:
    """One line a problem: `file:position: sentence`, position as line:column where it is known."""
    start = int(refusal.position.removeprefix("line ")) if refusal.position.startswith("line ") else None
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


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory; expected a file (try its files: FOLDER/*.json)"
    if isinstance(error, PermissionError):
        return "you may not read this file"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "this is no file name"
