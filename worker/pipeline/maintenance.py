"""Tending: every worker looks once a second whether there is work that no bell announced, one worker at a time.

It needs no beat process and no producer's ring: a producer that only knows XADD is served within a period.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from celery import bootsteps
from redis.exceptions import RedisError, ResponseError

from rules.book.sources import past_review
from rules.errors import ScrubError
from worker import bootstrap as wiring
from worker.bootstrap import Store
from worker.logs.operational import log, safe_exception
from worker.monitoring import pressure, progress
from worker.monitoring.reconciliation import Books, books, books_line
from worker.pipeline.commit import script
from worker.pipeline.inbox import ensure_groups
from worker.pipeline.notification import Bell
from worker.process.remotecontrol import keep_consuming
from worker.store import reachability
from worker.store.keys import GROUP, TRIMMED_OUTLETS, Keys

_LOG_MS = 10_000
_NOTE_MS = 10_000
"""A note of progress that nobody renewed for this long is forgotten: whoever comes back begins a new one."""
_AWAY_PERIODS = 10
"""A consumer that has read nothing for this many reclaim times, and has nothing pending, is forgotten."""
_GONE_MS = "3600000"
"""A worker that has not said for this long that it is alive is forgotten."""
_SAMPLES = "12"
_TRIM = 20_000
"""Entries of an outlet that one look deletes at most, so that Redis never stops for long."""
_BEAT = 5.0
"""Seconds between two signs of life; `worker.monitoring.reconciliation.ALIVE` is three of them."""
_TURN = 1.0
"""Seconds between two turns of the main loop that its heartbeat tells of."""
_LONGEST_PAUSE = 5.0


def tend_once(store: Store, door: Bell) -> bool:
    """One look; answers whether this worker's turn it was.

    Raises:
        redis.exceptions.RedisError
    """
    settings, keys, redis = store.settings, store.keys, store.once
    if not pressure.put(redis, keys.tend, "1", max(1, int(settings.tend * 900)), "NX"):
        return False
    idle = int(settings.reclaim * 1000)
    works, failures = list[bool | None](), list[ResponseError]()
    for part in keys.all:
        try:
            works.append(_look_after(store, part, idle))
        except ResponseError as error:  # a key in the way on one is no reason to leave the others
            failures.append(error)
            works.append(None)
    found = books(redis, keys)
    held = _hold(store, found)
    note = progress.renewed(found, [work is not False and not held for work in works])
    pressure.put(redis, keys.progress, note, int(max(_NOTE_MS, 3000 * settings.tend)))
    if any(works) and not held:
        door.ring()
    if pressure.put(redis, keys.tend_log, "1", _LOG_MS, "NX"):
        _agree_again(store)
        _report(store, found)
        redis.eval(
            script("sample"), 1, keys.samples, f"{found.moment * 1000:.0f} {found.accepted} {found.taken_off}", _SAMPLES
        )
        for part in keys.all:
            places = (part.inbox, part.workers, part.judging)
            redis.eval(script("prune"), len(places), *places, GROUP, str(_AWAY_PERIODS * idle), _GONE_MS)
    if failures:
        raise failures[0]
    return True


def _look_after(store: Store, keys: Keys, idle: int) -> bool:
    """One partition; answers whether there is work on it. `idle`: ms after which an entry is taken over."""
    redis = store.once
    for name in TRIMMED_OUTLETS:
        pressure.trim(redis, keys.outlet(name), int(store.settings.retention * 86_400_000), _TRIM)
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.xinfo_groups(keys.inbox)
        pipeline.xlen(keys.inbox)
        pipeline.xpending(keys.inbox, GROUP)
        pipeline.xpending_range(keys.inbox, GROUP, "-", "+", 1, idle=idle)
        groups, length, pending, expired = cast(Any, pipeline.execute(raise_on_error=False))
    if isinstance(groups, Exception) or isinstance(pending, Exception):
        ensure_groups(redis, keys)
        return bool(redis.xlen(keys.inbox))
    return bool(expired) or length > int(pending["pending"])


def _hold(store: Store, found: Books) -> bool:
    """Makes the workers wait, or ends it, as the outlets and the memory are; says so in the log when it changes."""
    why = pressure.reasons(found, pressure.memory(store.once), store.settings, held=found.hold is not None)
    pressure.hold(store.once, store.keys, found, why)
    if why and not found.hold:
        log(__name__).warning("the workers wait: " + "; ".join(why))
    elif found.hold and not why:
        log(__name__).info("the workers wait no longer")
    return bool(why)


def _agree_again(store: Store) -> None:
    try:
        wiring.agree_again(store)
    except ScrubError as error:
        log(__name__).error(str(error))


def _report(store: Store, found: Books) -> None:
    book = wiring.own_book(store.settings)
    line = books_line(found, book.version, past_review(book.sources, datetime.now(UTC).date()))
    say = log(__name__).info if found.balance == 0 else log(__name__).error
    say("the books" if found.balance == 0 else "the books do not balance", **line)


def _address() -> reachability.Address:
    from worker.app import settings

    return reachability.claims(settings)


class TendStep(bootsteps.StartStopStep):
    """Runs `tend_once` on the worker's timer. Whatever fails here is logged, and never reaches the worker.

    A step of the consumer, not of the worker: Celery empties the timer when it loses its broker, and starts the
    consumer's steps again when it is back.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._timers: list[Any] = []
        self._store: Store | None = None
        self._quiet_until = 0.0
        self._pause = 0.0
        self._started = time.time()
        self._teller = reachability.Teller(_address())

    def start(self, parent: Any) -> None:
        from worker.app import heartbeat, settings

        self._quiet_until = self._pause = 0.0
        heartbeat.turn()
        self._beat(parent)
        self._timers = [
            parent.timer.call_repeatedly(_TURN, self._turn, (parent,)),
            parent.timer.call_repeatedly(settings.tend, self._look),
            parent.timer.call_repeatedly(_BEAT, self._beat, (parent,)),
        ]

    def stop(self, parent: Any) -> None:
        while self._timers:
            self._timers.pop().cancel()
        if self._store:
            self._store.close()
            self._store = None
        self._revive()

    def _turn(self, parent: Any) -> None:
        from worker.app import QUEUE, heartbeat

        heartbeat.turn()
        try:
            keep_consuming(parent, QUEUE)
        except Exception as error:
            log(__name__).debug("the bells' queue is not consumed from again yet", **safe_exception(error))

    def _look(self) -> None:
        self._patiently(lambda store: tend_once(store, wiring.bell(store)))

    def _beat(self, parent: Any) -> None:
        """Says that this worker is alive, and which processes are its own."""
        processes = (getattr(parent.pool, "info", None) or {}).get("processes") or [os.getpid()]
        self._patiently(lambda store: self._told(store, processes))

    def _told(self, store: Store, processes: Sequence[int]) -> None:
        from worker.app import heartbeat

        wiring.beat(store, processes, self._started)
        heartbeat.answer()

    def _patiently(self, act: Callable[[Store], object]) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            act(self._open())
            self._pause = 0.0
            if self._teller.well():
                log(__name__).info("Redis does what it is asked again")
        except (RedisError, OSError) as error:
            if sentence := self._teller.failed(error):
                log(__name__).warning(sentence, **safe_exception(error))
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 + 1)
            self._quiet_until = time.monotonic() + self._pause
        except Exception as error:
            log(__name__).debug("tending broke off", **safe_exception(error))
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 + 1)
            self._quiet_until = time.monotonic() + self._pause

    def _open(self) -> Store:
        if self._store is None:
            from worker.app import settings

            self._store = wiring.impatient_store(settings)
        return self._store

    def _revive(self) -> None:
        """The consumer stops because its broker is gone, which may be the embedded server, or with the worker."""
        from worker.app import lease

        held = lease()
        try:
            if held:
                held.revive()
        except Exception as error:
            log(__name__).warning("the embedded server does not start again", **safe_exception(error))
