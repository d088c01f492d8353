"""A waiver over HTTP: what would go is said first, the right for it is one of its own, and what changed since is
refused.

What others let go: overrides with a right that everybody has who may see the claim, and without a word on why
(masslight/ottehr#8676, openemr/openemr#7251).
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.serve.test_openapi import hold
from worker.pipeline import outlets
from worker.pipeline.consumer import InboxConsumer
from worker.store.connections import Store

from .conftest import CLEAN, Service
from .test_cases import Decide, case_of, decide, found

__all__ = ["decide"]
TODAY = datetime.now().astimezone().date()
UNTIL = (TODAY + timedelta(days=2)).isoformat()
WHY = "CANARY: agreed by phone, ref. 4711"
HELD = CLEAN | {"lines": [{**CLEAN["lines"][0], "units": 2}]}
NAMES = ["UNT001@1", "UNT002@1"]
Headers = dict[str, str]


@pytest.fixture(scope="module")
def manager(service: Service) -> Headers:
    return service.token("read", "waive", name="manager")


def claim(number: str, **more: Any) -> dict[str, Any]:
    """Of a patient of its own, so that none is another's duplicate."""
    return HELD | {"claim_id": number, "subscriber": CLEAN["subscriber"] | {"member_id": MEMBERS[number]}} | more


MEMBERS = {
    "WAIVE-1": "1EG4TE5MK73", "WAIVE-2": "1EG4TE5MK72", "WAIVE-3": "2EG4TE5MK73", "WAIVE-4": "3EG4TE5MK73",
}  # fmt: skip


def asked(service: Service, token: Headers, number: str) -> tuple[str, dict[str, Any]]:
    """The address of a waiver, and the body that lets go what is shown."""
    url = f"/cases/{case_of(service, token, number)['handle']}/waive"
    would = service.http.get(url, headers=token)
    assert would.status_code == 200, would.text
    hold(would.json(), "Waivable")
    shown = would.json()
    return url, {
        "version": shown["version"], "content": shown["content"],
        "findings": [one["name"] for one in shown["findings"]], "text": WHY, "owner": "dana", "until": UNTIL,
    }  # fmt: skip


def billed(store: Store) -> list[dict[str, Any]]:
    return [one.event for one in outlets.tail(store.redis, store.keys, "billing")]


def test_what_would_go_is_shown_and_then_goes_once_with_its_reason_in_the_store_alone(
    service: Service, decide: Decide, manager: Headers, store: Store, consumer: InboxConsumer
) -> None:
    decide(claim("WAIVE-1"))
    url, body = asked(service, manager, "WAIVE-1")
    assert body["findings"] == NAMES
    (first, _) = service.http.get(url, headers=manager).json()["findings"]
    assert first["citation"]["grade"] == "A"
    assert first["expected_denial"]["kind"] == "denial"
    done = service.http.post(url, json=body, headers=manager)
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.headers["etag"]) == ("waived", f'"{body["version"] + 2}"')
    hold(done.json(), "Case")
    again = service.http.post(url, json=body, headers=manager)
    assert (again.status_code, again.json()["changed_by"]) == (409, "token:manager")
    consumer.run()
    (event,) = billed(store)
    assert event["data"]["claim"]["claim_id"] == "WAIVE-1"
    waived = event["data"]["report"]["waived"]
    assert (waived["findings"], waived["owner"], waived["until"]) == (NAMES, "dana", UNTIL)
    (line,) = service.audited("claim.waived")
    assert (line["user.name"], line["case.owner"], line["claim.waived"]) == ("token:manager", "dana", NAMES)
    (written,) = service.http.get(url.removesuffix("/waive"), headers=manager).json()["acts"]
    assert (written["text"], written["act"]["kind"]) == (WHY, "waive")
    assert b"CANARY" not in b"".join(file.read_bytes() for file in (service.home / "state/audit").iterdir())
    assert "CANARY" not in service.text()
    assert service.scrub("audit", "verify").returncode == 0


