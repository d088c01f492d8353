"""How a worker ends: asked once, asked twice, with its whole group, as the first process of a container, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import QUICK, Worker, claim, each_once, event, settled, until

pytestmark = pytest.mark.slow

Start = Callable[..., Worker]
POISON: dict[str, Any] = {"PYTHONPATH": str(Path(__file__).parent)}


def now(store: Store) -> Reconciliation:
    return reconcile(store.redis, store.keys)


def put(store: Store, *names: str) -> None:
    events = [event(number, data=claim(number, claim_id=name)) for number, name in enumerate(names)]
    send(store.redis, store.keys, events, source="t", settings=store.settings)


LONG = {
    **POISON,
    "SCRUB_SOFT_TIME_LIMIT": "60",
    "SCRUB_HARD_TIME_LIMIT": "70",
    "SCRUB_RECLAIM": "80",
    "SCRUB_VISIBILITY_TIMEOUT": "90",
}
"""No time limit ends a claim within the test."""


def test_sigterm_finishes_a_slow_batch_and_the_one_ahead_and_takes_no_other(store: Store, start_worker: Start) -> None:
    put(store, "SLOW-1", "SLOW-2", "PCN-3", "PCN-4", "PCN-5")
    worker = start_worker("-I", "poison", env={**LONG, "SCRUB_BATCH": "2"}, concurrency=1).wait_ready()
    # Of the one ahead each stream was asked for a share; what the others did not have is asked for when it is looked at.
    until(lambda: now(store).in_flight == 3)
    assert worker.stop() == 0
    found = now(store)
    assert (found.in_flight, found.waiting, found.balance) == (0, 1, 0)
    assert not found.workers, "it has said farewell"


def test_sigterm_is_bounded_by_the_time_limits_when_a_claim_hangs(store: Store, start_worker: Start) -> None:
    put(store, "STUCK-1")
    worker = start_worker("-I", "poison", env=POISON, concurrency=1).wait_ready()
    until(lambda: now(store).in_flight == 1)
    assert worker.stop(3 + 5) == 0
    assert (now(store).in_flight, now(store).balance) == (1, 0)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_who_asks_a_second_time_with_ctrl_c_or_quit_gets_the_end_at_once_and_nothing_is_lost(
    store: Store, start_worker: Start, first: signal.Signals
) -> None:
    put(store, "SPIN-1", "PCN-2")
    worker = start_worker("-I", "poison", env=LONG, concurrency=1).wait_ready()
    until(lambda: now(store).in_flight == 2)
    os.killpg(worker.process.pid, first) if first == signal.SIGINT else worker.process.send_signal(first)
    time.sleep(0.3)
    assert worker.process.poll() is None
    again = signal.SIGINT if first == signal.SIGINT else signal.SIGQUIT
    worker.process.send_signal(again)
    worker.process.wait(5)
    assert (now(store).in_flight, now(store).balance) == (2, 0)
    start_worker().wait_ready()  # without the poison
    settled(store, 2)
    each_once(store, 2)


@pytest.mark.parametrize("asked", [[signal.SIGQUIT], [signal.SIGINT, signal.SIGINT]], ids=["QUIT", "INT INT"])
def test_the_end_at_once_comes_also_in_the_middle_of_handing_a_notification_to_the_pool(
    store: Store, start_worker: Start, asked: list[signal.Signals]
) -> None:
    """celery#7339 (a task lost to what a handler raises), celery#10276 (a handler interrupts anywhere): what it began
    to write is never finished where the handler itself waits for the pool."""
    signalled = {**POISON, "SIGNALLED": " ".join(str(int(one)) for one in asked)}
    worker = start_worker("-I", "signalled", env=signalled, concurrency=1)
    put(store, "PCN-1")
    worker.process.wait(30)
    assert worker.process.returncode in {0, 1}, worker.text()
    start_worker().wait_ready()
    settled(store, 1)
    each_once(store, 1)


def test_a_term_signal_for_the_whole_group_loses_nothing(store: Store, start_worker: Start) -> None:
    """As systemd stops a service where KillMode is not `mixed`: the pool processes get it as well."""
    put(store, *[f"SLOW-{number}" for number in range(4)])
    worker = start_worker("-I", "poison", env={**LONG, "SCRUB_BATCH": "1"}).wait_ready()
    until(lambda: now(store).in_flight)
    os.killpg(worker.process.pid, signal.SIGTERM)
    worker.process.wait(20)
    assert now(store).balance == 0
    start_worker().wait_ready()
    settled(store, 4)
    each_once(store, 4)


@pytest.mark.parametrize("program", [["-m", "celery", "-A", "worker.app", "worker"], ["-m", "worker", "worker"]])
def test_sighup_finishes_what_is_in_hand_and_begins_the_same_worker_again(
    store: Store, home: Path, program: list[str]
) -> None:
    """celery#2024, celery#8166: the command that Celery begins again with is not the one that it was begun with."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    log = home / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, *program, "-c", "1"], env={**clean, **QUICK, "SCRUB_STATE_DIR": str(home)},
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip

    def output() -> str:
        return log.read_text("utf-8", "replace")

    try:
        for cycle in range(3):
            until(lambda: output().count(" ready.") == cycle + 1 or worker.poll() is not None, 40, output)  # noqa: B023
            assert worker.poll() is None, output()
            put(store, *[f"PCN-{number}" for number in range(100)])
            worker.send_signal(signal.SIGHUP if cycle < 2 else signal.SIGTERM)
        assert worker.wait(30) == 0, output()
        assert (now(store).in_flight, now(store).balance) == (0, 0)
        assert not now(store).alive
    finally:
        worker.kill()
        worker.wait(10)


NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def contained(home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `scrub worker` as process 1 of a process namespace, as in a container."""
    try:
        able = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    if not able:
        pytest.skip("this machine gives its users no process namespaces (unshare --user --pid)")
    started: list[subprocess.Popen[bytes]] = []
    log = home / "contained.log"

    def start(**env: str) -> subprocess.Popen[bytes]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        code = "import sys; from worker.app import app; app.worker_main(sys.argv[1:])"
        worker = [sys.executable, "-c", code, "worker", "-c", "2", "-I", "poison", "--without-mingle"]
        with log.open("wb") as stream:
            started.append(
                subprocess.Popen(
                    [*NAMESPACE, *worker],
                    env={**clean, **QUICK, **POISON, "SCRUB_STATE_DIR": str(home), **env},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                )
            )
        until(lambda: b" ready." in log.read_bytes(), output=log.read_text)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def first_process(namespace: subprocess.Popen[bytes]) -> int:
    """What is process 1 inside, by its number outside."""
    found = subprocess.run(["pgrep", "-P", str(namespace.pid)], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def test_docker_stop_leaves_nothing_in_flight(store: Store, contained: Callable[..., subprocess.Popen[bytes]]) -> None:
    """The signal goes to process 1 alone, for which the kernel has no default action."""
    namespace = contained(**{**LONG, "SCRUB_BATCH": "2"})
    put(store, *[f"SLOW-{number}" for number in range(12)])  # two processes hold at most 4 each
    until(lambda: now(store).in_flight)
    os.kill(first_process(namespace), signal.SIGTERM)
    assert namespace.wait(20) == 0
    assert (now(store).in_flight, now(store).balance) == (0, 0)
    assert now(store).waiting > 0


def test_docker_stop_whose_grace_is_over_loses_nothing(
    store: Store, start_worker: Start, contained: Callable[..., subprocess.Popen[bytes]]
) -> None:
    namespace = contained(**LONG)
    put(store, "STUCK-1", "PCN-2", "PCN-3")
    until(lambda: now(store).in_flight == 3)
    first = first_process(namespace)
    os.kill(first, signal.SIGTERM)
    time.sleep(1)
    os.kill(first, signal.SIGKILL)  # the kernel then ends all of the namespace
    namespace.wait(10)
    assert (now(store).in_flight, now(store).balance) == (3, 0)
    start_worker().wait_ready()
    settled(store, 3)
    each_once(store, 3)


def test_a_pool_process_waits_two_seconds_for_results_that_nobody_reads_any_more(home: Path) -> None:
    """Half a minute of billiard's own: a worker that was stopped between a task and its result came to its end late."""
    name = "p.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT"
    code = f"import billiard.pool as p; before = {name}; import worker.app; print(before, {name})"
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**env, "SCRUB_STATE_DIR": str(home)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "300 20\n"
