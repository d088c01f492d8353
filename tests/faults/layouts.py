"""Scenarios of two releases on one store: the one before beside this one, and the change of the layout under load."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from worker.pipeline.migration import migrate
from worker.store.agreement import Standing, standing, write

from .reckoning import Reckoning, reckon
from .scenarios import NotHere, recovered, scenario
from .stage import Stage
from .turning import kill_a_process, kill_a_worker

FORMER = os.environ.get("SCRUBTEST_FORMER", "")
"""Folder with the source of the release before."""


def former(stage: Stage) -> dict[str, str]:
    """The environment of a worker of the release before."""
    if not Path(FORMER, "worker/app.py").is_file():
        raise NotHere("SCRUBTEST_FORMER names no folder with the source of the release before")
    return {**stage.environment, "PYTHONPATH": FORMER}


@scenario("releases", 20)
def releases(stage: Stage) -> Reckoning:
    """Workers of two releases on one store, killed with -9 at random; half way the last old one ends, and the layout is
    changed while claims come in.
    """
    old = former(stage)
    stage.server.start()
    write(stage.server.client, Standing())  # as the release before left it
    for environment in (old, old, {}, {}):
        stage.start(**environment).wait_ready(60)
    migrated = False
    for number in stage.each(0.2, 1.0):
        if number == stage.faults // 2:
            for worker in stage.workers[:]:
                stage.end_worker(worker)
            stage.start()
            stage.until(lambda: all(worker.layout > 1 for worker in stage.now().alive), 60)
            before = migrate(stage.direct.redis)
            migrated = (before.layout, standing(stage.direct.redis).layout) == (1, 2)
            stage.start()
        stage.end_worker(stage.random.choice(stage.workers))
        stage.start(**(old if number < stage.faults // 2 and number % 2 else {}))
    stage.settle()
    if not migrated:
        raise AssertionError("the layout was not changed")
    return reckon(stage)


class _Dying:
    """A client that dies after so many commands: before the next one is sent, or with its answer."""

    def __init__(self, client: Redis, commands: int, *, answers: bool) -> None:
        self._left, self._answers = commands, answers
        self._plain = client.execute_command
        client.execute_command = self._execute  # type: ignore[method-assign]

    def _execute(self, *words: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left < 0 and not self._answers:
            raise RedisConnectionError("it is no more")
        answer = self._plain(*words, **options)
        if self._left < 0:
            raise RedisConnectionError("its answer is lost")
        return answer


@scenario("migration", 24)
def migration(stage: Stage) -> Reckoning:
    """The layout of the keys is changed while claims come in on four partitions, and breaks off at one command after
    another; pool processes, workers and Redis are killed with -9 all the while.
    """
    stage.partitions = 4
    stage.server.start()
    write(stage.server.client, Standing(4, 4, 1))
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)
    stage.service = {}
    kills = (lambda: kill_a_process(stage), lambda: kill_a_worker(stage), stage.server.again)
    first, last = stage.faults // 4, 3 * stage.faults // 4
    broken = half_way = 0
    for number in stage.each():
        kills[number % 3]()
        if first <= number < last:
            with stage.server.client as client:
                _Dying(client, number - first, answers=number % 2 == 0)
                with contextlib.suppress(RedisError):
                    migrate(client)
            found = standing(stage.direct.redis)
            broken += found.layout == 1
            half_way += found.migrating
        elif number == last:
            migrate(stage.direct.redis)
        recovered(stage)
    stage.settle()
    if standing(stage.direct.redis) != Standing(4, 4, 2):
        raise AssertionError("the layout was not changed")
    stage.notes.append(f"it broke off {broken} times, {half_way} of them half way")
    if not half_way:
        raise AssertionError("it never broke off half way")
    return reckon(stage)
