"""Patient data is in the inbox, the outlets and the quarantine, and nowhere else: canaries in every field, in broken
claims and in faults of every kind, looked for wherever something is written."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests import standby
from worker.monitoring.reconciliation import reconcile
from worker.store.connections import Store
from worker.store.embedded import socket_path
from worker.store.keys import INNER, Keys
from worker.store.outletspecs import OUTLETS

from .helpers import Worker, claim, event, settled, until

CANARIES = ("CANARYMEMBER", "CANARYGROUP", "CANARYFIRST", "1931-07-13", "CANARYBROKEN", "CANARYKEY", "CANARYUNREADABLE")
KEYS = Keys()
HOLDS_CLAIMS = {KEYS.inbox, KEYS.stream(INNER), *map(KEYS.outlet, OUTLETS)}


def person(number: int, **changes: Any) -> dict[str, Any]:
    private = {
        "subscriber": {"member_id": f"CANARYMEMBER{number}", "group_number": "CANARYGROUP"},
        "patient": {"birth_date": "1931-07-13", "sex": "F", "first_name": "CANARYFIRST"},
    }
    return claim(number, **{**private, **changes})


def everything() -> list[bytes]:
    """Clean, faulty, repeated, broken and unreadable, each with canaries."""
    other = person(3, total_charge="1.00")
    return [
        event(1, data=person(1)),
        event(2, data=person(2, lines=[])),
        event(3, data=person(3)),
        event(3, data=person(3)),
        event(3, data=other),
        event(4, data=person(4, patient={"birth_date": "CANARYBROKEN", "sex": "CANARYBROKEN"})),
        event(5, data={**person(5), "CANARYKEY": "CANARYBROKEN"}),
        event(6, data=person(6, lines=[{"number": "CANARYBROKEN", "charge": "CANARYBROKEN"}])),
        event(7, data=person(7), time="CANARYBROKEN", id=["CANARYBROKEN"]),
        b'{"CANARYUNREADABLE": ',
        b"CANARYUNREADABLE\xff\xfe",
        event(8, data=person(8, total_charge="1.00", diagnoses=["CANARYBROKEN"])),
        event(9, data="CANARYBROKEN"),
    ]


def leaks(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return [canary for canary in CANARIES if canary.encode() in data]


@contextmanager
def monitored(socket: Path) -> Iterator[list[str]]:
    """What every client sends to the server meanwhile."""
    seen: list[str] = []
    client = Redis(unix_socket_path=str(socket))
    watcher = client.monitor()
    watcher.__enter__()

    def listen() -> None:
        with contextlib.suppress(RedisError, OSError, ValueError, AttributeError):  # it is disconnected at the end
            seen.extend(command["command"] for command in watcher.listen())

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        watcher.connection.disconnect()
        client.close()
        thread.join(5)


def processes(worker: Worker) -> Iterator[bytes]:
    for pid in (worker.process.pid, *worker.children()):
        for name in ("cmdline", "environ"):
            yield Path(f"/proc/{pid}/{name}").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="process lists are read from /proc")
def test_no_canary_leaves_its_cage(home: Path, store: Store, start_worker: Callable[..., Worker]) -> None:
    worker = start_worker(env={"SCRUB_LOG_LEVEL": "debug", "SCRUB_AUDIT_STDOUT": "true"}, program=True).wait_ready()
    with monitored(socket_path(home / "redis")) as commands:
        events = everything()
        for one in events:
            store.redis.xadd(KEYS.inbox, {"event": one})
        store.redis.xadd(KEYS.inbox, {"CANARYKEY": "CANARYBROKEN"})
        seen = b"".join(processes(worker))
        settled(store, len(events) + 1)
        # Faults, with claims in hand: a commit that Redis refuses, a process that is killed, a worker that is killed.
        store.redis.rename(KEYS.counters, "aside")
        store.redis.set(KEYS.counters, "of the wrong type")
        store.redis.xadd(KEYS.inbox, {"event": event(20, data=person(20))})
        until(lambda: "Redis refused a batch" in worker.text(), 30)
        store.redis.delete(KEYS.counters)
        store.redis.rename("aside", KEYS.counters)
        settled(store, len(events) + 2)
        for pid in worker.children():
            store.redis.xadd(KEYS.inbox, {"event": event(30 + pid, data=person(30 + pid))})
            os.kill(pid, 9)
        second = start_worker(env={"SCRUB_LOG_LEVEL": "debug"}, program=True).wait_ready()
        worker.kill()
        accepted = reconcile(store.redis, store.keys).accepted
        settled(store, accepted, 60)
        seen += b"".join(processes(second))
        second.stop()

    assert leaks(seen) == [], "in a process list or an environment"
    logs = list(home.glob("*.log"))
    assert logs
    for log in logs:
        assert leaks(log.read_bytes()) == [], f"in {log.name}"
    audits = list((home / "audit").iterdir())
    assert audits
    for audit in audits:
        assert leaks(audit.read_bytes()) == [], f"in {audit.name}"
    assert leaks("\n".join(map(str, home.rglob("*")))) == [], "in a file name"
    assert leaks((home / "redis" / "server.log").read_bytes()) == []
    sent = [command for command in commands if "scrub:" in command.split('"')[0] or " scrub:" in command]
    assert any("scrub-bells" in command for command in sent)
    assert leaks("\n".join(sent)) == [], "in what Celery sends"
    for key in store.redis.scan_iter():
        assert leaks(key) == [], "in the name of a key"
        if key.decode() not in HOLDS_CLAIMS:
            value = store.redis.dump(key)
            if value is None:
                continue  # its time ran out since the names were read
            assert leaks(value) == [], f"in the value of {key.decode()}"
            assert leaks(str(content(store.redis, key))) == [], f"in the value of {key.decode()}"
    for name, value in {"slowlog-log-slower-than": "-1", "crash-log-enabled": "no"}.items():
        assert store.redis.config_get(name) == {name: value}, "it would keep arguments of commands"
    caged = "".join(str(store.redis.xrange(key)) for key in HOLDS_CLAIMS)
    assert set(leaks(caged)) >= {"CANARYMEMBER", "CANARYBROKEN", "CANARYUNREADABLE"}, "the test looks at something"


def content(redis: Redis, key: bytes) -> Any:
    kind = redis.type(key)
    if kind == b"string":
        return redis.get(key)
    if kind == b"hash":
        return redis.hgetall(key)
    if kind == b"list":
        return redis.lrange(key, 0, -1)
    if kind == b"set":
        return redis.smembers(key)
    if kind == b"zset":
        return redis.zrange(key, 0, -1)
    raise AssertionError(f"what is {key!r}, a {kind!r}?")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(person(1, patient={"birth_date": "CANARYBROKEN"})),
        json.dumps({**person(1), "form": "CANARYBROKEN"}),
        '{"claim_id": "CANARYUNREADABLE',
        '{"CANARYUNREADABLE": 1, "CANARYUNREADABLE": 2}',
        "CANARYUNREADABLE",
    ],
)
@pytest.mark.parametrize("command", ["submit", "check"])
def test_what_is_refused_before_the_inbox_is_named_without_its_values(home: Path, command: str, text: str) -> None:
    (home / "claims.ndjson").write_text(text + "\n")
    mine = {**os.environ, "SCRUB_STATE_DIR": str(home)}
    done = standby.scrub(command, home / "claims.ndjson", cwd=standby.ROOT, env=mine)
    assert done.returncode == 2
    assert done.stderr
    # A key that is twice there is named: whoever sent the file is the one who reads this.
    assert (
        leaks(done.stdout + done.stderr.replace(b"'CANARYUNREADABLE'", b"").replace(b'"CANARYUNREADABLE"', b"")) == []
    )
