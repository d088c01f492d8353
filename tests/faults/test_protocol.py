"""The protocol by model: deliver, check, commit, reclaim, notify, migrate, in any order that two workers can come in.

Events come on the inbox and, from layout 2 on, on the streams of two producers, where two entries may have one id, and
where nothing that workers alone write is believed. A person puts what is in quarantine back on the queue: on the inbox,
from layout 2 on on the inner stream.

The workers are the real consumer on a real server with the real scripts, each in a thread that stops before every command
to Redis. Hypothesis chooses who goes on, who is killed before or after a command, whose answer is lost, when
time passes and a worker takes over what the other still holds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from tests.integration.helpers import claim, counting, event
from worker import bootstrap
from worker.config.settings import load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers, quarantine
from worker.pipeline.inbox import InboxEntry, ensure_groups
from worker.pipeline.maintenance import maintain
from worker.pipeline.migration import migrate
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import OutletEntry, tail
from worker.store import connections, opening
from worker.store.agreement import Standing, write
from worker.store.connections import Store
from worker.store.keys import FIELD, GROUP, INNER, SHARED
from worker.store.outletspecs import OUTLETS
from worker.store.registry import Producer, Registry, streams_of
from worker.store.scripts import named

EXAMPLES = int(os.environ.get("SCRUBTEST_EXAMPLES", "20"))
EVENTS, PATIENTS = 6, 3
PRODUCERS = ("alpha", "beta")
FORGED = {"producer": "beta", "received": "1", "revision": "9-9", "requeue_of": "1-1", "forwarded_from": "0:1-1"}
"""What workers and people alone write beside an event."""
STRANGER = 5
"""This event's claim has no member id, so that no ledger stands behind the memory of events."""


class Killed(BaseException):
    """The process is no more."""


