"""Second stage: entries that belong on another partition are forwarded, and events are registered at their own.

Two partitions may be on two nodes of a cluster, so no script writes both. An entry is received on its home partition
first, and then taken off where it came in, with the counter `forwarded`. A crash in between forwards it again: there
it is an event that was sent twice, of which there is one result. A requeued event is not looked for in the event
memory, so its home partition stores a mark of it.

A version is registered with the front of its case before it is judged, and then with the fronts on the homes of other
versions: the commit of one that is about to go there, since it was waived, rests on those and is refused.

Where a node of a cluster is away, what needs a partition on it stays pending, and the rest of the batch goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.audit.log import Head
from worker.errors import CommitRefused
from worker.pipeline.commit import Committer, Item
from worker.pipeline.front import Front, elsewhere, responsibility_of
from worker.pipeline.reading import Reading
from worker.store.cluster import LOST, is_cluster
from worker.store.keys import (
    FORWARDED,
    INNER,
    INNER_FIELDS,
    PRODUCER,
    RECEIVED,
    REGISTERED,
    REQUEUE,
    REVISION,
    WAIVER,
    Keys,
)
from worker.store.scripts import call, named


class Routed(NamedTuple):
    """A batch after routing."""

    here: list[Reading]
    """Those to be judged on this partition, in order."""
    registered: dict[str, str]
    """What other partitions know of their events, by event key."""
    forwarded: int = 0
    """How many were taken off here."""
    away: frozenset[Keys] = frozenset()
    """Partitions that do not answer, without which some of the batch cannot be judged; those stay pending."""


def home_partition(reading: Reading, keys: Keys) -> Keys:
    """Where an entry is to be judged: by its patient, else by its event; where neither can be read, where it is."""
    mark = reading.patient or reading.identity
    return keys.at(mark) if mark else keys


def identity_partition(reading: Reading, keys: Keys) -> Keys:
    """Where the identity of an event is registered, whatever its data."""
    return keys.at(reading.identity) if reading.identity else keys


def front_partition(reading: Reading, keys: Keys) -> Keys:
    """Where the versions of a case are registered, whatever their patients."""
    return keys.at(reading.case) if reading.case else keys


def fronts_of(reading: Reading, keys: Keys, memory: Mapping[str, str]) -> tuple[Front | None, ...]:
    """What its case's front says here, and where else that is registered."""
    places = dict.fromkeys((keys, front_partition(reading, keys)))
    return tuple(Front.parse(memory.get(place.front(reading.case or ""), "")) for place in places)


def homes_elsewhere(reading: Reading, keys: Keys, memory: Mapping[str, str]) -> list[Keys]:
    """The partitions besides on which versions of its case were decided."""
    if keys.count == 1 or not reading.case:
        return []
    known = (keys.partition, front_partition(reading, keys).partition)
    return [Keys(one, keys.count) for one in elsewhere(fronts_of(reading, keys, memory), known) if one < keys.count]


def _carried(reading: Reading, origin: str) -> dict[bytes, bytes]:
    """The fields of an entry as its home partition gets it: those of its sender that are no worker's, and ours."""
    entry = reading.entry
    ours = {FORWARDED: origin}
    if reading.requeue_of is not None:  # also where the event itself says so: its home may be of layout 2
        ours[REQUEUE] = reading.requeue_of
    if entry.sender.registered:
        ours[PRODUCER] = entry.sender.name
    if entry.receipt is not None and not entry.of_layout_1:
        ours |= {RECEIVED: str(entry.receipt), REVISION: entry.revision}
    if entry.waiver is not None:
        ours |= {WAIVER: entry.waiver.decode("latin-1"), REVISION: entry.revision}
    theirs = {name: value for name, value in entry.fields.items() if name.decode("latin-1") not in INNER_FIELDS}
    return theirs | {name.encode(): value.encode() for name, value in ours.items()}


def _registered_on(reading: Reading, keys: Keys) -> set[Keys]:
    """The partitions without which it cannot be judged."""
    return {front_partition(reading, keys)} | (set() if reading.requeued else {identity_partition(reading, keys)})


