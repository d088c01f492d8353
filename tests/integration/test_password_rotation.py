"""A password that is rotated under a worker that runs, without a restart: of its claims and of its notifications.

celery#5433, celery#9454 and kombu#2406 (a broker's password is read once), redis-py#2261 (credential providers),
kubernetes#4673 (a mounted secret is swapped as a link while the pod runs), redis#4944 (two passwords at once).
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from worker.config.settings import load_settings
from worker.monitoring.reconciliation import reconcile
from worker.store import opening

from .guarded import Guarded, guarded
from .helpers import Worker, each_once, event, settled, until
from .unusable import plain

FIRST, SECOND = "first-password-ZQXW", "second-password-WXQZ"


@dataclass
class Mount:
    """A folder as Kubernetes mounts a secret: the file is a link to `..data/`, and that one is swapped."""

    folder: Path
    cycle: int = 0

    @property
    def file(self) -> Path:
        return self.folder / "redis-worker"

    def put(self, content: str | None) -> None:
        """None: the folder is there, and no file in it."""
        self.cycle += 1
        version = self.folder / f"..2026_{self.cycle}"
        version.mkdir(parents=True)
        if content is not None:
            (version / "redis-worker").write_text(content)
        aside = self.folder / "..data_tmp"
        aside.symlink_to(version.name)
        aside.rename(self.folder / "..data")
        if not self.file.is_symlink():
            self.file.symlink_to("..data/redis-worker")


@dataclass
class World:
    server: Guarded
    admin: Redis
    mount: Mount
    worker: Worker
    sent: int = 0

    def send(self, count: int) -> None:
        for number in range(self.sent, self.sent + count):
            self.admin.xadd("{claims:0}:inbox", {"event": event(number)})
        self.sent += count

    def decide(self, count: int) -> None:
        """So many more claims are sent, and decided: a notification came, and a batch was committed."""
        self.send(count)
        with opening.open_store(self.server.settings("operator")) as store:
            settled(store, self.sent, 60)

    def log_in_anew(self) -> None:
        """Every connection of the worker is cut, as by a failover or an administrator."""
        assert int(self.admin.execute_command("CLIENT", "KILL", "USER", "worker")) > 0

    def await_sentence(self, sentence: str) -> None:
        until(lambda: sentence in self.worker.text(), 60, self.worker.text)


@pytest.fixture
def world(home: Path) -> Iterator[World]:
    with guarded(home) as server:
        mount = Mount(home / "mount")
        mount.put(FIRST)
        admin = server.client("admin")
        admin.execute_command("ACL", "SETUSER", "worker", f">{FIRST}")
        environment = {**server.environment("worker"), "SCRUB_REDIS_PASSWORD_FILE": str(mount.file)}
        worker = Worker(home, env=environment).wait_ready(60)
        try:
            yield World(server, admin, mount, worker)
        finally:
            worker.kill()


@pytest.mark.slow
def test_a_worker_goes_on_while_its_password_is_rotated_and_no_password_is_shown(world: World) -> None:
    world.decide(3)
    processes = world.worker.children()

    world.admin.execute_command("ACL", "SETUSER", "worker", f">{SECOND}")
    world.mount.put(SECOND)
    world.admin.execute_command("ACL", "SETUSER", "worker", f"<{FIRST}")
    world.log_in_anew()
    world.decide(3)

    assert world.worker.children() == processes, "no process was started anew"
    shown = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    for secret in (FIRST, SECOND):
        assert secret not in world.worker.text()
        assert secret not in shown
    assert world.worker.stop(60) == 0


@pytest.mark.slow
def test_claims_flow_while_two_passwords_are_valid_and_each_is_decided_once(world: World) -> None:
    """The runbook's three steps while a sender goes on, with its own password rotated in the same way."""
    sent, over, failed = [], threading.Event(), list[Exception]()

    def send() -> None:
        try:
            while not over.is_set():
                with world.server.client("producer") as producer:  # reads its file anew
                    for _ in range(20):
                        producer.xadd("{claims:0}:inbox", {"event": event(len(sent))})
                        sent.append(1)
        except RedisError as error:
            failed.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    for user, write in (("worker", world.mount.put), ("producer", world.server.password("producer").write_text)):
        before = FIRST if user == "worker" else world.server.password(user).read_text().strip()
        world.admin.execute_command("ACL", "SETUSER", user, f">{SECOND}")
        for password in (before, SECOND):
            with Redis(unix_socket_path=str(world.server.socket), username=user, password=password) as both:
                assert both.ping(), "two at once"
        if user == "producer":
            world.server.password(user).chmod(0o600)
        write(SECOND)
        seen = len(sent)
        until(lambda seen=seen: len(sent) > seen + 60 or failed, 60)
        world.admin.execute_command("ACL", "SETUSER", user, f"<{before}")
        world.admin.execute_command("CLIENT", "KILL", "USER", "worker")
    until(lambda: len(sent) > 400 or failed, 60)
    over.set()
    sender.join()
    assert not failed
    world.sent = len(sent)
    with opening.open_store(world.server.settings("operator")) as store:
        settled(store, world.sent, 60)
        each_once(store, world.sent)
    assert SECOND not in world.worker.text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("", "it is empty"), ("a\nb\n", "it has several lines")],
    ids=["gone", "empty", "several-lines"],
)
def test_a_password_file_that_is_unusable_for_a_while_is_reported_and_tried_again(
    world: World, content: str | None, reason: str
) -> None:
    world.decide(3)
    world.mount.put(content)
    world.log_in_anew()
    world.send(3)
    world.await_sentence(f"The password file {world.mount.file} cannot be used: {reason}.")

    world.mount.put(FIRST)
    world.decide(3)
    assert "Traceback" not in world.worker.text()
    assert FIRST not in world.worker.text()
    assert world.worker.stop(60) == 0


