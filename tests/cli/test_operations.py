"""quarantine, status, doctor and a submit that waits, as an operator runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rules.errors import ScrubError
from tests.book import BOOK
from tests.commands import Ended, exit_codes_are_seen
from worker import bootstrap
from worker.cli import app
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.store import memory
from worker.store.connections import Store

from .conftest import CLEAN, SCRUB, Run, environment

Write = Callable[..., Path]


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs `scrub` in this process, as `main` would. An exit code other than 0 is one that the test looks at."""

    def run(*arguments: str | Path, **env: str) -> Any:
        monkeypatch.setenv("SCRUB_STATE_DIR", str(home / "state"))
        found = CliRunner().invoke(app, list(map(str, arguments)), env=env, catch_exceptions=True)
        error = found.exception
        if isinstance(error, ScrubError):
            ended.append(Ended(arguments, 2, found.stdout, found.stderr + str(error) + "\n"))
            return ended[-1]
        assert error is None or isinstance(error, SystemExit), found.exc_info
        ended.append(Ended(arguments, found.exit_code, found.stdout, found.stderr))
        return ended[-1]

    with exit_codes_are_seen() as ended:
        yield run


def drained(store: Store, *events: bytes) -> None:
    """Sends events and works them off in this process."""
    send(store.redis, store.keys, events, source="t", settings=store.settings)
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    consumer.run()
    consumer.audit.close()


def clean_event(number: int, claim: Any = CLEAN) -> bytes:
    envelope = {"specversion": "1.0", "id": f"evt-{number}", "source": "/x", "type": "claim.submitted.v1"}
    return json.dumps({**envelope, "data": claim}).encode()


def test_quarantine_is_listed_shown_requeued_and_dropped_with_reasons(here: Run, store: Store) -> None:
    drained(store, b"not json", clean_event(1, {"claim_id": "PCN-1", "secret": "SECRETVALUE"}), clean_event(2, []))
    listed = here("quarantine", "list")
    assert listed.stdout.splitlines()[-1] == "3 in quarantine: 2 claim_invalid, 1 not_json."
    assert "event evt-1" in listed.stdout
    first, second, third = [line.split()[0] for line in listed.stdout.splitlines()[:3]]
    entries = [json.loads(line) for line in here("quarantine", "list", "--format", "json").stdout.splitlines()]
    assert [entry["id"] for entry in entries] == [first, second, third]
    assert "SECRETVALUE" not in str(entries)
    by_reason = here("quarantine", "list", "--reason-code", "not_json").stdout
    assert (first in by_reason, second in by_reason) == (True, False)

    shown = here("quarantine", "show", second)
    assert "data.form: is required" in shown.stdout
    assert "do: Mend it where it came from" in shown.stdout
    assert "SECRETVALUE" not in shown.stdout
    assert json.loads(here("quarantine", "show", "--content", second).stdout)["data"]["secret"] == "SECRETVALUE"

    assert here("quarantine", "requeue", second).returncode == 2
    assert here("quarantine", "requeue", second, "--reason", " ").returncode == 2
    assert here("quarantine", "requeue", "--reason", "why").returncode == 2
    assert here("quarantine", "drop", "--all", second, "--reason", "why").returncode == 2
    assert here("quarantine", "drop", "--reason-code", "nonsense", "--reason", "why").returncode == 2
    unknown = here("quarantine", "list", "--reason-code", "nonsense")
    assert (unknown.returncode, "expected one of no_event" in unknown.stderr.replace("\n", " ")) == (2, True)

    refused = here("quarantine", "requeue", first, second, "--reason", "mended in this version")
    assert (refused.returncode, refused.stdout) == (1, "1 requeued; 1 not.\n")
    assert "is no JSON object" in refused.stderr
    again = here("quarantine", "drop", second, "--reason", "twice")
    assert (again.returncode, again.stdout) == (1, "0 dropped; 1 not.\n")
    assert f"no entry {second} in quarantine" in again.stderr
    assert here("quarantine", "drop", "--all", "--reason", "test data").stdout == "2 dropped.\n"
    assert here("quarantine", "list").stdout == "Nothing is in quarantine.\n"
    assert here("quarantine", "show", first).returncode == 2

    status = here("status").stdout
    assert "2 dropped" in status
    assert "1  put back from quarantine" in status
    assert "1 claims wait and no worker is alive; start one with `scrub worker`." in status
    assert "The books balance: 4 accepted, 4 accounted for." in status
    for file in (store.settings.audit_path).iterdir():
        assert "SECRETVALUE" not in file.read_text()
        assert here("audit", "verify", file).returncode == 0


