"""Snapshots of ledgers and event memory: what Redis alone holds and no sender can send again, in encrypted files.

A file has one line about the whole, then one a key, in no order. The ends of the audit chains are read first: what was
committed until then is in the file, and what came while it was written may be. Restoring reads the audit lines from
there on, which changes nothing where the file has it already.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import orjson
from redis import Redis

from worker.audit import chains
from worker.errors import SnapshotUnusable
from worker.store.agreement import agreed_rings, standing
from worker.store.connections import Store
from worker.store.keyring import Ring
from worker.store.keys import Keys
from worker.store.sealedfile import sealing, unsealed

Kind = Literal["ledger", "event"]
_KEY = re.compile(r"\{claims:(\d+)\}:(ledger|event):([0-9a-f]+)")
_NAME = re.compile(r"ledger-\d{8}T\d{6}Z\.snapshot")
_PAGE = 500
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class About:
    """What a snapshot says of itself."""

    taken: str
    """When it was begun, UTC."""
    partitions: int
    layout: int
    rings: str
    """The keys in force; see `worker.store.keyring.Rings.mark`."""
    book: str
    """Digest of the book that was in force for all workers; empty: each had its own."""
    producers: Mapping[str, str] = field(default_factory=dict)
    """The registry, by name."""
    heads: Mapping[str, int] = field(default_factory=dict)
    """By audit chain, the number of the last line that was committed before."""


class Record(NamedTuple):
    """One key."""

    kind: Kind
    mark: str
    """What it is named after: a patient's hash, or an event's identity."""
    value: str
    until: int
    """When it expires, in ms since 1970; 0: never."""


class Taken(NamedTuple):
    """What was put into a file."""

    file: Path
    ledgers: int
    events: int


def files(folder: Path) -> list[Path]:
    """The snapshots of a folder, the oldest first."""
    return sorted(file for file in folder.iterdir() if _NAME.fullmatch(file.name)) if folder.is_dir() else []


def take(store: Store, folder: Path, keep: int, on_progress: Callable[[int], None] = lambda _: None) -> Taken:
    """Writes a snapshot into the folder, and then removes all but the newest `keep`.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere, FolderUnusable, redis.exceptions.RedisError
    """
    rings, moment = agreed_rings(store), datetime.now(UTC)
    about = _about(store, moment)
    counts: dict[Kind, int] = {"ledger": 0, "event": 0}
    file = folder / f"ledger-{moment:%Y%m%dT%H%M%SZ}.snapshot"
    with sealing(file, rings.audit.active) as put:
        put(orjson.dumps({"format": _FORMAT, **_plain(about)}))
        for one in _records(store.redis, again=rings.patient.place > 0):
            put(orjson.dumps([*one]))
            counts[one.kind] += 1
            if not sum(counts.values()) % _PAGE:
                on_progress(sum(counts.values()))
    for old in files(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return Taken(file, counts["ledger"], counts["event"])


def _about(store: Store, moment: datetime) -> About:
    redis, keys = store.redis, store.keys
    heads = {head.chain: head.seq for head in chains.known(redis, keys).values()}
    held = standing(redis)
    book = cast(bytes | None, redis.lindex(keys.first.book, 0))
    rings = cast(bytes | None, redis.get(keys.first.rings))
    registered = cast(dict[bytes, bytes], redis.hgetall(keys.first.producers))
    return About(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", held.partitions, held.layout, (rings or b"").decode(), (book or b"").decode(),
        {name.decode(): said.decode() for name, said in registered.items()}, heads,
    )  # fmt: skip


def _plain(about: About) -> dict[str, Any]:
    return {name: getattr(about, name) for name in About.__slots__}


def _records(redis: Redis, *, again: bool) -> Iterator[Record]:
    """Every ledger and every event. `again`: ledgers get other names while it looks, as keys were rotated, so it looks
    twice: none gets two."""
    seen = set[int]()
    for look in range(2 if again else 1):
        names = (key.decode() for key in redis.scan_iter(match="{claims:*}:*:*", count=_PAGE))
        found = ((name, match) for name in names if (match := _KEY.fullmatch(name)))
        while page := list(islice(found, _PAGE)):
            if again:
                page = [(name, match) for name, match in page if _new(match, look, seen)]
            yield from _read(redis, page)


def _new(match: re.Match[str], look: int, seen: set[int]) -> bool:
    """Whether a key was not looked at: of ledgers a number that is short remembers it."""
    if match[2] == "event":
        return look == 0
    number = int(match[3][:16], 16)
    fresh = number not in seen
    seen.add(number)
    return fresh


def _read(redis: Redis, page: Sequence[tuple[str, re.Match[str]]]) -> Iterator[Record]:
    with redis.pipeline(transaction=False) as pipeline:
        for name, _ in page:
            pipeline.get(name)
            pipeline.pttl(name)
        answers = cast(Any, pipeline.execute())
    now = int(time.time() * 1000)
    for (_, match), value, left in zip(page, answers[::2], answers[1::2], strict=True):
        if value is not None:
            yield Record(cast(Kind, match[2]), match[3], value.decode(), now + left if left > 0 else 0)


def opened(file: Path, ring: Ring) -> tuple[About, Iterator[Record]]:
    """A snapshot: what it says of itself, and what is in it.

    Raises:
        SnapshotUnusable: also while the records are read.
    """
    lines = unsealed(file, ring)
    said = orjson.loads(next(lines))
    if said.pop("format") != _FORMAT:
        raise SnapshotUnusable(file=file, reason="a later release made it")
    return About(**said), _typed(lines)


def _typed(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        yield Record(*orjson.loads(line))


def key_of(record: Record, keys: Keys) -> tuple[Keys, str]:
    """Where it belongs by the present number of partitions, and its key."""
    home = keys.at(record.mark)
    return home, home.ledger(record.mark) if record.kind == "ledger" else home.event(record.mark)
