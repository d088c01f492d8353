"""The scenarios: what is broken, how often, and what must be true of the books afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from .proxy import Proxy
from .reckoning import Reckoning, reckon
from .server import Server
from .stage import RECLAIM, Stage

Play = Callable[[Stage], Reckoning]


class NotHere(Exception):
    """This machine lacks what the scenario needs."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which things go wrong."""

    name: str
    sentence: str
    faults: int
    play: Play
    may_lose: bool = False
    """It shows what a weaker setting may lose: a loss is a figure, not a failure."""


SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, faults: int, *, may_lose: bool = False) -> Callable[[Play], Play]:
    """Enters the function as a scenario; its docstring is the sentence."""

    def enter(play: Play) -> Play:
        SCENARIOS[name] = Scenario(name, " ".join((play.__doc__ or "").split()), faults, play, may_lose)
        return play

    return enter


def two_workers(stage: Stage) -> None:
    stage.server.start()
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)


def through_network(stage: Stage) -> Proxy:
    """Two workers and a producer that reach the server through a network of ours."""
    stage.server.start()
    stage.network = Proxy(stage.server.port)
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)
    return stage.network


# Workers.


@scenario("children", 100)
def children(stage: Stage) -> Reckoning:
    """kill -9 of a pool process at a random instant."""
    two_workers(stage)
    for _ in stage.each():
        stage.until(lambda: any(worker.children() for worker in stage.workers))
        pool = [child for worker in stage.workers for child in worker.children()]
        with contextlib.suppress(ProcessLookupError):
            os.kill(stage.random.choice(pool), signal.SIGKILL)
    stage.settle()
    return reckon(stage)


@scenario("workers", 100)
def workers(stage: Stage) -> Reckoning:
    """kill -9 of a whole worker, one of three, at a random instant; another starts in its place at once."""
    stage.server.start()
    for _ in range(3):
        stage.start()
    for _ in stage.each(0.2, 1.2):
        stage.end_worker(stage.random.choice(stage.workers))
        stage.start()
    stage.settle()
    return reckon(stage)


@scenario("lonely", 40)
def lonely(stage: Stage) -> Reckoning:
    """No worker but one of one process, killed with -9 in the middle of work again and again."""
    stage.server.start()
    for _ in stage.each(0, 0):
        worker, before = stage.start(concurrency=1), stage.decided()
        stage.until(lambda before=before: stage.decided() > before or stage.now().settled)  # type: ignore[misc]
        time.sleep(stage.random.uniform(0, 0.05))
        stage.end_worker(worker)
    stage.start(concurrency=1)
    stage.settle()
    return reckon(stage)


@scenario("paused", 10)
def paused(stage: Stage) -> Reckoning:
    """A worker is stopped (SIGSTOP) for longer than the reclaim time, and wakes up with claims in hand that others
    have decided since.
    """
    stage.parts_a_fault = 2
    two_workers(stage)
    for _ in stage.each():
        sleeper = stage.random.choice(stage.workers)
        os.killpg(sleeper.process.pid, signal.SIGSTOP)
        stage.feed()
        time.sleep(RECLAIM + stage.random.uniform(0.5, 2))
        os.killpg(sleeper.process.pid, signal.SIGCONT)
    stage.settle()
    return reckon(stage)


@scenario("poison", 8)
def poison(stage: Stage) -> Reckoning:
    """A claim that kills its worker (SIGKILL in the middle of the check), among good ones."""
    stage.environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "integration")
    step = stage.claims // stage.faults
    # Numbers that are nothing else: no copy, no repeat, not broken.
    stage.poisoned = frozenset(part * step - part * step % 100 + 1 for part in range(stage.faults))
    stage.server.start()
    for worker in [stage.start("-I", "poison"), stage.start("-I", "poison")]:
        worker.wait_ready(60)
    for _ in stage.each():
        pass
    found = stage.settle(600)
    stage.notes.append(f"{found.outlet('quarantine').count} in quarantine, {len(stage.poisoned)} of them poison")
    return reckon(stage)


