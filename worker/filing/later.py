"""Claims that were held, and that a person let go or repaired since: out of the original that was kept, into files of
their own, NAME.2.837 and so on.

Who has the lock of what was kept writes. Which claims go is written down before the plan, and that they went before any
name of theirs is forgotten, beside the original: so a plan is carried out however often it broke off, also where Redis
was emptied; and where Redis was brought back from an older copy, what went does not go again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import TypeAdapter

from rules.report import Report
from worker.audit.lines import AuditLine
from worker.errors import SplitFailed
from worker.exits.folder import stem_of
from worker.exits.manifest import Repair
from worker.exits.repairing import Found, changes_between, found_in, repaired_copy
from worker.exits.split import Later, Split, original_of, plain_of
from worker.exits.staged import (
    ABOUT,
    LEFT,
    PLAN,
    StagedFolder,
    drop,
    hidden,
    of_token,
    plan_of,
    read,
    write_whole,
)
from worker.filing.claims import QueuedClaim
from worker.filing.leaving import Rests, bill, is_sent, tell
from worker.filing.onefile import Surroundings
from worker.filing.state import Record
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.intake.events import OF_THE_READER, canonical, moment
from worker.intake.x12.reader import turned_down
from worker.pipeline.ledgerstore import write_ledgers

PLANS = re.compile(r"\.([0-9a-f]{24})-(\d{7})\.plan")
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)
_UNWRITTEN = (
    "what was repaired could not be written into its bytes, so that it is in no file: mend it in the system that"
    " exports the file, which sends it as a replacement"
)


def short(token: str, number: int) -> str:
    """Names what is hidden of a later file."""
    return f"{token[:24]}-{number:07d}"


@dataclass(frozen=True, slots=True)
class _Goes:
    """A claim on its way out."""

    one: QueuedClaim
    decision: str
    report: Report
    claim: Any
    """As it was decided, as JSON."""
    repairs: tuple[Repair, ...] | None
    """None: it cannot be written."""


@dataclass(slots=True)
class KeptFile:
    """An original of which claims may leave later, whose bytes this process holds with a lock."""

    shared: Surroundings
    folder: int
    path: Path
    file: IO[bytes]
    token: str
    say: Callable[[str], None]
    complain: Callable[[str], None]

    @property
    def record(self) -> Record:
        return Record(self.shared.redis, self.shared.keys, self.token, self.shared.memory_ms)

    def go_on(self) -> None:
        """Ends what broke off, and writes what waits.

        Raises:
            ScrubError, OSError, redis.exceptions.RedisError: to do it again is safe.
        """
        for number in sorted(self._planned()):
            self._finish(number)
        record, left = self.record, self._left()
        waits = record.later()
        for identity in waits.keys() & left.keys():
            record.departed(left[identity], [identity])
        fresh = {identity: found for identity, found in waits.items() if identity not in left}
        if not fresh:
            record.departed(0, ())
        elif record.state() == "written":
            self._write(max([1, *left.values()]) + 1, fresh)

    def close(self) -> None:
        """Lets go of it."""
        self.file.close()

    def _planned(self) -> Iterator[int]:
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            if (match := PLANS.fullmatch(name)) and self.token.startswith(match[1]):
                yield int(match[2])

    def _left(self) -> dict[str, int]:
        """Which claims left, and with which number; 0: not to be sent."""
        return _json(self.folder, hidden(self.token, LEFT))

    def _write(self, number: int, waits: Mapping[str, Mapping[str, Any]]) -> None:
        rests, token = self.shared.rests(), short(self.token, number)
        for name in [*of_token(self.folder, token)]:
            drop(self.folder, name)
        goes = self._goes(waits)
        sends = {identity: self._sends(one, rests) for identity, one in goes.items()}
        for _ in waits.keys() - goes.keys():
            self.complain(f"{self._name}: a claim that was let go is not found in it any more, and goes nowhere")
        about = {"number": number, "claims": [name for name in waits if sends.get(name)],
                 "stay": [name for name in waits if not sends.get(name)]}  # fmt: skip
        if not about["claims"]:
            self._note(number, about)
            return
        for identity, one in goes.items():
            if sends[identity] and one.repairs is not None and one.report.disposition != "billing":
                tell(one.one, one.decision, send=True, rests=rests)
                bill(one.one, self.token, self._revision, rests)
        write_whole(self.folder, hidden(token, ABOUT), _packed(about))
        leaving = {one.one.document.number: one for identity, one in goes.items() if sends[identity]}
        self._split(number, leaving, rests)
        self._finish(number, rests)

    def _goes(self, waits: Mapping[str, Mapping[str, Any]]) -> dict[str, _Goes]:
        found: dict[str, _Goes] = {}
        with self._content() as content:
            for one in self.shared.claims.of(self._name, content, moment()):
                if isinstance(one, QueuedClaim) and (said := waits.get(one.identity)):
                    report, claim = _REPORT.validate_python(said["report"]), said["claim"]
                    try:
                        repairs = tuple(changes_between(_plain(one.document.value), _plain(claim)))
                    except SplitFailed:
                        repairs = None
                    found[one.identity] = _Goes(one, said["id"], report, claim, repairs)
        return found

    @staticmethod
    def _sends(one: _Goes, rests: Rests) -> bool:
        if one.report.disposition == "billing":
            return True
        return one.report.disposition == "unchecked" and is_sent(one.one.document.claim, rests.unchecked, rests.book)

    def _split(self, number: int, leaving: Mapping[int, _Goes], rests: Rests) -> None:
        """Its files, and the plan of their names."""
        name = f"{stem_of(self._name)}.{number}.837"
        with self._content() as content, plain_of(content) as plain, ExitStack() as held:
            original = original_of(self._name, content, packed=plain is not content)
            places = found_in(plain, {*leaving})
            made = _Repairing(leaving, places)
            copy = held.enter_context(made.copy(plain))
            claims = {place: found.leaving(leaving[place].repairs or ()) for place, found in places.items()}
            later = Later(number, original, claims)
            staged = StagedFolder(self.path, name, short(self.token, number))
            split = Split(name, copy, staged, trial=False, now=datetime.now().astimezone(), later=later)
            held.callback(split.close)
            for found in self._documents(split.content, split.ended):
                one = leaving.get(found.number)
                if one is None:
                    split.pass_over(found)
                elif isinstance(found, Document) and made.holds(found):
                    split.decide(found, one.report, sent=True)
                else:
                    self.complain(f"{self._name}, claim {found.number}: {_UNWRITTEN}")
                    split.refuse(turned_down(one.one.document, _UNWRITTEN))
            written = split.write(rests.book.named)
            assert written is not None

    def _documents(self, content: BufferedReader, ended: Callable[[Any], None]) -> Iterator[Document | Refusal]:
        claims = self.shared.claims
        content.seek(0)
        for found in read_documents(self._name, content, limit=claims.limit, codes=claims.codes, ended=ended):
            if isinstance(found, Document | Refusal):
                yield found

    def _finish(self, number: int, rests: Rests | None = None) -> None:
        """All get their names; then it is written down what left, and what is hidden goes, the plan last."""
        token = short(self.token, number)
        plan, about = plan_of(self.folder, token), _json(self.folder, hidden(token, ABOUT))
        assert plan is not None
        if about and not self._left().keys() >= {*about["claims"]}:
            plan.finish()
            self._note(number, about, rests or self.shared.rests())
            self.say(f"{self._name}: {len(about['claims'])} let go or repaired since -> {stem_of(self._name)}.{number}")
        for name in [*of_token(self.folder, token)]:
            if name != hidden(token, PLAN):
                drop(self.folder, name)
        os.fsync(self.folder)
        drop(self.folder, hidden(token, PLAN))

    def _note(self, number: int, about: Mapping[str, Any], rests: Rests | None = None) -> None:
        """Beside the original, on the audit log and in Redis, that they left."""
        went = dict.fromkeys(about["claims"], number) | dict.fromkeys(about["stay"], 0)
        write_whole(self.folder, hidden(self.token, LEFT), _packed(self._left() | went))
        if rests:
            line: AuditLine = {
                "log.level": "info", "event.action": "file.written", "event.outcome": "success",
                "queue.producer": rests.producer.name, "file.sha256": self.token,
                "file.claims": [f"number {number}", f"sent {len(about['claims'])}"],
            }  # fmt: skip
            head = rests.audit.write([line])
            write_ledgers(rests.redis, rests.keys.first, {}, head, rests.rings.mark, rests.months)
        self.record.departed(number, about["claims"])
        self.record.departed(0, about["stay"])

    @property
    def _name(self) -> str:
        return self.record.name() or f"{self.token[:32]}.837"

    @property
    def _revision(self) -> str:
        return f"{int(os.fstat(self.file.fileno()).st_mtime * 1000)}-0"

    @contextmanager
    def _content(self) -> Iterator[BufferedReader]:
        with os.fdopen(os.dup(self.file.fileno()), "rb") as content:
            content.seek(0)
            yield content


@dataclass(frozen=True, slots=True)
class _Repairing:
    """The original with what was repaired of it, and whether that says what it is to say."""

    leaving: Mapping[int, _Goes]
    places: Mapping[int, Found]

    @contextmanager
    def copy(self, plain: IO[bytes]) -> Iterator[IO[bytes]]:
        changed = [(found, repairs) for place, found in self.places.items() if (repairs := self.leaving[place].repairs)]
        if not changed:
            plain.seek(0)
            yield plain
            return
        with repaired_copy(plain, changed) as copy:
            yield copy

    def holds(self, document: Document) -> bool:
        """Whether the claim is read as it was decided."""
        one = self.leaving[document.number]
        return one.repairs is not None and _plain(document.value) == _plain(one.claim)


def _plain(claim: Any) -> dict[str, Any]:
    """As JSON, without what a reader says of its reading."""
    found: dict[str, Any] = orjson.loads(canonical(claim))
    return {name: value for name, value in found.items() if name not in OF_THE_READER}


def _packed(value: Any) -> bytes:
    return orjson.dumps(value)


def _json(folder: int, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(read(folder, name))
    except FileNotFoundError:
        return {}
    return found
