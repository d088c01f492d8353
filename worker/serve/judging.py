"""What a process of the pool does: reads the claims of a call, judges them by the book in force, writes the answer.

The book is looked after as a worker does it: asked for before each call, taken up between two. Where Redis does not
answer the one before stays, and Redis is not asked again for a while.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from datetime import date, datetime
from io import BytesIO
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from rules.book.book import Book
from rules.errors import Problem
from worker import bootstrap
from worker.books.current import payment_terms
from worker.books.switch import ProcessBook
from worker.config.settings import Settings
from worker.intake.document import Document, Passed, Refusal
from worker.intake.documents import read_documents
from worker.intake.x12.acknowledgment import Acknowledgment
from worker.intake.x12.answers import Answers
from worker.logs import operational
from worker.logs.printable import json_bytes
from worker.pipeline.checking import Checking
from worker.serve.claimresponse import bundle, claim_response, operation_outcome
from worker.serve.media import ANSWERS, AnswerKind
from worker.store.connections import impatient_store

MOST = 200
"""Claims of a call."""
_AGAIN = 5.0
"""Seconds before Redis is asked again that did not answer."""
_NAME = "body"


class Asked(NamedTuple):
    """One call."""

    body: bytes
    answer: AnswerKind
    now: datetime
    received: date | None = None
    whole: bool = False
    """x12: TA1 and 999 as well."""


class Answer(NamedTuple):
    """What comes of it: an answer, or why there is none."""

    media: str = ""
    body: bytes = b""
    claims: int = 0
    too_many: bool = False
    unread: tuple[tuple[str, tuple[Problem, ...]], ...] = ()
    """Nothing could be read: places, and what is wrong there."""
    by: str = ""
    """Version and digest of the book."""


class _Process:
    """One process of the pool."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.source: ProcessBook = bootstrap.process_book(impatient_store(settings))
        self._book: Book | None = None
        self._until = 0.0

    def book(self) -> Book:
        """The book in force, with its overrides of today."""
        if self._book is None or time.monotonic() >= self._until:
            try:
                self._book = self.source.book()
            except RedisError:
                self._until = time.monotonic() + _AGAIN
                self._book = self._book or self.source.layer.apply(self.source.own)
        return self._book


_process: list[_Process] = []


def process() -> _Process:
    """This one."""
    return _process[0]


def begin(settings: Settings, nice: int) -> None:
    """Prepares a process of the pool: reads the book, and ends with the service whatever ends that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    operational.configure(settings.log_level)
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    os.nice(nice)
    _process[:] = [_Process(settings)]
    payment_terms(settings)
    process().book()


def _end_with_the_service() -> None:
    """What forks stays for as long as one of its processes does: they must not wait for it."""
    service = multiprocessing.parent_process()
    if service:
        service.join()
    os._exit(0)


def ready() -> str:
    """Which book this process judges by, and why not by the one in force where it does not."""
    book = process().book()
    return process().source.refused or f"{book.version}+{book.digest[:8]}"


def judge(asked: Asked) -> Answer:
    """Answers a call."""
    book, settings = process().book(), process().settings
    read = _read(asked, book, settings)
    if read is None:
        return Answer(too_many=True)
    documents = [one for one in read if isinstance(one, Document)]
    refused = [one for one in read if isinstance(one, Refusal)]
    if not documents and not (asked.answer == "x12" and (asked.whole or any(one.trace for one in refused))):
        return Answer(unread=tuple((one.position, one.problems) for one in refused))
    day = asked.received or asked.now.date()
    checking = Checking(book, payment_terms(settings), day, asked.received is not None)
    write = {"json": _json, "ndjson": _ndjson, "fhir": _fhir, "x12": _x12}[asked.answer]
    body = write(read, checking, asked, settings)
    return Answer(ANSWERS[asked.answer], body, len(documents), by=f"{book.version}+{book.digest[:8]}")


def _read(asked: Asked, book: Book, settings: Settings) -> list[Document | Refusal] | None:
    """What is in the body; None: more than a call may have."""
    found: list[Document | Refusal] = []
    for one in read_documents(_NAME, BytesIO(asked.body), limit=settings.max_event_bytes, codes=book.codes):
        if not isinstance(one, Passed):
            found.append(one)
        if len(found) > MOST:
            return None
    return found


def _told(one: Document | Refusal, checking: Checking) -> dict[str, Any]:
    if isinstance(one, Refusal):
        problems = [{"path": problem.path, "sentence": problem.sentence} for problem in one.problems]
        return {"position": one.position, "problems": problems}
    report = checking.report(one)
    return checking.told(one, report, checking.expected(one, report))


def _json(read: list[Document | Refusal], checking: Checking, *_: Any) -> bytes:
    told = {"reports": [_told(one, checking) for one in read if isinstance(one, Document)],
            "refused": [_told(one, checking) for one in read if isinstance(one, Refusal)]}  # fmt: skip
    return json_bytes(told, default=str)


def _ndjson(read: list[Document | Refusal], checking: Checking, *_: Any) -> bytes:
    return b"".join(json_bytes(_told(one, checking), default=str) + b"\n" for one in read)


def _fhir(read: list[Document | Refusal], checking: Checking, asked: Asked, _: Settings) -> bytes:
    found = [
        operation_outcome(one) if isinstance(one, Refusal)
        else claim_response(one.claim, checking.report(one), asked.now)
        for one in read
    ]  # fmt: skip
    alone = len(found) == 1 and " entry " not in read[0].position
    return json_bytes(found[0] if alone else bundle(found), default=str)


def _x12(read: list[Document | Refusal], checking: Checking, asked: Asked, settings: Settings) -> bytes:
    out = BytesIO()
    if asked.whole:
        answers = Answers(out, asked.now)
        again = read_documents(
            _NAME, BytesIO(asked.body), limit=settings.max_event_bytes, codes=checking.book.codes, ended=answers.ended
        )
        _answer(answers, again, checking)
    else:
        _answer(Acknowledgment(out, asked.now), read, checking)
    return out.getvalue()


def _answer(answer: Answers | Acknowledgment, found: Any, checking: Checking) -> None:
    for one in found:
        if isinstance(one, Refusal):
            if one.number and one.trace is not None:
                answer.refuse(one)
        elif isinstance(one, Document):
            answer.accept(one, checking.report(one))
    answer.close()
