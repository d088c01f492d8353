"""The cutoff: what is not decided leaves without a verdict, or stays; whatever comes later goes nowhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rules.engine import check as engine
from tests.exits.splitting import cut
from tests.integration.helpers import counting, quiet, until
from worker import bootstrap
from worker.config.settings import load_settings
from worker.filing.collecting import Collector
from worker.filing.cutoff import Cutoff
from worker.filing.folders import Filing
from worker.intake.dropfolder import DropFolder
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import deciding, producers, quarantine
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import tail
from worker.pipeline.producer import SOURCE
from worker.pipeline.recovery import since
from worker.store import opening
from worker.store.agreement import agreed_rings
from worker.store.connections import Store
from worker.store.outletspecs import FILES

from .conftest import EHR, Open
from .filed import assert_each_claim_once, going, kinds, manifests, of


def audited(store: Store, action: str) -> list[dict[str, Any]]:
    files = sorted(store.settings.audit_path.glob("*.jsonl"))
    lines = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]
    return [line for line in lines if line["event.action"] == action]


def test_what_is_not_decided_at_the_cutoff_is_undecided_and_decided_by_nobody_later(
    desk: Open, worker: InboxConsumer, store: Store
) -> None:
    raw, one = of("C-1", "C-2", "H-3"), desk("1s")
    one.put("batch.837", raw)
    one.steps()
    time.sleep(1)
    one.until_written("batch")
    manifest = assert_each_claim_once(raw, one.out, "batch")
    assert set(kinds(manifest).values()) == {"undecided"}
    assert [row["send"] for row in manifest["claims"]] == [False] * 3
    worker.run()
    one.steps()
    found = reconcile(store.redis, store.keys)
    assert (found.repeated, found.outlet(FILES).count, found.balance) == (3, 0, 0)
    assert counting(store) == []
    lines = audited(store, "claim.left")
    assert [(line["claim.claim_id"], line["claim.exit"]) for line in lines] == [
        (n, "kept") for n in ("C-1", "C-2", "H-3")
    ]
    assert {line["claim.first_decision_id"] for line in audited(store, "claim.repeated")} == {
        line["claim.decision_id"] for line in lines
    }


def test_what_was_kept_is_judged_when_its_file_is_dropped(desk: Open, worker: InboxConsumer) -> None:
    raw, one = of("C-1", "H-2"), desk("1s")
    one.put("batch.837", raw)
    one.steps()
    time.sleep(1)
    one.until_written("batch")
    worker.run()
    left = one.out / "batch.undecided.837"
    one.put("later.837", left.read_bytes())
    one.steps()
    worker.run()
    one.until_written("later")
    assert kinds(assert_each_claim_once(left.read_bytes(), one.out, "later")) == {"C-1": "clean", "H-2": "held"}
    assert going(one.out) == Counter(cut(raw)[:1])


@pytest.mark.parametrize(
    ("said", "sent"), [("send", True), ("uhc:send", True), ("medicare:send", False), ("send,uhc:keep", False)]
)
def test_what_is_sent_without_a_verdict_is_the_hospitals_word_by_payer(
    desk: Open, worker: InboxConsumer, store: Store, said: str, sent: bool
) -> None:
    store.settings.__dict__["send_undecided"] = said
    raw, one = of("C-1", "H-2"), desk("1s")
    one.put("batch.837", raw)
    one.steps()
    time.sleep(1)
    one.until_written("batch")
    manifest = assert_each_claim_once(raw, one.out, "batch")
    end = "undecided.send" if sent else "undecided"
    assert [row["file"] for row in manifest["files"] if row["kind"] == "undecided"] == [f"batch.{end}.837"]
    assert going(one.out) == Counter(cut(raw) if sent else [])
    assert counting(store) == (["C-1", "H-2"] if sent else [])
    worker.run()
    one.steps()
    assert reconcile(store.redis, store.keys).repeated == 2
    assert counting(store) == (["C-1", "H-2"] if sent else [])


def test_what_was_sent_comes_back_as_billed_from_the_audit_log(desk: Open, store: Store) -> None:
    """After Redis was lost; of what was kept it tells nothing."""
    store.settings.__dict__["send_undecided"] = "send"
    one = desk("1s")
    one.put("batch.837", of("C-1", "H-2"))
    one.steps()
    time.sleep(1)
    one.until_written("batch")
    store.settings.__dict__["send_undecided"] = ""
    one.put("kept.837", of("C-3", control=7))
    one.steps()
    time.sleep(1)
    one.until_written("kept")
    told = since(store.settings.audit_path, (), agreed_rings(store).audit, {})
    assert [(decision.claim_id, decision.billed) for decision in told.decided] == [("C-1", True), ("H-2", True)]


def test_what_was_sent_counts_as_billed_for_the_claims_after_it(
    desk: Open, worker: InboxConsumer, store: Store
) -> None:
    """The same service under another number: a duplicate, though the first had no verdict."""
    store.settings.__dict__["send_undecided"] = "send"
    one = desk("1s")
    one.put("batch.837", of("C-1"))
    one.steps()
    time.sleep(1)
    one.until_written("batch")
    worker.run()
    again = of("C-1", control=900).replace(b"CLM*C-1*", b"CLM*C-77*")
    one.put("again.837", again)
    one.steps()
    worker.run()
    one.until_written("again")
    assert kinds(assert_each_claim_once(again, one.out, "again")) == {"C-77": "held"}


MEMBERS = {"same": b"ANNE****MI*001274960", "another": b"ANNA****MI*778899001", "none": b"ANNA"}


@pytest.mark.parametrize("decided", [False, True])
@pytest.mark.parametrize("member", MEMBERS)
def test_what_went_before_is_not_sent_again_without_a_verdict(
    desk: Open, worker: InboxConsumer, store: Store, decided: bool, member: str
) -> None:
    """The same claim number in a later file: a payer answers the second with CO-18, and no rule looked at it."""
    store.settings.__dict__["send_undecided"] = "send"
    one = desk("1s")
    first = of("C-1")
    one.put("batch.837", first)
    one.steps()
    if decided:
        worker.run()
    time.sleep(1)
    one.until_written("batch")
    assert kinds(manifests(one.out)["batch"]) == {"C-1": "clean" if decided else "undecided"}
    again = of("C-1", control=900).replace(b"ANNA****MI*001274960", MEMBERS[member])
    one.put("again.837", again)
    one.steps()
    time.sleep(1)
    one.until_written("again")
    (row,) = manifests(one.out)["again"]["claims"]
    assert (row["kind"], row["send"]) == ("undecided", False)
    assert going(one.out) == Counter(cut(first))


def test_unchecked_claims_are_sent_where_the_hospital_says_so(desk: Open, worker: InboxConsumer, store: Store) -> None:
    store.settings.__dict__["send_unchecked"] = "uhc:send"
    raw, one = of("C-1", "U-2", "H-3"), desk()
    one.put("batch.837", raw)
    one.steps()
    worker.run()
    one.until_written("batch")
    manifest = assert_each_claim_once(raw, one.out, "batch")
    assert kinds(manifest) == {"C-1": "clean", "U-2": "unchecked", "H-3": "held"}
    assert going(one.out) == Counter(cut(raw)[:2])


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The check breaks off on this claim; empty: on none."""
    broken = [""]

    def check(claim: Any, *more: Any, **named: Any) -> Any:
        if claim.claim_id == broken[0]:
            raise ZeroDivisionError
        return engine.check(claim, *more, **named)

    monkeypatch.setattr(deciding, "check", check)

    def choose(name: str) -> None:
        broken[0] = name

    return choose


