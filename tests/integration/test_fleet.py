"""Workers that are not alike are named, with what differs: in `scrub status`, its JSON and `scrub doctor`.

As elsewhere a replica drifts and nobody sees it for weeks (haproxytech/kubernetes-ingress#795), and a revision without
its digest hides it (open-policy-agent/opa-control-plane#239).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rules.book.pack import packed
from rules.tables.edition import Edition
from tests import standby
from worker.books import fleet
from worker.books.overrides import digest_of_text
from worker.books.switch import in_force
from worker.config.settings import Settings, load_settings
from worker.doctor import examinations as doctor
from worker.monitoring.reconciliation import reconcile
from worker.process import presence
from worker.store.connections import Store
from worker.store.embedded import socket_path
from worker.store.secret import fingerprint, load_secret

from .helpers import Worker, event, settled, until
from .unlike import judged, overrides, small, written

OWN, OTHER = small(), small(title="Edited")
EDITION = Edition.model_validate(
    {"table": "mue", "title": "Official", "release": "2026 Q3", "files": [{"name": "f.csv", "sha256": "0" * 64}],
     "speaks": {"practitioner": {"from": "2026-07-01"}}, "rows": [["practitioner", "64445", "2", "3", "", ""]]}
)  # fmt: skip


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    return load_settings(state_dir=home, book=written(home / "my-book", OWN))


def scrub(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    mine = {"SCRUB_STATE_DIR": str(settings.state_dir), "SCRUB_BOOK": str(settings.book), "COLUMNS": "500"}
    return standby.scrub_in_text(*words, env=env | mine)


@pytest.mark.slow
def test_two_workers_with_unlike_book_overrides_tables_and_secret_are_named_everywhere_and_united_by_a_switch(
    store: Store, home: Path, settings: Settings, start_worker: Callable[..., Worker]
) -> None:
    text = overrides(OWN)
    (home / "o.yaml").write_text(text)
    first = start_worker(env={"SCRUB_BOOK": str(settings.book)}, concurrency=1).wait_ready(60)
    until(lambda: reconcile(store.redis, store.keys).alive, 60)
    (ours,) = reconcile(store.redis, store.keys).alive
    # Another secret is agreed on while the first worker runs; it would put its own back where there is none.
    store.redis.hset(store.keys.meta, "fingerprint", fingerprint(load_secret(home / "b/secret")))
    (home / "b/tables").mkdir(parents=True)
    (home / "b/tables" / f"{EDITION.id}.json").write_bytes(EDITION.text())
    env = {
        "SCRUB_STATE_DIR": str(home / "b"), "SCRUB_BOOK": str(written(home / "b/book", OTHER)),
        "SCRUB_OVERRIDES": str(home / "o.yaml"), "SCRUB_REDIS_URL": f"unix://{socket_path(settings.server_path)}",
    }  # fmt: skip
    second = start_worker(env=env, concurrency=1).wait_ready(60)
    until(lambda: len(reconcile(store.redis, store.keys).alive) == 2, 60)
    (theirs,) = (one for one in reconcile(store.redis, store.keys).alive if one.name != ours.name)
    wanted = {
        "book": (f"1+{OWN.digest[:8]}", f"1+{OTHER.digest[:8]}"),
        "overrides": ("none", digest_of_text(text)[:8]),
        "tables": ("none", theirs.tables[:8]),
        "secret": (ours.secret[:8], theirs.secret[:8]),
    }
    done = json.loads(scrub(settings, "status", "--json").stdout)
    found: dict[str, dict[str, Any]] = {one["what"]: one["workers"] for one in done["differences"]}
    assert found == {what: {mine: [ours.name], other: [theirs.name]} for what, (mine, other) in wanted.items()}
    status, examined = scrub(settings, "status"), scrub(settings, "doctor")
    assert (status.returncode, examined.returncode) == (0, 1)
    for what, values in wanted.items():
        for text_of in (status.stdout, examined.stdout):
            (line,) = (one for one in text_of.splitlines() if f"The workers differ in {what}:" in one)
            assert all(
                f"{value} ({name})" in line for value, name in zip(values, (ours.name, theirs.name), strict=True)
            )
    store.redis.hset(store.keys.meta, "fingerprint", ours.secret)
    (home / "next.book").write_bytes(packed(small("2")))
    switch = ("rules", "switch", str(home / "next.book"), "--reason", "a test")
    refused = scrub(settings, *switch)
    assert (refused.returncode, "--overrides FILE" in refused.stderr) == (2, True)
    done = scrub(settings, *switch, "--overrides", "none")
    assert done.returncode == 0, done.stderr
    assert f"workers judged by book 1+{OWN.digest[:8]}: {ours.name}." in done.stdout
    assert done.stdout.count("scrub rules rollback --to ") == 2
    after = json.loads(scrub(settings, "status", "--json").stdout)["differences"]
    assert [one["what"] for one in after] == ["secret"]
    unclear = scrub(settings, "rules", "rollback", "--reason", "back")
    assert (unclear.returncode, "--to DIGEST" in unclear.stderr) == (2, True)
    back = scrub(settings, "rules", "rollback", "--to", OWN.digest[:12], "--reason", "back")
    assert (back.returncode, back.stdout.startswith(f"In force: book 1+{OWN.digest[:8]}.\n")) == (0, True)
    assert second.stop(60) == 0
    settled(store, 0)
    store.redis.xadd(store.keys.inbox, {"event": event(1)})
    settled(store, 1, seconds=60)
    assert judged(store) == {"PCN-00001": OWN.digest}
    assert first.stop(60) == 0


def beat(store: Store, name: str, **says: object) -> None:
    """A worker's entry as it is in Redis."""
    about = {"host": name, "pid": 1, "processes": [1], "started": 1.0, "version": "0.1.0", "book_version": "1",
             "book_digest": OWN.digest} | says  # fmt: skip
    store.redis.hset(store.keys.workers, name, f"{time.time() * 1000:.0f} {json.dumps(about)}")


