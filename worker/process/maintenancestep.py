"""Maintenance on the timer of a worker's main process, as a step of Celery's consumer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import bootsteps
from redis.exceptions import RedisError

from worker.logs.operational import log, safe_exception
from worker.pipeline.maintenance import maintain
from worker.process.celeryapp import QUEUE, TASK, App, notifier
from worker.process.presence import beat
from worker.process.remotecontrol import keep_consuming
from worker.store import reachability
from worker.store.connections import Store, impatient_store
from worker.store.outage import OutageReporter

_BEAT = 5.0
"""Seconds between two signs of life; `worker.monitoring.workers.ALIVE` is three of them."""
_TICK = 1.0
"""Seconds between two ticks of the heartbeat."""
_LONGEST_PAUSE = 5.0
_GRACE = 1.0
"""Seconds after its hard limit within which a run that was killed is known to be over."""


class MaintenanceStep(bootsteps.StartStopStep):
    """Runs `maintain` on the worker's timer. Whatever fails here is logged, and never reaches the worker.

    A step of the consumer, not of the worker: Celery empties the timer when it loses its broker, and starts the
    consumer's steps again when it is back.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._timers: list[Any] = []
        self._store: Store | None = None
        self._woken: Any = None
        """The last run that no message asked for."""
        self._woken_at = 0.0
        self._quiet_until = 0.0
        self._pause = 0.0
        self._started = time.time()
        self._app: App = parent.app
        self._outages = OutageReporter(reachability.claims(self._app.settings))

    def start(self, parent: Any) -> None:
        self._quiet_until = self._pause = 0.0
        self._app.heartbeat.tick()
        self._beat(parent)
        self._timers = [
            parent.timer.call_repeatedly(_TICK, self._tick, (parent,)),
            parent.timer.call_repeatedly(self._app.settings.tend, self._look, (parent,)),
            parent.timer.call_repeatedly(_BEAT, self._beat, (parent,)),
        ]

    def stop(self, parent: Any) -> None:
        while self._timers:
            self._timers.pop().cancel()
        if self._store:
            self._store.close()
            self._store = None
        self._revive()

    def _tick(self, parent: Any) -> None:
        self._app.heartbeat.tick()
        try:
            keep_consuming(parent, QUEUE)
        except Exception as error:
            log(__name__).debug("the queue of notifications is not consumed from again yet", **safe_exception(error))

    def _look(self, parent: Any) -> None:
        self._patiently(lambda store: maintain(store, notifier(store, lambda: self._wake(parent.pool))))

    def _wake(self, pool: Any) -> None:
        """Wakes a process of this worker without a message. A Redis without memory takes none, and what waits there
        until somebody works it off is what has filled it.
        """
        soft, hard = self._app.settings.soft_time_limit, self._app.settings.hard_time_limit
        ready = getattr(self._woken, "ready", None)  # a pool of threads cannot say
        if ready is None or ready() or time.monotonic() - self._woken_at > hard + _GRACE:
            self._woken_at = time.monotonic()
            task = self._app.tasks[TASK]
            self._woken = pool.apply_async(task, callback=lambda _: None, soft_timeout=soft, timeout=hard)

    def _beat(self, parent: Any) -> None:
        """Says that this worker is alive, and which processes are its own."""
        processes = (getattr(parent.pool, "info", None) or {}).get("processes") or [os.getpid()]
        self._patiently(lambda store: self._sign(store, processes))

    def _sign(self, store: Store, processes: Sequence[int]) -> None:
        beat(store, processes, self._started)
        self._app.heartbeat.answer()

    def _patiently(self, act: Callable[[Store], object]) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            act(self._open())
            self._pause = 0.0
            if self._outages.well():
                log(__name__).info("Redis does what it is asked again")
        except (RedisError, OSError) as error:
            if sentence := self._outages.failed(error):
                log(__name__).warning(sentence, **safe_exception(error))
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 + 1)
            self._quiet_until = time.monotonic() + self._pause
        except Exception as error:
            log(__name__).debug("maintenance broke off", **safe_exception(error))
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 + 1)
            self._quiet_until = time.monotonic() + self._pause

    def _open(self) -> Store:
        if self._store is None:
            self._store = impatient_store(self._app.settings)
        return self._store

    def _revive(self) -> None:
        """The consumer stops because its broker is gone, which may be the embedded server, or with the worker."""
        held = self._app.lease()
        try:
            if held:
                held.revive()
        except Exception as error:
            log(__name__).warning("the embedded server does not start again", **safe_exception(error))
