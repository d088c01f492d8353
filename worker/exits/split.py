"""An 837 into the files of its classes: read once for the verdicts, and once more for the bytes.

What the answer to the sender rejects, and what is not understood, goes into no file: its claims are `refused`, each
with its place in the original and a sentence. Nothing has a name before everything is on the disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from rules.report import BookId, Report
from worker.errors import SplitFailed
from worker.exits.classes import CLASSES, OUTGOING, Class, Classes, Note, OutgoingClass
from worker.exits.folder import MANIFEST, Folder
from worker.exits.levels import TRAILERS, Levels, ordinals, parts
from worker.exits.manifest import Control, Original, Repair, Rows, SplitClaim, SplitFile, SplitSet, Total, write
from worker.exits.marks import PASSED, marks
from worker.exits.outgoing import Outgoing, Part, Renumbered, Source, header
from worker.exits.staged import StagedFolder
from worker.intake.document import Document, Refusal
from worker.intake.filenames import name_fields
from worker.intake.gunzip import Gunzip
from worker.intake.x12.answers import Answers
from worker.intake.x12.ended import Ended
from worker.intake.x12.reader import turned_down
from worker.intake.x12.written import ControlNumbers
from worker.logs.printable import json_bytes

_CHUNK = 2**16
_ANSWER, _REPORTS = ".answer.x12", ".reports.ndjson"
Going = tuple[OutgoingClass, bool]
"""What a file of claims is for, and whether it is to be sent."""
TRIAL = ".trial"
LATER = ".837"
"""The end of the name of what leaves later, behind its number."""
_GOING: Mapping[Class, OutgoingClass] = {kind: kind for kind in OUTGOING}
ALONE = "the claim is in no subscriber, transaction set, group or interchange that is open, so that it cannot go on"
_HEADER = (
    "the ISA around this claim is not as the standard has it, and to mend it would be to guess: mend it in the system "
    "that exports the file"
)
_STRAYS = (
    "a level around this claim holds segments that have no place there, perhaps of another patient, and they would go "
    "on with it: mend the file in the system that exports it"
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A claim that leaves later: where it is in the original, and what is written otherwise of it."""

    offset: int
    bytes: int
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """Claims of an original that leave after the others."""

    number: int
    """Of their files."""
    original: Original
    claims: Mapping[int, Leaving]
    """By their numbers in the original."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a split came to."""

    folder: Path
    manifest: str
    totals: Mapping[Class, Total]


