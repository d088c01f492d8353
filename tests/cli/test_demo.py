"""`scrub demo`: the whole pipe, its numbers, and that nothing of it is left, whenever it is stopped."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from worker.demo.claims import EXAMPLES
from worker.demo.events import all_events, duplicates
from worker.demo.stage import MARK
from worker.store.embedded import server_runs
from worker.store.outletspecs import JUDGED

from .conftest import SCRUB, Run, environment


def processes(folder: Path) -> list[str]:
    """Every process whose command line or environment names the folder, as the worker's and the server's do."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            where = command + (entry / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in where and int(entry.name) != os.getpid():
            found.append(f"{entry.name} {command.decode(errors='replace')}")
    return found


def test_it_shows_the_whole_pipe_and_leaves_what_it_says(scrub: Run, home: Path) -> None:
    began = time.monotonic()
    done = scrub("demo")
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert seconds < 40, "about 5 s on an idle machine"
    assert not processes(home)
    out = done.stdout
    assert "\x1b" not in out
    expected = {name: sum(example.expect == name for example in EXAMPLES) for name in JUDGED}
    expected["rework"] += len(duplicates())  # clean by itself, but its block was billed already
    balance = " + ".join(f"{count} {name}" for name, count in expected.items())
    assert f"{len(all_events())} accepted = {balance} + 10 quarantine + 3 repeated." in out
    for text in ("Aetna", "Cigna", "Medicare", "UnitedHealthcare", "Blue Cross", "The commonest findings"):
        assert text in out
    assert len(re.findall(r"^DEMO-\d+ ", out, re.MULTILINE)) == 3
    assert [out.count(label) for label in ("fix:", "source:", "expect:")] == [3, 3, 2], (
        "imaging is not owed, and may be paid"
    )

    state = str(home / "run/demo")
    assert "SCRUB_STATE_DIR=run/demo" in out
    tail = scrub("tail", "rework", "--format", "json", SCRUB_STATE_DIR=state)
    assert len(tail.stdout.splitlines()) == expected["rework"]
    assert "DEMO-0001 of 2026-07-13" in tail.stdout
    files = sorted((home / "run/demo/audit").iterdir())
    assert scrub("audit", "verify", *files, SCRUB_STATE_DIR=state).returncode == 0
    assert out.splitlines()[-1] == "Open it in a browser: run/demo/report.html"
    assert "Clean claim rate" in (home / "run/demo/report.html").read_text()


@pytest.mark.slow
def test_it_is_fresh_each_time_keeps_what_it_is_asked_to_and_spares_what_is_not_its_own(scrub: Run, home: Path) -> None:
    theirs = home / "theirs"
    theirs.mkdir()
    (theirs / "letter.txt").write_text("mine")
    refused = scrub("demo", "--state", "theirs")
    assert (refused.returncode, (theirs / "letter.txt").read_text()) == (2, "mine")
    assert "was not made by `scrub demo`" in refused.stderr

    ours = home / "ours"
    ours.mkdir()
    (ours / MARK).touch()
    (ours / "old").touch()
    assert scrub("demo", "--state", "ours", "--keep").returncode == 0
    assert not (ours / "old").exists()
    assert len(list(home.glob("ours-*/old"))) == 1
    link = home / "link"
    link.symlink_to(ours)
    assert scrub("demo", "--state", "link").returncode == 2
    assert (ours / MARK).exists()


def _start(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*SCRUB, "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home,
        env=environment(home), start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("part", range(4))
def test_a_signal_at_any_moment_leaves_no_process_and_no_lock(home: Path, number: int, part: int) -> None:
    delay = part * 2 + random.uniform(0.15, 2)
    with _start(home) as process:
        time.sleep(delay)
        # As a terminal does it: to the whole foreground group; a second one, from an impatient user, changes nothing.
        for pause in (0.2, 0):
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                break
            time.sleep(pause)
        _, err = process.communicate(timeout=40)
    assert b"Traceback" not in err, (delay, err)
    assert process.returncode in (0, 128 + number, -number), (delay, process.returncode, err)
    assert not processes(home), delay
    assert not server_runs(home / "run/demo/redis")


@pytest.mark.slow
def test_two_at_once_in_one_folder_are_refused_and_the_first_goes_on(scrub: Run, home: Path) -> None:
    with _start(home) as first:
        deadline = time.monotonic() + 20
        while not (home / "run/demo/worker.pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGSTOP)  # it would be at its end before the second one has started
        try:
            second = scrub("demo")
        finally:
            os.kill(first.pid, signal.SIGCONT)
        assert second.returncode == 2
        assert "Another `scrub demo` runs" in second.stderr
        first.communicate(timeout=60)
        assert first.returncode == 0


def test_a_worker_that_cannot_start_is_a_sentence_that_names_its_log(scrub: Run, home: Path) -> None:
    (home / "book").mkdir()
    done = scrub("demo", SCRUB_BOOK=str(home / "book"))
    assert (done.returncode, "no rule book" in done.stderr) == (2, True)
    assert not processes(home)


@pytest.mark.slow
def test_it_does_not_touch_the_redis_that_the_environment_names(scrub: Run, home: Path) -> None:
    done = scrub("demo", SCRUB_REDIS_URL="redis://127.0.0.1:1/0", SCRUB_AUDIT_DIR=str(home / "elsewhere"))
    assert done.returncode == 0, done.stderr
    assert not (home / "elsewhere").exists()