@scenario("deploy", 10)
def deploy(stage: Stage) -> Reckoning:
    """A rolling deploy to another book in the middle of the stream, there and back: each result names its book."""
    stage.parts_a_fault = 3
    shipped = Path(__file__).parents[2] / "rules" / "library"
    old, new = stage.home / "old", stage.home / "new"
    for folder, version in ((old, "faults.1"), (new, "faults.2")):
        shutil.copytree(shipped, folder)
        head = folder / "book.yaml"
        head.write_text("".join(
            f'version: "{version}"\n' if line.startswith("version:") else line
            for line in head.read_text("utf-8").splitlines(keepends=True)
        ), "utf-8")  # fmt: skip
    stage.server.start()
    for worker in [stage.start(SCRUB_BOOK=str(old)), stage.start(SCRUB_BOOK=str(old))]:
        worker.wait_ready(60)
    for number in stage.each():
        book = old if number % 2 else new
        leaving = list(stage.workers)
        for worker in leaving:
            stage.feed()
            stage.start(SCRUB_BOOK=str(book)).wait_ready(60)
            assert worker.stop(30) == 0, worker.text()
            stage.workers.remove(worker)
    stage.settle()
    found = reckon(stage, (old, new))
    stage.notes.append(", ".join(f"{count} by book {version}" for version, count in sorted(found.books.items())))
    if len(found.books) != 2:
        found.say(f"expected results of two books, found {dict(found.books)}")
    return found


# The server.


@scenario("redis", 20)
def redis(stage: Stage) -> Reckoning:
    """kill -9 of Redis, and a start from its append-only file (appendfsync always)."""
    two_workers(stage)
    for _ in stage.each(0.1, 0.5):
        stage.server.again(stage.random.uniform(0, 1))
        recovered(stage)
    stage.settle()
    return reckon(stage)


def recovered(stage: Stage) -> None:
    """Work goes on: something was decided since, or nothing is left to do."""
    stage.until(lambda: _reads(stage))  # a node of a cluster answers before it gives anything out
    before = stage.decided()
    stage.until(lambda: stage.decided() > before or stage.now().settled)


def _reads(stage: Stage) -> bool:
    try:
        stage.decided()
    except RedisError:
        return False
    return True


@scenario("everysec", 20)
def everysec(stage: Stage) -> Reckoning:
    """kill -9 of Redis with appendfsync everysec: the machine lives, so its file has what was written."""
    stage.server.options["appendfsync"] = "everysec"
    return redis(stage)


@scenario("power", 5, may_lose=True)
def power(stage: Stage) -> Reckoning:
    """Power cut with appendfsync everysec: Redis is killed and the last second is taken off its file. What was
    accepted or decided in it may be lost; what is left agrees with itself.
    """
    stage.parts_a_fault = 2
    stage.server.options["appendfsync"] = "everysec"
    two_workers(stage)
    for _ in stage.each(1.2, 1.6):
        file = max((stage.server.folder / "appendonlydir").glob("*.incr.aof"))
        size = file.stat().st_size
        stage.feed()
        time.sleep(1)
        stage.server.kill()
        os.truncate(file, size)
        stage.server.start()
        recovered(stage)
    stage.settle()
    found = reckon(stage)
    excuse(stage, found)
    return found


def excuse(stage: Stage, found: Reckoning) -> None:
    """Decisions that the server forgot, of entries that it forgot as well, are in the audit log all the same."""
    stage.notes += [sentence for sentence in found.wrong if "in the audit log" in sentence]
    found.wrong = [sentence for sentence in found.wrong if "in the audit log" not in sentence]


