"""Workers that share a host name and a process id are two, and what all have agreed on outlives an emptied Redis.

Two containers may be process 1 of one host: celery#2938, airflow#58591, docker/compose#2327.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from worker.config import identity
from worker.errors import SecretMismatch
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.inbox import Inbox
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.process import presence
from worker.store import agreement
from worker.store.connections import Store

from .helpers import QUICK, Worker, event, settled, until

Start = Callable[..., Worker]
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
needs_namespaces = pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0,
    reason="process ids of its own take unshare and its right",
)


@needs_namespaces
@pytest.mark.slow
def test_two_containers_of_one_host_name_and_process_id_are_two_workers(store: Store, home: Path) -> None:
    """They share the state folder, as compose and Kubernetes have it, and each has a heartbeat of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    started, runtimes = [], [home / "one", home / "other"]
    try:
        for runtime in runtimes:
            runtime.mkdir()
            environment = {**clean, **QUICK, "SCRUB_STATE_DIR": str(home), "XDG_RUNTIME_DIR": str(runtime)}
            command = [*NAMESPACE, sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-c", "1"]
            with (runtime / "log").open("wb") as log:
                process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            started.append(process)
        until(lambda: len(reconcile(store.redis, store.keys).alive) == 2, 60, (runtimes[0] / "log").read_text)
        one, other = reconcile(store.redis, store.keys).alive
        assert (one.host, one.pid) == (other.host, other.pid)
        assert one.life != other.life
        for number in range(4):
            store.redis.xadd(store.keys.inbox, {"event": event(number)})
        settled(store, 4)
        consumers = reconcile(store.redis, store.keys).consumers
        assert consumers
        for consumer in consumers:
            assert one.runs(consumer.name) != other.runs(consumer.name), "each process is one worker's"
        assert reconcile(store.redis, store.keys).abandoned == 0
        for runtime in runtimes:
            (said,) = [orjson.loads(file.read_bytes()) for file in (runtime / "claim-scrubber").iterdir()]
            assert said["pid"] == one.pid
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def test_a_worker_of_the_version_before_is_read_as_ever(store: Store) -> None:
    says = {
        "host": "vm",
        "pid": 1,
        "processes": [8],
        "started": 1.0,
        "version": "0.1.0",
        "book_version": "",
        "book_digest": "",
    }
    seconds, _ = store.redis.time()
    store.redis.hset(store.keys.workers, "vm-1", b"%d %b" % (seconds * 1000, orjson.dumps(says)))
    (old,) = reconcile(store.redis, store.keys).workers
    assert (old.name, old.alive, old.life) == ("vm-1", True, "")
    assert old.runs("vm-8-0a1b2c3d")
    assert not old.runs("vm-9-0a1b2c3d")


def test_a_worker_that_says_farewell_leaves_its_namesake(store: Store) -> None:
    presence.beat(store, [os.getpid()], 0)
    (ours,) = store.redis.hgetall(store.keys.workers).items()
    namesake = ours[0].decode()[:-8] + "00000000"
    store.redis.hset(store.keys.workers, namesake, ours[1])
    presence.farewell(store)
    assert [name.decode() for name in store.redis.hkeys(store.keys.workers)] == [namesake]


def test_how_a_process_ended_is_found_by_the_name_of_its_consumer(store: Store, inbox: Inbox) -> None:
    store.redis.xadd(store.keys.inbox, {"event": "{}"})
    mine = Inbox(store.redis, store.keys, f"{identity.worker_name(4711)}-0a1b2c3d")
    assert len(mine.take(1)) == 1
    presence.note_end(store, 4711, "its process was ended by signal 9 (SIGKILL)")
    (expired,) = inbox.expired(0)
    assert inbox.tries(expired) == ["its process was ended by signal 9 (SIGKILL)"]


def test_an_emptied_redis_gets_back_what_all_have_agreed_on(store: Store, home: Path, start_worker: Start) -> None:
    worker = start_worker().wait_ready()
    before = store.redis.hgetall(store.keys.meta)
    before = {key: value for key, value in before.items() if not key.startswith(b"drafts:")}
    assert before.keys() >= {b"partitions", b"fingerprint"}
    (home / "secret").rename(home / "away")  # it is what the workers judge with that counts, and none is made anew
    store.redis.flushall()
    until(lambda: before.items() <= store.redis.hgetall(store.keys.meta).items(), 20, worker.text)
    assert not (home / "secret").exists()
    (home / "away").rename(home / "secret")
    store.redis.xadd(store.keys.inbox, {"event": event(1)})
    settled(store, 1)


def test_a_worker_with_another_secret_that_was_quicker_is_reported(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    agreement.agreed_secret(store)
    store.redis.flushall()
    store.redis.hset(store.keys.meta, "fingerprint", "another")
    with pytest.raises(SecretMismatch):
        agreement.agree_again(store)
    assert maintain(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    assert "is not the one that the claims on this Redis were hashed with" in caplog.text
    assert store.redis.hget(store.keys.meta, "fingerprint") == b"another"


def test_who_never_agreed_on_a_secret_settles_none(store: Store) -> None:
    agreement.agree_again(store)
    assert not store.settings.secret_path.exists()
    assert store.redis.hgetall(store.keys.meta) == {b"partitions": b"1 by layout 2"}
