"""The incoming streams as a worker reads them: entries, a consumer group on each, and how the tries of an entry ended.

On a partition there are the inbox of those who trust one another, from layout 2 on a stream for each registered
producer, and the one that only workers and operators write. What an entry says of itself beside its event is believed
where no sender can write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError

from worker.intake.events import structured
from worker.pipeline.ledger import order
from worker.pipeline.shares import Round
from worker.store.keys import (
    FIELD,
    FORWARDED,
    GROUP,
    INNER,
    PRODUCER,
    RECEIVED,
    REQUEUE,
    REVISION,
    SHARED,
    WAIVER,
    Keys,
    split_name,
)
from worker.store.memory import put
from worker.store.outletspecs import GROUPED
from worker.store.pipelined import PipelinedTransaction
from worker.store.registry import TRUSTING, Producer, Streams, streams_of
from worker.store.scripts import call, named

_FIELD, _FORWARDED, _WAIVER = FIELD.encode(), FORWARDED.encode(), WAIVER.encode()
_ENTRY = r"(?:[a-z][a-z0-9-]{0,31}:)?\d{1,20}-\d{1,20}"
_NAME = re.compile(rf"\d{{1,5}}:{_ENTRY}".encode())
_NUMBER = re.compile(rb"\d{1,15}")
_REVISION = re.compile(r"\d{1,15}(?:-\d{1,20}){1,2}(?::[a-z0-9-]+)?")


class InboxEntry(NamedTuple):
    """An entry that was delivered to this worker."""

    id: str
    event: bytes | None
    """The CloudEvent as JSON; None: the entry holds it in neither mode."""
    fields: Mapping[bytes, bytes]
    attempt: int = 0
    """Which lone attempt this is, since its first worker was lost; 0: it never was."""
    stream: str = SHARED
    """A producer's name, `SHARED` or `INNER`."""
    sender: Producer = TRUSTING
    """Who sent it, and what is bound to that."""
    receipt: int | None = None
    """When a worker first read it, in ms since 1970; None: its id says when it came."""
    believed: bool = True
    """Whether only workers and operators can have written what is beside the event."""
    of_layout_1: bool = True
    """It came in under layout 1, where the event itself says that it was requeued."""

    @property
    def name(self) -> str:
        """Its name on this partition; two streams may hold one id."""
        return f"{self.stream}:{self.id}" if self.stream else self.id

    def said(self, name: str) -> str | None:
        """A field that only workers and operators write; None: it is not there, or a sender may have written it."""
        found = self.fields.get(name.encode()) if self.believed else None
        return found.decode("utf-8", "replace") if found is not None else None

    @property
    def forwarded_from(self) -> str | None:
        """`<partition>:<entry>`, where it first came in; None: here."""
        if _FORWARDED not in self.fields:
            return None
        found = self.said(FORWARDED)
        return found if found is not None and _NAME.fullmatch(found.encode()) else None

    @property
    def revision(self) -> str:
        """Of two versions of a claim, the one with the greater is later; across streams, that which came later.

        The id under which it first came in, where Redis made that. Else the moment of receipt, then the id, which is
        the order of its stream, and the stream: no sender can put its claims before or behind those of another.
        """
        if origin := self.forwarded_from:
            carried = self.said(REVISION)
            if carried is not None and _REVISION.fullmatch(carried):
                return carried
            return min(split_name(origin)[1], self.id, key=order)
        if self.receipt is None or self.of_layout_1:
            return self.id
        return f"{self.receipt}-{self.id}:{self.stream}" if self.stream else f"{self.receipt}-{self.id}"

    @property
    def waiver(self) -> bytes | None:
        """The sealed waiver of its claim, where it came in on the stream that no sender can write."""
        return self.fields.get(_WAIVER) if self.stream == INNER else None

    @property
    def milliseconds(self) -> int:
        """When it was received, in ms since 1970; of a waived one, when it was waived."""
        if self.waiver is not None:
            return int(self.id.partition("-")[0])
        return int(self.revision.partition("-")[0]) if self.receipt is None else self.receipt


class Expired(NamedTuple):
    """An entry that was delivered long ago and not committed since."""

    entry: str
    """Its name."""
    owner: str
    """The consumer that has it."""


VANISHED = "its process vanished (it was killed, or its machine went away)"
"""How a try ended of which nobody reported anything."""


