"""The memory of Redis: how much of it is used, and what can be written when there is none left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import OutOfMemoryError

from worker.store.cluster import answering, is_cluster
from worker.store.keys import Keys
from worker.store.scripts import script


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What Redis uses of what it may."""

    used: int
    """Bytes that count for its limit."""
    limit: int
    """maxmemory in bytes, else the machine's memory; 0: the server gives neither."""

    @property
    def per_cent(self) -> float:
        return 100 * self.used / self.limit if self.limit else 0.0


def memory(redis: Redis, info: Mapping[str, Any] | None = None) -> MemoryUse:
    """What Redis uses now, of a cluster its fullest node; `info`: what it says of itself, where that is known already.

    Raises:
        redis.exceptions.RedisError
    """
    if is_cluster(redis):
        return max((memory(node) for node in answering(redis)), key=_share)
    info = redis.info("memory") if info is None else info
    used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
    return MemoryUse(used, int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)))


def _share(one: MemoryUse) -> float:
    return one.per_cent


def exhausted(redis: Redis, keys: Keys) -> bool:
    """Whether Redis refuses every write for want of memory.

    Raises:
        redis.exceptions.RedisError: of any other kind.
    """
    try:
        redis.set(keys.end("probe"), "", px=1)
    except OutOfMemoryError:
        return True
    return False


def put(redis: Redis, key: str, value: str, px: int, *options: str) -> bool:
    """SET with an expiry in milliseconds, which works when memory is full as well; False where NX forbade it."""
    return bool(redis.eval(script("put"), 1, key, value, str(px), *options))


def trim(redis: Redis, stream: str, retention_ms: int, most: int) -> int:
    """Deletes from the outlet what all have acknowledged and is older than that, about `most` of it; says how many."""
    return int(cast(Any, redis.eval(script("trim"), 1, stream, str(retention_ms), str(most))))
