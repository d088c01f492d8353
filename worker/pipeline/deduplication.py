"""Deduplication before the inbox: documents in, events out, without the claims that were decided before.

What it knows is the event memory, which a worker writes when it decides. A claim that is still waiting on the
queue is not in it: sent again, it is a second entry of the same event, which the worker drops as `repeated`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from redis import Redis

from rules.errors import Problem
from worker.intake.document import Document, Refusal
from worker.intake.events import canonical, digest, moment
from worker.pipeline.inbox import Inbox
from worker.pipeline.producer import wrapped
from worker.store.keys import REGISTERED, Keys, event_identity

_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Outgoing:
    event: bytes
    identity: str
    """Of the event; empty where the event memory is not to be asked."""
    digest: str


@dataclass(slots=True)
class Deduplicator:
    """Counts what passes."""

    source: str
    """CloudEvents source of plain claims."""
    limit: int
    """Bytes of one event."""
    refuse: Callable[[Refusal], None]
    """Gets each claim that is too large for an event."""
    read: int = 0
    """Claims that could be read, whether sent or not."""
    duplicates: int = 0
    """Claims of these that were decided before."""

    def events(self, documents: Iterable[Document], redis: Redis, keys: Keys) -> Iterator[bytes]:
        """The events to send, in order; each page is looked up in the event memory in one round trip."""
        outgoing = self._outgoing(documents)
        inbox = Inbox(redis, keys, "")
        while page := list(islice(outgoing, _PAGE)):
            known = _decided(inbox, keys, page)
            for one in page:
                if known.get(one.identity, "").partition(" ")[0] == one.digest:
                    self.duplicates += 1
                else:
                    yield one.event

    def rehearse(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """The events that there would be, where no Redis is asked; duplicates are not known."""
        return (one.event for one in self._outgoing(documents))

    def _outgoing(self, documents: Iterable[Document]) -> Iterator[_Outgoing]:
        now = moment()
        for document in documents:
            made = self._made(document, now)
            if self._fits(document, made.event):
                self.read += 1
                yield made

    def _made(self, document: Document, now: str) -> _Outgoing:
        event = document.event
        if event is None:
            origin = document.origin or str(document.number)
            made, name, content = wrapped(document.value, origin, self.source, now)
            return _Outgoing(made, event_identity(self.source, name), content)
        if event.requeue_of:
            return _Outgoing(canonical(document.value), "", "-")
        return _Outgoing(canonical(document.value), event.identity, digest(document.value["data"]))

    def _fits(self, document: Document, event: bytes) -> bool:
        if len(event) <= self.limit:
            return True
        sentence = f"the event has {len(event)} bytes, at most {self.limit} are taken (SCRUB_MAX_EVENT_BYTES)"
        self.refuse(Refusal(document.file, document.position, document.number, (Problem("", sentence),)))
        return False


def _decided(inbox: Inbox, keys: Keys, page: Iterable[_Outgoing]) -> dict[str, str]:
    """What the event memory holds of the decisions on these events, by their identities.

    Their patients are not asked for: the identity partition of an event knows its home partition.
    """
    registered = {one.identity: keys.at(one.identity).event(one.identity) for one in page if one.identity}
    known = inbox.remembered(list(registered.values()))
    found = {identity: known[key] for identity, key in registered.items() if key in known}
    homes = {}
    for identity, held in found.items():
        home = held.partition(" ")[2]
        if home.startswith(REGISTERED) and (number := home[1:]).isdecimal() and int(number) < keys.count:
            homes[identity] = Keys(int(number), keys.count).event(identity)
    there = inbox.remembered(list(homes.values()))
    return {identity: there.get(homes[identity], "") if identity in homes else held for identity, held in found.items()}
