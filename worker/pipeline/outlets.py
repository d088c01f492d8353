"""The outlets: what is in an entry, and how a consumer reads.

An entry of billing, rework and unchecked is a CloudEvent `claim.scrubbed.v1` whose id is the decision id and whose
data is {claim, report}; one of quarantine is a `claim.quarantined.v1`, with the reason and what came in.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from heapq import merge
from itertools import repeat
from typing import Any, NotRequired, cast

import orjson
from redis import Redis
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from rules.claim import Claim
from rules.errors import Problem
from rules.report import Report
from worker.errors import OutletUnknown, Reason
from worker.pipeline.expected import ToldLine
from worker.pipeline.inbox import InboxEntry, ensure_group
from worker.pipeline.ledger import order
from worker.pipeline.namedtexts import whole
from worker.store.cluster import LOST, is_cluster
from worker.store.keys import FIELD, Keys
from worker.store.outletspecs import OUTLETS, listed

SOURCE = "urn:claim-scrubber:worker"
SCRUBBED, QUARANTINED = "claim.scrubbed.v1", "claim.quarantined.v1"
"""CloudEvents types of an entry."""
REASONS: Mapping[Reason, str] = {
    "no_event": "the inbox entry has neither a field `event` nor the fields `ce_id`, `ce_source` ... and `data`",
    "too_large": "the event has more bytes than are read",
    "not_json": "the event is not JSON",
    "not_an_event": "the event is not a JSON object",
    "envelope_invalid": "the envelope is not a CloudEvent 1.0 with a claim",
    "claim_invalid": "the data is not a claim",
    "check_failed": "the check itself failed on this claim, which is a defect of the scrubber or of a rule",
    "event_id_reused": "an event with the same source and id, and other data, was decided before",
    "attempts_exhausted": "the worker died or ran out of time on this claim each time it was tried alone",
}
"""Why a claim is in quarantine: the closed list, with its meaning."""
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))
_MOST_GROWN = 2**14
"""Bytes by which an event in binary mode may grow in structured mode, where a control character takes six."""
_SEEN = 100_000
_PAGE = 100


class QuarantinedProblem(TypedDict):
    """One thing that is wrong with what came in."""

    path: str
    sentence: str


class QuarantineData(TypedDict):
    """The data of a quarantine entry: the reason, every problem with its path, and what came in, byte for byte."""

    reason: str
    """One of `REASONS`."""
    sentence: str
    problems: list[QuarantinedProblem]
    inbox_entry: str
    event: NotRequired[str]
    """What the inbox held, as text; of an event in binary mode, the same event in structured mode."""
    event_base64: NotRequired[str]
    """The same where it is not UTF-8, or has control characters, each of which would take six bytes."""
    fields: NotRequired[dict[str, str]]
    """The entry's fields where it holds no event, or one in binary mode that is much longer in structured mode."""
    fields_base64: NotRequired[dict[str, str]]
    """The same, name and value in base64, where one is as `event_base64` says."""


class ScrubbedData(TypedDict):
    """The data of an entry of billing, rework and unchecked."""

    claim: Claim
    """As it came in, its decimals as strings."""
    report: Report
    expected: NotRequired[list[ToldLine]]
    """Of a held claim: what its lines of the book's procedures are expected to bring, beside their charges."""
    salt: NotRequired[str]
    """Of a claim of billing: 128 random bits, hexadecimal, under which the audit log has a commitment to it. Who keeps
    the entry can have a certificate of it, or show that it is the claim of one; absent: an earlier release decided."""


Page = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class OutletEntry:
    """An entry of an outlet."""

    id: str
    """Stream entry id; with several partitions `<partition>:<id>`."""
    event: dict[str, Any]
    """The CloudEvent."""

    @property
    def bare(self) -> str:
        """Its id on its own stream."""
        return self.id.rpartition(":")[2]

    @property
    def decision_id(self) -> str:
        return str(self.event["id"])

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.event["data"]
        return data


