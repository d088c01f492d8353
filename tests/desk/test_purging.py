"""Cases that are done leave once they are old enough: with all that the store has of the claim, seen by the audit log,
and by nothing do they come back. 45 CFR 164.316(b)(2)(i) wants documents kept for six years, 42 CFR 424.516(f) orders
and referrals for seven; what is longer is the hospital's risk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from worker.desk.acting import Desk
from worker.desk.cases import Case
from worker.desk.casestore import CaseStore
from worker.desk.purging import purge, purgeable
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Send
from .test_cases import TODAY, act
from .test_rebuilding import Again, Brought, again, emptied, every, lines_of, number  # noqa: F401 - fixtures

LATER = datetime.now(UTC) + timedelta(days=40)
"""When all that is done now is 40 days old."""


@pytest.fixture
def done(desk: Desk, decide: Send, brought: Brought, cases: CaseStore) -> dict[tuple[str, str], Case]:
    """0 open, 1 pended, 2 closed with a note, 3 mended, 4 closed and preserved, 5 closed."""
    decide(*(FAULTY | number(count) for count in range(6)))
    brought()

    def do(count: int, kind: str, words: str = "", **about: object) -> None:
        with cases.session() as session:
            desk_case = session.named(f"PCN-{count}")
        desk.do(desk_case, act(kind, **about), words, TODAY)

    do(1, "pend", until=TODAY.replace(year=2027, day=1, month=2))
    for count in (2, 4, 5):
        do(count, "close", "CANARY-REASON", reason="paid")
    do(4, "preserve", "counsel asked for it")
    decide(CLEAN | number(3))
    brought()
    return every(cases)


def left(cases: CaseStore) -> set[str]:
    return {claim_id for _, claim_id in every(cases)}


def test_what_is_done_and_old_leaves_and_nothing_else(
    done: dict[tuple[str, str], Case], desk: Desk, cases: CaseStore, url: str
) -> None:
    assert purgeable(cases, datetime.now(UTC), 30).cases == []
    found = purgeable(cases, LATER, 30)
    assert {one.claim_id for one in found.cases} == {"PCN-2", "PCN-3", "PCN-5"}
    assert [one.claim_id for one in found.preserved] == ["PCN-4"]
    assert left(cases) == {f"PCN-{count}" for count in range(6)}, "to look takes nothing out"
    assert purge(desk, LATER, 30, "records policy 12") == 3
    assert left(cases) == {"PCN-0", "PCN-1", "PCN-4"}
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in ("acts", "decisions"):
            handles = connection.execute(text(f"SELECT DISTINCT handle FROM {table}")).scalars()
            assert not {*handles} & {done["", f"PCN-{count}"].handle for count in (2, 3, 5)}
    engine.dispose()
    assert purge(desk, LATER, 30, "again") == 0


def test_the_audit_log_has_a_line_of_each_with_who_and_why(
    done: dict[tuple[str, str], Case], desk: Desk, store: Store
) -> None:
    purge(desk, LATER, 30, "records policy 12")
    found = [line for line in lines_of(store) if line["event.action"] == "case.purged"]
    assert {line["claim.claim_id"] for line in found} == {"PCN-2", "PCN-3", "PCN-5"}
    assert {line["event.reason"] for line in found} == {"records policy 12"}
    assert {line["case.handle"] for line in found} <= {case.handle for case in done.values()}
    assert all(line["user.name"] for line in found)


def test_released_it_leaves_in_its_time(done: dict[tuple[str, str], Case], desk: Desk, cases: CaseStore) -> None:
    with cases.session() as session:
        case = session.named("PCN-4")
    desk.do(case, replace(act("release"), moment="2026-11-30T10:00:01Z"), "", TODAY)
    assert purge(desk, LATER, 30, "why") == 4
    assert left(cases) == {"PCN-0", "PCN-1"}


def test_what_somebody_did_on_it_counts_from_then(
    done: dict[tuple[str, str], Case], desk: Desk, cases: CaseStore
) -> None:
    with cases.session() as session:
        case = session.named("PCN-5")
    desk.do(case, replace(act("note"), moment=f"{LATER:%Y-%m-%dT%H:%M:%S}Z"), "still disputed", TODAY)
    assert "PCN-5" not in {one.claim_id for one in purgeable(cases, LATER, 30).cases}


def test_nothing_of_it_is_left_in_the_files(
    done: dict[tuple[str, str], Case], desk: Desk, url: str, store: Store
) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL gives room free at its own time: ops/security.md says so")
    folder = Path(url.removeprefix("sqlite:///")).parent

    def said() -> bytes:
        return b"".join(one.read_bytes() for one in folder.iterdir())

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE acts SET text = 'kept' WHERE handle = :it"), {"it": done["", "PCN-4"].handle})
    engine.dispose()
    assert b"CANARY-REASON" in said()
    purge(desk, LATER, 30, "why")
    assert b"CANARY-REASON" not in said()


def test_it_does_not_come_back_from_the_outlets_or_the_log_but_with_a_new_version(
    done: dict[tuple[str, str], Case], desk: Desk, cases: CaseStore, store: Store, decide: Send, brought: Brought,
    emptied: Callable[[], None], again: Again,  # noqa: F811
) -> None:  # fmt: skip
    purge(desk, LATER, 30, "why")
    before = every(cases)
    emptied()
    brought()
    assert "PCN-5" in left(cases), "outlets still have it"
    assert sorted(again().purged) == sorted(done["", f"PCN-{count}"].handle for count in (2, 3, 5))
    assert every(cases) == before
    for name in ("billing", "rework"):
        store.redis.xtrim(store.keys.outlet(name), maxlen=0, approximate=False)
    emptied()
    brought()
    assert left(cases) == {"PCN-0", "PCN-1", "PCN-4"}, "folded from the log, which knows what was purged"
    decide(FAULTY | number(5))
    again()
    assert "PCN-5" in left(cases)
    with cases.session() as session:
        fresh = session.named("PCN-5")
    assert (fresh.state, fresh.handle) == ("open", done["", "PCN-5"].handle)
    assert again().changed == []
