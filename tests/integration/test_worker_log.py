"""What an operator reads of a worker while pool processes and the server die under it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

from worker.store.embedded import Lease

from .helpers import Worker, until


def test_that_a_process_was_killed_or_the_broker_is_lost_is_reported_in_json_and_with_every_place_filled(
    home: Path,
) -> None:
    worker = Worker(home).wait_ready()
    try:
        with Lease(home / "redis"):
            for child in worker.children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            until(lambda: "exited with" in worker.text(), output=worker.text)
        lines = [line for line in worker.text().splitlines() if "exited with" in line or "Connection to" in line]
        assert [json.loads(line)["log.level"] for line in lines if "exited with" in line]
        assert "%s" not in worker.text()
        assert "CPendingDeprecationWarning" not in worker.text()
    finally:
        worker.kill()
