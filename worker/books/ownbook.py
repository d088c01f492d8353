"""What a worker has of its own: its book, tables, overrides and secret, as it reports in each beat, and hands over.

The first switch keeps the book by which the workers judged before it. It may be on no other machine than theirs, so
each puts book and overrides into Redis, under their digests, where they expire an hour after its last beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from redis import Redis

from rules.book.book import Book, digest_of
from rules.book.overridefile import joined, read_overrides
from rules.book.pack import SUFFIX
from rules.errors import ScrubError, first_problem
from rules.loader import read_book, whole_book
from worker.books import archive, trust
from worker.books.overrides import NONE, OverridesLayer, added, digest_of_text, read_text
from worker.books.switch import sealed_pack, sealed_text
from worker.config.settings import Settings
from worker.logs.operational import log
from worker.store.keys import Keys

_OFFER_MS = 3_600_000


@dataclass(frozen=True)
class OwnBook:
    """A worker's own book as it was read at its start, with what its overrides file held then."""

    book: Book
    library: str
    """Digest of the book without imported tables."""
    tables: str
    """Digest of the imported tables; NONE: there are none."""
    content: bytes | None
    """The packed file that it was read from, with its signature; None: a folder."""
    sealed: bytes
    fault: str = ""
    """Why what is in force is used instead of its own; empty: this is its own."""

    def packed(self, folder: Path) -> bytes:
        """Its packed book as Redis holds it.

        Raises:
            OSError: it is no longer in the archive.
        """
        content = self.content or (folder / f"{self.book.digest}{SUFFIX}").read_bytes()
        return sealed_pack(content, self.sealed)


def read_own(settings: Settings) -> OwnBook:
    """The book of these settings, which is archived for replays.

    Raises:
        FolderUnusable, BookInvalid, BookMissing, PackInvalid, BookNotSigned, KeyUnusable
    """
    path, content, sealed = settings.book, None, b""
    if path and path.is_file():
        files, content, sealed = trust.packed_book(path, settings.trusted)
    else:
        files = whole_book(path, settings.tables_path)
    found = read_book(files.library, files.imported, rows=settings.tables_path)
    archive.add(settings.books_path, files)
    tables = digest_of(files.imported) if files.imported else NONE
    return OwnBook(found, digest_of(files.library), tables, content, sealed)


def offer(redis: Redis, keys: Keys, own: OwnBook, layer: OverridesLayer, folder: Path) -> None:
    """Puts book and overrides where a switch finds them, unless they are there for a while yet.

    Raises:
        redis.exceptions.RedisError, OSError
    """
    digests = [own.book.digest, *([layer.digest] if layer.text is not None else [])]
    with redis.pipeline(transaction=False) as pipeline:
        for digest in digests:
            pipeline.pttl(keys.offer(digest))
        left = dict(zip(digests, cast(Any, pipeline.execute()), strict=True))
    if left[own.book.digest] < _OFFER_MS / 2:
        redis.set(keys.offer(own.book.digest), own.packed(folder), px=_OFFER_MS)
    if layer.text is not None and left[layer.digest] < _OFFER_MS / 2:
        redis.set(keys.offer(layer.digest), sealed_text(layer.text, layer.sealed()), px=_OFFER_MS)


@dataclass
class OverridesWatch:
    """Checks whether the overrides file is still what this worker judges with, and logs it once where it is not."""

    layer: OverridesLayer
    book: Book
    settings: Settings
    _seen: str = ""
    _fault: str = ""

    def check(self, in_force: str | None) -> dict[str, str]:
        """What the beat reports of it. `in_force`: digest of the overrides in force; None: each worker's own."""
        on_disk, text = NONE, None
        try:
            file = self.layer.file
            said, drafts = added(self.settings)
            text = joined(own := read_text(file) if file and file.exists() else None, said, drafts)
            on_disk = digest_of_text(text)
            if in_force not in (None, on_disk):  # drafts wait for the book of this release, which is not in force
                text = joined(own, said)
                on_disk = digest_of_text(text)
        except ScrubError as error:
            on_disk, self._fault = "unreadable", first_problem(error)
        if on_disk != self._seen:
            self._note(on_disk, text, in_force)
        return {"overrides": self.layer.digest, "overrides_disk": on_disk, "overrides_fault": self._fault}

    def _note(self, on_disk: str, text: str | None, in_force: str | None) -> None:
        self._seen = on_disk
        if on_disk != "unreadable":
            self._fault = ""
        if self.layer.file is None or on_disk in (self.layer.digest, in_force):
            return
        if text is not None:
            try:
                read_overrides(str(self.layer.file), text, self.book)
            except ScrubError as error:
                self._fault = first_problem(error)
        what = f"cannot be used: {self._fault}" if self._fault else "is gone" if text is None else "was changed"
        log(__name__).warning(
            f"the overrides file {self.layer.file} {what}; judged is as before. "
            + ("A restart would read it; " if in_force is None else "")
            + "`scrub rules overrides --switch` puts a file in force on all workers"
        )
