"""Two layouts under one release: a store of the release before, opened, worked on, migrated."""

from __future__ import annotations

import json
import lzma
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.errors import LayoutFixed, LayoutTooNew, LayoutTooOld, PartitionsFixed
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import migration, quarantine
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.ledger import Ledger
from worker.pipeline.maintenance import maintain
from worker.pipeline.migration import migrate
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.repartition import repartition
from worker.store import agreement, opening
from worker.store.agreement import Standing, readable, standing
from worker.store.connections import Store
from worker.store.keys import FIELD, FORWARDED, INNER, Keys
from worker.store.layout import FAMILIES, NEWEST, OLDEST, family_of
from worker.store.outletspecs import OUTLETS

from .helpers import claim, event, quiet

OLD = Path(__file__).parents[1] / "fixtures/layout1"
ABOUT = json.loads((OLD / "about.json").read_text())
FORMER = re.compile(r"(\d+)(?: to (\d+))?")
"""What release 0.1 reads in the field `partitions`; it refuses to start where there is something else."""
FAR = "4102444800000"


@pytest.fixture
def settings(home: Path, unset: None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SCRUB_PARTITIONS", "2")
    (home / "secret").write_bytes((OLD / "secret").read_bytes())
    (home / "secret").chmod(0o600)
    found = load_settings(state_dir=home, history_months=240, event_memory=3650)
    return found.model_copy(update={"reclaim": 0.001})  # whatever another process has in hand is taken over at once


@pytest.fixture
def old(settings: Settings) -> Iterator[Store]:
    """The store as that release left it."""
    with opening.open_store(settings) as found:
        found.redis.flushall()
        replay(found.redis, lzma.decompress((OLD / "store.aof.xz").read_bytes()))
        yield found


def replay(redis: Redis, log: bytes) -> None:
    """Does the commands of an append-only file again; nothing of it expires."""
    at = 0
    while at < len(log):
        end = log.index(b"\r\n", at)
        number, at = int(log[at + 1 : end]), end + 2
        words = []
        for _ in range(number):
            end = log.index(b"\r\n", at)
            size, at = int(log[at + 1 : end]), end + 2
            words.append(log[at : at + size])
            at += size + 2
        if words[0].upper() in (b"SELECT", b"MULTI", b"EXEC"):
            continue
        if b"PXAT" in words:
            words[words.index(b"PXAT") + 1] = FAR.encode()
        redis.execute_command(*words)


def consumer_of(store: Store) -> InboxConsumer:
    return bootstrap.inbox_consumer(store, quiet(store))


def work_off(store: Store) -> None:
    consumer = consumer_of(store)
    for _ in range(20):
        consumer.run()
        if reconcile(store.redis, store.keys).settled:
            break
        time.sleep(0.01)
    consumer.audit.close()


def everything(store: Store) -> list[tuple[str, OutletEntry]]:
    return [(name, entry) for name in OUTLETS for entry in tail(store.redis, store.keys, name)]


def test_the_store_of_the_release_before_holds_what_is_said_of_it(old: Store) -> None:
    found = reconcile(old.redis, old.keys)
    assert (found.accepted, found.waiting, found.in_flight, found.balance) == (23, 3, 2, 0)
    assert standing(old.redis) == Standing(2, 2, 1)
    assert FORMER.fullmatch(old.redis.hget(old.keys.meta, "partitions").decode())
    assert not old.redis.exists(*(part.stream(INNER) for part in old.keys.all))
    assert {family_of(key.decode()) for key in old.redis.scan_iter("{claims:*")} <= {
        family for family in FAMILIES.values() if family.since == OLDEST
    }


def never(store: Store) -> None:
    """It stays as it is."""


def before(store: Store) -> None:
    migrate(store.redis)


def midway(store: Store) -> None:
    """After some were taken, and with a part of them forwarded."""
    consumer = consumer_of(store)
    for one in consumer.partitions:
        one.prepare(time.monotonic() + 10)
        one.serve(False)
        break
    consumer.audit.close()
    migrate(store.redis)


@pytest.mark.parametrize("when", [never, before, midway], ids=lambda when: when.__name__)
def test_it_is_worked_off_and_nothing_is_lost_or_decided_twice(old: Store, when: Callable[[Store], None]) -> None:
    when(old)
    work_off(old)
    found = reconcile(old.redis, old.keys)
    assert (found.settled, found.balance) == (True, 0)
    ends = Counter(entry.event.get("eventid", "") for _, entry in everything(old))
    wanted = [*range(10), *ABOUT["right"], *ABOUT["wrong"]]
    # evt-4 twice: as it came, and what a person requeued under its name, which is looked for in no memory.
    assert ends == Counter([f"evt-{number}" for number in wanted] + ["evt-4", ""])
    assert (found.repeated, found.outlet("quarantine").count) == (1, 1)
    assert not [key for key in old.redis.scan_iter("*:attempts") if old.redis.hlen(key)]


@pytest.mark.parametrize("when", [never, before], ids=lambda when: when.__name__)
def test_events_and_versions_of_before_are_known(old: Store, when: Callable[[Store], None]) -> None:
    when(old)
    work_off(old)
    billed = len(list(tail(old.redis, old.keys, "billing")))
    for number in range(10):
        body = event(number) if number != 4 else event(4, data=claim(4, diagnoses=["M54.31", "M54.16"]))
        old.redis.xadd(Keys(number % 2, 2).inbox, {FIELD: body})
        copy = claim(number, claim_id=f"COPY-{number}")
        old.redis.xadd(Keys(number % 2, 2).inbox, {FIELD: event(number, id=f"c-{number}", data=copy)})
    work_off(old)
    found = reconcile(old.redis, old.keys)
    assert (found.repeated, found.balance) == (11, 0)
    assert len(list(tail(old.redis, old.keys, "billing"))) == billed, "each copy is a duplicate"


def test_until_it_is_migrated_all_is_written_as_the_release_before_reads_it(old: Store) -> None:
    work_off(old)
    assert maintain(old, quiet(old))
    assert old.redis.hget(old.keys.meta, "partitions") == b"2"
    families = {family_of(key.decode()) for key in old.redis.scan_iter("{claims:*")}
    assert families <= {family for family in FAMILIES.values() if family.since == OLDEST}
    for key in old.redis.scan_iter("*:ledger:*"):
        ledger = Ledger.parse(old.redis.get(key).decode())
        assert re.fullmatch(r"\d+-\d+", ledger.version)
        for entry in ledger.entries.values():
            assert re.fullmatch(r"\d+-\d+", entry.revision)
            assert len(entry.packed()) in (3, 9)
    for key in old.redis.scan_iter("*:event:*"):
        assert re.fullmatch(r"[0-9a-f]{64} ([0-9a-f]{32} \d+-\d+|@\d+)", old.redis.get(key).decode())


def test_in_layout_1_what_workers_write_beside_an_event_is_believed_on_the_inbox_as_before(old: Store) -> None:
    work_off(old)
    fields = {FIELD: event(3, requeue_of="0:1-1"), FORWARDED: "0:1700000000000-0"}
    old.redis.xadd(Keys(0, 2).inbox, fields)
    work_off(old)
    assert reconcile(old.redis, old.keys).repeated == 1, "it is judged, and not repeated"


@pytest.mark.parametrize("partition", [0, 1])
def test_in_layout_2_it_is_believed_up_to_the_last_entry_of_layout_1_and_no_further(old: Store, partition: int) -> None:
    """Also where it came in on the other partition, and is forwarded after that."""
    work_off(old)
    forged = {FIELD: event(3, requeue_of="0:1-1"), FORWARDED: "0:1700000000000-0"}
    stream = Keys(partition, 2).inbox
    old.redis.xadd(stream, forged)
    migrate(old.redis)
    work_off(old)
    assert reconcile(old.redis, old.keys).repeated == 1, "an old worker may have put it there"
    old.redis.xadd(stream, forged)
    work_off(old)
    assert reconcile(old.redis, old.keys).repeated == 2


def test_what_a_person_requeues_goes_where_the_layout_says(old: Store) -> None:
    work_off(old)
    for layout in (1, 2):
        for part in old.keys.all:
            part_event = event(70 + layout, data=claim(7, diagnoses=["M54.31"] * layout))
            old.redis.xadd(part.inbox, {FIELD: part_event})
            old.redis.xadd(part.inbox, {FIELD: event(70 + layout, data=claim(8, diagnoses=["M54.31"] * (layout + 1)))})
        work_off(old)
        desk = bootstrap.quarantine_desk(old)
        held = [one for one in quarantine.entries(old.redis, old.keys) if one.data["reason"] == "event_id_reused"]
        assert held
        counts = (_lengths(old, "inbox"), _lengths(old, INNER))
        assert desk.requeue(held[0], "a test")
        after = (_lengths(old, "inbox"), _lengths(old, INNER))
        assert after == ((counts[0] + 1, counts[1]) if layout == 1 else (counts[0], counts[1] + 1))
        for one in held[1:]:
            desk.drop(one, "a test")
        desk.audit.close()
        repeated = reconcile(old.redis, old.keys).repeated
        work_off(old)
        found = reconcile(old.redis, old.keys)
        assert (found.settled, found.balance, found.repeated) == (True, 0, repeated)
        if layout == 1:
            migrate(old.redis)


def _lengths(store: Store, name: str) -> int:
    return sum(int(store.redis.xlen(part.of(name))) for part in store.keys.all)


# Who may migrate, and when.


def older(store: Store, name: str = "old-1-ab") -> None:
    """A worker of the release before, which says no layout."""
    says = {"host": "old", "pid": 1, "processes": [1], "version": "0.1.1"}
    store.redis.hset(store.keys.workers, name, f"{time.time() * 1000:.0f} {json.dumps(says)}")


def test_it_is_refused_while_an_older_worker_is_alive(old: Store) -> None:
    older(old)
    with pytest.raises(LayoutFixed, match=r"1 worker\(s\) of an older release run \(old-1-ab\)"):
        migrate(old.redis)
    assert standing(old.redis) == Standing(2, 2, 1)
    old.redis.hdel(old.keys.workers, "old-1-ab")
    assert migrate(old.redis) == Standing(2, 2, 1)
    assert standing(old.redis) == Standing(2, 2, 2)


def test_it_looks_again_once_no_older_worker_can_start_any_more(old: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = migration.write

    def write(redis: Redis, to: Standing) -> None:
        plain(redis, to)
        if to.migrating:
            older(old)

    monkeypatch.setattr(migration, "write", write)
    with pytest.raises(LayoutFixed, match="old-1-ab"):
        migrate(old.redis)
    assert standing(old.redis) == Standing(2, 2, 1)
    assert not old.redis.exists(*(part.stream(INNER) for part in old.keys.all))


def test_the_release_before_starts_neither_while_it_migrates_nor_after(old: Store) -> None:
    for note in (Standing(2, 2, 1, True), Standing(2, 2, 2), Standing(2, 4, 2)):
        assert not FORMER.fullmatch(str(note)), note
    for note in (Standing(2, 2, 1), Standing(2, 4, 1)):
        assert FORMER.fullmatch(str(note)), note


def test_one_that_broke_off_is_seen_harms_nothing_and_is_finished_by_doing_it_again(
    old: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = migration.named

    def breaking(name: str) -> str:
        if old.redis.hexists(Keys(1, 2).meta, "layout"):
            raise ConnectionError
        return plain(name)

    monkeypatch.setattr(migration, "named", breaking)
    with pytest.raises(ConnectionError):
        migrate(old.redis)
    monkeypatch.undo()
    assert standing(old.redis) == Standing(2, 2, 1, True)
    with pytest.raises(PartitionsFixed, match="scrub migrate"):
        repartition(old.redis, 4)
    for number in (80, 81, 82, 83):
        old.redis.xadd(Keys(0, 2).inbox, {FIELD: event(number)})
    consumer = consumer_of(old)
    consumer.run()
    consumer.audit.close()
    assert reconcile(old.redis, old.keys).balance == 0
    migrate(old.redis)
    work_off(old)
    ends = Counter(entry.event.get("eventid", "") for _, entry in everything(old))
    assert [ends[f"evt-{number}"] for number in (80, 81, 82, 83)] == [1] * 4
    assert migrate(old.redis) == Standing(2, 2, 2), "once more changes nothing"


def test_another_number_of_partitions_keeps_the_layout(old: Store) -> None:
    migrate(old.redis)
    work_off(old)
    repartition(old.redis, 4)
    assert standing(old.redis) == Standing(4, 4, 2)
    with opening.open_store(old.settings.model_copy(update={"partitions": 4})) as four:
        for number in range(90, 110):
            four.redis.xadd(Keys(number % 4, 4).inbox, {FIELD: event(number)})
        work_off(four)
        found = reconcile(four.redis, four.keys)
        assert (found.settled, found.balance, found.forwarded) == (True, 0, found.received)
        assert all(four.redis.hget(part.meta, "layout") == b"2" for part in four.keys.all)


def test_too_old_and_too_new_refuse_to_start_with_a_sentence(old: Store) -> None:
    agreement.write(old.redis, Standing(2, 2, NEWEST + 1))
    with pytest.raises(LayoutTooNew, match="of layout 3, and this release of claim-scrubber reads 1 to 2"):
        opening.open_store(old.settings)
    with pytest.raises(LayoutTooNew):
        migrate(old.redis)
    with pytest.raises(LayoutTooOld, match="Install the release before this one"):
        readable(1, oldest=2, newest=3)
    readable(OLDEST)
    readable(NEWEST)


def test_a_redis_that_nobody_has_used_begins_with_the_newest_layout(old: Store) -> None:
    old.redis.flushall()
    with opening.open_store(old.settings) as fresh:
        assert standing(fresh.redis) == Standing(2, 2, NEWEST)
        work_off(fresh)
        assert {family_of(key.decode()) for key in fresh.redis.scan_iter("{claims:*")} <= {*FAMILIES.values()}


def test_every_key_is_of_a_family_and_in_its_kind(old: Store) -> None:
    migrate(old.redis)
    work_off(old)
    assert maintain(old, quiet(old))
    seen: dict[str, Any] = {}
    for key in old.redis.scan_iter("{claims:*"):
        family = family_of(key.decode())
        assert family, key
        assert old.redis.type(key).decode() == family.kind, key
        assert not family.shared or key.startswith(b"{claims:0}"), key
        seen[family.name] = key
    assert {"inbox", "inner", "billing", "counters", "chains", "event:*", "ledger:*", "meta"} <= seen.keys()
