"""A scenario of a sender that fills Redis: what it sends is well-formed, and only too much."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from tests.integration.attacks import HONEST, Attacker
from tests.integration.helpers import claim, event
from worker.pipeline.outlets import parsed
from worker.store.keys import Keys
from worker.store.outletspecs import GROUPED
from worker.store.registry import Producer

from .hostile import registered
from .reckoning import Reckoning, reckon
from .scenarios import scenario
from .stage import Stage
from .turning import kill_a_process

_ROOM = 48_000_000
"""Bytes of memory beside what Redis uses when it is empty."""
_BULK = [{"response": "x" * 2_000}] * 4
"""Of a claim of the flood: much beside what is remembered of it for weeks."""
_FLOODER = "evil"


class Readers:
    """Who reads the outlets: takes all there is, acknowledges it and keeps it; on strike in between."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.reads = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        keys = self._stage.direct.keys
        with self._stage.server.client as client:
            while not self._over.is_set():
                if self.reads.wait(0.1):
                    for name in GROUPED:
                        self._take(client, name, keys)
                time.sleep(0.02)

    def _take(self, client: Redis, name: str, keys: Keys) -> None:
        stream = keys.outlet(name)
        try:
            answer: Any = client.xreadgroup(name, "reader", {stream: ">"}, count=500)
        except RedisError:  # no group yet
            return
        for _, page in answer:
            for entry, fields in page:
                found = parsed(client, keys, entry, fields)
                self._stage.taken[name][found.id] = found
            client.xack(stream, name, *[entry for entry, _ in page])


@scenario("flood", 4)
def flood(stage: Stage) -> Reckoning:
    """A registered sender floods its stream by XADD, which asks nobody for room, while nobody reads the outlets: workers
    hold, say which outlet is unread, and go on by themselves once it is read; pool processes are killed in between.
    """
    stage.patience = 400  # it is told to wait until the flood is worked off
    stage.server.start()
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)
    stage.producer, stage.login = HONEST, registered(stage, Producer(HONEST, "north", trusted=True))
    user, _, password = registered(stage, Producer(_FLOODER, "south")).partition(":")
    evil = Attacker(
        Redis(port=stage.server.port, username=user, password=password, retry=Retry(NoBackoff(), 0)), _FLOODER
    )
    with stage.server.client as admin:
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] + _ROOM)
    readers, sent, longest = Readers(stage), 0, 0.0
    try:
        for _ in stage.each():
            readers.reads.clear()
            sent = _pour(stage, evil, sent)
            stage.until(lambda: _unread(stage), 120)
            kill_a_process(stage)
            _stands(stage)
            began = time.monotonic()
            readers.reads.set()
            kill_a_process(stage)
            stage.until(lambda: not stage.now().hold, 200)
            longest = max(longest, time.monotonic() - began)
        stage.fed(stage.patience)
        stage.settle(stage.patience)
        stage.until(lambda: not any(stage.now().outlet(name).unread for name in GROUPED))
    finally:
        readers.end()
    found = reckon(stage)
    if not any('"queue.held_by":"billing"' in worker.text() for worker in stage.workers):
        found.say("no log line named the outlet to the alert")
    if stage.now().hold:
        found.say(f"the workers wait although all is read: {stage.now().hold}")
    stage.notes.append(f"{sent} claims of the flood; each hold ended within {longest:.0f} s of reading")
    return found


def _pour(stage: Stage, evil: Attacker, sent: int) -> int:
    """Until Redis refuses, or the workers wait; answers how many it was in all."""
    while not stage.now().hold:
        with evil.client.pipeline(transaction=False) as pipeline:
            for number in range(sent, sent + 50):
                data = claim(number, claim_id=f"E-{number}", documentation=_BULK)
                pipeline.xadd(evil.stream, {"event": event(number, data=data)})
            try:
                pipeline.execute()
            except OutOfMemoryError:
                time.sleep(0.05)
        sent += 50
    return sent


def _unread(stage: Stage) -> str | None:
    """The outlet that the hold names."""
    hold = stage.now().hold
    named = re.search(r"most unread is (\w+), with \d+ by group \1", hold.reason) if hold else None
    return named[1] if named else None


def _stands(stage: Stage) -> None:
    """While nobody reads, it does not end, and nothing more is decided."""
    stage.until(lambda: not stage.now().in_flight)  # what was in hand is finished, also of who died with it
    before = stage.decided()
    time.sleep(2)
    if not stage.now().hold or stage.decided() != before:
        raise AssertionError(f"the hold does not stand: {before} decided before, {stage.decided()} now")