class Inbox:
    """The reading side, for one consumer."""

    def __init__(self, redis: Redis, keys: Keys, consumer: str, streams: Callable[[], Streams] | None = None) -> None:
        """`streams`: what there is to read, asked before each batch."""
        self._redis = redis
        self._keys = keys
        self._consumer = consumer
        self._streams = streams or (lambda: streams_of(redis, keys))
        self._sha: str = redis.register_script(named("receipts")).sha
        self._turn = 0
        self._busy: frozenset[str] = frozenset()
        self._last: dict[str, str] = {}
        self._round = Round(0, (), self._busy, 0)
        self.more = False
        """Whether the last `take` left a stream before it was empty."""

    @property
    def redis(self) -> Redis:
        """The connection that it reads through."""
        return self._redis

    @property
    def incoming(self) -> tuple[str, ...]:
        """The streams that there are, by name."""
        return self._streams().names

    @property
    def held(self) -> bool:
        """Whether the workers are held back."""
        return bool(self._redis.exists(self._keys.first.hold))

    def waiting(self, stream: str, after: str, count: int) -> list[InboxEntry]:
        """Up to `count` entries of a stream that nobody was handed yet, behind an id or the first; they stay where
        they are."""
        key = self._keys.stream(stream)
        handed = next((one["last-delivered-id"].decode() for one in _groups(self._redis, key)), "0-0")
        start = max(after or handed, handed, key=order)
        page: Any = self._redis.xrange(key, f"({start}", "+", count=count)
        return self._again(stream, page, self._streams())

    def all_of(self, stream: str, count: int = 500) -> Iterator[InboxEntry]:
        """Every entry of a stream, whether somebody has it or not; they stay where they are."""
        last = ""
        while page := cast(
            list[Any], self._redis.xrange(self._keys.stream(stream), f"({last}" if last else "-", count=count)
        ):
            yield from self._again(stream, page, self._streams())
            last = page[-1][0].decode()

    def ensure(self) -> None:
        """Creates the streams and their consumer groups where they are missing; each reads from the first entry on."""
        ensure_groups(self._redis, self._keys, self._streams())

    def take(self, count: int) -> list[InboxEntry]:
        """Up to `count` entries that nobody has had, without waiting; none while the workers are held back.

        One budget for all streams, in equal shares, so that one that is flooded keeps none of the others waiting. Of
        a stream that had less than its share the others get the rest, but for a few that are not worth a round trip.
        """
        asked = self.ask(count)
        return self.given(asked) if asked else []

    def ask(self, count: int) -> PipelinedTransaction | None:
        """As `take`, but the entries are to be had from `given`, later; None: the workers are held back."""
        if self._held():
            return None
        names = self._streams().names
        self._turn += 1
        at = self._turn % len(names)
        self._round = Round(count, (*names[at:], *names[:at]), self._busy, count)
        return self._sent(self._round)

    def given(self, asked: PipelinedTransaction) -> list[InboxEntry]:
        """The entries that were asked for. Where this raises they may have been taken, and are unfinished then."""
        found = self._handed(asked.answer())
        self._busy, following = self._round.busy, self._round.after(len(found))
        while following:
            self._round = following
            try:
                entries = self._handed(self._sent(following).answer())
            except ResponseError:
                break  # it will be raised the next time, when nothing else is in hand
            found += entries
            self._busy, following = following.busy, following.after(len(entries))
        self.more = bool(self._busy)
        return found

    def unfinished(self, count: int, behind: Mapping[str, str] | None = None) -> list[InboxEntry]:
        """Up to `count` entries that this consumer took and did not commit; `behind`: those after an id."""
        found: list[InboxEntry] = []
        streams = self._streams()
        for name in streams.names:
            if len(found) < count:
                left = count - len(found)
                start = {self._keys.stream(name): (behind or {}).get(name, "0")}
                answer: Any = self._redis.xreadgroup(GROUP, self._consumer, start, count=left)  # type: ignore[arg-type]
                found += self._again(name, [pair for _, page in answer for pair in page], streams)
        return found

    def _held(self) -> bool:
        if not self._redis.exists(self._keys.first.hold):
            return False
        # While nothing is there that a reader could take away, what waits is worked off a batch at a time.
        return not self._redis.delete(self._keys.first.step)

    def _sent(self, round: Round) -> PipelinedTransaction:
        reads: list[tuple[str | bytes | int, ...]] = [
            ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", quota, "STREAMS",
             *map(self._keys.stream, names), *[">"] * len(names))
            for names, quota in round.asked
        ]  # fmt: skip
        return PipelinedTransaction(self._redis, [*reads, ("EVALSHA", self._sha, *self._note(round.names))])

    def _note(self, names: Sequence[str]) -> list[str | bytes | int]:
        """What receipts.lua is called with, for these streams."""
        keys = {"meta": self._keys.meta, "receipts": self._keys.receipts, "streams": [*map(self._keys.stream, names)]}
        arguments = [part for name in names for part in (name, self._last.get(name, "-"))]
        return call(keys, GROUP, self._consumer, *arguments)

    def _handed(self, answer: Any) -> list[InboxEntry]:
        """The entries of an answer to `_sent`."""
        *pages, about = answer
        found, names, refused = (
            dict[str, Any](),
            {self._keys.stream(one).encode(): one for one in self._round.names},
            None,
        )
        for page in pages:
            if isinstance(page, ResponseError):
                refused = page
            elif page:
                of_stream = page.items() if isinstance(page, dict) else page
                found |= {names[key]: pairs for key, pairs in of_stream}
        if refused and not found:
            raise refused  # else it will be raised the next time
        self._round.found = {name: len(pairs) for name, pairs in found.items()}
        now, layout, cut = self._noted(about, found)
        streams, entries = self._streams(), list[InboxEntry]()
        for name, pairs in found.items():
            make = _Maker(name, streams, layout, cut, now)
            entries += [make.entry(entry, _fields(flat)) for entry, flat in pairs if flat]
        return entries

    def _noted(self, about: Any, found: Mapping[str, Any]) -> tuple[int, int, str]:
        """The time, the layout and its cut, as receipts.lua answers; it runs once more where it could not do its part:
        Redis had lost it, or the group was put back, so that the entries are older than the last that came."""
        back = [name for name, pairs in found.items() if _id(pairs[0][0]) <= _id(self._last.get(name, "-").encode())]
        for name, pairs in found.items():
            self._last[name] = "-" if name in back else pairs[-1][0].decode()
        if isinstance(about, NoScriptError) or back:
            names = [*found] or list(self._round.names)
            self._last |= dict.fromkeys(names, "-")
            about = self._redis.eval(named("receipts"), *cast(Any, self._note(names)))
        if isinstance(about, ResponseError):
            raise about
        return int(about[0]), int(about[1]), about[2].decode()

    def _again(self, stream: str, pairs: Iterable[Any], streams: Streams) -> list[InboxEntry]:
        """Entries that were handed out before, with the moment at which that was; one that was deleted meanwhile has
        no fields."""
        found = [(entry, fields) for entry, fields in pairs if fields]
        if not found:
            return []
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._keys.meta, "layout")
            pipeline.hget(self._keys.meta, "cut")
            pipeline.time()
            for entry, _ in found:
                pipeline.hget(self._keys.receipts, f"{stream}:{entry.decode()}" if stream else entry.decode())
            layout, cut, (seconds, microseconds), *receipts = cast(Any, pipeline.execute())
        now = int(seconds) * 1000 + int(microseconds) // 1000
        make = _Maker(stream, streams, int(layout or 1), (cut or b"").decode(), now)
        return [
            make.entry(entry, fields, None if receipt is None else int(receipt))
            for (entry, fields), receipt in zip(found, receipts, strict=True)
        ]

    def remembered(self, keys: Sequence[str]) -> dict[str, str]:
        """What event memory and ledgers hold under these keys, in one round trip; absent ones are left out."""
        if not keys:
            return {}
        values = cast(list[bytes | None], self._redis.mget(keys))
        return {key: value.decode() for key, value in zip(keys, values, strict=True) if value is not None}

    def expired(self, idle_ms: int, count: int = 100) -> list[Expired]:
        """Entries that were delivered at least `idle_ms` ago and not committed since."""
        found: list[Expired] = []
        for stream in self._streams().names:
            answer: Any = self._redis.xpending_range(self._keys.stream(stream), GROUP, "-", "+", count, idle=idle_ms)
            for item in answer:
                entry = item["message_id"].decode()
                owner = item["consumer"].decode("utf-8", "backslashreplace")
                found.append(Expired(f"{stream}:{entry}" if stream else entry, owner))
        return found

    def reclaim(self, name: str, idle_ms: int) -> InboxEntry | None:
        """Takes over one entry if it is still that idle; None: another worker was quicker, or it is gone."""
        stream, entry = split_name(name)
        answer: Any = self._redis.xclaim(self._keys.stream(stream), GROUP, self._consumer, idle_ms, [entry])
        found = self._again(stream, answer, self._streams())
        return found[0] if found else None

    def tries(self, expired: Expired) -> list[str]:
        """How the tries of this entry ended so far, the last of them just learned, and stored for the next worker.

        The first is that in a batch; only what follows was tried alone. Call it after `reclaim`.
        """
        process = expired.owner.rpartition("-")[0]
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._keys.attempts, expired.entry)
            pipeline.getdel(self._keys.end(expired.entry))
            pipeline.get(self._keys.first.end(process))
            known, *ends = cast(Any, pipeline.execute())
        end = next((end.decode() for end in ends if end), VANISHED)
        tries = [*known.decode().split("\n"), end] if known else [end]
        self.keep_tries(expired.entry, tries)
        return tries

    def keep_tries(self, name: str, tries: Sequence[str]) -> None:
        """Stores how the tries of an entry ended."""
        if tries:
            self._redis.hset(self._keys.attempts, name, "\n".join(tries))
        else:
            self._redis.hdel(self._keys.attempts, name)

    def note_end(self, name: str, end: str, expires_ms: int) -> None:
        """Stores how the try of an entry ended, for whoever takes it over."""
        put(self._redis, self._keys.end(name), end, expires_ms)


