"""Second stage: entries that belong on another partition are forwarded, and events are registered at their own.

Two partitions may be on two nodes of a cluster, so no script writes both. An entry is received on its home partition
first, and then taken off where it came in, with the counter `forwarded`. A crash in between forwards it again: there
it is an event that was sent twice, of which there is one result. A requeued event is not looked for in the event
memory, so its home partition stores a mark of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.audit.log import Head
from worker.errors import CommitRefused
from worker.pipeline.commit import Committer, Item
from worker.pipeline.reading import Reading
from worker.store.keys import FORWARDED, REGISTERED, Keys
from worker.store.scripts import script


class Routed(NamedTuple):
    """A batch after routing."""

    here: list[Reading]
    """Those to be judged on this partition, in order."""
    registered: dict[str, str]
    """What other partitions know of their events, by event key."""
    forwarded: int = 0
    """How many were taken off here."""


def home_partition(reading: Reading, keys: Keys) -> Keys:
    """Where an entry is to be judged: by its patient, else by its event; where neither can be read, where it is."""
    mark = reading.patient or reading.identity
    return keys.at(mark) if mark else keys


def identity_partition(reading: Reading, keys: Keys) -> Keys:
    """Where the identity of an event is registered, whatever its data."""
    return keys.at(reading.identity) if reading.identity else keys


@dataclass(frozen=True, slots=True)
class Router:
    """From one partition to the others. With one partition there is nothing to do."""

    redis: Redis
    keys: Keys
    """Of the partition on which the entries came in."""
    committer: Committer
    """Of that partition."""
    memory_ms: int
    """For how long events are remembered."""

    def route(self, readings: Sequence[Reading]) -> Routed:
        """Forwards what is misrouted, and registers the events of the others.

        Raises:
            CommitRefused, redis.exceptions.RedisError: to route them again is safe.
        """
        if self.keys.count == 1:
            return Routed(list(readings), {})
        here: list[Reading] = []
        misrouted: list[Reading] = []
        for reading in readings:
            (here if home_partition(reading, self.keys) == self.keys else misrouted).append(reading)
        self.forward(misrouted)
        forwarded = self._take_off(misrouted) if misrouted else 0
        return Routed(here, self.register(here), forwarded)

    def _take_off(self, misrouted: Iterable[Reading]) -> int:
        items = [Item(reading.entry.id, "forwarded", b"") for reading in misrouted]
        # There is no line on the log yet, and so no new head: the claim gets its line where it is judged.
        return self.committer.commit(items, Head()).count("done")

    def forward(self, readings: Iterable[Reading]) -> None:
        """Puts what is misrouted on the inboxes of its home partitions, each in order. It stays on this one as well.

        Raises:
            CommitRefused, redis.exceptions.RedisError: some may have been received; to forward them again is safe.
        """
        by_home: dict[Keys, list[Reading]] = {}
        for reading in readings:
            if (there := home_partition(reading, self.keys)) != self.keys:
                by_home.setdefault(there, []).append(reading)
        for there, theirs in by_home.items():
            self._send(there, theirs)

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
        """Registers each event where its identity belongs, if that is another partition; answers what was known there.

        A requeued event is not: a person has decided that it is to be judged.

        Raises:
            CommitRefused, redis.exceptions.RedisError: to register again is safe.
        """
        by_partition: dict[Keys, dict[str, str]] = {}
        known: dict[str, str] = {}
        for reading in readings:
            there = identity_partition(reading, self.keys)
            if reading.identity and not reading.requeued and there != self.keys:
                ours = f"{reading.digest} {REGISTERED}{self.keys.partition}"
                by_partition.setdefault(there, {}).setdefault(there.event(reading.identity), ours)
        for events in by_partition.values():
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
