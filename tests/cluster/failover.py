"""What a failover of a cluster's node loses, measured: claims that their sender saw accepted, results that a consumer saw.

`python -m tests.cluster.failover 20000` prints what `ops/capacity.md` says.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import RedisError

from tests.faults.server import Server
from tests.integration.helpers import Worker, event, until
from worker.audit.behind import Behind, behind
from worker.audit.lines import DECIDES
from worker.config.settings import Settings, load_settings
from worker.errors import RedisUnusable
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.outlets import Reader
from worker.pipeline.partitioner import partitioner_of
from worker.store import opening
from worker.store.cluster import LOST, ClusterClient
from worker.store.connections import Store
from worker.store.keyring import load_ring
from worker.store.keys import Keys

from .nodes import Nodes

PARTITIONS = 4
_CHUNK = 100


@dataclass
class Found:
    """What came of it."""

    accepted: int
    """Events that their sender saw accepted."""
    lost: list[str]
    """Those of them that no consumer ever saw a result of."""
    unlike: list[str]
    """Events of which a consumer saw results with two decision ids."""
    decided_unlike: list[str]
    """Entries whose lines in the audit log have two decision ids."""
    twice: set[str]
    """Decision ids of which a consumer saw two entries: decided again."""
    redelivered: int
    """Entries that it was handed again, as what it had acknowledged was forgotten."""
    behind: Behind
    books: Reconciliation
    sent_again: set[str]
    """Events that the sender sent again, as nobody confirmed them: each is another entry."""
    failovers: list[float]
    """Seconds from each kill until its replica had taken over."""
    seconds: float
    logs: str = ""


@dataclass
class Consumer:
    """Reads an outlet as a program of a hospital does, through every failover."""

    settings: Settings
    stop: threading.Event = field(default_factory=threading.Event)
    seen: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """By event and decision id: the outlet entries, in the order in which they came."""

    def run(self) -> None:
        while not self.stop.is_set():
            with suppress(RedisError, RedisUnusable), opening.open_store(self.settings, hold=False) as store:
                while not self.stop.is_set():
                    self.read(store)
                    time.sleep(0.01)

    def read(self, store: Store) -> None:
        for name in ("billing", "rework"):
            # A new one each time: it does not drop what it has had, as a consumer that was restarted would not.
            for entry in Reader(store.redis, store.keys, name, "mine", "me").entries(follow=False):
                self.seen[entry.event["eventid"]][entry.decision_id].append(entry.id)


def _send(store: Store, count: int, *, wait: bool, accepted: list[str]) -> set[str]:
    """As a sender with the cluster's client; `wait`: until a replica has it. Answers what it sent again."""
    client = store.redis
    assert isinstance(client, ClusterClient)
    place, again = partitioner_of(client, store.keys, store.settings), set[str]()
    for start in range(0, count, _CHUNK):
        parts = defaultdict[Keys, list[int]](list)
        for number in range(start, min(count, start + _CHUNK)):
            parts[place.of(event(number))].append(number)
        for part, numbers in parts.items():
            while not _put(client, part, numbers, wait=wait):
                again |= {f"evt-{number}" for number in numbers}
                time.sleep(0.1)
            accepted += (f"evt-{number}" for number in numbers)
    return again


def _put(client: ClusterClient, part: Keys, numbers: Sequence[int], *, wait: bool) -> bool:
    try:
        node = client.node([part.inbox])
        with node.pipeline(transaction=False) as pipeline:
            for number in numbers:
                pipeline.xadd(part.inbox, {"event": event(number)})
            if wait:  # on the connection of the XADDs: it asks for what was written there
                pipeline.execute_command("WAIT", 1, 500)
            answers = pipeline.execute()
    except LOST as error:
        with suppress(RedisError):
            client.lost([part.inbox], error)
        return False
    except RedisError:  # it became a replica, or has lost too many others
        with suppress(RedisError):
            client.exists(part.inbox)  # follows, and learns who has it now
        return False
    return not wait or answers[-1] >= 1


@contextmanager
def stage(replicas: bool = True) -> Iterator[tuple[Nodes, Settings, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="scrub-failover-", dir="/tmp"))
    nodes, broker = Nodes(folder / "nodes", replicas=replicas), Server(folder / "broker")
    try:
        nodes.start()
        broker.start()
        home = folder / "state"
        home.mkdir()
        yield (
            nodes,
            load_settings(redis_url=nodes.url, broker_url=broker.url, state_dir=home, partitions=PARTITIONS),
            home,
        )
    finally:
        nodes.end()
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