class Split:
    """One file on its way. `content` is to be read by the reader of documents, and what it finds is to be told."""

    def __init__(
        self, name: str, stream: IO[bytes], folder: Path | Folder | StagedFolder, *, trial: bool, now: datetime,
        later: Later | None = None,
    ) -> None:  # fmt: skip
        """`stream`: copied, so that what is read and what is split is the same, whoever writes on; `later`: of claims
        that were held, and leave after the others.

        Raises:
            SplitRefused: the folder cannot be used, or a file of this name is there.
        """
        self._name, self._trial, self._now, self._later = name, trial, now, later
        self._classes = Classes()
        self._folder = Folder(folder, name, TRIAL if trial else "") if isinstance(folder, Path) else folder
        self._read = 0
        with ExitStack() as held:
            held.callback(self._classes.close)
            held.callback(self._folder.close)
            self._folder.open(LATER_ENDS if later else ENDS)
            self.content = held.enter_context(_copied(stream))
            self._reports = self._folder.begin(_REPORTS)
            self._answers = Answers(self._folder.begin(_ANSWER), now, claims_alone=later is not None)
            held.callback(self._answers.close)
            # Told in the answer to the sender, before the second pass.
            with self._plain() as plain:
                self._unmended = unmendable(plain, trial=trial)
            self.content.seek(0)
            self._held = held.pop_all()

    def decide(self, document: Document, report: Report, *, sent: bool = False) -> None:
        """Takes the verdict on a claim of an 837. `sent`: whether the file that it goes into is to be sent."""
        self._reports.write(json_bytes(report, default=str) + b"\n")
        self._read += 1
        if why := unfit(document, self._unmended):
            self.refuse(turned_down(document, why))
        else:
            self._classes.decide(document, report, sent=sent)
            self._answers.accept(document, report)

    def leave(self, document: Document, why: str, *, sent: bool) -> None:
        """Takes a claim on which there is no verdict."""
        self._classes.leave(document, why, sent=sent)
        self._answers.receive(document)

    def repeat(self, document: Document, why: str, first: int | None = None, first_file: str | None = None) -> None:
        """Takes a claim that came before."""
        self._classes.repeat(document, why, first, first_file)
        self._answers.receive(document)

    def pass_over(self, item: Document | Refusal) -> None:
        """Takes a claim that does not leave now."""
        self._classes.pass_over(item)

    def refuse(self, refusal: Refusal) -> None:
        """Takes what could not be read."""
        self._classes.refuse(refusal)
        if refusal.number and refusal.trace is not None:
            self._answers.refuse(refusal)

    def ended(self, ended: Ended) -> None:
        """Takes what of the envelope is over (`read_documents`)."""
        self._classes.ended(ended)
        usage = {"usage": "T"} if self._trial else {}
        self._answers.ended(replace(ended, parties={**ended.parties, **usage}))

    def write(self, book: BookId) -> Written | None:
        """Writes the files; None: the file is no X12, and nothing is written.

        Raises:
            SplitFailed
            SplitRefused
            OSError: the folder cannot be written.
        """
        self._answers.close()
        if not self._classes.interchanges:
            return None
        with (
            self._plain() as plain,
            closing(_Second(plain, self._classes, self._begin, self._number, self._trial, self._later)) as second,
        ):
            second.run()
            return self._release(second, plain is not self.content, book)

    def close(self) -> None:
        """Lets go of everything that has no name."""
        self._held.close()

    def _begin(self, going: Going) -> IO[bytes]:
        return self._folder.begin(self._end_of(going))

    def _end_of(self, going: Going) -> str:
        return LATER if self._later and going[0] == "clean" else _end_of(going)

    def _number(self) -> int:
        return ControlNumbers.next(self._now)

    def _plain(self) -> AbstractContextManager[IO[bytes]]:
        return plain_of(self.content)

    def _release(self, second: _Second, packed: bool, book: BookId) -> Written:
        files, ends = [], []
        for (kind, send), outgoing in second.outgoing.items():
            end = self._end_of((kind, send))
            sealed = self._folder.sealed(end)
            ends.append(end)
            charge = str(outgoing.charge)
            files.append(SplitFile(kind, sealed.name, sealed.bytes, sealed.sha256, outgoing.claims, charge, send))
        if self._answers.count:
            ends.append(_ANSWER)
            sealed = self._folder.sealed(_ANSWER)
            files.append(SplitFile("answer", sealed.name, sealed.bytes, sealed.sha256))
        if self._read:
            ends.append(_REPORTS)
            sealed = self._folder.sealed(_REPORTS)
            files.append(SplitFile("reports", sealed.name, sealed.bytes, sealed.sha256, self._read))
        head = {
            "trial": self._trial,
            "number": self._later.number if self._later else 1,
            "written": self._now.isoformat(timespec="seconds"),
            "original": self._later.original if self._later else original_of(self._name, self.content, packed=packed),
            "book": book,
            "totals": second.totals,
            "faults": tuple(self._classes.faults),
        }
        write(self._folder.begin(MANIFEST), head, files, second.sets, second.claims)
        self._folder.sealed(MANIFEST)
        self._folder.release(*ends, MANIFEST)
        return Written(self._folder.path, self._folder.called(MANIFEST), second.totals)


def original_of(name: str, content: IO[bytes], *, packed: bool) -> Original:
    """What a manifest says of the file that came in."""
    content.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Original(bytes=size, sha256=digest.hexdigest(), packed=packed, **name_fields(name))


def unfit(document: Document, unmended: frozenset[int]) -> str:
    """Why a claim that was read cannot go on, whatever its verdict; empty: it can. `unmended`: see `unmendable`."""
    if ordinals(document.origin)[0] in unmended:
        return _HEADER
    return _STRAYS if (document.trace or {}).get("strays") else ""


def unmendable(plain: IO[bytes], *, trial: bool) -> frozenset[int]:
    """The interchanges whose ISA goes into no file, by their place in this one."""
    found, count, source = [], 0, Source(plain)
    for mark in marks(plain):
        count += mark.name in ("ISA", PASSED)
        if mark.name == "ISA" and not header(source.read(mark.start, mark.end), mark, trial=trial):
            found.append(count)
    return frozenset(found)


@contextmanager
def plain_of(content: BufferedReader) -> Iterator[IO[bytes]]:
    """The content as the reader read it: itself, or unpacked into a file of its own."""
    content.seek(0)
    packed = content.read(2) == b"\x1f\x8b"
    content.seek(0)
    if not packed:
        yield content
        return
    with BufferedReader(Gunzip(content)) as unpacked, _copied(unpacked) as plain:
        yield plain


def _copied(stream: IO[bytes]) -> BufferedReader:
    """A copy in a file without a name. It is no other kind of file, since that would be closed with what the reader of
    documents puts around it."""
    with TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, _CHUNK)
        copy.seek(0)
        return os.fdopen(os.dup(copy.fileno()), "rb")


