"""Scenarios of what turns while claims come in: keys of both rings, passwords of workers and of a sender.

As others lose data by it: a key under which nothing of before is found any more (rails/rails#34620), a replica that does
not have the new version yet (hashicorp/vault#6446), a broker's password that is read once (celery#5433, kombu#2406).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.integration.attacks import HONEST
from worker.pipeline import producers
from worker.store.keyring import RingName, load_ring
from worker.store.registry import Producer
from worker.store.rights import producer_line, user_of

from .reckoning import Reckoning, reckon
from .scenarios import recovered, scenario, two_workers
from .stage import Stage

SHIPPED = Path(__file__).parents[2] / "ops/redis/users.acl"
RINGS: tuple[RingName, ...] = ("audit", "patient")
_FEED = 0.15
"""Seconds between two parts of the claims while something turns."""
_AGAIN = 0.05
"""How likely a process is killed with each of them."""


def kill_a_process(stage: Stage) -> None:
    """kill -9 of a pool process."""
    stage.until(lambda: any(worker.children() for worker in stage.workers))
    pool = [child for worker in stage.workers for child in worker.children()]
    with contextlib.suppress(ProcessLookupError):
        os.kill(stage.random.choice(pool), signal.SIGKILL)


def kill_a_worker(stage: Stage) -> None:
    """kill -9 of a whole worker, in whose place another one starts."""
    stage.end_worker(stage.random.choice(stage.workers))
    stage.start(**(stage.service or {}))


# Keys.


@scenario("keys", 12)
def keys(stage: Stage) -> Reckoning:
    """Both keys are rotated by turns, while pool processes and whole workers are killed with -9, and so is, every third
    time, the command that rotates; copies and repeats of a claim come after the keys have turned.
    """
    stage.partitions, stage.parts_a_fault, stage.apart = 2, 30, stage.claims // 4
    stage.environment["SCRUB_ATTEMPTS"] = "50"  # processes die so often that three lone attempts may end so by chance
    two_workers(stage)
    stage.service, done = {}, 0
    for number in stage.each():
        command = _rotate(stage, RINGS[number % 2])
        if number % 3 == 2:
            _feed(stage, stage.random.uniform(0.3, 1.5))
            os.killpg(command.pid, signal.SIGKILL)
        kill_a_worker(stage) if number % 5 == 3 else kill_a_process(stage)
        while command.poll() is None:
            _feed(stage, _FEED)
            if stage.random.random() < _AGAIN:
                kill_a_process(stage)
        output = (command.communicate()[0] or b"").decode()
        if command.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"the command ended with {command.returncode}: {output}")
        done += command.returncode == 0
        stage.feed()
    stage.settle()
    found = reckon(stage)
    _turned(stage, found, done)
    return found


def _rotate(stage: Stage, ring: RingName) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    settings = {
        "SCRUB_STATE_DIR": str(stage.home), "SCRUB_REDIS_URL": stage.url, "SCRUB_PARTITIONS": str(stage.partitions)
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "worker", "secret", "rotate", ring, "--reason", "a test"], env={**clean, **settings},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def _feed(stage: Stage, seconds: float) -> None:
    stage.feed()
    time.sleep(seconds)


def _turned(stage: Stage, found: Reckoning, done: int) -> None:
    """Lines of the audit log stand under many keys, and every one of them is in the ring."""
    lines = (json.loads(raw) for file in stage.audit.glob("*.jsonl") for raw in file.read_bytes().splitlines(True)
             if raw.endswith(b"}\n"))  # fmt: skip
    used = {line["audit.key"] for line in lines}
    counts = {ring: len(load_ring(stage.direct.settings.secret_path, ring).keys) for ring in RINGS}
    if not used <= {key.id for key in load_ring(stage.direct.settings.secret_path, "audit").keys}:
        found.say("lines of the audit log stand under a key that is in no ring")
    if len(used) < done // 2:
        found.say(f"{done} rotations, and lines of the audit log under {len(used)} keys alone")
    stage.notes.append(
        f"{done} rotations came to their end, {stage.struck - done} were killed; {counts['audit']} audit keys, "
        f"{len(used)} of them on lines, and {counts['patient']} patient keys"
    )


# Passwords.


class Passwords:
    """Users as they are shipped, with passwords in files, and an ACL file by which the server starts again."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._file = stage.home / "users.acl"
        self.valid: dict[str, list[str]] = {}
        self.gone: list[tuple[str, str]] = []
        """User and password that were taken away."""
        shipped = re.search(r"^user worker .*$", SHIPPED.read_text(), re.MULTILINE)
        assert shipped
        self._lines = {
            "worker": shipped[0].replace("#@worker@", "{}"),
            user_of(HONEST): re.sub(r"#\w{64}", "{}", producer_line(HONEST, stage.direct.keys, "any")),
        }
        for user in self._lines:
            self.valid[user] = [secrets.token_hex(16)]
            self.file(user).write_text(self.valid[user][0])
        self.save()
        stage.server.options["aclfile"] = str(self._file)

    def file(self, user: str) -> Path:
        return self._stage.home / f"password-{user}"

    def save(self) -> None:
        """As `ops/redis/start.sh` reads the files anew, here with every password that is valid at the moment."""
        lines = ["user default on nopass ~* &* +@all"]
        for user, line in self._lines.items():
            hashes = (f"#{sha256(password.encode()).hexdigest()}" for password in self.valid[user])
            lines.append(line.replace("{}", " ".join(hashes)))
        self._file.write_text("\n".join([*lines, ""]))

    def add(self, user: str) -> None:
        """A new password beside the old one."""
        self.valid[user].append(secrets.token_hex(16))
        self._tell(user, f">{self.valid[user][-1]}")

    def hand_out(self, user: str) -> None:
        """The new one into the file of those who use it, in one step."""
        aside = self.file(user).with_suffix(".new")
        aside.write_text(self.valid[user][-1])
        aside.replace(self.file(user))

    def take_away(self, user: str) -> None:
        """The old one, and every connection that was opened with it."""
        old = self.valid[user].pop(0)
        self.gone.append((user, old))
        self._tell(user, f"<{old}")
        with self._stage.server.client as admin, contextlib.suppress(RedisError):
            admin.execute_command("CLIENT", "KILL", "USER", user)

    def _tell(self, user: str, word: str) -> None:
        self.save()  # first: a server that is killed now starts with it
        with self._stage.server.client as admin:
            admin.execute_command("ACL", "SETUSER", user, word)

    def lets_in(self, user: str, password: str) -> bool:
        with Redis(port=self._stage.server.port, username=user, password=password) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False


