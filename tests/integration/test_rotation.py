"""Keys that are rotated while claims come: none is lost, none decided twice, and the history of before is found.

As others lose data by it: a rotated HMAC key under which nothing of before is found any more (rails/rails#34620 for
signed ids, hashicorp/vault#6446 for key versions that a replica does not have yet), one that a second process has not
read (grafana/grafana#58041).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from worker import bootstrap
from worker.audit import chains, check
from worker.audit.log import Head
from worker.config.settings import Settings, load_settings
from worker.errors import KeyNotHere, KeysTurned, PartitionsFixed, RotationRefused
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.commit import Committer, Item
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.repartition import repartition
from worker.pipeline.rotation import Rotated, Rotation
from worker.store import agreement, keyring, opening
from worker.store.connections import Store
from worker.store.keyring import RingName, load_ring
from worker.store.keys import Keys
from worker.store.outletspecs import OUTLETS
from worker.store.secret import fingerprint, load_secret

from .guarded import guarded
from .helpers import Worker, claim, event, ledgers, quiet, settled, until

Start = Callable[..., Worker]
RINGS: tuple[RingName, ...] = ("audit", "patient")


def rotate(store: Store, name: RingName, *, patience: float = 0.0) -> Rotated:
    made = bootstrap.rotation(store)
    try:
        return Rotation(store, made.audit, patience).rotate(name, "a test")
    finally:
        made.audit.close()


def put(store: Store, *events: bytes) -> None:
    for one in events:
        store.redis.xadd(store.keys.inbox, {"event": one})


def drained(store: Store, consumer: InboxConsumer) -> None:
    for _ in range(10):
        consumer.run()
        if reconcile(store.redis, store.keys).settled:
            return
    raise AssertionError(reconcile(store.redis, store.keys))


def results(store: Store) -> dict[str, str]:
    """Where each event went; fails where one went to two places."""
    every = [(entry, name) for name in OUTLETS for entry in tail(store.redis, store.keys, name)]
    count = Counter(str(entry.event["eventid"]) for entry, _ in every)
    assert set(count.values()) <= {1}, count.most_common(3)
    return {str(entry.event["eventid"]): name for entry, name in every}


def entries(store: Store, outlet: str) -> list[OutletEntry]:
    return list(tail(store.redis, store.keys, outlet))


def again(number: int, **changes: Any) -> bytes:
    """The same service of the same patient under another claim number: a duplicate, where the history is found."""
    return event(number, id=f"again-{number}", data=claim(number, claim_id=f"COPY-{number}", **changes))


def chains_are_sound(store: Store, *, least: int = 1) -> None:
    ring = load_ring(store.settings.secret_path, "audit")
    heads = chains.known(store.redis, store.keys)
    files = list(store.settings.audit_path.glob("*.jsonl"))
    assert len(files) >= least
    for file in files:
        found = chains.verify(file, ring, heads, {})
        assert found.state == "sound", found


def test_history_of_before_is_found_and_a_ledger_is_never_there_twice(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()  # one process, through all rotations
    put(store, *(event(number) for number in range(4)))
    drained(store, consumer)
    before = set(ledgers(store))
    for name in RINGS:
        rotate(store, name)
    put(store, again(0), again(1))
    drained(store, consumer)
    assert (results(store)["again-0"], results(store)["again-1"]) == ("rework", "rework")
    found = ledgers(store)
    assert len(found) == 4
    assert len(before - set(found)) == 2, "those whose patients came again have their new names, and no other"
    rotate(store, "patient")
    put(store, event(0, id="third-0", data=claim(0, claim_id="THIRD")), again(2), again(3))
    drained(store, consumers())  # a process that began later
    assert {results(store)[name] for name in ("third-0", "again-2", "again-3")} == {"rework"}
    assert len(ledgers(store)) == 4
    chains_are_sound(store, least=2)


def test_an_event_that_was_decided_under_a_key_of_before_is_known_again(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(store, event(0), event(1))
    drained(store, consumer)
    rotate(store, "audit")
    put(store, event(0), event(1, data=claim(9)), event(2))
    drained(store, consumer)
    rotate(store, "audit")
    put(store, event(0), event(2), event(2, data=claim(8)))
    drained(store, consumer)
    found = reconcile(store.redis, store.keys)
    reasons = [entry.data["reason"] for entry in entries(store, "quarantine")]
    assert (found.repeated, found.outlet("billing").count, reasons) == (3, 3, ["event_id_reused"] * 2)
    held = store.redis.get(store.keys.event(next(iter_identities(2))))
    assert held is not None
    assert held.decode().partition(".")[0] == keyring.load_rings(store.settings.secret_path).audit.keys[1].id
    chains_are_sound(store)


def iter_identities(number: int) -> Iterator[str]:
    from worker.store.keys import event_identity

    yield event_identity("/hospital/ehr", f"evt-{number}")


def test_what_was_judged_under_the_keys_of_before_is_not_written_after_the_rotation(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    consumer = consumers()
    put(store, event(0))
    drained(store, consumer)
    put(store, event(1))
    ((_, ((entry, _),)),) = store.redis.xreadgroup("scrub", "me", {store.keys.inbox: ">"})
    rotate(store, "patient")
    late = Committer(store.once, store.keys, "me", memory_ms=1000)
    with pytest.raises(KeysTurned):
        late.commit([Item(entry.decode(), "billing", b"x")], Head("chain", 1, "m"))
    assert len(entries(store, "billing")) == 1
    assert store.redis.hget(store.keys.chains, "chain") is None
    late.rings = agreement.in_force(store.redis, store.keys) or ""
    assert late.commit([Item(entry.decode(), "billing", b"x")], Head("chain", 1, "m")) == ["done"]


def test_a_rotation_in_the_middle_of_a_batch_has_it_judged_again_with_its_history(
    store: Store, consumers: Callable[[], InboxConsumer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of ledgers and the commit, where it would be worst."""
    consumer = consumers()
    put(store, event(0))
    drained(store, consumer)
    put(store, again(0), event(1))
    (partition,) = consumer.partitions
    write, turns = partition.audit.write, []

    def rotating(lines: Any) -> Head:
        if not turns:
            turns.append(1)
            rotate(store, "patient")
        return write(lines)

    monkeypatch.setattr(partition.audit, "write", rotating)
    drained(store, consumer)
    assert turns
    assert results(store) == {"evt-0": "billing", "again-0": "rework", "evt-1": "billing"}
    chains_are_sound(store)