@scenario("loading", 5)
def loading(stage: Stage) -> Reckoning:
    """Redis answers -LOADING for seconds after a kill -9, as one with a big file does."""
    two_workers(stage)
    seen = 0
    with stage.server.client as client:  # so many keys that what is written after the rewrite takes little beside them
        client.mset({f"ballast:{number}": number for number in range(2_000)})
    for _ in stage.each():
        with stage.server.client as client:
            client.bgrewriteaof()
            stage.until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
            delay = 2_500_000 // max(1, client.dbsize())
        stage.server.kill()
        stage.server.start(wait=False, key_load_delay=str(delay), loading_process_events_interval_bytes="1024")
        deadline = time.monotonic() + 60
        refused = False
        while not stage.server.answers() and time.monotonic() < deadline:
            refused = refused or _says(stage, "LOADING")
            time.sleep(0.01)
        seen += refused
        with stage.server.client as client:
            client.config_set("key-load-delay", 0)
        recovered(stage)
    stage.settle()
    stage.notes.append(f"-LOADING seen at {seen} of {stage.struck} starts")
    return reckon(stage)


def _says(stage: Stage, what: str) -> bool:
    try:
        with stage.server.client as client:
            client.get("probe")
    except (RedisError, OSError) as error:
        return what.lower() in (str(error) + type(error).__name__).lower()
    return False


@scenario("readonly", 10)
def readonly(stage: Stage) -> Reckoning:
    """Redis answers -READONLY: it is made a replica for a while, and a primary again."""
    two_workers(stage)
    for _ in stage.each():
        with stage.server.client as client:
            client.replicaof("127.0.0.1", 1)
            time.sleep(stage.random.uniform(0.5, 2))
            client.replicaof("NO", "ONE")
        recovered(stage)
    stage.settle()
    return reckon(stage)


