"""With the account `serve` of Redis, and no more, every page opens and acts are done."""

from __future__ import annotations

import json
import time

import pytest

from tests.integration.guarded import guarded
from tests.integration.helpers import Worker
from tests.integration.test_access import short
from tests.serve.conftest import FAULTY, Service
from tests.serve.pages.conftest import PROXY, Person, found, text_of
from worker.store.keys import Keys

pytestmark = pytest.mark.slow


def test_its_account_is_enough_for_every_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = short(tmp_path_factory)
    with guarded(folder) as server:
        worker = Worker(folder, env=server.environment("worker")).wait_ready()
        service = Service(folder, **server.environment("serve"), **PROXY)
        try:
            admin = server.client("admin")
            for place, text in enumerate((json.dumps(FAULTY | {"claim_id": "ACL-2"}), "<html>")):
                head = {"specversion": "1.0", "id": f"e{place}", "source": "/ehr", "type": "claim.submitted.v1"}
                event = json.dumps({**head, "data": json.loads(text)}) if place == 0 else text
                admin.xadd(Keys(0).inbox, {"event": event})
            _visit(Person(service))
        finally:
            service.end()
            worker.stop()
        refused = [line for line in server.client("admin").execute_command("ACL LOG") if line["username"] == "serve"]
        assert refused == []


def _visit(dana: Person) -> None:
    until = time.monotonic() + 60
    while "ACL-2" not in dana.get("/held"):
        assert time.monotonic() < until, dana.service.text()
        time.sleep(0.3)
    handle = found(r'href="/cases/(\w+)', dana.page)
    for path in (f"/cases/{handle}", f"/cases/{handle}/audit", "/figures", "/rules/UNT001", "/keys"):
        dana.get(path)
    while "not JSON" not in text_of(dana.get("/quarantine")):
        assert time.monotonic() < until
        time.sleep(0.3)
    assert "my words" in dana.act(handle, "note", text="my words")
    dana.get("/find")
    assert "It was never held" in text_of(dana.post("/find/everywhere", number="ACL-2"))
