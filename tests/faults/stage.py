"""Where a scenario plays: a server, a producer that sends until all was accepted, workers, a network."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from redis.exceptions import RedisError

from rules.errors import ScrubError
from tests.integration.helpers import QUICK, Worker
from worker.config.settings import load_settings
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.outlets import OutletEntry
from worker.pipeline.producer import send
from worker.process import celeryapp
from worker.store import opening
from worker.store.connections import Store

from .claims import Sent, echoes, sent
from .proxy import Proxy
from .server import Server

RECLAIM = float(QUICK["SCRUB_RECLAIM"])
PLENTY = {"SCRUB_BATCH": "20", "SCRUB_HISTORY_MONTHS": "240"}
"""Small batches, so that a fault meets claims in hand; ledgers that keep the claims' dates for years."""


class TooLong(Exception):
    """Something did not come to its end."""


@dataclass
class Stage:
    """One scenario's world; everything in it ends with the block that opened it."""

    home: Path
    server: Server
    random: Random
    claims: int
    faults: int
    network: Proxy | None = None
    parts_a_fault: int = 1
    poisoned: frozenset[int] = frozenset()
    notifications: bool = True
    """Whether the producer notifies; else it knows XADD alone."""
    environment: dict[str, str] = field(default_factory=dict)
    """Of every worker."""
    producer: str = ""
    """The name under which the producer is registered; empty: it shares the inbox."""
    login: str = ""
    """Its user and password, as they stand in a URL."""
    password_file: Path | None = None
    """Where its password stands, if not in `login`."""
    partitions: int = 1
    service: dict[str, str] | None = None
    """The environment with which workers are started anew that ended by themselves, as their service manager does: where
    Redis was away when they began, or a pool process was killed before its main process looked; None: nobody does."""
    patience: float = 120
    """Seconds for which the producer tries to get rid of a part of the claims."""
    apart: int = 0
    """By how many claims copies and repeats come after what they repeat."""
    taken: dict[str, dict[str, OutletEntry]] = field(default_factory=lambda: defaultdict(dict))
    """What readers of the outlets took: by outlet, by the entry's id."""
    stdout: Path | None = None
    """Where the workers' standard output goes, if not to their logs."""
    wait_replicas: int = 0
    """How many replicas the producer waits for."""
    wait_disk: bool = False
    """Whether it waits until it is on their disks, and on the primary's."""
    workers: list[Worker] = field(default_factory=list)
    accepted: dict[str, Sent] = field(default_factory=dict)
    """By the name of the event."""
    struck: int = 0
    in_hand: int = 0
    """Faults after which claims were found in the hands of a worker."""
    notes: list[str] = field(default_factory=list)
    _slices: queue.Queue[int | None] = field(default_factory=queue.Queue)
    _fed: int = 0
    _failure: BaseException | None = None
    _producer: threading.Thread | None = None
    _direct: Store | None = None

    # Workers.

    @property
    def url(self) -> str:
        """What workers and producer connect to."""
        if "SCRUB_REDIS_URL" in self.environment:
            return self.environment["SCRUB_REDIS_URL"]
        return f"redis://127.0.0.1:{self.network.port}" if self.network else self.server.url

    def start(self, *options: str, concurrency: int = 2, **environment: str) -> Worker:
        """Starts a worker, and does not wait for it."""
        env = {**PLENTY, "SCRUB_REDIS_URL": self.url, "SCRUB_PARTITIONS": str(self.partitions)}
        env |= {**self.environment, **environment}
        worker = Worker(self.home, *options, env=env, concurrency=concurrency, stdout=self.stdout)
        self.workers.append(worker)
        return worker

    def end_worker(self, worker: Worker) -> None:
        """kill -9 of a worker and its pool."""
        worker.kill()
        self.workers.remove(worker)

    # Claims.

    def feed(self) -> None:
        """Lets the producer send the next part of the claims."""
        self._fed += 1
        parts = max(1, self.faults * self.parts_a_fault)
        first, last = (self.claims * min(part, parts) // parts for part in (self._fed - 1, self._fed))
        if self._producer is None:
            self._producer = threading.Thread(target=self._produce, daemon=True)
            self._producer.start()
        if last > first:
            self._slices.put(first)
            self._slices.put(last)

    def _produce(self) -> None:
        try:
            url = self.url.replace("//", f"//{self.login}@") if self.login else self.url
            settings = load_settings(
                state_dir=self.home, redis_url=url, producer=self.producer, partitions=self.partitions,
                redis_password_file=self.password_file,
            )  # fmt: skip
            with opening.open_store(settings, check=False) as store:
                notifier = celeryapp.notifier(store)
                while (first := self._slices.get()) is not None:
                    last = self._slices.get()
                    assert last is not None
                    self._send(store, first, last)
                    if self.notifications:
                        notifier.notify()
        except BaseException as error:  # noqa: BLE001 - raised where the thread is joined
            self._failure = error

    def _send(self, store: Store, first: int, last: int) -> None:
        """Sends until all was accepted: whoever got no answer sends all of it again, under the same names."""
        events = [sent(number, poison=number in self.poisoned) for number in range(first, last)]
        events += [event for number in range(max(0, first - self.apart), last - self.apart) for event in echoes(number)]
        Random(first).shuffle(events)
        deadline = time.monotonic() + self.patience
        while True:
            try:
                bodies = [event.body for event in events]
                send(store.redis, store.keys, bodies, source="/faults", settings=store.settings, wait=60)
                if self._safe(store):
                    break
            except (RedisError, ScrubError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.accepted.update((event.id, event) for event in events)

    def _safe(self, store: Store) -> bool:
        """Whether the replicas have it, too; the producer's one connection wrote it, so WAIT knows what is meant."""
        if self.wait_disk:
            local, replicas = store.redis.waitaof(1, self.wait_replicas, 2000)
            return bool(local) and replicas >= self.wait_replicas
        return not self.wait_replicas or store.redis.wait(self.wait_replicas, 2000) >= self.wait_replicas

    def fed(self, seconds: float = 180) -> None:
        """Waits until the producer has sent everything."""
        while self._fed < self.faults * self.parts_a_fault:
            self.feed()
        self._slices.put(None)
        if self._producer:
            self._producer.join(seconds)
            if self._failure:
                raise self._failure
            if self._producer.is_alive():
                raise TooLong(f"the producer did not get rid of its claims within {seconds:g} s")

    # Time.

    def each(self, low: float = 0.02, high: float = 0.4) -> Iterator[int]:
        """Once a fault: the next part of the claims is on its way, and a random moment has passed."""
        for number in range(self.faults):
            self.feed()
            time.sleep(self.random.uniform(low, high))
            yield number
            self.struck += 1
            with contextlib.suppress(RedisError, OSError):
                self.in_hand += self.now().in_flight > 0

    def settle(self, seconds: float = 240) -> Reconciliation:
        """Waits until everything that was sent is decided."""
        self.fed()
        self.until(lambda: self.now().settled, seconds)
        return self.now()

    def until(self, true: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._serve()
            with contextlib.suppress(RedisError, OSError):
                if true():
                    return
            if time.monotonic() > deadline:
                raise TooLong(f"after {seconds:g} s still: {self._state()}")
            time.sleep(0.05)

    def _serve(self) -> None:
        if self.service is not None:
            for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
                self.workers.remove(worker)
                self.start(**self.service)

    def _state(self) -> object:
        try:
            return self.now()
        except (RedisError, OSError) as error:
            return repr(error)

    # What is there.

    @property
    def direct(self) -> Store:
        """A store of the suite's own, past every broken network."""
        if self._direct is None:
            url = self.environment.get("SCRUB_REDIS_URL", self.server.url)
            settings = load_settings(state_dir=self.home, redis_url=url, partitions=self.partitions)
            self._direct = opening.open_store(settings, check=False)
        return self._direct

    @property
    def audit(self) -> Path:
        """Folder of the audit files."""
        return Path(self.environment.get("SCRUB_AUDIT_DIR", self.home / "audit"))

    def now(self) -> Reconciliation:
        return reconcile(self.direct.once, self.direct.keys)

    def decided(self) -> int:
        return sum(outlet.count for outlet in self.now().outlets)

    def close(self) -> None:
        self._slices.put(None)
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGCONT)
            worker.kill()
        if self.network:
            self.network.close()
        if self._direct:
            self._direct.close()
        self.server.kill()


@contextlib.contextmanager
def stage(seed: int, claims: int, faults: int, **options: Any) -> Iterator[Stage]:
    """An empty world; nothing of it is left afterwards."""
    # A short path, and on the machine's own disk.
    home = Path(tempfile.mkdtemp(prefix="scrub-faults-", dir="/tmp"))
    found: Stage | None = None
    try:
        found = Stage(home, Server(home / "server"), Random(seed), claims, faults, **options)
        yield found
    finally:
        if found:
            found.close()
        shutil.rmtree(home, ignore_errors=True)
