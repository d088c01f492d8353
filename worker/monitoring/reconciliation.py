"""Reconciliation: what came in against what went out, in terms that are counted apart, so that the balance can fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from redis import Redis

from worker.monitoring.workers import Worker, reply_fields, worker_of
from worker.store.cluster import is_cluster
from worker.store.keys import GROUP, INNER, SHARED, Keys
from worker.store.outletspecs import OUTLETS
from worker.store.registry import streams_of
from worker.store.scripts import call, named


@dataclass(frozen=True, slots=True)
class Consumer:
    """A pool process of a worker on the inbox, or a consumer group on an outlet."""

    name: str
    pending: int
    """Entries that it has and did not acknowledge."""
    idle: float | None
    """Seconds since it last read; None for a group."""
    lag: int | None = None
    """Of a group: entries that it has not had yet; None where Redis does not know."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet: how many claims went there since the beginning, how many entries it holds, who reads."""

    name: str
    count: int
    length: int
    groups: tuple[Consumer, ...]

    @property
    def slowest(self) -> tuple[int, str | None]:
        """How many entries its slowest group has not had or not acknowledged, and which one that is.

        Where there is no group, all of them, and None.
        """
        if not self.groups:
            return self.length, None
        return max(
            ((self.length if group.lag is None else group.lag) + group.pending, group.name) for group in self.groups
        )

    @property
    def unread(self) -> int:
        """Entries that its slowest group has not had or not acknowledged; where there is no group, all of them."""
        return self.slowest[0]


TOLD = 10.0
"""Seconds for which what workers publish of the room that there is holds."""
_RATE_SECONDS = 70
_COUNTS = ("accepted", "repeated", "requeued", "forwarded", "received", "dropped", "waiting", "in_flight")


@dataclass(frozen=True, slots=True)
class Hold:
    """The workers take no more claims for now."""

    since: float
    """Seconds since 1970, by the clock of Redis."""
    reason: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Claims a second, in the mean over the seconds before the snapshot."""

    seconds: float
    accepted: float
    decided: float


@dataclass(frozen=True, slots=True)
class Incoming:
    """A stream on which entries come in."""

    name: str
    """A registered producer, `inner`, or empty for the inbox."""
    accepted: int
    waiting: int
    in_flight: int
    taken: int | None = None
    """Of a producer: how many of its entries workers took off."""

    @property
    def gone(self) -> int:
        """Entries that are there no more and that no worker took off: the producer itself deleted them."""
        return 0 if self.taken is None else self.accepted - self.taken - self.waiting - self.in_flight


@dataclass(frozen=True, slots=True)
class Mark:
    """What was taken off the inbox, and since when it is no more than that."""

    since: float
    """Seconds since 1970, by the clock of Redis."""
    taken_off: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One snapshot: of a partition, or of all of them."""

    moment: float
    """Seconds since 1970, by the clock of Redis."""
    accepted: int
    """Entries that were ever added to the inbox."""
    repeated: int
    requeued: int
    """Put back on the queue from quarantine; these no longer count as quarantined."""
    forwarded: int
    """Forwarded to the partition of their patient, which accepted them as well."""
    received: int
    """Of the accepted, those that another partition forwarded."""
    dropped: int
    """Of the quarantined, those that a person deleted."""
    waiting: int
    """Entries that no worker has had yet."""
    in_flight: int
    """Entries that a worker has and did not commit."""
    oldest_waiting: float | None
    """Age of the oldest entry that waits, in seconds; None: none waits."""
    oldest_in_flight: float | None
    """Age of the oldest entry that a worker has, in seconds."""
    outlets: tuple[Outlet, ...]
    consumers: tuple[Consumer, ...]
    """Pool processes that have read what came in, also of workers that are gone."""
    workers: tuple[Worker, ...]
    hold: Hold | None
    rate: Rate | None
    """None: no worker has stored samples yet."""
    parts: tuple[Reconciliation, ...] = ()
    """Of each partition, where there are several."""
    tended: float | None = None
    """Seconds since a worker last did the maintenance and stored a sample; None: none has."""
    marks: tuple[Mark, ...] = ()
    """How it moves, see worker.monitoring.progress; none: there was no maintenance of late."""
    incoming: tuple[Incoming, ...] = ()
    """The streams that came in, each."""
    full: bool = False
    """Producers are told to wait."""

    @property
    def alive(self) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.workers if worker.alive)

    @property
    def abandoned(self) -> int:
        """Claims in the hands of processes of which no live worker knows; they are taken over after SCRUB_RECLAIM."""
        alive = self.alive
        return sum(one.pending for one in self.consumers if not any(worker.runs(one.name) for worker in alive))

    @property
    def taken_off(self) -> int:
        """Entries that are on the inbox no more: decided, sent again, or forwarded."""
        return self.accepted - self.waiting - self.in_flight

    @property
    def oldest(self) -> float | None:
        """Age of the oldest claim without a decision, in seconds."""
        return max((age for age in (self.oldest_waiting, self.oldest_in_flight) if age is not None), default=None)

    @property
    def accounted(self) -> int:
        """Everything that became of what was accepted."""
        decided = sum(outlet.count for outlet in self.outlets)
        return decided + self.repeated + self.requeued + self.forwarded + self.waiting + self.in_flight

    @property
    def balance(self) -> int:
        """accepted - accounted: 0, or something is wrong. Of several partitions none may be off, nor may one have
        forwarded what none received."""
        if not self.parts:
            return self.accepted - self.accounted
        off = self.accepted - self.accounted or max(part.balance for part in self.parts)
        return off or max(0, self.forwarded - self.received)

    @property
    def short(self) -> tuple[Incoming, ...]:
        """The producers whose entries went away in no other way than by their own hand."""
        return tuple(one for one in self.incoming if one.gone)

    @property
    def held(self) -> float:
        """Seconds for which the workers have been held."""
        return max(0.0, self.moment - self.hold.since) if self.hold else 0.0

    @property
    def settled(self) -> bool:
        """Nothing waits, nothing is in flight, and it balances."""
        return not (self.waiting or self.in_flight or self.balance)

    def outlet(self, name: str) -> Outlet:
        return next(outlet for outlet in self.outlets if outlet.name == name)


