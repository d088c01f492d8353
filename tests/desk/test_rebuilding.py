"""Cases come again from the audit log: what they were, but for what people wrote.

Elsewhere the history of a work queue is in its database alone, and gone with it (openemr/openemr#7251).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.book import BOOK
from worker.audit.log import AuditLog
from worker.desk.acting import Desk
from worker.desk.cases import Act, Case, acted, ended, refolded
from worker.desk.casestore import CaseStore, WrittenAct
from worker.desk.following import Followed
from worker.desk.rebuilding import TEXT_GONE, Rebuilt, lines_of_cases, rebuild
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.store.connections import Store
from worker.store.registry import Producer

from .conftest import CLEAN, FAULTY, Send
from .test_acting import lines
from .test_cases import TODAY, act, handle, held, one

Brought = Callable[[], Followed]
Again = Callable[..., Rebuilt]


def number(count: int) -> dict[str, object]:
    return {"claim_id": f"PCN-{count}"}


def every(cases: CaseStore) -> dict[tuple[str, str], Case]:
    """Without the number of their changes."""
    with cases.session() as session:
        return {(case.scope, case.claim_id): replace(case, version=0) for case in session.all()}


def acts_of(cases: CaseStore, case: Case) -> list[WrittenAct]:
    with cases.session() as session:
        return session.acts_of(case.handle)


@pytest.fixture
def emptied(url: str) -> Callable[[], None]:
    """Takes everything out of the store, as where a new one was made."""

    def emptied() -> None:
        engine = create_engine(url)
        with engine.begin() as connection:
            for table in ("acts", "decisions", "cases", "cursors"):
                connection.execute(text(f"DELETE FROM {table}"))
        engine.dispose()

    return emptied


@pytest.fixture
def again(store: Store, desk: Desk, brought: Brought) -> Again:
    def again(*folders: Path, write: bool = True) -> Rebuilt:
        brought()
        desk.finish()
        return rebuild(desk, lambda: BOOK, folders or [store.settings.audit_path], write=write)

    return again


@pytest.fixture
def worked(desk: Desk, decide: Send, brought: Brought, cases: CaseStore) -> dict[tuple[str, str], Case]:
    """Six cases on which something was done, and as they are then."""
    decide(*(FAULTY | number(count) for count in range(6)))
    brought()

    def do(count: int, kind: str, words: str = "", **about: object) -> None:
        with cases.session() as session:
            case = session.named(f"PCN-{count}")
        desk.do(case, replace(act(kind, **about), moment=moment()), words, TODAY)

    ticks = iter(range(60))

    def moment() -> str:
        return f"2026-11-30T10:00:{next(ticks):02}Z"

    do(0, "assign", owner="dana")
    do(0, "note", "asked for the record")
    do(1, "pend", until=TODAY.replace(year=2027, day=1, month=2))
    do(1, "assign", owner="lee")
    do(2, "close", "self-pay", reason="without_billing")
    do(3, "close", reason="paid")
    do(3, "reopen")
    do(4, "settle", until=TODAY, reason="denied_foreseen")
    decide(CLEAN | number(5))
    brought()
    return every(cases)


def test_a_store_that_was_lost_comes_back_but_for_what_people_wrote(
    worked: dict[tuple[str, str], Case], emptied: Callable[[], None], again: Again, cases: CaseStore
) -> None:
    emptied()
    done = again()
    assert every(cases) == worked
    assert (done.cases, done.acts, done.texts, done.altered) == (6, 8, 2, [])
    assert len(done.changed) == 4, "one is mended by its outlet, one was closed and opened again"
    first = worked["", "PCN-0"]
    assert [(one.act.kind, one.text, one.state) for one in acts_of(cases, first)] == [
        ("assign", "", "done"), ("note", TEXT_GONE, "done"),
    ]  # fmt: skip
    assert (again().changed, again().acts) == ([], 0)


def test_from_the_audit_log_alone_it_comes_back_but_for_what_only_the_claim_said(
    store: Store, worked: dict[tuple[str, str], Case], emptied: Callable[[], None], again: Again, cases: CaseStore
) -> None:
    for name in ("billing", "rework"):
        store.redis.xtrim(store.keys.outlet(name), maxlen=0, approximate=False)
    emptied()
    again()

    def bare(found: dict[tuple[str, str], Case]) -> list[Case]:
        return [
            replace(case, moment="", held_since="", payer_name="", fault="", last_day=None, service_from=None,
                    charge_cents=0, codes=tuple(sorted(case.codes)))
            for _, case in sorted(found.items())
        ]  # fmt: skip

    assert bare(every(cases)) == bare(worked)


def test_what_is_as_the_log_has_it_is_left_alone_and_to_look_changes_nothing(
    worked: dict[tuple[str, str], Case], emptied: Callable[[], None], again: Again, cases: CaseStore, store: Store
) -> None:
    with cases.session() as session:
        versions = {case.handle: case.version for case in session.all()}
    assert (again().changed, again().acts) == ([], 0)
    with cases.session() as session:
        assert {case.handle: case.version for case in session.all()} == versions
    emptied()
    assert again(write=False).acts == 8
    assert all(case.owner == "" for case in every(cases).values())
    assert not [line for line in lines(store) if line["event.action"] == "cases.rebuilt"]


def test_an_older_copy_of_the_store_gets_what_was_done_since_and_keeps_its_texts(
    url: str, worked: dict[tuple[str, str], Case], again: Again, cases: CaseStore
) -> None:
    first = worked["", "PCN-0"]
    assign, note = acts_of(cases, first)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM acts WHERE id = :id"), {"id": assign.id})
        connection.execute(text("UPDATE cases SET owner = '' WHERE handle = :handle"), {"handle": first.handle})
    engine.dispose()
    assert again().changed == [first.handle]
    assert every(cases) == worked
    assert {one.text for one in acts_of(cases, first)} == {"", note.text}


def test_a_text_that_somebody_changed_or_took_away_is_named(
    url: str, worked: dict[tuple[str, str], Case], again: Again, cases: CaseStore
) -> None:
    assert again().altered == []
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE acts SET text = 'paid in cash' WHERE text = 'self-pay'"))
        connection.execute(text("UPDATE acts SET text = '' WHERE text = 'asked for the record'"))
    engine.dispose()
    assert sorted(again().altered) == sorted(worked["", f"PCN-{count}"].handle for count in (0, 2))


def test_what_these_files_do_not_know_stays_as_it_is(
    worked: dict[tuple[str, str], Case], again: Again, cases: CaseStore, tmp_path: Path
) -> None:
    """Acts of another machine are in its audit folder alone."""
    assert again(tmp_path).cases == 0
    assert every(cases) == worked


def test_facilities_and_those_that_are_registered_no_more_keep_their_cases(
    store: Store, consumer: InboxConsumer, desk: Desk, decide: Send, brought: Brought, cases: CaseStore,
    emptied: Callable[[], None], again: Again,
) -> None:  # fmt: skip
    for name in ("east", "west"):
        producers.add(store.redis, store.keys, Producer(name, f"{name} hospital"))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    for name, owner in (("east", "dana"), ("west", "lee")):
        decide(FAULTY | number(1), producer=name)
        brought()
        with cases.session() as session:
            (case,) = [case for case in session.all() if case.scope == f"{name} hospital"]
        desk.do(case, act("assign", owner=owner), "", TODAY)
    before = every(cases)
    assert {scope: case.owner for (scope, _), case in before.items()} == {
        "east hospital": "dana", "west hospital": "lee",
    }  # fmt: skip
    emptied()
    again()
    assert every(cases) == before


@pytest.mark.parametrize("other", [CLEAN, FAULTY], ids=["clean", "held"])
def test_another_patients_claim_under_the_number_mends_nothing_when_it_is_made_again_either(
    desk: Desk, decide: Send, brought: Brought, cases: CaseStore, emptied: Callable[[], None], again: Again,
    other: dict[str, Any],
) -> None:  # fmt: skip
    stranger = {"subscriber": {"member_id": "9AA8CD7EF66"}, "patient": {"birth_date": "1999-01-01", "sex": "M"}}
    decide(FAULTY | number(1), other | number(1) | stranger)
    brought()
    before = every(cases)
    assert again().changed == []
    emptied()
    again()
    assert every(cases) == before
    assert {case.state for case in before.values()} == {"open"}


def test_of_claims_that_were_never_held_no_line_is_kept_in_memory(
    store: Store, desk: Desk, decide: Send, brought: Brought
) -> None:
    """A year's audit files have millions of them."""
    decide(FAULTY | number(1), CLEAN | number(2), CLEAN | number(7) | {"subscriber": {"member_id": "9AA8CD7EF66"}})
    decide(CLEAN | number(1))
    brought()
    lines, unsound = lines_of_cases([store.settings.audit_path], desk.ring, ["PCN-7"])
    assert {name: len(found) for name, found in lines.items()} == {"PCN-1": 2, "PCN-7": 1}
    assert unsound == 0


