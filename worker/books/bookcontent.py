"""Where the content of a book or of overrides comes from, by digest: Redis, this machine, or a worker that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from redis import Redis

from rules.book.pack import SUFFIX
from rules.errors import ScrubError
from worker.books.overrides import OverridesLayer
from worker.books.ownbook import OwnBook
from worker.books.switch import opened, opened_text, sealed_pack, sealed_text
from worker.errors import BookNotThere, OverridesNotThere
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class BookContents:
    """Answers content as Redis holds it; what has another digest than it should is passed over."""

    redis: Redis
    keys: Keys
    own: Callable[[], OwnBook]
    """The book of this machine's settings."""
    layer: Callable[[], OverridesLayer]
    """The overrides of this machine's settings."""
    folder: Path
    """The book archive."""

    def pack(self, digest: str) -> bytes:
        """The packed book of a digest: from Redis, of this machine, or of a worker that has it.

        Raises:
            BookNotThere
        """
        for payload in self._packs(digest):
            with suppress(ScrubError):
                opened(payload, digest, None)
                return payload
        raise BookNotThere(digest=digest)

    def _packs(self, digest: str) -> Iterator[bytes]:
        yield from self._held(digest, self.keys.offer(digest))
        with suppress(OSError, ScrubError):
            if (mine := self.own()).book.digest == digest:
                yield mine.packed(self.folder)
        with suppress(OSError):
            yield sealed_pack((self.folder / f"{digest}{SUFFIX}").read_bytes(), b"")

    def _held(self, field: str, offer: str) -> Iterator[bytes]:
        for found in (self.redis.hget(self.keys.books, field), self.redis.get(offer)):
            if found is not None:
                yield cast(bytes, found)

    def text(self, digest: str) -> bytes:
        """Overrides of a digest: from Redis, of this machine, or of a worker that has them.

        Raises:
            OverridesNotThere
        """
        for payload in self._held(f"overrides:{digest}", self.keys.offer(digest)):
            with suppress(ScrubError):
                opened_text(payload, digest, None)
                return payload
        with suppress(ScrubError):
            layer = self.layer()
            if layer.text is not None and layer.digest == digest:
                return sealed_text(layer.text, layer.sealed())
        raise OverridesNotThere(digest=digest)
