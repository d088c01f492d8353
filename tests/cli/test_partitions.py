"""Several partitions as an operator sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import bootstrap
from worker.config.settings import load_settings
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.store import agreement, opening
from worker.store.connections import Store
from worker.store.keys import FIELD, Keys

from .conftest import CLEAN, Run

FOUR = {"SCRUB_PARTITIONS": "4", "SCRUB_HISTORY_MONTHS": "240"}


@pytest.fixture
def store(home: Path, unset: None) -> Iterator[Store]:
    with opening.open_store(load_settings(state_dir=home / "state", partitions=4, history_months=240)) as found:
        agreement.agreed_secret(found)  # a producer without it puts all on the first
        yield found


def patient(number: int) -> dict[str, object]:
    return {**CLEAN, "claim_id": f"P-{number}", "subscriber": {"member_id": f"1EG4TE5MK{number:02}"}}


def event(number: int, data: object = None) -> bytes:
    envelope = {"specversion": "1.0", "id": f"evt-{number}", "source": "/x", "type": "claim.submitted.v1"}
    return json.dumps({**envelope, "data": data or patient(number)}).encode()


def work_off(store: Store) -> None:
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    consumer.run()
    consumer.audit.close()


def test_status_sums_the_partitions_and_shows_each(scrub: Run, store: Store) -> None:
    for number in range(20):
        store.redis.xadd(Keys(0, 4).inbox, {FIELD: event(number)})
    work_off(store)
    done = scrub("status", **FOUR)
    told = json.loads(scrub("status", "--json", **FOUR).stdout)
    parts = told["partitions"]
    forwarded = told["forwarded"]
    assert (done.returncode, told["balance"], told["accepted"]) == (0, 0, 20 + forwarded)
    assert 0 < forwarded == told["received"] == parts[0]["forwarded"]
    assert [part["balance"] for part in parts] == [0, 0, 0, 0]
    assert sum(part["billing"] for part in parts) == 20
    table = done.stdout[done.stdout.index("Partitions") :].splitlines()[2:6]
    rows = [[int(cell) for cell in line.split()] for line in table]
    names = ("accepted", "waiting", "in_flight", "billing", "forwarded", "balance")
    assert rows == [[number, *(part[name] for name in names)] for number, part in enumerate(parts)]
    assert f"forwarded  {forwarded}" in " ".join(done.stdout.split()).replace("forwarded ", "forwarded  ")

    store.redis.hincrby(Keys(2, 4).counters, "billing", 1)
    store.redis.hincrby(Keys(3, 4).counters, "billing", -1)
    done = scrub("status", **FOUR)
    assert (done.returncode, "do NOT balance" in done.stdout) == (1, True)
    store.redis.hincrby(Keys(2, 4).counters, "billing", -1)
    store.redis.hincrby(Keys(3, 4).counters, "billing", 1)
    store.redis.hincrby(Keys(3, 4).counters, "received", -1)
    done = scrub("status", **FOUR)
    assert (done.returncode, "1 claims were forwarded and received nowhere" in done.stdout) == (1, True)


@pytest.mark.slow
def test_an_entry_of_quarantine_has_its_partition_in_its_name(scrub: Run, store: Store) -> None:
    for partition in (3, 1):
        store.redis.xadd(Keys(partition, 4).inbox, {FIELD: b"{"})
    work_off(store)
    names = [line.split()[0] for line in scrub("quarantine", "list", **FOUR).stdout.splitlines()[:2]]
    assert sorted(name.partition(":")[0] for name in names) == ["1", "3"]
    assert "not_json" in scrub("quarantine", "show", names[0], **FOUR).stdout
    assert scrub("quarantine", "drop", names[0], "--reason", "a test", **FOUR).stdout == "1 dropped.\n"
    for wrong in (names[0], "7:1-1", "x:1-1", names[1].rpartition(":")[2] if names[1][0] != "0" else "1-1"):
        done = scrub("quarantine", "show", wrong, **FOUR)
        assert (done.returncode, "There is no entry" in done.stderr) == (2, True)
    assert "1 dropped" in scrub("status", **FOUR).stdout
    assert "Nothing is in quarantine" not in scrub("tail", "quarantine", **FOUR).stdout


@pytest.mark.slow
def test_history_is_entered_and_rejected_on_the_partition_of_each_patient(scrub: Run, store: Store, home: Path) -> None:
    file = home / "billed.ndjson"
    file.write_text("".join(json.dumps(patient(number)) + "\n" for number in range(20)))
    assert "20 entered" in scrub("history", "import", file, **FOUR).stdout
    assert "20 in the ledger already" in scrub("history", "import", file, **FOUR).stdout
    assert scrub("history", "reject", "P-3", "P-4", "--reason", "277CA A7", **FOUR).returncode == 0
    copies = [event(number, {**patient(number), "claim_id": f"C-{number}"}) for number in range(20)]
    send(store.redis, store.keys, copies, source="t", settings=store.settings)
    work_off(store)
    told = json.loads(scrub("status", "--json", **FOUR).stdout)
    counts = {outlet["name"]: outlet["count"] for outlet in told["outlets"]}
    assert (counts["billing"], counts["rework"]) == (2, 18)


@pytest.mark.slow
def test_the_number_grows_by_command_and_is_refused_where_it_is_not_the_one_of_redis(scrub: Run, store: Store) -> None:
    send(store.redis, store.keys, [event(number) for number in range(20)], source="t", settings=store.settings)
    done = scrub("partitions", "8", **FOUR)
    assert done.returncode == 2
    assert done.stderr.startswith("The number of partitions does not change: 20 claims")
    work_off(store)
    assert scrub("partitions", **FOUR).stdout == "4\n"
    done = scrub("partitions", "8", **FOUR)
    assert done.stdout.startswith("8 partitions; ")
    assert "Set SCRUB_PARTITIONS=8" in done.stdout
    done = scrub("status", **FOUR)
    assert (done.returncode, "holds 8 partition" in done.stderr) == (2, True)
    done = scrub("status", SCRUB_PARTITIONS="8")
    assert (done.returncode, "20 accounted for" in done.stdout) == (0, True)
    done = scrub("partitions", "2", SCRUB_PARTITIONS="8")
    assert (done.returncode, "can only become more" in done.stderr) == (2, True)
    store.redis.hset(store.keys.meta, "partitions", "8 to 16")
    done = scrub("partitions", SCRUB_PARTITIONS="8")
    assert (done.returncode, "broke off" in done.stdout) == (0, True)
    done = scrub("submit", "-", stdin=json.dumps(CLEAN).encode(), SCRUB_PARTITIONS="8")
    assert (done.returncode, "scrub partitions 16" in done.stderr) == (2, True)
    done = scrub("doctor", SCRUB_PARTITIONS="8")
    assert (done.returncode, "A change from 8 to 16" in " ".join(done.stdout.split())) == (1, True)
    assert scrub("partitions", "16", SCRUB_PARTITIONS="8").returncode == 0


def test_a_file_that_is_sent_again_is_repeated_whatever_its_patients(scrub: Run, store: Store, home: Path) -> None:
    file = home / "claims.ndjson"
    file.write_text("".join(json.dumps(patient(number)) + "\n" for number in range(40)))
    assert "40 sent" in scrub("submit", file, **FOUR).stdout
    work_off(store)
    assert "40 sent" in scrub("submit", file, **FOUR).stdout
    work_off(store)
    assert json.loads(scrub("status", "--json", **FOUR).stdout)["repeated"] == 40
