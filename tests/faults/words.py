"""What people say of decisions, and what follows from it, commit by commit: what the models of cases and of files share."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import rule

from rules.engine import waiving
from tests.faults.actors import Worker
from tests.faults.interleaving import Interleaving
from worker.desk.waiving import REPORT
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline import front, producers, waivers
from worker.pipeline.inbox import ensure_groups
from worker.pipeline.ledger import order
from worker.pipeline.outlets import OutletEntry, pages
from worker.store.agreement import Standing, write
from worker.store.connections import Store
from worker.store.keyring import load_rings
from worker.store.keys import INNER, Keys
from worker.store.outletspecs import FILES, OUTLETS
from worker.store.registry import Producer, streams_of


class Seen(NamedTuple):
    """A result, in the order in which they were committed."""

    step: int
    """The command: results of one are of one batch."""
    outlet: str
    entry: OutletEntry

    @property
    def fate(self) -> str:
        return str(self.entry.data["report"]["disposition"]) if self.outlet == FILES else self.outlet

    @property
    def claim_id(self) -> str:
        return str(self.entry.data["claim"]["claim_id"])

    @property
    def revision(self) -> str:
        event = self.entry.event
        return str(event.get("claimrevision", str(event["inboxentry"]).rpartition(":")[2]))

    @property
    def word(self) -> dict[str, Any]:
        """A person's, by which it came."""
        report = self.entry.data.get("report", {})  # of quarantine there is none
        found: dict[str, Any] = report.get("waived") or report.get("repaired") or {}
        return found


class Words(Interleaving):
    """A model of claims that are held and of those who let them go."""

    def prepare(self, count: int, producer: Producer) -> None:
        """An empty Redis with so many partitions."""
        self.store.redis.flushall()
        self.store.redis.script_flush()
        self.store = Store(self.store.settings, Keys(0, count), self.store.redis, self.store.once)
        redis, keys = self.store.redis, self.store.keys
        write(redis, Standing(count, count, 2))
        ensure_groups(redis, keys, streams_of(redis, keys))
        producers.add(redis, keys, producer)
        redis.set(keys.tend_log, "1")  # maintenance is to log nothing
        self.ring_of_keys = load_rings(self.store.settings.secret_path).audit
        self.notifications, self.flawless, self.step = 0, True, 0
        self.words: dict[str, list[str]] = {}
        """The contents of the waivers and repairs that were sent, by decision."""
        self.seen: list[Seen] = []
        self.last: dict[tuple[Keys, str], str] = {}
        self.workers = [self.hire(), self.hire()]

    def hire(self) -> Worker:
        found = super().hire()
        found.watched = self.watch
        return found

    def watch(self) -> None:
        self.step += 1
        for part in self.store.keys.all:
            for outlet in OUTLETS:
                for entry in pages(self.store.redis, part, outlet, self.last.get((part, outlet), "-")):
                    self.last[part, outlet] = entry.bare
                    self.seen.append(Seen(self.step, outlet, entry))

    # A person.

    @rule(which=st.integers(0, 5), repairs=st.booleans(), times=st.sampled_from((1, 1, 2)))
    def say(self, which: int, repairs: bool, times: int) -> None:
        """Waives or repairs what was held, whatever came since; also twice, or one after the other."""
        held = [one for one in self.seen if one.fate == "rework"]
        if not held:
            return
        entry = held[which % len(held)].entry
        report = REPORT.validate_python(entry.data["report"])
        data = entry.data["claim"]
        changes: tuple[str, ...] = ()
        if repairs:
            if data["diagnoses"] == ["M54.31"]:
                return
            data, changes = data | {"diagnoses": ["M54.31"]}, ("/diagnoses/0",)
        elif waiving.obstacle(report):
            return
        for _ in range(times):
            self.speak(entry, data, changes, () if repairs else waiving.names_of(report))

    def speak(self, entry: OutletEntry, data: Any, changes: tuple[str, ...], findings: tuple[str, ...]) -> None:
        about = entry.event
        came, partition = str(about["inboxentry"]), int(entry.id.rpartition(":")[0] or 0)
        said = self.words.setdefault(entry.decision_id, [])
        waiver = waivers.sealed(
            waivers.Waiver(
                decision=entry.decision_id, content=waivers.content_digest(data), findings=findings, changes=changes,
                revision=about.get("claimrevision", came.rpartition(":")[2]), reason="r", owner="dana",
                until="9999-12-31", account=f"person-{len(said)}", moment="2026-11-30T10:00:00.000Z",
                source=about["eventsource"], id=about["eventid"],
            ),
            self.ring_of_keys,
        )  # fmt: skip
        origin = came if came[0].isdecimal() and ":" in came else f"{partition}:{came}"
        fields: Any = waivers.fields_of(waiver, data, origin, about.get("producer", ""), "")
        self.store.redis.xadd(Keys(partition, self.store.keys.count).stream(INNER), fields)
        said.append(waiver.content)
        self.notifier.notify()

    # What must be true.

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        self.come_to_rest(100)
        if self.began:
            found = reconcile(self.store.redis, self.store.keys)
            assert found.settled, found
            self.reckon(found)
        shutil.rmtree(self.store.settings.audit_path, ignore_errors=True)

    def reckon(self, found: Reconciliation) -> None:
        """What is true at the end."""
        judged = [one for one in self.seen if one.outlet != "quarantine"]
        by_word = [one for one in judged if one.word]
        # Of all that was said of one decision the first is heard, once.
        assert Counter(one.word["decision"] for one in by_word) == Counter(dict.fromkeys(self.words, 1))
        reused = [one for one in self.seen if one.outlet == "quarantine"]
        assert {one.entry.data["reason"] for one in reused} <= {"event_id_reused"}
        again = sum(len(said) - 1 for said in self.words.values())
        assert len(reused) + found.repeated >= again
        self._look_at_the_billed(judged)
        decisions = [one.entry.decision_id for one in self.seen]
        assert len(set(decisions)) == len(decisions)
        logged = {
            orjson.loads(line).get("claim.decision_id")
            for file in self.store.settings.audit_path.glob("*.jsonl")
            for line in file.read_bytes().splitlines()
        }
        assert set(decisions) <= logged

    def _look_at_the_billed(self, judged: list[Seen]) -> None:
        """No version goes out twice, and none by a person's word that is not the newest."""
        billed = [one for one in judged if one.fate == "billing"]
        assert max(Counter((one.claim_id, one.revision) for one in billed).values(), default=0) <= 1, billed
        for one in billed:
            if not one.word:
                continue
            before = [other for other in judged if other.step < one.step and other.claim_id == one.claim_id]
            assert not [other for other in before if order(other.revision) > order(one.revision)], (one, before)
            original = one.entry.data["claim"]["frequency_code"] == front.ORIGINAL
            assert not (original and [other for other in before if other.fate == "billing"]), (one, before)