class Actor:
    """A worker that goes on one command at a time, when it is asked to."""

    def __init__(self, store: Store, notifier_of: Callable[[Redis], Notifier]) -> None:
        self._verdict = ""
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None
        self._go, self._stopped = threading.Event(), threading.Event()
        self._redis = redis = _stepping(store, self._command)
        self._consumer = bootstrap.inbox_consumer(Store(store.settings, store.keys, redis, redis), notifier_of(redis))
        self._registry = cast(Registry, self._consumer.partitions[0].inbox._streams)
        self._registry.clock = lambda: 0.0  # time passes where `look` says so
        self.commands = 0

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def wake(self) -> None:
        """A notifier came: it begins to consumer, up to its first command."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._await()

    def go(self, verdict: str = "go") -> None:
        """go: one command; kill_before, kill_after: it dies there; lose: the command is done, its answer is lost."""
        self._verdict = verdict
        self._stopped.clear()
        self._go.set()
        self._await()

    def finish(self) -> None:
        while self.busy:
            self.go()

    def look(self) -> None:
        """A second has passed, after which it looks anew what there is to read."""
        self._registry.forget()

    def kill(self) -> None:
        if self.busy:
            self.go("kill_before")
        self._consumer.audit.close()
        self._redis.close()

    def _await(self) -> None:
        assert self._stopped.wait(30), "the worker neither stops nor ends"
        if self.failure:
            raise self.failure

    def _run(self) -> None:
        try:
            self._consumer.run()
        except (Killed, RedisConnectionError):
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the thread is joined
            self.failure = error
        self._thread = None
        self._stopped.set()

    def _command(self, command: Callable[[], Any]) -> Any:
        if threading.current_thread() is not self._thread:  # while it is made
            return command()
        self.commands += 1
        self._stopped.set()
        self._go.wait()
        self._go.clear()
        if self._verdict == "kill_before":
            raise Killed
        answer = command()
        if self._verdict == "kill_after":
            raise Killed
        if self._verdict == "lose":
            raise RedisConnectionError("the answer is lost")
        return answer


def _stepping(store: Store, through: Callable[[Callable[[], Any]], Any]) -> Redis:
    """A client whose every round trip goes through the function."""
    client: Redis = connections.connect(store.settings, Retry(NoBackoff(), 0))
    plain, pipeline = client.execute_command, client.pipeline

    def piped(*arguments: Any, **options: Any) -> Any:
        made = pipeline(*arguments, **options)
        execute = made.execute
        made.execute = lambda *given, **named: through(lambda: execute(*given, **named))
        return made

    client.execute_command = lambda *given, **named: through(lambda: plain(*given, **named))  # type: ignore[method-assign]
    client.pipeline = piped  # type: ignore[method-assign]
    return client


class Protocol(RuleBasedStateMachine):
    store: Store

    @initialize(names=st.lists(st.integers(0, EVENTS - 1), min_size=1, max_size=10), layout=st.sampled_from((1, 2, 2)))
    def begin(self, names: list[int], layout: int) -> None:
        # Also the scripts: whoever finds one missing sends a command more than an example before it had to.
        self.store.redis.flushall()
        self.store.redis.script_flush()
        write(self.store.redis, Standing(1, 1, layout))
        ensure_groups(self.store.redis, self.store.keys, streams_of(self.store.redis, self.store.keys))
        self.layout, self.ids = 1, Counter[str]()
        if layout == 2:
            self.register()
        self.store.redis.set(self.store.keys.tend_log, "1")  # maintenance is to log nothing
        self.notifications = 0
        self.flawless = True
        """Every event was announced, no notifier was lost, nobody died and no time passed."""
        self.put_entries: dict[str, tuple[int, int]] = {}
        self.on_inbox: set[int] = set()
        self.requeued: set[str] = set()
        """Entries that a person put back on the queue."""
        self.workers = [self._hire(), self._hire()]
        for name in names:
            self.put(name, 0, notifies=True)

    def register(self) -> None:
        """Trusted for receipt, so that the claims' own dates count."""
        self.layout = 2
        for name in PRODUCERS:
            producers.add(self.store.redis, self.store.keys, Producer(name, trusted=True))
        for worker in getattr(self, "workers", ()):
            worker.look()

    @precondition(lambda self: self.layout == 1)
    @rule()
    def migration(self) -> None:
        """At any moment: what workers have in hand was read under layout 1, and is committed under layout 2."""
        migrate(self.store.redis)
        self.register()
        self.flawless = False  # a worker may not have looked yet what there is to read

    def _hire(self) -> Actor:
        return Actor(self.store, lambda redis: Notifier(redis, self.store.keys, gate_ms=60_000, send=self._ring))

    def _ring(self) -> None:
        self.notifications += 1

    @property
    def _notifier(self) -> Notifier:
        return Notifier(self.store.redis, self.store.keys, gate_ms=60_000, send=self._ring)

    # The producer.

    @rule(
        name=st.integers(0, EVENTS - 1),
        variant=st.sampled_from((0, 0, 0, 1)),
        notifies=st.sampled_from((True, True, False)),
        forged=st.booleans(),
    )
    def put(self, name: int, variant: int, notifies: bool, forged: bool = False) -> None:
        """Several events of a patient bill the same block; an event may come again, or with other content."""
        data = claim(name % PATIENTS, claim_id=f"P-{name}", diagnoses=["M54.31", "M54.16"][: 1 + variant])
        if name == STRANGER:
            del data["subscriber"]
        body = event(name, data=data)
        stream = (SHARED, *PRODUCERS)[name // 2] if self.layout == 2 else SHARED
        if name in self.on_inbox or stream == SHARED:  # an event is known by its producer too
            stream = SHARED
            self.on_inbox.add(name)
        self.ids[stream] += 1
        chosen = f"{self.ids[stream]}-1" if stream else "*"
        fields: dict[str, Any] = {FIELD: body, **(FORGED if forged and stream else {})}
        entry = self.store.redis.xadd(self.store.keys.stream(stream), fields, id=chosen)
        self.put_entries[f"{stream}:{entry.decode()}" if stream else entry.decode()] = (name, variant)
        if notifies:
            self._notifier.notify()
        else:
            self.flawless = False

    # A person.

    @rule(name=st.integers(0, EVENTS - 1), which=st.integers(0, 2))
    def requeue(self, name: int, which: int) -> None:
        """Of an event that came with other content, whichever stream it came on, and at any moment; where there is none,
        one comes first."""
        redis, keys = self.store.redis, self.store.keys
        if not redis.xlen(keys.outlet("quarantine")):
            for variant in (0, 1):
                self.put(name, variant, notifies=True)
            self.workers[0].finish()
            self.workers[0].wake()
            self.workers[0].finish()
        held = list(quarantine.entries(redis, keys))
        if not held:
            return
        entry = held[which % len(held)]
        desk = bootstrap.quarantine_desk(self.store)
        assert desk.requeue(entry, "both are meant")
        desk.audit.close()
        stream = INNER if self.layout == 2 else SHARED
        last = cast(Any, redis.xinfo_stream(keys.stream(stream)))["last-generated-id"].decode()
        again = f"{stream}:{last}" if stream else last
        self.put_entries[again] = self.put_entries[entry.event["inboxentry"]]
        self.requeued.add(again)
        self.flawless = False  # the desk tells nobody; its command does

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
            self.workers[which] = self._hire()

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
        for stream in map(keys.stream, streams_of(redis, keys).names) if self.put_entries else ():
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
        assert maintain(self.store, self._notifier)

    # What must be true.

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "workers") and self.put_entries:
            assert reconcile(self.store.redis, self.store.keys).balance == 0

    @invariant()
    def nothing_waits_unannounced(self) -> None:
        if hasattr(self, "workers") and self.put_entries and self.flawless:
            idle = not self.notifications and not any(worker.busy for worker in self.workers)
            assert not (idle and reconcile(self.store.redis, self.store.keys).waiting)

    @invariant()
    def no_entry_has_two_results(self) -> None:
        if hasattr(self, "workers"):
            assert not [entry for entry, count in Counter(self._results()).items() if count > 1]

    def _results(self) -> list[str]:
        return [
            entry.event["inboxentry"] for name in OUTLETS for entry in tail(self.store.redis, self.store.keys, name)
        ]

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        for _ in range(3 + len(self.put_entries)):
            for worker in self.workers:
                worker.finish()
            self.time_passes()
            self.maintenance()
            while self.notifications:
                self.wake()
                self.workers[0].finish()
                self.workers[1].finish()
            if not self.put_entries or reconcile(self.store.redis, self.store.keys).settled:
                break
        for worker in self.workers:
            worker.kill()
        if self.put_entries:
            self._reckon()
        shutil.rmtree(self.store.settings.audit_path, ignore_errors=True)

    def _reckon(self) -> None:
        """Every event has one result; of the events that bill the same block, one is billed."""
        redis, keys = self.store.redis, self.store.keys
        found = reconcile(redis, keys)
        assert found.settled, found
        outlets = {name: list(tail(redis, keys, name)) for name in OUTLETS}
        results: dict[int, list[tuple[str, OutletEntry]]] = defaultdict(list)
        for outlet, page in outlets.items():
            for entry in page:
                name, _ = self.put_entries[entry.event["inboxentry"]]
                results[name].append((outlet, entry))
        assert found.requeued == len(self.requeued)
        decided = sum(map(len, outlets.values())) + found.repeated + found.requeued
        assert decided == len(self.put_entries) == found.accepted
        again = Counter(self.put_entries[entry][0] for entry in self.requeued)
        variants: dict[int, set[int]] = defaultdict(set)
        for name, variant in self.put_entries.values():
            variants[name].add(variant)
        for name, ends in results.items():
            judged = [(outlet, entry) for outlet, entry in ends if outlet != "quarantine"]
            assert len(judged) == 1 + again[name], (name, ends)
            assert len([entry for _, entry in judged if entry.event["inboxentry"] in self.requeued]) == again[name]
            reused = [entry.data["reason"] for outlet, entry in ends if outlet == "quarantine"]
            assert set(reused) <= {"event_id_reused"}
            assert again[name] or bool(reused) == (len(variants[name]) > 1)
        known = {
            outlet: [entry for entry in page if entry.event["eventid"] != f"evt-{STRANGER}"]
            for outlet, page in outlets.items()
        }
        patients = {name % PATIENTS for name in results if name != STRANGER}
        billed = Counter(entry.data["claim"]["subscriber"]["member_id"] for entry in known["billing"])
        assert billed.keys() == {f"{patient:09}" for patient in patients}
        twice = {f"{name % PATIENTS:09}" for name in again}
        assert not {patient for patient, count in billed.items() if count > 1} - twice
        for entry in known["rework"]:
            if entry.event["inboxentry"] in self.requeued:
                continue  # another version of a claim that was billed: as the rules have it
            assert [f["code"] for f in entry.data["report"]["findings"] if f["severity"] == "block"] == ["DUP001"]
        assert set(counting(self.store)) == {entry.data["claim"]["claim_id"] for entry in known["billing"]}
        logged = {
            orjson.loads(line).get("claim.decision_id")
            for file in self.store.settings.audit_path.glob("*.jsonl")
            for line in file.read_bytes().splitlines()
        }
        decisions = [entry.decision_id for page in outlets.values() for entry in page]
        assert len(set(decisions)) == len(decisions)
        assert set(decisions) <= logged


