"""Ledgers and event memory put back from a snapshot, and from the audit lines since.

Whatever Redis holds stays, unless the snapshot has something later of the same claim: so it may be done again, and
after workers were started again. What waits on a stream is decided again, so it is put back as not decided.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Literal, NamedTuple

from worker.audit.lines import who
from worker.audit.log import AuditLog, Head
from worker.errors import SnapshotRefused
from worker.pipeline import batch
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import Inbox, ensure_groups
from worker.pipeline.ledger import Ledger
from worker.pipeline.ledgerstore import read_ledgers, write_ledgers
from worker.pipeline.recovery import Since, Told, merged, place_of, recovered
from worker.pipeline.routing import home_partition, identity_partition
from worker.pipeline.snapshot import About, Record, key_of
from worker.store.agreement import standing
from worker.store.connections import Store
from worker.store.keys import REGISTERED, SHARED, Keys
from worker.store.registry import producers_of, streams_of

_PAGE = 500
Fate = Literal["ledgers", "events", "there", "waiting", "expired"]
"""What became of a key of a snapshot; there: Redis knew as much."""
Change = Callable[[str, Ledger], Ledger]


class Restored(NamedTuple):
    """What was put back."""

    keys: Counter[Fate]
    producers: tuple[str, ...]
    """Registered again."""
    recovered: list[Told]
    """Of the audit lines since, what ledgers now know."""
    rejected: int
    """Claims that were recorded as rejected since."""
    unnamed: int
    """Decisions since whose ledger may have another name under a patient key of before, so they were left out."""
    book: str
    """The book that was in force for all workers, where Redis knows of none now."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What is to be decided again, or still."""

    events: set[str] = field(default_factory=set)
    """Keys of the event memory."""
    claims: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """By ledger, names and places."""


