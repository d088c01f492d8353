"""With the account `serve` of ops/access.py, and no more, the service does all that it has routes for."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.integration.guarded import guarded
from tests.integration.helpers import Worker
from tests.integration.test_access import short
from worker.store.keys import Keys

from .conftest import FAULTY, Service, ndjson
from .pages.conftest import Person


def test_its_own_account_is_enough_and_nothing_is_refused_but_the_notification(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = short(tmp_path_factory)
    with guarded(folder) as server:
        worker = Worker(folder, env=server.environment("worker")).wait_ready()
        service = Service(folder, **server.environment("serve"), SCRUB_SERVE_PROXIES="127.0.0.1")
        try:
            _use(service)
            server.client("producer").xadd(Keys(0).inbox, {"event": "<html></html>"})
            _drop(service)
        finally:
            service.end()
            worker.stop()
        keys = Keys(0)
        refused = {(line["username"], line["object"]) for line in server.client("admin").execute_command("ACL LOG")}
        assert refused <= {("serve", "set"), ("serve", keys.gate)}
        done = service.scrub("audit", "verify", **server.environment("operator"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert {file.name for file in Path(folder, "state").iterdir()} >= {"audit", "desk", "tokens"}


def _drop(service: Service) -> None:
    """What is in quarantine, as an administrator in the browser."""
    root = Person(service, "root", "scrub-read,scrub-admin")
    until = time.monotonic() + 40
    while not (ids := re.findall(r"/quarantine/([\d-]+)/drop", root.get("/quarantine"))):
        assert time.monotonic() < until, service.text()
        time.sleep(0.2)
    root.get(f"/quarantine/{ids[0]}/drop")
    assert "Dropped." in root.post(f"/quarantine/{ids[0]}/drop", reason="test message")


def _use(service: Service) -> None:
    token = service.token("check", "submit", "read", "work", "admin")
    headers = {**token, "Content-Type": "application/x-ndjson"}
    body = ndjson(FAULTY | {"claim_id": "ACL-1"})
    assert service.http.post("/check", content=body, headers=headers).status_code == 200
    assert service.http.post("/claims", content=body, headers=headers).status_code == 202
    until = time.monotonic() + 40
    while not (found := service.http.post("/claims/search", json={"claim_ids": ["ACL-1"]}, headers=token).json())[
        "cases"
    ]:
        assert time.monotonic() < until, service.text()
        time.sleep(0.2)
    (case,) = found["cases"]
    seen = service.http.get(f"/cases/{case['handle']}", headers=token)
    assert seen.status_code == 200, seen.text
    done = service.http.post(
        f"/cases/{case['handle']}/note", json={"text": "x", "version": case["version"]}, headers=token
    )
    assert done.status_code == 200, done.text
    assert service.http.get("/cases", headers=token).status_code == 200
    assert 'scrub_decided_total{route="rework"} 1.0' in service.http.get("/metrics", headers=token).text
    assert json.loads(service.http.get("/readyz").text)["status"] == "ready"
