"""Who has no token that counts gets nothing, and is in the audit log; tokens are kept as hashes, and shown once."""

from __future__ import annotations

import json
import re
import stat
import time
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import CLEAN, Serve, Service, ndjson

ROUTES = [
    ("POST", "/check", "check"), ("POST", "/claims", "submit"), ("GET", "/cases", "read"),
    ("GET", "/cases/2345678923", "read"), ("POST", "/claims/search", "read"), ("GET", "/metrics", "admin"),
    ("POST", "/cases/2345678923/note", "work"), ("GET", "/cases/2345678923/waive", "waive"),
    ("POST", "/cases/2345678923/waive", "waive"),
]  # fmt: skip
BODIES = {
    "/claims/search": {"claim_ids": ["PCN-1"]}, "/cases/2345678923/note": {"text": "x", "version": 1},
    "/cases/2345678923/waive": {
        "text": "x", "version": 1, "owner": "dana", "until": "2026-12-04", "content": "0" * 64, "findings": ["UNT001@1"],
    },
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_every_route_wants_its_right_and_a_refusal_is_in_the_audit_log(
    service: Service, method: str, path: str, scope: str
) -> None:
    others = [one for one in ("check", "submit", "read", "work", "waive", "admin") if one != scope]
    name = f"no-{scope}"
    asked = {"json": BODIES[path]} if path in BODIES else {"content": ndjson(CLEAN)} if method == "POST" else {}
    answer = service.http.request(method, path, headers=service.token(*others, name=name), **asked)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:claim-scrubber:problem:not-allowed"
    line = service.audited("access.refused")[-1]
    assert line["user.name"] == f"token:{name}"
    assert (line["access.reason"], line["access.address"]) == (f"wants the right {scope}", "127.0.0.1")
    assert line["access.route"] == f"{method} {path.replace('2345678923', '{handle}')}"


def test_no_token_a_wrong_one_an_expired_one_and_a_revoked_one(serve: Serve) -> None:
    service = serve()
    over = service.token("check", name="over", expires=datetime.now(UTC) - timedelta(seconds=1))
    gone = service.token("check", name="gone")
    body = {"content": ndjson(CLEAN), "headers": {"Content-Type": "application/x-ndjson"}}

    def status(token: dict[str, str]) -> int:
        return service.http.post(
            "/check", content=ndjson(CLEAN), headers={"Content-Type": "application/x-ndjson", **token}
        ).status_code

    assert status(gone) == 200
    (id,) = (one.id for one in service.tokens.all() if one.name == "gone")
    done = service.scrub("token", "revoke", id)
    assert done.returncode == 0
    almost = gone["Authorization"][:-1] + ("A" if gone["Authorization"][-1] != "A" else "B")
    wrong = [{}, {"Authorization": almost}, over, gone, {"Authorization": "Basic eDp4"}, {"Authorization": "Bearer"}]
    for token in wrong:
        answer = service.http.post("/check", **(body | {"headers": {**body["headers"], **token}}))  # type: ignore[arg-type, dict-item]
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    reasons = [(one["user.name"], one["access.reason"]) for one in service.audited("access.refused")]
    assert reasons == [
        ("", "there is no token"), ("", "the token is unknown"), ("token:over", "the token is expired"),
        ("token:gone", "the token is revoked"), ("", "the token is unknown"), ("", "there is no token"),
    ]  # fmt: skip
    assert service.scrub("audit", "verify").returncode == 0


def test_who_fails_often_waits_and_who_has_a_token_does_not(serve: Serve) -> None:
    service = serve()
    good = service.token("read")
    answers = [service.http.get("/cases", headers={"Authorization": "Bearer scrub_x_y"}) for _ in range(30)]
    assert [one.status_code for one in answers] == [401] * 10 + [429] * 20
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    assert service.http.get("/cases", headers=good).status_code == 200
    assert len(service.audited("access.refused")) == 10


def test_a_token_is_shown_once_and_kept_as_a_hash_in_a_file_of_its_owner_alone(service: Service) -> None:
    made = service.scrub("token", "add", "ehr", "--scope", "check", "--facility", "NORTH", "--expires", "2099-03-31")
    assert made.returncode == 0, made.stderr
    text = made.stdout.decode().strip()
    assert re.fullmatch(r"scrub_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", text)
    file = service.home / "state" / "tokens"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = text.rpartition("_")[2]
    assert secret not in file.read_text()
    listed = service.scrub("token", "list")
    assert (listed.returncode, secret.encode() in listed.stdout, b"ehr" in listed.stdout) == (0, False, True)
    shown = [json.loads(line) for line in service.scrub("token", "list", "--format", "json").stdout.splitlines()]
    (one,) = (one for one in shown if one["name"] == "ehr")
    assert (one["facilities"], one["scopes"], one["state"], one["expires"][:4]) == (
        ["NORTH"],
        ["check"],
        "valid",
        "2099",
    )
    assert "digest" not in one
    for arguments in (
        ["add", "EHR", "--scope", "check"],
        ["add", "ehr", "--scope", "fly"],
        ["revoke", "nobody"],
        ["add", "e", "--scope", "check", "--expires", "2020-01-01"],
    ):
        assert service.scrub("token", *arguments).returncode == 2


def test_a_file_of_tokens_that_others_may_read_lets_nobody_in(serve: Serve) -> None:
    service = serve()
    good = service.token("read")
    file = service.home / "state" / "tokens"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"\n")
    answer = service.http.get("/cases", headers=good)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:claim-scrubber:problem:tokens-unusable")
    ready = service.http.get("/readyz")
    assert (ready.status_code, ready.json()["tokens"]) == (503, "unusable")


def test_after_a_rotation_it_writes_on_under_the_key_in_force(serve: Serve) -> None:
    service = serve()
    service.http.get("/cases")
    done = service.scrub("secret", "rotate", "audit", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    key = json.loads((service.home / "state/audit").glob("*.jsonl").__next__().read_bytes().splitlines()[0])[
        "audit.key"
    ]
    until = time.monotonic() + 20
    while service.audited("access.refused")[-1]["audit.key"] == key:
        assert time.monotonic() < until
        service.http.get("/cases", headers=service.token("check"))
        time.sleep(0.5)
    assert service.scrub("audit", "verify").returncode == 0
