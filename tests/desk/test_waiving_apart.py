"""Waivers and fronts where the versions of a claim are on several partitions, since a member id was corrected.

That a key of one partition cannot be checked in the script of another is Redis Cluster's rule (redis/redis#3044), so
a version is registered with the front of its case first.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from worker import bootstrap
from worker.config.settings import load_settings
from worker.desk.acting import Desk
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed
from worker.desk.waiving import waivable
from worker.errors import NotWaivable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import batch
from worker.pipeline.commit import Committer, Item, Status
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.front import Front
from worker.pipeline.ledger import order, patient_of
from worker.pipeline.notification import Notifier
from worker.store import opening
from worker.store.connections import Store
from worker.store.keys import Keys, case_mark
from worker.store.scripts import call, named
from worker.store.secret import load_secret

from .conftest import CLEAN, Send
from .test_waiving import HELD, LATER, TODAY, entries, let_go, now

COUNT = 4


@pytest.fixture
def store(unset: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("SCRUB_PARTITIONS", str(COUNT))
    home = Path(tempfile.mkdtemp(prefix="scrub-test-", dir="/tmp"))
    with opening.open_store(load_settings(state_dir=home)) as found:
        yield found
    shutil.rmtree(home, ignore_errors=True)


def home_of(store: Store, claim: dict[str, Any]) -> int:
    patient = patient_of(
        load_secret(store.settings.secret_path), claim["payer"]["id"], claim["subscriber"]["member_id"]
    )
    return Keys(0, COUNT).at(patient or "").partition


def corrected(store: Store, *, home: int, claim: dict[str, Any] = CLEAN) -> dict[str, Any]:
    """The same claim number with a member id whose patient is at home there."""
    digits = (f"9AA{one}CD7EF6{two}" for one in range(10) for two in range(10))
    claims = (claim | {"claim_id": "PCN-1", "subscriber": {"member_id": member}} for member in digits)
    return next(one for one in claims if home_of(store, one) == home)


@pytest.fixture
def apart(store: Store) -> tuple[int, int, int]:
    """Partitions: of the front of the case, and two others for patients."""
    front = Keys(0, COUNT).at(case_mark("", "PCN-1")).partition
    return front, (front + 1) % COUNT, (front + 2) % COUNT


def send(store: Store, id: str, claim: dict[str, Any]) -> None:
    event = {"specversion": "1.0", "id": id, "source": "/ehr", "type": "claim.submitted.v1", "data": claim}
    store.redis.xadd(store.keys.stream(""), {"event": orjson.dumps(event)})


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (1, 0), (1, 2), (1, 1)])
def test_what_the_payer_rejected_is_in_nobodys_way_when_it_comes_again(
    store: Store, desk: Desk, decide: Send, brought: Callable[[], Followed], cases: CaseStore, consumer: InboxConsumer,
    apart: tuple[int, int, int], at: tuple[int, int],
) -> None:  # fmt: skip
    """A 277CA rejection: the payer never took it in, so the next one is an original as well."""
    first, second = (apart[place] for place in at)
    decide(corrected(store, home=first))
    decide(corrected(store, home=second, claim=HELD))
    brought()
    with pytest.raises(NotWaivable, match="went to billing before"):
        waivable(desk, now(cases), TODAY)
    recorder = bootstrap.ledger_recorder(store)
    assert recorder.reject("PCN-1", "277CA A7") == 1
    recorder.audit.close()
    let_go(desk, now(cases))
    consumer.run()
    assert [int(one["data"]["claim"]["lines"][0]["units"]) for one in entries(store, "billing")] == [1, 2]


@pytest.mark.parametrize("at", [(0, 1), (1, 0), (1, 2), (1, 1)])
def test_a_claim_is_waived_wherever_its_case_and_its_patient_are_and_never_after_a_correction(
    store: Store, desk: Desk, decide: Send, brought: Callable[[], Followed], cases: CaseStore, consumer: InboxConsumer,
    apart: tuple[int, int, int], at: tuple[int, int],
) -> None:  # fmt: skip
    first, second = (apart[place] for place in at)
    decide(corrected(store, home=first, claim=HELD))
    brought()
    case = now(cases)
    let_go(desk, case)
    waits = [(part, dict(fields)) for part in store.keys.all for _, fields in store.redis.xrange(part.stream("inner"))
             if b"waiver" in fields]  # fmt: skip
    ((part, fields),) = waits
    for one, _ in store.redis.xrange(part.stream("inner")):
        store.redis.xdel(part.stream("inner"), one)
    decide(corrected(store, home=second, claim=LATER))
    store.redis.xadd(part.stream("inner"), fields)  # type: ignore[arg-type]
    consumer.run()
    assert not entries(store, "billing")
    assert entries(store, "rework")[-1]["data"]["report"]["waived"]["refused"].startswith("a later version")
    brought()
    let_go(desk, now(cases))
    consumer.run()
    (billed,) = entries(store, "billing")
    assert billed["data"]["claim"]["lines"][0]["units"] == 3
    brought()
    assert now(cases).state == "waived"


def test_an_entry_that_came_on_the_wrong_partition_takes_its_waiver_along(
    store: Store, desk: Desk, decide: Send, brought: Callable[[], Followed], cases: CaseStore, consumer: InboxConsumer,
    apart: tuple[int, int, int],
) -> None:  # fmt: skip
    decide(corrected(store, home=apart[1], claim=HELD))
    brought()
    let_go(desk, now(cases))
    here, there = Keys(apart[1], COUNT), Keys(apart[2], COUNT)
    *_, (id, fields) = store.redis.xrange(here.stream("inner"))
    store.redis.xdel(here.stream("inner"), id)
    store.redis.xadd(there.stream("inner"), fields)
    consumer.run()
    assert len(entries(store, "billing")) == 1
    brought()
    assert now(cases).state == "waived"


def test_where_the_front_is_gone_on_either_partition_nothing_is_waived(
    store: Store,
    desk: Desk,
    decide: Send,
    brought: Callable[[], Followed],
    cases: CaseStore,
    apart: tuple[int, int, int],
) -> None:
    decide(corrected(store, home=apart[1], claim=HELD))
    brought()
    mark = case_mark("", "PCN-1")
    for place in apart[:2]:
        key = Keys(place, COUNT).front(mark)
        known = store.redis.getdel(key)
        assert known is not None
        with pytest.raises(NotWaivable, match="nobody knows any more"):
            waivable(desk, now(cases), TODAY)
        store.redis.set(key, known)
    assert waivable(desk, now(cases), TODAY)


def test_an_older_version_of_another_patient_is_superseded_and_the_books_balance(
    store: Store, decide: Send, consumer: InboxConsumer, apart: tuple[int, int, int]
) -> None:
    """It came first, and its worker was lost with it."""
    _, first, second = apart
    old, new = corrected(store, home=first), corrected(store, home=second)
    decide(new)
    (billed,) = entries(store, "billing")
    stream = billed["inboxentry"].rpartition(":")[2]
    part = Keys(0, COUNT)
    seconds = int(stream.partition("-")[0]) - 10_000
    event = {"specversion": "1.0", "id": "old", "source": "/ehr", "type": "claim.submitted.v1", "data": old}
    store.redis.xadd(Keys(first, COUNT).stream("inner"), {
        "event": orjson.dumps(event), "forwarded_from": f"{part.partition}:{seconds}-0", "revision": f"{seconds}-0",
    })  # fmt: skip
    consumer.run()
    (held,) = entries(store, "rework")
    assert held["data"]["report"]["reason"].startswith("superseded")
    assert reconcile(store.redis, store.keys).balance == 0


@pytest.fixture
def other(store: Store) -> Iterator[InboxConsumer]:
    """A second worker."""
    found = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    yield found
    found.audit.close()


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)])
def test_a_correction_that_is_decided_while_a_waived_version_is_about_to_be_committed_holds_that(
    store: Store, desk: Desk, decide: Send, brought: Callable[[], Followed], cases: CaseStore, consumer: InboxConsumer,
    other: InboxConsumer, apart: tuple[int, int, int], at: tuple[int, int], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The worker with the waived version stands still between its last look and its commit, as long as it takes the
    other to receive the correction, judge it and send it to billing."""
    first, second = (apart[place] for place in at)
    decide(corrected(store, home=first, claim=HELD))
    brought()
    let_go(desk, now(cases))
    commit, stood = Committer.commit, list[int]()

    def late(self: Committer, items: Sequence[Item], *more: Any) -> list[Status]:
        if not stood and any(item.entry.startswith("inner:") for item in items):
            stood.append(len(items))
            send(store, "correction", corrected(store, home=second))
            other.run()
            assert len(entries(store, "billing")) == 1
        return commit(self, items, *more)

    monkeypatch.setattr(Committer, "commit", late)
    consumer.run()
    assert stood
    (billed,) = entries(store, "billing")
    assert billed["data"]["report"].get("waived") is None
    assert entries(store, "rework")[-1]["data"]["report"]["waived"]["refused"].startswith("a later version")
    assert reconcile(store.redis, store.keys).balance == 0


