"""An audit log of any length: the real lines of the demonstration claims, spread over days as a hospital sends claims.

Payers differ, nights and weekends are quiet, one worker crashes now and then between log and commit, and Aetna changes
something three quarters of the way. The same number and seed give the same bytes but for real run-time values.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from tests.book import BOOK
from worker.demo.claims import EXAMPLES
from worker.pipeline import batch
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import InboxEntry
from worker.store.keyring import Rings
from worker.store.keys import Keys

START = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 30
KNOWN: dict[str | None, tuple[int, float]] = {
    "medicare": (40, 0.9), "uhc": (20, 0.94), "bcbs": (18, 0.92), "aetna": (12, 0.95), "cigna": (9, 0.88), None: (1, 0.5),
}  # fmt: skip
TRAITS = KNOWN | {payer: KNOWN.get(payer, (1, 0.9)) for payer in BOOK.registry.payers}
SHARES = {payer: share for payer, (share, _) in TRAITS.items()}
CLEAN = {payer: clean for payer, (_, clean) in TRAITS.items()}
AFTER_CHANGE = 0.55
"""Aetna's clean share in the last quarter."""


@cache
def templates() -> dict[tuple[str | None, bool], list[dict[str, Any]]]:
    """Real lines by payer and whether they went to billing."""
    context = BatchContext(BOOK, Keys(), Rings.of(b"k" * 32), 2**20)
    found: dict[tuple[str | None, bool], list[dict[str, Any]]] = {}
    for number, example in enumerate(EXAMPLES):
        event = {
            "specversion": "1.0",
            "id": str(number),
            "source": "/x",
            "type": "claim.submitted.v1",
            "data": example.claim,
        }
        raw = json.dumps({**event, "time": "2026-10-20T14:03:00Z"}).encode()
        (decision,) = batch.judge(batch.read([InboxEntry(f"{number + 1}-0", raw, {})], context), {}, context)
        line = dict(decision.line)
        found.setdefault((line.get("claim.payer"), line["claim.disposition"] == "billing"), []).append(line)
    broken = batch.read([InboxEntry("1-0", b"{", {})], context)
    found.setdefault((None, False), []).append(dict(batch.judge(broken, {}, context)[0].line))
    return found


def lines(number: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """So many decisions, in the order of time, with what a log holds beside them."""
    pick, real = random.Random(seed), templates()
    moments = _moments(number, pick)
    payers, weights = list(SHARES), list(SHARES.values())
    change = START + timedelta(days=DAYS * 0.75)
    for place, moment in enumerate(moments):
        payer = pick.choices(payers, weights)[0]
        clean = CLEAN[payer] if payer != "aetna" or moment < change else AFTER_CHANGE
        billing = pick.random() < clean and (payer, True) in real
        template = pick.choice(real[payer, billing])
        busy = 8 <= moment.hour < 17
        latency = int(pick.lognormvariate(4.6 if busy else 3.8, 0.7)) + (
            pick.randrange(60_000) if pick.random() < 0.004 else 0
        )
        taken_in = int(moment.timestamp() * 1000) - latency
        decision = UUID(int=(seed << 100) + place).hex
        line = {
            "@timestamp": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "service.name": "claim-scrubber", "service.version": "0.1.0", "host.name": f"worker-{place % 3}", "process.pid": 4000 + place % 3,
            **template,
            "claim.claim_id": f"PCN-{place:09}" if template.get("claim.claim_id") else None,
            "claim.decision_id": decision, "trace.id": decision,
            "event.duration": pick.randrange(250_000, 900_000),
            "queue.entry": f"{taken_in}-{place % 1000}", "queue.latency_ms": latency,
            "audit.chain": f"worker-{place % 3}-{4000 + place % 3}-0a1b2c3d", "audit.seq": place // 3 + 2, "audit.mac": "0" * 64,
        }  # fmt: skip
        if line.get("claim.charge_cents"):
            line["claim.charge_cents"] = pick.randrange(300, 1_500) * 100
        yield line
        later = (moment + timedelta(seconds=61)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        heir = {
            "@timestamp": later,
            "host.name": "worker-3",
            "process.pid": 1,
            "queue.attempt": 1,
            "queue.latency_ms": latency + 61_000,
        }
        if place % 5_000 == 4_999:
            yield {**line, "event.action": "claim.superseded", "event.outcome": "unknown", "error.code": "not_mine"}
            yield {**line, **heir, "audit.chain": "worker-3-1-0a1b2c3d"}
        if place % 7_000 == 6_999:
            yield {**line, **heir, "audit.chain": "worker-3-1-0a1b2c3d"}


def _moments(number: int, pick: random.Random) -> list[datetime]:
    found = []
    for _ in range(number):
        while True:
            moment = START + timedelta(seconds=pick.random() * DAYS * 86_400)
            weight = (1.0 if 7 <= moment.hour < 18 else 0.12) * (0.2 if moment.weekday() >= 5 else 1.0)
            if pick.random() < weight:
                found.append(moment)
                break
    return sorted(found)


def write(file: Path, number: int, seed: int = 1) -> Path:
    with file.open("wb") as out:
        for line in lines(number, seed):
            out.write(orjson.dumps(line) + b"\n")
    return file
