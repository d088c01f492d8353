"""Which book the workers judge by: their own (SCRUB_BOOK, else the shipped one), or one that a person put in force.

The book in force is in Redis, packed, so that all workers have it; each process looks before every batch and takes it
up between two. A rollback puts the one before in force again, step by step back to the workers' own.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from rules.book import Book
from rules.errors import PackInvalid, ScrubError
from rules.loader import read_book, version_of
from rules.pack import Files, unpacked
from worker import kept, signature
from worker.audit import Audit
from worker.auditline import AuditLine, who
from worker.commit import script
from worker.errors import BookNotThere, CommitRefused, NothingToRollBack, SwitchedMeanwhile
from worker.keys import Keys
from worker.logs import log
from worker.overrides import Layer

_HELD = "10"
"""Packed books that Redis holds; a rollback beyond them wants the file again."""
_SIGNATURE = 64


@dataclass(frozen=True, slots=True)
class BookName:
    """A book by version and digest."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of the book in force."""

    moment: float
    """Seconds since 1970, by the clock of who did it."""
    book: BookName
    before: BookName
    who: str
    reason: str
    own: bool = False
    """Whether the workers judge by their own book again."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What a process of a worker judges by."""

    book: BookName
    refused: str = ""
    """Why it did not take up the book in force; empty: it did, or has not looked since."""


@dataclass(frozen=True, slots=True)
class InForce:
    """Which book is in force, and who judges by which."""

    digest: str | None
    """None: each worker's own."""
    last: Switch | None
    judging: dict[str, Judging] = field(default_factory=dict)
    """By consumer."""


def in_force(redis: Redis, keys: Keys) -> InForce:
    """The state of the switch.

    Raises:
        redis.exceptions.RedisError
    """
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.lindex(keys.book, 0)
        pipeline.lindex(keys.switches, 0)
        pipeline.hgetall(keys.judging)
        digest, last, judging = cast(Any, pipeline.execute())
    said = {
        name.decode("utf-8", "backslashreplace"): orjson.loads(value.partition(b" ")[2])
        for name, value in judging.items()
    }
    return InForce(
        digest.decode() if digest else None,
        _switch(orjson.loads(last)) if last else None,
        {name: Judging(BookName(**one["book"]), one["refused"]) for name, one in said.items()},
    )


def _switch(said: dict[str, Any]) -> Switch:
    return Switch(**{**said, "book": BookName(**said["book"]), "before": BookName(**said["before"])})


def held(redis: Redis, keys: Keys, digest: str, trusted: Path | None) -> Files:
    """The files of a book that Redis holds.

    Raises:
        BookNotThere, BookNotSigned, KeyUnusable, PackInvalid, redis.exceptions.RedisError
    """
    found = cast(bytes | None, redis.hget(keys.books, digest))
    if found is None:
        raise BookNotThere(digest=digest)
    name = f"book {digest[:12]} in Redis"
    try:
        content = zlib.decompress(found[_SIGNATURE:])
    except zlib.error:
        raise PackInvalid(file=name, reason="it cannot be unpacked") from None
    if trusted:
        signature.verify(content, found[:_SIGNATURE].rstrip(b"\0"), trusted, name)
    files = unpacked(name, content)
    if files.digest != digest:
        raise PackInvalid(file=name, reason=f"its content has the digest {files.digest[:12]}")
    return files


