"""A real Redis with its consumer, and a case store beside it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.book import BOOK
from worker import bootstrap
from worker.audit.log import AuditLog
from worker.config.settings import load_settings
from worker.demo.claims import EXAMPLES
from worker.desk.acting import Desk
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed, follow
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.store import opening
from worker.store.connections import Store
from worker.store.keyring import load_rings

from .postgres import PostgreSQL, programs, server


def example(shows: str) -> dict[str, Any]:
    return next(entry.claim for entry in EXAMPLES if entry.shows == shows)


CLEAN, FAULTY = example("right side in the office"), example("several faults at once")
Send = Callable[..., None]


@pytest.fixture
def store(unset: None) -> Iterator[Store]:
    home = Path(tempfile.mkdtemp(prefix="scrub-test-", dir="/tmp"))
    with opening.open_store(load_settings(state_dir=home)) as found:
        yield found
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    found = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    yield found
    found.audit.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    found = programs()
    if found is None:
        pytest.skip("there is no PostgreSQL server here: apt install postgresql")
    with server(found) as started:
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(store: Store, request: pytest.FixtureRequest) -> str:
    """Of an empty case store."""
    if request.param == "postgresql":
        return cast(str, request.getfixturevalue("postgresql").empty())
    return store.settings.case_store_url


@pytest.fixture
def cases(url: str) -> Iterator[CaseStore]:
    found = CaseStore(url)
    yield found
    found.close()


@pytest.fixture
def decide(store: Store, consumer: InboxConsumer) -> Send:
    """Puts claims onto the queue and has them decided."""
    count = iter(range(1_000_000))

    def decide(*claims: dict[str, Any], producer: str = "") -> None:
        for data in claims:
            event = {
                "specversion": "1.0", "id": f"e{next(count)}", "source": "/ehr", "type": "claim.submitted.v1",
                "data": data,
            }  # fmt: skip
            store.redis.xadd(store.keys.stream(producer), {"event": json.dumps(event)})
        consumer.run()

    return decide


@pytest.fixture
def brought(store: Store, cases: CaseStore) -> Callable[[], Followed]:
    """Brings what was decided into the case store."""

    def brought() -> Followed:
        while store.redis.time() == store.redis.time():
            pass
        return follow(store, cases, lambda: BOOK)

    return brought


@pytest.fixture
def desk(store: Store, cases: CaseStore) -> Iterator[Desk]:
    ring = load_rings(store.settings.secret_path).audit
    audit = AuditLog(store.settings.audit_path, ring)
    yield Desk(store, cases, audit, ring)
    audit.close()