@pytest.mark.slow
def test_a_worker_whose_file_comes_late_waits_for_it_and_says_why(world: World) -> None:
    world.decide(3)
    world.admin.execute_command("ACL", "SETUSER", "worker", "resetpass", f">{SECOND}")
    world.log_in_anew()
    world.send(3)
    world.await_sentence("wants another user or password. Mend the user in SCRUB_REDIS_URL")

    world.mount.put(SECOND)
    world.decide(3)
    assert world.worker.stop(60) == 0


def test_a_client_that_is_open_logs_in_with_the_password_that_the_file_has_now(home: Path) -> None:
    with guarded(home) as server:
        admin = server.client("admin")
        with opening.open_store(server.settings("worker")) as store:
            assert reconcile(store.redis, store.keys).accepted == 0
            admin.execute_command("ACL", "SETUSER", "worker", "resetpass", f">{SECOND}")
            server.password("worker").unlink()
            server.password("worker").write_text(f"{SECOND}\n")
            for client in (store.redis, store.once):
                client.connection_pool.disconnect()
                assert client.hget(store.keys.meta, "partitions") == b"1 by layout 2"


@pytest.mark.slow
def test_behind_sentinel_the_password_of_the_primary_is_rotated_the_same_way(home: Path) -> None:
    with plain(home / "p") as server, ExitStack() as stack:
        configuration = f"sentinel monitor claims 127.0.0.1 {server.port} 1"
        watcher = stack.enter_context(plain(home / "w", sentinel=configuration))
        admin, mount = server.client(), Mount(home / "mount")
        mount.put(FIRST)
        admin.execute_command("ACL", "SETUSER", "worker", "on", f">{FIRST}", "~*", "&*", "+@all")
        url = f"redis+sentinel://worker@127.0.0.1:{watcher.port}/claims"
        worker = Worker(home, env={"SCRUB_REDIS_URL": url, "SCRUB_REDIS_PASSWORD_FILE": str(mount.file)})
        stack.callback(worker.kill)
        worker.wait_ready(60)
        store = stack.enter_context(opening.open_store(load_settings(redis_url=server.url, state_dir=home)))
        for cycle, secret in enumerate((FIRST, SECOND)):
            if cycle:
                admin.execute_command("ACL", "SETUSER", "worker", f">{secret}")
                mount.put(secret)
                admin.execute_command("ACL", "SETUSER", "worker", f"<{FIRST}")
                assert int(admin.execute_command("CLIENT", "KILL", "USER", "worker")) > 0
            for number in range(3 * cycle, 3 * cycle + 3):
                admin.xadd("{claims:0}:inbox", {"event": event(number)})
            settled(store, 3 * cycle + 3, 90)
            assert secret not in worker.text()
        assert worker.stop(60) == 0
