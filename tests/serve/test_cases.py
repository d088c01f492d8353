"""Cases and acts over HTTP: by facility, at the version that was seen, in the audit log, also where the store goes away.

What APIs of work lists were found to get wrong: acts of one facility on another's by a guessed id (OWASP API1), writes
over what somebody else had written (medplum/medplum#4062).
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from rules.authoring.examples import example_claim
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
        ({"owner": ""}, ["--owner", "nobody"]), ({"due": "400"}, ["--due", "400"]),
        ({"due": "past"}, ["--due", "past"]), ({"due": "unknown"}, ["--due", "unknown"]),
        ({"sort": "expected"}, ["--sort", "expected"]), ({"payer": "med", "sort": "age"}, ["--payer", "med", "--sort", "age"]),
    ):  # fmt: skip
        ours = service.http.get("/cases", params={"limit": "1000", **query}, headers=biller).json()
        done = service.scrub("rework", "list", "--format", "json", *options)
        assert done.returncode == (1 if ours["cases"] else 0)
        assert ours["cases"] == [json.loads(line) for line in done.stdout.splitlines()], query
        assert ours["total"] == len(ours["cases"])
    whole = service.http.get("/cases", params={"limit": "1000", "state": "all"}, headers=biller).json()
    assert whole["next"] is None
    parts = pages(service, biller, limit="2", state="all")
    assert [one for part in parts for one in part["cases"]] == whole["cases"]
    assert {part["total"] for part in parts} == {whole["total"]}, "of all pages"
    for after in ("x", parts[0]["next"]):
        wrong = service.http.get("/cases", params={"after": after, "sort": "charge"}, headers=biller)
        assert (wrong.status_code, wrong.json()["type"]) == (400, "urn:claim-scrubber:problem:place-unknown")
    assert service.http.get("/cases", params={"due": "soon"}, headers=biller).status_code == 422


@pytest.mark.parametrize(
    ("method", "url", "takes"),
    [
        ("GET", "/cases?offset=100", "after, code, due, limit, owner, payer, sort, state"),
        ("GET", "/cases?limit=5&limit=50", "after, code, due, limit, owner, payer, sort, state"),
        ("GET", "/cases/k7m2q9x4bd?PCN-CANARY=1", "none"),
        ("POST", "/claims/search?limit=5", "none"),
        ("POST", "/check?recieved=2026-03-01", "answers, received"),
    ],
)
def test_a_parameter_that_an_address_does_not_take_is_refused_and_not_said_again(
    service: Service, biller: Headers, method: str, url: str, takes: str
) -> None:
    """A client of before gave `offset`, and read the first page for ever; a misspelled day would judge as of today."""
    answer = service.http.request(method, url, headers=biller, json={"claim_ids": ["PCN-1"]})
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["errors"] == [{
        "pointer": "query",
        "detail": f"expected each parameter once, of those that this address takes: {takes}",
    }]  # fmt: skip
    assert "CANARY" not in answer.text


def pages(service: Service, token: Headers, **query: str) -> list[dict[str, Any]]:
    """Every page of a list, each by `next` of the one before."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["next"]:
        more = {"after": found[-1]["next"]} if found else {}
        found.append(service.http.get("/cases", params={**query, **more}, headers=token).json())
    return found


def test_claim_numbers_are_searched_page_by_page_and_those_without_a_case_are_named_on_each(
    service: Service, decide: Decide, biller: Headers
) -> None:
    numbers = [f"SEARCH-{number}" for number in range(5)]
    decide(*(FAULTY | {"claim_id": one} for one in numbers))
    asked: dict[str, Any] = {"claim_ids": [*numbers, "NEVER-1"], "limit": 2}
    seen = list[str]()
    while True:
        page = service.http.post("/claims/search", json=asked, headers=biller).json()
        seen += [one["claim_id"] for one in page["cases"]]
        assert (page["unknown"], page["total"], page["charge_cents"]) == (["NEVER-1"], 5, 5 * 66_000)
        assert not any(one in (page["next"] or "") for one in numbers)
        if page["next"] is None:
            break
        asked["after"] = page["next"]
    assert sorted(seen) == numbers


def test_a_place_of_another_facilitys_list_shows_none_of_its_cases(
    service: Service, decide: Decide, biller: Headers
) -> None:
    decide(FAULTY | {"claim_id": "PLACE-1"}, FAULTY | {"claim_id": "PLACE-2"})
    first = service.http.get("/cases", params={"limit": "1", "state": "all"}, headers=biller).json()
    north = service.token("read", name="nowhere", facilities=("NOWHERE",))
    other = service.http.get("/cases", params={"after": first["next"], "state": "all"}, headers=north).json()
    assert (other["cases"], other["total"], other["charge_cents"], other["expected"]) == ([], 0, 0, None)


def test_a_list_has_the_expected_payment_beside_the_charge_as_the_outlet_and_the_audit_log_have_it(
    service: Service, decide: Decide, biller: Headers
) -> None:
    base = example_claim("practitioner", {"diagnoses": ["XX"]}, {"filing_indicator": "MB"})
    medicare = {**base, "total_charge": "450.00"}
    decide(medicare | {"claim_id": "MONEY-1"}, FAULTY | {"claim_id": "MONEY-2"})
    found = service.http.post("/claims/search", json={"claim_ids": ["MONEY-1", "MONEY-2"]}, headers=biller).json()
    told = {one["claim_id"]: one["expected"] for one in found["cases"]}
    assert told["MONEY-1"] == {"kind": "range", "low_cents": 16_193, "high_cents": 18_000}
    assert told["MONEY-2"]["kind"] in ("unknown", "part")
    assert found["expected"] == {"cases": 1, "charge_cents": 45_000, "low_cents": 16_193, "high_cents": 18_000}
    (line,) = (one for one in service.audited("claim.scrubbed") if one["claim.claim_id"] == "MONEY-1")
    assert (line["claim.expected_cents"], line["claim.expected_high_cents"]) == (16_193, 18_000)
    text = service.scrub("rework", "list").stdout.decode()
    (row,) = (one for one in text.splitlines() if "MONEY-1" in one)
    assert re.search(r"\$450.00 +\$161.93 to \$180.00", row)
    (row,) = (one for one in text.splitlines() if "MONEY-2" in one)
    assert "unknown" in row or "for a part of it" in row
    assert re.search(r"[0-9]+ cases, \$[0-9,.]+ charged, expected: \$[0-9,.]+ to \$[0-9,.]+ for [0-9]+ of them", text)
    shown = service.scrub("rework", "show", "MONEY-1").stdout.decode()
    assert re.search(r"expected payment +\$161.93 to \$180.00", shown)
    table = service.scrub("rework", "list", "--format", "csv").stdout.decode()
    rows = {row["claim"]: row for row in csv.DictReader(io.StringIO(table))}
    assert [rows["MONEY-1"][name] for name in ("expected", "expected_low", "expected_high")] == [
        "range", "161.93", "180.00",
    ]  # fmt: skip
    assert rows["MONEY-2"]["expected_low"] != "0.00"
    highest = json.loads(
        service.scrub("rework", "list", "--sort", "expected", "--format", "json").stdout.splitlines()[0]
    )
    assert highest["claim_id"] == "MONEY-1"


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
