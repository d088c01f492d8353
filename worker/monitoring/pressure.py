"""Back-pressure: when workers wait, and when producers have to.

Workers wait (they finish what is in hand, and take nothing more) while an outlet has more unread entries than
SCRUB_OUTLET_LIMIT, or Redis is above SCRUB_WORKER_CEILING of its memory. Nothing is ever evicted.

A claim grows where it is decided: one kilobyte that waits becomes three (of the bench's claims, an eighth of them held;
two and a half where all are clean, nine where all have five faults). So producers are refused above the lower
SCRUB_MEMORY_CEILING, and sooner where what waits would no longer fit below the workers'.
Workers publish that in `meta`, as senders may read nothing else. Who puts more in all the same (XADD asks nobody) ends
in a hold. It ends by itself: above the ceiling everything that all readers have acknowledged is trimmed, and while
nothing is left that a group reads, what waits is worked off, a batch a period.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, cast

from redis import Redis

from worker.config.settings import Settings
from worker.monitoring.reconciliation import TOLD, Outlet, Reconciliation
from worker.store.keys import Keys
from worker.store.memory import MemoryUse, memory, put

GROWTH = 4.5
"""Bytes that a byte that waits becomes, of a mixture: 3.2 were measured of the bench's claims, and there are worse
nights. Where nearly all have many faults it is more: then the ceilings hold, which look at the memory itself."""
_STEP = 5
"""Per cent of memory below the ceiling at which a wait ends."""
_LASTS_MS = 10_000
"""How long a hold stands unless it is renewed: it must not outlive the workers that would end it."""


def reasons(found: Reconciliation, used: MemoryUse, settings: Settings, *, held: bool) -> list[str]:
    """Why the workers are to wait, each a sentence; none: they are not. `held`: whether they wait already."""
    limit = settings.outlet_limit - settings.outlet_limit // 10 * held
    why = [
        f"{outlet.unread} entries of {outlet.name} are unread or not acknowledged{_by(outlet)}"
        f" (limit {settings.outlet_limit})"
        for outlet in found.outlets
        if outlet.unread >= limit
    ]
    if above(used, settings, held=held):
        why.append(f"Redis uses {used.per_cent:.0f} % of its memory (limit {settings.worker_ceiling} %){_most(found)}")
    return why


def above(used: MemoryUse, settings: Settings, *, held: bool) -> bool:
    """Whether Redis is above the workers' ceiling."""
    return used.per_cent >= settings.worker_ceiling - _STEP * held


def _most(found: Reconciliation) -> str:
    """Which outlet to read, so that there is room again; and which one nobody reads, where more is there."""
    sentence, most = "; nothing is left to read, so what waits is worked off slowly", 0
    if read := to_read(found):
        sentence, most = f"; most unread is {read.name}, with {read.unread}{_by(read)}", read.unread
    kept = max((outlet for outlet in found.outlets if not outlet.groups), key=_unread, default=None)
    if kept and kept.unread > most:
        sentence += f"; no group reads {kept.name}, which keeps {kept.unread}"
    return sentence


def to_read(found: Reconciliation) -> Outlet | None:
    """The outlet with most that a group has yet to read; None: nothing is left to read. What no group reads stays, and
    is not waited for."""
    read = max((outlet for outlet in found.outlets if outlet.groups), key=_unread, default=None)
    return read if read and read.unread else None


def _unread(outlet: Outlet) -> int:
    return outlet.unread


def _by(outlet: Outlet) -> str:
    return f" by group {outlet.slowest[1]}" if outlet.slowest[1] else ""


def hold(redis: Redis, keys: Keys, found: Reconciliation, why: Iterable[str], *, stepping: bool = False) -> None:
    """Makes all workers wait, or ends that. `stepping`: one of them may take a batch all the same."""
    if sentence := "; ".join(why):
        since = found.hold.since if found.hold else found.moment
        put(redis, keys.hold, f"{since * 1000:.0f} {sentence}", _LASTS_MS)
        if stepping:
            put(redis, keys.step, "1", _LASTS_MS)
    elif found.hold:
        redis.delete(keys.hold)


def waiting_bytes(redis: Redis, streams: Iterable[str]) -> int:
    """What the entries of these streams take, in bytes.

    Raises:
        redis.exceptions.RedisError
    """
    with redis.pipeline(transaction=False) as pipeline:
        for stream in streams:
            pipeline.memory_usage(stream)
        return sum(size or 0 for size in cast(Any, pipeline.execute()))


def fits(used: MemoryUse, waiting: int, settings: Settings, *, full: bool) -> bool:
    """Whether producers may send more. `full`: whether they may not until now."""
    if not used.limit:
        return True
    margin = _STEP * full
    grown = used.used + (GROWTH - 1) * waiting
    return (
        used.per_cent < settings.memory_ceiling - margin and 100 * grown / used.limit < settings.worker_ceiling - margin
    )


def publish(redis: Redis, keys: Keys, moment: float, used: MemoryUse, waiting: int, settings: Settings) -> None:
    """Tells producers whether there is room; `moment`: now, by the clock of Redis.

    Raises:
        redis.exceptions.RedisError
    """
    known = redis.hget(keys.first.meta, "full")
    if not fits(used, waiting, settings, full=known is not None):
        tell(redis, keys, f"{moment * 1000:.0f} {used.used} {used.limit}")
    elif known is not None:
        redis.hdel(keys.first.meta, "full")


def tell(redis: Redis, keys: Keys, text: str) -> None:
    """Writes `full`, also where there is no memory left."""
    redis.eval("#!lua flags=allow-oom\nreturn redis.call('HSET', KEYS[1], 'full', ARGV[1])", 1, keys.first.meta, text)


def full(redis: Redis, keys: Keys, settings: Settings) -> MemoryUse | None:
    """How full Redis is, where it is too full for more claims; None: it has room.

    That is what workers published of late; where none did, what can be seen from here.

    Raises:
        redis.exceptions.RedisError
    """
    info = redis.info()  # its clock and its memory, in one
    used = memory(redis, info)
    published = cast(bytes | None, redis.hget(keys.first.meta, "full"))
    if published is not None:
        said, *then = (int(part) for part in published.split())
        if int(info.get("server_time_usec", 0)) // 1000 - said < 1000 * TOLD:
            return MemoryUse(*then)
    return None if used.per_cent < settings.memory_ceiling else used


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
