"""Whether an older signed book was asked for: a signature says who made it, and not that it is still to be used.

A switch says with a keyed hash that somebody who has the secret made it, and when. A worker that checks signatures
remembers, over restarts, the version by which it judged and the newest switch that it took up. A book of an earlier
version, or of an earlier switch, is then refused: it was put there by hand with the password of Redis, or Redis came
back from an older copy.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from redis import Redis

from worker.errors import OlderInForce
from worker.store.keyring import Key, Ring, load_ring
from worker.store.keys import Keys
from worker.store.private import write_private
from worker.store.secret import derived, keyed

FILE = "switch.json"
"""In the book archive: what this machine has seen."""


def age(version: str) -> list[int]:
    """The numbers in a version: those of a later one are greater."""
    return [int(number) for number in re.findall(r"\d+", version)]


def proof(key: Key, moment: float, digest: str) -> str:
    """What `switched` says of a switch to this book at that moment, as its JSON has it."""
    made = keyed(derived(key.secret, b"book switch"), f"{moment!r}\0{digest}".encode()).hex()
    return f"{key.id}:{made}"


def _proven(ring: Ring, said: Mapping[str, Any], digest: str) -> float | None:
    """When somebody with the secret switched to this book; None: nobody says so."""
    given, moment = said.get("proof"), said.get("moment")
    if not isinstance(given, str) or not isinstance(moment, float):
        return None
    key = ring.find(given.partition(":")[0])
    return moment if key and hmac.compare_digest(given.encode(), proof(key, moment, digest).encode()) else None


class _Seen(NamedTuple):
    version: str = ""
    moment: float = 0.0


@dataclass(slots=True)
class OlderGuard:
    """Of one process; those of a machine share what they have seen."""

    redis: Redis
    keys: Keys
    secret: Path
    file: Path

    def switched(self) -> bytes | None:
        """What Redis says of the newest switch; once it is another, what was refused may be asked for."""
        return cast(bytes | None, self.redis.hget(self.keys.books, "switched"))

    def check(self, version: str, digest: str) -> None:
        """Takes note of the book in force.

        Raises:
            OlderInForce: it is not to be taken up.
            SecretUnusable, RingUnusable, FolderUnusable, redis.exceptions.RedisError
        """
        seen, said = self._seen(), self.switched()
        moment = _proven(load_ring(self.secret, "audit"), orjson.loads(said) if said else {}, digest)
        older = age(version) < age(seen.version) if moment is None else moment < seen.moment
        if older:
            raise OlderInForce(version=version, digest=digest[:12], newer=seen.version)
        newest = _Seen(version, max(seen.moment, moment or 0.0))
        if newest != seen:
            write_private(self.file, orjson.dumps(newest._asdict()))

    def _seen(self) -> _Seen:
        with suppress(OSError, orjson.JSONDecodeError, TypeError):
            return _Seen(**orjson.loads(self.file.read_bytes()))
        return _Seen()
