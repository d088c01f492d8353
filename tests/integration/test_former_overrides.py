"""A book of 0.1.0 and overrides pinned to it, as release 0.1.1 put them in force in Redis: they hold under this one."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from rules.claim import read_claim
from tests.former import CHANGED, DIGEST, FIXTURES, JUDGED, LAST_JUDGED, OVERRIDES, last_packed, packed
from worker import bootstrap
from worker.books import overrides
from worker.books.archive import find
from worker.books.overrides import digest_of_text
from worker.books.switch import held_overrides, in_force, sealed_pack
from worker.config.settings import Settings
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.rejudging.replay import replay, without
from worker.store.connections import Store

from .helpers import event

STORE = json.loads((FIXTURES / "512aa43/store.json").read_text())
"""What that release had in Redis, but for the packed books."""


@pytest.fixture
def pinned(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(overrides, "today", lambda: date(2026, 11, 30))
    keys, redis = store.keys, store.redis
    redis.rpush(keys.book, *STORE[keys.book])
    redis.rpush(keys.switches, *STORE[keys.switches])
    redis.hset(keys.books, mapping={name: text.encode() for name, text in STORE[keys.books].items()})
    redis.hset(keys.books, STORE[keys.book][0], sealed_pack(packed(), b""))
    return store


def test_overrides_that_0_1_1_put_in_force_are_judged_by_as_before_and_not_called_outdated(
    pinned: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    now = in_force(pinned.redis, pinned.keys)
    assert now.overrides == digest_of_text(OVERRIDES)
    assert held_overrides(pinned.redis, pinned.keys, now.overrides, None) == OVERRIDES
    consumer = bootstrap.inbox_consumer(pinned, Notifier(pinned.redis, pinned.keys, gate_ms=10_000, send=lambda: None))
    sent = [event(number, data=one["claim"]) for number, one in enumerate(JUDGED, 1)]
    send(pinned.redis, pinned.keys, sent, source="test", settings=settings)
    consumer.run()
    consumer.audit.close()
    said = [judging.refused for judging in in_force(pinned.redis, pinned.keys).judging.values()]
    assert said == [""]
    entries = [one for name in ("billing", "rework", "unchecked") for one in tail(pinned.redis, pinned.keys, name)]
    found = {one.data["report"]["claim_id"]: one.data["report"] for one in entries}
    assert len(found) == len(JUDGED) == 8
    for one in JUDGED:
        then, report = one["report"], without(found[one["report"]["claim_id"]])
        assert report["book"]["digest"] == DIGEST, "workers of both releases name what they judge by alike"
        assert report["overrides"] == then["overrides"]
        findings = [one for one in report["findings"] if one["code"] != "DUP001"]  # the claims are one patient's
        assert findings == then["findings"]
    lines = [line for line in caplog.messages if "was written for another version" in line]
    assert [CHANGED in line for line in lines] == [True]
    kept = find(settings.books_path, DIGEST)
    assert all(replay(one["report"], read_claim(one["claim"]), kept, None).identical for one in JUDGED)


def test_the_book_of_0_1_1_in_force_judges_claims_as_that_release_did(store: Store, settings: Settings) -> None:
    """As after an upgrade, and in a fleet of both releases: none judges otherwise than the other."""
    keys, redis = store.keys, store.redis
    (digest,) = {one["report"]["book"]["digest"] for one in LAST_JUDGED}
    redis.rpush(keys.book, digest, STORE[keys.book][1])
    redis.hset(keys.books, digest, sealed_pack(last_packed(), b""))
    consumer = bootstrap.inbox_consumer(store, Notifier(redis, keys, gate_ms=10_000, send=lambda: None))
    told = {one["report"]["claim_id"]: one["report"] for one in LAST_JUDGED if "received_date" in one["claim"]}
    claims = [one["claim"] for one in LAST_JUDGED if one["claim"]["claim_id"] in told]
    send(redis, keys, [event(n, data=one) for n, one in enumerate(claims, 1)], source="test", settings=settings)
    consumer.run()
    consumer.audit.close()
    entries = [one for name in ("billing", "rework", "unchecked") for one in tail(redis, keys, name)]
    assert len(entries) == len(claims) > 100
    for one in entries:
        report = one.data["report"]
        then = told[report["claim_id"]]
        assert report["book"] == then["book"]
        assert _said(report) == _said(then)


def _said(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The findings but for those on what was billed before: offline there was no ledger."""
    every = [inner for one in report["findings"] for inner in (one, *one.get("because", ()))]
    kept = [one for one in every if one["code"] not in ("DUP001", "DUP002", "FRQ001", "DUP003")]
    return sorted((one["code"], one["severity"], str(one["line"]), one["outcome"]) for one in kept)
