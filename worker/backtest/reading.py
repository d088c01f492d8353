"""Reading the files of a backtest: remittances, then claims, each file to its end, with its digest.

Files are read side by side, a few megabytes of them in each process, and taken in their order: so what comes of them is
the same however many cores there are. What a process has read waits in a file without a name on the disk.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, RawIOBase
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from rules.errors import Problem
from rules.printable import printable
from worker.backtest.backtest import Backtest, File
from worker.backtest.result import Kind
from worker.backtest.taking import TakenClaim, TakenPayment, Taking, payment
from worker.cores import quiet
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.intake.x12.remittance import Payment, read_remittances

_PIECE = 2**16
TOGETHER = 2**21
"""Bytes of files that one process reads."""
_FRAME = 500
"""Records that are handed over at once."""
MOST_SHOWN = 1_000
"""Refusals that are told; all are counted."""


class _Source(NamedTuple):
    """A file that is to be read."""

    name: str
    of: Kind
    number: int


class _Ended(NamedTuple):
    """The end of a file."""

    file: File
    size: int


class _Refused(NamedTuple):
    """What could not be read."""

    refusal: Refusal
    claim: bool


_Found = TakenClaim | TakenPayment | _Refused | _Ended


class Reading:
    """The files, and what of them could not be read."""

    def __init__(
        self,
        limit: int,
        opener: Callable[[str], IO[bytes]],
        refuse: Callable[[Refusal], None] = lambda _: None,
        cores: int = 1,
        together: int = TOGETHER,
    ) -> None:
        """`limit`: bytes of a document; `opener` opens a file, `refuse` is told what cannot be read. `together`: bytes
        of files that one process reads."""
        self._limit, self._opener, self._tell = limit, opener, refuse
        self._cores, self._together = cores, together
        self.refused = 0

    def run(
        self, one: Backtest, claims: Sequence[str], answers: Sequence[str], manifest: Path | None,
        told: Callable[[int], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Remittances first: of claims that nobody answered less is kept."""
        if manifest:
            one.finished(File(str(manifest), "manifest", hashlib.sha256(manifest.read_bytes()).hexdigest(), 0))
        of_claims = enumerate(claims, len(answers) + bool(manifest))
        sources = [_Source(file, "answers", 0) for file in answers]
        sources += [_Source(file, "claims", number) for number, file in of_claims]
        for found in self._every(sources, partial(_read, one.taking, self._opener, self._limit)):
            if isinstance(found, TakenClaim):
                one.submitted(found)
            elif isinstance(found, TakenPayment):
                one.remitted(found)
            elif isinstance(found, _Ended):
                told(found.size)
                one.finished(found.file)
            else:
                self._refuse(one, found)

    def _every(self, sources: Sequence[_Source], read: Callable[[_Source], Iterator[_Found]]) -> Iterator[_Found]:
        batches = list(_batches(sources, self._together))
        if self._cores < 2 or len(batches) < 2:
            return (found for source in sources for found in read(source))
        return _side_by_side(batches, read, self._cores)

    def _refuse(self, one: Backtest, found: _Refused) -> None:
        refusal = found.refusal
        self.refused += 1
        one.unreadable(refusal.file, refusal.position, claim=found.claim)
        if self.refused <= MOST_SHOWN:
            self._tell(refusal)


# a file


