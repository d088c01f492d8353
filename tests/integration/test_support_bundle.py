"""A support bundle has what helps, and nothing of a patient or a claim, whatever went through the worker and its log."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from worker.config.settings import load_settings
from worker.doctor.bundle import contents, logged
from worker.store.connections import Store

from .helpers import Worker, settled
from .test_canary import CANARIES, everything
from .test_rotation import scrub


def unpacked(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        return {one.name.partition("/")[2]: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


OURS = {
    "service.name": "claim-scrubber",
    "log.logger": "worker.pipeline.maintenance",
    "log.level": "info",
    "message": "the books",
}


def test_of_a_log_only_lines_of_the_operational_log_go_in_and_of_these_what_is_known() -> None:
    lines = [
        json.dumps(OURS | {"queue.waiting": 3, "host.note": "CANARY"}).encode(),
        json.dumps(OURS | {"claim.claim_id": "PCN-1"}).encode(),
        json.dumps(
            {"service.name": "claim-scrubber", "event.action": "claim.scrubbed", "claim.claim_id": "PCN-1"}
        ).encode(),
        json.dumps({"service.name": "ehr", "log.logger": "x", "message": "CANARY"}).encode(),
        b"one.ndjson: PCN-1 sent",
        b'["claim-scrubber"]',
        b"\xff{",
    ]
    kept, left_out = logged(lines)
    assert kept == [{"log.logger": OURS["log.logger"], "log.level": "info", "message": "the books", "queue.waiting": 3}]
    assert sum(left_out.values()) == 6


def test_only_the_last_lines_go_in() -> None:
    kept, _ = logged(json.dumps(OURS | {"queue.waiting": n}).encode() for n in range(5_000))
    assert (len(kept), kept[-1]["queue.waiting"]) == (2_000, 4_999)


def test_without_redis_it_is_written_and_no_password_is_in_it(home: Path, unset: None) -> None:
    url = "redis://worker:CANARYPASSWORD@127.0.0.1:1/0"
    settings = load_settings(
        state_dir=home, redis_url=url, case_store="postgresql+psycopg://scrub:CANARYPASSWORD@db/cases"
    )
    parts = contents(settings, None, [], date(2026, 11, 30))
    assert b"CANARYPASSWORD" not in b"".join(parts.values())
    assert b"redis://worker:***@127.0.0.1:1/0" in parts["settings.json"]
    assert json.loads(parts["about.json"])["packages"]["celery"] == "5.6.3"


@pytest.mark.slow
def test_no_canary_and_no_claim_number_is_in_a_bundle(
    home: Path, store: Store, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker(env={"SCRUB_LOG_LEVEL": "debug", "SCRUB_AUDIT_STDOUT": "true"}, program=True).wait_ready()
    events = everything()
    for one in events:
        store.redis.xadd(store.keys.inbox, {"event": one})
    settled(store, len(events))
    worker.stop()
    assert b"PCN-00001" in worker.log.read_bytes(), "audit lines are in the log"
    done = scrub(store.settings, "support", "bundle", "--log", str(worker.log), "-o", str(home / "b.tar.gz"))
    assert done.returncode == 0, done.stderr
    parts = unpacked(home / "b.tar.gz")
    assert {
        "about.json",
        "settings.json",
        "doctor.ndjson",
        "books.json",
        "figures.prom",
        "workers.json",
        "log.ndjson",
    } == parts.keys()
    everything_in_it = b"".join(parts.values())
    assert [canary for canary in (*CANARIES, "PCN-") if canary.encode() in everything_in_it] == []
    assert parts["log.ndjson"].count(b"\n") > 5
    assert f"scrub_accepted_total {float(len(events))}".encode() in parts["figures.prom"]
    assert (home / "b.tar.gz").stat().st_mode & 0o777 == 0o600