@scenario("passwords", 12)
def passwords(stage: Stage) -> Reckoning:
    """The passwords of workers and of a registered sender are rotated by turns, with two valid at a time, by the users
    that are shipped; in each step pool processes, workers or Redis are killed with -9.
    """
    stage.parts_a_fault = 4
    users = Passwords(stage)
    stage.server.start()
    mine = {
        "SCRUB_REDIS_URL": stage.url.replace("//", "//worker@"), "SCRUB_REDIS_PASSWORD_FILE": str(users.file("worker"))
    }  # fmt: skip
    for worker in [stage.start(**mine), stage.start(**mine)]:
        worker.wait_ready(60)
    stage.service = mine
    producers.add(stage.direct.redis, stage.direct.keys, Producer(HONEST, "north", trusted=True))
    stage.producer, stage.login, stage.password_file = HONEST, user_of(HONEST), users.file(user_of(HONEST))
    kills = (lambda: kill_a_process(stage), lambda: kill_a_worker(stage), stage.server.again)
    for number in stage.each():
        user = ("worker", user_of(HONEST))[number % 2]
        for step, change in enumerate((users.add, users.hand_out, users.take_away)):
            change(user)
            if step < 2 and [users.lets_in(user, one) for one in users.valid[user]] != [True, True]:
                raise AssertionError(f"of the two passwords of {user} one is not valid")
            stage.feed()
            kills[(number + step) % 3]()
            time.sleep(stage.random.uniform(0, 0.4))
        recovered(stage)
    stage.settle()
    found = reckon(stage)
    if back := [user for user, password in users.gone if users.lets_in(user, password)]:
        found.say(f"a password that was taken away still lets in: {sorted(set(back))}")
    shown = [password for _, password in users.gone if any(password in path.read_text("utf-8", "replace")
             for path in stage.home.glob("worker-*.log"))]  # fmt: skip
    if shown:
        found.say(f"{len(shown)} passwords stand in the workers' logs")
    stage.notes.append(f"{len(users.gone)} passwords were taken away, none lets in any more")
    return found
