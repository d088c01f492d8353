"""Servers that cannot be used, each in a way of its own: real ones of the embedded binary, and sockets that answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from worker.store.embedded import server_binary

from .helpers import until


@dataclass
class Plain:
    """A server without users, on a port of this machine."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    clients: list[Redis] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Redis:
        self.clients.append(Redis(port=self.port, **options))
        return self.clients[-1]


def free_port(most: int = 65_535) -> int:
    while True:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            if (port := int(taken.getsockname()[1])) <= most:
                return port


@contextlib.contextmanager
def plain(
    folder: Path, *options: str, sentinel: str = "", ready: Callable[[Redis], object] = Redis.ping
) -> Iterator[Plain]:
    """Starts it, with the settings that claims want unless `options` say otherwise; `sentinel`: its configuration."""
    folder.mkdir(exist_ok=True)
    # A node of a cluster listens on a second port, 10,000 higher.
    port = free_port(55_535 if "--cluster-enabled" in options else 65_535)
    binary = server_binary()
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    arguments = [binary, *own, "--enable-protected-configs", "yes", *options]
    if sentinel:
        (folder / "sentinel.conf").write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{sentinel}\n")
        arguments = [binary, str(folder / "sentinel.conf"), "--sentinel"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    server = Plain(folder, port, process)
    try:
        client = server.client()

        def up() -> bool:
            try:
                return bool(ready(client))
            except (RedisError, OSError):
                return False

        until(lambda: process.poll() is not None or up(), 30, (folder / "server.log").read_text)
        assert process.poll() is None, (folder / "server.log").read_text()
        yield server
    finally:
        for client in server.clients:
            client.close()
        process.kill()
        process.wait(20)


@contextlib.contextmanager
def busy(server: Plain) -> Iterator[None]:
    """A script that never ends by itself, and only reads."""
    server.client().config_set("busy-reply-threshold", 10)
    client = server.client(socket_timeout=None)

    def run() -> None:
        with contextlib.suppress(RedisError):
            client.eval("while true do redis.call('EXISTS', 'none') end", 0)

    over = threading.Thread(target=run)
    over.start()
    killer = server.client()

    def is_busy() -> bool:
        try:
            killer.ping()
        except ResponseError as error:
            return str(error).startswith("BUSY")
        return False

    try:
        until(is_busy)
        yield
    finally:
        killer.script_kill()
        over.join(20)


@contextlib.contextmanager
def http() -> Iterator[str]:
    """A web server."""
    server = HTTPServer(("127.0.0.1", 0), _Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextlib.contextmanager
def says(answer: bytes | None, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Takes every connection and sends this whatever it is asked, as a proxy may; None: it never answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                # Held beside it: closed with something unread, it would take back what was said last, an alert too.
                raw = connection.dup()
                held.append(raw)
                try:
                    connection = context.wrap_socket(connection, server_side=True) if context else connection
                except OSError:
                    raw.shutdown(socket.SHUT_WR)
                    continue
                held.append(connection)
                if answer is not None:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in held:
            connection.close()


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """A port that answers no connection, as behind a firewall that drops: its queue of connections is full."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(listening.getsockname())
        waiting.append(one)
    time.sleep(0.1)
    try:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for one in waiting:
            one.close()
        listening.close()
