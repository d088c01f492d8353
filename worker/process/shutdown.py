"""The end at once, which a second Ctrl-C or SIGQUIT asks for: pool processes are ended, what they have in hand stays
pending.

Celery waits for its pool in the signal handler itself. Where the signal comes while the main process hands a
notification to a pool process, the rest of that is never written: each waits for the other, and the worker for ever.
Here the handler leaves it to the main loop; where that has ended already, it ends the processes and waits for none.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FrameType
from typing import Any

from celery.platforms import EX_FAILURE
from celery.worker import loops, state

_LOOPS = {loops.asynloop.__code__, loops.synloop.__code__}


def install(program: Any) -> None:
    """Takes the place of Celery's handler for SIGQUIT and a second SIGINT, before any is set.

    Args:
        program: the module `celery.apps.worker`
    """

    def end_at_once(worker: Any) -> None:
        for name in ("SIGINT", "SIGQUIT"):  # whoever asks once more does not even wait for that
            handle(worker, sig=name, callback=program.on_hard_shutdown, verbose=False)
        if _asked_before() and not _in_main_loop():
            worker.pool.terminate()

    handle = partial(program._shutdown_handler, how="Cold", exitcode=EX_FAILURE)
    program.install_worker_term_hard_handler = partial(handle, sig="SIGQUIT", callback=end_at_once)


def _in_main_loop() -> bool:
    """Whether the signal came in it: it looks at the flags before it waits for anything, and may write to the pool."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_code not in _LOOPS:
        frame = frame.f_back
    return frame is not None


def _asked_before() -> bool:
    """Whether the main loop was told to end: it may wait for its pool by now, and looks at no flag."""
    asked: int | None = state.should_stop
    return asked is not None
