"""The soft time limit strikes at any instant, such as on the way back from a write to a slow disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from worker.audit import chains, check
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.outlets import OutletEntry, tail
from worker.store.connections import Store
from worker.store.keyring import load_ring
from worker.store.outletspecs import OUTLETS

pytestmark = pytest.mark.slow

TIMES = {"DRAIN_BUDGET": "0.05", "SOFT_TIME_LIMIT": "0.1", "HARD_TIME_LIMIT": "0.15", "RECLAIM": "0.2"}


def interrupted(home: Path, step: int, part: str) -> dict[str, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    ours = {f"SCRUB_{name}": value for name, value in {**TIMES, "ATTEMPTS": "100", "STATE_DIR": str(home)}.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.interrupted", str(step), part],
        env={**clean, **ours}, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, int] = json.loads(done.stdout)
    return found


def identity(entry: OutletEntry) -> str:
    """Of the event that an entry is the result of; of one that the limit struck at each of its hundred tries as well."""
    if "eventid" in entry.event:
        return str(entry.event["eventid"])
    assert entry.data["reason"] == "attempts_exhausted", entry.data
    return str(json.loads(entry.data["event"])["id"])


def check_log(store: Store) -> None:
    """Every chain is whole, and has the decision of every result."""
    ring, logged = load_ring(store.settings.secret_path, "audit"), set()
    for file in store.settings.audit_path.glob("*.jsonl"):
        verdict = check.verify(file, ring)
        if verdict.chain and (head := chains.chain_head(store, verdict.chain)):
            verdict = check.verify(file, ring, head)
        assert verdict.state not in ("tampered", "wrong key"), verdict
        logged |= {orjson.loads(line).get("claim.decision_id") for line in file.read_bytes().splitlines()}
    results = {entry.decision_id for name in OUTLETS for entry in tail(store.redis, store.keys, name)}
    assert results <= logged


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("step", "part"), [(101, ""), (11, "audit/log.py"), (23, "")])
def test_a_task_that_is_out_of_time_at_any_instant_leaves_the_books_and_the_log_whole(
    home: Path, store: Store, step: int, part: str
) -> None:
    found = interrupted(home, step, part)
    assert found["interrupted"] > 50, found
    assert reconcile(store.redis, store.keys).settled
    entries = [entry for name in OUTLETS for entry in tail(store.redis, store.keys, name)]
    events = [identity(entry) for entry in entries]
    assert sum("eventid" in entry.event for entry in entries) > 0.9 * len(entries), (
        "each one held took a hundred strikes"
    )
    assert sorted(events) == sorted(f"evt-{number}" for number in range(found["sent"]))
    check_log(store)
