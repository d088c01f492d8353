"""Which streams workers read: the registered producers, and what is bound to the stream of each.

A worker looks once a second. What is bound to a stream is said here and nowhere in what comes on it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from redis import Redis

from worker.store.agreement import standing
from worker.store.connections import Store
from worker.store.keys import INNER, SHARED, Keys, scoped_identity
from worker.store.outletspecs import Exit

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""Of a producer: it is part of a key and of the name of a Redis user."""
_FRESH = 1.0


class Producer(NamedTuple):
    """Who sends on a stream, as far as that is bound to the stream."""

    name: str = SHARED
    facility: str = ""
    """Whose claims its voids and replacements reach; empty: the installation's one, which the shared inbox has."""
    source: str = ""
    """CloudEvents source that its events must have, or begin with; empty: any, and then an event is known by the
    producer's name as well."""
    trusted: bool = False
    """Whether what it says of dates is receipt."""
    removed: bool = False
    """It sends no more; what is in quarantine of it is still its own."""
    exit: Exit = "stream"
    """How its claims leave; a source has exactly one exit."""

    @property
    def registered(self) -> bool:
        return self.name != SHARED

    def has(self, source: str) -> bool:
        """Whether an event of this source may come from it."""
        return not self.source or source == self.source or source.startswith(self.source.rstrip("/") + "/")

    def identity(self, event: str) -> str:
        """The identity of an event of its own among those of all producers: one whose source is bound to its stream
        alone needs no more."""
        return scoped_identity(self.name, event) if self.registered and not self.source else event

    def packed(self) -> str:
        """As the registry holds it. A release that knows of no exits takes one that leaves by file for removed, and
        so leaves its stream alone: it would send the claims to billing."""
        said = self._asdict()
        if self.exit == "file":
            said |= {"removed": True, "gone": self.removed}
        return orjson.dumps(said).decode()


TRUSTING = Producer()
"""Those who share the inbox."""


def stranger(name: str) -> Producer:
    """A producer that nobody registered, or whose registration was lost: of a facility of its own."""
    return Producer(name, f"?{name}")


class Streams(NamedTuple):
    """What workers read, of every partition."""

    layout: int = 1
    producers: Mapping[str, Producer] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The streams, the worker-only one first: it has what others wait for."""
        if self.layout < 2:
            return (SHARED,)
        return (INNER, SHARED, *(one.name for one in self.producers.values() if not one.removed))

    def sender(self, name: str) -> Producer:
        """Who sends on a stream."""
        return TRUSTING if name in (SHARED, INNER) else self.producers.get(name) or stranger(name)


def streams_of(redis: Redis, keys: Keys) -> Streams:
    """What is registered now.

    Raises:
        redis.exceptions.RedisError
    """
    layout = standing(redis).layout
    return Streams(layout, producers_of(redis, keys) if layout > 1 else {})


def producers_of(redis: Redis, keys: Keys) -> dict[str, Producer]:
    """Every producer that was ever registered, by name."""
    held = cast(dict[bytes, bytes], redis.hgetall(keys.first.producers))
    return {name: _unpacked(name, text) for name, text in sorted((n.decode(), t) for n, t in held.items())}


def _unpacked(name: str, text: bytes) -> Producer:
    said: dict[str, Any] = orjson.loads(text)
    known = {field: said[field] for field in Producer._fields if field in said}
    if known.get("exit") == "file":
        known["removed"] = said["gone"]
    return Producer(**{**known, "name": name})


_known: dict[Path, dict[str, Producer]] = {}
"""By state folder, what this process, or the one that forked it, has last seen."""


def register_again(store: Store) -> None:
    """Puts back what was registered, where somebody emptied Redis: else nobody would read what still comes in.

    Raises:
        redis.exceptions.RedisError
    """
    redis, keys, folder = store.once, store.keys, store.settings.state_dir
    found = producers_of(redis, keys)
    known = _known.get(folder)
    if found or not known or standing(redis).layout < 2:
        _known[folder] = found
        return
    redis.hset(keys.first.producers, mapping={one.name: one.packed() for one in known.values()})


@dataclass(slots=True)
class Registry:
    """As `streams_of`, a second old at most; for the partitions of one process."""

    redis: Redis
    keys: Keys
    clock: Callable[[], float] = time.monotonic
    _found: Streams | None = None
    _until: float = field(default=0.0)

    def __call__(self) -> Streams:
        now = self.clock()
        if self._found is None or now >= self._until:
            self._found, self._until = streams_of(self.redis, self.keys), now + _FRESH
        return self._found

    def forget(self) -> None:
        """The next call asks Redis."""
        self._until = 0.0
