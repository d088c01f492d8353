"""submit, worker, status, tail and audit together: separate processes, one state folder, no configured Redis."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import CLEAN, FAULTY, SCRUB, UNCHECKED, Run, environment

Write = Callable[..., Path]


class Worker:
    """`scrub worker`, in a process group of its own as a terminal would have it."""

    def __init__(self, home: Path) -> None:
        self.log = home / "worker.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*SCRUB, "worker", "-c", "1"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home,
                env=environment(home), start_new_session=True,
            )  # fmt: skip

    def text(self) -> str:
        return self.log.read_text()

    def end(self, number: int) -> int:
        os.killpg(self.process.pid, number)
        return self.process.wait(30)


@pytest.fixture
def start(home: Path) -> Iterator[Callable[[], Worker]]:
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(home))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()


def _settled(scrub: Run, accepted: int) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = json.loads(scrub("status", "--json").stdout)
        if found["accepted"] == accepted and found["settled"]:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_worker_in_one_terminal_and_submit_in_another_just_work(
    scrub: Run, write: Write, home: Path, start: Callable[[], Worker]
) -> None:
    # A folder in the current one that is called like our package must not be taken for it.
    (home / "worker").mkdir()
    (home / "worker/__init__.py").touch()
    (home / "worker/app.py").write_text("raise SystemExit('not this one')")
    worker = start()
    sent = scrub("submit", write("c.ndjson", CLEAN, FAULTY, b"{\n", UNCHECKED), write("d.json", FAULTY))
    assert sent.returncode == 2
    assert sent.stdout.startswith("4 sent; 1 refused")
    assert f"{home}/c.ndjson:3:1: not JSON" in sent.stderr
    assert "\x1b" not in sent.stdout + sent.stderr
    found = _settled(scrub, 4)
    assert {outlet["name"]: outlet["count"] for outlet in found["outlets"]} == {
        "billing": 1, "rework": 2, "unchecked": 1, "quarantine": 0, "files": 0,
    }  # fmt: skip
    assert found["balance"] == 0

    again = scrub("submit", home / "d.json")
    assert (again.returncode, again.stdout) == (0, "1 sent. `scrub status` shows what becomes of them.\n")
    assert _settled(scrub, 5)["repeated"] == 1

    screen = scrub("status")
    assert screen.returncode == 0
    assert "The books balance: 5 accepted, 5 accounted for." in screen.stdout
    assert scrub("status", "--healthcheck").stdout.count("\n") == 1

    text = scrub("tail", "rework").stdout
    assert "UNT001" in text
    assert "fix:" in text
    assert "charge: $660.00, expected: unknown (units 2: the book has the payment of one unit)" in text
    events = [json.loads(line) for line in scrub("tail", "rework", "--format", "json").stdout.splitlines()]
    assert [event["data"]["claim"]["claim_id"] for event in events] == [FAULTY["claim_id"]] * 2
    assert scrub("tail", "quarantine").stdout == "Nothing is in quarantine.\n"

    assert worker.end(signal.SIGINT) == 0
    log = worker.text()
    assert "Ctrl-C once" in log
    assert str(home / "state/audit") in log

    files = sorted((home / "state/audit").iterdir())
    sound = scrub("audit", "verify", *files)
    assert (sound.returncode, sound.stdout.count(": sound: ")) == (0, len(files))


@pytest.mark.slow
def test_what_is_sent_before_a_worker_starts_waits_for_it(
    scrub: Run, write: Write, start: Callable[[], Worker]
) -> None:
    assert scrub("submit", "--source", "/hospital/a", write("c.json", CLEAN)).returncode == 0
    waiting = scrub("status")
    assert "start one with `scrub worker`" in waiting.stdout
    worker = start()
    _settled(scrub, 1)
    event = json.loads(scrub("tail", "billing", "--format", "json").stdout)
    assert event["eventsource"] == "/hospital/a"
    assert worker.end(signal.SIGTERM) == 0


def test_tail_follows_until_ctrl_c_and_leaves_no_server(scrub: Run, home: Path) -> None:
    with subprocess.Popen(
        [*SCRUB, "tail", "-f", "billing"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home,
        env=environment(home), start_new_session=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 20
        while not (home / "state/redis/s.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (130, b"")


def test_an_unknown_outlet_and_a_dead_redis_are_sentences(scrub: Run, write: Write) -> None:
    done = scrub("tail", "nowhere")
    assert (done.returncode, "expected billing" in done.stderr) == (2, True)
    for command in (["status"], ["tail", "billing"], ["submit", str(write("c.json", CLEAN))]):
        done = scrub(*command, SCRUB_REDIS_URL="redis://127.0.0.1:1/0")
        assert (done.returncode, "127.0.0.1:1 refuses the connection" in done.stderr) == (2, True)


def test_submit_of_bad_files_alone_sends_nothing(scrub: Run, write: Write, home: Path) -> None:
    done = scrub("submit", write("b.json", b"{}"), "gone.json", home)
    assert done.returncode == 2
    assert done.stdout == "0 sent; 3 refused.\n"
    assert "claim_id: is required" in done.stderr


@pytest.mark.slow
def test_tampering_a_torn_tail_and_a_missing_secret_are_told_apart(
    scrub: Run, write: Write, home: Path, start: Callable[[], Worker]
) -> None:
    assert scrub("audit", "verify", "x").returncode == 2
    worker = start()
    scrub("submit", write("c.ndjson", CLEAN, FAULTY))
    _settled(scrub, 2)
    worker.end(signal.SIGTERM)
    (file,) = (home / "state/audit").iterdir()
    written = file.read_bytes()

    file.write_bytes(written.replace(b'"billing"', b'"rework"', 1))
    changed = scrub("audit", "verify", file)
    assert (changed.returncode, ": tampered: line" in changed.stdout) == (1, True)

    file.write_bytes(b"".join(written.splitlines(keepends=True)[:-1]))
    cut = scrub("audit", "verify", file)
    assert (cut.returncode, "tampered: the end is cut off" in cut.stdout) == (1, True)
    assert scrub("audit", "verify", "--offline", file).returncode == 0

    file.write_bytes(written + b'{"@timestamp"')
    torn = scrub("audit", "verify", file)
    assert (torn.returncode, ": torn: " in torn.stdout) == (1, True)
    assert scrub("audit", "verify", home / "gone").returncode == 2
