"""Latency from XADD to the outlet: on an idle queue, and under a steady load."""

from __future__ import annotations

import threading
import time
from typing import Any

import orjson

from worker.bench.claims import claim
from worker.bench.pipe import Say, claims_a_second
from worker.bench.tables import Section
from worker.bench.testbed import Testbed, fresh_testbed
from worker.pipeline.inbox import ensure_groups
from worker.process import celeryapp
from worker.process.command import command
from worker.store import opening
from worker.store.outletspecs import OUTLETS
from worker.store.registry import streams_of


class Stalled(Exception):
    """Not every claim came out within the time."""


def latencies(*, idle: int, loaded: int, processes: int, say: Say) -> Section:
    """Milliseconds from before XADD until a waiting consumer has the result; fsync always."""
    say("latency: idle")
    rows = [("idle, one claim every 50 ms", *_quantiles(_measure(processes, idle, 20.0, 1)))]
    say("latency: the highest rate")
    highest = claims_a_second(processes, 10_000 * processes, "always")
    say("latency: at half of the highest rate")
    rows.append(
        (
            f"half of the highest rate, {highest / 2:.0f} claims/s",
            *_quantiles(_measure(processes, loaded, highest / 2, 20)),
        )
    )
    columns = ("load", "p50 ms", "p95 ms", "p99 ms")
    return Section(f"Latency from XADD to the outlet, {processes} processes", columns, rows)


def _quantiles(found: list[float]) -> tuple[float, float, float]:
    found.sort()
    return tuple(round(found[min(len(found) - 1, int(len(found) * part))] * 1000, 2) for part in (0.5, 0.95, 0.99))  # type: ignore[return-value]


def _measure(processes: int, count: int, rate: float, burst: int) -> list[float]:
    """Sends `count` claims at `rate` a second, `burst` at a time, and answers how long each took."""
    with fresh_testbed() as testbed:
        ensure_groups(testbed.store.redis, testbed.store.keys, streams_of(testbed.store.redis, testbed.store.keys))
        testbed.start(command(processes))
        warm = 20
        sent, got = dict[str, float](), dict[str, float]()
        ended = threading.Event()
        reader = threading.Thread(target=_read, args=(testbed, got, ended), daemon=True)
        reader.start()
        _send(testbed, sent, range(warm), 4.0, 1)
        _wait(got, warm)
        _send(testbed, sent, range(warm, warm + count), rate, burst)
        _wait(got, warm + count)
        ended.set()
        reader.join()
    return [got[name] - sent[name] for name in got if int(name) >= warm]


def _wait(got: dict[str, float], count: int) -> None:
    deadline = time.monotonic() + 60
    while len(got) < count:
        if time.monotonic() > deadline:
            raise Stalled(f"{len(got)} of {count}")
        time.sleep(0.01)


def _send(testbed: Testbed, sent: dict[str, float], numbers: range, rate: float, burst: int) -> None:
    redis, inbox, notifier = testbed.store.redis, testbed.store.keys.inbox, celeryapp.notifier(testbed.store)
    events = [(str(number), _event(number)) for number in numbers]
    begun = time.monotonic()
    for first in range(0, len(events), burst):
        time.sleep(max(0.0, begun + first / rate - time.monotonic()))
        with redis.pipeline(transaction=False) as pipeline:
            for name, event in events[first : first + burst]:
                pipeline.xadd(inbox, {"event": event})
                sent[name] = time.monotonic()
            pipeline.execute()
        notifier.notify()


def _event(number: int) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(number),
            "source": "/bench",
            "type": "claim.submitted.v1",
            "data": claim(number),
        }
    )


def _read(testbed: Testbed, got: dict[str, float], ended: threading.Event) -> None:
    keys = testbed.store.keys
    last: dict[Any, Any] = {keys.outlet(name): "0" for name in OUTLETS}
    with opening.open_store(testbed.settings, hold=False) as store:
        while not ended.is_set():
            answer: Any = store.redis.xread(last, count=500, block=200)
            now = time.monotonic()
            for stream, entries in answer or ():
                for entry, fields in entries:
                    got.setdefault(orjson.loads(fields[b"event"])["eventid"], now)
                    last[stream.decode()] = entry
