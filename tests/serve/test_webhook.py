"""The webhook against a real HTTPS receiver that checks signatures as Standard Webhooks has it.

What receivers ask of senders: the same id when it is sent again, so that they can drop it (standard-webhooks), and no
later state of a thing before an earlier one (medusajs/medusa#3237).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import inspect
import json
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from worker.config.settings import load_settings
from worker.serve.webhook import ATTEMPTS, Webhook, load_key
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Serve, Service, ndjson

KEY = bytes(range(32))
Send = Callable[..., None]


@dataclass
class Receiver:
    """Takes what is signed; `refuses` says which bodies it does not take, and with which status."""

    url: str
    certificate: Path
    refuses: Callable[[dict[str, Any]], int] = lambda _: 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tries: int = 0


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    certificate = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(certificate))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.tries += 1
            body = self.rfile.read(int(self.headers["content-length"]))
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            right = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
            status = 401 if self.headers["webhook-signature"] != right else found.refuses(json.loads(body)) or 204
            if status == 204:
                found.taken.append(json.loads(body))
                found.ids.append(self.headers["webhook-id"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Receiver(f"https://localhost:{server.server_port}/hook?x=1", certificate)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hook(store: Store, receiver: Receiver, tmp_path: Path) -> Webhook:
    settings = load_settings(state_dir=tmp_path / "s", webhook=receiver.url, webhook_secret_file=tmp_path / "k")
    return Webhook(settings, store.redis, store.keys, KEY, ssl.create_default_context(cafile=str(receiver.certificate)))


def run(hook: Webhook, store: Store) -> list[float]:
    """Until nothing is left to tell; answers for how long it would have waited between attempts."""
    while store.redis.time() == store.redis.time():
        pass
    waits, rounds = list[float](), iter([False, True])

    def ended(seconds: float) -> bool:
        if seconds == 1 and not hook_busy(hook):
            return next(rounds)
        waits.append(seconds)
        return False

    hook.run(ended)
    return waits


def hook_busy(hook: Webhook) -> bool:
    return any(frame.function == "_deliver" for frame in inspect.stack())


@pytest.fixture
def decide(store: Store) -> Send:
    from worker import bootstrap
    from worker.pipeline.notification import Notifier
    from worker.pipeline.producer import send

    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))

    def decide(*claims: dict[str, Any]) -> None:
        send(store.redis, store.keys, claims, source="/ehr", settings=store.settings)
        consumer.run()

    return decide


def test_each_decision_is_told_once_signed_in_order_and_without_the_claim(
    store: Store, hook: Webhook, receiver: Receiver, decide: Send
) -> None:
    decide(CLEAN | {"claim_id": "BEFORE"})
    run(hook, store)
    assert receiver.taken == [], "what was decided before it was switched on is not told"
    for number in range(3):
        decide(
            FAULTY | {"claim_id": "HOOK-1", "total_charge": f"66{number}.00"}, CLEAN | {"claim_id": f"HOOK-2{number}"}
        )
    run(hook, store)
    assert [one["data"]["claim_id"] for one in receiver.taken if one["data"]["claim_id"] == "HOOK-1"] == ["HOOK-1"] * 3
    stamps = [one["timestamp"] for one in receiver.taken if one["data"]["claim_id"] == "HOOK-1"]
    assert stamps == sorted(stamps)
    assert len(receiver.taken) == len(set(receiver.ids)) == 6
    text = json.dumps(receiver.taken)
    for private in ('claim":', "birth_date", "member_id", CLEAN["subscriber"]["member_id"]):
        assert private not in text
    held = next(one["data"] for one in receiver.taken if one["data"]["claim_id"] == "HOOK-1")
    assert held["disposition"] == "rework"
    assert "UNT001" in {one["code"] for one in held["findings"]}
    run(hook, store)
    assert len(receiver.taken) == 6


def test_what_is_refused_comes_again_later_and_later_and_is_put_aside_in_the_end(
    store: Store, hook: Webhook, receiver: Receiver, decide: Send
) -> None:
    run(hook, store)
    receiver.refuses = lambda body: 500 if body["data"]["claim_id"] == "POISON" else 0
    decide(CLEAN | {"claim_id": "POISON"}, CLEAN | {"claim_id": "AFTER"})
    waits = run(hook, store)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert receiver.tries == ATTEMPTS + 1
    assert [one["data"]["claim_id"] for one in receiver.taken] == ["AFTER"]
    (dead,) = (json.loads(line) for line in (hook.settings.state_dir / "webhook/dead").read_bytes().splitlines())
    assert (dead["claim_id"], dead["reason"]) == ("POISON", "it answers 500")


def test_a_stranger_in_its_place_is_told_nothing(store: Store, hook: Webhook, receiver: Receiver, decide: Send) -> None:
    hook.tls = ssl.create_default_context()
    run(hook, store)
    decide(CLEAN | {"claim_id": "STRANGER"})
    run(hook, store)
    assert receiver.tries == 0
    (dead,) = (json.loads(line) for line in (hook.settings.state_dir / "webhook/dead").read_bytes().splitlines())
    assert dead["reason"] == "it does not answer (SSLCertVerificationError)"


def test_a_name_that_no_resolver_takes_is_no_answer(store: Store, hook: Webhook, receiver: Receiver) -> None:
    hook.settings = hook.settings.model_copy(update={"webhook": f"https://{'a' * 64}.example/"})
    assert hook._send("d", b"{}") == ("it does not answer (UnicodeError)", 0)


def test_what_was_not_taken_before_a_kill_is_told_after_it(serve: Serve, receiver: Receiver, tmp_path: Path) -> None:
    receiver.refuses = lambda _: 503
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(KEY).decode())
    secret.chmod(0o600)
    assert load_key(secret) == KEY
    env = {
        "SCRUB_WEBHOOK": receiver.url,
        "SCRUB_WEBHOOK_SECRET_FILE": str(secret),
        "SSL_CERT_FILE": str(receiver.certificate),
        "SCRUB_WEBHOOK_CLAIMS": "true",
    }
    service = serve(**env)
    token = service.token("submit")
    until = time.monotonic() + 30
    while not (service.home / "state/webhook/told").exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    headers = {**token, "Content-Type": "application/x-ndjson"}
    assert service.http.post("/claims", content=ndjson(CLEAN), headers=headers).status_code == 202
    from worker import bootstrap
    from worker.pipeline.notification import Notifier
    from worker.store import opening

    with opening.open_store(load_settings(state_dir=service.home / "state")) as store:
        consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
        consumer.run()
        consumer.audit.close()
    until = time.monotonic() + 30
    while not receiver.tries:
        assert time.monotonic() < until, service.text()
        time.sleep(0.1)
    assert service.end(signal.SIGKILL) == -signal.SIGKILL
    receiver.refuses = lambda _: 0
    again = Service(service.home, **env)
    until = time.monotonic() + 30
    while not receiver.taken:
        assert time.monotonic() < until, again.text()
        time.sleep(0.1)
    assert receiver.taken[0]["data"]["claim"]["claim_id"] == "DEMO-0001"
    done = again.scrub("webhook", "dead")
    assert (done.returncode, done.stdout) == (0, b"None.\n")
    assert again.end() == 0


@pytest.mark.parametrize("url", ["http://x/", "https://u:p@x/", "https://", "ftp://x", "https://x/ y", "https://x/#f"])
def test_an_address_that_is_no_https_is_refused(unset: None, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    from worker.errors import SettingsInvalid

    monkeypatch.setenv("SCRUB_WEBHOOK", url)
    with pytest.raises(SettingsInvalid, match="SCRUB_WEBHOOK: expected a URL as https://host/path"):
        load_settings()
