"""`scrub check --split DIR`: each 837 that is checked into trial files of what would go on and what would not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rules.errors import ScrubError
from worker.cli.common.sources import Intake
from worker.cli.common.terminal import complain, plain
from worker.exits.split import Split, Written
from worker.intake.document import Document, Refusal

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.report import Report


@dataclass(slots=True)
class Splits:
    """Takes the claims of all files; what cannot be split is told, counted, and checked all the same."""

    folder: Path
    intake: Intake
    book: Book
    unsplit: int = 0
    """Files of which nothing was written."""
    written: list[tuple[str, Written]] = field(default_factory=list)
    _open: Split | None = None

    def judged(self) -> Iterator[Any]:
        """As `Intake.judged`; the files of a file are written before the next."""
        for file in self.intake.files:
            name = "stdin" if file == "-" else os.path.basename(file)
            for found in self.intake.of(file, partial(self._within, name)):
                if not isinstance(found, Refusal):
                    yield found

    def decide(self, document: Document, report: Report) -> None:
        """Takes the verdict on the claim of an 837 that was given last."""
        if self._open is not None:
            self._open.decide(document, report)

    def lines(self) -> Iterator[str]:
        """What was written, a line a file."""
        for name, written in self.written:
            counts = ", ".join(f"{total.claims} {kind}" for kind, total in written.totals.items() if total.claims)
            where = plain(str(written.folder / written.manifest))
            why = any(written.totals[kind].claims for kind in ("refused", "repeated"))
            yield f"{plain(name)}: {counts or 'no claim'} -> {where} (trial{', and why' if why else ''})"
        if self.unsplit:
            yield f"{self.unsplit} file{'s' * (self.unsplit != 1)} not split"

    def _within(self, name: str, shown: str, stream: IO[bytes]) -> Iterator[Any]:
        now = datetime.now().astimezone()
        try:
            self._open = split = Split(name, stream, self.folder, trial=True, now=now)
        except ScrubError as error:
            self._tell(str(error))
            yield from self.intake.within(shown, stream)
            return
        self.intake.ended = split.ended
        try:
            for found in self.intake.within(shown, split.content):
                if isinstance(found, Refusal):
                    split.refuse(found)
                yield found
            self._write(name, shown, split)
        finally:
            self.intake.ended = self._open = None
            split.close()

    def _write(self, name: str, shown: str, split: Split) -> None:
        try:
            written = split.write(self.book.named)
        except ScrubError as error:
            self._tell(str(error))
            return
        if written is None:
            self._tell(f"{shown}: this is no X12 file, and only an 837 is split; nothing of it was written")
        else:
            self.written.append((name, written))

    def _tell(self, sentence: str) -> None:
        self.unsplit += 1
        complain(sentence)
