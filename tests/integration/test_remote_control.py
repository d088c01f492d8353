"""Celery's remote control: what anybody with the worker's password may broadcast leaves no worker that decides nothing.

Alive, answering pings and consuming nothing is an old story: celery#9220, airflow#63580, onyx#12274.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from celery.worker.control import Panel

from worker.monitoring.reconciliation import reconcile
from worker.pipeline.producer import send
from worker.process.remotecontrol import OFF, switch_off
from worker.store.connections import Store

from .helpers import Worker, event, settled, until

pytestmark = pytest.mark.slow

Start = Callable[..., Worker]
HARMLESS = {
    "ping", "report", "conf", "dump_conf", "query_task", "clock", "hello", "stats", "scheduled", "dump_schedule", "reserved",
    "dump_reserved", "active", "dump_active", "revoked", "dump_revoked", "registered", "dump_tasks", "active_queues", "objgraph",
    "memsample", "memdump", "enable_events", "disable_events", "heartbeat",
}  # fmt: skip
"""They look, or speak of the worker to Flower."""
ARGUMENTS = {
    "time_limit": ("scrub", "0.001", "0.001"),
    "rate_limit": ("scrub", "1/h"),
    "pool_shrink": ("2",),
    "pool_grow": ("2",),
    "autoscale": ("0", "0"),
    "revoke": ("some-task",),
    "revoke_by_stamped_headers": ("some=header",),
    "terminate": ("KILL", "some-task"),
    "add_consumer": ("elsewhere",),
}


def celery(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker.app", *arguments], env={**clean, "SCRUB_STATE_DIR": str(home)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def put(store: Store, first: int, count: int = 5) -> None:
    events = (event(number) for number in range(first, first + count))
    send(store.redis, store.keys, events, source="t", settings=store.settings)


def test_a_cancelled_queue_is_consumed_from_again(store: Store, home: Path, start_worker: Start) -> None:
    worker = start_worker().wait_ready()
    for cycle in range(2):
        assert celery(home, "control", "cancel_consumer", "scrub-bells").returncode == 0
        put(store, 5 * cycle)
        settled(store, 5 * (cycle + 1))
        until(lambda: worker.text().count("it takes them again") == cycle + 1, output=worker.text)  # noqa: B023
    # Also after the connection was lost, which makes Celery's consumer anew from the queues that it knows of.
    assert store.once.client_kill_filter(_type="normal", skipme=True)
    until(lambda: "onnection to broker lost" in worker.text(), output=worker.text)
    put(store, 10)
    settled(store, 15)
    assert worker.text().count("it takes them again") == 2, "the queue is one that it knows of"
    assert "pong" in celery(home, "inspect", "ping").stdout


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_connection_that_is_cut_does_not_stop_the_main_loop(
    store: Store, home: Path, start_worker: Start, pool: str, kind: str
) -> None:
    """redis-py connects a subscriber anew by itself, and then reads without a limit of time (celery#7276, kombu#1019)."""
    worker = start_worker("-P", pool, concurrency=1).wait_ready()
    for cycle in range(3):
        until(lambda: "pong" in celery(home, "inspect", "ping").stdout, 40, worker.text)
        assert store.once.client_kill_filter(_type=kind, skipme=True)
        put(store, 5 * cycle)
        settled(store, 5 * (cycle + 1))
    assert "pong" in celery(home, "inspect", "ping").stdout


def test_no_command_leaves_a_worker_that_decides_nothing(store: Store, home: Path, start_worker: Start) -> None:
    worker = start_worker().wait_ready()
    for number, name in enumerate(sorted(OFF)):
        answer = celery(home, "control", name, *ARGUMENTS.get(name, ()))
        if name != "election":  # it takes no arguments on a command line
            assert f"{name} is switched off" in answer.stdout, answer
        for cycle in range(2):
            put(store, 10 * number + 5 * cycle)
            settled(store, 10 * number + 5 * (cycle + 1))
    assert len(worker.children()) == 2
    assert store.redis.xlen(store.keys.outlet("billing")) == 10 * len(OFF)


def test_a_shutdown_ends_the_worker_after_what_is_in_hand(store: Store, home: Path, start_worker: Start) -> None:
    worker = start_worker().wait_ready()
    put(store, 0, 50)
    celery(home, "control", "shutdown")
    assert worker.process.wait(30) == 0
    assert reconcile(store.redis, store.keys).in_flight == 0


def test_every_command_of_celery_is_known_to_be_harmless_or_is_switched_off() -> None:
    switch_off()
    assert Panel.data.keys() == HARMLESS | OFF.keys() | {"cancel_consumer", "shutdown"}
    for name in OFF:
        assert Panel.data[name]({}, n=1)["error"].startswith(f"{name} is switched off: ")
