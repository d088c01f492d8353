"""Waivers and repairs whose process is killed by kill -9 at every step, and whose server comes back the day after.

An outbox that is written after the message loses it or sends it twice: the row comes first, and a message that goes
out twice is a repeated event here (celery/celery#5149, redis/redis#3939).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.book import BOOK
from worker import bootstrap
from worker.audit.log import AuditLog
from worker.config.settings import load_settings
from worker.desk.acting import Desk
from worker.desk.cases import Case
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed, follow
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import context
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.store import opening
from worker.store.connections import Store
from worker.store.keyring import load_rings

from .conftest import Send
from .test_repairing import WRITTEN
from .test_waiving import HELD, TODAY, entries, now

PROGRAM = """
import os, signal, sys
from datetime import date, timedelta
from pathlib import Path
from worker.audit.log import AuditLog
from worker.config.settings import load_settings
from worker.desk.acting import Desk
from worker.desk.casestore import CaseStore
from worker.desk.waiving import waivable, waive
from worker.store import opening
from worker.store.keyring import load_rings

home, url, step, day, act = sys.argv[1:]
today = date.fromisoformat(day)

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(owner, name):
    real = getattr(owner, name)
    def done(*given, **named):
        real(*given, **named)
        die()
    setattr(owner, name, done)

with opening.open_store(load_settings(state_dir=Path(home))) as store:
    ring = load_rings(store.settings.secret_path).audit
    desk = Desk(store, CaseStore(url), AuditLog(store.settings.audit_path, ring), ring)
    with desk.cases.session() as session:
        case = session.named("PCN-1")
    if act == "repair":
        from tests.book import BOOK
        from worker.desk.repairing import repair, repairable
        seen = repairable(desk, case, BOOK, today)
    else:
        seen = waivable(desk, case, today)
    if step == "pending":
        AuditLog.write = die
    elif step == "line":
        then_die(AuditLog, "write")
    elif step == "head":
        then_die(store.redis, "hset")
    elif step == "xadd":
        then_die(store.once, "xadd")
    if act == "repair":
        repair(desk, seen, BOOK, "why", day=today)
    else:
        waive(desk, seen, "why", owner="dana", until=today + timedelta(days=1), day=today)
    die()
"""


def killed(store: Store, url: str, step: str, act: str = "waive") -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(store.settings.state_dir), url, step, TODAY.isoformat(), act],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize(("act", "claim", "state"), [("waive", HELD, "waived"), ("repair", WRITTEN, "mended")])
@pytest.mark.parametrize("step", ["pending", "line", "head", "xadd", "end"])
def test_a_waiver_or_repair_whose_process_is_killed_at_a_step_lets_the_claim_go_once_or_never_happened(
    store: Store,
    url: str,
    decide: Send,
    brought: Callable[[], Followed],
    cases: CaseStore,
    consumer: InboxConsumer,
    step: str,
    act: str,
    claim: dict[str, Any],
    state: str,
) -> None:
    decide(claim)
    brought()
    killed(store, url, step, act)
    desk = _desk(store, cases)
    left = desk.finish()
    desk.finish()
    consumer.run()
    brought()
    happened = step != "pending"
    assert len(entries(store, "billing")) == happened
    assert now(cases).state == (state if happened else "open")
    assert [one.act.kind for one in left] == ([] if happened else [act])
    handle = now(cases).handle
    with cases.session() as session:
        (done,) = session.acts_of(handle)
    assert (done.state, done.text) == ("done" if happened else "pending", "why")
    assert (done.sends is None) == happened
    assert reconcile(store.redis, store.keys).balance == 0
    desk.audit.close()


def _desk(store: Store, cases: CaseStore) -> Desk:
    ring = load_rings(store.settings.secret_path).audit
    return Desk(store, cases, AuditLog(store.settings.audit_path, ring), ring)


@pytest.fixture
def home(unset: None) -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="scrub-test-", dir="/tmp"))
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.mark.parametrize("days", [1, 2])
def test_after_a_restart_the_day_after_it_is_ended_and_holds_to_its_last_day(
    home: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    with opening.open_store(load_settings(state_dir=home)) as store:
        _decided(store, HELD)
        killed(store, store.settings.case_store_url, "line")
    monkeypatch.setattr(context, "moment", lambda: f"{TODAY + timedelta(days=days)}T08:00:00.000Z")
    with opening.open_store(load_settings(state_dir=home)) as store:
        cases = CaseStore(store.settings.case_store_url)
        desk = _desk(store, cases)
        assert not desk.finish()
        assert now(cases).state == "waived"
        case = _decided(store)
        assert len(entries(store, "billing")) == (days == 1)
        assert (case.state, case.fault.startswith("not waived: the last day")) == (
            ("waived", False) if days == 1 else ("open", True)
        )
        desk.audit.close()
        cases.close()


def _decided(store: Store, *claims: object) -> Case:
    """Has claims decided and brings what was to the case store."""
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    for data in claims:
        event = {"specversion": "1.0", "id": "e", "source": "/ehr", "type": "claim.submitted.v1", "data": data}
        store.redis.xadd(store.keys.inbox, {"event": json.dumps(event)})
    consumer.run()
    consumer.audit.close()
    cases = CaseStore(store.settings.case_store_url)
    while store.redis.time() == store.redis.time():
        pass
    follow(store, cases, lambda: BOOK)
    found = now(cases)
    cases.close()
    return found
