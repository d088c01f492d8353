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
import time
from collections import Counter, defaultdict
from typing import Any, cast

import orjson
import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.faults.interleaving import Interleaving, explore, opened
from tests.integration.helpers import claim, counting, event
from worker import bootstrap
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers, quarantine
from worker.pipeline.inbox import InboxEntry, ensure_groups
from worker.pipeline.migration import migrate
from worker.pipeline.outlets import OutletEntry, tail
from worker.store.agreement import Standing, write
from worker.store.keys import FIELD, INNER, SHARED
from worker.store.outletspecs import OUTLETS
from worker.store.registry import Producer, streams_of
from worker.store.scripts import named

EXAMPLES = int(os.environ.get("SCRUBTEST_EXAMPLES", "20"))
EVENTS, PATIENTS = 6, 3
PRODUCERS = ("alpha", "beta")
FORGED = {"producer": "beta", "received": "1", "revision": "9-9", "requeue_of": "1-1", "forwarded_from": "0:1-1"}
"""What workers and people alone write beside an event."""
STRANGER = 5
"""This event's claim has no member id, so that no ledger stands behind the memory of events."""


class Protocol(Interleaving):
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
        self.put_entries: dict[str, tuple[int, int]] = {}
        self.on_inbox: set[int] = set()
        self.requeued: set[str] = set()
        """Entries that a person put back on the queue."""
        self.workers = [self.hire(), self.hire()]
        for name in names:
            self.put(name, 0, notifies=True)

    @property
    def began(self) -> bool:
        return bool(self.put_entries)

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
            self.notifier.notify()
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

    # What must be true.

    @invariant()
    def nothing_waits_unannounced(self) -> None:
        if hasattr(self, "workers") and self.put_entries and self.flawless:
            idle = not self.notifications and not any(worker.busy for worker in self.workers)
            assert not (idle and reconcile(self.store.redis, self.store.keys).waiting)

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        self.come_to_rest(3 + len(self.put_entries))
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


def test_any_interleaving_of_two_workers_gives_each_event_one_result() -> None:
    explore(Protocol, EXAMPLES)


@pytest.mark.parametrize("layout", [1, 2])
def test_the_same_choices_give_the_same_commands_however_late_and_however_often(layout: int) -> None:
    """Else Hypothesis takes its own examples for flaky: what a worker did in one it must do when it is run again."""
    with opened() as store:
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
        explore(Protocol, 2000, phases=(Phase.generate,), database=None, report_multiple_bugs=False)


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
        explore(Protocol, 2000, phases=(Phase.generate,), database=None, report_multiple_bugs=False)