@dataclass(slots=True)
class Choice:
    """The book that one process judges by. Make it after the fork."""

    redis: Redis
    keys: Keys
    consumer: str
    own: Book
    folder: Path
    """Where books are kept."""
    layer: Layer
    """The hospital's overrides, which hold over every book."""
    trusted: Path | None = None
    """Public keys; None: signatures are not looked at."""
    _book: Book | None = None
    _wanted: str = ""
    """Digest that this process took up or refused last; empty: its own."""

    def book(self) -> Book:
        """The book in force; the one before where it cannot be used, which is logged once and shown by the status.

        Raises:
            redis.exceptions.RedisError
            FolderUnusable: the overrides of a new day cannot be kept for replays.
        """
        digest = (cast(bytes | None, self.redis.lindex(self.keys.book, 0)) or b"").decode()
        if self._book is None or digest != self._wanted:
            refused = ""
            try:
                found = self._load(digest)
                self.layer.over(found)
                self._book = found
            except ScrubError as error:
                self._book, refused = self._book or self.own, str(error)
                log(__name__).error("the book in force is refused; the one before stays", **{"error.message": refused})
            self._wanted = digest
            self._say(Judging(BookName(self._book.version, self._book.digest), refused.split("\n")[0]))
        return self.layer.over(self._book)

    def _load(self, digest: str) -> Book:
        if digest in ("", self.own.digest):
            return self.own
        files = held(self.redis, self.keys, digest, self.trusted)
        book = read_book(files.library, files.imported, examples=False)
        kept.keep(self.folder, files)
        log(__name__).info("took up another book", **{"book.version": book.version, "book.digest": book.digest})
        return book

    def _say(self, judging: Judging) -> None:
        with suppress(RedisError):
            says = orjson.dumps(asdict(judging)).decode()
            self.redis.eval(script("beat"), 1, self.keys.judging, self.consumer, says)


@dataclass(frozen=True, slots=True)
class Librarian:
    """Puts books in force, for a person who says why. `redis` must not try again by itself."""

    redis: Redis
    keys: Keys
    audit: Audit
    own: Callable[[], Files]
    """The book of this machine's settings."""
    folder: Path

    def switch(self, content: bytes, sealed: bytes, name: str, why: str) -> Switch | None:
        """Puts a packed book in force; None: it is already.

        Raises:
            PackInvalid, BookInvalid: it does not load, and nothing was changed.
            SwitchedMeanwhile, AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        files = unpacked(name, content)
        book = read_book(files.library, files.imported)
        before = self._digest(0)
        if before == book.digest:
            return None
        kept.keep(self.folder, files)
        payload = sealed.ljust(_SIGNATURE, b"\0") + zlib.compress(content)
        return self._put(before, BookName(book.version, book.digest), payload, why)

    def roll_back(self, why: str, trusted: Path | None) -> Switch:
        """Puts the book before the one in force in force again.

        Raises:
            NothingToRollBack, BookNotThere, BookNotSigned, PackInvalid, SwitchedMeanwhile, AuditUnwritable,
            CommitRefused, redis.exceptions.RedisError
        """
        before, last = self._digest(0), self._digest(1)
        if not before:
            raise NothingToRollBack
        files = held(self.redis, self.keys, last, trusted) if last else self.own()
        return self._put(before, _name(files), b"", why, own=not last)

    def _digest(self, place: int) -> str:
        return (cast(bytes | None, self.redis.lindex(self.keys.book, place)) or b"").decode()

    def _named(self, digest: str) -> BookName:
        """The book in force, also where Redis lost its pack: it must be possible to leave it."""
        if not digest:
            return _name(self.own())
        try:
            return _name(held(self.redis, self.keys, digest, None))
        except ScrubError:
            return BookName("?", digest)

    def _put(self, before: str, book: BookName, payload: bytes, why: str, own: bool = False) -> Switch:
        done = Switch(time.time(), book, self._named(before), who(), why, own)
        line: AuditLine = {
            "log.level": "warning",
            "event.action": "book.switched",
            "event.outcome": "success",
            "event.reason": why,
            "user.name": done.who,
            "book.version": book.version,
            "book.digest": book.digest,
            "book.previous_version": done.before.version,
            "book.previous_digest": done.before.digest,
        }
        head = self.audit.write([line])
        places = (self.keys.book, self.keys.books, self.keys.switches, self.keys.chains)
        digest = book.digest if payload else ""
        says = (before, digest, payload, orjson.dumps(asdict(done)), head.chain, str(head.seq), head.mac, _HELD)
        try:
            agreed = self.redis.eval(script("switch"), len(places), *places, *cast(Any, says))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CommitRefused(count=0, reason=error) from None
            raise
        if not agreed:
            self.audit.write([{**line, "event.outcome": "failure", "error.code": "switched_meanwhile"}])
            raise SwitchedMeanwhile
        return done


def _name(files: Files) -> BookName:
    return BookName(version_of(files.library), files.digest)
