"""The Celery app: `celery -A worker.app worker`. Celery supplies the processes; the claims are on the inbox stream."""

from __future__ import annotations

import atexit
import contextlib
import mmap
import os
import sys
import time
import warnings
from typing import Any

import billiard.pool
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from celery.utils.log import get_multiprocessing_logger
from kombu import Queue
from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker import bootstrap as wiring
from worker.audit.log import check_folder
from worker.bootstrap import Store
from worker.config.settings import load_settings
from worker.logs import operational as logs
from worker.logs import outputs
from worker.monitoring import pressure
from worker.pipeline.maintenance import TendStep, tend_once
from worker.process import gctuning as collector
from worker.process import remotecontrol
from worker.process.broker import Amqp, check
from worker.process.heartbeat import Heartbeat
from worker.store import reachability
from worker.store.embedded import Lease
from worker.store.fitness import check_primary
from worker.store.rediserrors import TransportUnknown

QUEUE = "scrub-bells"

try:
    settings = load_settings()
    broker = wiring.broker_url(settings)
except ScrubError as error:
    sys.exit(str(error))
app = Celery("claim-scrubber", include=["worker.tasks"], amqp=Amqp)
app.conf.update(
    broker_url=broker,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # a worker outlives any outage of its broker
    broker_channel_error_retry=True,  # also the -UNBLOCKED of a primary that became a replica
    broker_transport_options={
        # kombu: an unanswered bell is delivered again after this; the shortest of all apps on a broker counts.
        "visibility_timeout": settings.visibility_timeout,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # Without these a half-open connection hangs the worker for ever.
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": not broker.startswith("redis+socket"),
        "health_check_interval": 10,
        # The consumer connects anew, and calls back meanwhile; elsewhere kombu would hold up the main loop for ever.
        "max_retries": 0,
        "global_keyprefix": "scrub:",
        "priority_steps": [0],
        "queue_order_strategy": "round_robin",
        **wiring.broker_options(settings),
    },
    task_default_queue=QUEUE,
    task_queues=[Queue(QUEUE)],
    task_create_missing_queues=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    result_backend=None,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=False,  # a bell that is lost costs one period of tend
    task_reject_on_worker_lost=False,
    task_time_limit=settings.hard_time_limit,
    task_soft_time_limit=settings.soft_time_limit,
    task_publish_retry=False,  # a ring never waits for its broker
    worker_prefetch_multiplier=1,
    worker_consumer="worker.process.mainloop:Consumer",
    worker_send_task_events=False,
    task_send_sent_event=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,  # a worker may write its audit lines there
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # SIGTERM waits for the batch in hand, which the time limits bound; whoever asks again wants the end now. What is
    # in hand then stays pending.
    worker_soft_shutdown_timeout=0.0,
    worker_proc_alive_timeout=30.0,
)
app.steps["consumer"].add(TendStep)
app.events.dispatcher_cls = "worker.process.mainloop:Dispatcher"
remotecontrol.switch_off()
# A task has no result: a pool process that ends need not wait 30 s for a main process that has stopped reading.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20

heartbeat = Heartbeat(settings.audit_path, lambda sentence: logs.log(__name__).warning(sentence))
"""Of the worker's main process."""

_stop_page = mmap.mmap(-1, 1)
"""One byte that the worker and its pool processes share through the fork; a signal handler may write it safely."""
_leases: list[Lease] = []


def stopping() -> bool:
    """Whether the worker has been asked to stop."""
    return _stop_page[0] != 0


def lease() -> Lease | None:
    """The hold of this worker on the embedded server, if there is one."""
    return _leases[0] if _leases else None


def _of_the_broker(error: BaseException) -> str | None:
    if not isinstance(error, (RedisError, OSError)):
        return None
    return str(reachability.trouble(error, reachability.broker(settings), look=False))


@setup_logging.connect
def _configure_logs(**_: Any) -> None:
    logs.configure(settings.log_level, _of_the_broker)
    # That a pool process was killed is told there, and would stand in the log as the one line that is no JSON.
    if pool := get_multiprocessing_logger():
        pool.propagate = True


@celeryd_init.connect
def _take_hold(**_: Any) -> None:
    """Before the worker connects to its broker: its Redis is up and fit, and the book can be read."""
    from celery.apps import worker as program

    outputs.install()
    # Celery's own writes before its handlers set their flag: a full pipe, or one without reader, would swallow SIGTERM.
    program.safe_say = outputs.say  # type: ignore[attr-defined]
    program._reload_current_worker = _begin_again  # type: ignore[attr-defined]
    _stop_page[0] = 0
    try:
        if settings.embedded and not _leases:
            _leases.append(Lease(settings.server_path))
            atexit.register(_let_go)
        with wiring.open_store(settings, hold=False) as store:
            check_primary(store.redis, reachability.claims(settings))
            _await_memory(store)
            wiring.agreed_secret(store)
            check_folder(settings.audit_path)
            # Read before the fork: the pool processes share its pages, and start in no time.
            fault = wiring.take_own(store)
        _look_at_broker()
        if fault:
            _tell(fault)
        collector.spare()
    except (ScrubError, RedisError) as error:
        if isinstance(error, RedisError):
            error = reachability.trouble(error, reachability.claims(settings))
        # Celery logs what a signal handler raises, and goes on; this it does not catch.
        sys.exit(str(error))


def _begin_again() -> None:
    """After SIGHUP, in place of Celery's own, which forgets how Python was told to start (`-c`, `-m`, `-P`)."""
    outputs.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - there is no shell to want


def _tell(fault: str) -> None:
    logs.configure(settings.log_level, _of_the_broker)
    logs.log(__name__).error(
        "its own cannot be used; it judges by what is in force, and would not start without", **{"error.message": fault}
    )


def _look_at_broker() -> None:
    """One that does not answer now may do so later: Celery tries on, and its lines say why."""
    try:
        check(settings)
    except TransportUnknown:
        raise
    except ScrubError as error:
        logs.configure(settings.log_level, _of_the_broker)
        logs.log(__name__).warning(str(error))


def _await_memory(store: Store) -> None:
    """Celery gives up where Redis takes no write; then nobody would be left to trim the outlets and mend that."""
    told = False
    while pressure.exhausted(store.redis, store.keys):
        if not told:
            logs.configure(settings.log_level)
            logs.log(__name__).warning("Redis has no memory left; the worker starts as soon as it has")
            told = True
        heartbeat.turn()
        with contextlib.suppress(RedisError):
            tend_once(store, wiring.bell(store))
        time.sleep(settings.tend)


@worker_ready.connect
def _quieten(**_: Any) -> None:
    # Celery switches these on at start, and warns at each loss of the broker of a setting that is as we want it.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


@worker_process_shutdown.connect
def _write_last_lines(**_: Any) -> None:
    outputs.flush()


@worker_shutting_down.connect
def _ask_to_stop(**_: Any) -> None:
    _stop_page[0] = 1


@worker_shutdown.connect
def _say_farewell(**_: Any) -> None:
    # A Redis that is gone already will forget this worker by itself.
    with contextlib.suppress(RedisError), wiring.impatient_store(settings) as store:
        wiring.farewell(store)
    heartbeat.end()
    _let_go()


def _let_go() -> None:
    while _leases:
        _leases.pop().release()
