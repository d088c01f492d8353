"""What the workers judge by: their own book and overrides, or what a person put in force.

The book in force is in Redis, packed, with the overrides that were put in force with it, so that all workers have both;
each process checks before every batch and takes them up between two.

`book` is a stack of digests, the one in force first, which version 0.1.0 reads and writes as well. What that version
does not know is beside the packed books in `books`: `laid:<height>`, the overrides of the entry that many places
above the bottom; `overrides:<digest>`, their text; `switched`, the overrides of the newest switch. An entry without
its `laid` was put in force by 0.1.0, which left overrides to each worker.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import RedisError

from rules.book.book import Book
from rules.book.pack import Files, unpacked
from rules.errors import PackInvalid, ScrubError, first_problem
from rules.loader import read_book
from worker.books import archive, signature
from worker.books.asked import OlderGuard
from worker.books.overrides import NONE, OverridesLayer, digest_of_text
from worker.config.settings import Trusted
from worker.errors import BookNotThere, OlderInForce, OverridesNotThere
from worker.logs.operational import log
from worker.store.keys import Keys
from worker.store.scripts import script

SIGNATURE = signature.SIZE
"""Bytes of the first signature, which come before what is signed; others come after it, where releases up to 0.1.1 look
for nothing."""
MOST_PACKED = 2**26
"""Bytes of a packed book in Redis; the shipped one has 300,000."""


@dataclass(frozen=True, slots=True, order=True)
class BookName:
    """A book by version and digest. An edited book may keep its version; its digest is another."""

    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.version}+{self.digest[:8]}"


@dataclass(frozen=True, slots=True)
class Basis:
    """What claims are judged by."""

    book: BookName
    overrides: str | None
    """Digest of their text; NONE: none are; None: not known, or each worker's own."""

    @property
    def name(self) -> str:
        """Short, and what `scrub rules rollback --to` takes."""
        return self.book.digest[:12] + (f"/{self.overrides[:12]}" if self.overrides not in (None, NONE) else "")

    def __str__(self) -> str:
        with_them = {None: "", NONE: ""}.get(self.overrides, f" with overrides {(self.overrides or '')[:8]}")
        return f"book {self.book}{with_them}"


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of what is in force."""

    moment: float
    """Seconds since 1970, by the clock of who did it."""
    book: BookName
    before: BookName
    who: str
    reason: str
    own: bool = False
    """Whether each worker's own book was put in force again, whichever that is; only 0.1.0 did."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What a process of a worker judges by."""

    book: BookName
    refused: str = ""
    """Why it did not take up what is in force; empty: it did, or has not checked since."""
    overrides: str | None = None
    """Digest of their text; None: a version that does not report them."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force, and who judges by what."""

    digest: str | None
    """Of the book; None: each worker's own."""
    last: Switch | None
    judging: dict[str, Judging] = field(default_factory=dict)
    """By consumer."""
    overrides: str | None = None
    """Digest of those in force; NONE: none are; None: each worker's own."""
    before_overrides: str | None = None
    """The same before the last switch."""

    @property
    def basis(self) -> Basis | None:
        """None: each worker's own."""
        if self.digest is None:
            return None
        known = self.last is not None and self.last.book.digest == self.digest
        return Basis(BookName(self.last.book.version if self.last and known else "?", self.digest), self.overrides)


def in_force(redis: Redis, keys: Keys) -> InForce:
    """What is in force, and what each process reports of itself.

    Raises:
        redis.exceptions.RedisError
    """
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.eval(script("inforce"), 2, keys.book, keys.books)
        pipeline.lindex(keys.switches, 0)
        pipeline.hget(keys.books, "switched")
        pipeline.hgetall(keys.judging)
        standing, last, switched, judging = cast(Any, pipeline.execute())
    digest, overrides = _standing(standing)
    said = {
        name.decode("utf-8", "backslashreplace"): orjson.loads(value.partition(b" ")[2])
        for name, value in judging.items()
    }
    done = read_switch(last) if last else None
    more = orjson.loads(switched) if switched else {}
    newest = done is not None and more.get("moment") == done.moment
    return InForce(
        digest or None,
        done,
        {name: Judging(BookName(**one["book"]), one["refused"], one.get("overrides")) for name, one in said.items()},
        overrides,
        more["before"] if newest else None,
    )


