"""The fronts of cases in Redis, for those who are no worker: read wherever they are, and changed as they were read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from redis import Redis

from worker.pipeline.front import Front, elsewhere
from worker.store.keys import Keys
from worker.store.scripts import script

_TRIES = 50


class Fronts(NamedTuple):
    """What is known of a case."""

    near: list[Front | None]
    """On the home partition of the version at hand, and on that of the case."""
    others: list[Front | None]
    """Where these say that versions were decided as well."""

    @property
    def found(self) -> list[Front]:
        return [one for one in (*self.near, *self.others) if one]


def places(home: Keys, mark: str) -> list[Keys]:
    """The home partition of a version, and that of its case where it is another one. `mark`: see `case_mark`."""
    return list(dict.fromkeys((home, home.at(mark))))


def read_fronts(redis: Redis, home: Keys, mark: str) -> Fronts:
    """
    Raises:
        redis.exceptions.RedisError
    """
    near = places(home, mark)
    found = [_read(redis, there, mark) for there in near]
    homes = elsewhere(found, [there.partition for there in near])
    return Fronts(found, [_read(redis, Keys(one, home.count), mark) for one in homes if one < home.count])


def change_front(
    redis: Redis, there: Keys, mark: str, change: Callable[[Front | None], Front | None], memory_ms: int | None = None
) -> None:
    """Writes what the front on a partition becomes; `memory_ms`: for how long, None: as long as it would have lived.

    Raises:
        redis.exceptions.RedisError: to do it again is safe.
    """
    key = there.front(mark)
    for _ in range(_TRIES):
        held = _held(redis, key)
        after = str(change(Front.parse(held)) or "")
        if after == held or redis.eval(script("shown"), 1, key, held, after, memory_ms or ""):
            return
    raise AssertionError("the front of a claim changes with every look at it")


def _read(redis: Redis, there: Keys, mark: str) -> Front | None:
    return Front.parse(_held(redis, there.front(mark)))


def _held(redis: Redis, key: str) -> str:
    return (cast(bytes | None, redis.get(key)) or b"").decode()
