"""The clock of Redis far ahead, and right again: what was handed out meanwhile is not handed out in some weeks.

How long an entry was in a consumer's hands is Redis' own clock's word: one that was handed out later than now has been so
for no time, and cannot be claimed (dragonfly#1944 has that as what is expected, kvrocks#2202 as why TIME is bounded). A
virtual machine that is resumed, or a first answer of NTP, makes it so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.faults.scenarios import NotHere, faketime
from tests.faults.server import Server
from worker.config.settings import load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.clockback import FutureDeliveries
from worker.pipeline.inbox import Inbox
from worker.store import opening
from worker.store.keys import GROUP, Keys
from worker.store.scripts import call, named

STREAM = Keys().inbox


class Clock:
    """Our own."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Faked:
    """A server, and by how much its clock goes wrong."""

    def __init__(self, server: Server, file: Path) -> None:
        self.server, self._file = server, file

    def ahead(self, seconds: int) -> None:
        self._file.write_text(f"+{seconds}\n")
        time.sleep(0.05)


@pytest.fixture
def faked(home: Path) -> Iterator[Faked]:
    try:
        library = faketime()
    except NotHere as error:
        pytest.skip(str(error))
    file, server = home / "clock", Server(home / "server")
    file.write_text("+0\n")
    server.environment = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    server.start()
    yield Faked(server, file)
    server.kill()


def taken(faked: Faked, home: Path, ahead: int) -> Inbox:
    """Three entries in the hands of a process that is gone, taken so many seconds ahead."""
    with opening.open_store(load_settings(state_dir=home, redis_url=faked.server.url)) as store:
        inbox = Inbox(store.redis, store.keys, "gone")
        inbox.ensure()
        for number in range(3):
            store.redis.xadd(STREAM, {"event": str(number)})
        faked.ahead(ahead)
        assert len(inbox.take(3)) == 3
        faked.ahead(0)
    return Inbox(faked.server.client, Keys(), "me")


def test_an_entry_of_a_time_that_is_yet_to_come_is_taken_over_after_the_usual_time(faked: Faked, home: Path) -> None:
    inbox, clock = taken(faked, home, 86_400), Clock()
    found = FutureDeliveries(clock)
    mended = []
    for _ in range(8):
        assert inbox.expired(4_000) == []
        mended.append(found.mend(faked.server.client, [STREAM], 4.0))
        if mended[-1]:
            break
        clock.now += 0.9
    assert (sum(mended), clock.now - 1_000.0 >= 4.0) == (3, True)
    (expired, *_) = inbox.expired(4_000)
    assert expired.owner == "gone"
    assert inbox.reclaim(expired.entry, 4_000) is not None


def test_what_is_in_hand_by_a_clock_that_is_right_is_left_alone(faked: Faked, home: Path) -> None:
    inbox, clock = taken(faked, home, 0), Clock()
    found = FutureDeliveries(clock)
    for _ in range(20):
        assert found.mend(faked.server.client, [STREAM, "{claims:0}:none"], 4.0) == 0
        clock.now += 0.9
        time.sleep(0.002)
    assert inbox.expired(4_000) == []


def test_one_that_is_handed_out_anew_begins_anew(faked: Faked, home: Path) -> None:
    inbox, clock = taken(faked, home, 86_400), Clock()
    found, redis = FutureDeliveries(clock), faked.server.client
    found.mend(redis, [STREAM], 4.0)
    clock.now += 3.9
    faked.ahead(86_400)
    (first, *_) = [one["message_id"] for one in redis.xpending_range(STREAM, GROUP, "-", "+", 3)]
    redis.xclaim(STREAM, GROUP, "another", 0, [first])
    faked.ahead(0)
    found.mend(redis, [STREAM], 4.0)
    clock.now += 0.9
    assert found.mend(redis, [STREAM], 4.0) == 2
    assert {one.owner for one in inbox.expired(4_000)} == {"gone"}


def test_a_worker_that_lived_in_a_time_that_is_yet_to_come_is_forgotten(faked: Faked, home: Path) -> None:
    with opening.open_store(load_settings(state_dir=home, redis_url=faked.server.url)) as store:
        redis: Redis = store.redis
        now = int(redis.time()[0]) * 1000
        said = '{"host":"h","pid":1,"processes":[]}'
        redis.hset(store.keys.workers, mapping={"later": f"{now + 86_400_000} {said}", "live": f"{now} {said}"})
        assert {one.name for one in reconcile(redis, store.keys).alive} == {"later", "live"}
        names = {"workers": store.keys.workers, "judging": store.keys.judging, "streams": [STREAM]}
        redis.eval(named("prune"), *call(names, GROUP, "40000", "3600000"))  # type: ignore[arg-type]
        assert {one.name for one in reconcile(redis, store.keys).alive} == {"live"}
