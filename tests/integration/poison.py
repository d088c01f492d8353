"""What a worker imports with `-I poison`: claims that end it, or make it wait, by their claim id."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from worker.pipeline import deciding

_check = deciding.check


def check(claim: Any, *arguments: Any, **options: Any) -> Any:
    """As the real one, but for the claims that are named here."""
    kind = claim.claim_id.partition("-")[0]
    if kind == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "SPIN":
        _wait(600)
    elif kind == "STUCK":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the soft limit's
        _wait(600)
    elif kind == "SLOW":
        _wait(1)
    return _check(claim, *arguments, **options)


def _wait(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.01)


deciding.check = check