def scrubbed(
    decision: str,
    entry: str,
    event: tuple[str, str],
    traceparent: str | None,
    claim: bytes,
    report: bytes,
    moment: str,
    received: date | None = None,
    producer: str = "",
    expected: Sequence[ToldLine] = (),
    salt: bytes = b"",
    revision: str = "",
) -> bytes:
    """The outlet entry of a claim that was judged; `claim`: as canonical JSON, `report`: as JSON.

    `event`: CloudEvents source and id; of a waived claim, those of the event that was decided first. `revision`: which
    version of the claim it is, where the entry's id does not say so.

    `received`: the day that was used where the claim has no received date, or none that counts, without which it
    cannot be judged again. `producer`: the registered one that sent it. `salt`: of the commitment to it.
    """
    envelope = _envelope(SCRUBBED, decision, entry, moment)
    envelope["eventsource"], envelope["eventid"] = event
    if revision:
        envelope["claimrevision"] = revision
    if received:
        envelope["receiveddate"] = received.isoformat()
    if producer:
        envelope["producer"] = producer
    if traceparent:
        envelope["traceparent"] = traceparent
    envelope["data"] = {"claim": orjson.Fragment(claim), "report": orjson.Fragment(report)}
    if expected:
        envelope["data"]["expected"] = expected
    if salt:
        envelope["data"]["salt"] = salt.hex()
    return orjson.dumps(envelope)


def quarantined(
    decision: str,
    name: str,
    entry: InboxEntry,
    reason: Reason,
    problems: Iterable[Problem],
    origin: tuple[str, str] | None,
    moment: str,
) -> bytes:
    """The quarantine entry: the reason, a hundred problems at most with their paths, and what came in, byte for byte.

    It has at most twice the bytes of what came in, and 64 KB. `name`: of the inbox entry. `origin`: source and id of
    the event, where its envelope could be read.
    """
    data: QuarantineData = {
        "reason": reason,
        "sentence": REASONS[reason],
        "problems": [{"path": problem.path, "sentence": problem.sentence} for problem in problems],
        "inbox_entry": name,
    }
    event = entry.event
    if event is None or _grown(entry, event):
        texts = {_text(name): _text(value) for name, value in entry.fields.items()}
        if any(text is None for pair in texts.items() for text in pair):
            data["fields_base64"] = {_packed(name): _packed(value) for name, value in entry.fields.items()}
        else:
            data["fields"] = cast(dict[str, str], texts)
    elif (text := _text(event)) is None:
        data["event_base64"] = _packed(event)
    else:
        data["event"] = text
    envelope = _envelope(QUARANTINED, decision, name, moment)
    if origin:
        envelope |= {"eventsource": origin[0], "eventid": origin[1]}
    if entry.sender.registered:
        envelope["producer"] = entry.sender.name
    return orjson.dumps({**envelope, "data": data})


def _grown(entry: InboxEntry, event: bytes) -> bool:
    """Whether the event came in binary mode, and was much shorter there."""
    size = sum(len(name) + len(value) for name, value in entry.fields.items())
    return bool(size) and FIELD.encode() not in entry.fields and len(event) > size + _MOST_GROWN


