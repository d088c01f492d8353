"""Back-pressure: when workers wait, and when producers have to.

Workers wait (they finish what is in hand, and take nothing more) while an outlet has more unread entries than
SCRUB_OUTLET_LIMIT, or Redis is above SCRUB_WORKER_CEILING of its memory. Producers are refused above the lower
SCRUB_MEMORY_CEILING, so that what was accepted before still finds room. Either ends only well below where it began.
Nothing is ever dropped or evicted: a full Redis is for a person to look at.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from redis import Redis

from worker.config.settings import Settings
from worker.monitoring.reconciliation import Outlet, Reconciliation
from worker.store.keys import Keys
from worker.store.memory import MemoryUse, memory, put

_STEP = 5
"""Per cent of memory below the ceiling at which a wait ends."""
_LASTS_MS = 10_000
"""How long a hold stands unless it is renewed: it must not outlive the workers that would end it."""


def reasons(found: Reconciliation, used: MemoryUse, settings: Settings, *, held: bool) -> list[str]:
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


def hold(redis: Redis, keys: Keys, found: Reconciliation, why: Iterable[str]) -> None:
    """Makes all workers wait, or ends that."""
    if sentence := "; ".join(why):
        since = found.hold.since if found.hold else found.moment
        put(redis, keys.hold, f"{since * 1000:.0f} {sentence}", _LASTS_MS)
    elif found.hold:
        redis.delete(keys.hold)


def full(redis: Redis, keys: Keys, settings: Settings) -> MemoryUse | None:
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