def test_a_requeue_of_all_takes_none_twice(here: Run, store: Store) -> None:
    drained(store, *[clean_event(number, []) for number in range(30)])
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            drained(store)
            time.sleep(0.01)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        done = here("quarantine", "requeue", "--all", "--reason", "a new version reads them")
    finally:
        stop.set()
        worker.join()
    assert done.stdout == "30 requeued.\n"
    drained(store)
    assert json.loads(here("status", "--json").stdout)["requeued"] == 30


def test_status_tells_workers_that_live_from_those_that_are_gone(here: Run, store: Store, home: Path) -> None:
    worker = subprocess.Popen(
        [*SCRUB, "worker", "-c", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd=home, env=environment(home), start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while here("status", "--healthcheck").returncode:
            assert time.monotonic() < deadline
        found = json.loads(here("status", "--json").stdout)
        (one,) = found["workers"]
        assert (one["alive"], one["pid"], len(one["processes"])) == (True, worker.pid, 1)
        assert one["book_digest"] == BOOK.digest
        assert "alive  1 process, 0 in hand; book" in here("status").stdout
        seen = here("doctor")
        assert "well  workers       1 alive." in seen.stdout
        assert seen.returncode == ("has known vulnerabilities" in seen.stdout), "a server of PATH may be an old one"
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    name, value = next(iter(store.redis.hgetall(store.keys.workers).items()))
    seen, _, says = value.partition(b" ")
    store.redis.hset(store.keys.workers, name, b"%d %b" % (int(seen) - 20_000, says))  # as if 20 s had gone by
    screen = here("status").stdout
    assert "gone   1 process, 0 in hand" in screen or "gone  1 process, 0 in hand" in screen
    assert "No worker is alive; start another one with `scrub worker`." in screen
    ill = here("status", "--healthcheck")
    assert (ill.returncode, ill.stdout) == (1, "no worker of this host is alive\n")


def test_the_health_check_is_ill_without_redis_and_when_a_claim_waits_too_long(here: Run, store: Store) -> None:
    gone = here("status", "--healthcheck", SCRUB_REDIS_URL="redis://127.0.0.1:1")
    assert (gone.returncode, "refuses the connection" in gone.stderr) == (1, True)
    send(store.redis, store.keys, [clean_event(1)], source="t", settings=store.settings)
    time.sleep(0.3)
    late = here("status", "--healthcheck", "--oldest", "0.2")
    assert (late.returncode, "the oldest claim is without decision for" in late.stdout) == (1, True)


@pytest.fixture
def tiny_disk(home: Path) -> Iterator[Path]:
    """A folder on a disk of 256 KiB."""
    folder = home / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted; it takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_the_health_check_is_ill_where_the_audit_log_has_no_room(here: Run, tiny_disk: Path) -> None:
    ill = here("status", "--healthcheck", SCRUB_AUDIT_DIR=str(tiny_disk))
    assert (ill.returncode, "no room for the audit log on this host (256 KiB)" in ill.stdout) == (1, True)


def test_watch_shows_the_books_again_until_ctrl_c(home: Path, store: Store) -> None:
    with subprocess.Popen(
        [*SCRUB, "status", "--watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home,
        env=environment(home),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first, second = json.loads(process.stdout.readline()), json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert second["moment"] - first["moment"] >= 2
    assert (process.returncode, err) == (130, b"")


def test_submit_waits_for_room_with_a_message_or_breaks_off_with_no_wait(
    here: Run, home: Path, store: Store, write: Write
) -> None:
    file = write("c.json", CLEAN)
    store.redis.config_set("maxmemory", int(memory.memory(store.redis).used * 100 / 95))
    done = here("submit", "--no-wait", file)
    assert done.returncode == 2
    assert "more than the 80 % at which the inbox stops taking claims" in done.stderr
    assert store.redis.xlen(store.keys.inbox) == 0
    with subprocess.Popen(
        [*SCRUB, "submit", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home, env=environment(home)
    ) as process:
        assert process.stderr is not None
        assert b"waiting for room, 0 accepted so far; Ctrl-C breaks off" in process.stderr.readline()
        store.redis.config_set("maxmemory", 0)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out.startswith(b"1 sent."), err) == (0, True, b"")


def test_tail_shows_the_last_entries_alone(here: Run, store: Store) -> None:
    for number in range(5):
        store.redis.xadd(store.keys.outlet("rework"), {"event": json.dumps({"n": number})})
    for count, shown in ((0, []), (2, [3, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])):
        lines = here("tail", "-n", str(count), "--format", "json", "rework").stdout.splitlines()
        assert [json.loads(line)["n"] for line in lines] == shown
    assert here("tail", "-n", "-1", "rework").returncode == 2


def test_what_is_no_audit_file_is_told_apart_before_the_secret_is_asked_for(here: Run, write: Write) -> None:
    gone = here("audit", "verify", "gone.jsonl")
    assert (gone.returncode, gone.stderr) == (2, "gone.jsonl: No such file or directory\n")
    without = here("audit", "verify", write("c.json", CLEAN))
    assert (without.returncode, "The secret file" in without.stderr) == (2, True)
    secret = write("secret", b"s" * 64)
    secret.chmod(0o600)
    other = here("audit", "verify", write("c.json", CLEAN), "gone.jsonl", SCRUB_SECRET_FILE=str(secret))
    assert (other.returncode, "is no audit file" in other.stderr, other.stdout) == (2, True, "")


def test_a_worker_without_an_audit_folder_ends_before_its_banner(here: Run) -> None:
    done = here("worker", SCRUB_AUDIT_DIR="/dev/null")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The audit file /dev/null cannot be written (it is no folder).")


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, set[str]]:
    """What the doctor said, by level."""
    found: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        one = json.loads(line)
        found.setdefault(one["level"], set()).add(one["about"])
    return found


def test_the_doctor_finds_nothing_ill_on_a_fresh_machine_and_changes_nothing(here: Run, home: Path) -> None:
    done = here("doctor")
    assert done.returncode == 1
    assert "No worker is alive." in done.stdout
    old = "has known vulnerabilities" in done.stdout  # a server of PATH may be
    assert f"0 ill, {1 + old} poor" in done.stdout
    assert not (home / "state/secret").exists()
    assert not (home / "state/audit").exists()


def test_the_doctor_names_all_that_is_wrong_at_once_with_what_to_do(here: Run, store: Store) -> None:
    drained(store, b"not json", clean_event(1))
    store.redis.xadd(store.keys.outlet("unchecked"), {"event": "{}"})
    for option, value in (("maxmemory-policy", "volatile-lru"), ("appendonly", "no")):
        store.redis.config_set(option, value)
    store.redis.config_set("maxmemory", int(memory.memory(store.redis).used * 100 / 93))
    store.redis.hset(store.keys.counters, "billing", 7)
    store.redis.hset(store.keys.meta, "fingerprint", "another")
    store.redis.set(store.keys.attempts, "in the way")
    store.settings.state_dir.chmod(0o777)
    done = here("doctor", "--format", "json")
    assert done.returncode == 1
    found = findings(done)
    assert found["ill"] >= {"Redis", "memory", "books", "keys", "secret", "state folder"}
    assert found["poor"] >= {"outlets", "quarantine", "workers"}
    told = here("doctor")
    assert told.returncode == 1
    for sentence in ("expected noeviction", "expected appendonly yes", "chmod 700", "scrub quarantine list", "do: "):
        assert sentence in told.stdout


def test_the_doctor_says_so_where_redis_does_not_answer_and_looks_at_the_rest(here: Run) -> None:
    done = here("doctor", "--format", "json", SCRUB_REDIS_URL="redis://127.0.0.1:1", SCRUB_BOOK="/nowhere")
    assert done.returncode == 1
    assert findings(done)["ill"] == {"Redis", "rule book"}
    assert here("doctor", SCRUB_BATCH="x").returncode == 2


def test_the_doctor_says_that_the_secret_of_this_redis_is_not_on_this_machine(here: Run, store: Store) -> None:
    store.redis.hset(store.keys.meta, "fingerprint", "another")
    done = here("doctor", "--format", "json", SCRUB_SECRET_FILE=str(store.settings.state_dir / "nowhere"))
    assert (done.returncode, "secret" in findings(done)["ill"]) == (1, True)
    assert not (store.settings.state_dir / "nowhere").exists()
