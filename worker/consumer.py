"""Celery's consumer, whose main loop turns, and says so, also while its broker is away.

No timer runs while it connects anew: kombu sleeps between two attempts, and calls back every second. And a Redis that
takes connections and answers nothing (frozen, or behind a network that swallows packets) must not stop the loop for
minutes: redis-py would try ten times what takes 5 seconds each.
"""

from __future__ import annotations

from typing import Any

from celery.events.dispatcher import EventDispatcher
from celery.worker.consumer import Consumer as Celerys
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.retry import Retry


class Consumer(Celerys):
    """For the setting `worker_consumer`."""

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's, with a turn of the loop for each second that it waits."""
        from worker.app import heartbeat

        _hurry(conn.transport)
        ensure = conn.ensure_connection

        def turning(*arguments: Any, callback: Any = None, **options: Any) -> Any:
            def turn() -> None:
                heartbeat.turn()
                if callback:
                    callback()

            return ensure(*arguments, callback=turn, **options)

        conn.ensure_connection = turning
        try:
            return super().ensure_connected(conn)
        finally:
            del conn.ensure_connection


class Dispatcher(EventDispatcher):
    """For `app.events.dispatcher_cls`: an event that tells Flower of a worker never holds up its main loop."""

    def send(self, type: str, *arguments: Any, **options: Any) -> Any:
        """Celery's; its own heartbeat asks to be sent again and again, without end."""
        return super().send(type, *arguments, **{**options, "retry": False})


def _hurry(transport: Any) -> None:
    """What has taken its time is not tried again on its channels, but left to the consumer, which connects anew."""
    usual = transport.Channel
    if transport.driver_type != "redis" or issubclass(usual, _Hurried):
        return
    transport.Channel = type("Channel", (_Hurried, usual), {})


class _Hurried:
    def _connparams(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(*arguments, **options)  # type: ignore[misc]
        return {**found, "retry": Retry(NoBackoff(), 1, supported_errors=(Disconnected,))}
