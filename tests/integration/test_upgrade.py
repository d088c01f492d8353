"""What release 898ad03 left in Redis and in the audit folder, under this one: nothing is billed twice, all is counted.

The fixture was made by that release itself: six events that it decided, its event memory, ledgers and outlets, the audit
file that it wrote, and its secret.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests import standby
from worker.audit.check import verify
from worker.config.settings import Settings, load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.outlets import tail
from worker.pipeline.producer import SOURCE, send, wrapped
from worker.reporting.figures import count
from worker.reporting.load import loaded
from worker.store import opening
from worker.store.connections import Store
from worker.store.keyring import Ring
from worker.store.keys import Keys, event_identity
from worker.store.secret import event_mark

from .helpers import Worker, claim, event, settled, until

pytestmark = pytest.mark.slow

OLD = Path(__file__).parents[1] / "fixtures/898ad03"
CLAIMS = [json.loads(line) for line in (OLD / "claims.ndjson").read_text().splitlines()]
STORE = json.loads((OLD / "store.json").read_text())
SECRET = (OLD / "secret").read_bytes().strip()
ERA = """\
ISA*00*          *00*          *ZZ*PAYER          *ZZ*HOSPITAL       *991101*1200*^*00501*000000001*0*P*:~
GS*HP*PAYER*HOSPITAL*20991101*1200*1*X*005010X221A1~
ST*835*0001~
BPR*I*0*H*NON************20991101~
TRN*1*CHECK{claim}*1999999999~
DTM*405*20991101~
LX*1~
CLP*{claim}*4*450*0**12*ICN1~
SVC*HC:64445:RT*450*0**1~
CAS*CO*50*450~
REF*6R*1~
SE*10*0001~
GE*1*1~
IEA*1*000000001~
"""


@pytest.fixture
def old(home: Path, settings: Settings, store: Store) -> Store:
    """The state folder and the store as that release left them."""
    settings.audit_path.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(OLD / "audit.jsonl", settings.audit_path / "audit-vm-8959-bdeb7a55.jsonl")
    secret = home / "secret"
    secret.unlink(missing_ok=True)
    secret.write_bytes(SECRET + b"\n")
    secret.chmod(0o600)
    put(store.redis)
    return store


def put(redis: Redis) -> None:
    for key, held in STORE.items():
        if isinstance(held, str):
            redis.set(key, held)
        elif isinstance(held, dict):
            redis.delete(key)
            redis.hset(key, mapping=held)
        else:
            redis.delete(key)
            for entry, fields in held:
                redis.xadd(key, fields, id=entry)
    names = Keys()
    redis.xgroup_create(names.inbox, "scrub", id="0", mkstream=True)
    last = max((entry for entry, _ in STORE[names.outlet("billing")]), default="0-0")
    redis.execute_command("XSETID", names.inbox, last, "ENTRIESADDED", len(CLAIMS), "MAXDELETEDID", last)


def scrub(home: Path, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    return standby.scrub_in_text(*arguments, cwd=home, env={**clean, "SCRUB_STATE_DIR": str(home), **more})


def billed(store: Store) -> list[str]:
    return [entry.data["claim"]["claim_id"] for entry in tail(store.redis, store.keys, "billing")]


def lines(settings: Settings) -> list[dict[str, Any]]:
    files = sorted(settings.audit_path.glob("audit-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_the_store_of_the_old_release_holds_what_is_said_of_it() -> None:
    counters = STORE[Keys().counters]
    assert {name: int(number) for name, number in counters.items()} == {"billing": 4, "unchecked": 1, "quarantine": 1}
    memory = [key for key in STORE if ":event:" in key]
    assert len(memory) == len(CLAIMS) == 6
    explicit = {event_identity(one["source"], one["id"]) for one in CLAIMS if "specversion" in one}
    assert {key.rpartition(":")[2] for key in memory} > explicit, "identities are made as they were"


def test_a_file_that_the_old_release_billed_is_not_billed_again(
    home: Path, old: Store, settings: Settings, start_worker: Callable[..., Worker]
) -> None:
    before = billed(old)
    assert len(before) == 4
    start_worker(concurrency=1).wait_ready()
    # Sent as a file, and as a sender in another language does: the worker knows them.
    sent = scrub(home, "submit", OLD / "claims.ndjson")
    assert sent.stdout.startswith("5 sent; 1 refused"), sent.stdout + sent.stderr
    assert sent.returncode == 2
    assert settled(old, len(CLAIMS) + 5).repeated == 5
    again = [
        json.dumps(one).encode()
        if "specversion" in one
        else wrapped(one, str(number), SOURCE, "2026-12-01T00:00:00Z")[0]
        for number, one in enumerate(CLAIMS, 1)
    ]
    for one in again:
        old.redis.xadd(old.keys.inbox, {"event": one})
    found = settled(old, len(CLAIMS) * 2 + 5)
    assert (found.repeated, found.balance) == (len(CLAIMS) + 5, 0)
    assert billed(old) == before
    # The same claims under new event ids: the ledger knows them.
    for number, one in enumerate(CLAIMS[:4]):
        old.redis.xadd(old.keys.inbox, {"event": event(900 + number, data=one)})
    settled(old, len(CLAIMS) * 2 + 9)
    assert billed(old) == before
    assert len(list(tail(old.redis, old.keys, "rework"))) == 3, "duplicates, but for the claim without the procedure"


def test_log_lines_of_both_releases_are_read_together(
    home: Path, old: Store, settings: Settings, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker(concurrency=1).wait_ready()
    old.redis.xadd(old.keys.inbox, {"event": event(77, data=claim(77))})
    settled(old, len(CLAIMS) + 1)
    worker.stop()
    files = sorted(settings.audit_path.glob("audit-*.jsonl"))
    found = lines(settings)
    identity = event_identity("/hospital/ehr", "evt-77")
    (new,) = [line for line in found if line.get("claim.claim_id") == "PCN-00077"]
    assert new["claim.event"] == event_mark(SECRET, identity)
    (before,) = [line for line in found if line.get("claim.claim_id") == "PCN-00005"]
    assert before["claim.event"] == event_identity("/hospital/ehr", "evt-5"), "an old line is what it was"
    for file in files:
        assert verify(file, Ring.of(SECRET)).state in ("sound", "torn")
    page = scrub(home, "report", *files, "-o", "r.html")
    assert page.returncode == 0, page.stderr
    with loaded(files) as database:
        figures = count(database, "")
    assert (figures.whole["decisions"], figures.whole["claims"]) == (len(CLAIMS) + 1, len(CLAIMS) + 1)
    for name in ("PCN-00001", "PCN-00077"):
        (home / f"{name}.835").write_text(ERA.format(claim=name))
    done = scrub(home, "outcomes", "import", "PCN-00001.835", "PCN-00077.835", "--audit", settings.audit_path)
    assert "2 claims on the remittances, 2 matched." in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("partitions", [1, 3])
def test_what_shows_an_event_shows_it_under_a_key(
    home: Path, settings: Settings, start_worker: Callable[..., Worker], partitions: int
) -> None:
    options = {"SCRUB_PARTITIONS": str(partitions), "SCRUB_AUDIT_STDOUT": "true", "SCRUB_LOG_LEVEL": "debug"}
    with opening.open_store(load_settings(state_dir=home, partitions=partitions)) as store:
        worker = start_worker(env=options, concurrency=1).wait_ready()
        events = [
            event(1),
            event(1),
            event(1, data=claim(9)),
            event(2, data={**claim(2), "payer": 1}),
            event(3, data=[]),
        ]
        for one in events:
            store.redis.xadd(store.keys.inbox, {"event": one})
        plain = [claim(40), {**claim(41), "payer": 1}]
        send(store.redis, store.keys, plain, source=SOURCE, settings=store.settings)
        until_settled(store, len(events) + 2)
        ids = [("/hospital/ehr", f"evt-{number}") for number in (1, 2, 3)]
        made = [wrapped(one, str(place), SOURCE, "x")[1] for place, one in enumerate(plain, 1)]
        identities = [event_identity(*pair) for pair in ids] + [event_identity(SOURCE, name) for name in made]
        where = digests_in(store.redis, identities, [wrapped(one, "1", SOURCE, "x")[2] for one in plain])
        worker.stop()
    assert where == {"event:name", "event:value", "ledger:value"}, "as ops/security.md lists them"
    audit = b"".join(file.read_bytes() for file in settings.audit_path.glob("*.jsonl")).decode()
    environment = {"SCRUB_PARTITIONS": str(partitions)}
    shown = [worker.text(), audit]
    for arguments in (
        ["tail", "billing"],
        ["tail", "quarantine"],
        ["quarantine", "list"],
        ["status"],
        ["status", "--json"],
    ):
        done = scrub(home, *arguments, **environment)
        assert (done.returncode, bool(done.stdout)) == (0, True), (arguments, done.stderr)
        shown.append(done.stdout + done.stderr)
    page = scrub(home, "report", *settings.audit_path.glob("*.jsonl"), "-o", "r.html", **environment)
    assert page.returncode == 0, page.stderr
    shown += [(home / "r.html").read_text(), "\n".join(map(str, home.rglob("*")))]
    text = "\n".join(shown)
    secret = (home / "secret").read_bytes().strip()
    for identity in identities:
        assert identity not in text
    digests = [name.rpartition("-")[2] for name in made]
    assert len(digests[0]) == 40
    for digest in (*digests, *(hashlib.sha256(name.encode()).hexdigest() for name in made)):
        assert digest not in text
    assert sum(event_mark(secret, identity) in audit for identity in identities) == len(identities), "and it is there"


def digests_in(redis: Redis, identities: list[str], contents: list[str]) -> set[str]:
    """Where in Redis, but for the streams that hold the claims themselves, an unkeyed digest of one stands."""
    wanted = [*identities, *(content[:12] for content in contents)]
    found = set()
    for key in redis.scan_iter():
        name = key.decode()
        kind = redis.type(key)
        if kind == b"stream":
            continue
        value = {b"string": redis.get, b"hash": redis.hgetall, b"set": redis.smembers}.get(kind)
        held = str(value(key) if value else redis.lrange(key, 0, -1) if kind == b"list" else redis.zrange(key, 0, -1))
        part = name.partition("}:")[2].partition(":")[0]
        found |= {
            f"{part}:{where}" for where, text in (("name", name), ("value", held)) for one in wanted if one in text
        }
    return found


def until_settled(store: Store, accepted: int) -> None:
    until(lambda: (found := reconcile(store.redis, store.keys)).accepted >= accepted and found.settled, 60)


def test_the_mark_of_an_event_is_another_one_under_another_secret_and_no_hash_that_anyone_can_make() -> None:
    identity = event_identity("/hospital/ehr", "evt-1")
    one, other = event_mark(b"a" * 32, identity), event_mark(b"b" * 32, identity)
    assert len({one, other, identity, hashlib.sha256(identity.encode()).hexdigest()}) == 4
    assert event_mark(b"a" * 32, identity) == one
