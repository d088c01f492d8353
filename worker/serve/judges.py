"""The pool of processes that judge, in two lanes, so that one claim never waits behind two hundred.

`quick` has what is small, `full` the rest, at a lower priority. A process that dies takes its call along and no other:
the lane is made anew, and what was in hand is judged again, which changes nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TypeVar

from worker.config.settings import Settings
from worker.errors import ServiceBusy
from worker.logs.operational import log
from worker.serve import judging, making
from worker.serve.judging import Answer, Asked
from worker.serve.making import Made, ToMake

SMALL = 2**15
"""Bytes of a call that goes the quick way: a claim, or a few."""
_WAITING = {"quick": 64, "full": 8}
"""Calls that a process of a lane may have before it; more are told to come again."""
_FORKS = multiprocessing.get_context("forkserver")
"""The service has threads, which a fork of it would copy in whatever they are doing. What forks has none, and has
imported once what all need."""
_FORKS.set_forkserver_preload(["worker.serve.making"])
_NICE = 10
Given = TypeVar("Given")


@dataclass(slots=True)
class Lane:
    """Processes of one kind."""

    name: str
    settings: Settings
    processes: int
    nice: int = 0
    in_hand: int = 0
    died: int = 0
    _pool: ProcessPoolExecutor | None = field(default=None)

    async def run(self, work: Callable[..., Given], *given: Asked | ToMake) -> Given:
        """Has a process do something, once more where it dies of something else.

        Raises:
            ServiceBusy
        """
        if self.in_hand >= self.processes * _WAITING[self.name]:
            raise ServiceBusy(waiting=self.in_hand)
        self.in_hand += 1
        try:
            for attempt in (1, 2):
                pool = self._ready()
                try:
                    return await asyncio.wrap_future(pool.submit(work, *given))
                except BrokenProcessPool:
                    self._broken(pool)
                    if attempt == 2:
                        raise
            raise AssertionError
        finally:
            self.in_hand -= 1

    async def start(self) -> None:
        """Has every process read the book."""
        await asyncio.gather(*(self.run(judging.ready) for _ in range(self.processes)))

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _ready(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.processes, _FORKS, judging.begin, (self.settings, self.nice))
        return self._pool

    def _broken(self, pool: ProcessPoolExecutor) -> None:
        if self._pool is pool:
            log(__name__).error("a process that judges died; the calls in hand are judged again", lane=self.name)
            self.died += 1
            self._pool = None
            pool.shutdown(wait=False)


class Judges:
    """Both lanes."""

    def __init__(self, settings: Settings) -> None:
        number = settings.serve_processes
        self.quick = Lane("quick", settings, max(1, number // 2))
        self.full = Lane("full", settings, max(1, number - number // 2), _NICE)

    async def start(self) -> None:
        await asyncio.gather(self.quick.start(), self.full.start())

    def close(self) -> None:
        for lane in self.lanes:
            lane.close()

    async def judge(self, asked: Asked) -> Answer:
        """The answer to a call.

        Raises:
            ServiceBusy
        """
        return await self._lane(asked.body).run(judging.judge, asked)

    async def make(self, asked: ToMake) -> Made:
        """The events of a body.

        Raises:
            ServiceBusy
        """
        return await self._lane(asked.body).run(making.make, asked)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return self.quick, self.full

    def _lane(self, body: bytes) -> Lane:
        return self.quick if len(body) <= SMALL else self.full
