"""Scenarios of a clock that goes wrong on the host of Redis: far ahead, and right again."""

from __future__ import annotations

import contextlib
import os
import signal

from tests.integration.attacks import HONEST
from worker.store.registry import Producer

from .hostile import registered
from .reckoning import Reckoning, reckon
from .scenarios import faked, scenario, two_workers
from .stage import Stage

_AHEAD = 20 * 86_400
"""Seconds; event memory (35 days) and ledgers outlive them, as they would not a jump of years: they expire by that clock."""


@scenario("ahead", 12)
def ahead(stage: Stage) -> Reckoning:
    """The clock of Redis jumps 20 days ahead and is set right again, as that of a virtual machine that was resumed, again
    and again, while a registered producer sends and pool processes are killed with claims in hand.
    """
    clock = faked(stage)
    two_workers(stage)
    stage.producer, stage.login = HONEST, registered(stage, Producer(HONEST, "north", trusted=True))
    for number in stage.each(0.2, 0.8):
        clock.write_text(f"+{_AHEAD * (1 - number % 2)}\n")
        stage.until(lambda: any(worker.children() for worker in stage.workers))
        pool = [child for worker in stage.workers for child in worker.children()]
        with contextlib.suppress(ProcessLookupError):
            os.kill(stage.random.choice(pool), signal.SIGKILL)
    stage.settle()
    return reckon(stage)
