"""Measuring: each round measures every case once, and the median over the rounds counts."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sysconfig
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.errors import ServerMissing
from worker.store import serverbinary


@dataclass(frozen=True, slots=True)
class Figure:
    """What one case cost over the rounds."""

    name: str
    median: float
    """Seconds a unit of work."""
    lowest: float
    highest: float

    @property
    def micro(self) -> float:
        """Median, microseconds a unit."""
        return self.median * 1e6


def interleaved(
    cases: Mapping[str, Callable[[], object]], units: int, *, rounds: int = 7, clock: Callable[[], float] | None = None
) -> dict[str, Figure]:
    """Runs every case once a round, each run doing `units` of work; the first round warms up and does not count."""
    now = clock or time.perf_counter
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(rounds + 1):
        for name, run in cases.items():
            gc.collect()
            started = now()
            run()
            elapsed = now() - started
            if round_number:
                spent[name].append(elapsed / units)
    return {name: Figure(name, statistics.median(found), min(found), max(found)) for name, found in spent.items()}


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "python_build": python_build(),
        **_server(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "cpu": _cpu(),
        "yardstick_us": yardstick(),
    }


def sentence(about: Mapping[str, str | int | float]) -> str:
    """What `machine` found, for people."""
    server = f"{about['server']}, malloc {about['malloc']}" if about["malloc"] else str(about["server"])
    return (
        f"Python {about['python']} ({about['python_build']}); server: {server};"
        f" {about['cores']} cores of {about['cpu']}; yardstick {about['yardstick_us']} us"
    )


def python_build() -> str:
    """Implementation, compiler, and whether it was built to be fast: builds of one version differ by a fifth."""
    options = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    built = [name for name in ("optimizations", "lto") if f"--enable-{name}" in options or f"--with-{name}" in options]
    return ", ".join([platform.python_implementation(), platform.python_compiler(), *(built or ["not optimized"])])


def _server() -> dict[str, str]:
    """The server that the parts with a pipe start, and what it takes its memory by."""
    try:
        server = serverbinary.choose(None)
    except ServerMissing:
        return {"server": "none", "malloc": ""}
    return {"server": str(server), "malloc": serverbinary.allocator(server)}


def yardstick() -> float:
    """Microseconds of a fixed piece of plain Python, the best of many: builds of Python differ by a fifth, and
    machines by more."""

    def work() -> int:
        found = {number: (number, str(number)) for number in range(1_000)}
        return sum(len(text) for number, text in found.values() if found.get(number))

    spent = []
    for _ in range(200):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return round(min(spent) * 1e6, 1)


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    except OSError:
        return platform.processor() or "unknown"