def _add_later(fronts: dict[str, str], key: str, ours: str) -> None:
    """Of two versions of a case in one batch the later is registered."""
    here, there = Front.parse(ours), Front.parse(fronts.get(key, ""))
    if there is None or (here and here.is_later(there.revision)):
        fronts[key] = ours


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
        away = set[Keys]()
        self.forward(misrouted, away)
        gone = [one for one in misrouted if home_partition(one, self.keys) not in away] if away else misrouted
        forwarded = self._take_off(gone) if gone else 0
        known = self.register(here, away)
        if away:
            here = [one for one in here if away.isdisjoint(_registered_on(one, self.keys))]
        return Routed(here, known, forwarded, frozenset(away))

    def answers(self, there: Keys) -> bool:
        """Whether a partition that was away is back.

        Raises:
            redis.exceptions.RedisError: of any other kind.
        """
        try:
            self.redis.exists(there.meta)
        except LOST:
            return False
        return True

    def _take_off(self, misrouted: Iterable[Reading]) -> int:
        items = [Item(reading.entry.name, "forwarded", b"") for reading in misrouted]
        # There is no line on the log yet, and so no new head: the claim gets its line where it is judged.
        return self.committer.commit(items, Head()).count("done")

    def forward(self, readings: Iterable[Reading], away: set[Keys] | None = None) -> None:
        """Puts what is misrouted on the inboxes of its home partitions, each in order. It stays on this one as well.

        `away`: gets those that do not answer, where the others may all the same.

        Raises:
            CommitRefused, redis.exceptions.RedisError: some may have been received; to forward them again is safe.
        """
        by_home: dict[Keys, list[Reading]] = {}
        for reading in readings:
            if (there := home_partition(reading, self.keys)) != self.keys:
                by_home.setdefault(there, []).append(reading)
        for there, theirs in by_home.items():
            with self._without(there, away):
                self._send(there, theirs)

    @contextmanager
    def _without(self, there: Keys, away: set[Keys] | None) -> Iterator[None]:
        """A partition may be on a node that is away, while this one is not."""
        try:
            yield
        except LOST:
            if away is None or not is_cluster(self.redis):
                raise
            away.add(there)

    def _send(self, there: Keys, readings: Sequence[Reading]) -> None:
        marks, arguments = list[str](), list[str | bytes | int]()
        for reading in readings:
            origin = reading.entry.forwarded_from or self.keys.named(reading.entry.name)
            if reading.requeued:
                marks.append(there.handed(origin))
            fields = _carried(reading, origin)
            arguments += (len(marks) if reading.requeued else 0, 2 * len(fields))
            arguments += (part for pair in fields.items() for part in pair)
        keys = {
            "meta": there.meta, "inbox": there.inbox, "inner": there.stream(INNER), "counters": there.counters,
            "marks": marks,
        }  # fmt: skip
        self._eval(named("receive"), call(keys, self.memory_ms, *arguments), len(readings))

    def register(self, readings: Iterable[Reading], away: set[Keys] | None = None) -> dict[str, str]:
        """Registers each event where its identity belongs and each version where the front of its case does, if that is
        another partition; answers what was known there.

        The event of a requeued entry is not: a person has decided that it is to be judged. Nor is a waived version,
        which is a version already, or one that nobody knows. `away`: as `forward`.

        Raises:
            CommitRefused, redis.exceptions.RedisError: to register again is safe.
        """
        events, fronts = defaultdict[Keys, dict[str, str]](dict), defaultdict[Keys, dict[str, str]](dict)
        known: dict[str, str] = {}
        for reading in readings:
            there = identity_partition(reading, self.keys)
            if reading.identity and not reading.requeued and there != self.keys:
                ours = f"{reading.mark} {REGISTERED}{self.keys.partition}"
                events[there].setdefault(there.event(reading.identity), ours)
            there = front_partition(reading, self.keys)
            if reading.case and there != self.keys:
                _add_later(fronts[there], there.front(reading.case), "" if reading.waiver else self._front_of(reading))
        for there in {**events, **fronts}:
            with self._without(there, away):
                put, shown = events[there], fronts[there]
                held = zip([*put, *shown], self._registered(put, shown), strict=True)
                known |= {key: value.decode() or put.get(key, "") for key, value in held}
        return known

    def join(self, readings: Iterable[Reading], memory: Mapping[str, str], away: set[Keys]) -> dict[str, str]:
        """Registers each version where others of its case were decided, by what `memory` has of its fronts: nearly
        always nowhere. Answers what was known there. `away`: as `forward`.

        Raises:
            CommitRefused, redis.exceptions.RedisError: to register again is safe.
        """
        fronts = defaultdict[Keys, dict[str, str]](dict)
        for reading in readings:
            for there in homes_elsewhere(reading, self.keys, memory):
                key = there.front(reading.case or "")
                _add_later(fronts[there], key, "" if reading.waiver else self._front_of(reading))
        known: dict[str, str] = {}
        for there, shown in fronts.items():
            with self._without(there, away):
                found = self._registered({}, shown)
                known |= {key: value.decode() for key, value in zip(shown, found, strict=True)}
        return known

    def _registered(self, events: Mapping[str, str], fronts: Mapping[str, str]) -> list[bytes]:
        """What the keys held before, events first."""
        said = call({"events": [*events], "fronts": [*fronts]}, self.memory_ms, *events.values(), *fronts.values())
        return cast(list[bytes], self._eval(named("register"), said, len(events) + len(fronts)))

    def _front_of(self, reading: Reading) -> str:
        assert reading.submission is not None
        turn = responsibility_of(reading.submission.claim)
        return str(Front(reading.entry.revision, "registered", turn, partition=self.keys.partition))

    def _eval(self, text: str, arguments: Sequence[str | bytes | int], count: int) -> Any:
        try:
            return self.redis.eval(text, *cast(Any, arguments))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CommitRefused(count=count, reason=error) from None
            raise