def reconcile(redis: Redis, keys: Keys, parts: Sequence[Keys] = ()) -> Reconciliation:
    """The reconciliation at this instant; on a cluster, whose nodes have no instant in common, each partition at one.

    `parts`: of these partitions alone, the first one among them.

    Raises:
        redis.exceptions.RedisError
    """
    names = streams_of(redis, keys).names
    names = names if INNER in names else (*names, INNER)  # while the layout changes, some are there already
    if keys.count == 1:
        return _parsed(redis.eval(named("status"), *cast(Any, call(_asked(keys, names), GROUP))), names)
    found = _looked(redis, parts or keys.all, names)
    if found.forwarded > found.received and is_cluster(redis):
        # A claim is received first and counted as forwarded then, maybe both between the looks at the two partitions.
        # What a later look does not find as received either is lost.
        later = _looked(redis, parts or keys.all, names)
        return replace(found, received=min(found.forwarded, later.received))
    return found


def _looked(redis: Redis, parts: Sequence[Keys], names: Sequence[str]) -> Reconciliation:
    with redis.pipeline() as pipeline:  # all at one instant
        for part in parts:
            pipeline.eval(named("status"), *cast(Any, call(_asked(part, names), GROUP)))
        answers = cast(Any, pipeline.execute())
    return _summed(tuple(_parsed(answer, names) for answer in answers), samples=answers[0][4])


def _asked(keys: Keys, names: Sequence[str]) -> dict[str, str | list[str]]:
    named = ("meta", "counters", "workers", "hold", "samples", "progress")
    streams, outlets = [*map(keys.stream, names)], [*map(keys.outlet, OUTLETS)]
    return {**{name: keys.of(name) for name in named}, "streams": streams, "outlets": outlets}


@dataclass(frozen=True, slots=True)
class _Stream:
    """One stream of a snapshot, and when the oldest of its entries came, by its id."""

    counts: Incoming
    waits: bytes | None
    pends: bytes | None
    consumers: tuple[Consumer, ...]


def _stream(name: str, answer: Any, counters: Mapping[str, Any]) -> _Stream:
    about, consumers, pending, first = answer
    said = reply_fields(about)
    in_flight = int(pending[0]) if pending else 0
    # Not the lag of the group: after a failover the new primary may count it from entries that were decided long ago.
    waiting = int(said.get("length", 0)) - in_flight
    taken = None if name in (SHARED, INNER) else int(counters.get(f"taken:{name}", 0))
    counts = Incoming(name, int(said.get("entries-added", 0)), waiting, in_flight, taken)
    return _Stream(
        counts, first[0][0] if first else None, pending[1] if in_flight else None, tuple(map(_consumer, consumers))
    )