def test_who_may_only_work_waives_nothing_and_who_may_only_waive_does_nothing_else(
    service: Service, decide: Decide, manager: Headers
) -> None:
    decide(claim("WAIVE-2"))
    url, body = asked(service, manager, "WAIVE-2")
    biller = service.token("read", "work", "admin", name="biller")
    for answer in (service.http.get(url, headers=biller), service.http.post(url, json=body, headers=biller)):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:claim-scrubber:problem:not-allowed")
    line = service.audited("access.refused")[-1]
    assert (line["user.name"], line["access.reason"]) == ("token:biller", "wants the right waive")
    note = service.http.post(
        url.replace("waive", "note"), json={"text": "x", "version": body["version"]}, headers=manager
    )
    assert note.status_code == 403
    other = service.token("read", "waive", name="elsewhere", facilities=("NORTH",))
    assert service.http.get(url, headers=other).status_code == 404
    assert service.http.post(url, json=body, headers=other).status_code == 404
    assert case_of(service, manager, "WAIVE-2")["state"] == "open"


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"content": "0" * 64}, 409, "not what you saw"),
        ({"findings": NAMES[:1]}, 409, "not what you saw"),
        ({"findings": [*NAMES, "BND001@1"]}, 409, "not what you saw"),
        ({"until": (TODAY - timedelta(days=1)).isoformat()}, 409, "expected a last day from"),
        ({"until": (TODAY + timedelta(days=32)).isoformat()}, 409, "expected a last day from"),
        ({"text": "  "}, 409, "expected a reason"),
        ({"owner": " "}, 409, "who answers for it"),
        ({"owner": "a\nb"}, 409, "who answers for it"),
        ({"version": None}, 428, "version"),
        ({"version": 99}, 409, "was changed"),
        ({"findings": []}, 422, "not as expected"),
        ({"content": "x"}, 422, "not as expected"),
        ({"text": "x" * 4_001}, 422, "not as expected"),
    ],
)
def test_what_is_not_as_it_was_seen_or_as_it_must_be_writes_nothing(
    service: Service, decide: Decide, manager: Headers, store: Store, more: dict[str, Any], status: int, said: str
) -> None:
    if found(service, manager, "WAIVE-3")["unknown"]:
        decide(claim("WAIVE-3"))
    url, body = asked(service, manager, "WAIVE-3")
    acts = len(service.audited("claim.waived"))
    answer = service.http.post(url, json=body | more, headers=manager)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert len(service.audited("claim.waived")) == acts
    assert case_of(service, manager, "WAIVE-3")["version"] == body["version"]


def test_a_version_that_came_in_since_is_not_what_was_seen(service: Service, decide: Decide, manager: Headers) -> None:
    decide(claim("WAIVE-4"))
    url, body = asked(service, manager, "WAIVE-4")
    decide(claim("WAIVE-4", lines=[{**CLEAN["lines"][0], "units": 3}]))
    wait = time.monotonic() + 30
    while case_of(service, manager, "WAIVE-4")["version"] == body["version"]:
        assert time.monotonic() < wait
        time.sleep(0.1)
    answer = service.http.post(url, json=body, headers=manager)
    assert (answer.status_code, answer.json()["changed_by"]) == (409, "a decision on the claim")


def test_where_it_cannot_be_waived_the_reason_is_said_before_anything_is_asked(
    service: Service, decide: Decide, manager: Headers, store: Store
) -> None:
    decide(HELD | {"claim_id": "NEVER-1", "subscriber": CLEAN["subscriber"] | {"member_id": "123"}})
    decide(claim("WAIVE-3") | {"claim_id": "OLD-1"})
    url, old = (f"/cases/{case_of(service, manager, name)['handle']}/waive" for name in ("NEVER-1", "OLD-1"))
    answer = service.http.get(url, headers=manager)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:claim-scrubber:problem:not-waivable")
    assert "the payer's front end refuses it" in answer.json()["detail"]
    about = {"host": "h", "pid": 1, "processes": []}
    store.redis.hset(store.keys.workers, "old", f"{store.redis.time()[0] * 1000} {json.dumps(about)}")  # type: ignore[index]
    assert "older release" in service.http.get(old, headers=manager).json()["detail"]
    store.redis.hdel(store.keys.workers, "old")
    assert service.http.get(old, headers=manager).status_code == 200
