"""Hostile events among honest ones, through a real worker: each is decided, and none makes its neighbors wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from worker.monitoring.reconciliation import reconcile
from worker.pipeline import quarantine
from worker.pipeline.outlets import tail
from worker.store.connections import Store

from .helpers import Worker, claim, event, until

PATIENT = {"SCRUB_SOFT_TIME_LIMIT": "15", "SCRUB_HARD_TIME_LIMIT": "18", "SCRUB_RECLAIM": "20"}
"""Nearly the limits that are shipped: on a busy machine as well."""


def hostile(number: int) -> bytes:
    """A megabyte of what once took seconds, and forty times its size in quarantine."""
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: json.dumps(claim(number)).replace('"lines": [', '"lines": [' + "{}," * 250_000).encode(),
        lambda: b"{" + b",".join(b'"k%d":1' % key for key in range(80_000)) + b"}",
        lambda: json.dumps(claim(number)).replace('"lines": [', '"lines": [{"units": 1e1000000},').encode(),
    )
    data = kinds[number % 3]()
    return b'{"specversion":"1.0","id":"hostile-%d","source":"s","type":"claim.submitted.v1","data":%b}' % (
        number,
        data,
    )


def test_twelve_hostile_events_among_honest_ones_are_decided_and_none_is_tried_alone(
    store: Store, tmp_path: Path
) -> None:
    honest, total = [event(number) for number in range(60)], 72
    used = int(store.redis.info("memory")["used_memory"])
    for place, one in enumerate(honest):
        store.redis.xadd(store.keys.inbox, {"event": one})
        if place % 5 == 0:
            store.redis.xadd(store.keys.inbox, {"event": hostile(place)})
    sent = int(store.redis.info("memory")["used_memory"]) - used
    worker = Worker(store.settings.state_dir, env=PATIENT, concurrency=1).wait_ready()
    try:
        until(
            lambda: reconcile(store.redis, store.keys).settled and reconcile(store.redis, store.keys).accepted == total,
            60,
            worker.text,
        )
        assert b"out of time" not in worker.log.read_bytes()
    finally:
        assert worker.stop() == 0
    found = reconcile(store.redis, store.keys)
    held = list(quarantine.entries(store.redis, store.keys))
    assert (len(held), found.balance) == (12, 0)
    assert {entry.data["reason"] for entry in held} == {"claim_invalid"}
    assert all(len(entry.data["problems"]) <= 101 for entry in held)
    decided = [entry for name in ("billing", "rework") for entry in tail(store.redis, store.keys, name)]
    assert len(decided) == len(honest)
    assert not store.redis.exists(store.keys.attempts)
    grown = int(store.redis.info("memory")["used_memory"]) - used
    assert grown < 2 * sent + 20 * 2**20


def test_what_was_cut_down_to_a_hundred_problems_can_still_be_put_back_on_the_queue_whole(store: Store) -> None:
    from worker import bootstrap
    from worker.pipeline.notification import Notifier

    content = hostile(0)
    store.redis.xadd(store.keys.inbox, {"event": content})
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1_000, send=lambda: None))
    desk = bootstrap.quarantine_desk(store)
    try:
        consumer.run()
        (held,) = quarantine.entries(store.redis, store.keys)
        assert held.data["event"] == content.decode()
        assert desk.requeue(held, "try again")
        consumer.run()
        assert reconcile(store.redis, store.keys).balance == 0
        (again,) = quarantine.entries(store.redis, store.keys)
        assert json.loads(again.data["event"])["data"] == json.loads(content)["data"]
    finally:
        consumer.audit.close()
        desk.audit.close()
