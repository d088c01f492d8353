"""Claims of a source that leaves by file: through the queue, and out in exactly one file."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable

from tests.exits.splitting import cut
from tests.integration.helpers import claim as claim_of
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.store.outletspecs import DISPOSITIONS, FILES
from worker.store.registry import Producer

from .conftest import EHR, Open
from .filed import assert_each_claim_once, going, kinds, manifests, of, under_way


def test_a_file_comes_out_when_all_of_its_claims_are_decided(desk: Open, worker: InboxConsumer, store: Store) -> None:
    raw, one = of("C-1", "H-2", "U-3", "C-4"), desk()
    one.put("batch.837", raw)
    one.steps()
    assert manifests(one.out) == {}
    worker.run()
    one.until_written("batch")
    manifest = assert_each_claim_once(raw, one.out, "batch")
    assert kinds(manifest) == {"C-1": "clean", "H-2": "held", "U-3": "unchecked", "C-4": "clean"}
    assert not manifest["trial"]
    assert {row["kind"]: row["send"] for row in manifest["files"]} == {
        "clean": True, "held": False, "unchecked": False, "answer": False, "reports": False,
    }  # fmt: skip
    assert cut((one.out / "batch.clean.837").read_bytes()) == [cut(raw)[0], cut(raw)[3]]
    report = json.loads((one.drop / "done/batch.837.report.json").read_text())
    assert report["sha256"] == manifest["original"]["sha256"]
    assert under_way(one.out) == []
    found = reconcile(store.redis, store.keys)
    assert (found.balance, found.outlet(FILES).count) == (0, 4)


def test_nothing_of_it_is_where_a_reader_of_the_hospital_looks(desk: Open, worker: InboxConsumer, store: Store) -> None:
    one = desk()
    one.put("batch.837", of("C-1", "H-2", "U-3"))
    one.steps()
    worker.run()
    assert [entry for name in DISPOSITIONS for entry in tail(store.redis, store.keys, name)] == []
    assert len([*tail(store.redis, store.keys, FILES)]) == 3


def test_the_same_bytes_dropped_again_leave_once_whatever_their_name(
    desk: Open, worker: InboxConsumer, store: Store
) -> None:
    """A nightly job that copies the folder once more: the commonest way in which a clearinghouse gets duplicates."""
    raw, one = of("C-1", "H-2"), desk()
    one.put("batch.837", raw)
    one.put("copy.837", raw)
    one.steps(3)
    worker.run()
    one.until_written("batch")
    one.until_written("copy")
    one.put("batch.837", raw)
    one.until_written("batch-2")
    for again in ("copy", "batch-2"):
        manifest = assert_each_claim_once(raw, one.out, again)
        assert kinds(manifest) == {"C-1": "repeated", "H-2": "repeated"}
        assert {row["first_file"] for row in manifest["claims"]} == {"batch.837"}
    assert going(one.out) == Counter(cut(raw)[:1])
    assert reconcile(store.redis, store.keys).accepted == 2


def test_a_claim_that_is_in_two_files_leaves_with_the_first(desk: Open, worker: InboxConsumer) -> None:
    """An export that begins with the claims of the day before, under the same control numbers."""
    first, second, one = of("C-1", "H-2"), of("C-1", "C-9"), desk()
    one.put("monday.837", first)
    one.steps()
    one.put("tuesday.837", second)
    one.steps()
    worker.run()
    one.until_written("monday")
    one.until_written("tuesday")
    manifest = assert_each_claim_once(second, one.out, "tuesday")
    assert kinds(manifest) == {"C-1": "repeated", "C-9": "clean"}
    assert manifest["claims"][0]["first_file"] == "monday.837"
    assert_each_claim_once(first, one.out, "monday")
    assert going(one.out) == Counter([cut(first)[0], cut(second)[1]])


def test_a_new_version_leaves_with_its_own_file(desk: Open, worker: InboxConsumer) -> None:
    first, second, one = of("H-2", "C-1"), of("H-2").replace(b"UN*0*", b"UN*1*"), desk()
    one.put("first.837", first)
    one.steps()
    worker.run()
    one.until_written("first")
    one.put("mended.837", second)
    one.steps()
    worker.run()
    one.until_written("mended")
    assert kinds(manifests(one.out)["first"])["H-2"] == "held"
    assert kinds(assert_each_claim_once(second, one.out, "mended")) == {"H-2": "clean"}


def test_what_is_in_the_file_twice_is_sent_once(desk: Open, worker: InboxConsumer, store: Store) -> None:
    raw = of("C-1")
    start, end = raw.index(b"CLM*"), raw.index(b"SE*")
    twice, one = raw[:end] + raw[start:end] + raw[end:], desk()
    twice = re.sub(rb"SE\*(\d+)", lambda found: b"SE*%d" % (int(found[1]) + 6), twice)
    one.put("twice.837", twice)
    one.steps()
    worker.run()
    one.until_written("twice")
    manifest = assert_each_claim_once(twice, one.out, "twice")
    assert [(row["kind"], row["first"]) for row in manifest["claims"]] == [("clean", None), ("repeated", 1)]
    assert reconcile(store.redis, store.keys).accepted == 1


def test_what_cannot_be_read_is_refused_and_what_is_no_837_fails(desk: Open, worker: InboxConsumer) -> None:
    raw, one = of("C-1", "C-2").replace(b"CLM*C-2*450*", b"CLM*C-2*4x50*"), desk()
    one.put("some.837", raw)
    one.put("claims.ndjson", b'{"claim_id": "1"}\n')
    one.steps()
    worker.run()
    one.until_written("some")
    assert kinds(assert_each_claim_once(raw, one.out, "some")) == {"C-1": "clean", "C-2": "refused"}
    assert (one.drop / "failed/claims.ndjson").exists()
    assert "only an 837 leaves by file" in (one.drop / "failed/claims.ndjson.report.json").read_text()


def test_what_the_answer_rejects_is_not_sent_to_the_queue(desk: Open, worker: InboxConsumer, store: Store) -> None:
    raw, one = of("C-1", "C-2"), desk()
    raw = (
        raw.replace(b"SE*38*0001~", b"SE*38*0002~") if b"SE*38*0001~" in raw else raw.replace(b"*0001~GE", b"*0002~GE")
    )
    one.put("bad.837", raw)
    one.steps()
    worker.run()
    one.until_written("bad")
    assert set(kinds(assert_each_claim_once(raw, one.out, "bad")).values()) == {"refused"}
    assert reconcile(store.redis, store.keys).accepted == 0


def test_two_processes_on_one_folder_share_the_work(desk: Open, worker: InboxConsumer) -> None:
    one, two = desk(), desk()
    raws = {f"f{number}": of(f"C-{number}1", f"H-{number}2", control=200 + number) for number in range(6)}
    for stem, raw in raws.items():
        one.put(f"{stem}.837", raw)
        two.steps(1)
        one.steps(1)
    worker.run()
    for stem in raws:
        two.steps(1)
        one.until_written(stem) if stem < "f3" else two.until_written(stem)
    for stem, raw in raws.items():
        assert_each_claim_once(raw, one.out, stem)
    assert going(one.out) == Counter(cut(raw)[0] for raw in raws.values())


def test_nothing_is_sent_while_a_worker_runs_that_knows_of_no_files(desk: Open, store: Store) -> None:
    store.redis.hset(
        store.keys.workers, "old", f"{int(time.time() * 1000)} " + json.dumps({"host": "pc7", "processes": []})
    )
    one = desk()
    one.put("batch.837", of("C-1"))
    one.steps()
    assert reconcile(store.redis, store.keys).accepted == 0
    assert "a worker of an older release runs on pc7" in one.complained[0]
    store.redis.hdel(store.keys.workers, "old")
    one.steps()
    assert reconcile(store.redis, store.keys).accepted == 1


def test_a_release_that_knows_of_no_exits_takes_the_producer_for_removed() -> None:
    assert json.loads(EHR.packed())["removed"]


def test_a_source_that_leaves_by_the_outlets_is_as_it_was(
    consumers: Callable[..., InboxConsumer], store: Store
) -> None:
    """The other exit: never both."""
    producers.add(store.redis, store.keys, Producer("lab"))
    settings = store.settings.model_copy(update={"producer": "lab"})
    send(store.redis, store.keys, [claim_of(1)], source="/lab", settings=settings)
    consumers().run()
    found = reconcile(store.redis, store.keys)
    assert (found.outlet("billing").count, found.outlet(FILES).count) == (1, 0)


def test_what_is_hidden_is_the_accounts_own(desk: Open) -> None:
    one = desk()
    one.put("batch.837", of("C-1"))
    one.steps()
    hidden = [name for name in one.out.iterdir() if name.name.startswith(".")]
    assert len(hidden) == 2
    assert {name.stat().st_mode & 0o777 for name in hidden} == {0o600}
