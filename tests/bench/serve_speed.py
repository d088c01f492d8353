"""How fast `POST /check` is: `python -m tests.bench.serve_speed`. Prints what it measured, and judges nothing."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from tests.cli.conftest import CLEAN
from tests.serve.conftest import Service

CALLS, CLIENTS = 1_000, 16
ONE = json.dumps(CLEAN).encode() + b"\n"


def main() -> None:
    """One claim beside full calls, then a thousand calls of many clients."""
    print(
        f"load average {', '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cores, before it began"
    )
    with tempfile.TemporaryDirectory(prefix="scrub-bench-", dir="/tmp") as folder:
        service = Service(Path(folder))
        headers = {**service.token("check"), "Content-Type": "application/x-ndjson"}
        _call(service, headers, ONE * 200)
        before = _cpu(service)
        _tell("1 claim, nothing else", [_call(service, headers, ONE) for _ in range(300)])
        print(f"  {(_cpu(service) - before) / 300 * 1000:.1f} ms of CPU a call, in all processes of the service")
        _beside(service, headers)
        _many(service, headers)
        service.end()


def _cpu(service: Service) -> float:
    """Seconds of CPU that its session has used; the server of Redis has a session of its own."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            found += int(fields[11]) + int(fields[12]) if int(fields[3]) == service.process.pid else 0
    return found / os.sysconf("SC_CLK_TCK")


def _beside(service: Service, headers: dict[str, str]) -> None:
    ended, full = threading.Event(), list[float]()

    def run() -> None:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            while not ended.is_set():
                full.append(_timed(lambda: client.post("/check", content=ONE * 200, headers=headers)))

    thread = threading.Thread(target=run)
    thread.start()
    alone = []
    while len(alone) < 500 or len(full) < 5:
        alone.append(_call(service, headers, ONE))
        time.sleep(0.005)
    ended.set()
    thread.join()
    _tell("1 claim, while full calls run", alone)
    _tell("full calls of 200 claims", full)


def _many(service: Service, headers: dict[str, str]) -> None:
    times, left = list[float](), iter(range(CALLS))

    def run() -> None:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            for _ in left:
                times.append(_timed(lambda: client.post("/check", content=ONE, headers=headers)))

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    since = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    _tell(f"{CALLS} calls by {CLIENTS} clients, {CALLS / (time.perf_counter() - since):.0f}/s", times)


def _call(service: Service, headers: dict[str, str], body: bytes) -> float:
    return _timed(lambda: service.http.post("/check", content=body, headers=headers))


def _timed(call: Callable[[], httpx.Response]) -> float:
    since = time.perf_counter()
    answer = call()
    took = time.perf_counter() - since
    assert answer.status_code == 200, answer.text
    return took * 1000


def _tell(what: str, times: list[float]) -> None:
    cut = statistics.quantiles(times, n=100)
    print(f"{what}: {len(times)} calls, p50 {cut[49]:.1f} ms, p90 {cut[89]:.1f} ms, p99 {cut[98]:.1f} ms")


if __name__ == "__main__":
    main()
