"""TLS to the nodes of a cluster, through a TLS proxy before each: the embedded server has none itself.

A node announces an address of its own; a certificate for a name wants `cluster-preferred-endpoint-type hostname`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.faults.server import Server
from tests.integration.helpers import event, quiet, until
from tests.integration.test_tls import proxy
from worker import bootstrap
from worker.config.settings import load_settings
from worker.errors import RedisUnusable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.producer import send
from worker.store import opening
from worker.store.rediserrors import CertificateUntrusted

from .conftest import PARTITIONS
from .nodes import Nodes


def certified(folder: Path) -> Path:
    """A certificate for the address that the nodes announce; answers an authority that has not signed it."""
    ca, issued = trustme.CA(), folder / "server.pem"
    ca.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")
    mine = ca.issue_cert("127.0.0.1")  # redis-py makes a number of the name localhost
    mine.private_key_pem.write_to_path(folder / "server.key")
    issued.write_bytes(b"".join(pem.bytes() for pem in mine.cert_chain_pems))
    return folder / "stranger.pem"


def said(nodes: Nodes, number: int) -> set[tuple[bytes, int]]:
    """Where a node says that all nodes are."""
    with nodes.servers[number].client as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("CLUSTER SLOTS")
        return {(one[2][0], one[2][1]) for one in connection.read_response()}


@pytest.mark.slow
def test_every_node_is_spoken_to_in_tls_and_its_certificate_is_looked_at(
    home: Path, broker: Server, unset: None
) -> None:
    stranger = certified(home)
    nodes = Nodes(home / "nodes", replicas=False)
    with ExitStack() as stack:
        stack.callback(nodes.end)
        nodes.start()
        ports = [stack.enter_context(proxy(home, one.folder / "s.sock")) for one in nodes.servers]
        for number, port in enumerate(ports):
            nodes.ask(number, "CONFIG", "SET", "cluster-announce-port", str(port))
        announced = {(b"127.0.0.1", port) for port in ports}
        until(lambda: all(said(nodes, number) == announced for number in range(3)), 30)

        def url(ca: Path) -> str:
            return f"rediss+cluster://127.0.0.1:{ports[0]},127.0.0.1:{ports[2]}?ssl_ca_certs={ca}"

        settings = load_settings(
            redis_url=url(home / "ca.pem"), broker_url=broker.url, state_dir=home / "state", partitions=PARTITIONS
        )
        with opening.open_store(settings) as store:
            consumer = bootstrap.inbox_consumer(store, quiet(store))
            send(store.redis, store.keys, [event(number) for number in range(40)], source="x", settings=settings)
            while not reconcile(store.redis, store.keys).settled:
                consumer.run()
            consumer.audit.close()
            assert reconcile(store.redis, store.keys).outlet("billing").count == 40
        with pytest.raises(RedisUnusable) as refused:
            opening.open_store(settings.model_copy(update={"redis_url": url(stranger)}))
        assert isinstance(refused.value, CertificateUntrusted)
