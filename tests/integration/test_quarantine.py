"""The quarantine against a real server: requeue and drop, audited, and the books balance whatever happens between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from worker import bootstrap
from worker.audit import chains
from worker.audit.check import verify
from worker.config.settings import Settings
from worker.errors import CommitRefused, NotInQuarantine, NotRequeueable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import quarantine
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.producer import send
from worker.pipeline.quarantine import QuarantineDesk
from worker.store.connections import Store
from worker.store.keyring import load_ring

from .helpers import claim, event


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1_000, send=lambda: None))
    yield consumer
    consumer.audit.close()


@pytest.fixture
def desk(store: Store) -> Iterator[QuarantineDesk]:
    desk = bootstrap.quarantine_desk(store)
    yield desk
    desk.audit.close()


Fill = Callable[..., list[OutletEntry]]


@pytest.fixture
def fill(store: Store, consumer: InboxConsumer) -> Fill:
    """Sends events, consumers, and answers what then is in quarantine."""

    def fill(*events: bytes) -> list[OutletEntry]:
        send(store.redis, store.keys, events, source="test", settings=store.settings)
        consumer.run()
        return list(quarantine.entries(store.redis, store.keys))

    return fill


def lines(settings: Settings, action: str) -> list[dict[str, Any]]:
    files = sorted(settings.audit_path.glob("audit-*.jsonl"))
    found = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]
    return [line for line in found if line["event.action"] == action]


def test_a_requeued_event_is_judged_anew_and_the_books_balance(
    store: Store, consumer: InboxConsumer, desk: QuarantineDesk, fill: Fill
) -> None:
    """Its identity was used before, so without `requeue_of` it would be taken for a repeat, and quarantined again."""
    (held,) = fill(event(1), event(1, data=claim(2)))
    assert held.data["reason"] == "event_id_reused"
    (scrubbed,) = lines(store.settings, "claim.scrubbed")
    assert scrubbed["claim.decision_id"] in held.data["problems"][0]["sentence"]
    assert desk.requeue(held, "both are meant")
    found = reconcile(store.redis, store.keys)
    assert (found.accepted, found.requeued, found.outlet("quarantine").count, found.balance) == (3, 1, 0, 0)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (found.settled, found.outlet("quarantine").count) == (True, 0)
    judged = [
        entry.data["claim"]["claim_id"]
        for name in ("billing", "rework")
        for entry in tail(store.redis, store.keys, name)
    ]
    assert sorted(judged) == ["PCN-00001", "PCN-00002"]
    (line,) = lines(store.settings, "quarantine.requeued")
    assert line["event.reason"] == "both are meant"
    assert line["user.name"]
    assert (line["quarantine.entry"], line["claim.decision_id"]) == (held.id, held.decision_id)


def test_a_dropped_entry_is_gone_and_stays_accounted_for(store: Store, desk: QuarantineDesk, fill: Fill) -> None:
    first, second = fill(b"not json", b"[1]")
    assert desk.drop(first, "a test message")
    found = reconcile(store.redis, store.keys)
    assert (found.settled, found.dropped, found.outlet("quarantine").count) == (True, 1, 2)
    assert [entry.id for entry in quarantine.entries(store.redis, store.keys)] == [second.id]
    assert found.outlet("quarantine").length == found.outlet("quarantine").count - found.dropped
    (line,) = lines(store.settings, "quarantine.dropped")
    assert (line["error.code"], line["queue.entry"]) == ("not_json", first.data["inbox_entry"])


@pytest.mark.parametrize("second", ["requeue", "drop"])
def test_what_somebody_else_took_out_is_not_taken_twice(
    store: Store, desk: QuarantineDesk, fill: Fill, second: str
) -> None:
    (held,) = fill(event(1, data={"claim_id": "x"}))
    assert desk.requeue(held, "once")
    assert not getattr(desk, second)(held, "again")
    found = reconcile(store.redis, store.keys)
    assert (found.waiting, found.requeued, found.dropped, found.balance) == (1, 1, 0, 0)
    (taken_back,) = lines(store.settings, "claim.superseded")
    assert taken_back["error.code"] == "gone"


def test_a_crash_between_the_audit_line_and_the_script_leaves_the_entry_where_it_was(
    store: Store, desk: QuarantineDesk, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    (held,) = fill(event(1, data={"claim_id": "x"}))

    def cut(*_: Any) -> None:
        raise RedisConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(desk.redis, "eval", cut)
        with pytest.raises(RedisConnectionError):
            desk.requeue(held, "cut off")
    assert [entry.id for entry in quarantine.entries(store.redis, store.keys)] == [held.id]
    assert reconcile(store.redis, store.keys).settled
    assert desk.requeue(held, "now")
    assert reconcile(store.redis, store.keys).waiting == 1


def test_an_event_comes_back_as_it_was_to_the_digit_however_often(
    store: Store, consumer: InboxConsumer, desk: QuarantineDesk, fill: Fill
) -> None:
    numbers = b'{"claim_id": "x", "a": 450.00, "b": 12345678901234567890123, "c": "\xc3\xbc", "d": 1e2}'
    fill(event(1, data="HERE").replace(b'"HERE"', numbers))
    for _ in range(2):
        (held,) = quarantine.entries(store.redis, store.keys)
        again = quarantine.again(held)
        assert again.count(b"requeue_of") == 1
        assert orjson.loads(again)["requeue_of"] == held.id
        assert again.partition(b'"data":')[2].startswith(numbers.replace(b" ", b""))
        assert desk.requeue(held, "again")
        consumer.run()
    assert reconcile(store.redis, store.keys).balance == 0


@pytest.mark.parametrize("content", [b"not json", b"\xff\xfe", b"[1]", b'{"a": 1, "a": 2}', b"[" * 10_000])
def test_what_would_come_straight_back_is_not_requeued(
    store: Store, desk: QuarantineDesk, fill: Fill, content: bytes
) -> None:
    (held,) = fill(content)
    with pytest.raises(NotRequeueable, match="drop the entry"):
        desk.requeue(held, "try")
    assert [entry.id for entry in quarantine.entries(store.redis, store.keys)] == [held.id]
    assert not lines(store.settings, "quarantine.requeued")


def test_entries_are_found_by_id_and_by_reason(store: Store, fill: Fill) -> None:
    fill(b"not json", b"[1]", b"nor this")
    assert len(list(quarantine.entries(store.redis, store.keys, "not_json"))) == 2
    first = next(quarantine.entries(store.redis, store.keys))
    assert quarantine.find(store.redis, store.keys, first.id) == first
    assert quarantine.content(first) == "not json"
    for name in ("1-1", "nonsense", "", "-", "+", "$"):
        with pytest.raises(NotInQuarantine):
            quarantine.find(store.redis, store.keys, name)


def test_a_key_of_the_wrong_type_refuses_and_writes_nothing(store: Store, desk: QuarantineDesk, fill: Fill) -> None:
    (held,) = fill(event(1, data={"claim_id": "x"}))
    store.redis.rename(store.keys.counters, "aside")
    store.redis.set(store.keys.counters, "in the way")
    with pytest.raises(CommitRefused, match="is a string, expected a hash"):
        desk.requeue(held, "try")
    store.redis.rename("aside", store.keys.counters)
    assert reconcile(store.redis, store.keys).settled


def test_the_audit_file_of_the_quarantine_desk_verifies_up_to_its_head_in_redis(
    store: Store, desk: QuarantineDesk, fill: Fill
) -> None:
    first, second = fill(b"not json", b"nor this")
    desk.drop(first, "a")
    desk.drop(second, "b")
    head = chains.chain_head(store, desk.audit.head.chain)
    assert head is not None
    assert (head.seq, head.seal, head.mac) == (desk.audit.head.seq, desk.audit.head.seal, "")
    assert verify(desk.audit.file, load_ring(store.settings.secret_path, "audit"), head).state == "sound"