def test_an_audit_line_that_was_changed_makes_nothing(
    store: Store, worked: dict[tuple[str, str], Case], emptied: Callable[[], None], again: Again, cases: CaseStore,
    desk: Desk,
) -> None:  # fmt: skip
    file = desk.audit.file
    file.write_bytes(file.read_bytes().replace(b'"case.owner":"dana"', b'"case.owner":"evil"'))
    emptied()
    done = again()
    assert done.unsound == 8, "all from there on"
    assert {case.owner for case in every(cases).values()} == {""}


def test_what_was_given_up_and_was_only_slow_happened_all_the_same(
    desk: Desk, decide: Send, brought: Brought, cases: CaseStore, again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(FAULTY | number(1))
    brought()
    (case,) = every(cases).values()
    with cases.session() as session:
        case = session.named("PCN-1")
    real = desk.audit.write

    def slow(said: list[object]) -> object:
        for begun in desk.finish():
            desk.give_up(begun)
        return real(said)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.audit, "write", slow)
    assert desk.do(case, act("close", reason="paid"), "why", TODAY).state == "closed"
    assert [one.state for one in acts_of(cases, case)] == ["done"]
    assert again().changed == []


def test_while_an_act_is_under_way_no_other_is_begun_on_the_case(
    store: Store, desk: Desk, decide: Send, brought: Brought, cases: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.audit.lines import now
    from worker.errors import CaseChanged

    decide(FAULTY | number(1))
    brought()
    real = desk.audit.write

    def meanwhile(said: list[object]) -> object:
        monkeypatch.setattr(desk.audit, "write", real)
        with cases.session() as session:
            seen = session.named("PCN-1")
        with pytest.raises(CaseChanged):
            desk.do(seen, act("assign", owner="lee"), "", TODAY)
        return real(said)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.audit, "write", meanwhile)
    with cases.session() as session:
        case = session.named("PCN-1")
    desk.do(case, replace(act("assign", owner="dana"), moment=now()), "", TODAY)
    assert [(one.act.owner, one.state) for one in acts_of(cases, case)] == [("dana", "done")]
    assert [line["case.owner"] for line in lines(store)] == ["dana"]


