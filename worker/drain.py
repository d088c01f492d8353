"""Draining: recovers what other workers left, then takes, judges and commits batches until the inbox is empty."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from redis.exceptions import ResponseError

from rules.errors import Problem
from worker import batch
from worker.audit import Audit
from worker.batch import Bench, Decision
from worker.bell import Bell
from worker.commit import Committer
from worker.inbox import Entry, Inbox
from worker.settings import Settings

_ROUNDS = 5


@dataclass(slots=True)
class Drain:
    """One consumer at work. Make it after the fork, and use it from one thread."""

    settings: Settings
    bench: Bench
    inbox: Inbox
    committer: Committer
    audit: Audit
    bell: Bell
    stopping: Callable[[], bool] = lambda: False
    """Whether the worker is asked to stop; read between batches."""
    done: Counter[str] = field(default_factory=Counter)
    """Claims by route, since this drain was made."""
    _unfinished: bool = False

    def run(self) -> None:
        """Works until the inbox is empty, the budget is spent, or the worker is to stop.

        Raises:
            redis.exceptions.RedisError, CommitRefused, AuditUnwritable: what was in hand stays pending, and the next
                run of this drain, or another worker after SCRUB_RECLAIM, takes it up again.
        """
        self.bell.answer()
        if self.stopping():
            return
        try:
            self._run(time.monotonic() + self.settings.drain_budget)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.inbox.ensure()
            self.bell.ring()

    def _run(self, deadline: float) -> None:
        if self._unfinished:
            self._finish()
        self._recover(deadline)
        while not self.stopping():
            entries = self.inbox.take(self.settings.batch)
            if len(entries) == self.settings.batch:
                self.bell.ring()
            if not entries:
                return
            self.process(entries)
            if time.monotonic() > deadline:
                break
        self.bell.ring()

    def _finish(self) -> None:
        """Takes up what this process read and could not commit, so that nothing waits for SCRUB_RECLAIM."""
        while entries := self.inbox.unfinished(self.settings.batch):
            self.process(entries)
        self._unfinished = False

    def _recover(self, deadline: float) -> None:
        """Takes over expired entries one at a time and alone: one that kills its worker takes no other along."""
        idle = int(self.settings.reclaim * 1000)
        for name in self.inbox.expired(idle):
            if self.stopping() or time.monotonic() > deadline:
                return
            entry = self.inbox.reclaim(name, idle)
            if entry is None:
                continue
            attempt = self.inbox.count_attempt(name)
            if attempt > self.settings.attempts:
                self._give_up(replace(entry, attempt=self.settings.attempts))
            else:
                self.process([replace(entry, attempt=attempt)])

    def _give_up(self, entry: Entry) -> None:
        sentence = f"the worker died or ran out of time {self.settings.attempts} times on this claim alone"
        decision = batch.quarantine(batch.unread(entry), "attempts_exhausted", [Problem("", sentence)], self.bench)
        self._commit([decision])

    def process(self, entries: Sequence[Entry]) -> None:
        """Judges and commits the entries; what another worker decided meanwhile is judged again."""
        self._unfinished = True
        try:
            self._process(entries)
        except self.bench.interrupts:
            # Out of time on this batch: the entries expire and are tried one by one.
            self._unfinished = False
            raise
        self._unfinished = False

    def _process(self, entries: Sequence[Entry]) -> None:
        readings = batch.read(entries, self.bench)
        for _ in range(_ROUNDS):
            memory = self.inbox.remembered(batch.event_keys(readings, self.bench.keys))
            again = self._commit(batch.decide(readings, memory, self.bench))
            readings = [decision.reading for decision in again]
            if not readings:
                return

    def _commit(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Log, then commit; answers the decisions that are to be made again."""
        head = self.audit.write([decision.line for decision in decisions])
        statuses = self.committer.commit([decision.item for decision in decisions], head)
        refused = []
        for decision, status in zip(decisions, statuses, strict=True):
            if status == "done":
                self.done[decision.item.route] += 1
            else:
                refused.append((decision, status))
        self.audit.write([batch.superseded(decision, status) for decision, status in refused])
        return [decision for decision, status in refused if status == "retry"]
