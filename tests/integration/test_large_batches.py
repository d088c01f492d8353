"""A batch of large claims: what it takes at once is bounded, and none is late because of the others.

A producer may send two hundred claims of a megabyte, or of a thousand lines, in a row. A public case of the kind is
Kafka's KIP-74: a fetch that is bounded by records, and not by bytes, takes as much memory as its senders like.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import claim, event

pytestmark = pytest.mark.slow

QUICK = {"drain_budget": 0.1, "soft_time_limit": 0.4, "hard_time_limit": 30, "reclaim": 60}
GENEROUS = {"drain_budget": 300, "soft_time_limit": 400, "hard_time_limit": 420, "reclaim": 500}


@pytest.fixture(params=[QUICK, GENEROUS], ids=["little time", "time enough"])
def settings(home: Path, unset: None, request: pytest.FixtureRequest) -> Settings:
    return load_settings(state_dir=home, visibility_timeout=3_600, **request.param)


@pytest.fixture
def notified() -> list[int]:
    return []


@pytest.fixture
def consumer(store: Store, notified: list[int]) -> Iterator[InboxConsumer]:
    consumer = bootstrap.inbox_consumer(
        store, Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: notified.append(1))
    )
    yield consumer
    consumer.audit.close()


def large(number: int) -> bytes:
    """A short claim with much to be said of each of its lines."""
    one = claim(number)
    line = {"procedure": "64445", "charge": "1", "units": 2, "modifiers": ["XX"]}
    lines = [{**line, "number": place} for place in range(1, 1_000)]
    return event(number, data={**one, "lines": lines})


def audited(settings: Settings) -> list[dict[str, Any]]:
    files = sorted(settings.audit_path.glob("*.jsonl"))
    found = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [line for line in found if line["event.action"] == "claim.scrubbed"]


def put(store: Store, *events: bytes) -> None:
    send(store.redis, store.keys, events, source="test", settings=store.settings)


def consumed(store: Store, consumer: InboxConsumer, notified: list[int]) -> int:
    """How many runs it took; each that left something has notified the next one."""
    for run in range(1, 41):
        consumer.run()
        if reconcile(store.redis, store.keys).settled:
            return run
        assert notified
    raise AssertionError("forty runs were not enough")


def test_a_batch_of_large_claims_is_decided_in_parts_and_nobody_is_tried_alone(
    store: Store, consumer: InboxConsumer, notified: list[int], settings: Settings
) -> None:
    put(store, *(large(number) for number in range(5)), event(5))
    runs = consumed(store, consumer, notified)
    lines = audited(settings)
    assert sorted(line["claim.claim_id"] for line in lines) == [claim(number)["claim_id"] for number in range(6)]
    assert not any("queue.attempt" in line for line in lines)
    assert (runs > 1) == (settings.soft_time_limit < 1)


@pytest.mark.parametrize("settings", [GENEROUS], indirect=True)
def test_what_is_sent_to_redis_at_once_is_bounded(store: Store, consumer: InboxConsumer, settings: Settings) -> None:
    put(store, *(large(number) for number in range(14)))
    consumer.run()
    at_once = Counter[str]()
    for line in audited(settings):
        at_once[line["batch.id"]] += 1
    (entries,) = (store.redis.xrange(store.keys.outlet("rework")),)
    size = max(len(fields[b"event"]) for _, fields in entries)
    assert at_once.total() == 14
    assert max(at_once.values()) * size < 2**25 + size
    assert 14 * size > 2**25, "else this shows nothing"


@pytest.mark.parametrize("settings", [GENEROUS], indirect=True)
def test_a_batch_of_usual_claims_stays_one(store: Store, consumer: InboxConsumer, settings: Settings) -> None:
    put(store, *(event(number) for number in range(settings.batch)))
    consumer.run()
    assert len({line["batch.id"] for line in audited(settings)}) == 1