REVISIONS = st.builds(
    lambda numbers, stream: "-".join(map(str, numbers)) + stream,
    st.lists(st.integers(0, 30) | st.integers(10**18, 2**64 - 1), min_size=2, max_size=3),
    st.sampled_from(["", ":east", ":west-2"]),
)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Redis]:
    home = Path(tempfile.mkdtemp(prefix="scrub-test-", dir="/tmp"))
    with opening.open_store(load_settings(state_dir=home)) as found:
        yield found.redis
    shutil.rmtree(home, ignore_errors=True)


@given(
    held=REVISIONS, ours=REVISIONS, turns=st.tuples(st.sampled_from("PS"), st.sampled_from("PS")), more=st.booleans(),
    homes=st.frozensets(st.integers(0, 12)), at=st.none() | st.integers(0, 12),
)  # fmt: skip
def test_of_two_versions_the_later_is_registered_as_python_orders_them_with_the_partitions_of_both(
    server: Redis, held: str, ours: str, turns: tuple[str, str], more: bool, homes: frozenset[int], at: int | None
) -> None:
    key, (before, turn) = Keys().front("a"), turns
    known = Front(held, "billing" if more else "rework", before, more, homes=tuple(sorted(homes)))
    if at is not None:
        known = known._replace(state="registered", partition=at, homes=tuple(sorted(homes - {at})))
    assert Front.parse(str(known)) == known
    server.set(key, str(known), ex=1_000)
    put = Front(ours, "registered", turn, partition=3)
    for _ in range(2):
        server.eval(named("register"), *call({"events": [], "fronts": [key]}, 60_000, str(put)))  # type: ignore[misc]
    found = Front.parse((server.get(key) or b"").decode())
    assert found is not None
    later = order(ours) > order(held)
    every = {*known.partitions, 3}
    assert found.partitions == tuple(sorted(every))
    wanted = put._replace(billed=more and before == turn) if later else known
    assert found == wanted._replace(homes=found.homes)
    assert found.homes == tuple(sorted(every - ({found.partition} if found.state == "registered" else set())))
    assert (server.pttl(key) <= 60_000) == later