def _text(value: bytes) -> str | None:
    """As text; None where JSON would make it more than twice as long, or it is none."""
    if value.translate(None, _CONTROLS) != value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _packed(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _envelope(kind: str, decision: str, entry: str, moment: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": decision, "source": SOURCE, "type": kind, "time": moment,
        "datacontenttype": "application/json", "inboxentry": entry,
    }  # fmt: skip


class Reader:
    """A consumer of one outlet on an open connection."""

    def __init__(
        self, redis: Redis, keys: Keys, outlet: str, group: str, consumer: str, *, reclaim_ms: int = 60_000
    ) -> None:
        self._streams = {_stream(part, outlet): part for part in keys.all}
        self._redis = redis
        self._group = group
        self._consumer = consumer
        self._reclaim_ms = reclaim_ms
        self._seen: OrderedDict[str, None] = OrderedDict()
        for stream in self._streams:
            with self._of_others():
                ensure_group(redis, stream, group)

    @contextmanager
    def _of_others(self) -> Iterator[None]:
        """A node of a cluster that is away leaves a consumer what the others have."""
        try:
            yield
        except LOST:
            if not is_cluster(self._redis):
                raise

    def entries(self, *, follow: bool) -> Iterator[OutletEntry]:
        """As `consume`."""
        last = dict.fromkeys(self._streams, "0")
        while pages := self._left(last):
            for stream, page in pages:
                last[stream] = page[-1][0].decode()
                yield from self._each(stream, page)
        news = dict.fromkeys(self._streams, ">")
        while (pages := self._abandoned() or self._read(news, block=follow)) or follow:
            for stream, page in pages:
                yield from self._each(stream, page)

    def _each(self, stream: str, page: Page) -> Iterator[OutletEntry]:
        for entry, fields in page:
            if fields and (found := self._fresh(parsed(self._redis, self._streams[stream], entry, fields))):
                yield found
            self._redis.xack(stream, self._group, entry)

    def _fresh(self, found: OutletEntry) -> OutletEntry | None:
        if found.decision_id in self._seen:
            return None
        self._seen[found.decision_id] = None
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        return found

    def _left(self, last: Mapping[str, str]) -> list[tuple[str, Page]]:
        """What this consumer was handed before, and did not acknowledge."""
        try:
            return self._read(last)
        except LOST:
            if not is_cluster(self._redis):
                raise
            return []

    def _read(self, starts: Mapping[str, str], *, block: bool = False) -> list[tuple[str, Page]]:
        """A page of each partition, so that none waits for another."""
        answer: Any = self._redis.xreadgroup(
            self._group, self._consumer, cast(Any, starts), count=_PAGE, block=1000 if block else None
        )
        return [(stream.decode(), page) for stream, page in answer if page]

    def _abandoned(self) -> list[tuple[str, Page]]:
        found = []
        for stream in self._streams:
            with self._of_others():
                answer: Any = self._redis.xautoclaim(stream, self._group, self._consumer, self._reclaim_ms, count=_PAGE)
                if answer[1]:
                    found.append((stream, list(answer[1])))
        return found


def tail(redis: Redis, keys: Keys, outlet: str, *, follow: bool = False, start: str = "-") -> Iterator[OutletEntry]:
    """The entries that are there, oldest first, without taking them from any consumer; `follow` waits for more.

    `start`: `-` for the first entry, or an entry id to begin after.

    Raises:
        OutletUnknown
    """
    last = dict.fromkeys(keys.all, start)
    while True:
        found = (zip(repeat(part), pages(redis, part, outlet, last[part])) for part in keys.all)
        for part, entry in merge(*found, key=lambda pair: order(pair[1].bare)):
            last[part] = entry.bare
            yield entry
        if not follow:
            return
        starts = {_stream(part, outlet): "0" if seen == "-" else seen for part, seen in last.items()}
        redis.xread(cast(Any, starts), count=1, block=1000)


def pages(redis: Redis, keys: Keys, outlet: str, start: str = "-") -> Iterator[OutletEntry]:
    """The entries of one partition, as `tail`, without waiting."""
    while page := cast(
        Page, redis.xrange(_stream(keys, outlet), start if start == "-" else f"({start}", "+", count=_PAGE)
    ):
        start = page[-1][0].decode()
        yield from (parsed(redis, keys, entry, fields) for entry, fields in page)


def before_last(redis: Redis, keys: Keys, outlet: str, count: int) -> str:
    """Where `tail` has to start to show the last `count` entries that are there.

    Raises:
        OutletUnknown
    """
    found: list[str] = []
    for part in keys.all:
        page = cast(Page, redis.xrevrange(_stream(part, outlet), count=count + 1))
        found += (entry.decode() for entry, _ in page)
    found.sort(key=order, reverse=True)
    return found[count] if len(found) > count else "-"


def _stream(keys: Keys, outlet: str) -> str:
    if outlet not in OUTLETS:
        raise OutletUnknown(outlet=outlet, known=listed(OUTLETS))
    return keys.outlet(outlet)


def parsed(redis: Redis, keys: Keys, entry: bytes, fields: dict[bytes, bytes]) -> OutletEntry:
    """An entry as a reader has it, with the texts that it gives by name.

    Raises:
        TextsMissing
        redis.exceptions.RedisError
    """
    return OutletEntry(keys.named(entry.decode()), whole(redis, keys, orjson.loads(fields[FIELD.encode()])))
