"""Every answer is guarded, every error is a problem (RFC 9457), and nothing of a claim is in a log or a URL."""

from __future__ import annotations

import pytest

from worker.serve.app import HEADERS

from .conftest import FAULTY, Serve, Service, ndjson


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 303), ("GET", "/nothing", 404), ("GET", "/check", 405), ("DELETE", "/cases", 405), ("GET", "/healthz", 200),
     ("GET", "/docs", 404), ("GET", "/openapi.json", 404), ("GET", "/cases/", 404), ("GET", "/cases/..%2f..%2fetc%2fpasswd", 404)],
)  # fmt: skip
def test_every_answer_has_the_headers(service: Service, method: str, path: str, status: int) -> None:
    answer = service.http.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "server" not in answer.headers
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert set(answer.json()) >= {"type", "title", "status", "detail"}


def test_a_request_that_is_not_as_expected_is_422_and_says_where_and_not_what(service: Service) -> None:
    token = service.token("read", "work")
    for path, body, where in (
        ("/claims/search", {"claim_ids": "CANARY-1"}, "body/claim_ids"),
        ("/claims/search", {"claim_ids": ["x"], "CANARY": 1}, None),
        ("/cases/2345678923/pend", {"until": "CANARY", "version": 1}, "body/until"),
        ("/cases/2345678923/close", {"reason": "CANARY", "version": 1}, "body/reason"),
    ):
        answer = service.http.post(path, json=body, headers=token)
        assert answer.status_code == 422, answer.text
        if where:
            assert [one["pointer"] for one in answer.json()["errors"]] == [where]
            assert "CANARY" not in answer.text
    answer = service.http.post(
        "/claims/search", content=b"{not json CANARY", headers={**token, "Content-Type": "application/json"}
    )
    assert (answer.status_code, "CANARY" in answer.text) == (422, False)
    assert service.http.get("/cases", params={"state": "CANARY"}, headers=token).status_code == 422


def test_nothing_of_a_claim_and_nothing_that_was_asked_for_is_in_the_log(serve: Serve) -> None:
    service = serve(SCRUB_LOG_LEVEL="debug")
    token = service.token("check", "submit", "read")
    claim = {**FAULTY, "claim_id": "CANARY-1", "patient": {**FAULTY["patient"], "first_name": "CANARYNAME"}}
    headers = {**token, "Content-Type": "application/x-ndjson"}
    assert service.http.post("/check", content=ndjson(claim), headers=headers).status_code == 200
    assert service.http.post("/claims", content=ndjson(claim), headers=headers).status_code == 202
    service.http.post("/check", content=b'{"CANARY": 1}', headers=headers)
    service.http.post("/claims/search", json={"claim_ids": ["CANARY-1"]}, headers=token)
    service.http.get("/CANARY?CANARY=1", headers={"Authorization": "Bearer CANARY"})
    service.http.get("/cases?owner=CANARY", headers={"Authorization": "Bearer CANARY"})
    assert service.end() == 0
    assert "CANARY" not in service.text()
    assert b"CANARY" not in b"".join(file.read_bytes() for file in (service.home / "state/audit").iterdir())


def test_a_port_that_is_taken_and_settings_that_are_wrong_are_said_in_a_sentence(service: Service) -> None:
    port = service.url.rpartition(":")[2]
    done = service.scrub("serve", "--port", port)
    assert (done.returncode, f"127.0.0.1 port {port} cannot be listened on".encode() in done.stderr) == (2, True)
    done = service.scrub("serve", "--port", "0", SCRUB_TIMEZONE="Mars")
    assert (done.returncode, b"expected a time zone" in done.stderr) == (2, True)
    done = service.scrub("serve", "--port", "0", SCRUB_STATE_DIR="/dev/null/x")
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
