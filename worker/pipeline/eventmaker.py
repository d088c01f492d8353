"""Documents in, events out, each as it is sent.

What was sent before is sent again: its event has the same identity, and the worker drops it as `repeated`. A sender
cannot ask what was decided, since it would read of others' claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rules.errors import Problem
from worker.intake.document import Document, Refusal
from worker.intake.events import canonical, moment
from worker.pipeline.producer import wrapped


@dataclass(slots=True)
class EventMaker:
    """Counts what passes."""

    source: str
    """CloudEvents source of plain claims."""
    limit: int
    """Bytes of one event."""
    refuse: Callable[[Refusal], None]
    """Gets each claim that is too large for an event."""
    read: int = 0
    """Claims that could be read, whether sent or not."""

    def events(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """The events to send, in order."""
        now = moment()
        for document in documents:
            made = self._made(document, now)
            if self._fits(document, made):
                self.read += 1
                yield made

    def _made(self, document: Document, now: str) -> bytes:
        if document.event is None:
            return wrapped(document.value, document.origin or str(document.number), self.source, now)[0]
        return canonical(document.value)

    def _fits(self, document: Document, event: bytes) -> bool:
        if len(event) <= self.limit:
            return True
        sentence = f"the event has {len(event)} bytes, at most {self.limit} are taken (SCRUB_MAX_EVENT_BYTES)"
        self.refuse(Refusal(document.file, document.position, document.number, (Problem("", sentence),)))
        return False
