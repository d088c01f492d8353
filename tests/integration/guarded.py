"""A server as `ops/redis/` describes it: its settings, its users with their passwords, started by its own script.

It is the embedded binary; the variable TEST_REDIS_SERVER names another one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.integration.helpers import until
from worker.config.settings import Settings, load_settings
from worker.store.embedded import server_binary

OPS = Path(__file__).parents[2] / "ops"


@dataclass
class Guarded:
    """The running server."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int = 0
    clients: list[Redis] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.folder / "s.sock"

    def password(self, user: str) -> Path:
        return self.folder / "secrets" / f"redis-{user}"

    def client(self, user: str, **options: Any) -> Redis:
        secret = self.password(user).read_text().strip()
        self.clients.append(Redis(unix_socket_path=str(self.socket), username=user, password=secret, **options))
        return self.clients[-1]

    def environment(self, user: str) -> dict[str, str]:
        return {
            "SCRUB_REDIS_URL": f"unix://{user}@{self.socket}",
            "SCRUB_REDIS_PASSWORD_FILE": str(self.password(user)),
            "SCRUB_STATE_DIR": str(self.folder / "state"),
        }

    def settings(self, user: str) -> Settings:
        known = {name.removeprefix("SCRUB_").lower(): value for name, value in self.environment(user).items()}
        return load_settings(**known)

    def log(self) -> str:
        return (self.folder / "server.log").read_text("utf-8", "replace")


@contextmanager
def guarded(folder: Path, *options: str, binary: str | None = None) -> Iterator[Guarded]:
    """Starts it with passwords of its own, and ends it. The same folder again: the same server, restarted."""
    secrets, run, data = folder / "secrets", folder / "run", folder / "data"
    run.mkdir(mode=0o700, exist_ok=True)
    data.mkdir(exist_ok=True)
    subprocess.run([OPS / "secrets.sh", secrets], check=True, capture_output=True)
    environment = {
        **os.environ,
        "SECRETS": str(secrets),
        "RUN": str(run),
        "DATA": str(data),
        "REDIS_SERVER": binary or os.environ.get("TEST_REDIS_SERVER") or server_binary(),
    }
    where = ["--port", "0", "--unixsocket", str(folder / "s.sock")]
    with (folder / "server.log").open("wb") as log:
        command = [str(OPS / "redis" / "start.sh"), *where, *options]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    server = Guarded(folder, process)
    try:
        until(lambda: process.poll() is not None or answers(server), output=server.log)
        assert process.poll() is None, server.log()
        yield server
    finally:
        for client in server.clients:
            client.close()
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


def answers(server: Guarded) -> bool:
    try:
        with server.client("monitor") as client:
            return bool(client.ping())
    except RedisError:
        return False