def test_a_key_comes_in_force_only_when_every_worker_has_it(store: Store) -> None:
    agreement.agreed_rings(store)
    mine = keyring.ids(store.settings.secret_path, "audit")
    say(store, "elsewhere-1-aa", audit_keys=mine, patient_keys=mine)
    done = rotate(store, "audit")
    assert (done.made, [worker.name for worker in done.lacking]) == (True, ["elsewhere-1-aa"])
    assert agreement.in_force(store.redis, store.keys) is None
    say(store, "elsewhere-1-aa", audit_keys=f"{mine} {done.key.id}", patient_keys=mine)
    second = rotate(store, "audit")
    assert (second.made, second.key.id, second.lacking) == (False, done.key.id, ())
    assert agreement.in_force(store.redis, store.keys) == f"{done.key.id} {mine}"


def say(store: Store, name: str, **says: object) -> None:
    """A worker's entry as it is in Redis."""
    about = {"host": "elsewhere", "pid": 1, "processes": [1], "started": 1.0, "version": "0.1.1"} | says
    store.redis.hset(store.keys.workers, name, f"{time.time() * 1000:.0f} {json.dumps(about)}")


def test_while_a_worker_of_the_release_before_is_alive_nothing_is_rotated_and_after_it_none_starts(
    store: Store,
) -> None:
    secret = agreement.agreed_secret(store)
    say(store, "old-1-aa")
    with pytest.raises(RotationRefused, match=r"\(0.1.1\); finish the upgrade first"):
        rotate(store, "audit")
    assert not keyring.ring_file(store.settings.secret_path, "audit").exists()
    store.redis.delete(store.keys.workers)
    rotate(store, "audit")
    held = store.redis.hget(store.keys.meta, "fingerprint")
    assert held is not None
    assert held.decode() != fingerprint(secret), "by this 0.1.1 refuses to start"
    assert agreement.agreed_secret(store) == secret