@contextmanager
def _store() -> Iterator[Store]:
    home = Path(tempfile.mkdtemp(prefix="scrub-model-", dir="/tmp"))
    try:
        made = load_settings(
            state_dir=home, history_months=240, attempts=100, batch=3,
            drain_budget=59, soft_time_limit=59.3, hard_time_limit=59.6,  # a slow machine is to cut no run short
        )  # fmt: skip
        with opening.open_store(made) as store:
            store.redis.config_set("appendfsync", "no")
            yield store
    finally:
        shutil.rmtree(home, ignore_errors=True)


def explore(examples: int, **options: Any) -> None:
    """Lets Hypothesis look for an order of things that breaks the protocol.

    Raises:
        AssertionError, ExceptionGroup: it found one.
    """
    with _store() as store:
        machine = type("Protocol", (Protocol,), {"store": store})
        chosen = settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **options,
        )
        run_state_machine_as_test(machine, settings=chosen)


def test_any_interleaving_of_two_workers_gives_each_event_one_result() -> None:
    explore(EXAMPLES)


@pytest.mark.parametrize("layout", [1, 2])
def test_the_same_choices_give_the_same_commands_however_late_and_however_often(layout: int) -> None:
    """Else Hypothesis takes its own examples for flaky: what a worker did in one it must do when it is run again."""
    with _store() as store:
        counts = []
        for pause in (0.0, 0.0, 1.1):  # more than a worker remembers what there is to read
            machine = type("Protocol", (Protocol,), {"store": store})()
            machine.begin(names=[0, 1, 2, 3, 4, 5, 0], layout=layout)
            first, second = machine.workers
            first.wake()
            first.go()
            time.sleep(pause)
            second.wake()
            second.finish()
            first.finish()
            counts.append((first.commands, second.commands))
            machine.teardown()
        assert min(counts[0]) > 0
        assert counts == [counts[0]] * 3


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("check", "instead"),
    [
        ("owned[item] = with_me[entry] or", "owned[item] = true or"),
        ("(now[event] or stored[event]) ~= expected", "false"),
        ("version_of(now[ledger] or stored[ledger]) ~= version", "false"),
    ],
    ids=["that the entry is ours", "the event", "the ledger"],
)
def test_the_exploration_notices_when_the_commit_does_not_check(
    check: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would prove nothing."""
    whole = named("commit")
    assert check in whole
    broken = whole.replace(check, instead)
    monkeypatch.setattr("worker.pipeline.commit.named", lambda name: broken if name == "commit" else named(name))
    # The last: what a broken commit leaves behind is not the same twice, so that what was found is not found again.
    with pytest.raises((AssertionError, ExceptionGroup, FlakyStrategyDefinition)):
        explore(2000, phases=(Phase.generate,), database=None, report_multiple_bugs=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_exploration_notices_when_a_sender_is_believed_what_workers_alone_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(entry: InboxEntry, name: str) -> str | None:
        found = entry.fields.get(name.encode())
        return found.decode() if found is not None else None

    monkeypatch.setattr(InboxEntry, "said", said)
    with pytest.raises((AssertionError, ExceptionGroup, FlakyStrategyDefinition)):
        explore(2000, phases=(Phase.generate,), database=None, report_multiple_bugs=False)
