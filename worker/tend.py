"""Tending: every worker looks once a second whether there is work that no bell announced, one worker at a time.

It needs no beat process and no producer's ring: a producer that only knows XADD is served within a period.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, cast

from celery import bootsteps
from redis.backoff import NoBackoff
from redis.retry import Retry

from rules.sources import past_review
from worker import wiring
from worker.bell import Bell
from worker.commit import script
from worker.inbox import ensure_groups
from worker.keys import GROUP, Keys
from worker.logs import log, safe_exception
from worker.status import books, books_line
from worker.wiring import Store

_LOG_MS = 10_000
_AWAY_PERIODS = 10
"""A consumer that has read nothing for this many reclaim times, and has nothing pending, is forgotten."""
_LONGEST_PAUSE = 5.0


def tend_once(store: Store, door: Bell) -> bool:
    """One look; answers whether this worker's turn it was.

    Raises:
        redis.exceptions.RedisError
    """
    settings, keys, redis = store.settings, store.keys, store.once
    if not redis.set(keys.tend, "1", nx=True, px=max(1, int(settings.tend * 900))):
        return False
    idle = int(settings.reclaim * 1000)
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.xinfo_groups(keys.inbox)
        pipeline.xlen(keys.inbox)
        pipeline.xpending(keys.inbox, GROUP)
        pipeline.xpending_range(keys.inbox, GROUP, "-", "+", 1, idle=idle)
        groups, length, pending, expired = cast(Any, pipeline.execute(raise_on_error=False))
    if isinstance(groups, Exception) or isinstance(pending, Exception):
        ensure_groups(redis, keys)
        return True
    if expired or length > int(pending["pending"]):
        door.ring()
    if redis.set(keys.tend_log, "1", nx=True, px=_LOG_MS):
        _report(store, keys)
        redis.eval(script("prune"), 1, keys.inbox, GROUP, str(_AWAY_PERIODS * idle))
    return True


def _report(store: Store, keys: Keys) -> None:
    found, book = books(store.once, keys), wiring.book(store.settings.book)
    line = books_line(found, book.version, past_review(book.sources, datetime.now(UTC).date()))
    say = log(__name__).info if found.balance == 0 else log(__name__).error
    say("the books" if found.balance == 0 else "the books do not balance", **line)


class TendStep(bootsteps.StartStopStep):
    """Runs `tend_once` on the worker's timer. Whatever fails here is logged, and never reaches the worker.

    A step of the consumer, not of the worker: Celery empties the timer when it loses its broker, and starts the
    consumer's steps again when it is back.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._timer: Any = None
        self._store: Store | None = None
        self._quiet_until = 0.0
        self._pause = 0.0

    def start(self, parent: Any) -> None:
        from worker.app import settings

        self._quiet_until = self._pause = 0.0
        self._timer = parent.timer.call_repeatedly(settings.tend, self._look)

    def stop(self, parent: Any) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._store:
            self._store.close()
            self._store = None
        self._revive()

    def _look(self) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            store = self._open()
            tend_once(store, wiring.bell(store))
            self._pause = 0.0
        except Exception as error:
            log(__name__).debug("Redis did not answer the tender", **safe_exception(error))
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 + 1)
            self._quiet_until = time.monotonic() + self._pause

    def _open(self) -> Store:
        """Impatient connections: while they wait, the worker's main process waits too."""
        if self._store is None:
            from worker.app import settings

            client = wiring.connect(settings, Retry(NoBackoff(), 0), socket_timeout=1, socket_connect_timeout=1)
            self._store = Store(settings, Keys(), client, client)
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
