"""Liveness, readiness and backlog are three questions: with a real worker, a real Redis and the manifests' own probes.

What goes wrong elsewhere: a probe that asks the broker restarts every worker when the broker is away (celery#4079,
sentry-kubernetes/charts#1923, nautobot#9274), one that a thread answers keeps a hung worker (koku#6278).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests import standby
from tests.faults.server import Server
from worker.store.keys import Keys

from .helpers import Worker, event, until

pytestmark = pytest.mark.slow

Start = Callable[..., Worker]
ROOT = Path(__file__).parents[2]
DEPLOYMENT = yaml.safe_load((ROOT / "ops/kubernetes/worker.yaml").read_text())
(POD,) = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LIVE, READY, START = (POD[f"{name}Probe"]["exec"]["command"] for name in ("liveness", "readiness", "startup"))


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(home / "redis").start()
    yield server
    server.kill()


@pytest.fixture
def worker(server: Server, start_worker: Start) -> Worker:
    return start_worker(env={"SCRUB_REDIS_URL": server.url}, concurrency=1).wait_ready()


Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(home: Path, server: Server) -> Ask:
    """Runs a command of the image beside the worker; answers its exit code and what it said."""

    def ask(command: list[str], *options: str, **env: str) -> tuple[int, str]:
        program, *arguments = command
        assert program == "scrub"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        # Workers of other tests, which run beside this one, keep their heartbeats elsewhere.
        environment = {**clean, "XDG_RUNTIME_DIR": str(home), "TMPDIR": str(home), "SCRUB_STATE_DIR": str(home), **env}
        done = standby.scrub_in_text(*arguments, *options, env=environment, timeout=60)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    return ask


def says_yes(ask: Ask, *commands: list[str]) -> None:
    for command in commands:
        until(lambda command=command: ask(command)[0] == 0, 20, lambda command=command: ask(command))


def test_new_workers_start_in_a_backlog_and_a_backlog_is_for_a_person(
    server: Server, start_worker: Start, ask: Ask, home: Path
) -> None:
    old = int((time.time() - 3_600) * 1000)
    server.client.xadd(Keys().outlet("billing"), {"event": "{}"})
    for number in range(50):
        server.client.xadd(Keys().inbox, {"event": event(number)}, id=f"{old}-{number}")
    # Nobody reads billing, so the workers wait and the backlog stays.
    start_worker(env={"SCRUB_REDIS_URL": server.url, "SCRUB_OUTLET_LIMIT": "1"}).wait_ready()
    says_yes(ask, START, LIVE, READY)
    health = ask(["scrub", "status", "--healthcheck"], SCRUB_REDIS_URL=server.url)
    assert health[0] == 1
    assert "the oldest claim is without decision for 1 h" in health[1]
    assert "the workers have waited for 0 min: 1 entries of billing are unread" in health[1]
    assert [ask(command)[0] for command in (START, LIVE, READY)] == [0, 0, 0]


def test_a_main_process_that_hangs_is_not_live(worker: Worker, ask: Ask) -> None:
    says_yes(ask, LIVE, READY)
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        until(lambda: ask(LIVE, "--stale", "3")[0] == 1, 20)
        code, text = ask(LIVE, "--stale", "3")
        assert code == 1
        assert f"the main loop of worker {worker.process.pid} has not turned for " in text
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)
    says_yes(ask, [*LIVE, "--stale", "3"])


DEADLOCK = """
import sys, threading
from celery.signals import worker_ready
from worker.app import app
lock = threading.Lock()
lock.acquire()
worker_ready.connect(lambda sender, **_: sender.timer.call_after(2, lock.acquire), weak=False)
app.worker_main(sys.argv[1:])
"""


def test_a_main_process_that_waits_for_itself_is_not_live(server: Server, ask: Ask, home: Path) -> None:
    """Its threads still run, and so do handlers of signals: neither may answer for it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    environment = {**clean, "XDG_RUNTIME_DIR": str(home), "SCRUB_STATE_DIR": str(home), "SCRUB_REDIS_URL": server.url}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", DEADLOCK, "worker", "-c", "1"], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        says_yes(ask, LIVE)
        until(lambda: ask(LIVE, "--stale", "3")[0] == 1, 20)
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def test_a_worker_that_waits_for_memory_to_start_is_live_and_not_ready(
    server: Server, start_worker: Start, ask: Ask
) -> None:
    server.client.hset(Keys().meta, "partitions", 1)
    server.client.config_set("maxmemory", 1)
    worker = start_worker(env={"SCRUB_REDIS_URL": server.url}, concurrency=1)
    says_yes(ask, START, LIVE)
    assert ask(READY)[0] == 1
    server.client.config_set("maxmemory", 0)
    worker.wait_ready()
    says_yes(ask, LIVE, READY)


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_other_pools_have_the_same_heartbeat(server: Server, start_worker: Start, ask: Ask, pool: str) -> None:
    worker = start_worker("-P", pool, env={"SCRUB_REDIS_URL": server.url}).wait_ready()
    says_yes(ask, LIVE, READY)
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        until(lambda: ask(LIVE, "--stale", "3")[0] == 1, 20)
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)


