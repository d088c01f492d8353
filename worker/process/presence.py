"""What a worker says of itself: that it is alive, what it judges by, and how its pool processes ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import orjson
from redis.exceptions import ResponseError

from rules.errors import ScrubError
from worker.audit.log import service_version
from worker.books import drafts
from worker.books.current import book_of_today, overrides_layer, own, watch
from worker.books.ownbook import offer
from worker.books.switch import overrides_in_force
from worker.config.identity import LIFE, worker_name
from worker.config.revision import revision
from worker.config.settings import Settings
from worker.logs import outputs
from worker.monitoring.workers import UNREADABLE
from worker.store import keyring
from worker.store.connections import Store
from worker.store.layout import NEWEST
from worker.store.memory import put
from worker.store.scripts import script
from worker.store.secret import fingerprint, load_secret


def beat(store: Store, processes: Sequence[int], started: float) -> None:
    """Says that this worker is alive, with these pool processes, since then (seconds since 1970).

    Raises:
        what `book_of_today` raises, redis.exceptions.RedisError
    """
    found = book_of_today(store.settings)
    settings, keys = store.settings, store.keys
    mine = own(settings)
    trouble, left_out = outputs.trouble(processes)
    says = {
        "host": socket.gethostname(), "pid": os.getpid(), "life": LIFE, "processes": list(processes),
        "started": started, "version": service_version(), "book_version": found.version, "book_digest": found.digest,
        "outputs": trouble, "left_out": left_out,
        "own_digest": mine.book.digest, "library": mine.library, "tables": mine.tables, "secret": _mark(settings),
        "own_fault": mine.fault, "layout": NEWEST, "waives": True, "exits": True, "revision": revision(),
        **_keys(settings),
        **watch(settings).check(overrides_in_force(store.once, keys)),
    }  # fmt: skip
    store.once.eval(script("beat"), 1, keys.workers, worker_name(), orjson.dumps(says).decode())
    with suppress(ResponseError, OSError):  # Redis is full, or the state folder was emptied: the next beat tries again
        offer(store.once, keys, mine, overrides_layer(settings), settings.books_path)
    with suppress(ResponseError, ScrubError):
        drafts.follow(store)


def farewell(store: Store) -> None:
    """This worker is no more.

    Raises:
        redis.exceptions.RedisError
    """
    store.once.hdel(store.keys.workers, worker_name())


def note_end(store: Store, pid: int, end: str) -> None:
    """Keeps how a pool process of this worker came to its end, for whoever takes over what it had in hand.

    Raises:
        redis.exceptions.RedisError
    """
    put(store.once, store.keys.end(worker_name(pid)), end, int(store.settings.reclaim * 10_000))


def _keys(settings: Settings) -> dict[str, str]:
    """Which keys this machine has by now, whether in force or not."""
    found = {}
    for name in keyring.RINGS:
        try:
            found[f"{name}_keys"] = keyring.ids(settings.secret_path, name)
        except ScrubError:
            found[f"{name}_keys"] = UNREADABLE
    return found


@cache
def _mark(settings: Settings) -> str:
    """Fingerprint of the secret that this process started with."""
    return fingerprint(load_secret(settings.secret_path))
