"""Ledgers and event memory in encrypted files, and back from them and the audit lines since.

Redis is emptied, cut or brought back from an older copy now and then (redis#4931, redis#11365, valkey#3983); what it
alone holds are the ledgers, by which duplicates are found, and the events that were decided.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.doctor.snapshots import snapshots
from worker.errors import SnapshotRefused, SnapshotUnusable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers, snapshot
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.recovery import since
from worker.pipeline.repartition import repartition
from worker.pipeline.restoring import Restored
from worker.store import opening
from worker.store.agreement import Standing, write
from worker.store.connections import Store
from worker.store.keyring import load_ring
from worker.store.outletspecs import OUTLETS
from worker.store.registry import Producer, producers_of
from worker.store.sealedfile import sealing, unsealed

from .guarded import guarded
from .helpers import claim, counting, event, ledgers, quiet
from .test_behind import copy
from .test_behind import restore as put_back
from .test_ledger import documents
from .test_rotation import scrub as scrub_with


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    """The ledger keeps for 20 years what is dated 2026 here."""
    return load_settings(state_dir=home, history_months=240)


def decide(store: Store, consumer: InboxConsumer, *events: bytes, stream: str = "") -> None:
    for one in events:
        store.redis.xadd(store.keys.stream(stream), {"event": one})
    while not reconcile(store.redis, store.keys).settled:
        consumer.run()


def scrub(store: Store, *words: str) -> Any:
    return scrub_with(store.settings, *words, SCRUB_HISTORY_MONTHS="240")


def taken(store: Store, keep: int = 9) -> Path:
    return snapshot.take(store, store.settings.snapshot_path, keep).file


def restored(store: Store, file: Path) -> Restored:
    ring = load_ring(store.settings.secret_path, "audit")
    about, records = snapshot.opened(file, ring)
    told = since(store.settings.audit_path, (), ring, about.heads)
    restorer = bootstrap.restorer(store)
    try:
        return restorer.restore(file, about, records, told)
    finally:
        restorer.audit.close()


def agreed_again(store: Store) -> Store:
    """As the next command finds a Redis that somebody emptied."""
    with opening.open_store(store.settings, hold=False):
        return store


def went(store: Store) -> dict[str, str]:
    """By event, the outlet of its result."""
    found = [(name, entry) for name in OUTLETS for entry in tail(store.redis, store.keys, name)]
    return {entry.event["eventid"]: name for name, entry in found}


def blocks(entry: OutletEntry) -> list[str]:
    return [f["code"] for f in entry.data["report"]["findings"] if f["severity"] == "block"]


def test_after_flushall_duplicates_and_repeats_of_before_the_snapshot_are_found(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    decide(store, consumers(), *(event(n) for n in range(20)))
    before, file = ledgers(store), taken(store)
    expiries = {key: store.redis.pexpiretime(key) for key in store.redis.scan_iter(match="*:event:*")}
    store.redis.flushall()
    found = restored(agreed_again(store), file)
    assert (found.keys, found.recovered) == (Counter(ledgers=20, events=20), [])
    assert {name: one.entries for name, one in ledgers(store).items()} == {k: v.entries for k, v in before.items()}
    for key, until in expiries.items():
        assert abs(store.redis.pexpiretime(key) - until) < 5_000, "forgotten when it would have been"
    copies = [event(100 + n, data=claim(n, claim_id=f"COPY-{n}")) for n in range(20)]
    decide(store, consumers(), *(event(n) for n in range(20)), *copies, event(200, data=claim(200)))
    assert went(store) == {f"evt-{100 + n}": "rework" for n in range(20)} | {"evt-200": "billing"}
    assert {code for entry in tail(store.redis, store.keys, "rework") for code in blocks(entry)} == {"DUP001"}
    now = reconcile(store.redis, store.keys)
    assert (now.accepted, now.balance, now.settled) == (41, 0, True)


def test_of_claims_since_the_snapshot_the_audit_lines_tell_number_and_version_and_an_import_the_rest(
    store: Store, consumers: Callable[..., InboxConsumer], tmp_path: Path
) -> None:
    first = consumers()
    decide(store, first, event(0))
    file = taken(store)
    rework = claim(3, total_charge="1.00")
    later = [
        event(1),
        event(2),
        event(3, data=rework),
        event(4, data=claim(0, frequency_code="7", original_reference_number="ICN-0")),
    ]
    decide(store, first, *later)
    assert counting(store) == ["PCN-00000", "PCN-00001", "PCN-00002"]
    store.redis.flushall()
    found = restored(agreed_again(store), file)
    assert [one.claim_id for one in found.recovered if one.billed] == ["PCN-00001", "PCN-00002", "PCN-00000"]
    assert counting(store) == ["PCN-00000", "PCN-00001", "PCN-00002"]
    states = {one.claim_id: one.state for ledger in ledgers(store).values() for one in ledger.entries.values()}
    assert states == {"PCN-00000": "billed", "PCN-00001": "billed", "PCN-00002": "billed", "PCN-00003": "seen"}
    # What is told is not more than that: a copy under another number is found once the claim itself is imported.
    recorder = bootstrap.ledger_recorder(store)
    for fate in ("entered", "known"):
        assert recorder.enter(documents(tmp_path, claim(2)), date(2026, 11, 30)) == {fate: 1}
    recorder.audit.close()
    decide(store, consumers(), *(event(10 + n, data=claim(n, claim_id=f"COPY-{n}")) for n in range(3)))
    assert went(store) == {"evt-10": "rework", "evt-11": "billing", "evt-12": "rework"}


def test_what_waits_in_an_older_copy_is_decided_again_as_it_was(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    """It is in the snapshot as decided: put back so, it would be taken for a repeat, and its result would be lost."""
    producers.add(store.redis, store.keys, Producer("ehr"))
    first = consumers()
    decide(store, first, event(0))
    store.redis.xadd(store.keys.inbox, {"event": event(1)})
    store.redis.xadd(store.keys.stream("ehr"), {"event": event(2)})
    backup = copy(store)
    decide(store, first, event(3))
    before = {entry.event["eventid"]: entry.decision_id for entry in tail(store.redis, store.keys, "billing")}
    file = taken(store)
    put_back(store, backup)
    found = restored(store, file)
    assert found.keys["waiting"] == 2
    assert counting(store) == ["PCN-00000", "PCN-00003"]
    decide(store, consumers())
    assert went(store) == {"evt-0": "billing", "evt-1": "billing", "evt-2": "billing"}
    again = {entry.event["eventid"]: entry.decision_id for entry in tail(store.redis, store.keys, "billing")}
    assert (again["evt-0"], again["evt-1"]) == (before["evt-0"], before["evt-1"])
    decide(store, consumers(), event(3))
    assert "evt-3" not in went(store), "it is known as decided"
    assert reconcile(store.redis, store.keys).balance == 0


def test_what_redis_has_that_is_later_stays_and_to_restore_again_changes_nothing(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    decide(store, consumers(), event(0), event(1))
    file = taken(store)
    decide(store, consumers(), event(2, data=claim(0, frequency_code="8")), event(3))
    everything = copy(store)
    found = restored(store, file)
    assert found.keys == Counter(there=4)
    ours = {key: value for key, value in copy(store).items() if b":ledger:" in key or b":event:" in key}
    assert ours == {key: value for key, value in everything.items() if key in ours}
    store.redis.flushall()
    restored(agreed_again(store), file)
    once = ledgers(store)
    restored(store, file)
    assert ledgers(store) == once


def test_a_rejection_since_counts_and_what_was_sent_after_it_as_well(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    decide(store, consumers(), event(0), event(1))
    file = taken(store)
    recorder = bootstrap.ledger_recorder(store)
    for name in ("PCN-00000", "PCN-00001"):
        recorder.reject(name, "277CA A7")
    recorder.audit.close()
    decide(store, consumers(), event(2, data=claim(1)))
    store.redis.flushall()
    assert restored(agreed_again(store), file).rejected == 1
    assert counting(store) == ["PCN-00001"]


def test_senders_and_facilities_are_registered_again(store: Store, consumers: Callable[..., InboxConsumer]) -> None:
    for name, facility in (("north", "north"), ("south", "south")):
        producers.add(store.redis, store.keys, Producer(name, facility))
    decide(store, consumers(), event(0), stream="north")
    file, known = taken(store), producers_of(store.redis, store.keys)
    decide(store, consumers(), event(1, data=claim(1)), stream="south")
    store.redis.flushall()
    found = restored(agreed_again(store), file)
    assert found.producers == ("north", "south")
    assert producers_of(store.redis, store.keys) == known
    assert {one.facility for ledger in ledgers(store).values() for one in ledger.entries.values()} == {"north", "south"}
    # A void of the other facility reaches neither.
    decide(store, consumers(), event(5, data=claim(0, frequency_code="8")), stream="south")
    assert counting(store) == ["PCN-00000", "PCN-00001"]


def test_another_number_of_partitions_finds_what_one_has_written(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    decide(store, consumers(), *(event(n) for n in range(20)))
    file = taken(store)
    store.redis.flushall()
    agreed_again(store)
    repartition(store.redis, 4)
    four = load_settings(state_dir=store.settings.state_dir, partitions=4, history_months=240)
    with opening.open_store(four, hold=False) as several:
        assert restored(several, file).keys == Counter(ledgers=20, events=20)
        decide(several, consumers(several), *(event(100 + n, data=claim(n, claim_id=f"COPY-{n}")) for n in range(20)))
        assert Counter(went(several).values()) == Counter(rework=20)


def test_ledgers_that_stand_under_a_key_of_before_are_in_it_once_and_found_again(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    first = consumers()
    decide(store, first, *(event(n) for n in range(6)))
    assert scrub(store, "secret", "rotate", "patient", "--reason", "a test").returncode == 0
    decide(store, first, event(6, data=claim(0, claim_id="COPY-0")), event(7))  # one is renamed, one is new
    assert scrub(store, "secret", "rotate", "audit", "--reason", "a test").returncode == 0
    file = taken(store)
    decide(store, first, event(8), event(9))  # one of them may be a patient of before, for all that a line says
    store.redis.flushall()
    found = restored(agreed_again(store), file)
    assert (found.keys["ledgers"], found.unnamed) == (7, 2)
    decide(store, consumers(), *(event(20 + n, data=claim(n, claim_id=f"AGAIN-{n}")) for n in (0, 1, 5, 7)))
    assert Counter(went(store).values()) == Counter(rework=4)


def test_a_snapshot_of_a_later_layout_is_refused(store: Store, consumers: Callable[..., InboxConsumer]) -> None:
    decide(store, consumers(), event(0))
    file = taken(store)
    store.redis.flushall()
    write(store.redis, Standing())
    with pytest.raises(SnapshotRefused, match="`scrub migrate` comes first"):
        restored(store, file)
    assert ledgers(store) == {}


def test_lines_of_a_file_that_was_tampered_with_tell_nothing_from_there_on(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    first = consumers()
    decide(store, first, event(0))
    file = taken(store)
    decide(store, first, event(1), event(2))
    audit = first.audit.file
    raw = audit.read_bytes()
    audit.write_bytes(raw.replace(b'"PCN-00002"', b'"PCN-66666"'))
    store.redis.flushall()
    found = restored(agreed_again(store), file)
    assert [one.claim_id for one in found.recovered] == ["PCN-00001"]


def test_only_the_newest_are_kept_and_all_are_ours_alone(store: Store, consumers: Callable[..., InboxConsumer]) -> None:
    folder = store.settings.snapshot_path
    folder.mkdir(mode=0o700)
    for day in range(1, 6):
        (folder / f"ledger-2026110{day}T020000Z.snapshot").touch()
    (folder / "notes.txt").touch()
    file = taken(store, keep=3)
    left = sorted(one.name for one in folder.iterdir())
    assert left == ["ledger-20261104T020000Z.snapshot", "ledger-20261105T020000Z.snapshot", file.name, "notes.txt"]
    assert (file.stat().st_mode & 0o777, snapshot.files(folder)[-1]) == (0o600, file)


# The file.


@pytest.fixture
def lines() -> list[bytes]:
    """More than three parts, and nothing that packs well."""
    return [secrets.token_hex(500).encode() for _ in range(7_000)]


@pytest.fixture
def sealed(store: Store, lines: list[bytes]) -> Path:
    bootstrap.ledger_recorder(store).audit.close()  # makes the secret
    file = store.settings.state_dir / "x"
    with sealing(file, load_ring(store.settings.secret_path, "audit").active) as put:
        for line in lines:
            put(line)
    return file


def read(store: Store, file: Path) -> list[bytes]:
    return list(unsealed(file, load_ring(store.settings.secret_path, "audit")))


def test_nothing_of_it_can_be_read_and_all_of_it_comes_back(store: Store, sealed: Path, lines: list[bytes]) -> None:
    raw = sealed.read_bytes()
    assert len(raw) > 3 * 2**20
    assert not any(line[:40] in raw for line in lines[:50])
    assert read(store, sealed) == lines


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_changed_byte_is_noticed_before_its_part_is_believed(
    store: Store, sealed: Path, lines: list[bytes], number: int
) -> None:
    raw = bytearray(sealed.read_bytes())
    raw[min(100 + number * (2**20 + 16), len(raw) - 1)] ^= 1
    sealed.write_bytes(raw)
    found = list[bytes]()
    with pytest.raises(SnapshotUnusable, match=f"part {number + 1} is not as it was written"):
        found += unsealed(sealed, load_ring(store.settings.secret_path, "audit"))
    assert found == lines[: len(found)]


@pytest.mark.parametrize(
    "change",
    [
        lambda raw, part: raw[: -len(raw) % part or -1],
        lambda raw, part: raw[: 48 + 2 * part],
        lambda raw, part: raw[: 48 + part] + raw[48 + 2 * part :],
        lambda raw, part: raw[:48] + raw[48 + part : 48 + 2 * part] + raw[48 : 48 + part] + raw[48 + 2 * part :],
        lambda raw, part: raw + b"\0",
        lambda raw, part: raw[:40] + b"\0" * 8 + raw[48:],
    ],
    ids=["cut within", "cut between parts", "a part left out", "two exchanged", "something behind", "another salt"],
)
def test_a_file_that_was_cut_or_put_together_is_refused(
    store: Store, sealed: Path, change: Callable[[bytes, int], bytes]
) -> None:
    sealed.write_bytes(change(sealed.read_bytes(), 2**20 + 16))
    with pytest.raises(SnapshotUnusable, match="is not as it was written"):
        read(store, sealed)


def test_another_key_and_another_file_are_named_as_such(store: Store, sealed: Path, home: Path) -> None:
    secret = home / "other"
    secret.write_text(secrets.token_hex(32))
    secret.chmod(0o600)
    with pytest.raises(SnapshotUnusable, match="sealed with the key [0-9a-f]{8}, which is not in"):
        list(unsealed(sealed, load_ring(secret, "audit")))
    for content in (b"", b"something else, and longer than the head of a snapshot is"):
        sealed.write_bytes(content)
        with pytest.raises(SnapshotUnusable, match="it is no file that `scrub snapshot` made"):
            read(store, sealed)
    with pytest.raises(SnapshotUnusable, match="No such file"):
        read(store, home / "gone")


def test_a_snapshot_that_breaks_off_leaves_no_file(store: Store, sealed: Path) -> None:
    ring = load_ring(store.settings.secret_path, "audit")

    def broken() -> None:
        with sealing(sealed.with_name("y"), ring.active) as put:
            put(b"line")
            raise KeyboardInterrupt

    before = sorted(os.listdir(sealed.parent))
    with pytest.raises(KeyboardInterrupt):
        broken()
    assert sorted(os.listdir(sealed.parent)) == before


# The commands.


def test_the_commands_say_what_was_put_back_and_what_cannot_be_known(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    first = consumers()
    decide(store, first, event(0), event(1))
    done = scrub(store, "snapshot")
    assert (done.returncode, done.stderr) == (0, "")
    assert ": 2 ledgers and 2 events, " in done.stdout
    decide(store, first, event(2), event(3, data=claim(0, frequency_code="7", original_reference_number="ICN-0")))
    store.redis.flushall()
    done = scrub(store, "restore")
    assert done.returncode == 1
    assert "2 ledgers and 2 events put back.\n2 decisions since, from the audit lines; 0 rejections." in done.stdout
    assert "What this cannot know:\n- the services of 2 claims that went to billing since" in done.stderr
    assert "- 2 events that were decided since: sent again, each is judged again" in done.stderr
    assert "- what 1 replacements and voids since took the place of" in done.stderr
    assert [json.loads(line)["claim_id"] for line in _json(store)] == ["PCN-00002", "PCN-00000"]
    (line,) = [line for line in _audit(store) if line["event.action"] == "history.restored"][:1]
    assert line["history.claims"] == 2


def _json(store: Store) -> list[str]:
    store.redis.flushall()
    done: Any = scrub(store, "restore", "--format", "json")
    return list(done.stdout.splitlines())


def _audit(store: Store) -> Iterator[dict[str, Any]]:
    for file in store.settings.audit_path.iterdir():
        yield from map(json.loads, file.read_text().splitlines())


def test_the_operators_account_takes_it_and_the_administrators_puts_it_back(home: Path) -> None:
    """With the shipped users, on a real server."""
    with guarded(home) as server:
        with opening.open_store(server.settings("worker")) as store:
            consumer = bootstrap.inbox_consumer(store, quiet(store))
            decide(store, consumer, event(0))
            consumer.audit.close()
        with opening.open_store(server.settings("operator")) as store:
            file = taken(store)
            with pytest.raises(NoPermissionError):
                restored(store, file)
        server.client("admin").flushall()
        with opening.open_store(server.settings("admin")) as store:
            assert restored(store, file).keys == Counter(ledgers=1, events=1)


@pytest.mark.parametrize(("days", "level"), [(0, "well"), (2, "poor")])
def test_the_doctor_says_when_they_no_longer_come(store: Store, days: int, level: str) -> None:
    folder, now = store.settings.snapshot_path, datetime.now(UTC)
    assert list(snapshots(folder, now)) == []
    bootstrap.ledger_recorder(store).audit.close()
    taken(store)
    (found,) = snapshots(folder, now + timedelta(days=days))
    assert (found.level, "The newest of 1 is of " in found.sentence) == (level, True)


def test_without_a_snapshot_or_the_secret_restore_says_so(store: Store) -> None:
    done = scrub(store, "restore")
    assert done.returncode == 2
    assert "it is not there" in done.stderr or "there is none in this folder" in done.stderr
