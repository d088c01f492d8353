"""A repair of form over HTTP: what would be written otherwise is said first, and what changed since is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serve.test_openapi import hold
from worker.pipeline import outlets
from worker.pipeline.consumer import InboxConsumer
from worker.store.connections import Store

from .conftest import CLEAN, Service
from .test_cases import Decide, case_of, decide

__all__ = ["decide"]
Headers = dict[str, str]


@pytest.fixture(scope="module")
def biller(service: Service) -> Headers:
    return service.token("read", "work", name="mending")


def claim(number: str, member: str, **more: Any) -> dict[str, Any]:
    return CLEAN | {"claim_id": number, "diagnoses": ["m54.31"], "subscriber": {"member_id": member}} | more


def test_it_is_shown_confirmed_and_judged_again(
    service: Service, decide: Decide, biller: Headers, store: Store, consumer: InboxConsumer
) -> None:
    decide(claim("MEND-1", "1EG4TE5MK72"))
    url = f"/cases/{case_of(service, biller, 'MEND-1')['handle']}/repair"
    would = service.http.get(url, headers=biller)
    assert would.status_code == 200, would.text
    hold(would.json(), "Repairable")
    shown = would.json()
    assert [(one["path"], one["was"], one["becomes"]) for one in shown["changes"]] == [
        ("/diagnoses/0", "m54.31", "M54.31")
    ]
    body = {"version": shown["version"], "content": shown["content"]}
    refused = service.http.post(url, json=body | {"content": "0" * 64}, headers=biller)
    assert (refused.status_code, "not what you saw" in refused.text) == (409, True)
    done = service.http.post(url, json=body, headers=biller)
    assert done.status_code == 200, done.text
    hold(done.json(), "Case")
    assert done.json()["state"] == "mended"
    assert service.http.post(url, json=body, headers=biller).status_code == 409
    consumer.run()
    (billed,) = [one.event for one in outlets.tail(store.redis, store.keys, "billing")]
    assert billed["data"]["claim"]["diagnoses"] == ["M54.31"]
    (line,) = service.audited("claim.repaired")
    assert (line["user.name"], line["claim.repaired"]) == ("token:mending", ["/diagnoses/0"])


def test_who_may_not_work_repairs_nothing_and_what_is_another_value_is_none(
    service: Service, decide: Decide, biller: Headers
) -> None:
    decide(claim("MEND-2", "2EG4TE5MK73", diagnoses=["S74.01XAA"]))
    url = f"/cases/{case_of(service, biller, 'MEND-2')['handle']}/repair"
    answer = service.http.get(url, headers=biller)
    assert (answer.status_code, "no rule that holds it knows" in answer.text) == (409, True)
    for token in (service.token("read", "waive", name="manager2"), service.token("read", name="looking")):
        assert service.http.get(url, headers=token).status_code == 403
    other = service.token("read", "work", name="elsewhere2", facilities=("NORTH",))
    assert service.http.get(url, headers=other).status_code == 404
