"""Draining: recovers what other workers left, then takes, judges and commits batches until the inbox is empty.

A process serves all partitions, a batch of each in turn: none waits for another, and none is lost with a worker.
While a batch is judged, Redis hands out the next one of that partition, and while Redis commits it, the next one is
decoded: one of each is ahead at most.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from redis.exceptions import RedisError, ResponseError

from rules.book.book import Book
from rules.errors import Problem
from worker.audit.log import Audit, Head
from worker.config.settings import Settings
from worker.errors import CommitRefused
from worker.logs.operational import safe_exception
from worker.pipeline import batch
from worker.pipeline.batch import Bench, Decision, Reading
from worker.pipeline.commit import Committer, Item
from worker.pipeline.inbox import Entry, Inbox
from worker.pipeline.notification import Bell
from worker.pipeline.routing import Crossing
from worker.store.pipelined import Sent

T = TypeVar("T")
_MOST_BYTES = 2**21
"""Of events that are decoded and judged at once; a batch of usual claims has a tenth."""
_ROUNDS = 20
"""How often a batch is judged again because others decided on its events or patients meanwhile."""


@dataclass(slots=True)
class Drain:
    """One consumer at work on one partition. Make it after the fork, and use it from one thread."""

    settings: Settings
    bench: Bench
    inbox: Inbox
    committer: Committer
    crossing: Crossing
    audit: Audit
    bell: Bell
    book: Callable[[], Book]
    """The book in force, asked before every batch: somebody may switch it, and an override ends with its last day."""
    stopping: Callable[[], bool] = lambda: False
    """Whether the worker is asked to stop; read between batches."""
    done: Counter[str] = field(default_factory=Counter)
    """Claims by route, since this drain was made."""
    others: Sequence[Drain] = ()
    """The same process on the other partitions; `run` serves them as well."""
    _unfinished: bool = False
    _asked: Sent | None = None
    """The next batch, asked for and not yet looked at."""
    _ahead: list[Entry] = field(default_factory=list)
    """The next batch, taken while the one before was at work."""
    _decoded: list[Reading] = field(default_factory=list)
    """The same, where it is decoded already."""
    _until: float = math.inf
    """When to break off a batch, by the monotonic clock; the claim in hand still has most of the soft limit."""
    _turn: int = field(default_factory=os.getpid)
    """Each run begins with another partition, each process somewhere else: none is always the last."""

    def run(self) -> None:
        """Works until all inboxes are empty, the budget is spent, or the worker is to stop.

        A partition with a key of the wrong type does not keep the others waiting.

        Raises:
            redis.exceptions.RedisError, CommitRefused, AuditUnwritable: what was in hand stays pending, and the next
                run of this drain, or another worker after SCRUB_RECLAIM, takes it up again.
        """
        self.bell.answer()
        if self.stopping():
            return
        deadline = time.monotonic() + self.settings.drain_budget
        drains = [self, *self.others]
        self._turn += 1
        first = self._turn % len(drains)
        for one in drains:
            one._until = deadline + (self.settings.soft_time_limit - self.settings.drain_budget) / 3
        failures: list[Exception] = []
        served = [one for one in drains[first:] + drains[:first] if one._guarded(failures, one._prepare, deadline)]
        if _around(served, failures, deadline) or (not failures and any(one._unfinished for one in drains)):
            self.bell.ring()
        if failures:
            # No ring: what failed fails again, and tend looks after it in a moment.
            raise failures[0]

    def _guarded(self, failures: list[Exception], act: Callable[..., T], *arguments: float) -> T | None:
        """What it answers; None: this partition is not to be served for now."""
        try:
            return act(*arguments)
        except ResponseError as error:
            if str(error).startswith("NOGROUP"):
                self.inbox.ensure()
                self.bell.ring()
            else:
                failures.append(error)
        except CommitRefused as error:
            failures.append(error)
        return None

    def _prepare(self, deadline: float) -> bool:
        """Takes up what was left; answers whether there is no more of it that this process has in hand."""
        if self._unfinished:
            self._finish()
        if not self._unfinished:
            self._recover(deadline)
        return not self._unfinished

    def _serve(self, ahead: bool) -> int | None:
        """Judges a batch; answers how many were taken, None: they could not all be committed.

        `ahead`: whether to take the next one as well, where this one is full.
        """
        self._open_book()
        entries, readings = self._ahead, self._decoded
        self._ahead, self._decoded = [], []
        entries = entries or self._rung(self.inbox.take(self.settings.batch))
        if entries:
            self.process(entries, readings, ahead=ahead)
        return None if self._unfinished else len(entries)

    def _rung(self, entries: list[Entry]) -> list[Entry]:
        """Rings for others where a batch is full."""
        if len(entries) == self.settings.batch:
            self.bell.ring()
        return entries

    def _open_book(self) -> None:
        """Takes up the book in force; nothing is judged meanwhile."""
        if (book := self.book()) is not self.bench.book:
            self.bench = replace(self.bench, book=book)
            self._decoded = []  # by the book's procedure

    def _finish(self) -> None:
        """Takes up what this process read and could not commit, so that nothing waits for SCRUB_RECLAIM."""
        self._open_book()
        self._ahead, self._decoded = [], []
        while entries := self.inbox.unfinished(self.settings.batch):
            self.process(entries)
            if self._unfinished:
                return
        self._unfinished = False

    def _recover(self, deadline: float) -> None:
        """Takes over expired entries one at a time and alone: one that kills its worker takes no other along."""
        idle = int(self.settings.reclaim * 1000)
        for expired in self.inbox.expired(idle):
            if self.stopping() or time.monotonic() > deadline:
                return
            self._open_book()
            entry = self.inbox.reclaim(expired.entry, idle)
            if entry is None:
                continue
            tries = self.inbox.tries(expired)
            if len(tries) > self.settings.attempts:
                self._give_up(entry._replace(attempt=self.settings.attempts), tries[1:])
            else:
                self._try_alone(entry._replace(attempt=len(tries)), tries)
            if self._unfinished:
                return

    def _try_alone(self, entry: Entry, tries: Sequence[str]) -> None:
        try:
            self.process([entry])
        except self.bench.interrupts:
            raise
        except Exception:
            # Redis or the audit disk failed, not the claim: this try does not count.
            with contextlib.suppress(RedisError):
                self.inbox.keep_tries(entry.id, tries[:-1])
            raise

    def _give_up(self, entry: Entry, ends: Sequence[str]) -> None:
        problems = [Problem("", f"lone attempt {number}: {end}") for number, end in enumerate(ends, 1)]
        decision = batch.quarantine(batch.unread(entry), "attempts_exhausted", problems, self.bench)
        self._commit([decision])

    def process(self, entries: Sequence[Entry], readings: Sequence[Reading] = (), *, ahead: bool = False) -> None:
        """Judges and commits the entries; what another worker decided meanwhile is judged again.

        What is large goes in parts, and what the time is too short for waits for the next run: no claim may be late
        because of the others of its batch. `readings`: of these entries, where they are decoded already. `ahead`:
        whether to take and decode the next batch meanwhile, where this one is full.
        """
        self._unfinished = True
        try:
            parts = _parts(entries)
            for number, part in enumerate(parts, 1):
                last = number == len(parts)
                decoded = (last and number == 1 and readings) or batch.read(part, self.bench)
                done = self._process(decoded, ahead and last and len(entries) == self.settings.batch)
                if not done or (not last and self._late()):
                    return
            self._unfinished = False
        except self.bench.interrupts as error:
            # Out of time on this batch: the entries expire and are tried one by one.
            self._unfinished = False
            if len(entries) == 1:
                self._note_end(entries[0], error)
            with contextlib.suppress(RedisError):
                self._ahead = self._given() or self._ahead
            if self._ahead:
                self.bell.ring()
            raise
        finally:
            if self._asked:
                self._asked.drop()
                self._asked = None

    def _note_end(self, entry: Entry, error: BaseException) -> None:
        places = ", ".join(safe_exception(error)["error.stack_trace"][-3:])
        end = f"out of time after {self.settings.soft_time_limit:g} s, at {places}"
        self.inbox.note_end(entry.id, end, int(self.settings.reclaim * 10_000))

    def _process(self, readings: Sequence[Reading], ahead: bool) -> bool:
        """Answers whether everything was committed, by us or by who took it over."""
        readings = self._forward(readings)
        fronts = self.crossing.register(readings)
        rounds = _ROUNDS
        while readings:
            memory = fronts | self.inbox.remembered(batch.keys_of(readings))
            if ahead and not self.stopping():
                self._asked = self.inbox.ask(self.settings.batch)
            ahead = False
            decisions = batch.decide(readings, memory, self.bench, self._until)
            again = self._commit(decisions)
            left = readings[len(decisions) :]
            readings = [*(decision.reading for decision in again), *left]
            rounds -= bool(again)
            if not rounds or (left and self._late()):
                break
        return not readings

    def _late(self) -> bool:
        """Whether to give way. A worker that stops does not: nobody would come back to what it has in hand."""
        return time.monotonic() > self._until and not self.stopping()

    def _forward(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Hands on what belongs on another partition; answers what is to be judged here."""
        strays = self.crossing.strays(readings)
        if not strays:
            return readings
        self.crossing.hand_over(strays)
        items = [Item(reading.entry.id, "forwarded", b"") for reading in strays]
        # There is no line on the log yet, and so no new head: the claim gets its line where it is judged.
        self.done["forwarded"] += self.committer.commit(items, Head()).count("done")
        moved = {reading.entry.id for reading in strays}
        return [reading for reading in readings if reading.entry.id not in moved]

    def _given(self) -> list[Entry]:
        """The batch that was asked for; empty: none was."""
        asked, self._asked = self._asked, None
        return self._rung(self.inbox.given(asked)) if asked else []

    def _commit(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Log, then commit; answers the decisions that are to be made again."""
        head = self.audit.write([decision.text for decision in decisions])
        # Before the commit is sent: to be read at all, it has to be out of the way.
        self._ahead = self._given() or self._ahead

        def read_ahead() -> None:
            if self._ahead and not self._decoded and len(_parts(self._ahead)) == 1:
                self._decoded = batch.read(self._ahead, self.bench)

        statuses = self.committer.commit([decision.item for decision in decisions], head, read_ahead)
        refused = []
        for decision, status in zip(decisions, statuses, strict=True):
            if status == "done":
                self.done[decision.item.route] += 1
            else:
                refused.append((decision, status))
        self.audit.write([batch.superseded(decision, status) for decision, status in refused])
        return [decision for decision, status in refused if status == "retry"]


def _parts(entries: Sequence[Entry]) -> list[list[Entry]]:
    """In order, with `_MOST_BYTES` each, or one entry."""
    parts: list[list[Entry]] = [[]]
    size = 0
    for entry in entries:
        size += len(entry.event or b"")
        if size > _MOST_BYTES and parts[-1]:
            parts.append([])
            size = len(entry.event or b"")
        parts[-1].append(entry)
    return parts


def _around(served: Sequence[Drain], failures: list[Exception], deadline: float) -> bool:
    """A batch of each in turn, until none has anything; answers whether it broke off before that.

    Then what was taken ahead is still finished.
    """
    busy, over = bool(served), False
    while busy:
        busy, left = False, []
        for one in served:
            over = over or one.stopping()
            if over and not one._ahead:
                continue
            taken = one._guarded(failures, one._serve, not over)
            busy |= bool(taken)
            left += [one] if taken is not None else []
            over = over or (bool(taken) and time.monotonic() > deadline)
        served = left
    return over
