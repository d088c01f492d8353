"""Claims that were held and that a person let go or repaired: out in NAME.2.837, once."""

from __future__ import annotations

import errno
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.book import BOOK
from tests.exits.splitting import cut
from tests.integration.helpers import counting, quiet, until
from worker import bootstrap
from worker.audit.log import AuditLog
from worker.config.settings import load_settings
from worker.desk.acting import Desk as CaseDesk
from worker.desk.cases import Case
from worker.desk.casestore import CaseStore
from worker.desk.following import follow
from worker.desk.waiving import waivable, waive
from worker.errors import NotWaivable
from worker.exits.staged import Plan
from worker.filing import collecting, folders
from worker.intake.dropfolder import DropFolder
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import tail
from worker.pipeline.producer import SOURCE
from worker.store import opening
from worker.store.agreement import agree_on_partitions
from worker.store.connections import Store
from worker.store.keyring import load_rings
from worker.store.keys import INNER
from worker.store.outletspecs import DISPOSITIONS, FILES

from .conftest import EHR, Desk, Open
from .filed import assert_each_claim_once, going, kinds, later, manifests, of, under_way
from .test_broken import Killed, Picker, killed_at, stepped

TODAY = datetime.now().astimezone().date()


@pytest.fixture
def cases(store: Store) -> Iterator[CaseStore]:
    found = CaseStore(store.settings.case_store_url)
    yield found
    found.close()


@pytest.fixture
def person(store: Store, cases: CaseStore) -> Iterator[CaseDesk]:
    ring = load_rings(store.settings.secret_path).audit
    audit = AuditLog(store.settings.audit_path, ring)
    yield CaseDesk(store, cases, audit, ring)
    audit.close()


def case_of(person: CaseDesk, name: str) -> Case:
    redis = person.store.redis
    before = redis.time()
    while redis.time() == before:
        pass
    follow(person.store, person.cases, lambda: BOOK)
    with person.cases.session() as session:
        return session.named(name)


def let_go(person: CaseDesk, name: str) -> None:
    case = case_of(person, name)
    seen = waivable(person, case, TODAY)
    waive(person, seen, "agreed by phone", owner="dana", until=TODAY + timedelta(days=2), day=TODAY)


def held(one: Desk, worker: InboxConsumer, *names: str, stem: str = "batch") -> bytes:
    """A file of these claims, written."""
    raw = of(*names)
    one.put(f"{stem}.837", raw)
    one.steps()
    worker.run()
    one.until_written(stem)
    return raw


