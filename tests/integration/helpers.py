"""Real workers, and claims to give them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests import standby
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.ledger import Ledger
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.store.connections import Store
from worker.store.outletspecs import OUTLETS

QUICK = {
    "SCRUB_SOFT_TIME_LIMIT": "2",
    "SCRUB_HARD_TIME_LIMIT": "3",
    "SCRUB_RECLAIM": "4",
    "SCRUB_DRAIN_BUDGET": "1",
    "SCRUB_TEND": "0.2",
    "SCRUB_GATE": "0.5",
}
"""Times short enough for a test to see an entry expire."""


_ALONE = ("--without-mingle", "--without-gossip")
"""They only cost a second at start."""


class Worker:
    """A real `celery -A worker.app worker`, in a process group of its own."""

    def __init__(
        self,
        home: Path,
        *options: str,
        env: dict[str, str] | None = None,
        concurrency: int = 2,
        stdout: Path | None = None,
        program: bool = False,
    ) -> None:
        """`stdout`: where standard output goes, if not to the log. `program`: whether a new interpreter is to start, as
        it does where the environment speaks to Python."""
        self.log = home / f"worker-{time.monotonic_ns()}.log"
        arguments = ["-A", "worker.app", "worker", "-c", str(concurrency), *_ALONE, *options]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        mine = {**clean, "SCRUB_STATE_DIR": str(home), "XDG_RUNTIME_DIR": str(home), **QUICK, **(env or {})}
        self.process: subprocess.Popen[bytes] | standby.Forked
        with self.log.open("wb") as log, stdout.open("wb") if stdout else nullcontext(log) as out:
            if program or any(name.startswith("PYTHON") for name in env or {}):
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "celery", *arguments], env=mine, stdin=subprocess.DEVNULL, stdout=out,
                    stderr=log, start_new_session=True,
                )  # fmt: skip
                return
            with open(os.devnull, "rb") as nothing:
                streams = [one.fileno() for one in (nothing, out, log)]
                self.process = standby.celery(*arguments, streams=streams, env=mine)

    def children(self) -> list[int]:
        """Process ids of the pool."""
        found = subprocess.run(["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in found.splitlines()]
        return [int(pid) for pid, parent, state in rows if int(parent) == self.process.pid and "Z" not in state]

    def wait_ready(self, seconds: float = 20) -> Worker:
        until(lambda: b" ready." in self.log.read_bytes() or self.process.poll() is not None, seconds, self.text)
        assert self.process.poll() is None, self.text()
        return self

    def stop(self, seconds: float = 20) -> int:
        """Asks with SIGTERM, and answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """kill -9 of the worker and its pool."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")


def until(true: Callable[[], object], seconds: float = 20, output: Callable[[], object] = lambda: "") -> None:
    """Waits until it is true; fails with what `output` says."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not true after {seconds} s: {output()}"
        time.sleep(0.02)


def settled(store: Store, accepted: int, seconds: float = 30) -> Reconciliation:
    """Waits until so many events were accepted and nothing waits or is in flight, then answers the books."""
    until(
        lambda: (found := reconcile(store.redis, store.keys)).accepted == accepted and found.settled,
        seconds,
        lambda: reconcile(store.redis, store.keys),
    )
    return reconcile(store.redis, store.keys)


def each_once(store: Store, count: int) -> None:
    """Every one of so many events has one result."""
    events = [entry.event["eventid"] for name in OUTLETS for entry in tail(store.redis, store.keys, name)]
    assert sorted(events) == sorted(f"evt-{number}" for number in range(count))


def ledgers(store: Store) -> dict[str, Ledger]:
    """Every patient's ledger, by its key."""
    keys = sorted(key for part in store.keys.all for key in store.redis.scan_iter(match=part.ledger("*")))
    return {key.decode(): Ledger.parse(store.redis.get(key).decode()) for key in keys}


def counting(store: Store) -> list[str]:
    """The claims that the ledgers hold as billed, in order: those of the billing outlet that were not replaced since."""
    every = (entry for ledger in ledgers(store).values() for entry in ledger.entries.values())
    return sorted(entry.claim_id for entry in every if entry.state == "billed")


def claim(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A claim with one 64445 line; `changes` replace its top-level keys."""
    return {
        "claim_id": f"PCN-{number:05}",
        "form": "professional",
        "received_date": "2026-10-20",
        "place_of_service": "11",
        "payer": {"id": "87726", "name": "UNITEDHEALTHCARE", "filing_indicator": "CI", "responsibility": "P"},
        "subscriber": {"member_id": f"{number:09}"},
        "patient": {"birth_date": "1970-03-02", "sex": "F"},
        "billing_provider": {"npi": "1234567893", "entity": "organization", "state": "TX"},
        "rendering_provider": {"npi": "1234567893"},
        "diagnoses": ["M54.31"],
        "total_charge": "450.00",
        "lines": [
            {
                "number": 1,
                "procedure": "64445",
                "modifiers": ["RT"],
                "units": 1,
                "unit_basis": "UN",
                "charge": "450.00",
                "service_date": "2026-10-01",
                "diagnosis_pointers": [1],
            }
        ],
        **changes,
    }


def event(number: int = 1, *, data: Any = None, **changes: Any) -> bytes:
    """The CloudEvent around a claim, as a producer in any language would write it."""
    envelope = {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "/hospital/ehr",
        "type": "claim.submitted.v1",
        "time": "2026-10-20T14:03:00Z",
        "datacontenttype": "application/json",
        "data": claim(number) if data is None else data,
        **changes,
    }
    return json.dumps(envelope).encode()


def quiet(store: Store) -> Notifier:
    """A notifier that wakes nobody."""
    return Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None)