def test_a_worker_of_version_0_1_0_is_read_and_compared_in_what_it_says(store: Store) -> None:
    presence.beat(store, [os.getpid()], time.time())
    (new,) = reconcile(store.redis, store.keys).alive
    beat(store, "old", version="0.0.9")
    found = fleet.differences(reconcile(store.redis, store.keys), in_force(store.redis, store.keys))
    assert [(one.what, one.workers) for one in found] == [
        ("version", {"0.0.9": ("old",), new.version: (new.name,)}),
    ]
    beat(store, "old", version=new.version, book_digest=OTHER.digest)
    (one,) = fleet.differences(reconcile(store.redis, store.keys), in_force(store.redis, store.keys))
    assert one.what == "book"
    assert one.workers[f"1+{OTHER.digest[:8]}"] == ("old",)


def test_a_worker_of_a_later_version_that_says_more_is_read(store: Store) -> None:
    beat(store, "later", version="9", more={"than": ["we", "know"]}, own_digest=OWN.digest, library=OWN.digest)
    (one,) = reconcile(store.redis, store.keys).alive
    assert (one.version, one.own_digest) == ("9", OWN.digest)


def test_workers_that_are_alike_or_gone_are_no_difference(store: Store) -> None:
    presence.beat(store, [os.getpid()], time.time())
    store.redis.hset(
        store.keys.workers, "gone", b"1000 " + json.dumps({"host": "g", "pid": 1, "processes": []}).encode()
    )
    found = reconcile(store.redis, store.keys)
    assert len(found.workers) == 2
    assert fleet.differences(found, in_force(store.redis, store.keys)) == []
    assert [one for one in doctor.queue(store, found) if one.about == "workers" and one.level != "well"] == []


def test_a_library_that_was_edited_under_running_workers_is_named_and_a_packed_one_in_force_is_safe_from_it(
    store: Store, settings: Settings
) -> None:
    presence.beat(store, [os.getpid()], time.time())
    (worker,) = reconcile(store.redis, store.keys).alive
    assert settings.book is not None
    written(settings.book, OTHER)
    done = scrub(settings, "doctor")
    (line,) = (one for one in done.stdout.splitlines() if "On this machine's disk" in one)
    assert all(word in line for word in (OTHER.digest[:8], OWN.digest[:8], worker.name, "poor", "restart"))
    assert done.returncode == 1
    (settings.state_dir / "own.book").write_bytes(packed(OWN))
    assert scrub(settings, "rules", "switch", str(settings.state_dir / "own.book"), "--reason", "t").returncode == 0
    presence.beat(store, [os.getpid()], time.time())
    done = scrub(settings, "doctor")
    (line,) = (one for one in done.stdout.splitlines() if "put in force" in one)
    assert all(word in line for word in (OTHER.digest[:8], OWN.digest[:8], "well"))
    assert "On this machine's disk" not in done.stdout
