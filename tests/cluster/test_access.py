"""The users of `ops/redis/users.acl` on a cluster: each may ask besides which node holds what."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from tests.faults.server import Server
from tests.integration.helpers import event, quiet
from worker import bootstrap
from worker.config.settings import Settings, load_settings
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.maintenance import maintain
from worker.pipeline.outlets import Reader
from worker.pipeline.producer import send
from worker.store import opening
from worker.store.keys import Keys
from worker.store.registry import Producer
from worker.store.rights import producer_line, user_of

from .conftest import PARTITIONS
from .nodes import Nodes

USERS = Path(__file__).parents[2] / "ops" / "redis" / "users.acl"


def let_in(nodes: Nodes, line: str, password: str) -> None:
    _, user, *rights = line.split()
    rights = [f">{password}" if one.startswith("#") else one for one in rights]
    for number in range(len(nodes.servers)):
        nodes.ask(number, "ACL", "SETUSER", user, "reset", *rights)


@pytest.fixture
def users(nodes: Nodes) -> None:
    for line in USERS.read_text().splitlines():
        if line.startswith("user ") and line.split()[1] != "default":
            let_in(nodes, line, f"of-{line.split()[1]}")


def as_user(settings: Settings, user: str, **more: object) -> Settings:
    hosts = str(settings.redis_url).partition("://")[2]
    common = {"broker_url": settings.broker_url, "state_dir": settings.state_dir, "partitions": PARTITIONS}
    return load_settings(redis_url=f"redis+cluster://{user}:of-{user}@{hosts}", **common, **more)


def test_workers_senders_and_consumers_have_all_that_they_need(
    nodes: Nodes, broker: Server, settings: Settings, users: None
) -> None:
    with opening.open_store(as_user(settings, "admin")) as store:
        producers.add(store.redis, store.keys, Producer("ehr"))
        let_in(nodes, producer_line("ehr", Keys(0, PARTITIONS), "x"), f"of-{user_of('ehr')}")
    with opening.open_store(as_user(settings, "worker")) as store:
        consumer = bootstrap.inbox_consumer(store, quiet(store))
        sender = as_user(settings, user_of("ehr"), producer="ehr")
        with opening.open_store(sender) as theirs:
            events = [event(number) for number in range(60)]
            assert len(send(theirs.redis, theirs.keys, events, source="x", settings=sender)) == 60
            with pytest.raises(NoPermissionError):
                theirs.once.xlen(store.keys.stream("ehr"))
        while not reconcile(store.redis, store.keys).settled:
            consumer.run()
        consumer.audit.close()
        store.redis.delete(store.keys.tend)
        assert maintain(store, quiet(store))
    with opening.open_store(as_user(settings, "billing")) as store:
        found = list(Reader(store.redis, store.keys, "billing", "billing", "me").entries(follow=False))
        assert len(found) == 60
    with opening.open_store(as_user(settings, "operator")) as store:
        assert reconcile(store.redis, store.keys).balance == 0
