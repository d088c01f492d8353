"""A real Redis Cluster on loopback: primaries with a replica each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import ResponseError

from tests.faults.server import Server
from tests.integration.helpers import until

_SLOTS = 16_384
_OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": "1000",
    "cluster-require-full-coverage": "no",
    "cluster-replica-validity-factor": "0",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
}


@dataclass
class Nodes:
    """Its servers; the replica of primary n is the one behind all primaries."""

    folder: Path
    primaries: int = 3
    replicas: bool = True
    options: dict[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of two nodes, which are not the first."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{one.port}" for one in self.servers[1:3])

    def start(self) -> Nodes:
        count = self.primaries * (2 if self.replicas else 1)
        for number in range(count):
            folder = self.folder / f"node-{number}"
            self.servers.append(Server(folder, {**_OPTIONS, "unixsocket": str(folder / "s.sock"), **self.options}))
        for one in self.servers:
            one.start(wait=False)
        for one in self.servers:
            one.await_answer()
        for number in range(self.primaries):
            first, last = _SLOTS * number // self.primaries, _SLOTS * (number + 1) // self.primaries - 1
            self.ask(number, "CLUSTER ADDSLOTSRANGE", first, last)
            self.ask(number, "CLUSTER SET-CONFIG-EPOCH", number + 1)
        until(self._met, 120)
        for number in range(self.primaries, count):
            above = self.ask(number - self.primaries, "CLUSTER MYID").decode()
            until(lambda number=number, above=above: self._replicates(number, above), 120)  # type: ignore[misc]
        self.await_whole(120)
        return self

    def _met(self) -> bool:
        """On a busy machine a handshake may take longer than the node timeout, and is then forgotten: so it is repeated."""
        count = len(self.servers)
        if all(self.says(number, "cluster_known_nodes", count) for number in range(count)):
            return True
        for number in range(1, count):
            self.ask(number, "CLUSTER MEET", "127.0.0.1", self.servers[0].port)
        time.sleep(0.5)
        return False

    def _replicates(self, number: int, above: str) -> bool:
        try:
            self.ask(number, "CLUSTER REPLICATE", above)
        except ResponseError:  # it has not met it yet
            return False
        return True

    def await_whole(self, seconds: float = 30) -> None:
        """Every node that runs serves, and every replica follows."""
        until(self.whole, seconds)

    def whole(self) -> bool:
        running = [number for number, one in enumerate(self.servers) if one.runs]
        return all(self.says(number, "cluster_state", "ok") for number in running) and all(
            self.info(number)["role"] == "master" or self.info(number)["master_link_status"] == "up"
            for number in running
        )

    def ask(self, number: int, *command: Any) -> Any:
        with self.servers[number].client as client:
            return client.execute_command(*command)

    def says(self, number: int, name: str, wanted: object) -> bool:
        answer = self.ask(number, "CLUSTER INFO")
        said = answer if isinstance(answer, dict) else dict(
            line.split(":", 1) for line in answer.decode().split("\r\n") if ":" in line
        )  # fmt: skip
        return str(said.get(name)) == str(wanted)

    def info(self, number: int) -> Any:
        with self.servers[number].client as client:
            return client.info("replication")

    def holds(self, partition: int) -> int:
        """Which server is primary for a partition."""
        slot = key_slot(f"claims:{partition}".encode())
        number = slot * self.primaries // _SLOTS
        if self.replicas:
            return next(
                one for one in (number, number + self.primaries)
                if self.servers[one].runs and self.info(one)["role"] == "master"
            )  # fmt: skip
        return number

    def flush(self) -> None:
        for number, one in enumerate(self.servers):
            if one.runs and self.info(number)["role"] == "master":
                self.ask(number, "FLUSHALL")

    def kill(self, number: int, lag: float = 0) -> float:
        """kill -9; answers when. `lag`: for how many seconds its replica has had nothing more of it by then, as one
        that is far away or overloaded. (On one machine it has all that the kernel was given.)"""
        if lag:
            self.ask(number, "CONFIG", "SET", "requirepass", "not even its replica")  # who is there already stays
            with Redis(port=self.servers[number].port, password="not even its replica") as client:
                client.execute_command("CLIENT KILL TYPE replica")
            time.sleep(lag)
        self.servers[number].kill()
        return time.monotonic()

    def end(self) -> None:
        for one in self.servers:
            one.kill()
