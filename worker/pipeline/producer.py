"""A producer's side of the inbox: claims and events, each put on the stream of its partition.

A producer in another language needs one command: XADD {claims:0}:in:NAME * event <CloudEvent as JSON>, in binary mode
XADD {claims:0}:in:NAME * ce_specversion 1.0 ce_id ... ce_source ... ce_type claim.submitted.v1 data <claim as JSON>.
NAME is the one that it is registered with; those who share the inbox put it on {claims:0}:inbox. It asks
HGET {claims:0}:meta full before: where that was written within ten seconds, there is no room for now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import OutOfMemoryError

from worker.config.settings import Settings
from worker.errors import EventTooLarge, InboxFull, NoClaim, NoListOfClaims, ProducerUnknown
from worker.intake.document import Document
from worker.intake.events import TYPE, canonical, digest_of, moment
from worker.monitoring.pressure import Patience, full
from worker.pipeline.partitioner import Partitioner, partitioner_of
from worker.store.keys import FIELD, Keys
from worker.store.memory import memory

SOURCE = "urn:claim-scrubber:submit"
"""Source of events that `submit` makes of plain claims. One constant, so that a file that is sent again under another
name makes no second event."""


_PIPELINE = 500


Submittable = Mapping[str, Any] | bytes | Document


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was accepted: the name of the entry of each event, in order."""

    entries: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.entries)


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
    """As `submit`, on a connection that is open already, and without a notification."""
    accepted: list[str] = []
    partitioner = partitioner_of(redis, keys, settings)
    for chunk in _chunks(_events(items, source, settings.max_event_bytes)):
        events = chunk
        while events:
            _await_room(redis, keys, settings, len(accepted), Patience(wait), on_wait)
            answers = _add(redis, partitioner, events, settings.producer)
            refused = [event for event, answer in zip(events, answers, strict=True) if isinstance(answer, Exception)]
            accepted += (answer for answer in answers if isinstance(answer, str))
            if refused and len(refused) == len(events):
                # Redis has no room at all, though it was below the ceiling a moment ago.
                _await_room(redis, keys, settings, len(accepted), Patience(wait), on_wait, at_least_once=True)
            events = refused
        if on_progress:
            on_progress(len(accepted))
    return Receipt(tuple(accepted))


def _add(
    redis: Redis, partitioner: Partitioner, events: Sequence[bytes], producer: str
) -> list[str | OutOfMemoryError]:
    """The name of the entry of each event, or that Redis has no memory for it.

    Raises:
        ProducerUnknown: it was never registered, or Redis was emptied a moment ago.
        redis.exceptions.RedisError: of any other kind.
    """
    partitions = [partitioner.of(event) for event in events]
    with redis.pipeline(transaction=False) as pipeline:
        for keys, event in zip(partitions, events, strict=True):
            # `scrub producer add` makes the stream: under another name nobody would ever read it.
            pipeline.xadd(keys.stream(producer), {FIELD: event}, nomkstream=bool(producer))
        answers = cast(Any, pipeline.execute(raise_on_error=False))
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, OutOfMemoryError):
            raise answer
    if None in answers:
        raise ProducerUnknown(name=producer)
    return [
        keys.named(f"{producer}:{answer.decode()}" if producer else answer.decode())
        if isinstance(answer, bytes)
        else answer
        for keys, answer in zip(partitions, answers, strict=True)
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
    digest = digest_of(claim, content)
    name = f"{origin[:200]}-{digest[:40]}"
    envelope = {
        "specversion": "1.0", "id": name, "source": source, "type": TYPE, "time": now,
        "datacontenttype": "application/json", "data": orjson.Fragment(content),
    }  # fmt: skip
    return orjson.dumps(envelope), name, digest


def _chunks(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    while chunk := list(islice(events, _PIPELINE)):
        yield chunk
