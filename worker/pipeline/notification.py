"""The doorbell: wakes a worker, and carries nothing. A ring that fails costs at most one period of `tend`."""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis

from worker.logs.operational import log, safe_exception
from worker.store.keys import Keys
from worker.store.memory import put


class Bell:
    """Rings at most once until a worker has answered, or until the gate's expiry."""

    def __init__(self, redis: Redis, keys: Keys, *, gate_ms: int, send: Callable[[], None]) -> None:
        """`send` puts the Celery message on its queue."""
        self._redis = redis
        self._gate = keys.gate
        self._gate_ms = gate_ms
        self._send = send

    def ring(self) -> None:
        try:
            if put(self._redis, self._gate, "1", self._gate_ms, "NX"):
                self._send()
        except (Exception, SystemExit) as error:
            # SystemExit: the app refuses to be imported where the environment's settings are wrong.
            log(__name__).debug("a ring failed; tend will find the work", **safe_exception(error))

    def answer(self) -> None:
        """Opens the gate. Before the first read: an event that comes later rings again, and an earlier one is read."""
        self._redis.delete(self._gate)