@dataclass(slots=True)
class _Maker:
    """Makes entries of one stream, as the layout of its partition says."""

    stream: str
    streams: Streams
    layout: int
    cut: str
    """The last entry of layout 1 on the inbox; empty: there is none."""
    now: int

    def entry(self, id: bytes, fields: Mapping[bytes, bytes], receipt: int | None = None) -> InboxEntry:
        """`receipt`: as it was kept, of an entry that was handed out before."""
        name, event = id.decode(), fields.get(_FIELD)
        if event is None:
            event = structured(fields)
        if receipt is None and (self.stream not in (SHARED, INNER) or int(name.partition("-")[0]) > self.now):
            receipt = self.now
        if self.layout < 2:
            return InboxEntry(name, event, fields, receipt=receipt)
        if self.stream == INNER:
            return self._inner(name, event, fields, receipt)
        old = self.stream == SHARED and bool(self.cut) and order(name) <= order(self.cut)
        return InboxEntry(name, event, fields, 0, self.stream, self.streams.sender(self.stream), receipt, old, old)

    def _inner(self, name: str, event: bytes | None, fields: Mapping[bytes, bytes], receipt: int | None) -> InboxEntry:
        sent = fields.get(PRODUCER.encode())
        sender = self.streams.sender(sent.decode("utf-8", "replace")) if sent else TRUSTING
        carried = fields.get(RECEIVED.encode(), b"")
        if _NUMBER.fullmatch(carried):
            receipt = int(carried)
        return InboxEntry(name, event, fields, 0, INNER, sender, receipt, True, False)