def _inflated(packed: bytes, name: str) -> tuple[bytes, bytes]:
    """What was packed, and what stands after it."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(packed, MOST_PACKED)
    except zlib.error:
        raise PackInvalid(file=name, reason="it cannot be unpacked") from None
    if not inflater.eof:
        reason = f"it has more than {MOST_PACKED} bytes" if inflater.unconsumed_tail else "it cannot be unpacked"
        raise PackInvalid(file=name, reason=reason)
    return content, inflater.unused_data


def read_switch(text: bytes) -> Switch:
    """A switch as Redis holds it; keys that a later version adds are passed over."""
    said = {name: value for name, value in orjson.loads(text).items() if name in Switch.__slots__}
    return Switch(**{**said, "book": BookName(**said["book"]), "before": BookName(**said["before"])})


def _standing(answer: Any) -> tuple[str, str | None]:
    """Digest of the book in force, empty: each worker's own; and of its overrides, None: each worker's own."""
    digest, stored = (part.decode() for part in answer)
    said = orjson.loads(stored) if stored else {}
    return digest, said["overrides"] if said.get("book") == digest else None


def overrides_in_force(redis: Redis, keys: Keys) -> str | None:
    """Digest of the overrides in force; NONE: none are; None: each worker's own.

    Raises:
        redis.exceptions.RedisError
    """
    return _standing(redis.eval(script("inforce"), 2, keys.book, keys.books))[1]


def held(redis: Redis, keys: Keys, digest: str, trusted: Trusted | None) -> Files:
    """The files of a book that Redis holds.

    Raises:
        BookNotThere, BookNotSigned, KeyUnusable, PackInvalid, redis.exceptions.RedisError
    """
    found = cast(bytes | None, redis.hget(keys.books, digest))
    if found is None:
        raise BookNotThere(digest=digest)
    return opened(found, digest, trusted)


def opened(payload: bytes, digest: str, trusted: Trusted | None) -> Files:
    """The files in what `sealed_pack` made.

    Raises:
        BookNotSigned, KeyUnusable, PackInvalid
    """
    name = f"book {digest[:12]} in Redis"
    content, more = _inflated(payload[SIGNATURE:], name)
    if trusted:
        signature.verify(content, _signature_in(payload) + more, trusted, name)
    files = unpacked(name, content)
    if files.digest != digest:
        raise PackInvalid(file=name, reason=f"its content has the digest {files.digest[:12]}")
    return files


def _signature_in(payload: bytes) -> bytes:
    """The signature before what is signed; empty: there is none. Its own zeros, with which one may end, stay."""
    found = payload[:SIGNATURE]
    return found if found.strip(b"\0") else b""


def sealed_pack(content: bytes, sealed: bytes) -> bytes:
    """A packed book with its signatures, as Redis holds it."""
    return sealed[:SIGNATURE].ljust(SIGNATURE, b"\0") + zlib.compress(content) + sealed[SIGNATURE:]


def sealed_text(text: str, sealed: bytes) -> bytes:
    """Overrides with their signatures, as Redis holds them."""
    more = b"\0" + sealed[SIGNATURE:] if len(sealed) > SIGNATURE else b""
    return sealed[:SIGNATURE].ljust(SIGNATURE, b"\0") + text.encode() + more


def held_overrides(redis: Redis, keys: Keys, digest: str, trusted: Trusted | None) -> str:
    """The text of overrides that Redis holds.

    Raises:
        OverridesNotThere, BookNotSigned, KeyUnusable, redis.exceptions.RedisError
    """
    found = cast(bytes | None, redis.hget(keys.books, f"overrides:{digest}"))
    if found is None:
        raise OverridesNotThere(digest=digest)
    return opened_text(found, digest, trusted)


def opened_text(payload: bytes, digest: str, trusted: Trusted | None) -> str:
    """The text in what `sealed_text` made.

    Raises:
        OverridesNotThere: its content is another. BookNotSigned, KeyUnusable
    """
    content, _, more = payload[SIGNATURE:].partition(b"\0")
    if trusted:
        signature.verify(content, _signature_in(payload) + more, trusted, f"overrides {digest[:12]} in Redis")
    text = content.decode("utf-8", "replace")
    if digest_of_text(text) != digest:
        raise OverridesNotThere(digest=digest)
    return text


@dataclass(slots=True)
class ProcessBook:
    """The book that one process judges by, with the overrides applied to it. Make it after the fork."""

    redis: Redis
    keys: Keys
    consumer: str
    """Under which it reports what it judges by; empty: it does not."""
    own: Book
    folder: Path
    """The book archive."""
    layer: OverridesLayer
    """The overrides of this worker's own file, which hold where none were put in force."""
    trusted: Trusted | None = None
    """Public keys; None: signatures are not checked."""
    guard: OlderGuard | None = None
    """Refuses older books that nobody asked for; None: where signatures are not checked."""
    refused: str = ""
    """Why it does not judge by what is in force; empty: it does."""
    _book: Book | None = None
    _current_layer: OverridesLayer | None = None
    _wanted: tuple[str, str | None] | None = None
    """What this process took up or refused last."""
    _older: bytes | None = None
    """Of a book that was refused as older: what Redis said of the switch."""

    def book(self) -> Book:
        """The book in force; the one before where it cannot be used, which is logged once and shown by the status.

        Raises:
            redis.exceptions.RedisError
            FolderUnusable: the overrides of a new day cannot be archived for replays.
        """
        wanted = _standing(self.redis.eval(script("inforce"), 2, self.keys.book, self.keys.books))
        asked = self._older is not None and self.guard is not None and self.guard.switched() != self._older
        if self._book is None or self._current_layer is None or wanted != self._wanted or asked:
            self._take(*wanted)
            self._wanted = wanted
        assert self._book is not None
        assert self._current_layer is not None
        return self._current_layer.apply(self._book)

    def _take(self, digest: str, overrides: str | None) -> None:
        refused, self._older = "", None
        if self._wanted and self._wanted[0] and not digest:
            log(__name__).warning(
                "nothing is in force any more: Redis was emptied, or version 0.1.0 took the last book back; judged is "
                f"by this worker's own book {BookName(self.own.version, self.own.digest)}"
            )
        try:
            layer = self._overrides(overrides)
            book = self._load(digest)
            layer.apply(book)
            self._book, self._current_layer = book, layer
        except ScrubError as error:
            if isinstance(error, OlderInForce) and self.guard:
                self._older = self.guard.switched() or b""
            self._book, self._current_layer, refused = (
                self._book or self.own,
                self._current_layer or self.layer,
                first_problem(error),
            )
            log(__name__).error("the book in force is refused; the one before stays", **{"error.message": refused})
        name = BookName(self._book.version, self._book.digest)
        self._say(Judging(name, refused, self._current_layer.digest))

    def _load(self, digest: str) -> Book:
        if digest in ("", self.own.digest):
            return self.own
        if self._book and digest == self._book.digest:
            return self._book
        files = held(self.redis, self.keys, digest, self.trusted)
        book = read_book(files.library, files.imported, rows=archive.rows_folder(self.folder), examples=False)
        if self.guard:
            self.guard.check(book.version, digest)
        archive.add(self.folder, files)
        log(__name__).info("took up another book", **{"book.version": book.version, "book.digest": book.digest})
        return book

    def _overrides(self, digest: str | None) -> OverridesLayer:
        if digest in (None, self.layer.digest):
            return self.layer
        if self.layer.digest != NONE:
            log(__name__).warning(
                f"this worker's own overrides ({self.layer.digest[:8]}: SCRUB_OVERRIDES, SCRUB_MODE, SCRUB_GAPS, the "
                f"drafts of an upgrade) are not those in force "
                f"({(digest or '')[:8]}) and are not applied; `scrub rules overrides --switch` puts a file in force"
            )
        if digest == NONE:
            return OverridesLayer(None, self.folder)
        text = held_overrides(self.redis, self.keys, digest or "", self.trusted)
        return OverridesLayer(None, self.folder, text, f"overrides {(digest or '')[:12]} in Redis")

    def _say(self, judging: Judging) -> None:
        self.refused = judging.refused
        if not self.consumer:
            return
        with suppress(RedisError):
            says = orjson.dumps(asdict(judging)).decode()
            self.redis.eval(script("beat"), 1, self.keys.judging, self.consumer, says)
