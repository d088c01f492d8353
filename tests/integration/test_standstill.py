"""Claims that wait and are not decided: reported by every host within half a minute, and never of a queue that moves.

A worker that answers pings and consumes nothing stood unnoticed for 51 hours elsewhere (onyx#12274, airflow#63580).
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from worker import bootstrap
from worker.cli import app
from worker.config.settings import load_settings
from worker.doctor import examinations as doctor
from worker.monitoring.health import unwell
from worker.monitoring.progress import standstills
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.inbox import Inbox
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.process import presence
from worker.store import memory, opening
from worker.store.connections import Store

from .helpers import Worker, event, settled, until

Start = Callable[..., Worker]


@pytest.fixture
def notifier(store: Store) -> Notifier:
    return Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None)


def put(store: Store, count: int, first: int = 0) -> None:
    events = (event(number) for number in range(first, first + count))
    send(store.redis, store.keys, events, source="t", settings=store.settings)


def maintenance(store: Store, notifier: Notifier, later: float = 0) -> None:
    """Maintenance by a worker, `later` seconds after the one before."""
    if later and (before := store.redis.get(store.keys.progress)):
        marks = (mark.split() for mark in before.split(b";"))
        moved = b";".join(b"%d %b" % (int(since) - int(later * 1000), taken) for since, taken in marks)
        store.redis.set(store.keys.progress, moved, px=10_000)
    store.redis.delete(store.keys.tend)
    assert maintain(store, notifier)


def sentences(store: Store) -> list[str]:
    """What is wrong, with `N` for the seconds."""
    return [
        re.sub(r"for \d+ s", "for N s", text) for text in unwell(reconcile(store.redis, store.keys), store.settings)
    ]


def test_claims_that_wait_for_longer_than_a_batch_takes_are_reported(
    store: Store, inbox: Inbox, notifier: Notifier
) -> None:
    maintenance(store, notifier)
    maintenance(store, notifier, later=3_600)
    put(store, 3)
    maintenance(store, notifier)
    assert sentences(store) == [], "an idle hour is none"
    maintenance(store, notifier, later=15)
    assert sentences(store) == [], "a batch may be at work"
    maintenance(store, notifier, later=12)
    assert sentences(store) == ["3 claims wait, and none was decided for N s"]


def test_a_claim_that_is_decided_ends_it(store: Store, inbox: Inbox, notifier: Notifier) -> None:
    put(store, 3)
    maintenance(store, notifier)
    maintenance(store, notifier, later=60)
    assert sentences(store)
    bootstrap.inbox_consumer(store, notifier).run()
    assert sentences(store) == []
    put(store, 1, first=3)
    maintenance(store, notifier, later=60)
    assert sentences(store) == []


def test_a_worker_that_comes_back_to_a_backlog_begins_anew(store: Store, inbox: Inbox, notifier: Notifier) -> None:
    put(store, 3)
    maintenance(store, notifier)
    maintenance(store, notifier, later=60)
    assert sentences(store)
    assert 0 < store.redis.pttl(store.keys.progress) <= 10_000, "nobody renews it, and it is gone"
    store.redis.delete(store.keys.progress)
    assert sentences(store) == []
    maintenance(store, notifier)
    assert sentences(store) == []


def test_a_hold_is_no_standstill_and_neither_is_its_end(store: Store, inbox: Inbox, notifier: Notifier) -> None:
    put(store, 3)
    maintenance(store, notifier)
    outlet = store.keys.outlet("unchecked")
    store.redis.xadd(outlet, {"event": "{}"})
    strict = Store(store.settings.model_copy(update={"outlet_limit": 1}), store.keys, store.redis, store.once)
    maintenance(strict, notifier, later=60)
    assert reconcile(store.redis, store.keys).hold
    maintenance(strict, notifier, later=60)
    assert sentences(store) == []
    store.redis.delete(outlet)
    maintenance(store, notifier)
    assert reconcile(store.redis, store.keys).hold is None
    assert sentences(store) == []
    maintenance(store, notifier, later=30)
    assert sentences(store) == ["3 claims wait, and none was decided for N s"]


def test_a_hold_that_lasts_is_reported_with_its_reason(store: Store, inbox: Inbox) -> None:
    for minutes, expected in ((4.9, []), (5.1, ["the workers have waited for 5 min: Redis uses 95 % of its memory"])):
        since = reconcile(store.redis, store.keys).moment - minutes * 60
        memory.put(store.redis, store.keys.hold, f"{since * 1000:.0f} Redis uses 95 % of its memory", 10_000)
        assert sentences(store) == expected


def test_claims_of_a_lost_worker_are_none_until_nobody_takes_them_over(
    store: Store, inbox: Inbox, notifier: Notifier
) -> None:
    put(store, 3)
    assert len(inbox.take(10)) == 3
    maintenance(store, notifier)
    maintenance(store, notifier, later=60)
    assert sentences(store) == [], "they are not to be taken yet"
    expired = store.settings.model_copy(update={"reclaim": 0.01})
    maintenance(Store(expired, store.keys, store.redis, store.once), notifier)
    maintenance(Store(expired, store.keys, store.redis, store.once), notifier, later=30)
    assert sentences(store) == ["3 claims are in flight, and none was decided for N s"]


@pytest.fixture
def four(home: Path, unset: None) -> Iterator[Store]:
    with opening.open_store(load_settings(state_dir=home, partitions=4)) as found:
        for keys in found.keys.all:
            Inbox(found.redis, keys, "me").ensure()
        yield found


def test_a_partition_that_moves_does_not_hide_one_that_does_not(four: Store) -> None:
    notifier = Notifier(four.redis, four.keys, gate_ms=1, send=lambda: None)
    slow, quick = four.keys.all[2], four.keys.all[0]
    four.redis.xadd(slow.inbox, {"event": "{}"})
    maintenance(four, notifier)
    looked = 0
    for seconds, expected in (
        (50, []),
        (35, []),
        (20, ["1 claims wait on partition 2, and none of them was decided for N s"]),
    ):
        four.redis.xdel(quick.inbox, four.redis.xadd(quick.inbox, {"event": "{}"}))  # as if decided
        maintenance(four, notifier, later=seconds)
        assert sentences(four) == expected
        looked += 1
    assert looked == 3


def test_more_partitions_than_the_note_has_are_no_standstill(four: Store) -> None:
    four.redis.set(four.keys.progress, "1 0;1 0", px=10_000)
    four.redis.xadd(four.keys.inbox, {"event": "{}"})
    assert standstills(reconcile(four.redis, four.keys)) == [0.0] * 5


def test_a_queue_that_live_workers_leave_alone_is_reported(store: Store, inbox: Inbox) -> None:
    first = int(store.redis.time()[0] - 40) * 1000
    store.redis.xadd(store.keys.inbox, {"event": event(1)}, id=f"{first}-0")
    assert sentences(store) == [], "no worker is alive, which is reported as such"
    for started, expected in (
        (10, []),
        (40, ["1 claims wait, and no worker looks after the queue"]),
    ):
        presence.beat(store, [1], store.redis.time()[0] - started)
        assert sentences(store) == expected
    store.redis.lpush(store.keys.samples, f"{store.redis.time()[0] * 1000} 1 0")
    assert sentences(store) == []


@pytest.fixture
def scrub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("SCRUB_STATE_DIR", str(home))
    return lambda *arguments, **env: CliRunner().invoke(app, list(arguments), env=env)


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True], ids=["nothing in hand", "claims in hand"])
def test_it_is_reported_within_half_a_minute_of_real_workers(
    store: Store, home: Path, start_worker: Start, scrub: Callable[..., Any], held: bool
) -> None:
    usual = {"SCRUB_SOFT_TIME_LIMIT": "20", "SCRUB_HARD_TIME_LIMIT": "30", "SCRUB_RECLAIM": "60", "SCRUB_TEND": "1"}
    worker = start_worker(env=usual).wait_ready()
    put(store, 4)
    settled(store, 4)
    assert scrub("status", "--healthcheck").exit_code == 0
    stopped = worker.children()
    assert stopped
    if held:  # a process hangs with claims in hand, and more of them wait
        (alive,) = reconcile(store.redis, store.keys).alive
        put(store, 2, first=4)
        assert len(Inbox(store.redis, store.keys, f"{alive.host}-{stopped[0]}-{alive.life}-0a1b2c3d").take(2)) == 2
        assert reconcile(store.redis, store.keys).abandoned == 0
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        put(store, 5, first=6)
        until(lambda: scrub("status", "--healthcheck").exit_code == 1, 30)
        ill = scrub("status", "--healthcheck")
        assert "5 claims wait" in ill.stdout
        assert "none was decided for" in ill.stdout
        assert "5 claims wait" in scrub("status").stdout
        found = {(one.level, one.about) for one in doctor.queue(store, reconcile(store.redis, store.keys))}
        assert ("ill", "flow") in found
        until(lambda: any(line["queue.standstill_s"] > 25 for line in queue_lines(worker)), 15, worker.text)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    until(lambda: scrub("status", "--healthcheck").exit_code == 0, 30, lambda: scrub("status").stdout)


def queue_lines(worker: Worker) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in worker.text().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("event.action") == "queue.books"]


def test_books_that_do_not_balance_are_ill(store: Store, scrub: Callable[..., Any]) -> None:
    """A sender's XADD with MAXLEN deletes what waits, and nothing else says so."""
    put(store, 10)
    store.redis.xadd(store.keys.inbox, {"event": "{}"}, maxlen=1, approximate=False)
    presence.beat(store, [1], 0)
    ill = scrub("status", "--healthcheck")
    assert ill.exit_code == 1
    assert "The books do NOT balance: 10 claims unaccounted for" in ill.stdout
