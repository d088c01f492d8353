"""Cases and acts over HTTP: by facility, at the version that was seen, in the audit log, also where the store goes away.

What APIs of work lists were found to get wrong: acts of one facility on another's by a guessed id (OWASP API1), writes
over what somebody else had written (medplum/medplum#4062).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from worker.pipeline.consumer import InboxConsumer
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Serve, Service

TODAY = datetime.now().astimezone().date()
Decide = Callable[..., None]
Headers = dict[str, str]
_count = iter(range(1_000_000))


@pytest.fixture
def decide(service: Service, store: Store, consumer: InboxConsumer) -> Decide:
    """Has claims decided, and waits until the service knows the cases that come of them."""
    admin = service.token("read", name="waiting")

    def decide(*claims: dict[str, Any], producer: str = "", held: bool = True) -> None:
        for data in claims:
            event = {
                "specversion": "1.0",
                "id": f"c{next(_count)}",
                "source": "/ehr",
                "type": "claim.submitted.v1",
                "data": data,
            }
            store.redis.xadd(store.keys.stream(producer), {"event": json.dumps(event)})
        consumer.run()
        until = time.monotonic() + 30
        names = [one["claim_id"] for one in claims]
        while held and (found(service, admin, *names)["unknown"]):
            assert time.monotonic() < until
            time.sleep(0.1)

    return decide


def found(service: Service, token: Headers, *names: str) -> dict[str, Any]:
    answer = service.http.post("/claims/search", json={"claim_ids": names}, headers=token)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def case_of(service: Service, token: Headers, name: str) -> dict[str, Any]:
    (case,) = found(service, token, name)["cases"]
    return dict(case)


@pytest.fixture(scope="module")
def biller(service: Service) -> Headers:
    return service.token("read", "work", name="biller")


def test_a_case_is_listed_seen_and_acted_on_and_all_of_it_is_in_the_audit_log(
    service: Service, decide: Decide, biller: Headers
) -> None:
    decide(FAULTY | {"claim_id": "LIFE-1"})
    (listed,) = (
        one for one in service.http.get("/cases", headers=biller).json()["cases"] if one["claim_id"] == "LIFE-1"
    )
    handle = listed["handle"]
    seen = service.http.get(f"/cases/{handle}", headers=biller)
    assert (seen.status_code, seen.headers["etag"]) == (200, f'"{listed["version"]}"')
    (decision,) = seen.json()["decisions"]
    assert decision["content"]["claim"]["claim_id"] == "LIFE-1"
    assert "UNT001" in {one["code"] for one in decision["content"]["report"]["findings"]}
    version = listed["version"]
    until = (TODAY + timedelta(days=3)).isoformat()
    for act, body, state in (
        ("assign", {"owner": "dana", "text": "CANARY hers"}, "open"), ("pend", {"until": until}, "pended"),
        ("note", {"text": "CANARY second call"}, "pended"), ("reopen", {}, "open"), ("close", {"reason": "without_billing"}, "closed"),
    ):  # fmt: skip
        done = service.http.post(f"/cases/{handle}/{act}", json=body | {"version": version}, headers=biller)
        assert done.status_code == 200, done.text
        assert (done.json()["state"], done.headers["etag"]) == (state, f'"{done.json()["version"]}"')
        version = done.json()["version"]
    acts = service.http.get(f"/cases/{handle}", headers=biller).json()["acts"]
    assert [(one["act"]["kind"], one["act"]["account"], one["state"]) for one in acts] == [
        (kind, "token:biller", "done") for kind in ("assign", "pend", "note", "reopen", "close")
    ]  # fmt: skip
    lines = service.audited("case.viewed", "case.pended", "case.assigned", "case.noted", "case.closed", "case.reopened")
    ours = [line for line in lines if line["case.handle"] == handle]
    assert [line["event.action"] for line in ours] == [
        "case.viewed", "case.assigned", "case.pended", "case.noted", "case.reopened", "case.closed", "case.viewed",
    ]  # fmt: skip
    assert {line["user.name"] for line in ours} == {"token:biller"}
    assert service.audited("case.listed")[-1]["access.cases"] >= 1
    assert b"CANARY" not in b"".join(file.read_bytes() for file in (service.home / "state/audit").iterdir())
    assert service.scrub("audit", "verify").returncode == 0
    shown = service.scrub("rework", "show", handle)
    assert (shown.returncode, b"CANARY second call" in shown.stdout) == (0, True)


def test_who_acts_on_what_he_has_not_seen_is_told_who_was_quicker_and_writes_nothing(
    service: Service, decide: Decide, biller: Headers
) -> None:
    decide(FAULTY | {"claim_id": "RACE-1"})
    case = case_of(service, biller, "RACE-1")
    url, other = f"/cases/{case['handle']}/assign", service.token("read", "work", name="other")
    first = service.http.post(url, json={"owner": "dana"}, headers={**other, "If-Match": f'"{case["version"]}"'})
    assert first.status_code == 200
    late = service.http.post(url, json={"owner": "kim", "version": case["version"]}, headers=biller)
    assert (late.status_code, late.json()["type"]) == (409, "urn:claim-scrubber:problem:case-changed")
    assert {name: late.json()[name] for name in ("version", "seen", "changed_by", "state")} == {
        "version": first.json()["version"], "seen": case["version"], "changed_by": "token:other", "state": "open",
    }  # fmt: skip
    assert late.json()["changed_at"]
    assert case_of(service, biller, "RACE-1")["owner"] == "dana"
    assert len([one for one in service.audited("case.assigned") if one["case.handle"] == case["handle"]]) == 1
    assert service.http.post(url, json={"owner": "kim"}, headers=biller).status_code == 428
    assert service.http.post(url, json={"owner": "kim"}, headers={**biller, "If-Match": "*"}).status_code == 428
    both = service.http.post(url, json={"owner": "kim", "version": 1}, headers={**biller, "If-Match": '"2"'})
    assert both.status_code == 400


def test_of_twenty_at_once_one_writes_and_the_others_are_told(
    service: Service, decide: Decide, biller: Headers
) -> None:
    decide(FAULTY | {"claim_id": "CROWD-1"})
    case = case_of(service, biller, "CROWD-1")
    url, answers = f"/cases/{case['handle']}/assign", list[Any]()

    def assign(owner: str) -> None:
        answers.append(service.http.post(url, json={"owner": owner, "version": case["version"]}, headers=biller))

    threads = [threading.Thread(target=assign, args=(f"p{number}",)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.status_code for one in answers) == [200, *[409] * 19]
    (winner,) = (one for one in answers if one.status_code == 200)
    assert case_of(service, biller, "CROWD-1")["owner"] == winner.json()["owner"]
    assert len([one for one in service.audited("case.assigned") if one["case.handle"] == case["handle"]]) == 1


def test_what_is_not_possible_is_said_and_writes_nothing(service: Service, decide: Decide, biller: Headers) -> None:
    decide(FAULTY | {"claim_id": "NOT-1"})
    case = case_of(service, biller, "NOT-1")
    late = service.http.post(
        f"/cases/{case['handle']}/pend", json={"until": "2020-01-01", "version": case["version"]}, headers=biller
    )
    assert (late.status_code, late.json()["type"]) == (409, "urn:claim-scrubber:problem:act-not-possible")
    assert "expected a day after today" in late.json()["detail"]
    assert case_of(service, biller, "NOT-1")["version"] == case["version"]


def test_a_facility_sees_its_own_cases_alone_and_a_guess_is_in_the_audit_log(
    service: Service, decide: Decide, biller: Headers
) -> None:
    for name in ("north", "south"):
        done = service.scrub("producer", "add", name, "--facility", name.upper())
        assert done.returncode == 0, done.stderr
        time.sleep(1.1)  # workers look once a second
        decide(FAULTY | {"claim_id": "SHARED-1", "total_charge": "661.00"}, producer=name, held=False)
    until = time.monotonic() + 20
    while len(found(service, biller, "SHARED-1")["cases"]) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    north = service.token("read", "work", name="north", facilities=("NORTH",))
    (mine,) = found(service, north, "SHARED-1")["cases"]
    (theirs,) = (one for one in found(service, biller, "SHARED-1")["cases"] if one["scope"] == "SOUTH")
    assert mine["scope"] == "NORTH"
    assert {one["scope"] for one in service.http.get("/cases", headers=north).json()["cases"]} == {"NORTH"}
    assert service.http.get(f"/cases/{mine['handle']}", headers=north).status_code == 200
    nothing = service.http.get("/cases/2222222222", headers=north).json()
    for answer in (
        service.http.get(f"/cases/{theirs['handle']}", headers=north),
        service.http.post(
            f"/cases/{theirs['handle']}/note", json={"text": "x", "version": theirs["version"]}, headers=north
        ),
    ):
        assert answer.status_code == 404
        assert answer.json() == nothing | {"detail": nothing["detail"].replace("2222222222", theirs["handle"])}
        line = service.audited("access.refused")[-1]
        assert (line["user.name"], line["access.reason"]) == ("token:north", "a case of another facility")
    assert [one for one in service.audited("case.viewed") if one["case.handle"] == theirs["handle"]] == []
    assert case_of_scope(service, biller, "SOUTH")["version"] == theirs["version"]


def case_of_scope(service: Service, token: Headers, scope: str) -> dict[str, Any]:
    return next(one for one in found(service, token, "SHARED-1")["cases"] if one["scope"] == scope)


def test_the_list_is_filtered_sorted_and_paged_as_on_the_command_line(
    service: Service, decide: Decide, biller: Headers
) -> None:
    decide(
        *(
            FAULTY
            | {
                "claim_id": f"PAGE-{n}",
                "lines": [{**FAULTY["lines"][0], "charge": f"{n + 1}000.00"}, *FAULTY["lines"][1:]],
            }
            for n in range(3)
        )
    )
    for query, options in (
        ({}, []), ({"sort": "charge", "state": "all"}, ["--sort", "charge", "--state", "all"]), ({"code": "unt001"}, ["--code", "unt001"]),
        ({"owner": ""}, ["--owner", "nobody"]), ({"due": "400"}, ["--due", "400"]), ({"payer": "med", "sort": "age"}, ["--payer", "med", "--sort", "age"]),
    ):  # fmt: skip
        ours = service.http.get("/cases", params={"limit": "1000", **query}, headers=biller).json()
        done = service.scrub("rework", "list", "--format", "json", *options)
        assert done.returncode == (1 if ours["cases"] else 0)
        assert ours["cases"] == [json.loads(line) for line in done.stdout.splitlines()], query
        assert ours["total"] == len(ours["cases"])
    whole = service.http.get("/cases", params={"limit": "1000", "state": "all"}, headers=biller).json()
    parts = [
        service.http.get("/cases", params={"limit": "2", "offset": str(start), "state": "all"}, headers=biller).json()
        for start in range(0, whole["total"], 2)
    ]
    assert [one for part in parts for one in part["cases"]] == whole["cases"]


def test_where_the_case_store_is_gone_checks_and_claims_go_on_and_cases_come_back(serve: Serve) -> None:
    service = serve()
    token = service.token("check", "submit", "read", "work", "admin")
    folder, aside = service.home / "state/desk", service.home / "aside"
    until = time.monotonic() + 20
    while service.http.get("/cases", headers=token).status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    folder.rename(aside)
    folder.write_bytes(b"in the way")
    kind = {"Content-Type": "application/json"}
    body = json.dumps(CLEAN).encode()
    gone = service.http.get("/cases", headers=token)
    assert (gone.status_code, gone.json()["type"]) == (503, "urn:claim-scrubber:problem:case-store-unusable")
    ready = service.http.get("/readyz")
    assert (ready.status_code, ready.json()["case_store"]) == (200, "unusable")
    assert service.http.post("/check", content=body, headers={**token, **kind}).status_code == 200
    assert service.http.post("/claims", content=body, headers={**token, **kind}).status_code == 202
    assert "scrub_case_store_up 0.0" in service.http.get("/metrics", headers=token).text
    folder.unlink()
    aside.rename(folder)
    assert service.http.get("/cases", headers=token).status_code == 200
    assert service.http.get("/readyz").json()["case_store"] == "ok"


def test_figures_are_those_of_scrub_status(service: Service, decide: Decide) -> None:
    decide(FAULTY | {"claim_id": "FIGURE-1"})
    admin = service.token("admin")
    status = json.loads(service.scrub("status", "--json").stdout)
    text = service.http.get("/metrics", headers=admin).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    told = service.scrub("status", "--format", "prometheus").stdout.decode().splitlines()
    names = {line.rsplit(" ", 1)[0] for line in told if not line.startswith("#")}
    assert len(names) > 15
    assert names <= figures.keys(), "a board may read either"
    assert float(figures["scrub_accepted_total"]) == status["accepted"]
    assert float(figures["scrub_waiting"]) == status["waiting"]
    assert float(figures["scrub_unreconciled"]) == status["balance"] == 0
    for outlet in status["outlets"]:
        assert float(figures[f'scrub_decided_total{{route="{outlet["name"]}"}}']) == outlet["count"]
    assert float(figures["scrub_cases_open"]) >= 1
    assert float(figures["scrub_case_store_up"]) == 1
    assert float(figures['scrub_http_seconds_count{route="POST /claims/search",status="200"}']) >= 1
    assert service.http.get("/readyz").json() | {"book": ""} == {
        "status": "ready", "redis": "ok", "audit": "ok", "tokens": "ok", "case_store": "ok", "book": "",
    }  # fmt: skip
