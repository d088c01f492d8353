"""The floor of the bench is what it says: to Redis it is a worker."""

from __future__ import annotations

from statistics import mean

import pytest

from tests.book import BOOK
from worker.bench import floor
from worker.bench.claims import event
from worker.pipeline import batch
from worker.pipeline.commit import Item
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import InboxEntry
from worker.store.keyring import Rings
from worker.store.keys import Keys

ENTRIES = [InboxEntry(f"{1_790_000_000_000 + number}-0", event(number), {}) for number in range(600)]
FLOOR = [floor.item(entry, Keys()) for entry in ENTRIES]


@pytest.fixture(scope="module")
def worker() -> list[Item]:
    bench = BatchContext(BOOK, Keys(), Rings.of(b"k" * 32), 2**20)
    return [decision.item for decision in batch.judge(batch.read(ENTRIES, bench), {}, bench)]


@pytest.mark.parametrize("part", ["payload", "writes", "ledger_writes", "event_key", "ledger_key"])
def test_it_sends_redis_as_much_as_a_worker(worker: list[Item], part: str) -> None:
    theirs, ours = (mean(len(getattr(item, part)) for item in items) for items in (worker, FLOOR))
    assert ours == pytest.approx(theirs, rel=0.05)


def test_each_of_its_claims_has_an_event_and_a_patient_of_its_own() -> None:
    keys = [key for item in FLOOR for key in (item.event_key, item.ledger_key)]
    assert len(set(keys)) == 2 * len(ENTRIES)
