"""What holds for several partitions on one Redis holds on a cluster: the same tests, on nodes of their own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.server import Server
from tests.integration.test_partitions import *  # noqa: F403 - its tests are run here again
from tests.integration.test_partitions import COUNT
from worker.config.settings import Settings, load_settings

from .nodes import Nodes

pytestmark = pytest.mark.slow
del globals()[
    "test_whatever_comes_where_and_whoever_dies_each_event_has_one_result_on_one_partition"
]  # empties one node


@pytest.fixture
def settings(nodes: Nodes, broker: Server, home: Any, unset: None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SCRUB_PARTITIONS", str(COUNT))
    monkeypatch.setenv("SCRUB_REDIS_URL", nodes.url)
    monkeypatch.setenv("SCRUB_BROKER_URL", broker.url)
    return load_settings(state_dir=home, history_months=240)
