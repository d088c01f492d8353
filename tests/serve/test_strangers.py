"""What strangers send: methods that nobody knows, headers twice, addresses by the million, bodies without an end.

A header that a client wrote stands before the one that a proxy adds: HAProxy's `option forwardfor` adds a line of its
own, and who reads the first line believes the client (haproxy/haproxy, documentation of `forwardfor`).
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from tests.serve.pages.conftest import PROXY, Person, decide
from worker.config.settings import Settings, load_settings
from worker.serve import gate, serving, webhook
from worker.serve.app import HEADERS
from worker.serve.gate import Limit, address_of, from_proxy, network_of, route_of
from worker.serve.pages import signin, visits
from worker.store import opening
from worker.store.connections import Store

from .conftest import FAULTY, Serve, Service


def request(*headers: tuple[str, str], peer: str = "127.0.0.1") -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw,
                             "client": (peer, 1), "scheme": "http", "server": ("desk", 80)}  # fmt: skip
    return Request(scope)


BEHIND = Settings(serve_proxies="127.0.0.1")


def test_the_address_is_the_last_that_was_forwarded_also_where_the_header_stands_twice() -> None:
    twice = request(("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "10.0.0.9"))
    assert address_of(twice, BEHIND) == "10.0.0.9"
    assert address_of(request(("X-Forwarded-For", "6.6.6.6, 10.0.0.9")), BEHIND) == "10.0.0.9"
    assert address_of(twice, Settings()) == "127.0.0.1"
    chain = Settings(serve_proxies="127.0.0.1,10.1.0.0/16")
    assert address_of(request(("X-Forwarded-For", "6.6.6.6, 10.0.0.9, 10.1.0.7")), chain) == "10.0.0.9"
    assert address_of(request(("X-Forwarded-For", "10.1.0.6, 10.1.0.7")), chain) == "10.1.0.6"
    with_port = {"192.0.2.7:4711": "192.0.2.7", "[2001:db8::7]:4711": "2001:db8::7", "[2001:db8::7]": "2001:db8::7"}
    for shown, bare in with_port.items():  # as gateways of clouds write it
        assert address_of(request(("X-Forwarded-For", f"6.6.6.6, {shown}")), chain) == bare
    for odd in ("", ",", "unknown", "10.0.0.9:47:11", "6.6.6.6, _hidden"):
        assert address_of(request(("X-Forwarded-For", odd)), chain) == "127.0.0.1", odd


def test_who_is_named_twice_is_nobody() -> None:
    name, groups = ("X-Forwarded-User", "dana"), ("X-Forwarded-Groups", "scrub-read")
    assert signin.by_proxy(request(name, groups), BEHIND)
    assert signin.by_proxy(request(("X-Forwarded-User", "admin"), name, groups), BEHIND) is None
    assert signin.by_proxy(request(name, ("X-Forwarded-Groups", "scrub-admin"), groups), BEHIND) is None


def test_nobody_is_called_like_a_token_or_like_nobody() -> None:
    for name in ("token:lab", "-"):
        assert signin.by_proxy(request(("X-Forwarded-User", name)), BEHIND) is None


def test_an_address_of_ipv4_that_came_over_ipv6_is_the_same_one() -> None:
    assert from_proxy(request(peer="::ffff:127.0.0.1"), BEHIND)
    assert signin.way(request(peer="::ffff:127.0.0.1"), Settings()) == "code"
    assert signin.way(request(peer="::ffff:10.0.0.9"), Settings()) == "none"


def test_a_name_that_leads_here_is_not_this_machine() -> None:
    """A page of another site may have its own name lead to 127.0.0.1, and is of the same origin then."""
    for host in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST", "127.9.9.9"):
        assert signin.way(request(("Host", host)), Settings()) == "code", host
    for host in (
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost.evil",
        "",
        "[::",
    ):
        assert signin.way(request(("Host", host)), Settings()) == "none", host


def test_who_has_a_whole_network_of_ipv6_is_one() -> None:
    limit = Limit()
    waits = [limit.failed(network_of(f"2001:db8::{number:x}"))[0] for number in range(gate.FAILURES + 1)]
    assert waits[-1] > 0
    assert limit.failed(network_of("2001:db8:0:1::1"))[0] == 0
    assert network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"


def test_a_route_is_named_by_its_own_methods() -> None:
    route = type("Route", (), {"path": "/healthz", "methods": {"GET"}})()
    assert route_of({"method": "GET", "route": route}) == "GET /healthz"
    assert route_of({"method": "SMITH-JOHN", "route": route}) == "(other) /healthz"
    assert route_of({"method": "GET"}) == "(none)"


def test_texts_of_who_is_not_signed_in_are_few() -> None:
    found = visits.Visits()
    for number in range(100):
        found.keep_text("cookie", f"/cases/{number}/note", "x")
    kept = next(iter(found._kept.values()))
    assert len(kept) <= 8
    assert "/cases/99/note" in kept


def test_methods_that_nobody_knows_make_no_figures(service: Service) -> None:
    for number in range(5):
        assert service.http.request(f"SMITH{number}", "/healthz").status_code == 405
    figures = service.http.get("/metrics", headers=service.token("admin")).text
    assert "SMITH" not in figures


def test_who_has_no_token_sends_no_body_without_an_end(service: Service) -> None:
    """FastAPI reads the body of a route before it asks who is there."""
    for path in ("/claims/search", "/cases/2345678923/note"):
        assert service.http.post(path, content=b"x" * 300_000).status_code == 413
        assert b" 413 " in _answered_before_the_end(service, path)


def _answered_before_the_end(service: Service, path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with _line(service) as line:
        line.sendall(head.encode())
        for _ in range(8):
            line.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        return line.recv(1_024).partition(b"\r\n")[0]


def _line(service: Service) -> socket.socket:
    host, port = service.http.base_url.host, service.http.base_url.port
    assert port
    return socket.create_connection((host, port), timeout=50)


def test_a_page_that_is_not_signed_in_keeps_nothing_of_who_cannot_sign_in_from_there(service: Service) -> None:
    answer = service.http.post(
        "/cases/k7m2q9x4bd/note", data={"text": "kept words"},
        headers={"Accept": "text/html", "X-Forwarded-For": "10.0.0.9"},
    )  # fmt: skip
    assert answer.status_code == 403
    assert "what you wrote is shown again" not in answer.text


def test_an_owner_is_a_name_on_one_line(service: Service) -> None:
    for owner in ("a\nb", "\x1b[31mred", "turned\u202e"):
        answer = service.http.post(
            "/cases/2345678923/assign", json={"owner": owner, "version": 1}, headers=service.token("work")
        )
        assert answer.status_code == 422, owner


def test_where_redis_goes_in_the_middle_of_an_act_nobody_says_that_nothing_was_done(serve: Serve) -> None:
    """The act is ended when Redis is back: who is told to do it again does it twice."""
    service = serve(**PROXY)
    token, dana = service.token("read", "work"), Person(service)
    decide(service, FAULTY | {"claim_id": "MIDDLE-1"})
    (case,) = service.http.post("/claims/search", json={"claim_ids": ["MIDDLE-1"]}, headers=token).json()["cases"]
    dana.get(f"/cases/{case['handle']}/note")
    with opening.open_store(load_settings(state_dir=service.home / "state")) as store:
        os.kill(int(store.redis.info("server")["process_id"]), signal.SIGKILL)
    about = {"text": "once", "version": case["version"]}
    answer = service.http.post(f"/cases/{case['handle']}/note", json=about, headers=token)
    assert answer.status_code == 503
    assert [one["case.handle"] for one in service.audited("case.noted")] == [case["handle"]]
    assert "Nothing was done" not in answer.json()["detail"]
    assert "look whether it was done" in answer.json()["detail"]
    page = dana.post(f"/cases/{case['handle']}/note", 503, version=str(case["version"]), text="my words")
    assert "my words</textarea>" in page


def test_what_nobody_foresaw_ends_neither_the_list_nor_the_webhook(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The threads are the only ones of their kind: without them no case comes in any more, and nobody notices."""
    tries: dict[str, int] = {"cases": 0, "webhook": 0}

    def broken(name: str) -> Callable[..., None]:
        def fails(*_: object) -> None:
            tries[name] += 1
            raise KeyError("CANARY")

        return fails

    monkeypatch.setattr(serving, "follow", broken("cases"))
    monkeypatch.setattr(webhook.Webhook, "run", broken("webhook"))
    monkeypatch.setattr(serving, "AGAIN", 0.1)
    secret = tmp_path / "secret"
    os.close(os.open(secret, os.O_CREAT, 0o600))
    secret.write_text("whsec_" + "A" * 43 + "=")
    about = {"webhook": "https://hooks.example/", "webhook_secret_file": secret}
    with closing(serving.Serving(replace(store, settings=store.settings.model_copy(update=about)))) as found:
        for thread in found._threads:
            thread.start()
        until = time.monotonic() + 20
        while min(tries.values()) < 3:
            assert time.monotonic() < until, tries
            time.sleep(0.05)
    assert "KeyError" in caplog.text
    assert "CANARY" not in caplog.text


