"""A pool process without its Celery: the soft time limit strikes the task at one instant after another.

`python -m tests.integration.interrupted STEP [PART]`: at every STEP-th instant of a task that judges a small batch; two
claims are sent before each. An instant is an operation of the interpreter in `worker/` or a line of the Redis client;
PART: only of the files whose path ends so. Then it works on without limit until the books settle, and prints how many
events it sent and how often it was interrupted.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import redis
from billiard.exceptions import SoftTimeLimitExceeded

import worker
from tests.integration.helpers import event
from worker import tasks
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.producer import send
from worker.store import opening
from worker.store.connections import Store

_OURS = str(Path(worker.__file__).parent)
_CLIENT = str(Path(redis.__file__).parent)


class Limit:
    """Raises as the signal handler of Celery's pool does, at the instant of this number."""

    def __init__(self, instant: int, part: str) -> None:
        self.left = instant
        self._part = part

    def __call__(self, frame: FrameType, what: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        ours = file.startswith(_OURS)
        if not file.endswith(self._part) or not (ours or file.startswith(_CLIENT)):
            return None
        frame.f_trace_opcodes = ours
        if what == ("opcode" if ours else "line"):
            self.left -= 1
            if not self.left:
                sys.settrace(None)
                raise SoftTimeLimitExceeded
        return self


def strike(store: Store, step: int, part: str) -> Counter[str]:
    """How many events were sent, and how often the task was interrupted before it came to its end."""
    counts = Counter[str]()
    while True:
        events = [event(counts["sent"]), event(counts["sent"] + 1)]
        send(store.redis, store.keys, events, source="test", settings=store.settings)
        counts["sent"] += len(events)
        limit = Limit(1 + counts["interrupted"] * step, part)
        sys.settrace(limit)
        try:
            tasks.scrub.run()
        except SoftTimeLimitExceeded:
            pass  # before or after what the task guards; Celery notes it
        finally:
            sys.settrace(None)
        if limit.left > 0:
            return counts
        counts["interrupted"] += 1


def main(step: int, part: str = "") -> None:
    with opening.open_store(tasks.settings) as store:
        counts = strike(store, step, part)
        deadline = time.monotonic() + 240
        while not reconcile(store.redis, store.keys).settled and time.monotonic() < deadline:
            tasks.scrub.run()
            time.sleep(0.05)
        print(json.dumps(counts))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
