"""The Celery app of a worker and of whoever notifies workers: one configuration, made from the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from celery import Celery
from kombu import Queue

from worker.config.settings import Settings
from worker.pipeline.notification import Notifier
from worker.process.broker import Amqp
from worker.process.heartbeat import Heartbeat
from worker.store.connections import Store, broker_options, broker_url
from worker.store.embedded import Lease

QUEUE = "scrub-bells"
TASK = "scrub"


class App(Celery):
    """Celery's, with what the parts of a worker's main process need of one another."""

    settings: Settings
    heartbeat: Heartbeat
    """Of the main process."""
    lease: Callable[[], Lease | None]
    """The hold of this worker on the embedded server, if there is one."""


def celery_app(settings: Settings, *, main: bool = False) -> App:
    """`main`: for the worker itself; without, it only sends."""
    broker = broker_url(settings)
    app = App("claim-scrubber", include=["worker.tasks"], amqp=Amqp, set_as_current=main)
    app.settings = settings
    app.conf.update(
        broker_url=broker,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker outlives any outage of its broker
        broker_channel_error_retry=True,  # also the -UNBLOCKED of a primary that became a replica
        broker_transport_options={
            # kombu: an unacknowledged message is delivered again after this; the shortest of all apps on it counts.
            "visibility_timeout": settings.visibility_timeout,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            # Without these a half-open connection hangs the worker forever.
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": not broker.startswith("redis+socket"),
            "health_check_interval": 10,
            # The consumer connects anew, and calls back meanwhile; elsewhere kombu would hold up the main loop.
            "max_retries": 0,
            "global_keyprefix": "scrub:",
            "priority_steps": [0],
            "queue_order_strategy": "round_robin",
            **broker_options(settings),
        },
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE)],
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,  # a notification that is lost costs one period of maintenance
        task_reject_on_worker_lost=False,
        task_time_limit=settings.hard_time_limit,
        task_soft_time_limit=settings.soft_time_limit,
        task_publish_retry=False,  # a notification never waits for its broker
        worker_prefetch_multiplier=1,
        worker_consumer="worker.process.mainloop:MainLoopConsumer",
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # a worker may write its audit lines there
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # SIGTERM waits for the batch in hand, which the time limits bound; whoever asks again wants the end now.
        # What is in hand then stays pending.
        worker_soft_shutdown_timeout=0.0,
        worker_proc_alive_timeout=30.0,
    )
    return app


_sender = cache(celery_app)


def notifier(store: Store, instead: Callable[[], object] | None = None) -> Notifier:
    """Who notifies this store's workers. `instead`: what to do where the broker takes no message."""
    settings = store.settings
    # It expires, so that notifications do not pile up while no worker runs.
    expires = 2 * settings.drain_budget + settings.gate

    def send() -> None:
        try:
            _sender(settings).send_task(TASK, expires=expires, retry=False)
        except Exception:
            if instead is None:
                raise
            instead()

    return Notifier(store.redis, store.keys, gate_ms=int(settings.gate * 1000), send=send)
