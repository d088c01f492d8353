"""Work on all cores in the order of its parts, so that the same input gives the same bytes however many there are."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from worker.errors import WorkEnded

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Part = TypeVar("Part")
Done = TypeVar("Done")
Job = TypeVar("Job")

_job: list[Any] = []
"""Of this process; there before the fork, so that all share the memory of what is in it."""


class Here(NamedTuple, Generic[Part]):
    """A part on which there is nothing to do in another process: it comes out as it is when it is its turn."""

    part: Part


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Part, Job], Done],
    parts: Iterable[Part | Here[Any] | None],
    job: Job,
    cores: int,
    *,
    alone: int = 0,
) -> Generator[Done, None, None]:
    """What came of the parts, of which few are held at once; on one core this process does the work.

    `work`: a function of a module, by its name. `parts`: None among them says that the next may be long in coming, or
    needs what is before it to be over. `alone`: so many parts at the start are done here before the others begin, so
    that what is worked out by the way is worked out once, and a small input needs no other process.

    Raises:
        WorkEnded: another process was ended from outside.
    """
    several, here = iter(parts), 0
    for first in several:
        if isinstance(first, Here):
            yield cast(Any, first)
        elif first is not None and (cores < 2 or here < alone):
            here += 1
            yield work(first, job)
        elif first is not None:
            break
    else:
        return
    under_way: deque[Any] = deque()
    with _pool(job, cores) as executor:
        under_way.append(executor.submit(_work, work, first))
        for part in several:
            if part is not None:
                under_way.append(part if isinstance(part, Here) else executor.submit(_work, work, part))
            while under_way and (part is None or len(under_way) > 2 * cores):
                yield _done(under_way.popleft())
        while under_way:
            yield _done(under_way.popleft())


def _done(one: Any) -> Any:
    return one if isinstance(one, Here) else one.result()


@contextmanager
def _pool(job: Any, cores: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that have the job; they end with this one, at once where it does not wait for them."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    _job[:] = [job]
    gc.freeze()
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("fork"), initializer=_begin)
    try:
        executor.submit(int).result()  # forks all of them now, before anything starts a thread
        yield executor
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        if isinstance(error, BrokenProcessPool):
            raise WorkEnded from None
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        _job.clear()
        gc.unfreeze()


def _work(work: Callable[[Part, Any], Done], part: Part) -> Done:
    return work(part, _job[0])


def _begin() -> None:
    quiet()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import connection, parent_process

    parent = parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os._exit(1)


def quiet() -> None:
    """Ctrl-C reaches every process of the terminal; the main one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
