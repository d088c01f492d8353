"""The inbox: what producers call, and how a worker reads.

    from worker.pipeline.inbox import submit
    receipt = submit([claim, claim], source="/hospital/ehr")

A producer in another language needs one command: XADD {claims:0}:inbox * event <CloudEvent as JSON>, or in binary mode
XADD {claims:0}:inbox * ce_specversion 1.0 ce_id ... ce_source ... ce_type claim.submitted.v1 data <claim as JSON>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple, cast

import orjson
from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from worker.config.settings import Settings
from worker.errors import EventTooLarge, InboxFull, NoClaim, NoListOfClaims
from worker.intake.documents import Document
from worker.intake.events import TYPE, canonical, structured
from worker.monitoring.pressure import Patience, full, memory, put
from worker.pipeline.ledger import order
from worker.pipeline.partitioner import Place, place
from worker.store.keys import FIELD, FORWARDED, GROUP, GROUPED_OUTLETS, Keys
from worker.store.pipelined import Sent

SOURCE = "urn:claim-scrubber:submit"
"""Source of events that `submit` makes of plain claims. One constant, so that a file that is sent again under another
name makes no second event."""
_PIPELINE = 500
_FIELD, _FORWARDED = FIELD.encode(), FORWARDED.encode()
_NAME = re.compile(rb"\d{1,5}:\d{1,15}-\d{1,15}")

Submittable = Mapping[str, Any] | bytes | Document


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was accepted: the name of the inbox entry of each event, in order."""

    entries: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.entries)


def submit(
    items: Iterable[Submittable],
    *,
    source: str = SOURCE,
    settings: Settings | None = None,
    on_progress: Callable[[int], None] | None = None,
    wait: float | None = 0,
    on_wait: Callable[[str], None] | None = None,
) -> Receipt:
    """Puts claims on the queue and rings for a worker.

    Each item is a plain claim (a mapping in the form of DESIGN's CLAIM), a CloudEvent (a mapping with `specversion`),
    a `Document` of `read_documents`, or bytes, which are sent as they are. Nothing is checked against the claim model
    here: the worker does, and puts what it cannot read into quarantine. Sending the same again is safe: the id of a
    plain claim's event is made of its position among `items` and its content. `on_progress` gets the number
    accepted so far, after each pipeline.

    `wait`: seconds to wait for room, each time that Redis is near its memory limit; 0: none, None: as long as it
    takes. `on_wait` gets a sentence each second of it.

    Raises:
        InboxFull: there was no room within `wait`; its `accepted` says how many of the items went through.
        EventTooLarge: an event has more than SCRUB_MAX_EVENT_BYTES; those before it may have been accepted.
        RedisUnusable and the other errors of `worker.bootstrap.open_store`.
    """
    from worker import bootstrap as wiring

    with wiring.open_store(settings) as store:
        receipt = send(
            store.redis, store.keys, items, source=source, settings=store.settings, on_progress=on_progress,
            wait=wait, on_wait=on_wait,
        )  # fmt: skip
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
    wait: float | None = 0,
    on_wait: Callable[[str], None] | None = None,
) -> Receipt:
    """As `submit`, on a connection that is open already, and without a ring."""
    accepted: list[str] = []
    where = place(redis, keys, settings)
    for chunk in _chunks(_events(items, source, settings.max_event_bytes)):
        events = chunk
        while events:
            _await_room(redis, keys, settings, len(accepted), Patience(wait), on_wait)
            answers = _add(redis, where, events)
            refused = [event for event, answer in zip(events, answers, strict=True) if isinstance(answer, Exception)]
            accepted += (answer for answer in answers if isinstance(answer, str))
            if refused and len(refused) == len(events):
                # Redis has no room at all, though it was below the ceiling a moment ago.
                _await_room(redis, keys, settings, len(accepted), Patience(wait), on_wait, at_least_once=True)
            events = refused
        if on_progress:
            on_progress(len(accepted))
    return Receipt(tuple(accepted))


