"""What is sent again, on a real server and with a real consumer: it makes no second result."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from worker import bootstrap
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.eventmaker import EventMaker
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.pipeline.producer import Submittable, send
from worker.store.connections import Store

from .helpers import claim, event

Through = Callable[..., tuple[int, EventMaker, list[Refusal]]]


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: None))
    yield consumer
    consumer.audit.close()


@pytest.fixture
def through(store: Store) -> Through:
    """Sends the lines of a file, as `scrub submit` does."""

    def through(*rows: Any, limit: int = 2**20, source: str = "/test") -> tuple[int, EventMaker, list[Refusal]]:
        refusals: list[Refusal] = []
        raw = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
        maker = EventMaker(source, limit, refusals.append)
        found = (one for one in read_documents("f", io.BytesIO(raw)) if isinstance(one, Document))
        events: Iterator[Submittable] = maker.events(found)
        return len(send(store.redis, store.keys, events, source="", settings=store.settings)), maker, refusals

    return through


def test_a_file_that_was_decided_is_repeated_and_a_longer_one_only_as_far_as_it_is_new(
    through: Through, consumer: InboxConsumer, store: Store
) -> None:
    rows = [claim(number) for number in range(700)]
    assert through(*rows)[0] == 700
    consumer.run()
    sent, maker, _ = through(*rows, claim(700))
    assert (sent, maker.read) == (701, 701)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (found.accepted, found.repeated, found.settled) == (1_401, 700, True)


def test_what_still_waits_makes_no_second_result(through: Through, consumer: InboxConsumer, store: Store) -> None:
    for _ in range(2):
        assert through(claim(1), claim(2))[0] == 2
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (found.accepted, found.repeated, found.balance) == (4, 2, 0)


def test_one_place_with_another_content_and_one_content_at_another_place_are_other_events(
    through: Through, consumer: InboxConsumer, store: Store
) -> None:
    through(claim(1), claim(1))
    through(claim(2), claim(1))
    through(claim(1), claim(1), source="/other")
    consumer.run()
    assert reconcile(store.redis, store.keys).repeated == 1, "the second of the second file alone"


def test_a_cloud_event_is_known_by_its_own_name_and_is_quarantined_where_its_data_differ(
    through: Through, consumer: InboxConsumer, store: Store
) -> None:
    assert through(event(1), event(2))[0] == 2
    consumer.run()
    assert through(event(2), event(1, data=claim(9)), event(1, requeue_of="1-1"))[0] == 3
    consumer.run()
    (reused,) = tail(store.redis, store.keys, "quarantine")
    assert reused.data["reason"] == "event_id_reused"
    assert reconcile(store.redis, store.keys).repeated == 2, "whatever the event says of a requeue"


def test_a_claim_that_is_too_large_for_an_event_is_refused_and_the_others_go_in(through: Through) -> None:
    large = claim(2, documentation=[{"response": "x" * 1_900} for _ in range(20)])
    sent, maker, refusals = through(claim(1), large, claim(3), limit=20_000)
    assert (sent, maker.read) == (2, 2)
    assert [one.position for one in refusals] == ["line 2"]
    assert "SCRUB_MAX_EVENT_BYTES" in refusals[0].sentence


def test_an_event_in_binary_mode_is_judged_and_is_the_same_event_as_its_structured_twin(
    consumer: InboxConsumer, store: Store
) -> None:
    fields: dict[str, str] = {
        "ce_specversion": "1.0", "ce_id": "evt-1", "ce_source": "/hospital/ehr", "ce_type": "claim.submitted.v1",
        "ce_time": "2026-10-20T14:03:00Z", "content-type": "application/json", "data": json.dumps(claim(1)),
    }  # fmt: skip
    store.redis.xadd(store.keys.inbox, {**fields})
    store.redis.xadd(store.keys.inbox, {"event": event(1)})
    store.redis.xadd(store.keys.inbox, {**fields, "data": json.dumps(claim(2))})
    store.redis.xadd(store.keys.inbox, {**fields, "ce_id": "evt-2", "data": "{"})
    consumer.run()
    (judged,) = [one for name in ("billing", "rework") for one in tail(store.redis, store.keys, name)]
    assert judged.event["eventid"] == "evt-1"
    assert judged.data["claim"] == claim(1)
    found = reconcile(store.redis, store.keys)
    assert (found.repeated, found.balance) == (1, 0)
    reused, broken = tail(store.redis, store.keys, "quarantine")
    assert (reused.data["reason"], broken.data["reason"]) == ("event_id_reused", "not_json")
    assert json.loads(reused.data["event"])["data"] == claim(2)
