"""`scrub submit --watch` as a process: settled files, reports, kill -9 in the middle of a file, several watchers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.monitoring.reconciliation import reconcile
from worker.pipeline.outlets import tail
from worker.store.connections import Store

from .conftest import CLEAN, SCRUB, UNCHECKED, Run, environment

Start = Callable[..., "subprocess.Popen[bytes]"]
SETTLE = "0.4"


def until(true: Callable[[], object], seconds: float = 60, told: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not true after {seconds} s: {told()}"
        time.sleep(0.01)


@pytest.fixture
def drop(home: Path) -> Path:
    (home / "drop").mkdir()
    return home / "drop"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Starts `scrub ...` in a process group of its own; whatever still runs at the end is asked to stop."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
        with (home / f"{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*SCRUB, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home,
                env=environment(home), start_new_session=True,
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    # Asked and not killed: the last one out shuts the server down.
    running = [process for process in started if process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    for process in running:
        process.wait(30)


def put(drop: Path, name: str, *rows: dict[str, Any] | bytes) -> None:
    """As a sender should: under another name, then renamed."""
    part = drop / f"{name}.part"
    part.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    part.rename(drop / name)


def report(drop: Path, where: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((drop / f"{where}.report.json").read_text())
    return found


def numbered(count: int, mark: str = "C") -> list[dict[str, Any]]:
    return [{**UNCHECKED, "claim_id": f"{mark}-{number}"} for number in range(count)]


def test_each_file_goes_to_done_or_failed_with_a_report_that_quotes_nothing_of_it(
    drop: Path, start: Start, store: Store, home: Path
) -> None:
    put(drop, "good.ndjson", CLEAN, UNCHECKED)
    put(drop, "mixed.ndjson", CLEAN, b'{"JANE CANARY": 1}\n', b'{"resourceType": "Patient", "id": "CANARY"}\n')
    put(drop, "empty")
    process = start("submit", "--watch", drop, "--settle", SETTLE)
    until(lambda: sorted(os.listdir(drop)) == ["done", "failed"])
    assert sorted(os.listdir(drop / "done")) == ["good.ndjson", "good.ndjson.report.json"]
    assert {"empty", "mixed.ndjson"} < set(os.listdir(drop / "failed"))
    good, mixed = report(drop, "done/good.ndjson"), report(drop, "failed/mixed.ndjson")
    assert (good["read"], good["sent"], good["duplicate"], good["refused"]) == (2, 2, 0, 0)
    assert (mixed["read"], mixed["sent"], mixed["refused"], mixed["passed_by"]) == (1, 1, 1, {"Patient": 1})
    (refusal,) = mixed["refusals"]
    assert refusal["position"] == "line 2"
    assert {"path": "claim_id", "sentence": "is required"} in refusal["problems"]
    assert "CANARY" not in json.dumps(mixed)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    log = (home / "0.log").read_text()
    assert "good.ndjson: 2 sent -> done/good.ndjson" in log
    assert "CANARY" not in log
    assert reconcile(store.redis, store.keys).accepted == 3


def test_a_file_that_grows_slowly_is_read_once_and_whole(drop: Path, start: Start, store: Store) -> None:
    start("submit", "--watch", drop, "--settle", "1")
    rows = numbered(30)
    with (drop / "slow.ndjson").open("w") as file:
        for row in rows:
            file.write(json.dumps(row)[:100])
            file.flush()
            time.sleep(0.05)
            file.write(json.dumps(row)[100:] + "\n")
            file.flush()
            time.sleep(0.05)
    until((drop / "done/slow.ndjson").exists)
    assert report(drop, "done/slow.ndjson")["sent"] == 30
    assert reconcile(store.redis, store.keys).accepted == 30


def test_several_watchers_share_a_folder_and_no_claim_is_sent_twice(drop: Path, start: Start, store: Store) -> None:
    for _ in range(3):
        start("submit", "--watch", drop, "--settle", SETTLE)
    for number in range(40):
        put(drop, f"{number}.ndjson", *numbered(50, f"F{number}"))
    until(lambda: os.listdir(drop) == ["done"], told=lambda: os.listdir(drop))
    assert sorted(os.listdir(drop / "done")) == sorted(
        f"{number}.ndjson{end}" for number in range(40) for end in ("", ".report.json")
    )
    assert {report(drop, f"done/{number}.ndjson")["sent"] for number in range(40)} == {50}
    assert reconcile(store.redis, store.keys).accepted == 2_000


def published_once(store: Store, count: int) -> None:
    """Waits for the workers, and expects each claim in its outlet once."""
    until(lambda: reconcile(store.redis, store.keys).settled)
    results = Counter(entry.data["claim"]["claim_id"] for entry in tail(store.redis, store.keys, "unchecked"))
    assert len(results) == count
    assert set(results.values()) == {1}
    assert reconcile(store.redis, store.keys).balance == 0


def killed_after(process: subprocess.Popen[bytes], store: Store, claims: int) -> None:
    """kill -9, once so many more claims are on the queue."""
    enough = reconcile(store.redis, store.keys).accepted + claims
    until(lambda: reconcile(store.redis, store.keys).accepted >= enough)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_file_loses_no_claim_and_gives_none_twice(
    drop: Path, start: Start, store: Store
) -> None:
    count = 8_000
    start("worker", "-c", "2")
    put(drop, "big.ndjson", *numbered(count))
    for claims in (500, 1_500, 2_500):
        killed_after(start("submit", "--watch", drop, "--settle", SETTLE), store, claims)
        assert os.listdir(drop) == ["big.ndjson"], "it was killed too late to be in the middle"
    start("submit", "--watch", drop, "--settle", SETTLE)
    until(lambda: os.listdir(drop) == ["done"])
    found = report(drop, "done/big.ndjson")
    assert (found["read"], found["sent"] + found["duplicate"], found["refused"]) == (count, count, 0)
    published_once(store, count)


@pytest.mark.slow
def test_submit_that_was_killed_is_simply_run_again(drop: Path, start: Start, store: Store, scrub: Run) -> None:
    count = 5_000
    start("worker", "-c", "2")
    put(drop, "big.ndjson", *numbered(count))
    killed_after(start("submit", drop / "big.ndjson"), store, 1_000)
    before = reconcile(store.redis, store.keys)
    assert before.accepted < count
    until(lambda: reconcile(store.redis, store.keys).settled)
    again = scrub("submit", drop / "big.ndjson")
    assert (again.returncode, again.stdout.startswith(f"{count} sent.")) == (0, True)
    published_once(store, count)
    assert reconcile(store.redis, store.keys).repeated == before.accepted


def test_redis_that_fails_leaves_the_file_for_a_later_try(drop: Path, start: Start, store: Store, home: Path) -> None:
    start("submit", "--watch", drop, "--settle", SETTLE)
    log = home / "0.log"
    until(lambda: b"watching" in log.read_bytes())
    time.sleep(1)
    store.redis.config_set("maxmemory", "1mb")
    put(drop, "a.ndjson", CLEAN)
    until(lambda: b"It stays, and is tried again" in log.read_bytes(), told=log.read_text)
    assert os.listdir(drop) == ["a.ndjson"]
    store.redis.config_set("maxmemory", "0")
    until((drop / "done/a.ndjson").exists)
    assert report(drop, "done/a.ndjson")["sent"] == 1


def test_a_folder_that_is_not_there_and_a_mix_of_arguments_are_bad_usage(scrub: Any, home: Path, drop: Path) -> None:
    put(drop, "a", CLEAN)
    for arguments in (["--watch", home / "gone"], [], ["--watch", drop, drop / "a"], ["--watch", drop, "--dry-run"]):
        assert scrub("submit", *arguments).returncode == 2
    assert scrub("submit", "--source=", drop / "a").returncode == 2


def test_a_dry_run_sends_nothing_and_needs_no_redis(scrub: Any, drop: Path, home: Path) -> None:
    put(drop, "a", CLEAN, b"{\n", b'{"resourceType": "Patient"}\n')
    done = scrub("submit", "--dry-run", drop / "a", SCRUB_REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 2
    assert done.stdout == "1 read, nothing sent (dry run); 1 refused; 1 passed by (Patient 1).\n"
    assert not (home / "state").exists()
