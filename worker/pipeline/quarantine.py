"""The quarantine: what is in it, and how a person puts an entry back on the queue or drops it.

Both are audited with their reason before they happen, and happen in one script: a crash in between leaves an entry
where it was, and nothing is ever in two places.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import takewhile
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from worker.audit.lines import Action, AuditLine, who
from worker.audit.log import AuditLog
from worker.errors import CommitRefused, EventInvalid, NotInQuarantine, NotRequeueable, Reason
from worker.intake.events import decode
from worker.pipeline.ledger import order
from worker.pipeline.outlets import OutletEntry, pages
from worker.store.keys import INNER, Keys
from worker.store.scripts import call, named

OUTLET = "quarantine"
_ADVICE: dict[Reason, str] = {
    "attempts_exhausted": "This claim ends its workers. Requeue it once the cause is mended, else drop it.",
    "check_failed": "This is a defect of the scrubber or of a rule. Requeue it after an upgrade that mends it.",
    "event_id_reused": "If both are meant, requeue this one: it is judged without the check for a repeat. If it came by"
    " mistake, drop it.",
    "too_large": "Raise SCRUB_MAX_EVENT_BYTES on every worker and requeue it, or split the claim and drop it.",
}
_MEND = "Mend it where it came from and send it under a new event id, then drop this entry."


def entries(redis: Redis, keys: Keys, reason: str | None = None) -> Iterator[OutletEntry]:
    """What is in quarantine now, oldest first, of one reason code where it is given; not what comes later."""
    for entry in merge(*(_until_now(redis, part) for part in keys.all), key=lambda entry: order(entry.bare)):
        if reason is None or entry.data["reason"] == reason:
            yield entry


def _until_now(redis: Redis, keys: Keys) -> Iterator[OutletEntry]:
    last = redis.xrevrange(keys.outlet(OUTLET), count=1)
    if not last:
        return
    end = order(cast(Any, last)[0][0].decode())
    yield from takewhile(lambda entry: order(entry.bare) <= end, pages(redis, keys, OUTLET))


def find(redis: Redis, keys: Keys, name: str) -> OutletEntry:
    """The entry with this id.

    Raises:
        NotInQuarantine
    """
    located, found = keys.found(name), []
    if located:
        part, entry = located
        with contextlib.suppress(ResponseError, UnicodeEncodeError):  # not the form of an id
            found = cast(Any, redis.xrange(part.outlet(OUTLET), entry, entry, count=1))
    if not found:
        raise NotInQuarantine(entry=name)
    return OutletEntry(part.named(found[0][0].decode()), orjson.loads(found[0][1][b"event"]))


def advice(reason: Reason) -> str:
    """What a person does about an entry."""
    return _ADVICE.get(reason, _MEND)


def content(entry: OutletEntry) -> str:
    """What came in, as text or in base64; JSON of the fields where the inbox entry had no event."""
    data = entry.data
    if fields := data.get("fields") or data.get("fields_base64"):
        return json.dumps(fields, ensure_ascii=False)
    return str(data.get("event") or data.get("event_base64", ""))


def again(entry: OutletEntry) -> bytes:
    """The event to put on the queue again: as it came, numbers to the digit, and with `requeue_of`.

    Raises:
        NotRequeueable: it is no JSON object, and would come straight back.
    """
    text = entry.data.get("event")
    try:
        if text is None or not isinstance(decode(text.encode()), dict):
            raise NotRequeueable(entry=entry.id)
    except EventInvalid:
        raise NotRequeueable(entry=entry.id) from None
    event = json.loads(text, parse_float=_as_written, parse_int=_as_written)
    return orjson.dumps({**event, "requeue_of": entry.id})


def _as_written(number: str) -> orjson.Fragment:
    return orjson.Fragment(number)


@dataclass(frozen=True, slots=True)
class QuarantineDesk:
    """Takes entries out of quarantine, for a person who says why. `redis` must not try again by itself."""

    redis: Redis
    keys: Keys
    audit: AuditLog
    account: str = ""
    """Of the person; empty: the one that runs this."""

    def requeue(self, entry: OutletEntry, why: str) -> bool:
        """Puts the event on the queue again; False: somebody else took the entry out before.

        Raises:
            NotRequeueable, AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        return self._take(entry, again(entry), "quarantine.requeued", why)

    def drop(self, entry: OutletEntry, why: str) -> bool:
        """Deletes the entry for good; False: somebody else took it out before.

        Raises:
            AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        return self._take(entry, b"", "quarantine.dropped", why)

    def _take(self, entry: OutletEntry, event: bytes, action: Action, why: str) -> bool:
        line: AuditLine = {
            "log.level": "warning",
            "event.action": action,
            "event.outcome": "success",
            "event.reason": why,
            "trace.id": entry.decision_id,
            "user.name": self.account or who(),
            "claim.decision_id": entry.decision_id,
            "error.code": entry.data["reason"],
            "queue.entry": entry.data["inbox_entry"],
            "quarantine.entry": entry.id,
        }
        head = self.audit.write([line])
        keys, name = self.keys.found(entry.id) or (self.keys, entry.id)
        used = {
            "meta": keys.meta, "quarantine": keys.outlet(OUTLET), "inbox": keys.inbox, "inner": keys.stream(INNER),
            "counters": keys.counters, "chains": keys.chains,
        }  # fmt: skip
        said = (name, event, entry.id, str(entry.event.get("producer", "")), head.chain, head.seq, head.stored)
        try:
            done = self.redis.eval(named("quarantine"), *cast(Any, call(used, *said)))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CommitRefused(count=1, reason=error) from None
            raise
        if not done:
            self.audit.write(
                [{**line, "event.action": "claim.superseded", "event.outcome": "unknown", "error.code": "gone"}]
            )
        return bool(done)