def requeue_of(entry: InboxEntry, in_event: str | None) -> str | None:
    """The quarantine entry that this one requeues; `in_event`: what the event itself says, which any sender can."""
    return entry.said(REQUEUE) or (in_event if entry.of_layout_1 else None)


def ensure_groups(redis: Redis, keys: Keys, streams: Streams) -> None:
    """Creates the incoming streams and the outlets that begin with a consumer group, each with its group, where
    missing."""
    if streams.layout > 1 and not redis.hexists(keys.meta, "layout"):
        redis.hsetnx(keys.meta, "layout", str(streams.layout))
    incoming = ((keys.stream(name), GROUP) for name in streams.names)
    for stream, group in [*incoming, *((keys.outlet(name), name) for name in GROUPED)]:
        ensure_group(redis, stream, group)


def ensure_group(redis: Redis, stream: str, group: str) -> None:
    """A consumer group from the first entry on, where it is missing."""
    try:
        redis.xgroup_create(stream, group, id="0", mkstream=True)
    except OutOfMemoryError:
        # Refused before it is looked at; where the group is there, nothing is amiss.
        if not redis.exists(stream) or not any(found["name"] == group.encode() for found in _groups(redis, stream)):
            raise
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _groups(redis: Redis, stream: str) -> list[dict[str, Any]]:
    return redis.xinfo_groups(stream)


def _id(entry: bytes) -> tuple[int, int]:
    """To compare ids; `-` is before all."""
    first, _, second = entry.partition(b"-")
    return (int(first), int(second)) if first else (-1, -1)


def _fields(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