def measure(count: int, *, wait: bool, kills: int = 1, lag: float = 0) -> Found:
    """Sends so many claims through so many failovers, each to a replica that is so many seconds behind."""
    with stage() as (nodes, settings, home):
        env = {
            "SCRUB_REDIS_URL": str(settings.redis_url), "SCRUB_BROKER_URL": str(settings.broker_url),
            "SCRUB_PARTITIONS": str(PARTITIONS),
            # A busy machine is no reason to give a batch up and try its claims one by one.
            "SCRUB_DRAIN_BUDGET": "2", "SCRUB_SOFT_TIME_LIMIT": "12", "SCRUB_HARD_TIME_LIMIT": "15",
            "SCRUB_RECLAIM": "16",
        }  # fmt: skip
        workers = [Worker(home, env=env) for _ in range(1)]
        consumer = Consumer(settings)
        reading = threading.Thread(target=consumer.run)
        try:
            for worker in workers:
                worker.wait_ready(60)
            reading.start()
            return _through(nodes, settings, workers, consumer, count, wait=wait, kills=kills, lag=lag)
        finally:
            consumer.stop.set()
            for worker in workers:
                worker.kill()
            if reading.is_alive():
                reading.join(20)


def _through(
    nodes: Nodes, settings: Settings, workers: list[Worker], consumer: Consumer, count: int, *,
    wait: bool, kills: int, lag: float,
) -> Found:  # fmt: skip
    accepted: list[str] = []
    again = set[str]()
    began = time.monotonic()

    def send() -> None:
        with opening.open_store(settings, hold=False) as store:
            again.update(_send(store, count, wait=wait, accepted=accepted))

    sending = threading.Thread(target=send)
    sending.start()
    failovers: list[float] = []
    for kill in range(kills):
        until(lambda kill=kill: len(accepted) > count * (kill + 1) // (kills + 2), 300)  # type: ignore[misc]
        partition = (kill + 1) % PARTITIONS
        primary = nodes.holds(partition)
        at = nodes.kill(primary, lag)
        until(lambda partition=partition: _taken_over(nodes, partition), 60)  # type: ignore[misc]
        failovers.append(time.monotonic() - at)
        nodes.servers[primary].start()
        nodes.await_whole(60)
    sending.join(600)
    assert not sending.is_alive(), len(accepted)
    text = "\n".join(worker.text() for worker in workers)
    with opening.open_store(settings, hold=False) as store:
        until(lambda: _idle(store), 300, lambda: reconcile(store.redis, store.keys))
        before = -1
        while len(consumer.seen) != before:
            before = len(consumer.seen)
            time.sleep(2)
        consumer.stop.set()
        found = behind(store, load_ring(settings.secret_path, "audit"), pause=0.1)
        books = reconcile(store.redis, store.keys)
    seen = consumer.seen
    return Found(
        len(accepted), sorted(one for one in accepted if one not in seen),
        sorted(name for name, ids in seen.items() if len(ids) > 1),
        _decided_unlike(settings.audit_path),
        {one for ids in seen.values() for one, entries in ids.items() if len(set(entries)) > 1},
        sum(len(entries) - len(set(entries)) for ids in seen.values() for entries in ids.values()),
        found, books, again, failovers, time.monotonic() - began, text,
    )  # fmt: skip


def _decided_unlike(folder: Path) -> list[str]:
    decisions = defaultdict[str, set[str]](set)
    for file in folder.glob("*.jsonl"):
        for raw in file.read_bytes().splitlines():
            line = json.loads(raw)
            if line["event.action"] in DECIDES:
                decisions[line["queue.entry"]].add(line["claim.decision_id"])
    assert decisions
    return sorted(entry for entry, ids in decisions.items() if len(ids) > 1)


def _taken_over(nodes: Nodes, partition: int) -> bool:
    with suppress(StopIteration):
        return nodes.servers[nodes.holds(partition)].runs
    return False


def _idle(store: Store) -> bool:
    try:
        found = reconcile(store.redis, store.keys)
    except RedisError:
        return False
    return not (found.waiting or found.in_flight)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    lags = [float(one) for one in sys.argv[2:]] or [0.0, 0.3]
    for lag in lags:
        for wait in (False, True):
            found = measure(count, wait=wait, kills=3, lag=lag)
            said = {
                "lag": lag, "wait": wait, "accepted": found.accepted, "lost": len(found.lost),
                "seen_twice": len(found.twice), "redelivered": found.redelivered, "unlike": len(found.unlike), "decided_unlike": len(found.decided_unlike), "again": found.behind.again,
                "named_lost": len(found.behind.lost), "sent_again": len(found.sent_again),
                "failovers": [round(one, 2) for one in found.failovers], "balance": found.books.balance,
                "parts": [part.balance for part in found.books.parts], "seconds": round(found.seconds, 1),
            }  # fmt: skip
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    for setting in [name for name in os.environ if name.startswith("SCRUB_")]:
        del os.environ[setting]
    main()
