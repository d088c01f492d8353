"""The commands on a cluster."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import standby
from tests.faults.server import Server
from tests.integration.helpers import Worker, claim, until
from worker.doctor.servers import Clock, apart
from worker.monitoring.reconciliation import reconcile
from worker.store.connections import Store

from .conftest import PARTITIONS
from .nodes import Nodes

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def scrub(home: Path, nodes: Nodes, broker: Server) -> Run:
    def run(*arguments: object, **more: str) -> Any:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        ours = {
            "SCRUB_REDIS_URL": nodes.url, "SCRUB_BROKER_URL": broker.url, "SCRUB_PARTITIONS": str(PARTITIONS),
            "SCRUB_STATE_DIR": str(home), "COLUMNS": "200",
        }  # fmt: skip
        env = {name: value for name, value in (clean | ours | more).items() if value}
        return standby.scrub_in_text(*map(str, arguments), env=env)

    return run


@pytest.mark.slow
def test_what_is_sent_is_decided_shown_snapshotted_and_restored(
    scrub: Run, store: Store, nodes: Nodes, home: Path, start_worker: Callable[..., Worker]
) -> None:
    file = home / "claims.ndjson"
    file.write_text("".join(json.dumps(claim(number)) + "\n" for number in range(60)))
    assert scrub("submit", file).returncode == 0
    worker = start_worker().wait_ready()
    until(lambda: (found := reconcile(store.redis, store.keys)).settled and found.taken_off >= 60, 30, worker.text)
    said = json.loads(scrub("status", "--json").stdout)
    assert (said["balance"], said["accepted"] - said["forwarded"]) == (0, 60)
    assert "balance" in scrub("status").stdout
    assert len(scrub("tail", "billing").stdout.splitlines()) >= 60

    doctor = scrub("doctor")
    assert "The clocks of its nodes are 0.0 s apart." in " ".join(doctor.stdout.split())
    for server in nodes.servers[:3]:
        assert f"at 127.0.0.1:{server.port}" in doctor.stdout
    assert scrub("audit", "lost").stdout.startswith("Redis knows every decision")
    assert worker.stop() == 0

    assert scrub("snapshot").returncode == 0
    nodes.flush()
    lost = scrub("audit", "lost", "--format", "json")
    assert (lost.returncode, len(lost.stdout.splitlines())) == (1, 60)
    restored = scrub("restore", max((home / "snapshots").iterdir()))
    assert restored.returncode in (0, 1), restored.stderr
    assert len(list(store.redis.scan_iter(match="{claims:*}:ledger:*"))) == 60
    assert len(list(store.redis.scan_iter(match="{claims:*}:event:*"))) >= 60
    assert scrub("migrate").stdout.startswith("The keys are of layout")
    assert scrub("partitions").stdout.split() == [str(PARTITIONS)]


def test_a_worker_without_a_broker_says_what_it_wants_and_the_others_need_none(scrub: Run) -> None:
    found = scrub("worker", "--check", SCRUB_BROKER_URL="")
    assert found.returncode == 2
    assert "SCRUB_BROKER_URL" in found.stderr
    assert scrub("status", SCRUB_BROKER_URL="").returncode == 0


def test_one_redis_is_no_cluster_and_a_node_no_redis(scrub: Run, nodes: Nodes, broker: Server) -> None:
    found = scrub("status", SCRUB_REDIS_URL=f"redis+cluster://127.0.0.1:{broker.port}")
    assert found.returncode == 2
    assert "is no cluster: it is one Redis" in found.stderr
    found = scrub("status", SCRUB_REDIS_URL=f"redis://127.0.0.1:{nodes.servers[nodes.holds(0) - 1].port}")
    assert found.returncode == 2
    assert "Write redis+cluster://host:port" in found.stderr


@pytest.mark.parametrize(
    ("clocks", "level"),
    [
        ([Clock(0.0, 0.01)], None),
        ([Clock(0.2, 0.01), Clock(-0.3, 0.01)], "well"),
        ([Clock(0.2, 0.01), Clock(-1.3, 0.01), Clock(0.0, 0.01)], "poor"),
        ([Clock(0.2, 0.4), Clock(-1.3, 0.4)], "well"),
        ([Clock(70.0, 0.01), Clock(-1.3, 0.01)], "ill"),
    ],
)
def test_the_clocks_of_the_nodes_may_be_a_second_apart(clocks: list[Clock], level: str | None) -> None:
    assert [one.level for one in apart(clocks)] == ([level] if level else [])
