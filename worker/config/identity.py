"""What a process of a worker is called."""

from __future__ import annotations

import os
import secrets
import socket

LIFE = secrets.token_hex(4)
"""Of this process and those that it forks. Two containers may have one host name, and their workers one process id."""


def worker_name(pid: int | None = None) -> str:
    """`<host>-<pid>-<life>` of this process, or of one of its pool: what its consumers' names begin with."""
    return f"{socket.gethostname()}-{pid or os.getpid()}-{LIFE}"
