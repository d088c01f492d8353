"""Faults: workers are killed in the middle of work, and the books balance all the same."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import orjson
import pytest
from redis.exceptions import RedisError

from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.outletspecs import OUTLETS

from .helpers import Worker, claim, event, settled, until

Start = Callable[..., Worker]
MANY = 5_000


def fill(store: Store, count: int) -> None:
    events = (event(number) for number in range(count))
    send(store.redis, store.keys, events, source="test", settings=store.settings)


def now(store: Store) -> Reconciliation:
    return reconcile(store.redis, store.keys)


def decided(found: Reconciliation) -> int:
    return sum(outlet.count for outlet in found.outlets)


def answers(store: Store) -> bool:
    try:
        return bool(store.once.ping())
    except RedisError:
        return False


def assert_each_once(store: Store, count: int) -> None:
    """Every event has exactly one result."""
    entries = [entry for name in OUTLETS for entry in tail(store.redis, store.keys, name)]
    results = Counter(entry.event["eventid"] for entry in entries)
    assert results == Counter(f"evt-{number}" for number in range(count))
    assert len({entry.decision_id for entry in entries}) == count


def test_kill_9_of_pool_children_loses_nothing(store: Store, start_worker: Start) -> None:
    fill(store, MANY)
    worker = start_worker(env={"SCRUB_BATCH": "50"}).wait_ready()
    for part in (1, 2, 3):
        until(lambda part=part: decided(now(store)) > MANY * part // 8)
        until(worker.children)
        os.kill(worker.children()[-1], signal.SIGKILL)
    settled(store, MANY, 60)
    assert_each_once(store, MANY)


def test_kill_9_of_the_whole_worker_loses_nothing(store: Store, start_worker: Start) -> None:
    fill(store, MANY)
    for part in (1, 3):
        worker = start_worker(env={"SCRUB_BATCH": "50"}).wait_ready()
        until(lambda part=part: decided(now(store)) > MANY * part // 8)
        worker.kill()
    assert now(store).accepted == MANY
    assert now(store).balance == 0
    start_worker().wait_ready()
    settled(store, MANY, 60)
    assert_each_once(store, MANY)


def test_a_lost_notification_costs_one_period(store: Store, start_worker: Start) -> None:
    start_worker().wait_ready()
    store.redis.set(store.keys.gate, "1", px=300)
    fill(store, 10)
    settled(store, 10, 5)


HOUR_MS = 3_600_000


def test_maintenance_goes_on_after_the_clock_of_redis_was_set_back(store: Store) -> None:
    """Its lock then seems to last for as long as the clock was set back by."""
    store.redis.set(store.keys.tend, "1", px=HOUR_MS)
    notified: list[int] = []
    assert maintain(store, Notifier(store.redis, store.keys, gate_ms=2_000, send=lambda: notified.append(1)))
    assert store.redis.pttl(store.keys.tend) < 2_000


def test_notifications_are_sent_after_the_clock_of_redis_was_set_back(store: Store) -> None:
    store.redis.set(store.keys.gate, "1", px=HOUR_MS)
    notified: list[int] = []
    notifier = Notifier(store.redis, store.keys, gate_ms=2_000, send=lambda: notified.append(1))
    notifier.notify()
    notifier.notify()
    assert notified == [1]


def test_sigterm_leaves_nothing_in_flight(store: Store, start_worker: Start) -> None:
    fill(store, MANY)
    worker = start_worker(env={"SCRUB_BATCH": "50"}).wait_ready()
    until(lambda: decided(now(store)) > 200)
    assert worker.stop() == 0
    found = now(store)
    assert (found.in_flight, found.balance) == (0, 0)


def test_ctrl_c_twice_loses_nothing(store: Store, start_worker: Start) -> None:
    fill(store, MANY)
    worker = start_worker(env={"SCRUB_BATCH": "50"}).wait_ready()
    until(lambda: decided(now(store)) > 200)
    os.killpg(worker.process.pid, signal.SIGINT)
    time.sleep(0.1)
    os.killpg(worker.process.pid, signal.SIGINT)
    worker.process.wait(20)
    assert now(store).balance == 0
    start_worker().wait_ready()
    settled(store, MANY, 60)
    assert_each_once(store, MANY)


def test_a_zombie_that_wakes_up_publishes_nothing(store: Store, start_worker: Start) -> None:
    """Paused past the reclaim time, while another worker takes over what it held."""
    fill(store, 2_000)
    sleeper = start_worker(env={"SCRUB_BATCH": "20", "SCRUB_HARD_TIME_LIMIT": "3"}).wait_ready()
    until(lambda: decided(now(store)) > 100)
    os.killpg(sleeper.process.pid, signal.SIGSTOP)
    start_worker().wait_ready()
    settled(store, 2_000, 60)
    os.killpg(sleeper.process.pid, signal.SIGCONT)
    time.sleep(1)
    assert_each_once(store, 2_000)
    assert now(store).balance == 0


def test_a_claim_that_kills_its_worker_is_quarantined_alone(store: Store, start_worker: Start) -> None:
    """Its entry has been tried alone before, each time until its worker died; its neighbors were read with it."""
    fill(store, 3)
    store.redis.xgroup_create(store.keys.inbox, "scrub", id="0", mkstream=True)
    answer = store.redis.xreadgroup("scrub", "dead", {store.keys.inbox: ">"}, count=3)
    poison = answer[0][1][1][0]
    store.redis.hset(store.keys.attempts, poison, "in a batch\nkilled\nkilled again")
    start_worker().wait_ready()
    found = settled(store, 3)
    assert found.outlet("quarantine").count == 1
    (entry,) = tail(store.redis, store.keys, "quarantine")
    assert (entry.data["reason"], entry.data["inbox_entry"]) == ("attempts_exhausted", poison.decode())
    assert [problem["sentence"] for problem in entry.data["problems"]] == [
        "lone attempt 1: killed",
        "lone attempt 2: killed again",
        "lone attempt 3: its process vanished (it was killed, or its machine went away)",
    ]
    assert not store.redis.exists(store.keys.attempts)


def test_an_outlet_of_the_wrong_type_makes_the_claims_wait(store: Store, start_worker: Start) -> None:
    store.redis.set(store.keys.outlet("quarantine"), "in the way")
    worker = start_worker().wait_ready()
    send(store.redis, store.keys, [event(1)], source="test", settings=store.settings)
    until(lambda: "expected a stream" in worker.text())
    assert now(store).in_flight == 1
    store.redis.delete(store.keys.outlet("quarantine"))
    settled(store, 1, 15)


def test_a_redis_that_is_killed_comes_back_and_loses_nothing(store: Store, start_worker: Start) -> None:
    fill(store, MANY)
    start_worker(env={"SCRUB_BATCH": "50"}).wait_ready()
    until(lambda: decided(now(store)) > 500)
    os.kill(store.redis.info("server")["process_id"], signal.SIGKILL)
    until(lambda: answers(store))
    settled(store, MANY, 60)
    assert_each_once(store, MANY)


CANARY = "CANARYPHI"


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_value_that_identifies_a_person_leaves_the_claim(store: Store, start_worker: Start, level: str) -> None:
    person = {"birth_date": "1970-03-02", "sex": "F", "first_name": f"{CANARY}-first"}
    subscriber = {"member_id": f"{CANARY}-member", "group_number": f"{CANARY}-group"}
    good = claim(1, patient=person, subscriber=subscriber)
    events = [
        event(1, data=good, id=f"{CANARY}-id", source=f"/{CANARY}"),
        event(1, data=good, id=f"{CANARY}-id", source=f"/{CANARY}"),
        event(1, data={**good, "total_charge": "1.00"}, id=f"{CANARY}-id", source=f"/{CANARY}"),
        event(2, data={**good, f"{CANARY}-key": 1}),
        event(3, data={**good, "patient": {"birth_date": f"{CANARY}-date"}}),
        event(4, data={**good, "form": CANARY, "lines": CANARY}),
        f'{{"{CANARY}": "{CANARY}", "{CANARY}": {CANARY}'.encode(),
        orjson.dumps({CANARY: CANARY}),
    ]
    worker = start_worker(env={"SCRUB_LOG_LEVEL": level}).wait_ready()
    send(store.redis, store.keys, events, source="test", settings=store.settings)
    settled(store, len(events))
    assert worker.stop() == 0
    held = b"".join(store.redis.dump(store.keys.outlet(name)) or b"" for name in ("billing", "quarantine"))
    assert CANARY.encode() in held, "the claim itself has them"
    files = list(store.settings.state_dir.rglob("*"))
    assert any(file.suffix == ".jsonl" for file in files)
    for file in files:
        assert CANARY not in file.name
        if file.is_file() and "redis" not in file.relative_to(store.settings.state_dir).parts:
            assert CANARY not in file.read_text("utf-8", "replace"), file
    outlets = {store.keys.outlet(name).encode() for name in OUTLETS}
    for key in store.redis.scan_iter():
        assert CANARY.encode() not in key
        if key not in outlets and store.redis.type(key) != b"stream":
            assert CANARY.encode() not in store.redis.dump(key), key
