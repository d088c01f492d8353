"""Outputs that are gone before a worker starts: a service that is restarted while its reader hangs must come up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import QUICK, event, settled

GRACE = 45  # as the files give it
PROGRAMS = {
    "celery": ["celery", "-A", "worker.app", "worker", "-c", "1", "--without-mingle", "--without-gossip"],
    "scrub": ["worker", "worker", "-c", "1"],
}


def full() -> tuple[int, int]:
    """A pipe that takes nothing more, and that nobody reads."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while os.write(write, bytes(4_096)):
            continue
    except BlockingIOError:
        os.set_blocking(write, True)
    return read, write


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full pipe", "no reader", "full disk"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_worker_whose_outputs_take_nothing_from_the_start_on_decides_and_ends(
    store: Store, home: Path, program: str, how: str
) -> None:
    if how == "full disk":
        read, write = os.open(os.devnull, os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)
    else:
        read, write = full()
    if how == "no reader":
        os.close(read)
        read = os.open(os.devnull, os.O_RDONLY)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    worker = subprocess.Popen(
        [sys.executable, "-m", *PROGRAMS[program]], stdin=subprocess.DEVNULL, stdout=write, stderr=write,
        env={**clean, **QUICK, "SCRUB_STATE_DIR": str(home), "SCRUB_AUDIT_STDOUT": "true"}, start_new_session=True,
    )  # fmt: skip
    try:
        send(store.redis, store.keys, [event(number) for number in range(100)], source="t", settings=store.settings)
        settled(store, 100, 90)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(GRACE) == 0
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(10)
        os.close(read)
        os.close(write)
