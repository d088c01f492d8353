"""Celery's consumer, whose main loop ticks the heartbeat, also while its broker is away.

No timer runs while it connects anew: kombu sleeps between two attempts, and calls back every second. And a Redis that
takes connections and answers nothing (frozen, or behind a network that swallows packets) must not stop the loop for
minutes: redis-py would try ten times what takes 5 seconds each.

A message that is none is thrown away, whatever is wrong with it. kombu and Celery would end the worker for some, and
put them back on the queue, where each worker that comes next would end of them as well.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import Any, cast

from celery.events.dispatcher import EventDispatcher
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.transport.virtual import QoS
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import OutOfMemoryError
from redis.retry import Retry

from worker.logs.operational import log, safe_exception
from worker.process.celeryapp import App
from worker.store.reachability import ANSWER_SECONDS


class MainLoopConsumer(CeleryConsumer):
    """For the setting `worker_consumer`."""

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's, with a tick of the heartbeat for each second that it waits."""
        heartbeat = cast(App, self.app).heartbeat
        _harden(conn.transport)
        ensure = conn.ensure_connection

        def ticking(*arguments: Any, callback: Any = None, **options: Any) -> Any:
            def tick() -> None:
                heartbeat.tick()
                if callback:
                    callback()

            return ensure(*arguments, callback=tick, **options)

        conn.ensure_connection = ticking
        try:
            return super().ensure_connected(conn)
        finally:
            del conn.ensure_connection

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Celery's, for a message that no strategy of its own foresees as well."""
        handle = super().create_task_handler(*arguments, **options)
        connection: Any = self.connection
        transport = connection.transport

        def handled(message: Any) -> Any:
            try:
                return handle(message)
            except Exception as error:  # noqa: BLE001 - raised again where it is not the message's
                _throw_away(error, transport)
                if not message.acknowledged:
                    message.ack()

        return handled


def _throw_away(error: Exception, transport: Any) -> None:
    """Says that a message was thrown away for that.

    Raises:
        the error itself, where it is the transport's and not the message's
    """
    # For kombu a KeyError is a lost connection; of a message it is something that it lacks.
    of_transport = (Empty, *transport.connection_errors, *transport.channel_errors)
    if isinstance(error, of_transport) and not isinstance(error, KeyError):
        raise error
    sentence = "a message on Celery's queue or control channel is none of Celery's; it is thrown away"
    log(__name__).warning(sentence, **safe_exception(error))


class Dispatcher(EventDispatcher):
    """For `app.events.dispatcher_cls`: an event that reports a worker to Flower never holds up its main loop."""

    def send(self, type: str, *arguments: Any, **options: Any) -> Any:
        """Celery's; its own heartbeat asks to be sent again and again, without end."""
        return super().send(type, *arguments, **{**options, "retry": False})


def _harden(transport: Any) -> None:
    """What has taken its time is not tried again on its channels, but left to the consumer, which connects anew; and
    what a Redis without memory refuses to note is no lost connection."""
    if transport.driver_type != "redis":
        return
    usual = transport.Channel
    if issubclass(usual, _Hardened):
        return
    frugal = type("QoS", (_Frugal, usual.QoS), {})
    transport.Channel = type("Channel", (_Hardened, usual), {"QoS": frugal})


class _Frugal:
    """kombu's notes of what a worker has and did not acknowledge: with them each notification that comes to a Redis
    without memory would cost the worker its connection, and with that its maintenance, by which alone there is memory
    again (celery#5716)."""

    def append(self, message: Any, delivery_tag: str) -> None:
        try:
            super().append(message, delivery_tag)  # type: ignore[misc]
        except OutOfMemoryError:
            QoS.append(cast(QoS, self), message, delivery_tag)  # in this process alone: it is nothing to lose

    def restore_visible(self, *arguments: Any, **options: Any) -> None:
        with suppress(OutOfMemoryError):
            super().restore_visible(*arguments, **options)  # type: ignore[misc]


class _Hardened:
    def _connparams(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(*arguments, **options)  # type: ignore[misc]
        return {**found, "retry": Retry(NoBackoff(), 1, supported_errors=(Disconnected,))}

    def _queue_bind(self, *arguments: Any, **options: Any) -> None:
        with suppress(OutOfMemoryError):  # it stands there already
            super()._queue_bind(*arguments, **options)  # type: ignore[misc]

    def _brpop_read(self, *arguments: Any, **options: Any) -> Any:
        return self._unless_stray(super()._brpop_read, *arguments, **options)  # type: ignore[misc]

    def _receive_one(self, subscriber: Any) -> Any:
        # By itself it would connect anew where it is cut, and then read without a limit of time: the loop would stop.
        if subscriber.connection is not None:
            subscriber.connection.retry = Retry(NoBackoff(), 0)
        read = type(subscriber).parse_response
        subscriber.parse_response = partial(read, subscriber, block=False, timeout=ANSWER_SECONDS)
        return self._unless_stray(super()._receive_one, subscriber)  # type: ignore[misc]

    def _unless_stray(self, read: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return read(*arguments, **options)
        except Exception as error:  # noqa: BLE001 - the same
            _throw_away(error, self.connection)  # type: ignore[attr-defined]
            return True
