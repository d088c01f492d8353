"""The inbox as a worker reads it: a stream, a consumer group, and how the tries of an entry ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from worker.intake.events import structured
from worker.pipeline.ledger import order
from worker.store.keys import FIELD, FORWARDED, GROUP, Keys
from worker.store.memory import put
from worker.store.outletspecs import GROUPED
from worker.store.pipelined import PipelinedCommand

_FIELD, _FORWARDED = FIELD.encode(), FORWARDED.encode()
_NAME = re.compile(rb"\d{1,5}:\d{1,15}-\d{1,15}")


class InboxEntry(NamedTuple):
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
"""How a try ended of which nobody reported anything."""


class Inbox:
    """The reading side, for one consumer."""

    def __init__(self, redis: Redis, keys: Keys, consumer: str) -> None:
        self._redis = redis
        self._keys = keys
        self._consumer = consumer

    def ensure(self) -> None:
        """Creates the streams and their consumer groups where they are missing; each reads from the first entry on."""
        ensure_groups(self._redis, self._keys)

    def take(self, count: int) -> list[InboxEntry]:
        """Up to `count` entries that nobody has had, without waiting; none while the workers are held back."""
        return [] if self._held() else self._read(count, ">")

    def ask(self, count: int) -> PipelinedCommand | None:
        """As `take`, but the entries are to be had from `given`, later; None: the workers are held back."""
        if self._held():
            return None
        return PipelinedCommand(
            self._redis, "XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, "STREAMS", self._keys.inbox, ">"
        )

    def given(self, sent: PipelinedCommand) -> list[InboxEntry]:
        """The entries that were asked for. Where this raises they may have been taken, and are unfinished then."""
        return _entries(sent.answer())

    def unfinished(self, count: int) -> list[InboxEntry]:
        """Up to `count` entries that this consumer took and did not commit."""
        return self._read(count, "0")

    def _held(self) -> bool:
        return bool(self._redis.exists(self._keys.first.hold))

    def _read(self, count: int, start: str) -> list[InboxEntry]:
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

    def reclaim(self, entry: str, idle_ms: int) -> InboxEntry | None:
        """Takes over one entry if it is still that idle; None: another worker was quicker, or it is gone."""
        answer: Any = self._redis.xclaim(self._keys.inbox, GROUP, self._consumer, idle_ms, [entry])
        found = [_entry(*pair) for pair in answer if pair[1]]
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

    def keep_tries(self, entry: str, tries: Sequence[str]) -> None:
        """Stores how the tries of an entry ended."""
        if tries:
            self._redis.hset(self._keys.attempts, entry, "\n".join(tries))
        else:
            self._redis.hdel(self._keys.attempts, entry)

    def note_end(self, entry: str, end: str, expires_ms: int) -> None:
        """Stores how the try of an entry ended, for whoever takes it over."""
        put(self._redis, self._keys.end(entry), end, expires_ms)


def ensure_groups(redis: Redis, keys: Keys) -> None:
    """Creates the inbox and the outlets that begin with a consumer group, each with its group, where missing."""
    for stream, group in [(keys.inbox, GROUP), *((keys.outlet(name), name) for name in GROUPED)]:
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


def _entries(answer: Any) -> list[InboxEntry]:
    """Those of one stream; one that was deleted meanwhile has no fields."""
    return [_entry(*pair) for _, page in answer for pair in page if pair[1]]


def _entry(entry: bytes, fields: Mapping[bytes, bytes]) -> InboxEntry:
    event = fields.get(_FIELD)
    return InboxEntry(entry.decode(), structured(fields) if event is None else event, fields)
