"""Scenarios of several servers: Sentinel with failovers, TLS, Redis Cluster."""

from __future__ import annotations

import shutil
import subprocess
import time

from redis import Redis

from worker.store.keys import Keys

from . import scenarios
from .proxy import Proxy
from .reckoning import Reckoning, reckon
from .scenarios import NotHere, scenario
from .server import BINARY, Server, free_port
from .stage import Stage

_LAG = 0.3
"""Seconds by which the replica is behind when the primary dies."""
_FIXED_AFTER = 8
"""Seconds after which the sentinels mend a replica that follows another address than they know."""


class Group:
    """A primary, a replica and three sentinels, all processes of their own."""

    def __init__(self, stage: Stage, **options: str) -> None:
        self._stage = stage
        self.servers = [stage.server, Server(stage.home / "replica")]
        self._sentinels: list[subprocess.Popen[bytes]] = []
        for server in self.servers:
            server.options |= {name.replace("_", "-"): value for name, value in options.items()}
            server.start()
        self._follow(self.servers[1], self.servers[0].port)
        ports = [self._watch(number) for number in range(3)]
        stage.environment["SCRUB_REDIS_URL"] = (
            "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in ports) + "/claims"
        )
        self._asked = Redis(port=ports[0], socket_timeout=5, decode_responses=True)
        stage.until(lambda: all(self._agreed(port) for port in ports))

    def _watch(self, number: int) -> int:
        folder, port = self._stage.home / f"sentinel-{number}", free_port()
        folder.mkdir()
        (folder / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor claims 127.0.0.1 {self.servers[0].port} 2\n"
            "sentinel down-after-milliseconds claims 1000\nsentinel failover-timeout claims 3000\n"
        )
        with (folder / "log").open("wb") as log:
            self._sentinels.append(subprocess.Popen(
                [BINARY, str(folder / "sentinel.conf"), "--sentinel"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            ))  # fmt: skip
        return port

    def _agreed(self, port: int) -> bool:
        with Redis(port=port, decode_responses=True) as sentinel:
            known = sentinel.sentinel_master("claims")
            return int(known["num-other-sentinels"]) == 2 and int(known["num-slaves"]) >= 1

    @staticmethod
    def _follow(replica: Server, port: int) -> None:
        with replica.client as client:
            client.replicaof("127.0.0.1", port)

    @property
    def primary(self) -> Server:
        port = int(self._asked.sentinel_get_master_addr_by_name("claims")[1])
        return next(server for server in self.servers if server.port == port)

    @property
    def replica(self) -> Server:
        primary = self.primary
        return next(server for server in self.servers if server is not primary)

    def synced(self) -> bool:
        """Whether the replica follows without a gap."""
        with self.replica.client as client:
            found = client.info("replication")
        return found["role"] == "slave" and found.get("master_link_status") == "up"

    def fail_over(self, lag: float) -> None:
        """kill -9 of the primary while the replica is some seconds behind; waits for the next, and mends the old."""
        self._stage.until(self.synced)
        old, new = self.primary, self.replica
        link = Proxy(old.port, delay=0)
        try:
            self._follow(new, link.port)
            self._stage.until(self.synced, _FIXED_AFTER)
            link.delay = lag
            self._stage.feed()
            time.sleep(self._stage.random.uniform(1, 2))
            old.kill()
            link.cut()
        finally:
            link.close()
        self._stage.until(lambda: self.primary is new)
        old.start()
        self._stage.until(self.synced)

    def end(self) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait(10)
        self._asked.close()
        for server in self.servers:
            server.kill()


def _failovers(stage: Stage, lag: float, **options: str) -> Reckoning:
    stage.parts_a_fault = 2
    group = Group(stage, **options)
    try:
        for worker in [stage.start(), stage.start()]:
            worker.wait_ready(60)
        for _ in stage.each():
            group.fail_over(lag)
            scenarios.recovered(stage)
        stage.settle()
        found = reckon(stage)
        # What the new primary never heard of is in the log all the same.
        scenarios.excuse(stage, found)
        return found
    finally:
        group.end()


@scenario("sentinel", 5, may_lose=True)
def sentinel(stage: Stage) -> Reckoning:
    """Sentinel moves on to a replica that is 0.3 seconds behind: what was confirmed to the producer in that time may be
    lost.
    """
    return _failovers(stage, _LAG)


@scenario("minimum", 5, may_lose=True)
def minimum(stage: Stage) -> Reckoning:
    """The same with min-replicas-to-write 1 and min-replicas-max-lag 1, which asks whether a replica was there within
    the last second, and not whether it has this very write.
    """
    return _failovers(stage, _LAG, min_replicas_to_write="1", min_replicas_max_lag="1")


@scenario("wait", 5)
def wait(stage: Stage) -> Reckoning:
    """The same with a producer that takes nothing for accepted that WAIT 1 has not confirmed, and sends it again."""
    stage.wait_replicas = 1
    return _failovers(stage, _LAG)


@scenario("waitaof", 5)
def waitaof(stage: Stage) -> Reckoning:
    """The same with WAITAOF 1 1: on the disk of the primary and of the replica."""
    with stage.server.start().client as client:
        known = client.execute_command("COMMAND", "INFO", "WAITAOF")
    stage.server.kill()
    if not any(known.values() if isinstance(known, dict) else known):
        raise NotHere("this server has no WAITAOF (Redis 7.2); name one that has in TEST_REDIS_SERVER")
    stage.wait_replicas, stage.wait_disk = 1, True
    return _failovers(stage, _LAG)


@scenario("tls", 5)
def tls(stage: Stage) -> Reckoning:
    """A rediss:// URL with a certificate that is checked, and kill -9 of the server."""
    if not shutil.which("openssl"):
        raise NotHere("openssl, which makes the certificate, is not installed")
    key, certificate = stage.home / "key.pem", stage.home / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    stage.server.options |= {
        "tls-port": str(port), "tls-cert-file": str(certificate), "tls-key-file": str(key),
        "tls-ca-cert-file": str(certificate), "tls-auth-clients": "no",
    }  # fmt: skip
    try:
        stage.server.start()
    except RuntimeError:
        raise NotHere("this server was built without TLS; put one with TLS on PATH") from None
    stage.server.kill()
    stage.environment["SCRUB_REDIS_URL"] = (
        f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={certificate}"
    )
    return scenarios.redis(stage)


@scenario("cluster", 10)
def cluster(stage: Stage) -> Reckoning:
    """Three nodes of a Redis Cluster: all keys of a partition are in one slot, and the node that has it is killed, and
    comes back from its file. Failovers to replicas: `tests/cluster/test_failover.py`.
    """
    nodes = [Server(stage.home / f"node-{number}") for number in range(3)]
    broker = Server(stage.home / "broker")
    stage.environment["SCRUB_BROKER_URL"] = broker.url
    try:
        broker.start()
        for node in nodes:
            node.options |= {"cluster-enabled": "yes", "cluster-require-full-coverage": "no"}
            node.start()
        edges = (0, 5461, 10923, 16384)
        for number, node in enumerate(nodes):
            with node.client as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
                client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            with node.client as client:
                stage.until(lambda client=client: b"cluster_known_nodes:3" in _info(client))  # type: ignore[misc]
                stage.until(lambda client=client: b"cluster_state:ok" in _info(client))  # type: ignore[misc]
        with nodes[0].client as client:
            slot = int(client.execute_command("CLUSTER KEYSLOT", Keys().inbox))
        home = next(node for number, node in enumerate(nodes) if edges[number] <= slot < edges[number + 1])
        stage.server = home
        stage.environment["SCRUB_REDIS_URL"] = "redis+cluster://" + ",".join(f"127.0.0.1:{one.port}" for one in nodes)
        found = scenarios.redis(stage)
        stage.notes.append(f"all keys in slot {slot}, on node {nodes.index(home) + 1} of 3")
        for node in nodes:
            with node.client as client:
                if node is not home and client.dbsize():
                    found.say(f"the node at {node.port} holds keys of ours")
        return found
    finally:
        for node in (*nodes, broker):
            node.kill()


def _info(client: Redis) -> bytes:
    answer = client.execute_command("CLUSTER INFO")
    return answer if isinstance(answer, bytes) else "\n".join(f"{k}:{v}" for k, v in answer.items()).encode()
