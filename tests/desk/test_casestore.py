"""The case store on a real SQLite file: nothing is written over unseen, and its errors tell no content.

A transaction that begins as a reader and then writes is refused at once, whatever the time-out, where another wrote in
between: learningequality/kolibri#13878, chatmail/core#4063, jentic/jentic-one#529.
"""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import NullPool, create_engine, inspect

from rules.printable import printable
from worker.desk.cases import Case, Decided, LastDay
from worker.desk.casestore import CaseStore, Content, Cursor, WrittenAct
from worker.desk.schema import metadata
from worker.errors import CaseAmbiguous, CaseChanged, CaseStoreTooNew, CaseStoreUnusable, CaseUnknown

from .test_cases import TODAY, act, held, one


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk" / "cases.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(file: Path, request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{file}"
    return cast(str, request.getfixturevalue("postgresql").empty())


@pytest.fixture
def store(url: str) -> Iterator[CaseStore]:
    found = CaseStore(url)
    yield found
    found.close()


def put(store: CaseStore, case: Case) -> None:
    with store.session() as session:
        session.write(None, case)


def test_a_case_comes_back_as_it_was_written(store: CaseStore) -> None:
    case = held(owner="dana", service_from=TODAY, last_day=LastDay(day=TODAY, rule="TIM001", grade="B"), payer="aetna")
    put(store, case)
    bare = held(handle="2", claim_id="PCN-2", last_day=None)
    put(store, bare)
    with store.session() as session:
        assert session.named(case.handle) == case == session.named("PCN-1")
        assert {found.handle: found for found in session.all()} == {case.handle: case, "2": bare}
        assert session.open_count() == 2
        with pytest.raises(CaseUnknown, match="There is no case PCN-3"):
            session.named("PCN-3")


def test_a_claim_number_of_two_facilities_wants_a_handle(store: CaseStore) -> None:
    put(store, held(handle="a", scope="east"))
    put(store, held(handle="b", scope="west"))
    with store.session() as session, pytest.raises(CaseAmbiguous, match=r"a \(east\), b \(west\)"):
        session.named("PCN-1")


def test_what_somebody_else_has_changed_is_not_written_over(store: CaseStore) -> None:
    case = held()
    put(store, case)
    with store.session() as session:
        session.write(case, replace(case, version=2, owner="dana"))
    with pytest.raises(CaseChanged, match="it has version 2, and you saw 1"), store.session() as session:
        session.write(case, replace(case, version=2, owner="marcus"))
    with store.session() as session:
        assert session.named(case.handle).owner == "dana"


_ADDER = """
import sys
from dataclasses import replace
from worker.desk.casestore import CaseStore
from worker.errors import CaseChanged
store = CaseStore(sys.argv[1])
for _ in range(int(sys.argv[2])):
    while True:
        try:
            with store.session() as session:
                case = session.named("PCN-1")
                session.write(case, replace(case, version=case.version + 1, charge_cents=case.charge_cents + 1))
            break
        except CaseChanged:
            pass
store.close()
"""


def test_of_changes_by_four_processes_at_once_none_is_lost(store: CaseStore, url: str) -> None:
    put(store, held(charge_cents=0))
    each = 60
    started = [
        subprocess.Popen([sys.executable, "-c", _ADDER, url, str(each)], stderr=subprocess.PIPE) for _ in range(4)
    ]
    for process in started:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
    with store.session() as session:
        found = session.named("PCN-1")
    assert (found.charge_cents, found.version) == (4 * each, 1 + 4 * each)


_OPENER = """
import sys
from worker.desk.casestore import CaseStore
sys.stdin.readline()
CaseStore(sys.argv[1]).close()
"""


def test_of_processes_that_open_a_new_store_at_once_none_fails(url: str) -> None:
    """aegra/aegra#565, rommapp/romm#4486: each makes the tables that another has just made."""
    started = [
        subprocess.Popen([sys.executable, "-c", _OPENER, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in started] == [(b"", 0)] * 4


def test_texts_and_money_of_any_size_are_kept(store: CaseStore) -> None:
    """A type of a fixed length refuses what is longer, SQLite does not look: quipucords/quipucords#1563, jeremyevans/sequel#1350."""
    case = held(claim_id="C" * 300, scope="s" * 300, owner="o" * 300, payer_name="p" * 300, charge_cents=2**40,
                fault="f" * 3_000)  # fmt: skip
    put(store, case)
    with store.session() as session:
        about = replace(act("assign", owner="o" * 300), account="a" * 300)
        session.add_act(WrittenAct(id="1", handle=case.handle, act=about, text="t" * 100_000))
        session.move("stream" * 100, Cursor("1-0", 2**40))
    with store.session() as session:
        assert session.named(case.handle) == case
        assert session.cursor("stream" * 100).count == 2**40


@pytest.mark.parametrize(
    "odd", [pytest.param(f"a{chr(number)}b", id=hex(number)) for number in (0, 0xD800, 0xDCFF, 0x202E, 27)]
)
def test_what_a_database_cannot_keep_is_kept_by_its_number(store: CaseStore, odd: str) -> None:
    """NUL and half characters: psycopg refuses both, sqlite3 the second (langchain-ai/langchain#26033,
    Arize-ai/phoenix#9123)."""
    case = held()
    put(store, case)
    with store.session() as session:
        about = replace(act("assign", owner=odd), account=odd)
        session.add_act(WrittenAct(id="1", handle=case.handle, act=about, text=f"one\ntwo {odd}"))
    with store.session() as session:
        (found,) = session.acts_of(case.handle)
    assert found.text == f"one\ntwo {printable(odd)}"
    assert found.act.owner == found.act.account == printable(odd)


def test_a_transaction_that_fails_leaves_nothing(store: CaseStore) -> None:
    case = held()
    with suppress(CaseUnknown), store.session() as session:
        session.write(None, case)
        session.named("none")
    with store.session() as session:
        assert not [*session.all()]


def test_decisions_acts_and_cursors_are_kept(store: CaseStore) -> None:
    case = held()
    put(store, case)
    content = Content({"claim_id": "PCN-1"}, {"findings": []})
    with store.session() as session:
        session.add_decision(case.handle, one(1), content)
        session.add_decision(case.handle, one(1), None)
        session.add_decision(case.handle, one(2, "billing"), None)
        session.add_act(WrittenAct(id="1", handle=case.handle, act=act("pend", until=TODAY), text="why"))
        for stream, cursor in (("s", Cursor("1-0", 1)), ("s", Cursor("2-0", 2)), ("t", Cursor("5-1", 7))):
            session.move(stream, cursor)
    with store.session() as session:
        first, second = session.decisions_of(case.handle)
        assert (first.content, first.codes, second.content, second.disposition) == (
            content,
            ("UNT001",),
            None,
            "billing",
        )
        assert session.known(["d1", "d2", "d3"]) == {"d1", "d2"}
        (pending,) = session.pending_acts()
        assert (pending.act, pending.text, pending.state) == (act("pend", until=TODAY), "why", "pending")
        assert session.end_act("1", "done")
        assert not session.end_act("1", "gone"), "it has ended"
        assert not session.pending_acts()
        assert [session.cursor(name) for name in "stu"] == [Cursor("2-0", 2), Cursor("5-1", 7), Cursor()]


def test_its_file_and_folder_are_their_owners_alone(file: Path) -> None:
    store = CaseStore(f"sqlite:///{file}")
    put(store, held())
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert found.keys() >= {"cases.db", "cases.db-wal"}
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    store.close()


def test_the_steps_make_the_tables_that_this_release_uses(store: CaseStore, url: str) -> None:
    found = inspect(create_engine(url, poolclass=NullPool))
    for table in metadata.sorted_tables:
        made = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert made == {column.name: bool(column.nullable) for column in table.columns}
    CaseStore(url).close()  # opened a second time, nothing is to be done


def test_a_store_of_a_later_release_is_refused(store: CaseStore, url: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CaseStoreTooNew, match="its tables are at 9999, this one knows up to [0-9]{4}"):
        CaseStore(url)


def test_an_error_of_the_database_tells_no_content(store: CaseStore) -> None:
    put(store, held(claim_id="CANARY-7"))
    with pytest.raises(CaseStoreUnusable) as told, store.session() as session:
        session.write(None, held(claim_id="CANARY-7", owner="CANARY-8"))
    assert "CANARY" not in str(told.value)
    assert "unique constraint" in str(told.value).lower()
    assert told.value.__cause__ is None


@pytest.mark.parametrize("content", [b"this is no database " * 200, b""])
def test_a_file_that_is_none_of_ours_is_refused_or_made_one(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.db"
    file.write_bytes(content)
    if not content:
        CaseStore(f"sqlite:///{file}").close()
        return
    with pytest.raises(CaseStoreUnusable, match="file is not a database"):
        CaseStore(f"sqlite:///{file}")


def test_a_decision_of_another_scope_is_another_case(store: CaseStore) -> None:
    put(store, held(handle="a", scope="east"))
    with store.session() as session:
        assert session.of_claim("east", "PCN-1") is not None
        assert session.of_claim("", "PCN-1") is None
    assert isinstance(one(1), Decided)
