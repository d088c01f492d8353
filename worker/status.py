"""The books: what came in against what went out, in terms that are counted apart, so that the balance can fail."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from worker.commit import script
from worker.keys import GROUP, OUTLETS, Keys


@dataclass(frozen=True, slots=True)
class Consumer:
    """A worker process on the inbox, or a consumer group on an outlet."""

    name: str
    pending: int
    """Entries that it has and did not acknowledge."""
    idle: float | None
    """Seconds since it last read; None for a group."""
    lag: int | None = None
    """Of a group: entries that it has not had yet; None where Redis cannot tell."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet: how many claims went there since the beginning, how many entries it holds, who reads."""

    name: str
    count: int
    length: int
    groups: tuple[Consumer, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """One snapshot of a partition."""

    accepted: int
    """Entries that were ever added to the inbox."""
    repeated: int
    requeued: int
    waiting: int
    """Entries that no worker has had yet."""
    in_flight: int
    """Entries that a worker has and did not commit."""
    oldest_waiting: float | None
    """Age of the oldest entry that waits, in seconds; None: none waits."""
    outlets: tuple[Outlet, ...]
    workers: tuple[Consumer, ...]

    @property
    def accounted(self) -> int:
        """Everything that became of what was accepted."""
        decided = sum(outlet.count for outlet in self.outlets)
        return decided + self.repeated + self.requeued + self.waiting + self.in_flight

    @property
    def balance(self) -> int:
        """accepted - accounted: 0, or something is wrong."""
        return self.accepted - self.accounted

    @property
    def settled(self) -> bool:
        """Nothing waits, nothing is in flight, and the books balance."""
        return not (self.waiting or self.in_flight or self.balance)

    def outlet(self, name: str) -> Outlet:
        return next(outlet for outlet in self.outlets if outlet.name == name)


def books(redis: Redis, keys: Keys) -> Books:
    """The books at this instant.

    Raises:
        redis.exceptions.RedisError
    """
    names = [keys.inbox, keys.counters, *map(keys.outlet, OUTLETS)]
    answer = cast(Any, redis.eval(script("status"), len(names), *names, GROUP))
    stream, groups, consumers, pending, first, counted = answer[:6]
    inbox, counters = _fields(stream), _fields(counted)
    group = next((_fields(group) for group in groups if _fields(group)["name"] == GROUP.encode()), {})
    in_flight = int(pending[0]) if pending else 0
    lag = group.get("lag")
    waiting = int(lag) if lag is not None else int(inbox.get("length", 0)) - in_flight
    return Books(
        accepted=int(inbox.get("entries-added", 0)),
        repeated=int(counters.get("repeated", 0)),
        requeued=int(counters.get("requeued", 0)),
        waiting=waiting,
        in_flight=in_flight,
        oldest_waiting=_age(first),
        outlets=tuple(
            Outlet(name, int(counters.get(name, 0)), _length(length), tuple(map(_consumer, found)))
            for name, (length, found) in zip(OUTLETS, answer[6:], strict=True)
        ),
        workers=tuple(map(_consumer, consumers)),
    )


def _fields(flat: Any) -> Mapping[str, Any]:
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def _length(answer: Any) -> int:
    return answer if isinstance(answer, int) else 0


def _age(first: Any) -> float | None:
    if not first:
        return None
    return max(0.0, time.time() - int(first[0][0].split(b"-")[0]) / 1000)


def _consumer(flat: Any) -> Consumer:
    fields = _fields(flat)
    idle, lag = fields.get("idle"), fields.get("lag")
    return Consumer(
        fields["name"].decode(),
        int(fields["pending"]),
        None if idle is None else int(idle) / 1000,
        None if lag is None else int(lag),
    )
