"""Texts that no result on an outlet names any more are deleted, where there are more than honest books come to.

A book has some dozens of texts (`worker.pipeline.namedtexts`), four books a year some kilobytes: they are left alone.
But a gap names its line, and a line has the number that its sender gives it, so that false claims make a text each.
What they leave ends with their results: once all have acknowledged those, and they are trimmed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis

from worker.store.keys import Keys
from worker.store.outletspecs import OUTLETS
from worker.store.scripts import call, named

MOST = 2**20
"""Bytes of the texts of a partition that nobody looks through: some 4,500, fifty years of honest books."""
_NAME = re.compile(rb'"([0-9a-f]{24})"')
_PAGE = 500
_CHUNK = 20_000
"""Names of one step, so that Redis never stops for long."""
_NEW = 1_000
"""Entries that may have come in meanwhile."""
_START = "0-0"


@dataclass(slots=True)
class TextSweep:
    """One process that looks from time to time."""

    most: int = MOST
    _left: dict[str, int] = field(default_factory=dict)
    """By hash, how many bytes the last look left: the next one comes where there are twice as many."""

    def sweep(self, redis: Redis, keys: Keys) -> int:
        """Of one partition; answers how many were deleted.

        Raises:
            redis.exceptions.RedisError: to do it again is safe.
        """
        before = _size(redis, keys)
        if before <= max(self.most, 2 * self._left.get(keys.texts, 0)):
            return 0
        # No HLEN and no HKEYS: workers of before have no right to them, and users are upgraded after workers.
        unnamed = {name.decode() for name in cast(dict[bytes, bytes], redis.hgetall(keys.texts))}
        outlets = [keys.outlet(name) for name in OUTLETS]
        last = [_looked_through(redis, outlet, unnamed) for outlet in outlets]
        deleted, names = 0, sorted(unnamed)
        for first in range(0, len(names), _CHUNK):
            said = call({"texts": keys.texts, "outlets": outlets}, _NEW, *last, *names[first : first + _CHUNK])
            found = int(cast(Any, redis.eval(named("sweep"), *cast(Any, said))))
            if found < 0:
                return deleted
            deleted += found
        self._left[keys.texts] = _size(redis, keys)
        return deleted


def _size(redis: Redis, keys: Keys) -> int:
    return redis.memory_usage(keys.texts) or 0


def _looked_through(redis: Redis, outlet: str, unnamed: set[str]) -> str:
    """Takes the names out that are in entries of the outlet; answers the last entry. What only looks like a name stays
    as well."""
    last = _START
    while page := cast(Any, redis.xrange(outlet, f"({last}", "+", count=_PAGE)):
        last = page[-1][0].decode()
        for _, fields in page:
            for value in fields.values():
                unnamed.difference_update(name.decode() for name in _NAME.findall(value))
    return last