def test_without_redis_a_worker_is_live_and_not_ready(worker: Worker, ask: Ask, server: Server) -> None:
    says_yes(ask, LIVE, READY)
    server.kill()
    looked, deadline = 0, time.monotonic() + 30
    while time.monotonic() < deadline:
        code, text = ask(LIVE, "--stale", "10")
        assert code == 0, text
        looked += 1
        time.sleep(0.5)
    assert looked > 10
    code, text = ask(READY)
    assert code == 1
    assert f"Redis has not answered worker {worker.process.pid} for " in text
    server.start()
    until(lambda: ask(READY)[0] == 0, 60, lambda: ask(READY))


def test_with_a_redis_that_takes_connections_and_answers_nothing_a_worker_is_live(
    worker: Worker, ask: Ask, server: Server
) -> None:
    says_yes(ask, LIVE, READY)
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        looked, deadline = 0, time.monotonic() + 75
        while time.monotonic() < deadline:
            code, text = ask(LIVE, "--stale", "45")
            assert code == 0, text
            looked += 1
            time.sleep(2)
        assert looked > 10
        assert ask(READY)[0] == 1
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    until(lambda: ask(READY)[0] == 0, 60, lambda: ask(READY))


def test_a_worker_that_hangs_while_its_broker_is_away_is_not_live(worker: Worker, ask: Ask, server: Server) -> None:
    server.kill()
    until(lambda: "Trying again" in worker.text(), 30, worker.text)
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        until(lambda: ask(LIVE, "--stale", "3")[0] == 1, 20)
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)


def test_a_worker_that_was_killed_is_not_live_though_its_heartbeat_is_fresh(
    worker: Worker, ask: Ask, home: Path
) -> None:
    says_yes(ask, LIVE)
    worker.kill()
    assert list((home / "claim-scrubber").glob("worker-*")), "the file is still there"
    code, text = ask(LIVE)
    assert (code, "no worker of this user runs here" in text) == (1, True)


def test_a_worker_that_ends_takes_its_heartbeat_along(worker: Worker, ask: Ask, home: Path) -> None:
    says_yes(ask, LIVE)
    assert worker.stop() == 0
    assert not list((home / "claim-scrubber").glob("worker-*"))
    assert ask(LIVE)[0] == 1


def test_of_two_workers_each_is_asked_for_itself(worker: Worker, start_worker: Start, server: Server, ask: Ask) -> None:
    other = start_worker(env={"SCRUB_REDIS_URL": server.url}, concurrency=1).wait_ready()
    pids = [str(one.process.pid) for one in (worker, other)]
    for pid in pids:
        says_yes(ask, [*LIVE, "--pid", pid])
    os.kill(other.process.pid, signal.SIGSTOP)
    try:
        until(lambda: ask(LIVE, "--stale", "3", "--pid", pids[1])[0] == 1, 20)
        assert ask(LIVE, "--stale", "3", "--pid", pids[0])[0] == 0
        code, text = ask(LIVE, "--stale", "3")
        assert (code, pids[1] in text, pids[0] in text) == (1, True, False)
    finally:
        os.kill(other.process.pid, signal.SIGCONT)
    assert ask(LIVE, "--pid", "1")[0] == 1


def test_the_manifests_ask_the_three_questions_apart() -> None:
    assert LIVE == START == COMPOSE["services"]["worker"]["healthcheck"]["test"][1:] == ["scrub", "probe", "live"]
    assert READY == ["scrub", "probe", "ready"]
    assert "healthcheck" not in json.dumps(POD)


def test_a_probe_needs_no_settings_and_loads_neither_redis_nor_celery(ask: Ask) -> None:
    assert ask(LIVE, SCRUB_BATCH="nonsense")[1].startswith("no worker of this user runs here")
    code = (
        "import sys; from worker.cli import app, probe; import worker.process.heartbeat;"
        "print(sorted({'redis', 'celery', 'pydantic', 'orjson', 'yaml'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
