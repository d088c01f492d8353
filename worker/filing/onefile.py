"""One file on its way: its claims onto the queue, and what is decided on them into the files that are made of it.

Three things say how far it is, and each is written when the one before is on the disk: the plan in the folder (which
hidden file gets which name), the state in Redis (`writing`: decisions stand), the names themselves. A plan that Redis
does not confirm is dropped; one that it does is carried out, however often it broke off. Where Redis says `writing` and
the folder has no plan, it is another folder, and nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter
from redis import Redis

from rules.report import Report
from worker.audit.lines import AuditLine
from worker.config.settings import Settings
from worker.errors import FilingWaits
from worker.exits.split import Split
from worker.exits.staged import KEPT, ORIGINAL, PLAN, Plan, StagedFolder, drop, hidden, of_token, plan_of
from worker.filing.claims import Again, Claims, QueuedClaim
from worker.filing.leaving import Rests, bill, is_sent, leave, tell
from worker.filing.state import Record, own
from worker.intake.document import Refusal
from worker.intake.events import moment
from worker.pipeline import producer
from worker.pipeline.ledgerstore import write_ledgers
from worker.store.keys import Keys

_CHUNK = 500
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)
_ELSEWHERE = 10.0
"""Seconds after which a decision that is no file's is taken for one that left otherwise."""
_QUARANTINED = "it is in quarantine, and nobody put it back before its file was written"
_LATE = "no verdict on it came before the cutoff"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all files on their way share."""

    redis: Redis
    keys: Keys
    settings: Settings
    claims: Claims
    rests: Callable[[], Rests]
    """Made anew for each file that is written: keys and books may turn."""
    memory_ms: int
    notify: Callable[[], object]


@dataclass(slots=True)
class OutgoingFile:
    """A file whose bytes this process holds with a lock."""

    shared: Surroundings
    folder: int
    """Where it is written, open."""
    path: Path
    """The same, for what wants a path."""
    file: IO[bytes]
    """Its bytes, locked."""
    token: str
    name: str
    came: datetime
    sent: dict[str, None] = field(default_factory=dict)
    """The events of its claims that wait for a verdict, or did."""
    totals: dict[str, int] = field(default_factory=dict)
    """How many claims of each class, once it is written."""
    _ready: bool = False
    _elsewhere_since: float = 0.0

    @property
    def record(self) -> Record:
        """What Redis holds of it."""
        return Record(self.shared.redis, self.shared.keys, self.token, self.shared.memory_ms)

    @property
    def revision(self) -> str:
        """The place of its claims among the versions of each."""
        return f"{int(self.came.timestamp() * 1000)}-0"

    def go_on(self) -> bool:
        """Does what has to be done before its claims can be waited for; answers whether it is over and done with.

        Raises:
            FilingWaits: this is not the folder in which it was begun.
            ScrubError, OSError, redis.exceptions.RedisError: to do it again is safe.
        """
        state = self.record.state()
        plan = plan_of(self.folder, self.token)
        if plan and (state in ("writing", "written") or (state == "" and plan.begun)):
            self._finish(plan)
            return True
        if plan:
            plan.drop()
        if state == "writing":
            raise FilingWaits(
                file=self.name, reason="it was begun in another folder, or its hidden files were taken away"
            )
        if state == "written":
            self._write(dict.fromkeys(self._read_identities(), "again"))
            return True
        if not self._ready or state == "":
            self._send()
        return False

    def waits_for(self) -> set[str]:
        """The events on which there is no decision yet."""
        return self.sent.keys() - self.record.decided() if self._ready else {""}

    def write(self, quarantined: set[str]) -> bool:
        """Writes its files, whatever is decided by now; False: what was decided on some of its claims is on its way.

        Raises:
            as `go_on`
        """
        rests = self.shared.rests()
        missing = self.waits_for()
        fates: dict[str, str] = {}
        for one in self._claims():
            if isinstance(one, QueuedClaim) and one.identity in missing:
                fates[one.identity] = leave(one, self.token, self.revision, rests)
        decided = {name for name, fate in fates.items() if fate not in ("kept", "sent")} - self.record.decided()
        if decided and not self._elsewhere():
            return False
        for name, fate in fates.items():
            if fate in ("kept", "sent"):
                fates[name] = f"{fate} {_QUARANTINED if name in quarantined else _LATE}"
            else:
                fates[name] = f"elsewhere {fate}" if name in decided else ""
        self._bill(fates, rests)
        self._write({name: fate for name, fate in fates.items() if fate}, rests)
        return True

    def close(self) -> None:
        """Lets go of it, for another process or later."""
        self.file.close()

    def _elsewhere(self) -> bool:
        now = datetime.now(UTC).timestamp()
        self._elsewhere_since = self._elsewhere_since or now
        return now - self._elsewhere_since > _ELSEWHERE

    def _claims(self, ended: Callable[[Any], None] = lambda _: None) -> Iterator[QueuedClaim | Again | Refusal]:
        with os.fdopen(os.dup(self.file.fileno()), "rb") as content:
            content.seek(0)
            yield from self.shared.claims.of(self.name, content, moment(), ended)

    def _read_identities(self) -> Iterator[str]:
        return (one.identity for one in self._claims() if isinstance(one, QueuedClaim))

    def _send(self) -> None:
        """Its claims onto the queue: those that came with no other file first."""
        shared, record = self.shared, self.record
        record.begin(self.name)
        self.sent.clear()
        events = self._owned()
        if record.sent():
            for _ in events:
                pass
        else:
            keys, settings = shared.keys, shared.settings
            receipt = producer.send(shared.redis, keys, events, source=shared.claims.source, settings=settings)
            record.all_sent()
            if len(receipt):
                shared.notify()
        self._ready = True

    def _owned(self) -> Iterator[bytes]:
        shared = self.shared
        found = (one for one in self._claims() if isinstance(one, QueuedClaim))
        while chunk := list(islice(found, _CHUNK)):
            owners = own(shared.redis, shared.keys, (one.identity for one in chunk), self.token, shared.memory_ms)
            for one in chunk:
                if owners[one.identity] == self.token:
                    self.sent[one.identity] = None
                    yield one.event

    def _bill(self, fates: dict[str, str], rests: Rests) -> None:
        """The ledger says billed of what is sent without a verdict of the book's."""
        for one in self._claims():
            if not isinstance(one, QueuedClaim) or one.identity not in self.sent:
                continue
            fate = fates.get(one.identity, "")
            if fate.startswith("sent"):
                bill(one, self.token, self.revision, rests)
            elif not fate and (found := self._decision(one)) and self._sends(one, found[1], rests):
                tell(one, found[0], send=True, rests=rests)
                bill(one, self.token, self.revision, rests)

    def _sends(self, one: QueuedClaim, report: Report, rests: Rests) -> bool:
        if report.disposition == "billing":
            return True
        return report.disposition == "unchecked" and is_sent(one.document.claim, rests.unchecked, rests.book)

    def _decision(self, one: QueuedClaim) -> tuple[str, Report] | None:
        found = self.record.decision(one.identity)
        return (found["id"], _REPORT.validate_python(found["report"])) if found else None

    def _write(self, fates: dict[str, str], rests: Rests | None = None) -> None:
        """`fates`: of claims without a verdict, by their events."""
        rests = rests or self.shared.rests()
        staged = StagedFolder(self.path, self.name, self.token)
        with os.fdopen(os.dup(self.file.fileno()), "rb") as content:
            content.seek(0)
            split = Split(self.name, content, staged, trial=False, now=datetime.now().astimezone())
        try:
            for one in self._claims(split.ended):
                self._into(split, one, fates, rests)
            written = split.write(rests.book.named)
        finally:
            split.close()
        assert written is not None
        self.totals = {kind: total.claims for kind, total in written.totals.items() if total.claims}
        if self.record.state() == "open" and not self.record.advance("open", "writing"):
            raise FilingWaits(file=self.name, reason="another process has begun to write it")
        plan = plan_of(self.folder, self.token)
        assert plan is not None
        self._finish(plan, rests)

    def _into(self, split: Split, one: QueuedClaim | Again | Refusal, fates: dict[str, str], rests: Rests) -> None:
        if isinstance(one, Refusal):
            split.refuse(one)
        elif isinstance(one, Again):
            split.repeat(one.document, one.why, one.first)
        elif (fate := fates.get(one.identity, "")) == "again" or (one.identity not in self.sent and not fate):
            first = self._first(one)
            split.repeat(one.document, f"it came before, with {first}, and leaves with that", first_file=first)
        elif fate.startswith("elsewhere"):
            split.repeat(one.document, f"it was decided otherwise than for this file ({fate.split(' ')[1]})")
        elif fate:
            how, _, why = fate.partition(" ")
            split.leave(one.document, why, sent=how == "sent")
        else:
            found = self._decision(one)
            assert found is not None
            split.decide(one.document, found[1], sent=self._sends(one, found[1], rests))

    def _first(self, one: QueuedClaim) -> str:
        shared = self.shared
        token = own(shared.redis, shared.keys, [one.identity], self.token, shared.memory_ms)[one.identity]
        return Record(shared.redis, shared.keys, token, shared.memory_ms).name() or "a file of before"

    def _finish(self, plan: Plan, rests: Rests | None = None) -> None:
        """All get their names; then Redis knows that it is written, and what is hidden goes, the plan last."""
        plan.finish()
        record = self.record
        if record.state() == "writing":
            rests = rests or self.shared.rests()
            counts = [f"{kind} {count}" for kind, count in self.totals.items()]
            line: AuditLine = {
                "log.level": "info", "event.action": "file.written", "event.outcome": "success",
                "queue.producer": rests.producer.name, "file.sha256": self.token, "file.claims": counts,
            }  # fmt: skip
            head = rests.audit.write([line])
            write_ledgers(rests.redis, rests.keys.first, {}, head, rests.rings.mark, rests.months)
            record.advance("writing", "written")
        elif record.state() == "":
            record.begin(self.name)
            record.advance("open", "written")
        record.forget_decisions()
        if any(".held." in name for name in plan.names):
            # A person may let a held claim go yet, and its bytes are here alone.
            self._keep()
        drop(self.folder, hidden(self.token, ORIGINAL))
        plan_name = hidden(self.token, PLAN)
        for name in [*of_token(self.folder, self.token)]:
            if name != plan_name:
                drop(self.folder, name)
        os.fsync(self.folder)
        drop(self.folder, plan_name)

    def _keep(self) -> None:
        with suppress(FileNotFoundError):
            os.rename(
                hidden(self.token, ORIGINAL), hidden(self.token, KEPT), src_dir_fd=self.folder, dst_dir_fd=self.folder
            )
            os.fsync(self.folder)