@dataclass(slots=True)
class Restorer:
    """Puts back for a person, with an audit file of its own."""

    store: Store
    context: BatchContext
    audit: AuditLog
    months: int
    _head: Head = field(default_factory=Head)

    def restore(
        self, file: Path, about: About, records: Iterator[Record], since: Since,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Restored:  # fmt: skip
        """Puts back what the records and the audit lines since have.

        Raises:
            SnapshotRefused: nothing was changed. SnapshotUnusable, KeysTurned, CommitRefused, AuditUnwritable,
                redis.exceptions.RedisError: what was put back so far stays; to do it again is safe.
        """
        self._assert_fits(file, about)
        self._head = self.audit.write([{
            "log.level": "warning", "event.action": "history.restored", "event.outcome": "success", "user.name": who(),
            "event.reason": f"{file.name}, taken {about.taken}", "history.claims": len(since.decided),
        }])  # fmt: skip
        producers = self._register(about.producers)
        waiting = self._waiting()
        counts, seen = Counter[Fate](), 0
        while page := list(islice(records, _PAGE)):
            seen += len(page)
            counts += self._events([one for one in page if one.kind == "event"], about, waiting)
            counts += self._ledgers([one for one in page if one.kind == "ledger"], waiting)
            on_progress(seen)
        told, unnamed = self._told(since.decided, waiting)
        rejected = self._rejected(since.rejected)
        book = about.book if about.book and not self.store.redis.exists(self.store.keys.first.book) else ""
        return Restored(counts, producers, told, rejected, unnamed, book)

    def _assert_fits(self, file: Path, about: About) -> None:
        held = standing(self.store.redis)
        if held.layout < about.layout:
            reason = f"it is of layout {about.layout}, and Redis of layout {held.layout}: `scrub migrate` comes first"
            raise SnapshotRefused(file=file, reason=reason)

    def _register(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """The producers that Redis knows no more; without their streams nobody would read what they send."""
        redis, keys = self.store.redis, self.store.keys
        missing = {name: said for name, said in before.items() if name not in producers_of(redis, keys)}
        for name, said in missing.items():
            redis.hsetnx(keys.first.producers, name, said)
        for part in keys.all:
            ensure_groups(redis, part, streams_of(redis, keys))
        return tuple(sorted(missing))

    def _waiting(self) -> _Waiting:
        found, keys = _Waiting(), self.store.keys
        for part in keys.all:
            streams = streams_of(self.store.redis, keys)
            inbox = Inbox(self.store.redis, part, "", lambda streams=streams: streams)  # type: ignore[misc]
            for stream in streams.names or (SHARED,):
                for reading in batch.read(inbox.all_of(stream), self.context):
                    home = home_partition(reading, keys)
                    if reading.identity:
                        there = identity_partition(reading, keys)
                        found.events.update((home.event(reading.identity), there.event(reading.identity)))
                    if reading.claimed and reading.ledger_key:
                        version = (reading.claimed.name, place_of(reading.claimed.revision))
                        for name in (reading.ledger_key, *reading.former_ledgers):
                            found.claims[home.ledger(name.rpartition(":")[2])].add(version)
        return found

    def _events(self, page: Sequence[Record], about: About, waiting: _Waiting) -> Counter[Fate]:
        counts, put = Counter[Fate](), list[tuple[str, Record]]()
        now, moved = int(time.time() * 1000), about.partitions != self.store.keys.count
        for one in page:
            _, name = key_of(one, self.store.keys)
            if moved and one.value.partition(" ")[2].startswith(REGISTERED):
                continue  # where it is decided is where it is looked for by now
            if name in waiting.events:
                counts["waiting"] += 1
            elif one.until and one.until <= now:
                counts["expired"] += 1
            else:
                put.append((name, one))
        with self.store.redis.pipeline(transaction=False) as pipeline:
            for name, one in put:
                pipeline.set(name, one.value, nx=True, pxat=one.until or None)
            done = pipeline.execute()
        counts["events"] += sum(map(bool, done))
        counts["there"] += len(done) - sum(map(bool, done))
        return counts

    def _ledgers(self, page: Iterable[Record], waiting: _Waiting) -> Counter[Fate]:
        counts = Counter[Fate]()
        parts = defaultdict[Keys, dict[str, Ledger]](dict)
        for one in page:
            home, name = key_of(one, self.store.keys)
            parts[home][name] = Ledger.parse(one.value)
        for home, ledgers in parts.items():
            written = self._changed(
                home, ledgers, lambda name, here, kept=ledgers: merged(  # type: ignore[misc]
                    here, kept[name], waiting.claims.get(name, ()), _version())
            )  # fmt: skip
            counts["ledgers"] += written
            counts["there"] += len(ledgers) - written
        return counts

    def _told(self, decided: Sequence[Told], waiting: _Waiting) -> tuple[list[Told], int]:
        """Those that ledgers know by now, and how many may be in a ledger under a key of before."""
        keys, redis = self.store.keys, self.store.redis
        facilities = {name: one.facility for name, one in producers_of(redis, keys).items()}
        turned = bool(self.context.patients.former_keys())
        known, unnamed = list[Told](), 0
        pages = iter(decided)
        while page := list(islice(pages, _PAGE)):
            parts = defaultdict[Keys, defaultdict[str, list[Told]]](lambda: defaultdict(list))
            for one in page:
                home = keys.at(one.patient)
                name = home.ledger(one.patient)
                claimed = one.entry(facilities.get(one.producer, "")).name
                if (claimed, place_of(one.revision)) in waiting.claims.get(name, ()):
                    continue
                if turned and not redis.exists(name):
                    unnamed += 1
                    continue
                parts[home][name].append(one)
            for home, ledgers in parts.items():
                self._changed(home, ledgers, _all_of(ledgers, facilities))
                known += [one for told in ledgers.values() for one in told]
        return sorted(known, key=lambda one: one.moment), unnamed

    def _rejected(self, claims: Mapping[str, int]) -> int:
        """How many entries count no longer; one look through all ledgers, where there are any of them."""
        done, keys = 0, self.store.keys
        names = (key.decode() for key in self.store.redis.scan_iter(match="{claims:*}:ledger:*", count=_PAGE))
        while claims and (page := list(islice(names, _PAGE))):
            parts = defaultdict[Keys, list[str]](list)
            for name in page:
                parts[keys.at(name.rpartition(":")[2])].append(name)
            for home, ledgers in parts.items():
                done += self._changed(home, ledgers, lambda _, here: _without(here, claims))
        return done

    def _changed(self, home: Keys, names: Iterable[str], change: Change) -> int:
        """Changes ledgers of a partition; answers how many are others by now."""
        left, done = list(names), 0
        while left:
            found = read_ledgers(self.store.redis, left)
            after = {name: (here, change(name, here)) for name, here in found.items()}
            changes = {name: pair for name, pair in after.items() if pair[1] is not pair[0]}
            if not changes:
                break
            mark = self.context.rings.mark
            left = list(write_ledgers(self.store.once, home, changes, self._head, mark, self.months))
            done += len(changes) - len(left)
        return done


def _all_of(ledgers: Mapping[str, Sequence[Told]], facilities: Mapping[str, str]) -> Change:
    def change(name: str, here: Ledger) -> Ledger:
        version = _version()
        for one in ledgers[name]:
            here = recovered(here, one, facilities.get(one.producer, ""), version)
        return here

    return change


def _without(here: Ledger, claims: Mapping[str, int]) -> Ledger:
    """What was sent again after its rejection counts."""
    entries = here.entries.values()
    billed = [one.name for one in entries if one.state == "billed" and one.order[0] < claims.get(one.claim_id, 0)]
    for name in billed:
        here = here.rejected(name, _version())
    return here


def _version() -> str:
    """Not an entry, and never the same twice."""
    return f"restored-{token_hex(6)}"
