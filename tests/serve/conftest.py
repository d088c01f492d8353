"""The service as it runs: a process on loopback, a real Redis, a real case store, and an HTTP client."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import standby
from tests.cli.conftest import SCRUB, environment, example
from worker import bootstrap
from worker.config.settings import load_settings
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.serve.tokens import TokenFile
from worker.store import opening
from worker.store.connections import Store

CLEAN, FAULTY = example("right side in the office"), example("several faults at once")
_URL = re.compile(r"listens on (http://\S+)\. ")


class Service:
    """`scrub serve` with a state folder of its own."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home, self.log = home, home / f"serve-{time.time_ns()}.log"
        self.environment = environment(home, **env)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*SCRUB, "serve", "--port", "0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
        self.url = self._address()
        self.tokens = TokenFile(home / "state" / "tokens")
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self._ready()

    def _address(self) -> str:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if found := _URL.findall(self.text()):
                return str(found[-1])
            time.sleep(0.05)
        raise AssertionError(self.text())

    def _ready(self) -> None:
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                self.http.get("/healthz")
            except httpx.TransportError:
                assert self.process.poll() is None, self.text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self.text())

    def text(self) -> str:
        return self.log.read_text()

    def token(self, *scopes: str, name: str = "test", **about: Any) -> dict[str, str]:
        """The header of a new token."""
        return {"Authorization": f"Bearer {self.tokens.add(name, scopes, made_by='test', **about)[1]}"}

    def scrub(self, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[bytes]:
        return standby.scrub(*arguments, env=self.environment | env, cwd=self.home, timeout=120)

    def audited(self, *actions: str) -> list[dict[str, Any]]:
        """Audit lines of these actions, in the order of their times."""
        files = (self.home / "state" / "audit").glob("*.jsonl")
        lines = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
        return sorted((one for one in lines if one["event.action"] in actions), key=lambda one: str(one["@timestamp"]))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.http.close()
        os.kill(self.process.pid, number)
        return self.process.wait(40)


Serve = Callable[..., Service]


def _served(where: list[Service], **env: str) -> Service:
    home = Path(tempfile.mkdtemp(prefix="scrub-serve-", dir="/tmp"))
    where.append(Service(home, **env))
    return where[-1]


def _over(started: list[Service]) -> None:
    for one in started:
        if one.process.poll() is None:
            one.end()
        assert "Traceback" not in one.text()
        shutil.rmtree(one.home, ignore_errors=True)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts services of a test's own."""
    started: list[Service] = []
    yield lambda **env: _served(started, **env)
    _over(started)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One for the tests of a module."""
    started: list[Service] = []
    yield _served(started)
    _over(started)


@pytest.fixture
def store(service: Service, unset: None) -> Iterator[Store]:
    """Its Redis."""
    with opening.open_store(load_settings(state_dir=service.home / "state")) as found:
        yield found


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    """Judges what is on the queue, when it is told to."""
    found = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    yield found
    found.audit.close()


def ndjson(*claims: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(claim).encode() + b"\n" for claim in claims)
