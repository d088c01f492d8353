"""Work on all cores in the order of its parts, so that the same input gives the same bytes however many there are."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any, TypeVar

Part = TypeVar("Part")
Done = TypeVar("Done")
Job = TypeVar("Job")

FORK = multiprocessing.get_context("fork")
_job: list[Any] = []
"""Of this process; there before the fork, so that all share the memory of what is in it."""


def in_order(
    work: Callable[[Part, Job], Done], parts: Iterable[Part], job: Job, cores: int, *, alone: int = 0
) -> Iterator[Done]:
    """What came of the parts, of which few are held at once; on one core this process does the work.

    `work`: a function of a module, by its name. `alone`: so many parts at the start are done here before the others
    begin, so that what is worked out by the way is worked out once.
    """
    several = iter(parts)
    for part in several if cores < 2 else islice(several, alone):
        yield work(part, job)
    if cores < 2 or (first := next(several, None)) is None:
        return
    _job[:] = [job]
    gc.freeze()
    executor = ProcessPoolExecutor(cores, mp_context=FORK, initializer=quiet)
    under_way: deque[Future[Done]] = deque([executor.submit(_work, work, first)])
    try:
        for part in several:
            under_way.append(executor.submit(_work, work, part))
            if len(under_way) > 2 * cores:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
        _job.clear()
        gc.unfreeze()


def _work(work: Callable[[Part, Any], Done], part: Part) -> Done:
    return work(part, _job[0])


def quiet() -> None:
    """Ctrl-C reaches every process of the terminal; the main one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
