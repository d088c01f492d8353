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
from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker.audit.behind import behind
from worker.audit.log import check_folder
from worker.books import current, drafts
from worker.config.settings import load_settings
from worker.logs import operational as logs
from worker.logs import outputs
from worker.pipeline.maintenance import maintain
from worker.process import celeryapp, gctuning, presence, remotecontrol, servicemanager, shutdown
from worker.process.broker import check
from worker.process.celeryapp import celery_app
from worker.process.heartbeat import Heartbeat
from worker.process.maintenancestep import MaintenanceStep
from worker.store import agreement, connections, memory, opening, reachability
from worker.store.connections import Store
from worker.store.embedded import Lease
from worker.store.fitness import check_primary
from worker.store.keyring import Ring
from worker.store.rediserrors import TransportUnknown

try:
    settings = load_settings()
    app = celery_app(settings, main=True)
except ScrubError as error:
    sys.exit(str(error))
app.steps["consumer"].add(MaintenanceStep)
app.events.dispatcher_cls = "worker.process.mainloop:Dispatcher"
app.heartbeat = heartbeat = Heartbeat(settings.audit_path, lambda sentence: logs.log(__name__).warning(sentence))
remotecontrol.switch_off()
# A task has no result: a pool process that ends need not wait 30 s for a main process that has stopped reading.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20

_stop_page = mmap.mmap(-1, 1)
"""One byte that the worker and its pool processes share through the fork; a signal handler may write it safely."""
_leases: list[Lease] = []


def stopping() -> bool:
    """Whether the worker has been asked to stop."""
    return _stop_page[0] != 0


app.lease = lambda: _leases[0] if _leases else None


def _of_the_broker(error: BaseException) -> str | None:
    if not isinstance(error, (RedisError, OSError)):
        return None
    return str(reachability.trouble(error, reachability.broker(settings), look=False))


@setup_logging.connect
def _configure_logs(**_: Any) -> None:
    logs.configure(settings.log_level, _of_the_broker)
    # That a pool process was killed is logged there, and would be the one line of the log that is no JSON.
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
    shutdown.install(program)
    _stop_page[0] = 0
    try:
        if settings.embedded and not _leases:
            _leases.append(Lease(settings.server_path))
            atexit.register(_let_go)
        with opening.open_store(settings, hold=False) as store:
            check_primary(store.redis, reachability.claims(settings))
            _await_memory(store)
            rings = agreement.agreed_rings(store)
            check_folder(settings.audit_path)
            _look_back(store, rings.audit)
            # Read before the fork: the pool processes share its pages, and start in no time.
            drafts.settle(store)
            fault = current.take_own(store)
            current.payment_terms(settings)
        _look_at_broker()
        if fault:
            _log_fault(fault)
        gctuning.spare()
        gctuning.keep_freed()
    except (ScrubError, RedisError) as error:
        if isinstance(error, RedisError):
            error = reachability.trouble(error, reachability.claims(settings))
        # Celery logs what a signal handler raises, and goes on; this it does not catch.
        sys.exit(str(error))


def _look_back(store: Store, ring: Ring) -> None:
    """Redis may have been emptied, or brought back from an older copy, while no worker ran that would have noticed."""
    with contextlib.suppress(OSError):
        if sentence := str(behind(store, ring)):
            logs.configure(settings.log_level, _of_the_broker)
            logs.log(__name__).error(f"{sentence}; `scrub audit lost` lists them", **{"event.action": "audit.behind"})


def _begin_again() -> None:
    """After SIGHUP, instead of Celery's own, which forgets with which options Python was started (`-c`, `-m`, `-P`)."""
    outputs.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - there is no shell to want


def _log_fault(fault: str) -> None:
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
    said = False
    while memory.exhausted(store.redis, store.keys):
        if not said:
            logs.configure(settings.log_level)
            logs.log(__name__).warning("Redis has no memory left; the worker starts as soon as it has")
            said = True
        heartbeat.tick()
        with contextlib.suppress(RedisError):
            maintain(store, celeryapp.notifier(store))
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
    servicemanager.tell(servicemanager.STOPS)


@worker_shutdown.connect
def _say_farewell(**_: Any) -> None:
    # A Redis that is gone already will forget this worker by itself.
    with contextlib.suppress(RedisError), connections.impatient_store(settings) as store:
        presence.farewell(store)
    heartbeat.end()
    _let_go()


def _let_go() -> None:
    while _leases:
        _leases.pop().release()