@pytest.fixture
def two() -> tuple[Act, Act]:
    return act("close", reason="paid", decision_id="d1"), act("assign", owner="dana", decision_id="d1")


def test_nobody_closes_what_he_has_not_seen(two: tuple[Act, Act]) -> None:
    close, assign = two
    later = held(decision_id="d2")
    assert ended(later, close).state == "open"
    assert ended(later, assign).owner == "dana"
    assert acted(held(), close, TODAY).state == "closed"


def test_acts_come_behind_the_decision_on_which_they_were_begun_whenever_they_were_written(
    two: tuple[Act, Act],
) -> None:
    case = refolded([one(2), one(1)], two, handle)
    assert case is not None
    assert (case.state, case.owner, case.decision_id) == ("open", "dana", "d2")
    early = replace(two[0], decision_id="gone", moment="2026-11-01T12:00:00Z")
    assert [refolded([one(1)], [early], handle), refolded([one(2)], [early], handle)] == [
        replace(held(), state="closed", closed_reason="paid", version=3, last_day=None), refolded([one(2)], [], handle),
    ]  # fmt: skip


def test_the_audit_log_says_who_had_cases_made_again(
    store: Store, worked: dict[tuple[str, str], Case], emptied: Callable[[], None], again: Again, desk: Desk
) -> None:
    emptied()
    again()
    assert isinstance(desk.audit, AuditLog)
    (line,) = [line for line in lines_of(store) if line["event.action"] == "cases.rebuilt"]
    assert line["access.cases"] == 4
    assert line["user.name"]


def lines_of(store: Store) -> list[dict[str, object]]:
    import json

    files = store.settings.audit_path.glob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
