"""Notification: a Celery message wakes a worker, and carries nothing. One that is lost costs at most one period of
maintenance."""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis

from worker.logs.operational import log, safe_exception
from worker.store.keys import Keys
from worker.store.memory import put


class Notifier:
    """Notifies at most once until a worker has acknowledged, or until the gate's expiry."""

    def __init__(self, redis: Redis, keys: Keys, *, gate_ms: int, send: Callable[[], None]) -> None:
        """`send` puts the Celery message on its queue."""
        self._redis = redis
        self._gate = keys.gate
        self._gate_ms = gate_ms
        self._send = send

    def notify(self) -> None:
        """Wakes a worker. Whatever fails here is logged, and never reaches the caller."""
        try:
            if put(self._redis, self._gate, "1", self._gate_ms, "NX"):
                self._send()
        except Exception as error:
            log(__name__).debug("a notification failed; maintenance will find the work", **safe_exception(error))

    def acknowledge(self) -> None:
        """Opens the gate. Before the first read: an event that comes later notifies again, an earlier one is read."""
        self._redis.delete(self._gate)
