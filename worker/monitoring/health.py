"""The health of queue and workers, as any host can read it from Redis: what a person is to be called for.

None of it is a reason to restart a worker; whether that helps is what its heartbeat says (worker.process.heartbeat).
"""

from __future__ import annotations

from collections.abc import Iterator

from worker.config.settings import Settings
from worker.monitoring.progress import standing_still
from worker.monitoring.reconciliation import Reconciliation

_LONG_HOLD = 300.0
"""Seconds for which workers may wait for a consumer or for memory before somebody is to look."""
_UNMAINTAINED = 30.0
"""Seconds without a sample, which a worker keeps every 10, and after which claims should have been taken."""


def unwell(found: Reconciliation, settings: Settings, *, late: bool = False) -> Iterator[str]:
    """What is wrong with the flow of claims, a sentence each; nothing: all is well. `late`: a claim is too old."""
    if found.hold and (late or found.held > _LONG_HOLD):
        yield f"the workers have waited for {found.held / 60:.0f} min: {found.hold.reason}"
    yield from stuck(found, settings)


def stuck(found: Reconciliation, settings: Settings) -> Iterator[str]:
    """The same without what is said of a hold in any case."""
    if still := standing_still(found, settings):
        yield still
    elif _unmaintained(found, settings):
        yield f"{found.waiting + found.in_flight} claims wait, and no worker looks after the queue"


def _unmaintained(found: Reconciliation, settings: Settings) -> bool:
    """Whether live workers leave the queue alone, as one whose upkeep fails time and again does."""
    longest = max(_UNMAINTAINED, 3 * settings.tend)
    settled_in = any(found.moment - worker.started > longest for worker in found.alive)
    return settled_in and (found.tended is None or found.tended > longest) and (found.oldest or 0) > longest
