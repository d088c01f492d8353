"""A real server on a loopback port, which can be killed and started again from its append-only file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from worker.store.embedded import server_binary

BINARY = os.environ.get("TEST_REDIS_SERVER") or server_binary()


def free_port() -> int:
    """A port that nobody listens on; below the range that the kernel hands out, so that no connection takes it."""
    for _ in range(100):
        port = 10_000 + int.from_bytes(os.urandom(2)) % 20_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("there is no free port")


@dataclass
class Server:
    """One server process in a folder of its own."""

    folder: Path
    options: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def client(self) -> Redis:
        """One that passes on what the server says, and tries nothing twice."""
        return Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    def start(self, *, wait: bool = True, **options: str) -> Server:
        """Starts it, unless it runs, with these options besides; `_` in a name stands for `-`."""
        if self.runs:
            return self
        self.folder.mkdir(exist_ok=True, parents=True)
        chosen = {
            "port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "appendonly": "yes",
            "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction", **self.options,
            **{name.replace("_", "-"): value for name, value in options.items()},
        }  # fmt: skip
        arguments = [part for name, value in chosen.items() for part in (f"--{name}", *value.split(" "))]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, *arguments], env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            self.await_answer()
        return self

    def await_answer(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not self.answers():
            if time.monotonic() > deadline or (self.process and self.process.poll() is not None):
                raise RuntimeError((self.folder / "server.log").read_text("utf-8", "replace")[-1500:])
            time.sleep(0.01)

    def answers(self) -> bool:
        try:
            with self.client as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        if self.process and self.runs:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def again(self, down: float = 0) -> None:
        """kill -9, and a start from the file some seconds later."""
        assert self.runs, "there is no server to kill"
        self.kill()
        time.sleep(down)
        self.start()
