"""The answer to the sender of a file in a drop folder: what of it was taken, before any worker has looked at it.

TA1 and 999 as `scrub check --format x12` writes them; the 277CA of a claim that was sent to the queue says that it was
received, and no more. A set, group or interchange that the answer rejects is not sent: the sender sends it again, and
would else be told of duplicates. For that its file is read twice. A file that holds no X12 and nothing that can be read
is answered by a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from rules.errors import Problem
from worker.cli.common.sources import Intake
from worker.intake.document import Document, Refusal

if TYPE_CHECKING:
    from worker.intake.dropfolder import Answer, Taken
    from worker.intake.x12.ended import Level

_IN_MEMORY = 2**22
_REJECTED = (
    "the {level} around this claim is rejected in the answer to the sender ({codes}), so that nothing of it is taken; "
    "mend that and send it again"
)
_NAMES = {"ISA": "interchange", "GS": "group", "ST": "transaction set"}
_ANSWERS = {"ISA": "TA1", "GS": "999 AK9", "ST": "999 IK5"}


class Answering:
    """Reads the documents of a taken file, and makes the answer to it."""

    def __init__(self, intake: Intake, taken: Taken) -> None:
        from worker.intake.x12.answers import Answers

        assert taken.stream is not None
        self._intake = intake
        self._stream = taken.stream
        self._out: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._answers = Answers(self._out, datetime.now().astimezone())
        self._rejected: dict[str, tuple[Level, tuple[str, ...]]] = {}
        self._read = 0

    def documents(self, name: str) -> Iterator[Document]:
        """What is to be sent, in order."""
        from worker.intake.documents import ends

        for ended in ends(self._stream, self._intake.limit):
            if ended.rejected:
                self._rejected[ended.origin] = ended.level, ended.codes
        self._stream.seek(0)
        self._intake.ended = self._answers.ended
        for found in self._intake.within(name, self._stream):
            if not isinstance(found, Document):
                if found.number and found.trace is not None:
                    self._answers.refuse(found)
            elif why := self._why_not(found):
                self._intake.turn_away(Refusal(found.file, found.position, found.number, (Problem("", why),)))
            else:
                before = self._intake.refused
                yield found
                self._read += 1
                if found.trace is not None and self._intake.refused == before:
                    self._answers.receive(found)

    @contextmanager
    def answer(self, refused: Sequence[Mapping[str, Any]]) -> Iterator[Answer | None]:
        """What to put beside the report, if there is anything to answer; `refused`: as the report has it."""
        self._answers.close()
        with self._out:
            if self._answers.count:
                yield ".answer.x12", self._out
            elif refused and not self._read:
                yield ".answer.txt", BytesIO(_text(refused))
            else:
                yield None

    def _why_not(self, document: Document) -> str:
        """Why a claim that was read is not taken all the same; empty: it is."""
        if document.trace is None or not self._rejected:
            return ""
        levels = document.origin.split("/")
        for depth in (1, 2, 3):
            if found := self._rejected.get("/".join(levels[:depth])):
                level, codes = found
                return _REJECTED.format(level=_NAMES[level], codes=f"{_ANSWERS[level]} {', '.join(codes)}")
        return ""


def _text(refused: Sequence[Mapping[str, Any]]) -> bytes:
    lines = ["Nothing in this file could be read, and nothing of it was taken.", ""]
    for one in refused:
        for problem in one["problems"]:
            where = ": ".join(part for part in (one["position"], problem["path"]) if part)
            lines.append(f"{where}: {problem['sentence']}" if where else problem["sentence"])
    return ("\n".join(lines) + "\n").encode()
