"""The inbox: what producers call, and how a worker reads.

    from worker.inbox import submit
    receipt = submit([claim, claim], source="/hospital/ehr")

A producer in another language needs one command: XADD {claims:0}:inbox * event <CloudEvent as JSON>.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from worker.errors import EventTooLarge, InboxFull, NoClaim, NoListOfClaims
from worker.intake.documents import Document
from worker.intake.events import TYPE, canonical
from worker.keys import FIELD, GROUP, GROUPED_OUTLETS, Keys
from worker.settings import Settings

SOURCE = "urn:claim-scrubber:submit"
"""Source of events that `submit` makes of plain claims. One constant, so that a file that is sent again under another
name makes no second event."""
_PIPELINE = 500

Submittable = Mapping[str, Any] | bytes | Document


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was accepted: the inbox entry of each event, in order."""

    entries: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.entries)


def submit(
    items: Iterable[Submittable],
    *,
    source: str = SOURCE,
    settings: Settings | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Receipt:
    """Puts claims on the queue and rings for a worker.

    Each item is a plain claim (a mapping in the form of DESIGN's CLAIM), a CloudEvent (a mapping with `specversion`),
    a `Document` of `read_documents`, or bytes, which are sent as they are. Nothing is checked against the claim model
    here: the worker does, and puts what it cannot read into quarantine. Sending the same again is safe: the id of a
    plain claim's event is made of its content and its position among `items`. `on_progress` gets the number
    accepted so far, after each pipeline.

    Raises:
        InboxFull: Redis is near its memory limit; its `accepted` says how many of the items went through.
        EventTooLarge: an event has more than SCRUB_MAX_EVENT_BYTES; those before it may have been accepted.
        RedisUnreachable and the other errors of `worker.wiring.open_store`.
    """
    from worker import wiring

    with wiring.open_store(settings) as store:
        receipt = send(store.redis, store.keys, items, source=source, settings=store.settings, on_progress=on_progress)
        if receipt.entries:
            wiring.bell(store).ring()
    return receipt


def send(
    redis: Redis,
    keys: Keys,
    items: Iterable[Submittable],
    *,
    source: str,
    settings: Settings,
    on_progress: Callable[[int], None] | None = None,
) -> Receipt:
    """As `submit`, on a connection that is open already, and without a ring."""
    accepted: list[str] = []
    for events in _chunks(_events(items, source, settings.max_event_bytes)):
        _refuse_when_full(redis, settings.memory_ceiling, len(accepted))
        with redis.pipeline(transaction=False) as pipeline:
            for event in events:
                pipeline.xadd(keys.inbox, {FIELD: event})
            accepted += (entry.decode() for entry in cast(Any, pipeline.execute()))
        if on_progress:
            on_progress(len(accepted))
    return Receipt(tuple(accepted))


def _events(items: Iterable[Submittable], source: str, limit: int) -> Iterator[bytes]:
    if isinstance(items, Mapping | bytes | str):
        raise NoListOfClaims(kind=type(items).__name__)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for position, item in enumerate(items):
        event = _event(item, position, source, now)
        if len(event) > limit:
            raise EventTooLarge(position=position + 1, size=len(event), limit=limit)
        yield event


def _event(item: Submittable, position: int, source: str, now: str) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, Document):
        position, item = item.number - 1, item.value
    if not isinstance(item, Mapping):
        raise NoClaim(position=position + 1, kind=type(item).__name__)
    if "specversion" in item:
        return canonical(item)
    content = canonical(item)
    envelope = {
        "specversion": "1.0", "id": f"{sha256(content).hexdigest()[:40]}-{position}", "source": source,
        "type": TYPE, "time": now, "datacontenttype": "application/json", "data": orjson.Fragment(content),
    }  # fmt: skip
    return orjson.dumps(envelope)


def _chunks(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    while chunk := list(islice(events, _PIPELINE)):
        yield chunk


def _refuse_when_full(redis: Redis, ceiling: int, accepted: int) -> None:
    info = redis.info("memory")
    limit, used = int(info.get("maxmemory", 0)), int(info["used_memory"])
    if limit and used * 100 > limit * ceiling:
        error = InboxFull(used=used, limit=limit, ceiling=ceiling, accepted=accepted)
        error.accepted = accepted
        raise error


@dataclass(frozen=True, slots=True)
class Entry:
    """An inbox entry that was delivered to this worker."""

    id: str
    event: bytes | None
    """None: the entry has no field `event`."""
    fields: Mapping[bytes, bytes]
    attempt: int = 0
    """Which lone attempt this is, since its first worker was lost; 0: it never was."""

    @property
    def milliseconds(self) -> int:
        """When Redis took it in, milliseconds since 1970."""
        return int(self.id.split("-")[0])


class Inbox:
    """The reading side, for one consumer."""

    def __init__(self, redis: Redis, keys: Keys, consumer: str) -> None:
        self._redis = redis
        self._keys = keys
        self._consumer = consumer

    def ensure(self) -> None:
        """Creates the streams and their consumer groups where they are missing; each reads from the first entry on."""
        ensure_groups(self._redis, self._keys)

    def take(self, count: int) -> list[Entry]:
        """Up to `count` entries that nobody has had, without waiting."""
        return self._read(count, ">")

    def unfinished(self, count: int) -> list[Entry]:
        """Up to `count` entries that this consumer took and did not commit."""
        return self._read(count, "0")

    def _read(self, count: int, start: str) -> list[Entry]:
        answer: Any = self._redis.xreadgroup(GROUP, self._consumer, {self._keys.inbox: start}, count=count)
        return [_entry(*pair) for _, page in answer for pair in page if pair[1]]

    def remembered(self, event_keys: Sequence[str]) -> dict[str, str]:
        """What the event memory holds of these keys, in one round trip; absent ones are left out."""
        if not event_keys:
            return {}
        values = cast(list[bytes | None], self._redis.mget(event_keys))
        return {key: value.decode() for key, value in zip(event_keys, values, strict=True) if value is not None}

    def expired(self, idle_ms: int, count: int = 100) -> list[str]:
        """Entries that were delivered at least `idle_ms` ago and not committed since."""
        answer: Any = self._redis.xpending_range(self._keys.inbox, GROUP, "-", "+", count, idle=idle_ms)
        return [item["message_id"].decode() for item in answer]

    def reclaim(self, entry: str, idle_ms: int) -> Entry | None:
        """Takes over one entry if it is still that idle; None: another worker was quicker, or it is gone."""
        answer: Any = self._redis.xclaim(self._keys.inbox, GROUP, self._consumer, idle_ms, [entry])
        found = [_entry(*pair) for pair in answer if pair[1]]
        return found[0] if found else None

    def count_attempt(self, entry: str) -> int:
        """Counts that the entry is about to be tried alone, and answers which time this is."""
        return int(self._redis.hincrby(self._keys.attempts, entry, 1))


def ensure_groups(redis: Redis, keys: Keys) -> None:
    """Creates the inbox, billing and rework with their consumer groups, where they are missing."""
    for stream, group in [(keys.inbox, GROUP), *((keys.outlet(name), name) for name in GROUPED_OUTLETS)]:
        ensure_group(redis, stream, group)


def ensure_group(redis: Redis, stream: str, group: str) -> None:
    """A consumer group from the first entry on, where it is missing."""
    try:
        redis.xgroup_create(stream, group, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _entry(entry: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    return Entry(entry.decode(), fields.get(FIELD.encode()), fields)
