"""The pipe end to end: claims a second from the inbox to the outlets, beside a no-op Celery task and the floor."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from worker.bench.claims import event
from worker.bench.tables import Section
from worker.bench.testbed import Fsync, Testbed, fresh_testbed, python
from worker.process.command import command

Say = Callable[[str], None]
_LOAD = 1_000


def claims_a_second(processes: int, claims: int, fsync: Fsync, **environment: str) -> float:
    """Of a real worker with this many pool processes on a backlog of `claims`; full book, audit log on.

    The first half is not counted: a process that has just started has yet to meet the shapes of a hospital's claims.
    """
    with fresh_testbed(fsync) as testbed:
        fill(testbed, claims)
        testbed.start(command(processes), **environment)
        return testbed.rate(lambda: decided(testbed), claims, since=0.5)


def floor(processes: int, claims: int, fsync: Fsync, **environment: str) -> float:
    """The same streams and commits without the work."""
    with fresh_testbed(fsync) as testbed:
        fill(testbed, claims)
        for _ in range(processes):
            testbed.start(python("-m", "worker.bench.floor"), **environment)
        return testbed.rate(lambda: decided(testbed), claims)


def noop_tasks(processes: int, tasks: int, fsync: Fsync) -> float:
    """Tasks a second of a Celery worker whose task does nothing."""
    with fresh_testbed(fsync) as testbed:
        testbed.start(python("-m", "worker.bench.enqueue", str(tasks))).wait()
        options = ["-c", str(processes), "--without-mingle", "--without-gossip", "--without-heartbeat"]
        testbed.start(python("-m", "celery", "-A", "worker.bench.noop", "worker", *options))
        return testbed.rate(lambda: tasks - int(testbed.store.redis.llen("bench-noop") or 0), tasks)


def throughput(processes: Sequence[int], *, claims: int, tasks: int, fsync: Fsync, rounds: int, say: Say) -> Section:
    """Medians over the rounds; all cases of a round run one after another."""
    found: dict[tuple[str, int], list[float]] = {}
    for round_number in range(rounds):
        for number in processes:
            cases: dict[str, Callable[[], float]] = {
                "claims": lambda number=number: claims_a_second(number, claims * number, fsync),  # type: ignore[misc]
                "floor": lambda number=number: floor(number, 20_000 * number, fsync),  # type: ignore[misc]
                "noop": lambda number=number: noop_tasks(number, tasks * number, fsync),  # type: ignore[misc]
            }
            for name, run in cases.items():
                say(f"pipe {fsync}: round {round_number + 1} of {rounds}, {number} processes, {name}")
                found.setdefault((name, number), []).append(run())
    median = {key: statistics.median(values) for key, values in found.items()}
    rows = [
        (
            number, round(median["claims", number]), round(median["floor", number]), round(median["noop", number]),
            f"{median['claims', number] / median['floor', number]:.0%}",
            round(median["claims", number] / median["noop", number], 1),
            round(median["claims", number] / median["claims", processes[0]] * processes[0], 2),
        )
        for number in processes
    ]  # fmt: skip
    columns = ("processes", "claims/s", "floor/s", "no-op tasks/s", "of the floor", "times no-op", "times one")
    return Section(f"The pipe, append-only file fsync {fsync}", columns, rows)


def batches(sizes: Sequence[int], *, claims: int, say: Say) -> Section:
    """Claims a second of one process with batches of these sizes."""
    rows = []
    for size in sizes:
        say(f"pipe: batches of {size}")
        number = min(claims, size * 400)
        rows.append((size, round(claims_a_second(1, number, "always", SCRUB_BATCH=str(size)))))
    return Section("The pipe, by batch size, one process", ("batch", "claims/s"), rows)


def backlogs(sizes: Sequence[int], *, say: Say) -> Section:
    """Claims a second of one process with so many claims waiting, and what a waiting claim takes of Redis' memory."""
    rows = []
    for size in sizes:
        say(f"pipe: a backlog of {size}")
        with fresh_testbed("everysec") as testbed:
            empty = used_memory(testbed)
            fill(testbed, size)
            each = (used_memory(testbed) - empty) / size
            testbed.start(command(1))
            rows.append((size, round(testbed.rate(lambda: decided(testbed), min(size, 40_000))), round(each)))
    return Section("The pipe, by backlog, one process", ("waiting", "claims/s", "Redis bytes a waiting claim"), rows)


def used_memory(testbed: Testbed) -> int:
    """Bytes that the server has in use."""
    return int(testbed.store.redis.info("memory")["used_memory"])


def fill(testbed: Testbed, count: int) -> None:
    """Puts so many claims on the inbox."""
    for first in range(0, count, _LOAD):
        with testbed.store.redis.pipeline(transaction=False) as pipeline:
            for number in range(first, min(first + _LOAD, count)):
                pipeline.xadd(testbed.store.keys.inbox, {"event": event(number)})
            pipeline.execute()


def decided(testbed: Testbed) -> int:
    """How many claims went somewhere."""
    return sum(map(int, testbed.store.redis.hvals(testbed.store.keys.counters)))
