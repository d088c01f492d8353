"""Celery's remote control, as far as a worker that decides claims can bear it.

Whoever has the worker's password may broadcast commands, and so may every button of Flower. `ping` and what else only
looks is answered as ever, and `shutdown` ends a worker as SIGTERM does. A queue that was cancelled is consumed from
again. The commands below are switched off: each can leave a worker alive that decides nothing, or ends claims that are
at work, and what they are for is a setting or an option at start.
"""

from __future__ import annotations

from typing import Any

from celery.worker.control import Panel

from worker.logs.operational import log

_BY_SETTING = "is set with SCRUB_SOFT_TIME_LIMIT and SCRUB_HARD_TIME_LIMIT, for all processes of all workers"
_BY_OPTION = "is an option of the worker's start (--concurrency, --autoscale)"
_NO_USE = "has no use here: a notification carries no claim, and another is sent within a second"
OFF = {
    "time_limit": _BY_SETTING,  # a short one would send good claims to quarantine, none would let one hang forever
    "pool_shrink": _BY_OPTION,  # to no process at all
    "pool_grow": _BY_OPTION,
    "autoscale": _BY_OPTION,
    "pool_restart": "is a restart of the worker",
    "rate_limit": _NO_USE,
    "revoke": _NO_USE,
    "revoke_by_stamped_headers": _NO_USE,
    "terminate": _NO_USE,
    "add_consumer": _NO_USE,
    "election": _NO_USE,
}
"""Commands that are switched off, each with what to do instead."""


def switch_off() -> None:
    """Answers these commands with a sentence, instead of Celery's own answers."""
    for name, instead in OFF.items():
        Panel.data[name] = _refusal(f"{name} is switched off: it {instead}.")


def _refusal(sentence: str) -> Any:
    return lambda *_, **__: {"error": sentence}


def keep_consuming(consumer: Any, queue: str) -> None:
    """Consumes from the queue again where somebody, or a broken connection, cancelled that.

    Raises:
        what the transport raises where the broker is away
    """
    tasks = consumer.task_consumer
    if tasks is None or tasks.consuming_from(queue):
        return
    consumer.app.amqp.queues.select(queue)  # a cancelled queue would be left out after the next reconnect as well
    consumer.add_task_queue(queue)
    log(__name__).warning(f"this worker no longer took notifications from {queue}; it takes them again")
