"""What a process of the pool makes of a body that is to go on the queue: its events, or why there are none."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import NamedTuple

import orjson

from rules.errors import Problem
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.pipeline.eventmaker import EventMaker
from worker.serve import judging

MOST = 1_000
"""Claims of a call."""


class ToMake(NamedTuple):
    """One call."""

    body: bytes
    source: str


class Made(NamedTuple):
    """Its events, in order."""

    events: tuple[bytes, ...] = ()
    ids: tuple[str, ...] = ()
    unread: tuple[tuple[str, tuple[Problem, ...]], ...] = ()
    too_many: bool = False


def make(asked: ToMake) -> Made:
    """The events of a body, as `scrub submit` makes them of a file. Whose they are is said by who sends them alone."""
    book, settings = judging.process().book(), judging.process().settings
    documents, refused = list[Document](), list[Refusal]()
    for one in read_documents("body", BytesIO(asked.body), limit=settings.max_event_bytes, codes=book.codes):
        if isinstance(one, Document):
            documents.append(_of(one, asked.source))
        elif isinstance(one, Refusal):
            refused.append(one)
        if len(documents) + len(refused) > MOST:
            return Made(too_many=True)
    events = tuple(EventMaker(asked.source, settings.max_event_bytes, refused.append).events(documents))
    if refused:
        return Made(unread=tuple((one.position, one.problems) for one in refused))
    return Made(events, tuple(str(orjson.loads(event)["id"]) for event in events))


def _of(document: Document, source: str) -> Document:
    if document.event is None:
        return document
    return replace(document, value={**document.value, "source": source})
