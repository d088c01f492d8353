"""A cluster of three primaries and three replicas for the tests of this folder, emptied for each of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.server import Server
from tests.integration.helpers import Worker
from worker.config.settings import Settings, load_settings
from worker.store import opening
from worker.store.connections import Store

from .nodes import Nodes

PARTITIONS = 4
"""As many as it takes for each of three nodes to hold one."""


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="scrub-cluster-", dir="/tmp"))
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture(scope="session")
def started(folder: Path) -> Iterator[Nodes]:
    nodes = Nodes(folder)
    try:
        yield nodes.start()
    finally:
        nodes.end()


@pytest.fixture(scope="session")
def broker(folder: Path) -> Iterator[Server]:
    server = Server(folder / "broker")
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def nodes(started: Nodes) -> Nodes:
    """For tests that kill none of them."""
    started.flush()
    return started


@pytest.fixture
def home() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="scrub-test-", dir="/tmp"))
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture
def settings(nodes: Nodes, broker: Server, home: Path, unset: None) -> Settings:
    return load_settings(redis_url=nodes.url, broker_url=broker.url, state_dir=home, partitions=PARTITIONS)


@pytest.fixture
def start_worker(home: Path, nodes: Nodes, broker: Server) -> Iterator[Callable[..., Worker]]:
    """Starts workers on the cluster; whatever still runs at the end is killed."""
    started: list[Worker] = []
    ours = {"SCRUB_REDIS_URL": nodes.url, "SCRUB_BROKER_URL": broker.url, "SCRUB_PARTITIONS": str(PARTITIONS)}

    def start(*options: str, env: dict[str, str] | None = None, **more: Any) -> Worker:
        started.append(Worker(home, *options, env={**ours, **(env or {})}, **more))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with opening.open_store(settings) as found:
        yield found
