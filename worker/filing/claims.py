"""The claims of a file, as they are sent to the queue and, in the same order, as its files are written.

What goes into no file is not sent: an entry of the ledger would say that it was billed. So what the answer to the
sender rejects, what has no whole envelope around it, and what is in the file twice is known before the first is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from typing import NamedTuple

from worker.errors import SplitFailed
from worker.exits.split import plain_of
from worker.exits.survey import Survey, survey
from worker.intake.document import Document, Refusal
from worker.intake.documents import ends, read_documents
from worker.intake.x12.ended import Ended
from worker.intake.x12.reader import turned_down
from worker.pipeline.producer import wrapped
from worker.store.keys import event_identity
from worker.store.registry import Producer

_REJECTED = "the set, group or interchange around it is rejected in the answer to the sender"


class QueuedClaim(NamedTuple):
    """A claim that goes to the queue."""

    document: Document
    event: bytes
    identity: str
    """As the event memory knows it."""
    digest: str


class Again(NamedTuple):
    """A claim that is in the file twice."""

    document: Document
    first: int
    why: str


@dataclass(frozen=True, slots=True)
class Claims:
    """How the claims of a producer's files are read."""

    producer: Producer
    source: str
    """CloudEvents source of their events."""
    limit: int
    """Bytes of one event."""
    codes: Collection[str]
    """Of the procedures of the book."""

    def of(
        self, name: str, content: BufferedReader, moment: str, ended: Callable[[Ended], None] = lambda _: None
    ) -> Iterator[QueuedClaim | Again | Refusal]:
        """Every claim, in order. `moment`: of their events.

        Raises:
            SplitFailed, OSError
        """
        seen = looked(content)
        content.seek(0)
        rejected = {one.origin for one in ends(content, self.limit) if one.rejected}
        content.seek(0)
        for found in read_documents(name, content, limit=self.limit, codes=self.codes, ended=ended):
            if isinstance(found, Document):
                yield self._made(found, seen, rejected, moment)
            elif isinstance(found, Refusal):
                yield found

    def _made(self, document: Document, seen: Survey, rejected: set[str], moment: str) -> QueuedClaim | Again | Refusal:
        if why := seen.stays(document):
            return turned_down(document, why)
        levels = document.origin.split("/")
        if rejected and not rejected.isdisjoint("/".join(levels[:depth]) for depth in (1, 2, 3)):
            return turned_down(document, _REJECTED)
        event, id, digest = wrapped(document.value, document.origin, self.source, moment)
        if again := seen.first(document, digest):
            return Again(document, *again)
        if len(event) > self.limit:
            sentence = f"the event has {len(event)} bytes, at most {self.limit} are taken (SCRUB_MAX_EVENT_BYTES)"
            return turned_down(document, sentence)
        return QueuedClaim(document, event, self.producer.identity(event_identity(self.source, id)), digest)


def looked(content: BufferedReader) -> Survey:
    """What its bytes say.

    Raises:
        SplitFailed
    """
    with plain_of(content) as plain:
        return survey(plain)


def is_837(content: BufferedReader) -> bool:
    """Whether there is X12 in it that can be split."""
    with suppress(SplitFailed, OSError, EOFError):
        return looked(content).interchanges > 0
    return False
