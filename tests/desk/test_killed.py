"""The case store killed by kill -9 while people act and decisions are brought in, and then lost: what is rebuilt is what
was there. KILLS says how often (20).

A power cut or a kill between database and log is where the two part: what one has the other lacks (celery/celery#5149).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.book import BOOK
from worker.desk.acting import Desk
from worker.desk.casestore import CaseStore
from worker.desk.following import follow
from worker.desk.rebuilding import TEXT_GONE, rebuild
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Send
from .test_rebuilding import Brought, emptied, every, number  # noqa: F401 - fixtures

KILLS = int(os.environ.get("KILLS", "20"))
CASES = 12

PROGRAM = """
import random, sys
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from tests.book import BOOK
from worker.audit.log import AuditLog
from worker.config.settings import load_settings
from worker.desk.acting import Desk, of_me
from worker.desk.casestore import CaseStore
from worker.desk.following import follow
from worker.errors import ActNotPossible, CaseChanged, CaseUnknown
from worker.store import opening
from worker.store.keyring import load_rings

home, url, seed, count = sys.argv[1:]
chosen, today = random.Random(int(seed)), date.today()
with opening.open_store(load_settings(state_dir=Path(home))) as store:
    ring = load_rings(store.settings.secret_path).audit
    desk = Desk(store, CaseStore(url), AuditLog(store.settings.audit_path, ring), ring)
    print("ready", flush=True)
    while True:
        follow(store, desk.cases, lambda: BOOK, page_size=1)
        for one in desk.finish():
            pass  # its author is told
        with suppress(ActNotPossible, CaseChanged, CaseUnknown), desk.cases.session() as session:
            case = session.named(f"PCN-{chosen.randrange(int(count))}")
        with suppress(ActNotPossible, CaseChanged, NameError):
            kind, about = chosen.choice([
                ("assign", {"owner": chosen.choice(["", "dana", "lee"])}), ("note", {}),
                ("pend", {"until": today + timedelta(days=chosen.randrange(1, 9))}),
                ("close", {"reason": "paid"}), ("reopen", {}),
                ("settle", {"until": today, "reason": "denied_foreseen"}), ("reverse", {"until": today}),
            ])
            desk.do(case, of_me(kind, **about), f"words of {seed}", today)
            print("acted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_cases_that_are_rebuilt_equal_those_that_were_there_after_kills(
    store: Store, url: str, desk: Desk, cases: CaseStore, decide: Send, brought: Brought,
    emptied: Callable[[], None],  # noqa: F811
) -> None:  # fmt: skip
    decide(*(FAULTY | number(count) for count in range(CASES)))
    chosen = random.Random(7)
    for kill in range(KILLS):
        _killed(store, url, kill, chosen, decide)
    brought()
    for one in desk.finish():
        desk.give_up(one)
    before = every(cases)
    with cases.session() as session:
        states = [one.state for case in session.all() for one in session.acts_of(case.handle)]
    assert states.count("done") > 2 * KILLS, "people did something"
    assert rebuild(desk, lambda: BOOK, [store.settings.audit_path], write=False).altered == []
    for _ in range(2):
        emptied()
        brought()
        done = rebuild(desk, lambda: BOOK, [store.settings.audit_path], write=True)
        assert done.acts == states.count("done")
        assert every(cases) == before
    with cases.session() as session:
        texts = {one.text for case in session.all() for one in session.acts_of(case.handle)}
    assert texts == {TEXT_GONE}
    print(f"{KILLS} kills, {states.count('done')} acts, {states.count('gone')} that broke off, {len(before)} cases")


def _killed(store: Store, url: str, kill: int, chosen: random.Random, decide: Send) -> None:
    """A process acts and folds, decisions are made meanwhile, and it is killed at some moment."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(store.settings.state_dir), url, str(kill), str(CASES)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for _ in range(chosen.randrange(2, 6)):
        decide(chosen.choice([FAULTY, CLEAN]) | number(chosen.randrange(CASES)))
        assert process.stdout.readline() == "acted\n"
    time.sleep(chosen.random() * 0.1)
    process.send_signal(signal.SIGKILL)
    _, error = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, error


def test_a_store_whose_file_is_gone_is_a_new_one_that_says_so(store: Store, desk: Desk, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    first = CaseStore(url)
    assert first.made
    follow(store, first, lambda: BOOK)
    first.close()
    again = CaseStore(url)
    assert not again.made
    again.close()
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