@scenario("oom", 10)
def oom(stage: Stage) -> Reckoning:
    """Redis answers -OOM: its limit falls below what it holds, while workers have claims in hand."""
    two_workers(stage)
    for _ in stage.each():
        with stage.server.client as client:
            client.config_set("maxmemory", max(1, client.info("memory")["used_memory"] * 9 // 10))
            time.sleep(stage.random.uniform(0.5, 2))
            client.config_set("maxmemory", 0)
        recovered(stage)
    stage.settle()
    return reckon(stage)


@scenario("outlet", 10)
def outlet(stage: Stage) -> Reckoning:
    """An outlet is of the wrong type for a while: nothing is written, the claims wait."""
    two_workers(stage)
    redis, keys = stage.direct.redis, stage.direct.keys
    for number in stage.each():
        stream = keys.outlet(("billing", "rework", "quarantine")[number % 3])
        stage.until(lambda stream=stream: redis.exists(stream))  # type: ignore[misc]
        with redis.pipeline() as pipeline:
            pipeline.rename(stream, f"{stream}:aside")
            pipeline.set(stream, "in the way")
            pipeline.execute()
        time.sleep(stage.random.uniform(0.3, 1))
        with redis.pipeline() as pipeline:
            pipeline.delete(stream)
            pipeline.rename(f"{stream}:aside", stream)
            pipeline.execute()
    stage.settle()
    return reckon(stage)


FAKETIME = "faketime/libfaketime.so.1"


@scenario("clock", 20)
def clock(stage: Stage) -> Reckoning:
    """The clock of Redis jumps, up to a day forward and up to two seconds back, while pool processes are killed."""
    offset, file = 0.0, faked(stage)
    two_workers(stage)
    for number in stage.each():
        offset += stage.random.choice((-2.0, -1.0, 3.0, 60.0, 3600.0, 86_400.0))
        file.write_text(f"{offset:+.0f}\n")
        if number % 4 == 0:
            stage.until(lambda: any(worker.children() for worker in stage.workers))
            pool = [child for worker in stage.workers for child in worker.children()]
            with contextlib.suppress(ProcessLookupError):
                os.kill(stage.random.choice(pool), signal.SIGKILL)
    stage.settle()
    stage.notes.append(f"Redis' clock ended {offset / 3600:.1f} hours ahead")
    return reckon(stage)


def faked(stage: Stage) -> Path:
    """A file that says by how many seconds the clock of Redis goes wrong; before it is started."""
    file = stage.home / "clock"
    file.write_text("+0\n")
    stage.server.environment = {
        "LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    return file


def faketime() -> Path:
    """The library that a server is started with.

    Raises:
        NotHere
    """
    places = [
        *os.environ.get("LD_LIBRARY_PATH", "").split(":"),
        "/usr/lib",
        *map(str, Path("/usr/lib").glob("*-linux-gnu")),
    ]
    found = next((Path(place) / FAKETIME for place in places if place and (Path(place) / FAKETIME).exists()), None)
    if not found:
        raise NotHere("libfaketime is not installed; on Debian: apt install libfaketime")
    return found


# The network and the notifications.


@scenario("cut", 50)
def cut(stage: Stage) -> Reckoning:
    """Every connection to Redis is reset at a random instant."""
    network = through_network(stage)
    for _ in stage.each():
        network.cut()
    stage.settle()
    return reckon(stage)


@scenario("delay", 20)
def delay(stage: Stage) -> Reckoning:
    """The network is slow, 10 to 400 ms each way, and quick again."""
    network = through_network(stage)
    for _ in stage.each():
        network.delay = stage.random.uniform(0.01, 0.4)
        time.sleep(stage.random.uniform(0.5, 2))
        network.delay = 0
    stage.settle()
    return reckon(stage)


@scenario("hole", 6)
def hole(stage: Stage) -> Reckoning:
    """Half-open connections: nothing arrives any more in either direction, and nobody learns of it."""
    network = through_network(stage)
    for _ in stage.each():
        network.mode = "hole"
        time.sleep(stage.random.uniform(3, 8))
        network.mode = "open"
        recovered(stage)
    stage.settle()
    return reckon(stage)


@scenario("deaf", 30)
def deaf(stage: Stage) -> Reckoning:
    """Requests arrive and their answers do not: a commit that nobody hears of, an XADD that its producer repeats."""
    network = through_network(stage)
    for _ in stage.each():
        network.mode = "deaf"
        time.sleep(stage.random.uniform(0.05, 0.3))
        network.cut()
        network.mode = "open"
    found = stage.settle()
    stage.notes.append(f"{found.repeated} events came again and were recognized")
    return reckon(stage)


@scenario("notifications", 20)
def notifications(stage: Stage) -> Reckoning:
    """Every notification is lost: the broker forgets all it holds at each kill -9, and the producer knows XADD alone."""
    broker = Server(stage.home / "broker", {"appendonly": "no"})
    stage.environment["SCRUB_BROKER_URL"] = broker.url
    stage.notifications = False
    try:
        broker.start()
        two_workers(stage)
        for _ in stage.each():
            broker.again(stage.random.uniform(0, 1))
        stage.settle()
        return reckon(stage)
    finally:
        broker.kill()


# The disk.


@scenario("disk", 8)
def disk(stage: Stage) -> Reckoning:
    """The disk under the audit log is full: no claim is decided without its line, none is charged for it."""
    stage.parts_a_fault = 2
    folder = stage.home / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m,mode=0700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        raise NotHere("a small disk of its own cannot be mounted; run it as root")
    stage.environment["SCRUB_AUDIT_DIR"] = str(folder / "audit")
    try:
        two_workers(stage)
        for _ in stage.each():
            ballast = folder / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            stage.feed()
            time.sleep(stage.random.uniform(0.5, 2))
            ballast.unlink()
            recovered(stage)
        stage.settle()
        said = sum(worker.text().count("cannot be written") for worker in stage.workers)
        stage.notes.append(f"workers said so {said} times")
        return reckon(stage)
    finally:
        for worker in stage.workers:
            worker.kill()
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)
