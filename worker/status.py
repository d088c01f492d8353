"""The books: what came in against what went out, in terms that are counted apart, so that the balance can fail."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict, cast

from pydantic import Field
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


BooksLine = TypedDict(
    "BooksLine",
    {
        "event.action": Annotated[Literal["queue.books"], Field(description="what happened")],
        "queue.accepted": Annotated[int, Field(description="events that were ever taken in")],
        "queue.waiting": Annotated[int, Field(description="claims that no worker has had yet")],
        "queue.in_flight": Annotated[int, Field(description="claims that a worker has and did not commit")],
        "queue.repeated": Annotated[int, Field(description="events that were sent again")],
        "queue.requeued": Annotated[int, Field(description="claims put on the queue again from quarantine")],
        "queue.balance": Annotated[int, Field(description="accepted less accounted for: 0, or something is wrong")],
        "queue.oldest_s": Annotated[float, Field(description="age of the oldest claim that waits, seconds; 0: none")],
        "queue.consumers": Annotated[int, Field(description="worker processes that took claims of late or hold some")],
        "queue.billing": Annotated[int, Field(description="claims that ever went to billing")],
        "queue.rework": Annotated[int, Field(description="claims that ever went to rework")],
        "queue.unchecked": Annotated[int, Field(description="claims that ever went to unchecked")],
        "queue.quarantine": Annotated[int, Field(description="claims that ever went to quarantine")],
        "book.version": Annotated[str, Field(description="version of the rule book")],
        "book.past_review": Annotated[int, Field(description="sources of the book past their review date")],
        "book.sources_past_review": Annotated[list[str], Field(description="which they are")],
    },
)
"""What the operational log says of the queue every 10 seconds; dashboards and alerts are made from these fields."""


def books_line(found: Books, version: str, past_review: list[str]) -> BooksLine:
    """The books as a log line. `version`: of the rule book; `past_review`: its sources that want to be looked at."""
    return {
        "event.action": "queue.books",
        "queue.accepted": found.accepted,
        "queue.waiting": found.waiting,
        "queue.in_flight": found.in_flight,
        "queue.repeated": found.repeated,
        "queue.requeued": found.requeued,
        "queue.balance": found.balance,
        "queue.oldest_s": round(found.oldest_waiting or 0, 3),
        "queue.consumers": len(found.workers),
        "queue.billing": found.outlet("billing").count,
        "queue.rework": found.outlet("rework").count,
        "queue.unchecked": found.outlet("unchecked").count,
        "queue.quarantine": found.outlet("quarantine").count,
        "book.version": version,
        "book.past_review": len(past_review),
        "book.sources_past_review": past_review,
    }


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
