"""The address of a Redis Cluster, and what of the settings goes with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError, ClusterDownError, ResponseError

from worker.config import cluster
from worker.config.cluster import Cluster
from worker.config.settings import load_settings
from worker.errors import BrokerMissing, SettingsInvalid
from worker.store import connections, reachability, rediserrors
from worker.store.cluster import NodeLost


def test_an_address_names_nodes_login_and_options() -> None:
    found = Cluster.parse("rediss+cluster://app:p%40ss@a:1,b,[::1]:3?ssl_ca_certs=/ca.pem")
    assert found == Cluster((("a", 1), ("b", 6379), ("::1", 3)), True, "app", "p@ss", "ssl_ca_certs=/ca.pem")
    assert found.url(2) == "rediss://[::1]:3?ssl_ca_certs=/ca.pem"
    assert str(found) == "cluster of a:1, b:6379, [::1]:3"
    assert cluster.of("redis://a") is None
    assert cluster.of(None) is None


@pytest.mark.parametrize(
    "url",
    ["redis+cluster://", "redis+cluster:///0", "redis+cluster://a:x", "redis+cluster://a,,b", "redis+cluster://a:0",
     "redis+cluster://a/1", "redis+cluster://a?db=0", "redis+cluster://a#b", "redis+cluster://a?nonsense=1",
     "redis+cluster://a?ssl_ca_certs=/ca.pem", "redis+cluster://a?password=x", "redis+cluster://a..b"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="SCRUB_REDIS_URL: "):
        load_settings(redis_url=url)


def test_the_password_is_in_no_message_and_in_one_place(tmp_path: Path) -> None:
    settings = load_settings(redis_url="redis+cluster://:secret@a:1,b:2")
    assert reachability.where(settings) == "cluster of a:1, b:2"
    with pytest.raises(SettingsInvalid, match="SCRUB_REDIS_URL has a password already"):
        load_settings(redis_url="redis+cluster://:secret@a:1", redis_password_file=tmp_path / "password")


def test_the_notifications_want_a_broker_of_their_own() -> None:
    """Celery and kombu know no cluster (celery#2852, celery#9436, kombu#2204 open; dify#4472 is what happens then)."""
    settings = load_settings(redis_url="redis+cluster://a:1,b:2")
    with pytest.raises(BrokerMissing, match="SCRUB_BROKER_URL"):
        connections.broker_url(settings)
    with pytest.raises(SettingsInvalid, match="SCRUB_BROKER_URL: expected one Redis"):
        load_settings(broker_url="redis+cluster://a:1")
    settings = load_settings(redis_url="redis+cluster://a:1", broker_url="redis://b:2")
    assert connections.broker_url(settings) == "redis://b:2/0"


def test_what_a_cluster_answers_has_a_sentence_of_its_own() -> None:
    address = reachability.claims(load_settings(redis_url="redis+cluster://a:1,b:2"))
    down = reachability.trouble(ClusterDownError("CLUSTERDOWN The cluster is down"), address)
    assert isinstance(down, rediserrors.ClusterDown)
    assert "cluster-require-full-coverage no" in str(down)
    lost = NodeLost("b:2")
    lost.__cause__ = ConnectionRefusedError()
    assert isinstance(reachability.trouble(lost, address), rediserrors.NodeAway)
    none = reachability.trouble(ResponseError("ERR This instance has cluster support disabled"), address)
    assert isinstance(none, rediserrors.NoCluster)
    wrong = reachability.trouble(AuthenticationError("WRONGPASS invalid username-password pair"), address)
    assert isinstance(wrong, rediserrors.PasswordWrong)
