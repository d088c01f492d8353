"""Maintenance: once a second one of the workers looks whether there is work that no notification announced.

It needs no beat process and no notifying producer: one that only knows XADD is served within a period.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from rules.book.sources import past_review
from rules.errors import ScrubError
from worker.books import current
from worker.logs.operational import log
from worker.monitoring import pressure, progress
from worker.monitoring.line import reconciliation_line
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.clockback import FutureDeliveries
from worker.pipeline.inbox import ensure_groups
from worker.pipeline.notification import Notifier
from worker.pipeline.textsweep import TextSweep
from worker.store import agreement, memory, registry
from worker.store.cluster import LOST, is_cluster
from worker.store.connections import Store
from worker.store.keys import GROUP, Keys
from worker.store.outletspecs import CONSUMED
from worker.store.registry import Streams, streams_of
from worker.store.scripts import call, named, script

_LOG_MS = 10_000
_NOTE_MS = 10_000
"""A note of progress that nobody renewed for this long is forgotten: whoever comes back begins a new one."""
_AWAY_PERIODS = 10
"""A consumer that has read nothing for this many reclaim times, and has nothing pending, is forgotten."""
_GONE_MS = "3600000"
"""A worker that has not said for this long that it is alive is forgotten."""
_SAMPLES = "12"
_MOST = 110
"""Per cent of the memory up to which claims are worked off during a hold: a batch is larger decided than waiting."""
_TRIM = 20_000
"""Entries of an outlet that one round deletes at most, so that Redis never stops for long."""


_handed_out = FutureDeliveries()
_texts = TextSweep()


def maintain(store: Store, notifier: Notifier) -> bool:
    """One round; answers whether it was for this worker to do.

    Raises:
        redis.exceptions.RedisError
    """
    settings, keys, redis = store.settings, store.keys, store.once
    if not memory.put(redis, keys.tend, "1", max(1, int(settings.tend * 900)), "NX"):
        return False
    idle = int(settings.reclaim * 1000)
    works, failures = list[bool | None](), list[ResponseError]()
    streams = streams_of(redis, keys)
    parts, away = _answering(redis, keys)
    _handed_out.mend(redis, [part.stream(name) for part in parts for name in streams.names], settings.reclaim)
    full = pressure.above(memory.memory(redis), settings, held=bool(redis.exists(keys.hold)))
    retention = 0 if full else int(settings.retention * 86_400_000)
    for part in parts:
        try:
            works.append(_look_after(store, part, streams, idle, retention))
        except ResponseError as error:  # a key in the way on one is no reason to leave the others
            failures.append(error)
            works.append(None)
    found = reconcile(redis, keys, parts)
    held = _hold(store, found, streams, parts)
    if not away:
        note = progress.renewed(found, [work is not False and not held for work in works])
        memory.put(redis, keys.progress, note, int(max(_NOTE_MS, 3000 * settings.tend)))
    if any(works):  # while they are held as well: repeated events are dropped, and a step may be to take
        notifier.notify()
    if memory.put(redis, keys.tend_log, "1", _LOG_MS, "NX"):
        if away:
            log(__name__).warning(f"{away[0]}; partitions that wait for it: {', '.join(map(str, away[1]))}")
        else:
            _agree_again(store)
            _report(store, found)
            taken = f"{found.moment * 1000:.0f} {found.accepted} {found.taken_off}"
            redis.eval(script("sample"), 1, keys.samples, taken, _SAMPLES)
        for part in parts:
            read = [*map(part.stream, streams.names)]
            names = {"workers": part.workers, "judging": part.judging, "streams": read}
            redis.eval(named("prune"), *cast(Any, call(names, GROUP, str(_AWAY_PERIODS * idle), _GONE_MS)))
    if failures:
        raise failures[0]
    return True


def _answering(redis: Redis, keys: Keys) -> tuple[Sequence[Keys], tuple[str, list[int]] | None]:
    """The partitions that can be looked after, and of a cluster why some cannot."""
    if not is_cluster(redis):
        return keys.all, None
    found, away, reason = list[Keys](), list[int](), ""
    for part in keys.all:
        try:
            redis.exists(part.meta)
        except LOST as error:
            away.append(part.partition)
            reason = str(error)
        else:
            found.append(part)
    return found, (reason, away) if away else None


def _look_after(store: Store, keys: Keys, streams: Streams, idle: int, retention: int) -> bool:
    """One partition; answers whether there is work on it. `idle`: ms after which an entry is taken over; `retention`:
    for how long an outlet keeps what all have acknowledged."""
    redis = store.once
    for name in CONSUMED:
        memory.trim(redis, keys.outlet(name), retention, _TRIM)
    _texts.sweep(redis, keys)
    with redis.pipeline(transaction=False) as pipeline:
        for stream in map(keys.stream, streams.names):
            pipeline.xlen(stream)
            pipeline.xpending(stream, GROUP)
            pipeline.xpending_range(stream, GROUP, "-", "+", 1, idle=idle)
        answers = cast(Any, pipeline.execute(raise_on_error=False))
    asked = list(zip(answers[::3], answers[1::3], answers[2::3], strict=True))
    if any(isinstance(found, Exception) for found in answers):
        ensure_groups(redis, keys, streams)
    return any(_anything_to_take(*one) for one in asked)


def _anything_to_take(length: Any, pending: Any, expired: Any) -> bool:
    """Of a stream, as Redis answered; one whose group was not there yet has given nothing out."""
    if isinstance(length, Exception):
        return False
    if isinstance(pending, Exception) or isinstance(expired, Exception):
        return bool(length)
    return bool(expired) or length > int(pending["pending"])


def _hold(store: Store, found: Reconciliation, streams: Streams, parts: Sequence[Keys]) -> bool:
    """Makes the workers wait, or ends it, as the outlets and the memory are; says so in the log when it changes. And
    tells producers."""
    redis, keys, settings = store.once, store.keys, store.settings
    used = memory.memory(redis)
    why = pressure.reasons(found, used, settings, held=found.hold is not None)
    full = pressure.above(used, settings, held=found.hold is not None)
    stepping = full and len(why) == 1 and not pressure.to_read(found) and used.per_cent < _MOST
    pressure.hold(redis, keys, found, why, stepping=stepping)
    waiting = pressure.waiting_bytes(redis, (part.stream(name) for part in parts for name in streams.names))
    pressure.publish(redis, keys, found.moment, used, waiting, settings)
    if why and not found.hold:
        log(__name__).warning("the workers wait: " + "; ".join(why))
    elif found.hold and not why:
        log(__name__).info("the workers wait no longer")
    return bool(why)


def _agree_again(store: Store) -> None:
    try:
        agreement.agree_again(store)
        registry.register_again(store)
    except OutOfMemoryError:  # seen again in ten seconds; what makes the workers wait must not fail for that
        log(__name__).warning("Redis is full: what all have agreed on is put back once it is not")
    except ScrubError as error:
        log(__name__).error(str(error))


def _report(store: Store, found: Reconciliation) -> None:
    book = current.own_book(store.settings)
    line = reconciliation_line(found, book.version, past_review(book.sources, datetime.now(UTC).date()))
    say = log(__name__).info if found.balance == 0 else log(__name__).error
    say("the books" if found.balance == 0 else "the books do not balance", **line)
