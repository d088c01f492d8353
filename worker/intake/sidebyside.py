"""Files read and judged in several processes, with what one process would have made of them, in its order.

A file is cut into pieces: an 837 where a walk can be taken up again (`x12.stretches`), NDJSON between lines; what can
be cut nowhere is one piece that this process reads. Pieces carry bytes, so that a pipe or a packed file is no other
case. The first piece is read here: small inputs need no other process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from io import BufferedReader, BytesIO, RawIOBase
from itertools import groupby
from operator import itemgetter
from select import select
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Union, cast

from worker.cores import Here, in_order
from worker.intake.document import Document
from worker.intake.documents import Known, counted, in_lines, is_x12, opened, read_from, read_lines

if TYPE_CHECKING:  # files of other formats are read without the tables of X12
    from worker.intake.x12.ended import Ended
    from worker.intake.x12.stretches import Stretches, X12Stretch

PIECE = 2**18
"""Bytes of a piece."""
MOST_LINES = 2_000
"""Of a piece: lines that say next to nothing cost as much as others."""


class _Whole(NamedTuple):
    """A file of one piece; `rest`: what follows is read with it."""

    content: bytes
    packed: bool
    rest: BufferedReader | None = None


class _Lines(NamedTuple):
    """Lines of NDJSON, the first of which has this number."""

    content: bytes
    number: int
    rest: BufferedReader | None = None


_Stretch = Union[_Whole, _Lines, "X12Stretch"]


class _Piece(NamedTuple):
    """Bytes of a file."""

    file: int
    """Number of the file."""
    name: str
    of: _Stretch
    done: list[Any] | None = None
    """What was found in it, and its end."""


class _Over(NamedTuple):
    """A file is over."""

    file: int
    name: str
    fault: str = ""
    error: OSError | ValueError | None = None


class _Told(NamedTuple):
    """What has ended in a file, at its place among what was found."""

    ended: Ended


class _Alone(NamedTuple):
    """In place of the end of a piece: it holds resources of FHIR, to which later lines may refer."""


Source = tuple[str, Callable[[], AbstractContextManager[IO[bytes]]]]
"""The name of a file, and what opens it."""


class Unread(OSError):
    """A file cannot be opened or read to its end; `why`: what was raised."""

    def __init__(self, why: OSError | ValueError) -> None:
        super().__init__()
        self.why = why


class Job(NamedTuple):
    """What every process has from the start."""

    work: Callable[[Document], Any]
    limit: int
    """Bytes of one document."""
    codes: Collection[str] | None
    """As of `read_documents`."""


class SideBySide:
    """Reads files on several cores."""

    def __init__(self, job: Job, cores: int, told: Callable[[int], None] = lambda _: None, piece: int = PIECE) -> None:
        """`told`: is told the bytes of each piece, unpacked, once it is done. `piece`: bytes of a piece."""
        self._job, self._cores, self._told, self._size = job, cores, told, piece
        self._alone = False
        """Whether the file at hand can only be read by this process."""
        self._left = -1
        """Number of the last file of which nothing more is wanted, though it may not have been read to its end."""

    def read(self, name: str, stream: IO[bytes], ended: Callable[[Ended], None] | None = None) -> Iterator[Any]:
        """What `work` makes of each document of the stream, and all else as `read_documents` gives it.

        Raises:
            WorkEnded, Unread
        """
        for _, found in self.every([(name, lambda: nullcontext(stream))], ended):  # it stays open
            yield from found

    def every(
        self, files: Iterable[Source], ended: Callable[[Ended], None] | None = None
    ) -> Iterator[tuple[str, Iterator[Any]]]:
        """The same of several files, each with its name. What cannot be opened raises when it is read."""
        self._left = -1
        with closing(in_order(_read, self._pieces(files), self._job, self._cores, alone=1)) as done:
            every = (one.part if isinstance(one, Here) else one for one in done)
            for (number, name), pieces in groupby(every, key=itemgetter(0, 1)):
                faults: list[str] = []
                yield name, counted(name, self._found(name, pieces, ended, faults), partial("".join, faults))
                self._left = number

    def _found(
        self, name: str, pieces: Iterator[_Piece | _Over], ended: Callable[[Ended], None] | None, faults: list[str]
    ) -> Iterator[Any]:
        stretches: Stretches | None = None
        known, self._alone = None, False
        for piece in pieces:
            if isinstance(piece, _Over):
                if piece.error:
                    raise Unread(piece.error)
                faults.append(piece.fault)
                return
            of = piece.of
            items: Iterable[Any] | None = piece.done
            if not isinstance(of, (_Whole, _Lines)):
                stretches = stretches or _stretches(name)
                if of.start != stretches.stands:  # it was foreseen wrongly
                    of, items, self._alone = of._replace(start=stretches.stands), None, True
            if items is None or known or (piece.done and isinstance(piece.done[-1], _Alone)):
                known, self._alone = known or Known(self._job.codes), True
                items = _items(piece._replace(of=of), self._job, known)
            for found in _put_together(stretches, items) if stretches else items:
                if not isinstance(found, _Told):
                    yield found
                elif ended:
                    ended(found.ended)
            self._told(len(of.content))

    # the pieces of the files

    def _pieces(self, files: Iterable[Source]) -> Iterator[_Piece | Here[Any] | None]:
        for number, (name, opener) in enumerate(files):
            try:
                with opener() as stream:
                    reader, unpacked = opened(stream)
                    for of in self._cut(reader, None if unpacked else _live(stream), unpacked is not None):
                        if self._left == number:
                            break
                        piece = of and _Piece(number, name, of)
                        yield piece and (Here(piece) if piece.of.rest else piece)
                        if piece and piece.of.rest:
                            yield None
                    over = _Over(number, name, unpacked.fault if unpacked else "")
            except (OSError, ValueError) as error:
                over = _Over(number, name, error=error)
            yield Here(over)

    def _cut(
        self, reader: BufferedReader, live: int | None, packed: bool
    ) -> Iterator[_Whole | _Lines | X12Stretch | None]:
        """`live`: a pipe or terminal, on which more may be long in coming; it is waited for when all that is there is
        done."""
        head, ended = b"", False
        while len(head) < self._size and not ended and not (live and in_lines(head) and not _ready(live)):
            block = reader.read1(self._size - len(head))
            head, ended = head + block, not block
        if ended:
            yield _Whole(head, packed)
        elif is_x12(head):
            from worker.intake.x12.stretches import x12_stretches

            yield from x12_stretches(reader, head, self._size, lambda: self._alone)
        elif in_lines(head):
            yield from self._lines(reader, head, live)
        else:
            yield _Whole(head, packed, reader)

    def _lines(self, reader: BufferedReader, data: bytes, live: int | None) -> Iterator[_Lines | None]:
        number = 1
        while True:
            last = data.rfind(b"\n") + 1
            if self._alone or len(data) - last > self._job.limit:
                yield _Lines(data, number, reader)
                return
            if last:
                cut = _end_of_lines(data, last)
                yield _Lines(data[:cut], number)
                number += data.count(b"\n", 0, cut)
                data = data[cut:]
                if cut < last:
                    continue
            if live and not _ready(live):
                yield None
            block = reader.read1(self._size) if live else reader.read(self._size)
            data += block
            if not block:
                if data:
                    yield _Lines(data, number)
                return


def _end_of_lines(data: bytes, last: int) -> int:
    """Where as many whole lines end as one piece has; `last`: where the last of them ends."""
    if data.count(b"\n", 0, last) <= MOST_LINES:
        return last
    end = 0
    for _ in range(MOST_LINES):
        end = data.index(b"\n", end) + 1
    return end


def _live(stream: IO[bytes]) -> int | None:
    """Its file descriptor where it is no file on a disk."""
    try:
        number = stream.fileno()
        return None if stat.S_ISREG(os.fstat(number).st_mode) else number
    except (OSError, ValueError, AttributeError):
        return None


def _ready(live: int) -> bool:
    return bool(select([live], [], [], 0)[0])


def _read(piece: _Piece, job: Job) -> _Piece:
    """What is in a piece, without its bytes where they are not wanted any more."""
    known = Known(job.codes)
    done = list(_items(piece, job, known))
    if known.asked and isinstance(piece.of, _Lines):
        done = [_Alone()]
    return piece._replace(done=done)


def _items(piece: _Piece, job: Job, known: Known) -> Iterator[Any]:
    name, of = piece.name, piece.of
    every: Iterator[Any]
    told: list[Ended] = []
    if not isinstance(of, (_Whole, _Lines)):
        every = _of_stretch(name, of, job.limit)
    else:
        reader = BufferedReader(cast(Any, _Behind(of.content, of.rest) if of.rest else BytesIO(of.content)))
        if isinstance(of, _Whole) or of.number == 1:
            packed = isinstance(of, _Whole) and of.packed
            every = read_from(name, reader, job.limit, known, packed=packed, ended=told.append)
        else:
            every = read_lines(name, reader, job.limit, of.number, [], known)
    for found in every:
        if told:  # before it was found
            yield from map(_Told, told)
            told.clear()
        yield job.work(found) if isinstance(found, Document) else found
    yield from map(_Told, told)


def _of_stretch(name: str, stretch: X12Stretch, limit: int) -> Iterator[Any]:
    from worker.intake.x12.ended import Ended
    from worker.intake.x12.stretches import read_stretch

    for found in read_stretch(name, stretch, limit):
        yield _Told(found) if isinstance(found, Ended) else found


def _stretches(name: str) -> Stretches:
    from worker.intake.x12.stretches import Stretches

    return Stretches(name)


def _put_together(stretches: Stretches, items: Iterable[Any]) -> Iterator[Any]:
    from worker.intake.x12.stretches import StretchEnd

    for item in items:
        if isinstance(item, StretchEnd):
            yield from stretches.end(item)
        elif isinstance(item, _Told):
            yield _Told(cast("Ended", stretches.take(item.ended)))
        else:
            yield stretches.take(item)


class _Behind(RawIOBase):
    """Bytes, and what follows them."""

    def __init__(self, content: bytes, rest: BufferedReader) -> None:
        self._content, self._rest = BytesIO(content), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._content.read(len(buffer)) or self._rest.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)
