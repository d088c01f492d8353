"""Entries that were handed out before the clock of Redis was put back.

How long an entry has been in a consumer's hands is by that clock, so one that was handed out at a moment that is yet to
come is never taken over: after a jump of days and back, what a worker had in hand that died would wait for days. Such
an entry is seen by our own clock: as long as it lasts, it was handed out "now" at each look.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.logs.operational import log
from worker.store.keys import GROUP

_MOST = 1_000
"""Entries of a stream that one look sees."""
_LOOKS = 5
"""Within the time after which an entry is taken over."""


@dataclass(slots=True)
class FutureDeliveries:
    """Of one process, which looks a few times within `reclaim` seconds."""

    clock: Callable[[], float] = time.monotonic
    _next: float = 0.0
    _known: dict[tuple[str, bytes], tuple[bytes, int, float]] = field(default_factory=dict)
    """By stream and entry: who has it, since which delivery, and when it was first seen so."""

    def mend(self, redis: Redis, streams: Iterable[str], reclaim: float) -> int:
        """Makes such entries as old as they are, so that they are taken over in the usual way; answers how many."""
        now = self.clock()
        if now < self._next:
            return 0
        self._next = now + reclaim / _LOOKS
        before, self._known, mended = self._known, {}, 0
        for stream in streams:
            late = defaultdict[bytes, list[bytes]](list)
            for entry, consumer, times in _just_handed_out(redis, stream):
                held, since_times, since = before.get((stream, entry), (consumer, times, now))
                if (held, since_times) != (consumer, times):
                    since = now
                if now - since >= reclaim:
                    late[consumer].append(entry)
                else:
                    self._known[stream, entry] = (consumer, times, since)
            for consumer, entries in late.items():
                idle = int(reclaim * 1000)
                redis.xclaim(stream, GROUP, consumer.decode(), 0, cast(Any, entries), idle=idle, justid=True)
                mended += len(entries)
        if mended:
            log(__name__).warning(
                f"{mended} entries were handed out before the clock of Redis was put back; they are taken over now"
            )
        return mended


def _just_handed_out(redis: Redis, stream: str) -> list[tuple[bytes, bytes, int]]:
    """Entries that were handed out in this very millisecond, or in one that is yet to come: Redis does not tell."""
    try:
        page: Any = redis.xpending_range(stream, GROUP, "-", "+", _MOST)
    except ResponseError:  # there is no such stream or group, which is seen to elsewhere
        return []
    return [
        (one["message_id"], one["consumer"], one["times_delivered"]) for one in page if not one["time_since_delivered"]
    ]