def _add(redis: Redis, where: Place, events: Sequence[bytes]) -> list[str | OutOfMemoryError]:
    """The name of the inbox entry of each event, or that Redis has no memory for it.

    Raises:
        redis.exceptions.RedisError: of any other kind.
    """
    places = [where.of(event) for event in events]
    with redis.pipeline(transaction=False) as pipeline:
        for keys, event in zip(places, events, strict=True):
            pipeline.xadd(keys.inbox, {FIELD: event})
        answers = cast(Any, pipeline.execute(raise_on_error=False))
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, OutOfMemoryError):
            raise answer
    return [
        keys.named(answer.decode()) if isinstance(answer, bytes) else answer
        for keys, answer in zip(places, answers, strict=True)
    ]


def _await_room(
    redis: Redis,
    keys: Keys,
    settings: Settings,
    accepted: int,
    patience: Patience,
    on_wait: Callable[[str], None] | None,
    *,
    at_least_once: bool = False,
) -> None:
    while (used := full(redis, keys, settings)) or at_least_once:
        used = used or memory(redis)
        if not patience.wait():
            error = InboxFull(used=used.used, limit=used.limit, ceiling=settings.memory_ceiling, accepted=accepted)
            error.accepted = accepted
            raise error
        if on_wait:
            on_wait(f"Redis uses {used.per_cent:.0f} % of its memory; waiting for room, {accepted} accepted so far")
        at_least_once = False


def _events(items: Iterable[Submittable], source: str, limit: int) -> Iterator[bytes]:
    if isinstance(items, Mapping | bytes | str):
        raise NoListOfClaims(kind=type(items).__name__)
    now = moment()
    for position, item in enumerate(items):
        event = _event(item, position, source, now)
        if len(event) > limit:
            raise EventTooLarge(position=position + 1, size=len(event), limit=limit)
        yield event


def _event(item: Submittable, position: int, source: str, now: str) -> bytes:
    if isinstance(item, bytes):
        return item
    origin = str(position + 1)
    if isinstance(item, Document):
        origin, item = item.origin or str(item.number), item.value
    if not isinstance(item, Mapping):
        raise NoClaim(position=position + 1, kind=type(item).__name__)
    return canonical(item) if "specversion" in item else wrapped(item, origin, source, now)[0]


def wrapped(claim: Mapping[str, Any], origin: str, source: str, now: str) -> tuple[bytes, str, str]:
    """The event around a plain claim, its id, and the digest of its data.

    The id is where the claim came from and what is in it: control numbers alone are repeated by many partners, and
    content alone would make one of two claims that are the same by intent.
    """
    content = canonical(claim)
    digest = sha256(content).hexdigest()
    name = f"{origin[:200]}-{digest[:40]}"
    envelope = {
        "specversion": "1.0", "id": name, "source": source, "type": TYPE, "time": now,
        "datacontenttype": "application/json", "data": orjson.Fragment(content),
    }  # fmt: skip
    return orjson.dumps(envelope), name, digest