class _Second:
    """The second pass: each claim into the file of its class."""

    def __init__(
        self,
        plain: IO[bytes],
        classes: Classes,
        begin: Callable[[Going], IO[bytes]],
        number: Callable[[], int],
        trial: bool,
        later: Later | None,
    ) -> None:
        self._later = later
        self.outgoing: dict[Going, Outgoing] = {}
        self.sets, self.claims = Rows(), Rows()
        self._plain, self._begin, self._number, self._trial = plain, begin, number, trial
        self._source = Source(plain)
        self._notes = classes.notes()
        self._open = Levels()
        self._count = 0
        self._totals = {kind: (0, Decimal(0)) for kind in CLASSES}
        self._seen = sqlite3.connect("")  # on the disk, and gone when it is closed
        self._seen.execute("CREATE TABLE seen (claim BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")

    @property
    def totals(self) -> dict[Class, Total]:
        """Claims and dollars by class."""
        return {kind: Total(count, str(charge)) for kind, (count, charge) in self._totals.items()}

    def run(self) -> None:
        """Goes through the file.

        Raises:
            SplitFailed: the reader saw other claims.
        """
        for part in parts(self._plain):
            self._step(part)
        if next(self._notes, None) is not None:
            raise SplitFailed("not all claims that were read are found in its bytes")
        if not all(outgoing.whole for outgoing in self.outgoing.values()):
            raise SplitFailed("what was opened in a file is not ended")

    def close(self) -> None:
        """Lets go of what it noted."""
        self._seen.close()
        self.sets.close()
        self.claims.close()

    def _step(self, part: Part) -> None:
        self._open.step(part)
        if part.mark.name == "CLM":
            self._claim(part)
        elif part.mark.name in TRAILERS:
            for outgoing in self.outgoing.values():
                outgoing.end(part)

    def _claim(self, part: Part) -> None:
        self._count += 1
        note = next(self._notes, None)
        if note is None or note.number != self._count or ordinals(note.origin) != self._open.ordinals:
            raise SplitFailed("the claims that were read are not those that are found in its bytes")
        if not note.kind:
            return
        kind, why, first, around = note.kind, note.why, note.first, self._open.around
        if kind in OUTGOING:
            if around is None:
                kind, why = "refused", ALONE
            elif first := self._before(part, note):
                kind, why = "repeated", same_as(first)
        if around is not None and (going := _GOING.get(kind)):
            self._out((going, note.sent)).take(around, part, note.charge)
        count, charge = self._totals[kind]
        self._totals[kind] = count + 1, charge + Decimal(note.charge or 0)
        codes = note.codes if kind == "held" else ()
        place = Leaving(part.mark.start, part.end - part.mark.start)
        if self._later:
            place = self._later.claims[note.number]
        self.claims.add(
            SplitClaim(
                note.number, note.position, note.claim_id, kind, codes, why, first, note.first_file,
                note.sent and kind in OUTGOING, note.charge, place.offset, place.bytes, place.repairs,
            )
        )  # fmt: skip

    def _before(self, part: Part, note: Note) -> int | None:
        """The claim of this file that the claim repeats: the same bytes under the same levels."""
        digest = hashlib.sha256(bytes.fromhex(note.digest))
        for chunk in self._source.chunks(part.mark.start, part.end):
            digest.update(chunk)
        key = digest.digest()
        if self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, note.number)).rowcount:
            return None
        found: int = self._seen.execute("SELECT number FROM seen WHERE claim = ?", (key,)).fetchone()[0]
        return found

    def _out(self, going: Going) -> Outgoing:
        if going not in self.outgoing:

            def renumbered(found: Renumbered) -> None:
                isa13, gs06, st02 = (Control(*pair) for pair in found[:3])
                self.sets.add(SplitSet(*going, isa13, gs06, st02, Control(*found.batch) if found.batch else None))

            self.outgoing[going] = Outgoing(self._begin(going), self._source, self._number, self._trial, renumbered)
        return self.outgoing[going]


def same_as(first: int) -> str:
    """Why a claim is repeated."""
    return f"the same as claim {first} of this file, in every byte and every field read"


def _end_of(going: Going) -> str:
    """`.clean.837`; of what would stay and is sent all the same, `.unchecked.send.837`."""
    kind, send = going
    return f".{kind}.send.837" if send and kind != "clean" else f".{kind}.837"


ENDS = (*(_end_of((kind, send)) for kind in OUTGOING for send in (False, True)), _ANSWER, _REPORTS, MANIFEST)
"""Of the names of all files that one may become."""
LATER_ENDS = (LATER, *ENDS)
