"""The consumers of the inbox: one for each partition, and the one of a process that serves them all.

The way of a claim, stage by stage: taken off the inbox (`Inbox`), read (`reading`), routed (`routing`), decided
(`deciding`), rendered (`rendering`), logged (`worker.audit.log`), committed (`commit`). What another worker left, what
could not be committed and what others decided meanwhile enters the same way at its start.

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
from worker.audit.chains import stored_head
from worker.audit.log import AuditLog, Head
from worker.config.settings import Settings
from worker.errors import CommitRefused, KeysTurned, RedisBehind
from worker.logs.operational import log, safe_exception
from worker.pipeline import batch
from worker.pipeline.adoption import adopt
from worker.pipeline.commit import Committer
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import Inbox, InboxEntry
from worker.pipeline.notification import Notifier
from worker.pipeline.reading import Reading, given_up
from worker.pipeline.rendering import Rendered, superseded
from worker.pipeline.repeats import RepeatDropper
from worker.pipeline.routing import Router, homes_elsewhere
from worker.store.agreement import RingsInForce
from worker.store.cluster import LOST, is_cluster
from worker.store.keys import Keys
from worker.store.pipelined import PipelinedTransaction

T = TypeVar("T")
_ROUNDS = 20
"""How often a batch is judged again because others decided on its events or patients meanwhile."""


@dataclass(slots=True)
class PartitionConsumer:
    """One consumer at work on one partition. Make it after the fork, and use it from one thread."""

    settings: Settings
    context: BatchContext
    inbox: Inbox
    router: Router
    audit: AuditLog
    committer: Committer
    notifier: Notifier
    book: Callable[[], Book]
    """The book in force, asked before every batch: somebody may switch it, and an override ends with its last day."""
    repeats: RepeatDropper | None = None
    """Drops repeated events while the workers are held back."""
    rings: RingsInForce | None = None
    """The keys in force, asked before every batch; None: those of the context stay."""
    stopping: Callable[[], bool] = lambda: False
    """Whether the worker is asked to stop; read between batches."""
    until: float = math.inf
    """When to break off a batch, by the monotonic clock; the claim in hand still has most of the soft limit."""
    done: Counter[str] = field(default_factory=Counter)
    """Claims by route, since this consumer was made."""
    unfinished: bool = False
    """Whether there are entries that it took and did not commit."""
    _committed: Head | None = None
    """Where the chain of this process stood at the last commit on this partition."""
    _home: str = ""
    """Of a cluster, the node that had this partition then."""
    _asked: PipelinedTransaction | None = None
    """The next batch, asked for and not yet looked at."""
    _ahead: list[InboxEntry] = field(default_factory=list)
    """The next batch, taken while the one before was at work."""
    _decoded: list[Reading] = field(default_factory=list)
    """The same, where it is decoded already."""
    _away: frozenset[Keys] = frozenset()
    """Partitions that did not answer; what needs them was taken, and stays pending until they do."""

    @property
    def is_ahead(self) -> bool:
        """Whether it has taken a batch that it has not begun."""
        return bool(self._ahead)

    def prepare(self, deadline: float) -> bool:
        """Takes up what was left; answers whether there is no more of it that this process has in hand."""
        self._remember()
        if self._away and all(map(self.router.answers, self._away)):
            self._away, self.unfinished = frozenset(), True
        if self.unfinished:
            self._finish()
        if not self.unfinished:
            self._recover(deadline)
        return not self.unfinished

    def _remember(self) -> None:
        """Says so once where Redis has forgotten what this process committed."""
        ours = self._committed
        if ours is None or self.rings is None:
            return
        found = stored_head(self.rings.redis, self.context.keys, ours.chain)
        if found is None or found.seq < ours.seq:
            said = "nothing of it" if found is None else str(found.seq)
            error = RedisBehind(chain=ours.chain, seq=ours.seq, found=said)
            log(__name__).error(str(error), **{"event.action": "audit.behind"})
            self._committed = None
            # Later commits of this chain would make it seem that Redis knew all of it.
            if self.audit.head.chain == ours.chain:
                self.audit.close()

    def serve(self, ahead: bool) -> int | None:
        """Judges a batch; answers how many were taken, None: they could not all be committed.

        `ahead`: whether to take the next one as well, where more is waiting.
        """
        self._open_book()
        entries, readings = self._ahead, self._decoded
        self._ahead, self._decoded = [], []
        entries = entries or self._announced(self.inbox.take(self.settings.batch))
        if not entries and self.repeats and self.inbox.held:
            self.done["repeated"] += self.repeats.drop(self.context, self.settings.batch)
        if entries:
            self.process(entries, readings, ahead=ahead)
        return None if self.unfinished else len(entries)

    def _announced(self, entries: list[InboxEntry]) -> list[InboxEntry]:
        """Notifies others where more is waiting."""
        if self.inbox.more:
            self.notifier.notify()
        return entries

    def _open_book(self) -> None:
        """Takes up the book and the keys in force; nothing is judged meanwhile."""
        if (book := self.book()) is not self.context.book:
            self.context = replace(self.context, book=book)
            self._decoded = []  # by the book's procedures
        if self.rings and (rings := self.rings.look()) is not self.context.rings:
            self.context = replace(self.context, rings=rings)
            self.committer.rings = rings.mark
            self.audit.turn(rings.audit)
            self._decoded = []  # by the keys of before

    def _finish(self) -> None:
        """Takes up what this process read and could not commit, so that nothing waits for SCRUB_RECLAIM."""
        self._open_book()
        self._ahead, self._decoded = [], []
        behind: dict[str, str] = {}
        while entries := self.inbox.unfinished(self.settings.batch, behind):
            self.process(entries)
            if self.unfinished:
                return
            if self._away:  # those that need them are pending still
                behind |= {entry.stream: entry.id for entry in entries}
        self.unfinished = False

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
            if self.unfinished or self._away:
                return

    def _try_alone(self, entry: InboxEntry, tries: Sequence[str]) -> None:
        try:
            self.process([entry])
        except self.context.interrupts:
            raise
        except Exception:
            # Redis or the audit disk failed, not the claim: this try does not count.
            with contextlib.suppress(RedisError):
                self.inbox.keep_tries(entry.name, tries[:-1])
            raise
        if self._away:
            self.inbox.keep_tries(entry.name, tries[:-1])

    def _give_up(self, entry: InboxEntry, ends: Sequence[str]) -> None:
        problems = [Problem("", f"lone attempt {number}: {end}") for number, end in enumerate(ends, 1)]
        self.process([entry], [given_up(entry, problems)])

    def process(self, entries: Sequence[InboxEntry], readings: Sequence[Reading] = (), *, ahead: bool = False) -> None:
        """Judges and commits the entries; what another worker decided meanwhile is judged again.

        What is large goes in parts, and what the time is too short for waits for the next run: no claim may be late
        because of the others of its batch. `readings`: of these entries, where they are decoded already. `ahead`:
        whether to take and decode the next batch meanwhile, where more is waiting.
        """
        self.unfinished = True
        try:
            parts = batch.parts_of(entries)
            for number, part in enumerate(parts, 1):
                last = number == len(parts)
                decoded = (last and number == 1 and readings) or batch.read(part, self.context)
                done = self._process(decoded, ahead and last and self.inbox.more)
                if not done or (not last and self._late()):
                    return
            self.unfinished = False
        except KeysTurned:
            return  # taken up again in a moment, under the keys that are in force by then
        except self.context.interrupts as error:
            # Out of time on this batch: the entries expire and are tried one by one.
            self.unfinished = False
            if len(entries) == 1:
                self._note_end(entries[0], error)
            with contextlib.suppress(RedisError):
                self._ahead = self._given() or self._ahead
            if self._ahead:
                self.notifier.notify()
            raise
        finally:
            if self._asked:
                self._asked.drop()
                self._asked = None

    def _note_end(self, entry: InboxEntry, error: BaseException) -> None:
        frames = ", ".join(safe_exception(error)["error.stack_trace"][-3:])
        end = f"out of time after {self.settings.soft_time_limit:g} s, at {frames}"
        self.inbox.note_end(entry.name, end, int(self.settings.reclaim * 10_000))

    def _process(self, readings: Sequence[Reading], ahead: bool) -> bool:
        """Answers whether everything was committed, by us or by who took it over."""
        routed = self.router.route(readings)
        self._away |= routed.away
        if routed.forwarded:
            self.done["forwarded"] += routed.forwarded
        left, rounds = routed.here, _ROUNDS
        while left:
            memory = routed.registered | self.inbox.remembered(batch.keys_of(left))
            if not (left := self._joined(left, memory)):
                break
            if self.rings and (theirs := batch.to_adopt(left, memory)):
                memory |= adopt(self.rings.redis, self.context.keys, self.context.rings.mark, theirs)
            if ahead and not self.stopping():
                self._asked = self.inbox.ask(self.settings.batch)
            ahead = False
            rendered = batch.judge(left, memory, self.context, self.until)
            again = self._commit(rendered)
            rest = left[len(rendered) :]
            left = [*again, *rest]
            rounds -= bool(again)
            if not rounds or (rest and self._late()):
                break
        return not left

    def _joined(self, readings: list[Reading], memory: dict[str, str]) -> list[Reading]:
        """Registers what is to be judged on the homes of other versions of its case; `memory` gets what is known there.
        Answers those that can be judged without a partition that is away."""
        away = set[Keys]()
        memory |= self.router.join(readings, memory, away)
        self._away |= away
        keys = self.context.keys
        return [one for one in readings if away.isdisjoint(homes_elsewhere(one, keys, memory))] if away else readings

    def _late(self) -> bool:
        """Whether to give way. A worker that stops does not: nobody would come back to what it has in hand."""
        return time.monotonic() > self.until and not self.stopping()

    def _given(self) -> list[InboxEntry]:
        """The batch that was asked for; empty: none was."""
        asked, self._asked = self._asked, None
        return self._announced(self.inbox.given(asked)) if asked else []

    def _commit(self, rendered: Sequence[Rendered]) -> list[Reading]:
        """Log, then commit; answers what is to be judged again."""
        if (home := self.committer.home) != self._home:
            self._remember()
            self._home = home
        head = self.audit.write([one.text for one in rendered])
        # Before the commit is sent: to be read at all, it has to be out of the way.
        self._ahead = self._given() or self._ahead
        statuses = self.committer.commit([one.item for one in rendered], head, self._read_ahead)
        self._committed = head
        refused = []
        for one, status in zip(rendered, statuses, strict=True):
            if status == "done":
                self.done[one.item.route] += 1
            else:
                refused.append((one, status))
        self.audit.write([superseded(one, status) for one, status in refused])
        return [one.reading for one, status in refused if status == "retry"]

    def _read_ahead(self) -> None:
        if self._ahead and not self._decoded and len(batch.parts_of(self._ahead)) == 1:
            self._decoded = batch.read(self._ahead, self.context)


@dataclass(slots=True)
class InboxConsumer:
    """The consumers of one process: it serves all partitions, a batch of each, round robin.

    None waits for another, and none is lost with a worker.
    """

    settings: Settings
    partitions: Sequence[PartitionConsumer]
    audit: AuditLog
    notifier: Notifier
    stopping: Callable[[], bool] = lambda: False
    """Whether the worker is asked to stop; read between batches."""
    _runs: int = field(default_factory=os.getpid)
    """Each run begins with another partition, each process somewhere else: none is always the last."""

    @property
    def done(self) -> Counter[str]:
        """Claims by route, since this consumer was made."""
        return sum((one.done for one in self.partitions), Counter())

    def run(self) -> None:
        """Works until all inboxes are empty, the budget is spent, or the worker is to stop.

        A partition with a key of the wrong type, or on a node that is away, does not make the others wait.

        Raises:
            redis.exceptions.RedisError, CommitRefused, AuditUnwritable: what was in hand stays pending, and the next
                run of this consumer, or another worker after SCRUB_RECLAIM, takes it up again.
        """
        self.notifier.acknowledge()
        if self.stopping():
            return
        deadline = time.monotonic() + self.settings.drain_budget
        self._runs += 1
        first = self._runs % len(self.partitions)
        for one in self.partitions:
            one.until = deadline + (self.settings.soft_time_limit - self.settings.drain_budget) / 3
        failures: list[Exception] = []
        in_order = [*self.partitions[first:], *self.partitions[:first]]
        served = [one for one in in_order if self._guarded(failures, one, one.prepare, deadline)]
        broke_off = self._serve_all(served, failures, deadline)
        if broke_off or (not failures and any(one.unfinished for one in self.partitions)):
            self.notifier.notify()
        if failures:
            # No notification: what failed fails again, and maintenance looks after it in a moment.
            raise failures[0]

    def _serve_all(self, served: Sequence[PartitionConsumer], failures: list[Exception], deadline: float) -> bool:
        """A batch of each, round robin, until none has anything; answers whether it broke off before that.

        Then what was taken ahead is still finished.
        """
        busy, over = bool(served), False
        while busy:
            busy, left = False, []
            for one in served:
                over = over or self.stopping()
                if over and not one.is_ahead:
                    continue
                taken = self._guarded(failures, one, one.serve, not over)
                busy |= bool(taken)
                left += [one] if taken is not None else []
                over = over or (bool(taken) and time.monotonic() > deadline)
            served = left
        return over

    def _guarded(
        self, failures: list[Exception], one: PartitionConsumer, act: Callable[..., T], *arguments: float
    ) -> T | None:
        """What it answers; None: this partition is not to be served for now."""
        try:
            return act(*arguments)
        except ResponseError as error:
            if str(error).startswith("NOGROUP"):
                one.inbox.ensure()
                self.notifier.notify()
            else:
                failures.append(error)
        except CommitRefused as error:
            failures.append(error)
        except LOST as error:
            if not is_cluster(one.inbox.redis):
                raise
            failures.append(error)
        return None
