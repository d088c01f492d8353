"""What a claim costs two releases, in CPU time of all their processes, on the same claims and the same server.

    python -m worker.bench.costs OTHER_PYTHON [--rounds N] [--claims N]

OTHER_PYTHON has the other release installed. Both take turns, each on an empty server of its own with fsync always;
seconds of a clock count for nothing, so that a busy machine does little harm. The first half is not counted: a process
that has just started has yet to meet the shapes of a hospital's claims. What the check itself takes is measured beside
it, by the same claims in the same order, as the rules of two releases are not the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from worker.bench.claims import event
from worker.bench.growth import children
from worker.bench.testbed import NotMoving, Testbed, fresh_testbed
from worker.store.embedded import socket_path
from worker.store.keys import FIELD, SHARED
from worker.store.registry import Producer

_TICKS = os.sysconf("SC_CLK_TCK")
_LOAD = 1_000
_CHECK = """
import sys, time, json
try:
    from rules.engine.check import check
    from rules.loader import load_book
    from worker.intake.events import claim_of
    from worker.process.gctuning import spare
except ImportError:
    from rules.check import check
    from rules.loader import load_book
    from worker.collector import spare
    from worker.intake.events import claim_of
from rules.history import NOTHING_BILLED
book, first, last = load_book(), int(sys.argv[1]), int(sys.argv[2])
spare()
spent = 0
for number, line in enumerate(sys.stdin.buffer):
    claim = claim_of(json.loads(line)["data"])
    begun = time.process_time_ns()
    check(claim, book, history=NOTHING_BILLED)
    if first <= number < last:
        spent += time.process_time_ns() - begun
print(spent / (last - first) / 1000)
"""


def cpu_of(python: str, claims: int, producers: int | None = None, **environment: str) -> Mapping[str, float]:
    """Microseconds of CPU a claim of one pool process, of Redis, and of the worker's other processes.

    `producers`: None leaves the store as nobody has used it yet, for whichever release comes; else it is in the newest
    layout, with the claims on so many streams, or on the inbox where that is 0.
    """
    with fresh_testbed() as testbed:
        _fill(testbed, claims, producers)
        folder = testbed.settings.state_dir / "worker"
        own = {
            "SCRUB_REDIS_URL": f"unix://{socket_path(testbed.settings.server_path)}",
            "SCRUB_STATE_DIR": str(folder),
        }
        start = [python, "-P", "-m", "worker", "worker", "-c", "1"]
        worker = testbed.start(start, **{**own, **environment})
        server = int(testbed.store.redis.info("server")["process_id"])
        return _counted(testbed, worker.pid, server, claims)


def _fill(testbed: Testbed, claims: int, producers: int | None) -> None:
    redis, keys = testbed.store.redis, testbed.store.keys
    names = [f"site-{number}" for number in range(producers or 0)]
    for name in names:
        redis.hset(keys.producers, name, Producer(name, source="/bench").packed())
    if producers is None:
        redis.delete(keys.meta)
    for first in range(0, claims, _LOAD):
        with redis.pipeline(transaction=False) as pipeline:
            for number in range(first, min(first + _LOAD, claims)):
                stream = names[number % len(names)] if names else SHARED
                pipeline.xadd(keys.stream(stream), {FIELD: event(number)})
            pipeline.execute()


def _counted(testbed: Testbed, worker: int, server: int, claims: int) -> Mapping[str, float]:
    counters = testbed.store.keys.counters

    def decided() -> int:
        found = cast(dict[bytes, bytes], testbed.store.redis.hgetall(counters))
        return sum(int(count) for name, count in found.items() if not name.startswith(b"taken:"))

    testbed.await_moving(decided)
    begun: tuple[int, dict[str, float]] | None = None
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        time.sleep(0.02)
        count = decided()
        if begun is None and count >= claims // 2:
            begun = (decided(), _spent(worker, server))
        elif begun and count >= claims * 19 // 20:
            done, now = decided() - begun[0], _spent(worker, server)
            return {part: (now[part] - begun[1][part]) / done * 1e6 for part in now}
    raise NotMoving(testbed.log.read_text("utf-8", "replace")[-2000:])


def _spent(worker: int, server: int) -> dict[str, float]:
    """Seconds of CPU so far, by part; the pool process is the child that had most."""
    whole, pool = _of_session(worker), max(map(_of, children(worker)))
    return {"pool": pool, "Redis": _of(server), "rest": whole - pool}


def _of(pid: int) -> float:
    """Seconds of CPU of a process, and of its children that ended: a rewrite of the append-only file is one."""
    return sum(map(int, _stat(pid)[11:15])) / _TICKS


def _of_session(leader: int) -> float:
    """Seconds of CPU of all processes of a session."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if int(_stat(int(entry.name))[3]) == leader:
                    total += _of(int(entry.name))
            except OSError:
                continue
    return total


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def check_cost(python: str, claims: int) -> float:
    """Microseconds of CPU that the check of one claim takes, of the claims that count."""
    lines = b"".join(event(number) + b"\n" for number in range(claims))
    command = [python, "-P", "-c", _CHECK, str(claims // 2), str(claims * 19 // 20)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SCRUB_"))}
    found = subprocess.run(command, input=lines, check=True, capture_output=True, cwd="/", env=clean)
    return float(found.stdout)


def compared(other: str, *, claims: int, rounds: int, producers: Sequence[int]) -> None:
    """Prints a table; the last line is the ratio of the two."""
    cases: dict[str, tuple[str, int | None]] = {"other": (other, None)}
    cases |= {f"this, {number or 'no'} producers": (sys.executable, number) for number in producers}
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in cases}
    checks: dict[str, list[float]] = {python: [] for python in (other, sys.executable)}
    for _ in range(rounds):
        for name, (python, number) in cases.items():
            found[name].append(cpu_of(python, claims, number))
            print(name, {part: round(spent, 1) for part, spent in found[name][-1].items()}, file=sys.stderr)  # noqa: T201
        for python, spent in checks.items():
            spent.append(check_cost(python, claims))
    print("| | pool | Redis | rest | sum | of it the check | sum without it |\n|---|---|---|---|---|---|---|")  # noqa: T201
    sums: dict[str, tuple[float, float]] = {}
    for name, (python, _) in cases.items():
        parts = [statistics.median(one[part] for one in found[name]) for part in ("pool", "Redis", "rest")]
        whole = statistics.median(sum(one.values()) for one in found[name])
        check = statistics.median(checks[python])
        sums[name] = (whole, whole - check)
        print(f"| {name} | {' | '.join(f'{one:.1f}' for one in (*parts, whole, check, whole - check))} |")  # noqa: T201
    for name, (whole, rest) in sums.items():
        print(f"{name}: {whole / sums['other'][0]:.3f}, without the check {rest / sums['other'][1]:.3f}")  # noqa: T201


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m worker.bench.costs", description=__doc__)
    parser.add_argument("other", metavar="OTHER_PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--claims", type=int, default=40_000)
    parser.add_argument("--producers", type=int, nargs="*", default=[0, 2])
    given = parser.parse_args()
    compared(given.other, claims=given.claims, rounds=given.rounds, producers=given.producers)


if __name__ == "__main__":
    main()
