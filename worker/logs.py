"""The operational log: JSON lines on standard error, ECS names, and never a value of a claim.

Exceptions appear as their type and their frames' file and line. The text of an exception and its arguments may hold
input, so they are dropped, also from log records of other packages.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import PurePath
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_NAMES = {"timestamp": "@timestamp", "level": "log.level", "logger": "log.logger", "event": "message"}


def configure(level: str) -> None:
    """Sends structlog and the standard library's logging through one handler. May be called again after a fork."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        pass_foreign_args=True,
        foreign_pre_chain=[_foreign, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _plain_exception, _ecs, _render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Two lines a bell would bury the rest; what a bell did is in the audit log.
    for name in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING) if root.level > logging.DEBUG else root.level)


def safe_exception(error: BaseException) -> dict[str, Any]:
    """Type and place of an exception, and nothing that it says."""
    kind = type(error)
    return {"error.type": f"{kind.__module__}.{kind.__qualname__}", "error.stack_trace": _frames(error.__traceback__)}


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{PurePath(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(trace, limit=-12)]


def _foreign(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Of a record that carries an exception only the template is kept: its arguments are made of the exception."""
    record: logging.LogRecord = event["_record"]
    arguments = event.pop("positional_args", None) or record.args or ()
    if record.exc_info or _has_error(arguments):
        event["event"] = str(record.msg)
    return event


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
    return orjson.dumps(event, default=lambda value: type(value).__name__).decode()


def log(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