def _read(taking: Taking, opener: Callable[[str], IO[bytes]], limit: int, source: _Source) -> Iterator[_Found]:
    """What is in a file, and at last its end."""
    name = "stdin" if source.name == "-" else printable(source.name)
    records, digest, size = 0, hashlib.sha256(), 0

    def seen(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += len(data)

    try:
        with opener(source.name) as content:
            stream = BufferedReader(cast(Any, _Seen(content, seen)))
            every = _answers(name, stream) if source.of == "answers" else _claims(name, stream, taking, limit, source)
            for found in every:
                records += not isinstance(found, _Refused)
                yield found
            while stream.read(_PIECE):  # a reader may leave off: the digest is of the whole file
                pass
    except (OSError, ValueError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else "this is no file name"
        yield _Refused(Refusal(name, "", 0, (Problem("", why),)), claim=False)
    yield _Ended(File(name, source.of, digest.hexdigest(), records), size)


def _answers(name: str, stream: IO[bytes]) -> Iterator[_Found]:
    for found in read_remittances(name, stream):
        if isinstance(found, Refusal):
            yield _Refused(found, claim=False)
        elif isinstance(found, Payment):
            yield payment(found)


def _claims(name: str, stream: IO[bytes], taking: Taking, limit: int, source: _Source) -> Iterator[_Found]:
    for found in read_documents(name, stream, limit=limit):
        if isinstance(found, Refusal):
            yield _Refused(found, claim=found.number > 0)
        elif isinstance(found, Document):
            yield taking.claim(found, source.number)


class _Seen(RawIOBase):
    """A stream whose bytes are told to others as they are read."""

    def __init__(self, stream: IO[bytes], told: Callable[[bytes], object]) -> None:
        self._stream, self._told = stream, told

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._told(data)
        return len(data)


# files, side by side


def _batches(sources: Iterable[_Source], together: int) -> Iterator[list[_Source]]:
    """Files that one process reads, in order; standard input is read by none but this one."""
    batch, size = list[_Source](), 0
    for source in sources:
        if source.name == "-":
            yield from ([batch] if batch else [])
            yield [source]
            batch, size = [], 0
            continue
        batch.append(source)
        size += _size(source.name)
        if size >= together:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size
    except (OSError, ValueError):  # reading it reports that
        return 0


@dataclass(slots=True)
class _Batch:
    """Files, and what reads them; no process: this one does."""

    sources: list[_Source]
    process: Any
    into: IO[bytes]


def _side_by_side(
    batches: Iterable[list[_Source]], read: Callable[[_Source], Iterator[_Found]], cores: int
) -> Iterator[_Found]:
    to_come = iter(batches)
    with _ended(deque[_Batch]()) as under_way:
        while True:
            # One more than there are cores: while this process takes what one has read, the others read on.
            under_way.extend(_begun(batch, read) for batch in islice(to_come, cores + 1 - len(under_way)))
            if not under_way:
                return
            batch = under_way[0]
            if batch.process:
                batch.process.join()
            if batch.process and batch.process.exitcode == 0:
                batch.into.seek(0)
                yield from _frames(batch.into)
            else:  # where something ended it, this process says what
                yield from (found for source in batch.sources for found in read(source))
            under_way.popleft()
            batch.into.close()


@contextmanager
def _ended(under_way: deque[_Batch]) -> Iterator[deque[_Batch]]:
    """Ends what still reads when nobody takes it any more."""
    try:
        yield under_way
    finally:
        for batch in under_way:
            if batch.process:
                batch.process.terminate()
                batch.process.join()
            batch.into.close()


def _begun(sources: list[_Source], read: Callable[[_Source], Iterator[_Found]]) -> _Batch:
    into = cast(IO[bytes], tempfile.TemporaryFile())  # noqa: SIM115  it is closed once it was taken
    if any(source.name == "-" for source in sources):
        return _Batch(sources, None, into)
    process = multiprocessing.get_context("fork").Process(target=_into, args=(sources, read, into), daemon=True)
    process.start()
    return _Batch(sources, process, into)


def _into(sources: list[_Source], read: Callable[[_Source], Iterator[_Found]], into: IO[bytes]) -> None:
    """In a process of its own: reads the files, and ends with 1 and no word where that fails."""
    quiet()
    try:
        every = (found for source in sources for found in read(source))
        while frame := [(_KINDS.index(type(found)), tuple(found)) for found in islice(every, _FRAME)]:
            pickle.dump(frame, into, pickle.HIGHEST_PROTOCOL)
        into.flush()
    except BaseException:  # noqa: BLE001  the main process reads the files again, and says what is wrong
        os._exit(1)


_KINDS: tuple[Any, ...] = (TakenClaim, TakenPayment, _Refused, _Ended)


def _frames(stream: IO[bytes]) -> Iterator[_Found]:
    while True:
        try:
            frame = pickle.load(stream)  # noqa: S301  a process of ours wrote it into a file without a name
        except EOFError:
            return
        for kind, values in frame:
            yield _KINDS[kind]._make(values)
