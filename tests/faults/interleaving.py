"""Two workers in any order that they can come in, each of which may die or lose an answer: what all models have."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.faults.actors import Worker
from worker.config.settings import load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.store import opening
from worker.store.connections import Store
from worker.store.keys import GROUP
from worker.store.outletspecs import OUTLETS
from worker.store.registry import streams_of


class Interleaving(RuleBasedStateMachine):
    SETTINGS: ClassVar[dict[str, Any]] = {}
    """Beside those of all models."""
    store: Store
    workers: list[Worker]
    notifications: int
    flawless: bool
    """Every event was announced, no notifier was lost, nobody died and no time passed."""

    @property
    def began(self) -> bool:
        """Whether anything was sent."""
        raise NotImplementedError

    def hire(self) -> Worker:
        return Worker(self.store, lambda redis: Notifier(redis, self.store.keys, gate_ms=60_000, send=self.ring))

    def ring(self) -> None:
        self.notifications += 1

    @property
    def notifier(self) -> Notifier:
        return Notifier(self.store.redis, self.store.keys, gate_ms=60_000, send=self.ring)

    # The workers.

    @precondition(lambda self: not all(worker.busy for worker in self.workers))
    @rule()
    def wake(self) -> None:
        """A notifier comes; also one that was delivered twice."""
        self.notifications = max(0, self.notifications - 1)
        next(worker for worker in self.workers if not worker.busy).wake()

    @precondition(lambda self: any(worker.busy for worker in self.workers))
    @rule(steps=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 7)), min_size=1, max_size=4))
    def go_on(self, steps: list[tuple[int, int]]) -> None:
        """Alternating, each some commands: seven are a batch, from the first command to its commit."""
        for which, commands in steps:
            for _ in range(commands):
                if self.workers[which].busy:
                    self.workers[which].go()

    @rule(commands=st.integers(1, 9))
    def go_side_by_side(self, commands: int) -> None:
        """Both, in step: each has read before either commits."""
        for worker in self.workers:
            if not worker.busy:
                self.wake()
        for _ in range(commands):
            for worker in self.workers:
                if worker.busy:
                    worker.go()

    @precondition(lambda self: any(worker.busy for worker in self.workers))
    @rule(which=st.integers(0, 1), before=st.integers(1, 6), commands=st.integers(4, 9))
    def fall_asleep(self, which: int, before: int, commands: int) -> None:
        """A worker stops with claims in hand; the other takes them over, and it may wake up at any time after."""
        sleeper, other = self.workers[which], self.workers[1 - which]
        if not sleeper.busy:
            return
        for _ in range(before):
            if sleeper.busy:
                sleeper.go()
        self.time_passes()
        if not other.busy:
            other.wake()
        for _ in range(commands):
            if other.busy:
                other.go()

    @precondition(lambda self: any(worker.busy for worker in self.workers))
    @rule(which=st.integers(0, 1), how=st.sampled_from(("kill_before", "kill_after")))
    def die(self, which: int, how: str) -> None:
        if self.workers[which].busy:
            self.flawless = False
            self.workers[which].go(how)
            self.workers[which].kill()
            self.workers[which] = self.hire()

    @precondition(lambda self: any(worker.busy for worker in self.workers))
    @rule(which=st.integers(0, 1))
    def lose_an_answer(self, which: int) -> None:
        if self.workers[which].busy:
            self.flawless = False
            self.workers[which].go("lose")

    # Time, and maintenance.

    @rule()
    def time_passes(self) -> None:
        """What is in anybody's hands, alive or not, is older than SCRUB_RECLAIM; the gate has expired."""
        self.flawless = False
        keys, redis = self.store.keys, self.store.redis
        redis.delete(keys.gate)
        names = streams_of(redis, keys).names if self.began else ()
        for stream in (part.stream(name) for part in keys.all for name in names):
            for item in redis.xpending_range(stream, GROUP, "-", "+", 1000):
                redis.xclaim(stream, GROUP, item["consumer"], 0, [item["message_id"]], idle=61_000, justid=True)

    @precondition(lambda self: self.notifications)
    @rule()
    def lose_a_bell(self) -> None:
        self.flawless = False
        self.notifications -= 1

    @rule()
    def maintenance(self) -> None:
        self.store.redis.delete(self.store.keys.tend)
        assert maintain(self.store, self.notifier)

    # What must be true.

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "workers") and self.began:
            assert reconcile(self.store.redis, self.store.keys).balance == 0

    @invariant()
    def no_entry_has_two_results(self) -> None:
        if hasattr(self, "workers"):
            assert not [entry for entry, count in Counter(self._results()).items() if count > 1]

    def _results(self) -> list[str]:
        return [
            entry.event["inboxentry"] for name in OUTLETS for entry in tail(self.store.redis, self.store.keys, name)
        ]

    def come_to_rest(self, rounds: int) -> None:
        """Everybody goes on until nothing is left to do, and is gone then."""
        for _ in range(rounds):
            for worker in self.workers:
                worker.finish()
            self.time_passes()
            self.maintenance()
            while self.notifications:
                self.wake()
                self.workers[0].finish()
                self.workers[1].finish()
            if not self.began or reconcile(self.store.redis, self.store.keys).settled:
                break
        for worker in self.workers:
            worker.kill()


@contextmanager
def opened(**more: Any) -> Iterator[Store]:
    home = Path(tempfile.mkdtemp(prefix="scrub-model-", dir="/tmp"))
    try:
        made = load_settings(
            state_dir=home, history_months=240, attempts=100, batch=3,
            drain_budget=59, soft_time_limit=59.3, hard_time_limit=59.6,  # a slow machine is to cut no run short
            **more,
        )  # fmt: skip
        with opening.open_store(made) as store:
            store.redis.config_set("appendfsync", "no")
            yield store
    finally:
        shutil.rmtree(home, ignore_errors=True)


def explore(kind: type[Interleaving], examples: int, **options: Any) -> None:
    """Lets Hypothesis look for an order of things that breaks the protocol.

    Raises:
        AssertionError, ExceptionGroup: it found one.
    """
    with opened(**kind.SETTINGS) as store:
        machine = type(kind.__name__, (kind,), {"store": store})
        chosen = settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **options,
        )
        run_state_machine_as_test(machine, settings=chosen)
