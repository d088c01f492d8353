"""How a worker is started."""

from __future__ import annotations

import os
import secrets
import sys

_START = "import sys; from worker.app import app; app.worker_main(sys.argv[1:])"
"""Not `celery -A`: that would look for a package `worker` in the current folder first."""


def command(processes: int) -> list[str]:
    """The Celery worker with its recommended options; what it becomes keeps the process id."""
    # Two containers may have one host name and one process id, and answer to remote control one by one all the same.
    name = f"scrub-{os.getpid()}-{secrets.token_hex(4)}@%h"
    options = ["-c", str(processes), "-n", name, "--without-mingle", "--without-gossip"]
    return [sys.executable, "-P", "-c", _START, "worker", *options]
