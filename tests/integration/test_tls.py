"""TLS to Redis, with real certificates: through a TLS proxy before the embedded server, which has no TLS itself, and
with a Redis that has, where one is installed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.ops.test_container import SECURED
from worker.client import consume
from worker.config.settings import Settings, load_settings
from worker.errors import RedisUnreachable
from worker.store import opening

from .guarded import OPS, Guarded, guarded
from .helpers import Worker, event, settled


@dataclass
class Secured:
    """A server behind TLS, and the certificates around it."""

    server: Guarded
    port: int
    folder: Path
    mutual: bool

    def environment(self, user: str, host: str = "localhost", ca: str = "ca.pem", mine: bool = True) -> dict[str, str]:
        url = f"rediss://{user}@{host}:{self.port}/0?ssl_ca_certs={self.folder / ca}"
        if self.mutual and mine:
            url += f"&ssl_certfile={self.folder / 'client.pem'}&ssl_keyfile={self.folder / 'client.key'}"
        return {
            "SCRUB_REDIS_URL": url,
            "SCRUB_REDIS_PASSWORD_FILE": str(self.server.password(user)),
            "SCRUB_STATE_DIR": str(self.folder / "state"),
        }

    def settings(self, *arguments: Any, **named: Any) -> Settings:
        known = self.environment(*arguments, **named)
        return load_settings(**{name.removeprefix("SCRUB_").lower(): value for name, value in known.items()})


def certificates(folder: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")
    for name, issued in (("server", ca.issue_cert("localhost")), ("client", ca.issue_cert("worker.example"))):
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))


@contextlib.contextmanager
def proxy(folder: Path, target: Path) -> Iterator[int]:
    """Ends TLS on a port of this machine and passes what is inside on to a socket."""
    loop = asyncio.new_event_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError, ssl.SSLError):
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_unix_connection(str(target))
        await asyncio.gather(copy(reader, before), copy(behind, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "localhost", 0, ssl=context, family=socket.AF_INET))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:

        def end() -> None:
            server.close()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.call_later(0.2, loop.stop)

        loop.call_soon_threadsafe(end)
        thread.join()
        loop.close()


def with_tls() -> str | None:
    """A Redis or Valkey on this machine that was built with TLS."""
    for name in (os.environ.get("TEST_REDIS_SERVER"), "redis-server", "valkey-server"):
        found = shutil.which(name) if name else None
        if found:
            said = subprocess.run([found, "--tls-port", "x"], capture_output=True, text=True, check=False)
            assert said.returncode == 1, "no port is called x"
            if "Bad directive" not in said.stdout + said.stderr:
                return found
    return None


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(params=["proxy", "server"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("t")
    certificates(folder)
    if request.param == "proxy":
        with guarded(folder) as server, proxy(folder, server.socket) as port:
            yield Secured(server, port, folder, mutual=False)
        return
    binary = with_tls()
    if binary is None:
        pytest.skip("no redis-server or valkey-server with TLS is on PATH, nor named by TEST_REDIS_SERVER")
    port = free_port()
    # The container's own arguments, with this test's port and files, and a client's certificate asked for.
    places = {"6379": str(port), "no": "yes"} | {
        f"/run/secrets/redis-{name}": str(folder / file)
        for name, file in {"cert": "server.pem", "key": "server.key", "ca": "ca.pem"}.items()
    }
    flat = [places.get(word, word) for word in SECURED["services"]["redis"]["command"]]
    with guarded(folder, *flat, binary=binary) as server:
        yield Secured(server, port, folder, mutual=True)


def test_claims_and_notifications_go_through_tls(secured: Secured) -> None:
    worker = Worker(secured.folder, env=secured.environment("worker")).wait_ready()
    try:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        sent = subprocess.run(
            [sys.executable, "-m", "worker", "submit", "-"], input=b"\n".join(event(n) for n in range(20)),
            env={**clean, **secured.environment("producer")}, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert sent.returncode == 0, sent.stderr
        with opening.open_store(secured.settings("operator")) as store:
            settled(store, 20)
        entries = list(consume("billing", settings=secured.settings("billing"), follow=False))
        entries += consume("rework", settings=secured.settings("rework"), follow=False)
        assert len(entries) == 20
        # The broker's connections too: nothing but TLS is open to it.
        assert f"rediss://worker:**@localhost:{secured.port}" in worker.text()
        assert worker.stop() == 0
    finally:
        worker.kill()


def refused(settings: Settings) -> str:
    with pytest.raises(RedisUnreachable) as caught:
        opening.open_store(settings).close()
    return str(caught.value)


def test_a_server_with_a_strangers_certificate_is_refused(secured: Secured) -> None:
    assert "no authority known here has signed" in refused(secured.settings("worker", ca="stranger.pem"))


def test_a_server_under_another_name_is_refused(secured: Secured) -> None:
    assert "that is for another host" in refused(secured.settings("worker", host="127.0.0.1"))


def test_without_its_certificate_a_client_is_refused_where_the_server_wants_one(secured: Secured) -> None:
    if not secured.mutual:
        pytest.skip("the proxy asks for no certificate of a client")
    assert "wants a certificate of this client" in refused(secured.settings("worker", mine=False))


def test_a_worker_does_not_start_where_the_certificate_is_a_strangers(secured: Secured) -> None:
    worker = Worker(secured.folder, env=secured.environment("worker", ca="stranger.pem"))
    try:
        assert worker.process.wait(60) != 0
        assert "no authority known here has signed" in worker.text()
        assert "Traceback" not in worker.text()
        assert secured.server.password("worker").read_text().strip() not in worker.text()
    finally:
        worker.kill()


@pytest.mark.skipif(
    not shutil.which("redis-cli"), reason="redis-cli, which the container of Redis has, is not installed"
)
def test_the_containers_health_check_goes_through_tls(secured: Secured) -> None:
    command = SECURED["services"]["redis"]["healthcheck"]["test"][1:]
    command[0] = str(OPS / "redis/healthy.sh")
    command[command.index("--cacert") + 1] = str(secured.folder / "ca.pem")
    command += ["-p", str(secured.port)]
    if secured.mutual:
        command += ["--cert", str(secured.folder / "client.pem"), "--key", str(secured.folder / "client.key")]
    environment = {**os.environ, "SECRETS": str(secured.folder / "secrets")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "Unrecognized option" in done.stderr:
        pytest.skip("the installed redis-cli has no TLS")
    assert (done.returncode, done.stderr) == (0, "")
