"""The operational log: JSON lines on standard error, ECS names, and never a value of a claim.

Exceptions appear as their type and their frames' file and line. The text of an exception and its arguments may hold
input, so they are dropped, also from log records of other packages.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from worker.logs.frames import kind, places
from worker.logs.printable import json_bytes

_NAMES = {"timestamp": "@timestamp", "level": "log.level", "logger": "log.logger", "event": "message"}


_SHARED: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_AGAIN = 10.0
"""Seconds before the same loss of the broker is logged once more."""
Explain = Callable[[BaseException], str | None]
_BROKER = ("celery.worker.consumer.consumer", "celery.worker.consumer.connection")
"""Loggers that speak of the broker alone: its address without the password, and when they try again."""


def configure(level: str, explain: Explain | None = None) -> None:
    """Sends the standard library's logging, and with it ours, to one handler. May be called again after a fork.

    `explain`: what Celery's lines on its broker are to say of an error; None, or where it answers None: its kind alone.
    """
    formatter = structlog.stdlib.ProcessorFormatter(
        pass_foreign_args=True,
        foreign_pre_chain=[_Foreign(explain), *_SHARED],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _plain_exception, _ecs, _render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Two lines a notification would bury the rest; what it led to is in the audit log.
    for name in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING) if root.level > logging.DEBUG else root.level)


def safe_exception(error: BaseException) -> dict[str, Any]:
    """Type and place of an exception, and nothing that it says."""
    return {"error.type": kind(type(error)), "error.stack_trace": places(error.__traceback__)}


class _Seldom(logging.Filter):
    """Celery logs the same loss of its broker several times a second where that takes no writes: once in a while
    will do."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[str, type | None], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name not in _BROKER or not record.exc_info:
            return True
        what, now = (str(record.msg), record.exc_info[0]), time.monotonic()
        if now - self._logged.get(what, -_AGAIN) < _AGAIN:
            return False
        self._logged[what] = now
        return True


class _Foreign:
    """A record that carries an exception says no more than kinds and numbers; texts may be made of the exception."""

    def __init__(self, explain: Explain | None) -> None:
        self._explain = explain

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        record: logging.LogRecord = event["_record"]
        arguments = event.pop("positional_args", None) or record.args or ()
        if record.exc_info or _has_error(arguments):
            broker = record.name in _BROKER and not record.exc_info
            event["event"] = _filled(str(record.msg), arguments, self._explain if broker else None, texts=broker)
            if record.name in _BROKER and record.exc_info and record.exc_info[1] and self._explain:
                reason = self._explain(record.exc_info[1])
                event["event"] = " ".join(filter(None, (event["event"], reason)))
        return event


def _filled(template: str, arguments: Any, explain: Explain | None, *, texts: bool) -> str:
    def shown(value: Any) -> object:
        if isinstance(value, BaseException):
            error = getattr(value, "exc", value)  # billiard may have wrapped the one that happened
            reason = explain(error) if explain else None
            return _Kind(reason.rstrip(".") if reason else type(error).__name__)
        return value if isinstance(value, (int, float)) or (texts and isinstance(value, str)) else _Kind("...")

    try:
        if isinstance(arguments, dict):
            return template % {name: shown(value) for name, value in arguments.items()}
        return (template % tuple(map(shown, arguments))).strip()
    except (TypeError, ValueError):
        return template


class _Kind(str):
    """A name that %r shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _has_error(arguments: Any) -> bool:
    """Also where Celery passes an exception on as text, under the names `exc` and `traceback`."""
    if isinstance(arguments, dict):
        named = bool({"exc", "traceback"} & arguments.keys())
        return named or any(isinstance(value, BaseException) for value in arguments.values())
    return any(isinstance(value, BaseException) for value in arguments)


def _plain_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(safe_exception(error))
    return event


def _ecs(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    named = {ours: event.pop(theirs) for theirs, ours in _NAMES.items() if theirs in event}
    return {**named, "service.name": "claim-scrubber", **event}


def _render(_: WrappedLogger, __: str, event: EventDict) -> str:
    return json_bytes(event, default=lambda value: type(value).__name__).decode()


def log(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module. It leaves structlog's own settings to the program that we are imported into."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return logger