def test_a_request_of_two_lengths_is_refused_and_what_comes_behind_it_is_not_heard(service: Service) -> None:
    """Behind a proxy that goes by the other length, the rest is a request that no proxy has seen (RFC 9112, 6.1)."""
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    head = b"POST /check HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
    with _line(service) as line:
        line.sendall(head % (5 + len(smuggled)) + b"0\r\n\r\n" + smuggled)
        answers = b"".join(iter(lambda: line.recv(4_096), b""))
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"content-security-policy" in answers


@pytest.mark.slow
def test_who_sends_slowly_is_not_waited_for(service: Service) -> None:
    """Each open line is one of those that the machine has; uvicorn waits for a head without an end."""
    form = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    token = service.token("check", "submit")["Authorization"].encode()
    large = b"POST /%b HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %b\r\nContent-Type: application/json\r\n"
    with (
        _line(service) as empty, _line(service) as head, _line(service) as again, _line(service) as body,
        _line(service) as checked, _line(service) as sent,
    ):  # fmt: skip
        checked.sendall(large % (b"check", token) + b"Content-Length: 900000\r\n\r\n{")
        sent.sendall(large % (b"claims", token) + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        head.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        again.sendall(whole + b"GET /healthz")
        body.sendall(form + b"Content-Length: 9\r\n\r\ncode=")
        assert empty.recv(1_024) == b""
        assert head.recv(1_024) == b""
        assert again.recv(4_096).startswith(b"HTTP/1.1 200 ")
        assert b"".join(iter(lambda: again.recv(1_024), b"")).count(b"HTTP/1.1 ") == 0
        for each in (body, checked, sent):
            assert each.recv(4_096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x00", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"CANARY\r\n\r\n"])
def test_what_is_no_http_is_answered_as_all_else_is(service: Service, said: bytes) -> None:
    """uvicorn answers it itself, and of what every answer carries there was nothing on it."""
    with _line(service) as line:
        line.sendall(said + b"\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(4_096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    for name in HEADERS:
        assert name.lower().encode() in answer.lower()
    assert b"CANARY" not in answer
