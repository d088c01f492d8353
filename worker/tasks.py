"""The Celery tasks. Their messages are notifications: no argument, no result, no claim."""

from __future__ import annotations

import os
import re
import signal
import threading
from dataclasses import dataclass
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded, WorkerLostError
from celery import Task
from celery.worker.request import Request
from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker import bootstrap
from worker.app import app, settings, stopping
from worker.logs.operational import log, safe_exception
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.maintenance import maintain
from worker.pipeline.notification import Notifier
from worker.process import celeryapp, presence
from worker.process.celeryapp import TASK
from worker.store import connections, opening, reachability
from worker.store.connections import Store

_mine = threading.local()
_LOST = re.compile(r"signal \d+ \(\w+\)|exitcode \d+")


class NotificationRequest(Request):
    """In the worker's main process: learns how a pool process ended, which the process itself can no longer say."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Celery's; the hard limit kills the process. It comes for one that was killed before as well."""
        if end := self._signal():
            self._note(f"its process was ended by {end}")
        elif not soft:
            self._note(f"killed at the hard limit of {timeout:g} s, as it did not answer the soft one")
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Celery's; WorkerLostError says which signal or exit code ended the process."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)  # billiard may have wrapped it
        if isinstance(error, WorkerLostError) and (lost := _LOST.search(str(error))):
            self._note(f"its process was ended by {lost[0]}")
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def _signal(self) -> str | None:
        """What has ended the process, None: nothing yet; asked without taking its exit status from Celery."""
        if self.worker_pid is None or not hasattr(os, "waitid"):  # macOS
            return None
        try:
            found = os.waitid(os.P_PID, int(self.worker_pid), os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return "a signal before its time was up"
        if found is None or found.si_code == os.CLD_EXITED:
            return None
        return f"signal {found.si_status} ({signal.Signals(found.si_status).name})"

    def _note(self, end: str) -> None:
        if self.worker_pid is None:
            return
        try:
            with connections.impatient_store(settings) as store:
                presence.note_end(store, int(self.worker_pid), end)
        except Exception as error:
            log(__name__).debug("how a process ended could not be stored", **safe_exception(error))


class NotificationTask(Task):  # type: ignore[type-arg]
    """A task whose requests learn how their processes end."""

    Request = "worker.tasks:NotificationRequest"
    abstract = True


@app.task(name=TASK, base=NotificationTask)
def scrub() -> None:
    """Works the inbox off: recovers, judges and commits until it is empty or the budget is spent."""
    try:
        _consumer().run()
    except SoftTimeLimitExceeded:
        _let_go()
        log(__name__).warning("out of time; the claims in hand are tried again one by one")
    except ScrubError as error:
        log(__name__).error(str(error))
    except RedisError as error:
        log(__name__).warning(_sentence(error), **safe_exception(error))
    except Exception as error:
        log(__name__).warning("the consumer broke off; what was in hand is tried again", **safe_exception(error))


@app.task(name="tend")
def tend() -> None:
    """What every worker does each second by itself, for those who want it in a schedule of their own."""
    try:
        kit = _kit()
        maintain(kit.store, kit.notifier)
    except SoftTimeLimitExceeded:
        _let_go()
        log(__name__).warning("maintenance ran out of time; it begins anew in the next period")
    except ScrubError as error:
        log(__name__).error(str(error))
    except RedisError as error:
        log(__name__).warning(_sentence(error), **safe_exception(error))
    except Exception as error:
        log(__name__).warning("maintenance broke off", **safe_exception(error))


def _sentence(error: RedisError) -> str:
    """What a person can do about it; what was in hand is tried again whatever that is."""
    return str(reachability.trouble(error, reachability.claims(settings), look=False))


@dataclass(slots=True)
class Kit:
    """What a thread works with: connections and an audit chain of its own, made after the fork."""

    process: int
    store: Store
    notifier: Notifier
    consumer: InboxConsumer | None = None


def _kit() -> Kit:
    kit: Kit | None = getattr(_mine, "kit", None)
    if kit is None or kit.process != os.getpid():
        store = opening.open_store(settings, hold=False)
        kit = _mine.kit = Kit(os.getpid(), store, celeryapp.notifier(store))
    return kit


def _consumer() -> InboxConsumer:
    kit = _kit()
    if kit.consumer is None:
        kit.consumer = bootstrap.inbox_consumer(
            kit.store, kit.notifier, stopping=stopping, interrupts=(SoftTimeLimitExceeded,)
        )
    return kit.consumer


def _let_go() -> None:
    """The next task begins with nothing of what was at work: an answer may be half read, a line of the audit log
    written and not yet counted. What was in hand expires, as that of a process that was killed.
    """
    kit: Kit | None = getattr(_mine, "kit", None)
    _mine.kit = None
    if kit:
        if kit.consumer:
            kit.consumer.audit.close()
        kit.store.close()