def requeue(store: Store) -> None:
    desk = bootstrap.quarantine_desk(store)
    try:
        for entry in [*quarantine.entries(store.redis, store.keys)]:
            assert desk.requeue(entry, "mended")
    finally:
        desk.audit.close()


def test_a_claim_in_quarantine_holds_no_file_up_where_there_is_no_cutoff(
    desk: Open, worker: InboxConsumer, store: Store, failing: Callable[[str], None]
) -> None:
    raw, one = of("C-1", "C-2"), desk()
    failing("C-2")
    one.put("batch.837", raw)
    one.steps()
    worker.run()
    one.until_written("batch")
    manifest = assert_each_claim_once(raw, one.out, "batch")
    assert kinds(manifest) == {"C-1": "clean", "C-2": "undecided"}
    assert "quarantine" in manifest["claims"][1]["why"]
    failing("")
    requeue(store)
    worker.run()
    one.steps()
    found = reconcile(store.redis, store.keys)
    assert (found.repeated, found.outlet(FILES).count, found.balance) == (1, 1, 0)
    assert counting(store) == ["C-1"]


def test_what_is_put_back_from_quarantine_before_the_cutoff_is_in_its_file(
    desk: Open, worker: InboxConsumer, store: Store, failing: Callable[[str], None]
) -> None:
    raw, one = of("C-1", "C-2"), desk("1h")
    failing("C-2")
    one.put("batch.837", raw)
    one.steps()
    worker.run()
    one.steps(3)
    assert not (one.out / "batch.manifest.json").exists()
    failing("")
    requeue(store)
    worker.run()
    one.until_written("batch")
    assert kinds(assert_each_claim_once(raw, one.out, "batch")) == {"C-1": "clean", "C-2": "clean"}


def test_a_decision_and_the_cutoff_at_once_are_one_of_both(desk: Open, worker: InboxConsumer, store: Store) -> None:
    """The worker has committed, and nobody has collected it: the file waits for it, though its time has come."""
    raw, one = of("C-1", "C-2"), desk("1s")
    one.put("batch.837", raw)
    one.steps()
    time.sleep(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Collector, "collect", lambda _: 0)
        worker.run()
        one.steps(3)
    assert not (one.out / "batch.manifest.json").exists()
    one.until_written("batch")
    assert kinds(assert_each_claim_once(raw, one.out, "batch")) == {"C-1": "clean", "C-2": "clean"}
    assert len([*tail(store.redis, store.keys, FILES)]) == 2


