"""Decisions off their outlet, each to its file.

Whoever reads one keeps it where every process finds it, and acknowledges it then: so two processes share the outlet,
and one that dies leaves nothing with itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.errors import EventInvalid
from worker.filing.state import Record, owner
from worker.intake.events import decode
from worker.pipeline.inbox import ensure_group
from worker.pipeline.outlets import OutletEntry, pages, parsed
from worker.store.keys import Keys, event_identity
from worker.store.outletspecs import FILES
from worker.store.registry import Producer

_PAGE = 200
RECLAIM_MS = 2_000
"""After this what a process was handed and did not keep is another one's; that both keep it does no harm."""
_SEEN = 10_000


@dataclass(slots=True)
class Collector:
    """One consumer of the outlet."""

    redis: Redis
    keys: Keys
    consumer: str
    producers: Callable[[], dict[str, Producer]]
    memory_ms: int
    complain: Callable[[str], None]
    _left: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def ensure(self) -> None:
        """The consumer group, where it is missing."""
        for part in self.keys.all:
            ensure_group(self.redis, part.outlet(FILES), FILES)

    def collect(self) -> int:
        """Takes all that is there; answers how many were kept.

        Raises:
            redis.exceptions.RedisError: to do it again is safe.
        """
        try:
            return self._all()
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.ensure()  # somebody emptied Redis
            return self._all()

    def _all(self) -> int:
        done = 0
        producers = self.producers()
        for part in self.keys.all:
            for page in self._pages(part.outlet(FILES)):
                done += self._keep(part, page, producers)
        return done

    def _pages(self, stream: str) -> Iterator[list[Any]]:
        start = "0-0"
        while True:
            answer: Any = self.redis.xautoclaim(stream, FILES, self.consumer, RECLAIM_MS, start, count=_PAGE)
            if answer[1]:
                yield answer[1]
            start = answer[0].decode()
            if start == "0-0":
                break
        while True:
            found: Any = self.redis.xreadgroup(FILES, self.consumer, {stream: ">"}, count=_PAGE)
            if not found:
                return
            yield found[0][1]

    def _keep(self, part: Keys, page: list[Any], producers: dict[str, Producer]) -> int:
        done, over = 0, []
        for id, fields in page:
            if not fields:
                over.append(id)
                continue
            entry = parsed(self.redis, part, id, fields)
            kept = self._one(entry, producers)
            done += kept == "kept"
            if kept != "nobody's":
                over.append(id)
        if over:
            self.redis.xack(part.outlet(FILES), FILES, *over)
        return done

    def _one(self, entry: OutletEntry, producers: dict[str, Producer]) -> str:
        identity = identity_of(entry, producers)
        token = owner(self.redis, self.keys, identity) if identity else ""
        if not identity or not token:
            self._once(entry, "came with no file that is on its way; it stays on the outlet, and goes nowhere")
            return "nobody's"
        record = Record(self.redis, self.keys, token, self.memory_ms)
        report = entry.data["report"]
        if report.get("waived") or report.get("repaired"):
            # What stays held is a case once more, and in the file of its day already.
            if report["disposition"] == "rework":
                return "known"
            return record.keep_later(identity, entry.decision_id, report, entry.data["claim"])
        kept = record.keep(identity, entry.decision_id, entry.data["report"])
        if kept == "late":
            self._once(entry, f"came after {record.name()} was written, and goes nowhere")
        if kept == "unknown":
            self._once(entry, "came with a file of which Redis has forgotten; it stays on the outlet")
            return "nobody's"
        return kept

    def _once(self, entry: OutletEntry, what: str) -> None:
        if entry.id not in self._left:
            self._left[entry.id] = None
            if len(self._left) > _SEEN:
                self._left.popitem(last=False)
            self.complain(f"decision {entry.decision_id} {what}")


def identity_of(entry: OutletEntry, producers: dict[str, Producer]) -> str:
    """Of the event that an entry is about, as the event memory knows it; empty: nobody can say."""
    event = entry.event
    source, id = event.get("eventsource"), event.get("eventid")
    if source is None or id is None:
        said = _event_in(entry)
        source, id = said.get("source"), said.get("id")
    if not isinstance(source, str) or not isinstance(id, str):
        return ""
    identity = event_identity(source, id)
    sender = producers.get(event.get("producer", ""))
    return sender.identity(identity) if sender else identity


def _event_in(entry: OutletEntry) -> dict[str, Any]:
    """What came in, of an entry of the quarantine."""
    try:
        found = decode(cast(str, entry.data.get("event", "")).encode())
    except (EventInvalid, UnicodeEncodeError):
        return {}
    return found if isinstance(found, dict) else {}


def in_quarantine(redis: Redis, keys: Keys, producers: dict[str, Producer], producer: str) -> set[str]:
    """The events of a producer that are in quarantine now."""
    found = (entry for part in keys.all for entry in pages(redis, part, "quarantine"))
    return {identity_of(entry, producers) for entry in found if entry.event.get("producer") == producer}
