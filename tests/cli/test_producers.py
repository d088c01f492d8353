"""`scrub producer` and `scrub migrate` as an operator uses them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import bootstrap
from worker.config.revision import revision
from worker.config.settings import load_settings
from worker.pipeline.notification import Notifier
from worker.store import opening
from worker.store.agreement import Standing, standing, write
from worker.store.connections import Store
from worker.store.keys import Keys
from worker.store.registry import producers_of

from .conftest import CLEAN, Run


@pytest.fixture
def store(home: Path, unset: None) -> Iterator[Store]:
    with opening.open_store(load_settings(state_dir=home / "state")) as found:
        yield found


def work_off(store: Store) -> None:
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    consumer.run()
    consumer.audit.close()


def test_a_producer_is_registered_shown_used_and_removed(scrub: Run, store: Store, home: Path) -> None:
    assert "Nobody is registered" in scrub("producer", "list").stdout
    secret = home / "redis-producer-ehr"
    done = scrub(
        "producer", "add", "ehr", "--facility", "north", "--source", "/hospital/ehr", "--password-file", secret
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "ehr is registered; its sender sets SCRUB_PRODUCER=ehr\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    (line,) = done.stdout.splitlines()
    assert line.startswith("user producer-ehr on sanitize-payload #")
    assert secret.read_text().strip() not in line
    assert "%W~{claims:0}:in:ehr " in line
    assert scrub("producer", "add", "ehr", "--facility", "north", "--source", "/hospital/ehr").stderr.startswith(
        "ehr is registered, as it was before"
    )
    sent = scrub("submit", "--source", "/hospital/ehr", "-", stdin=json.dumps(CLEAN).encode(), SCRUB_PRODUCER="ehr")
    assert sent.stdout.startswith("1 sent")
    listed = scrub("producer", "list").stdout
    assert "ehr" in listed
    assert "/hospital/ehr" in listed
    assert "by our clock" in listed
    assert scrub("producer", "remove", "ehr").returncode == 2
    work_off(store)
    told = json.loads(scrub("status", "--json").stdout)
    assert told["layout"] == 2
    assert [(one["name"], one["accepted"]) for one in told["incoming"]] == [("inner", 0), ("", 0), ("ehr", 1)]
    screen = scrub("status").stdout
    assert "Producers" in screen
    assert "layout" in screen
    assert scrub("producer", "remove", "ehr").stdout == "ehr is removed.\n"
    assert producers_of(store.redis, store.keys)["ehr"].removed
    assert "The books balance: 1 accepted, 1 accounted for." in scrub("status").stdout


@pytest.mark.parametrize("wrong", [["Ehr"], ["inner"], ["ehr", "--source", "a\x1b[31m"]])
def test_a_name_that_cannot_be_is_refused_with_a_sentence(scrub: Run, store: Store, wrong: list[str]) -> None:
    done = scrub("producer", "add", *wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not store.redis.exists(store.keys.producers)


def test_who_deleted_its_own_claims_is_named(scrub: Run, store: Store) -> None:
    scrub("producer", "add", "ehr")
    for _ in range(3):
        store.redis.xadd(store.keys.stream("ehr"), {"event": "x"}, maxlen=1, approximate=False)
    work_off(store)
    done = scrub("status")
    assert done.returncode == 1
    assert "2 entries of ehr went away before a worker had them: it deleted them itself." in done.stdout
    assert "ACL DELUSER producer-ehr" in done.stdout
    done = scrub("doctor")
    assert (done.returncode, "2 entries of the producer ehr went away" in " ".join(done.stdout.split())) == (1, True)


def test_the_layout_is_changed_by_command_and_no_earlier(scrub: Run, store: Store) -> None:
    store.redis.flushall()
    write(store.redis, Standing())
    done = scrub("producer", "add", "ehr")
    assert (done.returncode, "scrub migrate" in done.stderr) == (2, True)
    assert "`scrub migrate` makes it 2" in scrub("status").stdout
    done = scrub("doctor")
    assert (done.returncode, "The keys are of layout 1" in " ".join(done.stdout.split())) == (1, True), (
        "no worker lives"
    )
    done = scrub("migrate")
    assert done.stdout.startswith("The keys are of layout 2 now, and were of layout 1.")
    assert standing(store.redis) == Standing(1, 1, 2)
    assert scrub("migrate").stdout == "The keys are of layout 2 already.\n"
    assert scrub("producer", "add", "ehr").returncode == 0
    write(store.redis, Standing(1, 1, 3))
    for command in (["status"], ["migrate"], ["submit", "-"], ["worker", "--check"]):
        done = scrub(*command, stdin=b"")
        assert done.returncode == 2, command
        assert "Install that release here too" in done.stderr, command


def test_a_change_that_broke_off_is_named(scrub: Run, store: Store) -> None:
    write(store.redis, Standing(1, 1, 1, True))
    done = scrub("doctor")
    assert (done.returncode, "A change from layout 1 to 2 is under way" in " ".join(done.stdout.split())) == (1, True)
    assert scrub("migrate").returncode == 0
    assert store.redis.hget(Keys().meta, "layout") == b"2"


def test_the_revision_of_a_checkout_is_the_one_that_git_says() -> None:
    import subprocess

    root = Path(__file__).parents[2]
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout")
    assert done.stdout.strip().startswith(revision())
    assert len(revision()) == 12