@pytest.mark.parametrize(
    ("text", "came", "then"),
    [
        ("17:00", "2026-11-30T16:59", "2026-11-30T17:00"),
        ("17:00", "2026-11-30T17:00", "2026-12-01T17:00"),
        ("9:05", "2026-11-30T08:00", "2026-11-30T09:05"),
        ("4h", "2026-11-30T22:00", "2026-12-01T02:00"),
        ("90m", "2026-11-30T22:00", "2026-11-30T23:30"),
    ],
)
def test_a_cutoff_is_a_time_of_day_or_a_time_after_it_came(text: str, came: str, then: str) -> None:
    zone = datetime.now().astimezone().tzinfo
    found = Cutoff.read(text).of(datetime.fromisoformat(came).replace(tzinfo=zone))
    assert found.replace(tzinfo=None) == datetime.fromisoformat(then)


@pytest.mark.parametrize("text", ["", "25:00", "17", "0h", "4 hours", "-1h", "17:60", "99999h"])
def test_what_is_no_cutoff_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time of day"):
        Cutoff.read(text)


def test_with_several_partitions_the_cutoff_is_where_each_claim_is_decided(home: Path, unset: None) -> None:
    """The event memory of a claim is with its patient, wherever it came in."""
    names = [f"C-{number}" for number in range(1, 9)]
    raw = of(*names)
    for name in ("drop", "out"):
        (home / name).mkdir()
    with opening.open_store(load_settings(state_dir=home, partitions=4, producer="ehr")) as store:
        producers.add(store.redis, store.keys, EHR)
        worker = bootstrap.inbox_consumer(store, quiet(store))
        said: list[str] = []

        def stepped(filing: Filing, stem: str) -> bool:
            filing.step()
            return (home / f"out/{stem}.manifest.json").exists()

        filing = bootstrap.filing(
            store, DropFolder(home / "drop", 0.0), home / "out", Cutoff.read("1s"), EHR, SOURCE, lambda: None,
            said.append, said.append,
        )  # fmt: skip
        (home / "drop/batch.837").write_bytes(raw)
        filing.step()
        assert len({entry.partition for entry in store.keys.all if store.redis.xlen(entry.stream("ehr"))}) > 1
        time.sleep(1)
        until(lambda: stepped(filing, "batch"))
        assert set(kinds(assert_each_claim_once(raw, home / "out", "batch")).values()) == {"undecided"}
        worker.run()
        worker.run()
        found = reconcile(store.redis, store.keys)
        assert (found.repeated, found.outlet(FILES).count, found.balance) == (8, 0, 0)
        again = (home / "out/batch.undecided.837").read_bytes()
        (home / "drop/again.837").write_bytes(again)
        filing.cutoff = None
        filing.step()
        worker.run()
        worker.run()
        until(lambda: stepped(filing, "again"))
        assert set(kinds(assert_each_claim_once(again, home / "out", "again")).values()) == {"clean"}
        filing.close()
        worker.audit.close()


@pytest.mark.parametrize("kind", ["undecided", "clean"])
def test_with_several_partitions_what_went_under_another_member_id_is_not_sent_again(
    home: Path, unset: None, kind: str
) -> None:
    """Whether it left without a verdict or as clean, its patient is on another partition."""
    for name in ("drop", "out"):
        (home / name).mkdir()
    settings = load_settings(state_dir=home, partitions=4, producer="ehr", send_undecided="send")
    with opening.open_store(settings) as store:
        producers.add(store.redis, store.keys, EHR)
        worker = bootstrap.inbox_consumer(store, quiet(store))
        filing = bootstrap.filing(
            store, DropFolder(home / "drop", 0.0), home / "out", Cutoff.read("1s"), EHR, SOURCE, lambda: None,
            lambda _: None, lambda _: None,
        )  # fmt: skip

        def left(stem: str) -> list[bool]:
            def stepped() -> bool:
                filing.step()
                return (home / f"out/{stem}.manifest.json").exists()

            time.sleep(1)
            until(stepped)
            return [row["send"] for row in manifests(home / "out")[stem]["claims"]]

        names = [f"C-{number}" for number in range(1, 7)]
        (home / "drop/first.837").write_bytes(of(*names))
        filing.step()
        if kind == "clean":
            worker.run()
            worker.run()
        assert left("first") == [True] * 6
        moved = of(*names, control=900).replace(b"ANNA****MI*00", b"ANNA****MI*77")
        (home / "drop/moved.837").write_bytes(moved)
        filing.step()
        assert left("moved") == [False] * 6
        filing.close()
        worker.audit.close()
