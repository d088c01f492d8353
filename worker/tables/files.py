"""The files that are handed over, zip or not, and what is in them: each member with its lines, read once."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from rules.book.pack import BROKEN_ZIP, members_of
from rules.tables.edition import File
from worker.errors import TableRefused

Seen = Callable[[int], None]
"""Called with the bytes that were read since its last call."""
Lines = Iterable[tuple[int, str]]
ENCODING = "latin-1"
_HEAD = 16_384
_FIELD_LIMIT = 2**26
"""Characters of one CSV field: an article of the coverage database has its whole text in one."""
_LONGEST_LINE = _FIELD_LIMIT
_MOST_NESTED = 2**28
"""Bytes of a zip in a zip, which is held in memory; those of the coverage database have a tenth."""
_MOST_SWELL = 20
"""How many times its size a zip in a zip may have unpacked: a zip does not shrink much when it is packed again."""
_DEEPEST = 3
_MOST_MEMBERS = 10_000


class Fault(Exception):
    """One thing that is wrong with an official file."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Member:
    """A text that was handed over: a file, or one in a zip."""

    file: Path
    """As it was handed over."""
    path: str
    """Names of the zips around it and its own, with slashes between."""
    size: int
    archive: Path | bytes | None = None
    """The zip that it is in: a file, or the content of a zip in a zip."""
    inner: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    def head(self) -> str:
        """Its first 16 KiB."""
        with self._open() as stream:
            return stream.read(_HEAD).decode(ENCODING)

    def lines(self, seen: Seen, *, ended: bool = True) -> Generator[tuple[int, str], None, None]:
        """Its lines with their ends, numbered from 1. `ended`: whether the last one must have an end; CMS publishes
        some files where it has none.

        Raises:
            Fault: the file is damaged, or its last line has no end, as of a file that was cut short.
        """
        number, line = 0, "\n"
        with self._open() as stream:
            unseen = 0
            for number, raw in enumerate(iter(lambda: stream.readline(_LONGEST_LINE + 1), b""), 1):
                if len(raw) > _LONGEST_LINE:
                    raise Fault(number, f"the line has more than {_LONGEST_LINE} bytes: this is another kind of file")
                unseen += len(raw)
                if unseen > 2**20:
                    seen(unseen)
                    unseen = 0
                line = raw.decode(ENCODING)
                yield number, line
            seen(unseen)
        if ended and not line.endswith(("\n", "\x1a")):
            raise Fault(number, "the last line has no line end: the file is cut short; get it again")

    def records(self, seen: Seen) -> Generator[tuple[int, list[str]], None, None]:
        """Its CSV records, each with the number of its last line."""
        csv.field_size_limit(_FIELD_LIMIT)
        with closing(self.lines(seen)) as lines:
            reader = csv.reader((line for _, line in lines), strict=True)
            try:
                for record in reader:
                    yield reader.line_num, record
            except csv.Error as error:
                sentence = f"is no CSV ({error}): the file is cut short or damaged; get it again"
                raise Fault(reader.line_num, sentence) from None

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        try:
            with ExitStack() as opened:
                if self.archive is None:
                    yield opened.enter_context(self.file.open("rb"))
                else:
                    yield opened.enter_context(opened.enter_context(_archive(self.archive)).open(self.inner))
        except BROKEN_ZIP:
            raise Fault(0, "the zip is cut short, damaged or encrypted; get it again") from None
        except OSError as error:
            raise Fault(0, f"cannot be read ({error.strerror or type(error).__name__})") from None


def _archive(source: Path | bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source))


def members(file: Path) -> list[Member]:
    """The texts in a file: itself, or what is in the zip and in the zips in it.

    Raises:
        TableRefused: it cannot be read, or is a damaged zip.
    """
    try:
        if not zipfile.is_zipfile(file):
            if file.suffix.lower() == ".zip":
                raise zipfile.BadZipFile
            return [Member(file, file.name, file.stat().st_size)]
        found = list(islice(_inside(file, file.name, file), _MOST_MEMBERS + 1))
        if len(found) > _MOST_MEMBERS:
            raise TableRefused([f"{file}: has more than {_MOST_MEMBERS} files in it, which no official zip has"])
        return found
    except BROKEN_ZIP:
        raise TableRefused([f"{file}: is no whole zip: it is cut short, damaged or encrypted; get it again"]) from None
    except OSError as error:
        raise TableRefused([f"{file}: {error.strerror or 'cannot be read'}"]) from None


def _inside(file: Path, path: str, source: Path | bytes, depth: int = 1) -> Iterator[Member]:
    with _archive(source) as archive:
        for info in members_of(archive):
            if info.is_dir():
                continue
            here = f"{path}/{info.filename}"
            if info.filename.lower().endswith(".zip"):
                yield from _inside(file, here, _nested(archive, info, here, depth), depth + 1)
            else:
                yield Member(file, here, info.file_size, source, info.filename)


def _nested(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, depth: int) -> bytes:
    """The zip in a zip, which its own header says is of a size that can be.

    Raises:
        TableRefused: it is not (python/cpython#110016 has the ways to pack gigabytes into kilobytes).
    """
    most = min(_MOST_NESTED, 2**20 + _MOST_SWELL * info.compress_size)
    if depth > _DEEPEST or info.file_size > most:
        what = (
            f"more than {_DEEPEST} zips within each other" if depth > _DEEPEST else f"a zip of more than {most} bytes"
        )
        raise TableRefused([f"{path}: is {what}, which no official file is; get it again"])
    return archive.read(info)


def identity(file: Path) -> File:
    """Name and SHA-256 of a file as it was handed over."""
    with file.open("rb") as stream:
        return File(name=file.name, sha256=hashlib.file_digest(stream, "sha256").hexdigest())


def worded(text: str) -> str:
    """A heading without line breaks and runs of blanks."""
    return " ".join(text.split())


_DATES = (
    re.compile(r"(\d{4})-(\d\d)-(\d\d)"),
    re.compile(r"(\d{4})(\d\d)(\d\d)$"),
    re.compile(r"(\d\d)/(\d\d)/(\d{4})"),
)


def day_of(text: str) -> date | None:
    """A date as these files write it: YYYYMMDD, YYYY-MM-DD or MM/DD/YYYY, perhaps with a time behind."""
    for pattern in _DATES:
        if found := pattern.match(text.strip()):
            year, month, day = map(int, found.groups())
            try:
                return date(day, year, month) if pattern is _DATES[2] else date(year, month, day)
            except ValueError:
                return None
    return None
