"""What is in force, as the fallback for a worker's own book and overrides that cannot be used when it starts.

Nobody judges by a worker's own files while something is in force: that one of them broke or went must not keep the
worker from coming up. Where nothing is in force it does not start, since to judge without them is another book.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from redis import Redis

from rules.book.book import digest_of
from rules.errors import BookInvalid, BookMissing, PackInvalid, ScrubError
from rules.loader import read_book
from worker.books import archive
from worker.books.overrides import NONE, OverridesLayer
from worker.books.ownbook import OwnBook
from worker.books.switch import SIGNATURE, held_overrides, in_force, opened
from worker.config.settings import Settings
from worker.errors import BookNotSigned
from worker.store.keys import Keys

UNUSABLE = (BookInvalid, BookMissing, PackInvalid, BookNotSigned)
"""What may be wrong with a worker's own book and overrides."""


class Fallback(NamedTuple):
    """What a worker uses instead of its own."""

    own: OwnBook
    layer: OverridesLayer


def find_fallback(redis: Redis, keys: Keys, settings: Settings, fault: str) -> Fallback | None:
    """What is in force, if it can be used; `fault`: why the worker's own cannot.

    Raises:
        FolderUnusable, redis.exceptions.RedisError
    """
    now = in_force(redis, keys).basis
    if now is None or now.overrides is None:  # version 0.1.0 left overrides to each worker
        return None
    payload = cast(bytes | None, redis.hget(keys.books, now.book.digest))
    if payload is None:
        return None
    try:
        files = opened(payload, now.book.digest, settings.trusted)
        book = read_book(files.library, files.imported, rows=settings.tables_path, examples=False)
        layer = OverridesLayer(None, settings.books_path)
        if now.overrides != NONE:
            text = held_overrides(redis, keys, now.overrides, settings.trusted)
            layer = OverridesLayer(
                settings.overrides, settings.books_path, text, f"overrides {now.overrides[:12]} in Redis"
            )
        layer.apply(book)
    except ScrubError:
        return None
    archive.add(settings.books_path, files)
    tables = digest_of(files.imported) if files.imported else NONE
    return Fallback(OwnBook(book, digest_of(files.library), tables, None, payload[:SIGNATURE], fault), layer)
