"""A draft rule on live claims: a real worker runs it, logs it, and sends the claim where it would have gone anyway."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson

from rules.loader import LIBRARY
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import Worker, claim, event, settled


def test_a_draft_of_severity_block_is_on_the_audit_line_and_its_claims_go_to_billing(
    home: Path, store: Store, start_worker: Callable[..., Worker]
) -> None:
    shutil.copytree(LIBRARY, home / "book")
    path = home / "book/form/common/CLM001-total-charge.yaml"
    path.write_text(path.read_text().replace("status: active", "status: draft"))
    start_worker(env={"SCRUB_BOOK": str(home / "book")}).wait_ready()
    send(
        store.redis, store.keys, [event(1), event(2, data=claim(2, total_charge="1.00"))], source="test",
        settings=store.settings,
    )  # fmt: skip
    settled(store, 2)
    assert len(list(tail(store.redis, store.keys, "billing"))) == 2
    files = store.settings.audit_path.glob("audit-*.jsonl")
    lines = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]
    shadows = {line["claim.claim_id"]: line for line in lines if line["event.action"] == "claim.scrubbed"}
    assert shadows["PCN-00001"]["rule.shadow"] == []
    faulty = shadows["PCN-00002"]
    assert (faulty["rule.shadow"], faulty["rule.shadow_block"]) == (["CLM001"], ["CLM001"])
    assert (faulty["rule.block"], faulty["claim.disposition"]) == ([], "billing")