def _parsed(answer: Any, names: Sequence[str]) -> Reconciliation:
    """Of one partition."""
    time, counted, workers, hold, samples, progress, full, streams, outlets = answer
    moment, counters = int(time[0]) + int(time[1]) / 1e6, reply_fields(counted)
    found = [_stream(name, one, counters) for name, one in zip(names, streams, strict=True)]
    waiting, in_flight = (sum(getattr(one.counts, term) for one in found) for term in ("waiting", "in_flight"))
    accepted = sum(one.counts.accepted for one in found) + int(counters.get("retired", 0))
    return Reconciliation(
        moment=moment,
        accepted=accepted,
        repeated=int(counters.get("repeated", 0)),
        requeued=int(counters.get("requeued", 0)),
        forwarded=int(counters.get("forwarded", 0)),
        received=int(counters.get("received", 0)),
        dropped=int(counters.get("dropped", 0)),
        waiting=waiting,
        in_flight=in_flight,
        oldest_waiting=max((_age(one.waits, moment) for one in found if one.waits), default=None),
        oldest_in_flight=max((_age(one.pends, moment) for one in found if one.pends), default=None),
        outlets=tuple(
            Outlet(name, int(counters.get(name, 0)), _length(length), tuple(map(_consumer, groups)))
            for name, (length, groups) in zip(OUTLETS, outlets, strict=True)
        ),
        consumers=_merged(consumer for one in found for consumer in one.consumers),
        workers=tuple(
            sorted((worker_of(*pair, moment) for pair in reply_fields(workers).items()), key=lambda one: one.name)
        ),
        hold=_hold(hold),
        rate=_rate(samples, moment, accepted, accepted - waiting - in_flight),
        tended=max(0.0, moment - int(samples[0].split()[0]) / 1000) if samples else None,
        marks=_marks(progress),
        incoming=tuple(one.counts for one in found),
        full=bool(full) and moment - int(full.split()[0]) / 1000 < TOLD,
    )


def _summed(parts: Sequence[Reconciliation], samples: Sequence[bytes]) -> Reconciliation:
    """Of all partitions; `samples` are of all of them."""
    first = parts[0]
    found = replace(
        first,
        **{name: sum(getattr(part, name) for part in parts) for name in _COUNTS},
        oldest_waiting=max((part.oldest_waiting for part in parts if part.oldest_waiting is not None), default=None),
        oldest_in_flight=max(
            (part.oldest_in_flight for part in parts if part.oldest_in_flight is not None), default=None
        ),
        outlets=tuple(
            Outlet(name, sum(one.count for one in same), sum(one.length for one in same), _together(same))
            for name in OUTLETS
            for same in [[part.outlet(name) for part in parts]]
        ),
        consumers=_merged(one for part in parts for one in part.consumers),
        incoming=tuple(_added([part.incoming[place] for part in parts]) for place in range(len(first.incoming))),
        parts=tuple(replace(part, rate=None) for part in parts),
    )
    return replace(found, rate=_rate(samples, found.moment, found.accepted, found.taken_off))


def _added(same: Sequence[Incoming]) -> Incoming:
    """One stream of all partitions."""
    return Incoming(
        same[0].name,
        sum(one.accepted for one in same),
        sum(one.waiting for one in same),
        sum(one.in_flight for one in same),
        None if same[0].taken is None else sum(one.taken or 0 for one in same),
    )


def _together(outlets: Iterable[Outlet]) -> tuple[Consumer, ...]:
    return _merged(group for outlet in outlets for group in outlet.groups)


def _merged(consumers: Iterable[Consumer]) -> tuple[Consumer, ...]:
    """Those of one name are one, whose numbers are sums; it was idle since it last read anywhere."""
    by_name: dict[str, list[Consumer]] = {}
    for one in consumers:
        by_name.setdefault(one.name, []).append(one)
    return tuple(
        Consumer(
            name,
            sum(one.pending for one in same),
            min((one.idle for one in same if one.idle is not None), default=None),
            None if any(one.lag is None for one in same) else sum(one.lag or 0 for one in same),
        )
        for name, same in sorted(by_name.items())
    )


def _length(answer: Any) -> int:
    return answer if isinstance(answer, int) else 0


def _age(entry: bytes, moment: float) -> float:
    """By its id, which may be anything: one that is ahead of the clock is as old as nothing."""
    return max(0.0, moment - int(entry.split(b"-")[0]) / 1000)


def _hold(value: Any) -> Hold | None:
    if not value:
        return None
    since, _, reason = value.decode("utf-8", "backslashreplace").partition(" ")
    return Hold(int(since) / 1000, reason)


def _rate(samples: Sequence[bytes], moment: float, accepted: int, decided: int) -> Rate | None:
    """Over the last minute, or as much of it as there are samples for."""
    taken = [tuple(map(int, sample.split())) for sample in samples]
    recent = [sample for sample in taken if moment - sample[0] / 1000 <= _RATE_SECONDS]
    if not recent:
        return None
    then, accepted_then, decided_then = recent[-1]
    seconds = max(moment - then / 1000, 0.001)
    return Rate(seconds, (accepted - accepted_then) / seconds, (decided - decided_then) / seconds)


def _consumer(flat: Any) -> Consumer:
    fields = reply_fields(flat)
    idle, lag = fields.get("idle"), fields.get("lag")
    return Consumer(
        fields["name"].decode("utf-8", "backslashreplace"),
        int(fields["pending"]),
        None if idle is None else int(idle) / 1000,
        None if lag is None else int(lag),
    )


def _marks(value: bytes | None) -> tuple[Mark, ...]:
    """The marks of the key `progress`: of all partitions together, then of each."""
    pairs = (pair.split() for pair in (value or b"").split(b";") if pair)
    return tuple(Mark(int(since) / 1000, int(taken_off)) for since, taken_off in pairs)
