"""Back-pressure: when workers wait, and when producers are told to.

Workers wait (they finish what is in hand, and take nothing more) while an outlet has more unread entries than
SCRUB_OUTLET_LIMIT, or Redis is above SCRUB_WORKER_CEILING of its memory. Producers are refused above the lower
SCRUB_MEMORY_CEILING, so that what was accepted before still finds room. Either ends only well below where it began.
Nothing is ever dropped or evicted: a full Redis is for a person to look at.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import OutOfMemoryError

from worker.config.settings import Settings
from worker.monitoring.reconciliation import Books, Outlet
from worker.pipeline.commit import script
from worker.store.keys import Keys

_STEP = 5
"""Per cent of memory below the ceiling at which a wait ends."""
_LASTS_MS = 10_000
"""How long a hold stands unless it is renewed: it must not outlive the workers that would end it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What Redis uses of what it may."""

    used: int
    """Bytes that count for its limit."""
    limit: int
    """maxmemory in bytes, else the machine's memory; 0: the server tells neither."""

    @property
    def per_cent(self) -> float:
        return 100 * self.used / self.limit if self.limit else 0.0


def memory(redis: Redis) -> Memory:
    """What Redis uses now.

    Raises:
        redis.exceptions.RedisError
    """
    info = redis.info("memory")
    used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
    return Memory(used, int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)))


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


def reasons(found: Books, used: Memory, settings: Settings, *, held: bool) -> list[str]:
    """Why the workers are to wait, each a sentence; none: they are not. `held`: whether they wait already."""
    ceiling = settings.worker_ceiling - _STEP * held
    limit = settings.outlet_limit - settings.outlet_limit // 10 * held
    why = [
        f"{outlet.unread} entries of {outlet.name} are unread or not acknowledged{_by(outlet)}"
        f" (limit {settings.outlet_limit})"
        for outlet in found.outlets
        if outlet.unread >= limit
    ]
    if used.per_cent >= ceiling:
        why.append(f"Redis uses {used.per_cent:.0f} % of its memory (limit {settings.worker_ceiling} %)")
    return why


def _by(outlet: Outlet) -> str:
    return f" by group {outlet.slowest[1]}" if outlet.slowest[1] else ""


def hold(redis: Redis, keys: Keys, found: Books, why: Iterable[str]) -> None:
    """Tells all workers to wait, or to wait no longer."""
    if sentence := "; ".join(why):
        since = found.hold.since if found.hold else found.moment
        put(redis, keys.hold, f"{since * 1000:.0f} {sentence}", _LASTS_MS)
    elif found.hold:
        redis.delete(keys.hold)


def full(redis: Redis, keys: Keys, settings: Settings) -> Memory | None:
    """How full Redis is, where it is too full for more claims; None: it has room.

    Once it was too full, for any producer, it has to fall well below the ceiling.

    Raises:
        redis.exceptions.RedisError
    """
    used = memory(redis)
    if used.per_cent < settings.memory_ceiling - _STEP:
        return None
    if used.per_cent < settings.memory_ceiling and not redis.exists(keys.full):
        return None
    put(redis, keys.full, "1", _LASTS_MS)
    return used


class Patience:
    """How long a producer waits for room: seconds, 0 not at all, None as long as it takes."""

    def __init__(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def wait(self, longest: float = 1.0) -> bool:
        """Waits a moment; False: there is no time left."""
        left = longest if self._deadline is None else min(longest, self._deadline - time.monotonic())
        if left <= 0:
            return False
        time.sleep(left)
        return True


def trim(redis: Redis, stream: str, retention_ms: int, most: int) -> int:
    """Deletes from the outlet what all have acknowledged and is older than that, about `most` of it; says how many."""
    return int(cast(Any, redis.eval(script("trim"), 1, stream, str(retention_ms), str(most))))