def test_with_a_number_of_partitions_that_is_no_power_of_two_the_patient_key_stays(
    home: Path, unset: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUB_PARTITIONS", "3")
    with opening.open_store(load_settings(state_dir=home)) as store:
        with pytest.raises(RotationRefused, match=r"scrub partitions 4"):
            rotate(store, "patient")
        rotate(store, "audit")


def test_more_partitions_after_a_rotation_find_every_ledger(
    home: Path, unset: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opening.open_store(load_settings(state_dir=home)) as store:
        before = bootstrap.inbox_consumer(store, quiet(store))
        put(store, *(event(number) for number in range(12)))
        drained(store, before)
        rotate(store, "patient")
        put(store, *(again(number) for number in range(6)))
        drained(store, before)
        before.audit.close()
        with pytest.raises(PartitionsFixed, match="power of two"):
            repartition(store.redis, 3)
        assert repartition(store.redis, 4)["ledger"]
    monkeypatch.setenv("SCRUB_PARTITIONS", "4")
    with opening.open_store(load_settings(state_dir=home)) as store:
        consumer = bootstrap.inbox_consumer(store, quiet(store))
        third = [event(n, id=f"third-{n}", data=claim(n, claim_id=f"THIRD-{n}")) for n in range(12)]
        put(store, *third)
        drained(store, consumer)
        consumer.audit.close()
        assert {results(store)[f"third-{number}"] for number in range(12)} == {"rework"}
        homes = {key: Keys(int(key.partition(":")[2][:1]), 4) for key in ledgers_of(store)}
        assert len(homes) == 12
        for key, part in homes.items():
            assert Keys(0, 4).at(key.rpartition(":")[2]) == part


def ledgers_of(store: Store) -> list[str]:
    return [key.decode() for part in store.keys.all for key in store.redis.scan_iter(match=part.ledger("*"))]


def test_what_a_person_enters_finds_the_ledger_of_before(store: Store, consumers: Callable[[], InboxConsumer]) -> None:
    consumer = consumers()
    put(store, event(0), event(1))
    drained(store, consumer)
    rotate(store, "patient")
    recorder = bootstrap.ledger_recorder(store)
    imported = recorder.enter(documents(claim(1, claim_id="IMPORTED", received_date="2026-09-01")), date(2026, 11, 30))
    assert imported["entered"] == 1
    assert len(ledgers(store)) == 2
    assert {name for one in ledgers(store).values() for name in one.entries} == {"PCN-00000", "PCN-00001", "IMPORTED"}
    assert recorder.reject("PCN-00000", "277CA A7") == 1
    put(store, again(0), again(1))
    drained(store, consumer)
    recorder.audit.close()
    assert [results(store)[f"again-{number}"] for number in (0, 1)] == ["billing", "rework"], "the rejected one is not"
    chains_are_sound(store, least=2)


def documents(*claims: dict[str, Any]) -> list[Document]:
    stream = BytesIO(b"".join(json.dumps(one).encode() + b"\n" for one in claims))
    return [found for found in read_documents("old.ndjson", stream) if isinstance(found, Document)]


def test_after_flushall_the_keys_in_force_are_put_back(store: Store, consumers: Callable[[], InboxConsumer]) -> None:
    consumer = consumers()
    put(store, event(0))
    drained(store, consumer)
    rotate(store, "patient")
    put(store, event(1))
    drained(store, consumer)
    mark = agreement.in_force(store.redis, store.keys)
    store.redis.flushall()
    for part in consumer.partitions:
        part.inbox.ensure()
    put(store, event(2))
    drained(store, consumer)
    assert agreement.in_force(store.redis, store.keys) == mark
    store.redis.flushall()
    assert agreement.agreed_rings(store).mark == mark, "a process that begins then says what its files say"


@pytest.mark.slow
def test_a_worker_that_has_not_seen_the_new_key_decides_nothing_and_says_so(
    store: Store, home: Path, start_worker: Start, tmp_path: Path
) -> None:
    """Another machine: a copy of the secret, an audit folder of its own."""
    agreement.agreed_rings(store)
    (tmp_path / "machine").mkdir(mode=0o700)
    shutil.copy2(store.settings.secret_path, tmp_path / "machine/secret")
    env = {"SCRUB_SECRET_FILE": str(tmp_path / "machine/secret")}
    worker = start_worker(env=env, concurrency=1).wait_ready(60)
    put(store, event(0))
    settled(store, 1, 60)
    done = rotate(store, "patient", patience=1)
    assert len(done.lacking) == 1, "it is not put in force by itself"
    turned = keyring.load_rings(store.settings.secret_path, "").turned("patient", done.key.id)
    agreement.settle_rings(store, turned.mark)  # somebody did not wait
    put(store, again(0), event(1))
    sentence = f"The key {done.key.id} is wanted and is not in {tmp_path / 'machine/secret.patient'}"
    until(lambda: sentence in worker.text(), 60, worker.text)
    assert reconcile(store.redis, store.keys).outlet("billing").count == 1
    shutil.copy2(keyring.ring_file(store.settings.secret_path, "patient"), tmp_path / "machine/secret.patient")
    settled(store, 3, 60)
    assert results(store) == {"evt-0": "billing", "again-0": "rework", "evt-1": "billing"}
    assert worker.stop(60) == 0
    with pytest.raises(KeyNotHere):
        keyring.load_rings(without_ring(tmp_path / "machine/secret"), turned.mark)


def without_ring(secret: Path) -> Path:
    """As a machine that begins without the ring."""
    keyring.ring_file(secret, "patient").unlink()
    return secret


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [1, 4])
def test_real_workers_decide_under_load_while_both_keys_are_rotated(
    home: Path, unset: None, monkeypatch: pytest.MonkeyPatch, start_worker: Start, count: int
) -> None:
    monkeypatch.setenv("SCRUB_PARTITIONS", str(count))
    env = {"SCRUB_PARTITIONS": str(count), "SCRUB_BATCH": "7"}
    settings = load_settings(state_dir=home)
    first, total = 400, 1_600
    with opening.open_store(settings) as store:
        for _ in range(2):
            start_worker(env=env).wait_ready(60)
        over = threading.Event()

        def send() -> None:
            """Each claim, and later a copy of it under another number: by then the keys have turned, maybe twice."""
            for number in range(total):
                put(store, event(number))
                if number >= first:
                    put(store, again(number - first))
                time.sleep(0.025)
            for number in range(total - first, total):
                put(store, again(number))
            over.set()

        sender = threading.Thread(target=send)
        sender.start()
        turns = 0
        while not over.is_set() and turns < 4:
            done = scrub(
                settings, "secret", "rotate", RINGS[turns % 2], "--reason", "a test", SCRUB_PARTITIONS=str(count)
            )
            assert done.returncode == 0, done.stdout + done.stderr
            turns += 1
        assert turns == 4, "the keys turned while claims came"
        sender.join()
        accepted = 2 * total
        until(lambda: decided(store) == accepted, 120, lambda: reconcile(store.redis, store.keys))
        found = results(store)
        assert len(found) == accepted
        assert {found[f"evt-{number}"] for number in range(total)} == {"billing"}
        wrong = [number for number in range(total) if found[f"again-{number}"] != "rework"]
        assert not wrong, f"the history of {len(wrong)} patients was not found, the first {wrong[:5]}"
        assert reconcile(store.redis, store.keys).balance == 0
        assert len(ledgers_of(store)) == total
        assert len(ids_in_lines(settings)) == 3, "lines under the secret and two keys after it"
    verified = scrub(settings, "audit", "verify", SCRUB_PARTITIONS=str(count))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    listed = scrub(settings, "secret", "list", SCRUB_PARTITIONS=str(count))
    assert (listed.returncode, listed.stdout.count("in force")) == (0, 2), listed.stdout


def decided(store: Store) -> int:
    return sum(reconcile(store.redis, store.keys).outlet(name).count for name in OUTLETS)


def ids_in_lines(settings: Settings) -> set[str]:
    return {
        json.loads(line)["audit.key"]
        for file in settings.audit_path.glob("*.jsonl")
        for line in file.read_bytes().splitlines()
    }


def scrub(settings: Settings, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    return subprocess.run(
        [sys.executable, "-m", "worker", *words], capture_output=True, text=True, timeout=100,
        env={**clean, "SCRUB_STATE_DIR": str(settings.state_dir), **env}, check=False,
    )  # fmt: skip


def test_the_account_of_the_workers_is_enough_and_what_a_person_did_is_in_the_audit_log(home: Path) -> None:
    """Keys of the shipped users: `worker` rotates, `operator` may not, and enters history afterwards."""
    with guarded(home) as server:
        with opening.open_store(server.settings("worker")) as store:
            consumer = bootstrap.inbox_consumer(store, quiet(store))
            put(store, event(0))
            drained(store, consumer)
            done = rotate(store, "patient")
            put(store, again(0))
            drained(store, consumer)
            consumer.audit.close()
            (line,) = [
                one for file in store.settings.audit_path.glob("*.jsonl")
                for one in map(json.loads, file.read_bytes().splitlines()) if one["event.action"] == "secret.rotated"
            ]  # fmt: skip
            said = [line[name] for name in ("secret.ring", "secret.key", "event.reason")]
            assert said == ["patient", done.key.id, "a test"]
            first = load_ring(store.settings.secret_path, "patient").first.id
            assert (line["secret.previous_key"], bool(line["user.name"])) == (first, True)
            secret = load_secret(store.settings.secret_path).decode()
            ring = keyring.ring_file(store.settings.secret_path, "patient").read_text()
            logged = "".join(file.read_text() for file in store.settings.audit_path.iterdir())
            assert secret not in logged
            assert ring.split()[-1] not in logged
            assert {found.state for found in verified(store)} == {"sound"}
            put(store, event(1))
            drained(store, consumer)
            consumer.audit.close()
        with opening.open_store(server.settings("operator")) as store:
            recorder = bootstrap.ledger_recorder(store)
            assert recorder.reject("PCN-00001", "277CA A7") == 1
            recorder.audit.close()


def verified(store: Store) -> list[check.FileCheck]:
    ring, heads = load_ring(store.settings.secret_path, "audit"), chains.known(store.redis, store.keys)
    return [chains.verify(file, ring, heads, {}) for file in store.settings.audit_path.glob("*.jsonl")]
