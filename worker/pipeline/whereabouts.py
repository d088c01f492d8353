"""Where a claim is in Redis: what waits of it, and which entries of the outlets are its own. Nothing is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson
from redis.exceptions import ResponseError

from worker.errors import EventInvalid
from worker.intake.events import read_event, structured
from worker.pipeline.ledger import order
from worker.pipeline.namedtexts import whole
from worker.pipeline.outlets import OutletEntry
from worker.store.connections import Store
from worker.store.keys import FIELD, GROUP, Keys
from worker.store.outletspecs import CONSUMED, OUTLETS
from worker.store.registry import streams_of

_PAGE = 1_000
Handled = Literal["unread", "in hand", "acknowledged"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry of the claim that is not decided yet."""

    entry: str
    """As the audit log names it: `[<partition>:][<stream>:]<id>`."""
    worker: str | None
    """The consumer that has it; None: none yet."""
    readable: bool
    """Whether it is a claim; else it names the claim's number somewhere, and will go to quarantine."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """How far a group of consumers of an outlet is with one entry."""

    group: str
    state: Handled
    consumer: str | None = None
    """Who has it in hand."""


@dataclass(frozen=True, slots=True)
class InOutlet:
    """An entry of an outlet."""

    outlet: str
    entry: OutletEntry
    groups: tuple[GroupState, ...]


def waiting(store: Store, claim_id: str) -> list[Waiting]:
    """What waits of a claim, on every stream on which claims come in. Reads all that waits there.

    Raises:
        redis.exceptions.RedisError
    """
    streams = streams_of(store.redis, store.keys)
    return [one for part in store.keys.all for name in streams.names for one in _waiting(store, part, name, claim_id)]


def _waiting(store: Store, keys: Keys, name: str, claim_id: str) -> Iterator[Waiting]:
    stream, needles = keys.stream(name), _needles(claim_id)
    for entry, fields in _pages(store, stream):
        event = fields.get(FIELD.encode()) or structured(fields) or b""
        if not any(needle in event for needle in needles):
            continue
        try:
            found, readable = read_event(event, limit=store.settings.max_event_bytes).claim.claim_id, True
        except EventInvalid:
            found, readable = claim_id, False
        if found == claim_id:
            pending: Any = _of_group(store, stream, GROUP, entry)
            named = f"{name}:{entry}" if name else entry
            yield Waiting(keys.named(named), pending and pending["consumer"].decode(), readable)


def in_outlets(store: Store, claim_id: str) -> list[InOutlet]:
    """The entries of a claim in all outlets, the oldest first. Reads the outlets from end to end.

    Raises:
        redis.exceptions.RedisError
    """
    found = [one for part in store.keys.all for outlet in OUTLETS for one in _in_outlet(store, part, outlet, claim_id)]
    return sorted(found, key=lambda one: order(one.entry.bare))


def _in_outlet(store: Store, keys: Keys, outlet: str, claim_id: str) -> Iterator[InOutlet]:
    stream, needles = keys.outlet(outlet), _needles(claim_id)
    for entry, fields in _pages(store, stream):
        raw = fields.get(FIELD.encode(), b"")
        if not any(needle in raw for needle in needles):
            continue
        found = OutletEntry(keys.named(entry), orjson.loads(raw))
        if _named(found) == claim_id:
            whole(store.redis, keys, found.event)
            groups = tuple(_handled(store, stream, entry)) if outlet in CONSUMED else ()
            yield InOutlet(outlet, found, groups)


def _named(entry: OutletEntry) -> str | None:
    """The number of the claim in an entry; of what is in quarantine, as far as it is a JSON claim."""
    try:
        claim = entry.data["claim"] if "claim" in entry.data else orjson.loads(entry.data["event"])["data"]
        return str(claim["claim_id"])
    except (KeyError, TypeError, orjson.JSONDecodeError):
        return None


def _handled(store: Store, stream: str, entry: str) -> Iterator[GroupState]:
    groups: Any = store.redis.xinfo_groups(stream)
    for group in groups:
        name = group["name"].decode()
        if order(group["last-delivered-id"].decode()) < order(entry):
            yield GroupState(name, "unread")
        elif pending := _of_group(store, stream, name, entry):
            yield GroupState(name, "in hand", pending["consumer"].decode())
        else:
            yield GroupState(name, "acknowledged")


def _of_group(store: Store, stream: str, group: str, entry: str) -> dict[str, Any] | None:
    """Who of a group has the entry in hand; None: nobody."""
    try:
        page: Any = store.redis.xpending_range(stream, group, entry, entry, 1)
    except ResponseError:  # there is no such group yet
        return None
    return page[0] if page else None


def _pages(store: Store, stream: str) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    start = "-"
    while page := cast(Any, store.redis.xrange(stream, start, "+", count=_PAGE)):
        for entry, fields in page:
            yield entry.decode(), fields
        start = f"({page[-1][0].decode()}"


def _needles(claim_id: str) -> set[bytes]:
    """The number as JSON has it, in the two spellings that writers use."""
    return {orjson.dumps(claim_id)[1:-1], json.dumps(claim_id)[1:-1].encode()}