def moment() -> str:
    """Now, as the `time` of an event."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chunks(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    while chunk := list(islice(events, _PIPELINE)):
        yield chunk


class Entry(NamedTuple):
    """An inbox entry that was delivered to this worker."""

    id: str
    event: bytes | None
    """The CloudEvent as JSON; None: the entry holds it in neither mode."""
    fields: Mapping[bytes, bytes]
    attempt: int = 0
    """Which lone attempt this is, since its first worker was lost; 0: it never was."""

    @property
    def forwarded_from(self) -> str | None:
        """`<partition>:<entry>`, where it first came in; None: here."""
        found = self.fields.get(_FORWARDED)
        return found.decode() if found is not None and _NAME.fullmatch(found) else None

    @property
    def revision(self) -> str:
        """The entry id under which it first came in: of two versions of a claim, the one with the greater is later."""
        origin = self.forwarded_from
        return min(origin.rpartition(":")[2], self.id, key=order) if origin else self.id

    @property
    def milliseconds(self) -> int:
        """When Redis took it in, milliseconds since 1970."""
        return int(self.revision.partition("-")[0])


@dataclass(frozen=True, slots=True)
class Expired:
    """An entry that was delivered long ago and not committed since."""

    entry: str
    owner: str
    """The consumer that has it."""


VANISHED = "its process vanished (it was killed, or its machine went away)"
"""How a try ended of which nobody told anything."""


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
        """Up to `count` entries that nobody has had, without waiting; none while the workers are held back."""
        return [] if self._held() else self._read(count, ">")

    def ask(self, count: int) -> Sent | None:
        """As `take`, but the entries are to be had from `given`, later; None: the workers are held back."""
        if self._held():
            return None
        return Sent(
            self._redis, "XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, "STREAMS", self._keys.inbox, ">"
        )

    def given(self, sent: Sent) -> list[Entry]:
        """The entries that were asked for. Where this raises they may have been taken, and are unfinished then."""
        return _entries(sent.answer())

    def unfinished(self, count: int) -> list[Entry]:
        """Up to `count` entries that this consumer took and did not commit."""
        return self._read(count, "0")

    def _held(self) -> bool:
        return bool(self._redis.exists(self._keys.first.hold))

    def _read(self, count: int, start: str) -> list[Entry]:
        return _entries(self._redis.xreadgroup(GROUP, self._consumer, {self._keys.inbox: start}, count=count))

    def remembered(self, keys: Sequence[str]) -> dict[str, str]:
        """What event memory and ledgers hold under these keys, in one round trip; absent ones are left out."""
        if not keys:
            return {}
        values = cast(list[bytes | None], self._redis.mget(keys))
        return {key: value.decode() for key, value in zip(keys, values, strict=True) if value is not None}

    def expired(self, idle_ms: int, count: int = 100) -> list[Expired]:
        """Entries that were delivered at least `idle_ms` ago and not committed since."""
        answer: Any = self._redis.xpending_range(self._keys.inbox, GROUP, "-", "+", count, idle=idle_ms)
        return [
            Expired(item["message_id"].decode(), item["consumer"].decode("utf-8", "backslashreplace"))
            for item in answer
        ]

    def reclaim(self, entry: str, idle_ms: int) -> Entry | None:
        """Takes over one entry if it is still that idle; None: another worker was quicker, or it is gone."""
        answer: Any = self._redis.xclaim(self._keys.inbox, GROUP, self._consumer, idle_ms, [entry])
        found = [_entry(*pair) for pair in answer if pair[1]]
        return found[0] if found else None

    def tries(self, expired: Expired) -> list[str]:
        """How the tries of this entry ended so far, the last of them just learnt, and kept for the next worker.

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

    def keep_tries(self, entry: str, tries: Sequence[str]) -> None:
        """Keeps how the tries of an entry ended."""
        if tries:
            self._redis.hset(self._keys.attempts, entry, "\n".join(tries))
        else:
            self._redis.hdel(self._keys.attempts, entry)

    def note_end(self, entry: str, end: str, expires_ms: int) -> None:
        """Keeps how the try of an entry ended, for whoever takes it over."""
        put(self._redis, self._keys.end(entry), end, expires_ms)


def ensure_groups(redis: Redis, keys: Keys) -> None:
    """Creates the inbox, billing and rework with their consumer groups, where they are missing."""
    for stream, group in [(keys.inbox, GROUP), *((keys.outlet(name), name) for name in GROUPED_OUTLETS)]:
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


def _entries(answer: Any) -> list[Entry]:
    """Those of one stream; one that was deleted meanwhile has no fields."""
    return [_entry(*pair) for _, page in answer for pair in page if pair[1]]


def _entry(entry: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    event = fields.get(_FIELD)
    return Entry(entry.decode(), structured(fields) if event is None else event, fields)
