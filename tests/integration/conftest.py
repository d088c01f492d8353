"""Fixtures of the integration tests: a state folder and an embedded server for each test, real workers on demand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.inbox import Inbox
from worker.store import opening
from worker.store.connections import Store
from worker.store.embedded import Lease, server_runs

from .helpers import Worker, quiet, until


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path, as the socket in it may have 107 bytes; on the way out no server is left."""
    folder = Path(tempfile.mkdtemp(prefix="scrub-test-", dir="/tmp"))
    yield folder
    for server in {path.parent for path in folder.rglob("server.lock")}:
        until(lambda server=server: not left(server))
    shutil.rmtree(folder, ignore_errors=True)


def left(server: Path) -> bool:
    """Whether a server still runs once we have come and gone; a worker that was killed may take a moment to let go."""
    if server_runs(server):
        with Lease(server):
            pass
    return server_runs(server)


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    return load_settings(state_dir=home)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with opening.open_store(settings) as found:
        yield found


@pytest.fixture
def inbox(store: Store) -> Inbox:
    inbox = Inbox(store.redis, store.keys, "me")
    inbox.ensure()
    return inbox


@pytest.fixture
def consumers(store: Store) -> Iterator[Callable[..., InboxConsumer]]:
    """Makes consumers in this process, which wake nobody; of another store where one is given."""
    made: list[InboxConsumer] = []

    def make(of: Store = store) -> InboxConsumer:
        made.append(bootstrap.inbox_consumer(of, quiet(of)))
        return made[-1]

    yield make
    for one in made:
        one.audit.close()


@pytest.fixture
def start_worker(home: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers on the test's state folder; whatever still runs at the end is killed."""
    started: list[Worker] = []

    def start(*options: str, **arguments: Any) -> Worker:
        started.append(Worker(home, *options, **arguments))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