def test_what_a_version_at_another_home_was_billed_for_is_not_billed_again_by_a_waiver(
    store: Store, desk: Desk, decide: Send, brought: Callable[[], Followed], cases: CaseStore, consumer: InboxConsumer,
    apart: tuple[int, int, int],
) -> None:  # fmt: skip
    """The first went to billing; the second, with another member id, is held and says that it is an original."""
    _, first, second = apart
    decide(corrected(store, home=first))
    decide(corrected(store, home=second, claim=LATER))
    brought()
    with pytest.raises(NotWaivable, match="went to billing before"):
        waivable(desk, now(cases), TODAY)
    key = Keys(first, COUNT).front(case_mark("", "PCN-1"))
    billed = store.redis.getdel(key)
    let_go(desk, now(cases))
    assert billed is not None
    store.redis.set(key, billed)
    consumer.run()
    assert "went to billing before" in entries(store, "rework")[-1]["data"]["report"]["waived"]["refused"]
    assert len(entries(store, "billing")) == 1


def test_a_worker_that_is_lost_between_the_two_registrations_of_a_correction_holds_it_back(
    store: Store, desk: Desk, decide: Send, brought: Callable[[], Followed], cases: CaseStore, consumer: InboxConsumer,
    other: InboxConsumer, apart: tuple[int, int, int],
) -> None:  # fmt: skip
    """Registered with the front of its case alone, it is taken up by another worker, which knows of the first home."""
    _, first, second = apart
    decide(corrected(store, home=first, claim=HELD))
    brought()
    let_go(desk, now(cases))
    send(store, "correction", corrected(store, home=second))
    consumers = {one.context.keys.partition: one for one in other.partitions}
    readings = batch.read(consumers[0].inbox.take(1), consumers[0].context)
    consumers[0].router.route(readings)
    lost = consumers[second]
    lost.router.route(batch.read(lost.inbox.take(1), lost.context))
    lost.unfinished = True
    other.run()
    consumer.run()
    (billed,) = entries(store, "billing")
    assert billed["data"]["report"].get("waived") is None
    front = Front.parse((store.redis.get(Keys(first, COUNT).front(case_mark("", "PCN-1"))) or b"").decode())
    assert front is not None
    assert (front.state, front.partition) == ("registered", second)
