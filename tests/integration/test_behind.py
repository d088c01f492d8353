"""What Redis no longer knows is named from the audit files: emptied, cut, or brought back from an older copy.

redis#4931, redis#11365 and redis#5177 (an append-only file that was cut is loaded without a word), valkey#3983 and
redis#14541 (a restart that drops what scripts wrote): in each of them the books of Redis itself balance.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from worker import bootstrap
from worker.audit.behind import Behind, behind
from worker.config.settings import load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.repartition import repartition
from worker.store import opening
from worker.store.connections import Store
from worker.store.keyring import load_ring
from worker.store.registry import Producer

from .helpers import Worker, event, quiet, settled, until
from .test_rotation import scrub

Dump = dict[bytes, bytes]


def decide(store: Store, consumer: InboxConsumer, *numbers: int) -> None:
    for number in numbers:
        store.redis.xadd(store.keys.inbox, {"event": event(number)})
    while not reconcile(store.redis, store.keys).settled:
        consumer.run()


def copy(store: Store) -> Dump:
    """All of Redis, as a backup has it."""
    return {key: store.redis.dump(key) or b"" for key in store.redis.scan_iter()}


def restore(store: Store, dump: Dump) -> None:
    store.redis.flushall()
    for key, value in dump.items():
        store.redis.restore(key, 0, value)


def look(store: Store) -> Behind:
    return behind(store, load_ring(store.settings.secret_path, "audit"), pause=0)


def claims(found: Behind) -> list[str]:
    return sorted(str(one.claim) for one in found.lost)


def test_where_redis_knows_all_nothing_is_read_and_nothing_said(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    decide(store, consumers(), 0, 1, 2)
    assert look(store) == Behind()
    assert str(look(store)) == ""


def test_what_an_older_copy_lacks_is_named_and_what_is_decided_again_is_not(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    first = consumers()
    decide(store, first, 0, 1)
    store.redis.xadd(store.keys.inbox, {"event": event(2)})  # it waits in the copy
    backup = copy(store)
    decide(store, first, 3, 4)
    restore(store, backup)
    found = look(store)
    assert (claims(found), found.waiting, found.again) == (["PCN-00003", "PCN-00004"], 1, 0)
    assert "2 decisions since 20" in str(found)
    decide(store, consumers())
    found = look(store)
    assert (claims(found), found.waiting, found.again) == (["PCN-00003", "PCN-00004"], 0, 1)
    assert "1 more were decided again" in str(found)


@pytest.mark.parametrize("partitions", [1, 4])
def test_what_waits_again_on_a_producers_own_stream_is_not_lost(store: Store, partitions: int) -> None:
    settings = load_settings(state_dir=store.settings.state_dir, partitions=partitions)
    repartition(store.redis, partitions)
    with opening.open_store(settings, hold=False) as several:
        producers.add(several.redis, several.keys, Producer("ehr"))
        one = bootstrap.inbox_consumer(several, quiet(several))
        for number, part in enumerate(several.keys.all):
            several.redis.xadd(part.stream("ehr"), {"event": event(number)})
            several.redis.xadd(part.inbox, {"event": event(number + 10)})
        backup = copy(several)
        while not reconcile(several.redis, several.keys).settled:
            one.run()
        one.audit.close()
        restore(several, backup)
        found = look(several)
        # What was forwarded waits where it first came in; which of its streams that is, its line says as well.
        assert (found.lost, found.waiting) == ((), 2 * partitions)


def test_after_flushall_every_decision_is_named_with_its_chain(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    one = consumers()
    decide(store, one, 0, 1, 2)
    store.redis.flushall()
    found = look(store)
    assert (claims(found), found.unknown) == ([f"PCN-{n:05}" for n in range(3)], (one.audit.head.chain,))


def test_a_process_that_died_with_a_batch_in_hand_lost_nothing(
    store: Store, consumers: Callable[[], InboxConsumer], monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = consumers()
    decide(store, dying, 0)
    (partition,) = dying.partitions

    def dead(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(partition.committer, "commit", dead)
    store.redis.xadd(store.keys.inbox, {"event": event(1)})
    with pytest.raises(KeyboardInterrupt):
        dying.run()
    found = look(store)
    assert (found.lost, found.waiting) == ((), 1)
    other = consumers()
    (entry,) = store.redis.xpending_range(store.keys.inbox, "scrub", "-", "+", 10)
    store.redis.xclaim(store.keys.inbox, "scrub", other.partitions[0].inbox._consumer, 0, [entry["message_id"]])
    other.partitions[0].unfinished = True
    decide(store, other)
    found = look(store)
    assert (found.lost, found.waiting, found.again) == ((), 0, 1)


def test_a_line_that_was_taken_back_is_no_decision(store: Store, consumers: Callable[[], InboxConsumer]) -> None:
    consumer = consumers()
    decide(store, consumer, 0)
    consumer.audit.write(
        [
            {"event.action": "claim.scrubbed", "claim.decision_id": "ab" * 16, "claim.claim_id": "PCN-9"},
            {"event.action": "claim.superseded", "claim.decision_id": "ab" * 16, "claim.claim_id": "PCN-9"},
        ]
    )
    assert look(store).lost == ()


def test_a_process_that_lives_says_once_that_redis_forgot_its_commits(
    store: Store, consumers: Callable[[], InboxConsumer], caplog: pytest.LogCaptureFixture
) -> None:
    consumer = consumers()
    backup = copy(store)
    decide(store, consumer, 0, 1)
    restore(store, backup)
    consumer.partitions[0].inbox.ensure()
    with caplog.at_level(logging.ERROR):
        decide(store, consumer, 2)
        decide(store, consumer, 3)
    said = [record for record in caplog.records if "Redis has forgotten commits" in record.getMessage()]
    assert len(said) == 1
    assert "stood at line 3, and Redis says nothing of it" in said[0].getMessage()


@pytest.mark.slow
def test_status_of_the_command_doctor_and_a_worker_that_starts(
    store: Store, consumers: Callable[[], InboxConsumer], start_worker: Callable[..., Worker]
) -> None:
    decide(store, consumers(), 0)
    whole = scrub(store.settings, "audit", "lost")
    assert (whole.returncode, whole.stdout) == (0, "Redis knows every decision of the audit files.\n")
    backup = copy(store)
    decide(store, consumers(), 1, 2)
    restore(store, backup)
    text = scrub(store.settings, "audit", "lost")
    assert (text.returncode, text.stdout.count("PCN-0000")) == (1, 2), text.stderr
    listed = scrub(store.settings, "audit", "lost", "--format", "json")
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (listed.returncode, sorted(one["claim_id"] for one in found)) == (1, ["PCN-00001", "PCN-00002"])
    examined = scrub(store.settings, "doctor", "--format", "json")
    told = [json.loads(line) for line in examined.stdout.splitlines()]
    assert examined.returncode == 1
    assert any("Redis is behind the audit files: 2 decisions" in one["sentence"] for one in told)
    worker = start_worker(concurrency=1).wait_ready(60)
    until(lambda: '"event.action":"audit.behind"' in worker.text(), 30, worker.text)
    store.redis.xadd(store.keys.inbox, {"event": event(5)})
    settled(store, reconcile(store.redis, store.keys).accepted, 60)
    assert worker.stop(60) == 0