def test_a_waived_claim_leaves_in_a_file_of_its_own(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one = desk()
    raw = held(one, worker, "C-1", "H-2", "H-3", "C-4")
    let_go(person, "H-2")
    worker.run()
    one.until_written("batch.2")
    manifest = manifests(one.out)["batch.2"]
    assert kinds(manifest) == {"H-2": "clean"}
    assert (manifest["number"], manifest["original"]["file"]) == (2, "batch.837")
    (row,) = manifest["claims"]
    assert row["why"].startswith("waived: UNT003@1 of decision ")
    assert raw[row["offset"] : row["offset"] + row["bytes"]] == cut(raw)[1]
    assert cut((one.out / "batch.2.837").read_bytes()) == [cut(raw)[1]]
    assert {row["kind"]: row["send"] for row in manifest["files"]} == {"clean": True, "answer": False, "reports": False}
    answer = (one.out / "batch.2.answer.x12").read_bytes()
    assert [answer.count(part) for part in (b"ST*277*", b"ST*999*", b"TA1*", b"*H-2~")] == [1, 0, 0, 1]
    (report,) = map(json.loads, (one.out / "batch.2.reports.ndjson").read_text().splitlines())
    assert report["waived"]["owner"] == "dana"
    assert counting(store) == ["C-1", "C-4", "H-2"]
    assert [entry for name in DISPOSITIONS for entry in tail(store.redis, store.keys, name)] == []
    assert reconcile(store.redis, store.keys).balance == 0
    assert_each_claim_once(raw, one.out, "batch")
    one.steps(4)
    assert manifests(one.out).keys() == {"batch", "batch.2"}
    assert under_way(one.out) == []


def test_what_is_let_go_at_once_leaves_together_and_then_the_next_number(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one, two = desk(), desk()
    raw = held(one, worker, "H-1", "H-2", "C-3", "H-4")
    for name in ("H-4", "H-1"):
        let_go(person, name)
    worker.run()
    one.filing.collector.collect()
    two.until_written("batch.2")
    let_go(person, "H-2")
    worker.run()
    one.until_written("batch.3")
    found = manifests(one.out)
    assert [kinds(found[stem]) for stem in ("batch.2", "batch.3")] == [
        {"H-1": "clean", "H-4": "clean"},
        {"H-2": "clean"},
    ]
    assert going(one.out) + later(one.out) == Counter(cut(raw))
    assert counting(store) == ["C-3", "H-1", "H-2", "H-4"]
    control = {row["isa13"]["new"] for one in found.values() for row in one["sets"]}
    assert len(control) == sum(len(one["sets"]) for one in found.values())


def test_a_waiver_that_does_not_hold_leaves_with_nothing(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one = desk()
    held(one, worker, "H-2", "C-1")
    let_go(person, "H-2")
    waiting = store.redis.xrange(store.keys.stream(INNER))
    store.redis.xdel(store.keys.stream(INNER), *(id for id, _ in waiting))
    one.put("mended.837", of("H-2", control=300).replace(b"UN*0*", b"UN*1*"))
    one.steps()
    worker.run()
    one.until_written("mended")
    for _, fields in waiting:
        store.redis.xadd(store.keys.stream(INNER), fields)
    worker.run()
    one.steps(4)
    assert manifests(one.out).keys() == {"batch", "mended"}
    assert counting(store) == ["C-1", "H-2"]
    assert case_of(person, "H-2").state == "mended"


def test_a_second_waiver_of_one_decision_leaves_once(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one = desk()
    held(one, worker, "H-2")
    let_go(person, "H-2")
    ((_, fields),) = store.redis.xrange(store.keys.stream(INNER))
    for _ in range(2):
        store.redis.xadd(store.keys.stream(INNER), fields)
        worker.run()
        one.until_written("batch.2")
        one.steps(2)
    assert manifests(one.out).keys() == {"batch", "batch.2"}


def test_a_full_disk_leaves_nothing_half_of_a_later_file(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()
    held(one, worker, "H-2")
    let_go(person, "H-2")
    worker.run()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        one.steps(3)
    assert [*one.out.glob("batch.2*")] == []
    assert "No space left on device" in one.complained[0]
    one.until_written("batch.2")
    assert later(one.out) == Counter(cut(of("H-2")))


def killed_in_the_plan(one: Desk) -> None:
    def killed(_: Plan) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "finish", killed)
        with pytest.raises(Killed):
            one.steps()
    one.filing.close()


def test_redis_emptied_while_a_later_file_is_written_does_not_hold_it_back_nor_send_it_twice(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one = desk()
    raw = held(one, worker, "H-2", "C-1")
    let_go(person, "H-2")
    worker.run()
    killed_in_the_plan(one)
    store.redis.flushall()
    agree_on_partitions(store)
    producers.add(store.redis, store.keys, EHR)
    two = desk()
    two.steps(3)
    assert later(two.out) == Counter(cut(raw)[:1])
    two.steps(3)
    assert under_way(two.out) == []
    assert len([*two.out.glob("*.[2-9].837")]) == 1


def test_redis_of_an_older_copy_sends_nothing_again(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one = desk()
    raw = held(one, worker, "H-2", "C-1")
    let_go(person, "H-2")
    worker.run()
    one.filing.collector.collect()
    copies = {key: store.redis.dump(key) for key in store.redis.scan_iter(match="*exit:*")}
    one.until_written("batch.2")
    for key, copy in copies.items():
        store.redis.restore(key, 0, copy, replace=True)
    one.steps(3)
    assert later(one.out) == Counter(cut(raw)[:1])
    assert manifests(one.out).keys() == {"batch", "batch.2"}


def test_another_folder_in_its_place_has_it_wait_and_says_so(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()
    raw = held(one, worker, "H-2", "C-1")
    let_go(person, "H-2")
    worker.run()
    one.filing.close()
    one.out.rename(one.out.with_name("mounted"))
    one.out.mkdir()
    monkeypatch.setattr(folders, "MISSED", 0.0)
    two = desk()
    two.put("other.837", of("C-7", control=700))
    two.steps(3)
    assert [*two.out.glob("batch*")] == []
    assert "its original is not in" in two.complained[0]
    two.filing.close()
    three = desk(out="mounted")
    three.until_written("batch.2")
    assert later(three.out) == Counter(cut(raw)[:1])


def test_an_original_is_kept_for_as_long_as_its_claims_can_be_let_go(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    """What has no held claim is not kept at all."""
    one = desk()
    held(one, worker, "C-1", "U-3", stem="clean")
    assert [*one.out.glob(".*")] == []
    held(one, worker, "H-2", "C-4")
    (kept,) = one.out.glob(".*")
    assert kept.read_bytes() == of("H-2", "C-4")
    assert kept.stat().st_mode & 0o777 == 0o600
    days = store.settings.event_memory
    old = time.time() - (days + 0.5) * 86_400
    os.utime(kept, (old, old))
    one.steps(1)
    assert kept.exists()
    os.utime(kept, (old - 86_400, old - 86_400))
    one.steps(1)
    assert [*one.out.glob(".*")] == []
    case = case_of(person, "H-2")
    assert waivable(person, case, TODAY)
    for key in store.redis.scan_iter(match="*owner:*"):
        store.redis.pexpire(key, 86_000_000)
    with pytest.raises(NotWaivable, match="the file that it came with is not remembered any more"):
        waivable(person, case, TODAY)


@pytest.mark.slow
def test_a_later_file_may_break_off_at_any_step(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "RECLAIM_MS", 0)
    picker, number, over, billed = Picker(desk().out), 0, False, list[str]()
    while not over:
        number += 1
        stem, names = f"f{number}", [f"H-{number}1", f"C-{number}2", f"H-{number}3"]
        raw, one = of(*names, control=1000 + number), desk()
        one.put(f"{stem}.837", raw)
        stepped(one, worker, picker, stem)
        let_go(person, names[0])
        with killed_at(number):
            try:
                stepped(one, worker, picker, f"{stem}.2")
                over = True
            except Killed:
                pass
        one.filing.close()
        picker.look()
        two = desk()
        stepped(two, worker, picker, f"{stem}.2")
        stepped(two, worker, picker, f"{stem}.2")
        assert cut(picker.taken[f"{stem}.2.837"]) == cut(raw)[:1], number
        assert not [name for name in picker.taken if name.startswith(f"{stem}.3")], number
        billed += names[:2]
        two.filing.close()
    assert number > 30
    assert counting(store) == sorted(billed)
    assert reconcile(store.redis, store.keys).balance == 0


def test_with_several_partitions_it_leaves_from_wherever_it_was_decided(home: Path, unset: None) -> None:
    names = [f"H-{number}" for number in range(1, 7)]
    raw, said = of(*names), list[str]()
    for name in ("drop", "out"):
        (home / name).mkdir()
    with opening.open_store(load_settings(state_dir=home, partitions=4, producer="ehr")) as store:
        producers.add(store.redis, store.keys, EHR)
        worker = bootstrap.inbox_consumer(store, quiet(store))
        filing = bootstrap.filing(
            store, DropFolder(home / "drop", 0.0), home / "out", None, EHR, SOURCE, lambda: None, said.append,
            said.append,
        )  # fmt: skip
        filing.collector.ensure()
        (home / "drop/batch.837").write_bytes(raw)

        def stepped(count: int) -> bool:
            filing.step()
            worker.run()
            return len(manifests(home / "out")) > 0 and later(home / "out").total() >= count

        until(lambda: stepped(0), 20, lambda: said)
        assert len({part.partition for part in store.keys.all if store.redis.xlen(part.outlet(FILES))}) > 1
        cases, ring = CaseStore(store.settings.case_store_url), load_rings(store.settings.secret_path).audit
        person = CaseDesk(store, cases, AuditLog(store.settings.audit_path, ring), ring)
        for name in names:
            let_go(person, name)
        until(lambda: stepped(len(names)), 20, lambda: said)
        assert later(home / "out") == Counter(cut(raw))
        assert reconcile(store.redis, store.keys).balance == 0
        filing.close()
        worker.audit.close()
        person.audit.close()
        cases.close()
