"""What a worker does across partitions: it hands on what came in on the wrong one, and registers events at their front.

Two partitions may be on two nodes of a cluster, so no script writes both. An entry is received at its home first, and
then taken off where it came in, with the counter `forwarded`. A crash in between hands it on again: at its home that
is an event that was sent twice, of which there is one result. A requeued event is not looked for in the event memory,
so its home keeps a mark of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.errors import CommitRefused
from worker.pipeline.batch import Reading, front, home
from worker.store.keys import FORWARDED, REGISTERED, Keys
from worker.store.scripts import script


@dataclass(frozen=True, slots=True)
class Crossing:
    """From one partition to the others. With one partition there is nothing to do."""

    redis: Redis
    keys: Keys
    """Of the partition on which the entries came in."""
    memory_ms: int
    """For how long events are remembered."""

    def strays(self, readings: Iterable[Reading]) -> list[Reading]:
        """Those that belong on another partition."""
        return [] if self.keys.count == 1 else [one for one in readings if home(one, self.keys) != self.keys]

    def hand_over(self, strays: Iterable[Reading]) -> None:
        """Puts them on the inboxes of their homes, each home's in order. They stay on this one as well.

        Raises:
            CommitRefused, redis.exceptions.RedisError: some may have been received; to hand them over again is safe.
        """
        by_home: dict[Keys, list[Reading]] = {}
        for reading in strays:
            by_home.setdefault(home(reading, self.keys), []).append(reading)
        for there, readings in by_home.items():
            self._send(there, readings)

    def _send(self, there: Keys, readings: Sequence[Reading]) -> None:
        keys, arguments = [there.inbox, there.counters], list[str | bytes | int]()
        for reading in readings:
            origin = reading.entry.forwarded_from or self.keys.named(reading.entry.id)
            mark = 0
            if reading.requeued:
                keys.append(there.handed(origin))
                mark = len(keys)
            fields = {**reading.entry.fields, FORWARDED.encode(): origin.encode()}
            arguments += (mark, 2 * len(fields), *(part for pair in fields.items() for part in pair))
        self._run("receive", keys, arguments, len(readings))

    def register(self, readings: Iterable[Reading]) -> dict[str, str]:
        """Registers each event at its front where that is another partition; answers what the fronts knew before.

        A requeued event is not: a person has decided that it is to be judged.

        Raises:
            CommitRefused, redis.exceptions.RedisError: to register again is safe.
        """
        if self.keys.count == 1:
            return {}
        by_front: dict[Keys, dict[str, str]] = {}
        known: dict[str, str] = {}
        for reading in readings:
            there = front(reading, self.keys)
            if reading.identity and not reading.requeued and there != self.keys:
                ours = f"{reading.digest} {REGISTERED}{self.keys.partition}"
                by_front.setdefault(there, {}).setdefault(there.event(reading.identity), ours)
        for events in by_front.values():
            found = self._run("register", list(events), list(events.values()), len(events))
            known |= {key: held.decode() or events[key] for key, held in zip(events, found, strict=True)}
        return known

    def _run(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | int], count: int) -> Any:
        try:
            return self.redis.eval(script(name), len(keys), *keys, self.memory_ms, *cast(Any, arguments))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CommitRefused(count=count, reason=error) from None
            raise
