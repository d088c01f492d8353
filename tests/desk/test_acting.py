"""An act of a person is in the case and in the audit log, or in neither; its text is in the store alone.

Notes with patients' names ended in logs elsewhere, and acts of two people in one: masslight/ottehr#9520.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from worker.audit import chains
from worker.audit.check import verify
from worker.audit.ends import ends
from worker.desk.acting import Desk
from worker.desk.cases import Case
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed
from worker.errors import ActNotPossible, CaseChanged
from worker.store.connections import Store
from worker.store.keyring import load_rings

from .breaking import Broken, broken
from .conftest import FAULTY, Send
from .test_cases import TODAY, act

SECRET_TEXT = "CANARY asked Dr. CANARY"


@pytest.fixture
def case(decide: Send, brought: Callable[[], Followed], cases: CaseStore) -> Case:
    decide(FAULTY | {"claim_id": "PCN-1"})
    brought()
    return now(cases)


def now(cases: CaseStore) -> Case:
    with cases.session() as session:
        return session.named("PCN-1")


def lines(store: Store) -> list[dict[str, Any]]:
    files = store.settings.audit_path.glob("*.jsonl")
    found = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
    return [line for line in found if line["event.action"].startswith("case.")]


def test_an_act_is_in_the_case_in_the_acts_and_in_the_audit_log(
    store: Store, desk: Desk, case: Case, cases: CaseStore
) -> None:
    after = desk.do(case, act("assign", owner="dana"), SECRET_TEXT, TODAY)
    assert after == now(cases)
    assert (after.owner, after.version) == ("dana", case.version + 2)
    (line,) = lines(store)
    assert line["case.text"] == desk.digest(SECRET_TEXT) != desk.digest("another")
    known = {name: line[name] for name in ("event.action", "user.name", "case.handle", "case.owner", "claim.claim_id")}
    assert known == {
        "event.action": "case.assigned", "user.name": "marcus", "case.handle": case.handle, "case.owner": "dana",
        "claim.claim_id": "PCN-1",
    }  # fmt: skip
    with cases.session() as session:
        (written,) = session.acts_of(case.handle)
    assert (written.text, written.state, written.id) == (SECRET_TEXT, "done", line["case.act"])


def test_its_text_is_in_no_audit_file_and_the_chain_verifies_to_its_head(store: Store, desk: Desk, case: Case) -> None:
    desk.do(case, act("note"), SECRET_TEXT, TODAY)
    heads, ring = chains.known(store.redis, store.keys), load_rings(store.settings.secret_path).audit
    files = list(store.settings.audit_path.glob("*.jsonl"))
    assert len(files) == 2
    for file in files:
        assert b"CANARY" not in file.read_bytes()
        (end,) = [end for end in ends(file.parent) if end.file == file]
        assert verify(file, ring, heads[end.chain]).state == "sound"


def test_what_is_not_possible_or_was_changed_meanwhile_writes_nothing(
    store: Store, desk: Desk, case: Case, cases: CaseStore
) -> None:
    with pytest.raises(ActNotPossible):
        desk.do(case, act("reopen"), "", TODAY)
    desk.do(case, act("assign", owner="dana"), "", TODAY)
    with pytest.raises(CaseChanged):
        desk.do(case, act("assign", owner="lee"), "", TODAY)
    assert now(cases).owner == "dana"
    assert len(lines(store)) == 1
    with cases.session() as session:
        assert len(session.acts_of(case.handle)) == 1


def test_where_it_ends_before_the_audit_line_nothing_happened_and_its_author_is_told(
    store: Store, desk: Desk, case: Case, cases: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.audit, "write", broken)
    with pytest.raises(Broken):
        desk.do(case, act("close", reason="paid"), "why", TODAY)
    monkeypatch.undo()
    assert (now(cases).state, lines(store)) == ("open", [])
    (left,) = desk.finish()
    assert (left.act.account, left.text) == ("marcus", "why")
    desk.give_up(left)
    assert not desk.finish()
    assert desk.do(now(cases), act("close", reason="paid"), "", TODAY).state == "closed"


def test_where_it_ends_after_the_audit_line_it_is_finished_by_whoever_comes_next(
    store: Store, desk: Desk, case: Case, cases: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.redis, "hset", broken)
    with pytest.raises(Broken):
        desk.do(case, act("close", reason="paid"), "why", TODAY)
    monkeypatch.undo()
    assert (now(cases).state, len(lines(store))) == ("open", 1)
    assert not desk.finish()
    assert (now(cases).state, now(cases).closed_reason) == ("closed", "paid")
    assert not desk.finish()
    assert now(cases).version == case.version + 2


def test_a_decision_that_comes_in_between_is_not_written_over(
    store: Store, desk: Desk, case: Case, cases: CaseStore, decide: Send, brought: Callable[[], Followed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    real = desk.audit.write

    def meanwhile(said: Any) -> Any:
        decide(FAULTY | {"claim_id": "PCN-1", "total_charge": "1.00"})
        brought()
        return real(said)

    monkeypatch.setattr(desk.audit, "write", meanwhile)
    desk.do(case, act("assign", owner="dana"), "", TODAY)
    found = now(cases)
    assert (found.owner, found.state) == ("dana", "open")
    assert found.decision_id != case.decision_id
