"""Outputs that break, stall or are closed under a real worker: claims are decided, every signal ends it, and it says so.

celery/celery#2291 (a signal handler's write to a broken pipe), systemd/systemd#6620 (journald restarts),
moby/moby#31540 and coreos/bugs#990 (a reader that stalls stops the program), saltstack/salt#38117 (closed descriptors).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.monitoring.reconciliation import reconcile
from worker.monitoring.workers import Worker as Seen
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import QUICK, event, settled, until

GRACE = 45  # as the files give it
POOLS = [("prefork", "2"), ("solo", "1"), ("threads", "2")]


class Piped:
    """A real worker whose outputs are pipes that we read, or leave unread."""

    def __init__(self, home: Path, *options: str, scrub: bool = False, **env: str) -> None:
        celery = ["celery", "-A", "worker.app", "worker", "--without-mingle", "--without-gossip"]
        command = [sys.executable, "-m", *(["worker", "worker"] if scrub else celery), *options]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        pipes = [os.pipe(), os.pipe()]
        self.ends = [read for read, _ in pipes]
        self.got = [b"", b""]
        self.process = subprocess.Popen(
            command, env={**clean, "SCRUB_STATE_DIR": str(home), **QUICK, **env}, stdin=subprocess.DEVNULL,
            stdout=pipes[0][1], stderr=pipes[1][1], start_new_session=True,
        )  # fmt: skip
        for _, write in pipes:
            os.close(write)
        self._reading = [threading.Event(), threading.Event()]
        self.read(1)
        self.read(2)

    def read(self, number: int) -> None:
        """Reads standard output (1) or standard error (2) from now on."""
        self._reading[number - 1].set()
        threading.Thread(target=self._read, args=(number - 1,), daemon=True).start()

    def _read(self, place: int) -> None:
        while self._reading[place].is_set():
            data = os.read(self.ends[place], 65_536)
            if not data:
                return
            self.got[place] += data

    def stall(self, *numbers: int) -> None:
        """Reads no more, once the next piece has come; the pipe is filled for those who come after."""
        for number in numbers:
            self._reading[number - 1].clear()

    def cut(self, *numbers: int) -> None:
        """The reader is gone: whoever writes gets EPIPE."""
        for number in numbers:
            self._reading[number - 1].clear()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, self.ends[number - 1])
            os.close(null)

    def ready(self) -> Piped:
        until(lambda: b" ready." in self.got[1] or self.process.poll() is not None, 40, lambda: self.got)
        assert self.process.poll() is None, self.got
        return self

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        for end in self.ends:
            os.close(end)


@pytest.fixture
def piped(home: Path) -> Iterator[Callable[..., Piped]]:
    started: list[Piped] = []

    def start(*options: str, **others: object) -> Piped:
        started.append(Piped(home, *options, **others))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for worker in started:
        worker.end()


def put(store: Store, first: int, last: int) -> None:
    send(store.redis, store.keys, [event(number) for number in range(first, last)], source="t", settings=store.settings)


def seen(store: Store) -> Seen:
    (found,) = reconcile(store.redis, store.keys).alive
    return found


def lines_on_disk(home: Path) -> list[dict[str, object]]:
    files = (home / "audit").glob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def decided_once(home: Path, count: int) -> None:
    """As many lines on disk as claims, none of them again and again."""
    found = [line["claim.claim_id"] for line in lines_on_disk(home) if line["event.action"] == "claim.scrubbed"]
    assert len(found) == count
    assert len(set(found)) == count


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "number"), POOLS)
def test_a_reader_of_the_audit_copy_that_goes_away_holds_no_claim_and_is_reported(
    store: Store, home: Path, piped: Callable[..., Piped], pool: str, number: str
) -> None:
    worker = piped("-P", pool, "-c", number, SCRUB_AUDIT_STDOUT="true").ready()
    worker.cut(1)
    put(store, 0, 300)
    settled(store, 300)
    decided_once(home, 300)
    until(lambda: "Broken pipe" in seen(store).outputs, 30)
    assert b"standard output takes no lines (Broken pipe)" in worker.got[1]
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(GRACE) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "number"), POOLS)
def test_a_reader_that_stalls_holds_no_claim_and_when_it_reads_on_it_learns_what_it_missed(
    store: Store, home: Path, piped: Callable[..., Piped], pool: str, number: str
) -> None:
    worker = piped("-P", pool, "-c", number, SCRUB_AUDIT_STDOUT="true").ready()
    worker.stall(1)
    count = 8_000  # 10 MB; a process keeps 4
    for first in range(0, count, 1_000):
        put(store, first, first + 1_000)
    settled(store, count, 120)
    decided_once(home, count)
    until(lambda: "stopped" in seen(store).outputs, 30)
    worker.read(1)
    until(lambda: not seen(store).outputs, 60)
    left_out = seen(store).left_out
    assert left_out > 0
    back = [json.loads(line) for line in worker.got[1].splitlines() if b"output.back" in line]
    assert sum(line["output.left_out"] for line in back) == left_out
    put(store, count, count + 10)
    settled(store, count + 10)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(GRACE) == 0
    lines = [json.loads(line) for line in worker.got[0].splitlines() if line.startswith(b"{")]
    assert {f"PCN-{number:05}" for number in range(count, count + 10)} <= {line.get("claim.claim_id") for line in lines}
    assert len(lines) + left_out == len(lines_on_disk(home))


SIGNALS = [
    pytest.param([signal.SIGTERM], 0, id="TERM"),
    pytest.param([signal.SIGTERM, signal.SIGTERM], 0, id="TERM TERM"),
    pytest.param([signal.SIGINT], 1, id="INT"),
    pytest.param([signal.SIGQUIT], 1, id="QUIT"),
]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "stall"])
@pytest.mark.parametrize("scrub", [False, True], ids=["celery", "scrub"])
@pytest.mark.parametrize(("signals", "code"), SIGNALS)
def test_every_signal_ends_a_worker_whose_outputs_are_both_gone(
    store: Store, piped: Callable[..., Piped], how: str, scrub: bool, signals: list[signal.Signals], code: int
) -> None:
    worker = piped("-c", "1", scrub=scrub, SCRUB_AUDIT_STDOUT="true", SCRUB_LOG_LEVEL="debug").ready()
    getattr(worker, how)(1, 2)
    put(store, 0, 2_000)
    settled(store, 2_000, 60)
    for one in signals:
        worker.process.send_signal(one)
    assert worker.process.wait(GRACE) in {0, code}
    found = reconcile(store.redis, store.keys)
    assert (found.in_flight, found.balance) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("scrub", [False, True], ids=["celery", "scrub"])
def test_a_worker_that_is_started_without_outputs_decides_and_ends(store: Store, home: Path, scrub: bool) -> None:
    program = "-m worker worker" if scrub else "-m celery -A worker.app worker"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    worker = subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} {program} -c 2 <&- >&- 2>&-"],
        env={**clean, "SCRUB_STATE_DIR": str(home), **QUICK, "SCRUB_AUDIT_STDOUT": "true"},
    )
    try:
        put(store, 0, 100)
        settled(store, 100, 60)
        decided_once(home, 100)
        until(lambda: "closed" in seen(store).outputs, 30)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(GRACE) == 0
    finally:
        worker.kill()
        worker.wait(10)


@pytest.mark.slow
def test_the_lines_of_several_processes_are_whole_on_one_output(
    store: Store, home: Path, piped: Callable[..., Piped]
) -> None:
    worker = piped("-c", "4", SCRUB_AUDIT_STDOUT="true", SCRUB_BATCH="37").ready()
    put(store, 0, 1_500)
    settled(store, 1_500, 60)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(GRACE) == 0
    lines = [json.loads(line) for line in worker.got[0].splitlines() if line.startswith(b"{")]
    key = [(line["audit.chain"], line["audit.seq"]) for line in lines]
    assert sorted(key) == sorted((line["audit.chain"], line["audit.seq"]) for line in lines_on_disk(home))


@pytest.mark.slow
def test_a_log_whose_reader_is_gone_is_reported_by_status_and_by_the_doctor(
    store: Store, home: Path, piped: Callable[..., Piped]
) -> None:
    worker = piped("-c", "1").ready()
    worker.cut(1, 2)
    until(lambda: "standard error takes no lines (Broken pipe)" in seen(store).outputs, 60)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}

    def said(command: str, code: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "worker", command], env={**clean, "SCRUB_STATE_DIR": str(home)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout

    assert "standard error takes no lines (Broken pipe)" in said("status", 0)
    assert "standard error takes no lines (Broken pipe)" in said("doctor", 1)
