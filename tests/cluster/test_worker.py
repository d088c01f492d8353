"""Workers, senders and commands on a cluster."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.helpers import Worker, each_once, event, until
from worker.config.settings import Settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.producer import send
from worker.store.connections import Store


def test_a_worker_decides_each_claim_once_wherever_it_was_put(
    store: Store, settings: Settings, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker().wait_ready()
    events = [event(number) for number in range(300)]
    for one in events[:100]:  # a sender that knows no partitions
        store.redis.xadd(store.keys.inbox, {"event": one})
    send(store.redis, store.keys, events[100:], source="/hospital/ehr", settings=settings)
    until(lambda: (found := reconcile(store.redis, store.keys)).settled and found.taken_off >= 300, 30, worker.text)
    each_once(store, 300)
    assert worker.stop() == 0
    assert "Traceback" not in worker.text()
