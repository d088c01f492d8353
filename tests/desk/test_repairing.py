"""A repair of form has one claim judged again as it would be, written otherwise: confirmed, sealed, and never of more
than its form.

What others let happen: a scrubber that fixed dates by itself and sent a wrong one on, and auto-corrections that nobody
had seen (openemr/openemr#4527 and threads on clearinghouses that strip what they do not like).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from rules.claim import read_claim
from rules.engine.repairing import same_value
from tests.book import BOOK
from worker.audit.claimlines import claim_lines, standing
from worker.desk.acting import Desk
from worker.desk.cases import Act, Case
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed
from worker.desk.repairing import Repairable, repair, repairable
from worker.desk.waiving import waivable
from worker.errors import CaseChanged, NotRepairable, NotWaivable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import outlets
from worker.pipeline.consumer import InboxConsumer
from worker.rejudging.replay import replay
from worker.store.connections import Store
from worker.store.keyring import load_rings
from worker.store.keys import INNER, case_mark

from .breaking import STEPS, broken_off_after
from .conftest import CLEAN, Send

TODAY = datetime.now().astimezone().date()
Brought = Callable[[], Followed]
LINE = CLEAN["lines"][0]
WRITTEN = CLEAN | {"claim_id": "PCN-1", "diagnoses": ["m54.31 "], "lines": [{**LINE, "modifiers": ["rt"]}]}
"""As it should be, but for how a diagnosis and a modifier are written."""


def now(cases: CaseStore) -> Case:
    with cases.session() as session:
        return session.named("PCN-1")


@pytest.fixture
def case(decide: Send, brought: Brought, cases: CaseStore) -> Case:
    decide(WRITTEN)
    brought()
    return now(cases)


def repaired(desk: Desk, case: Case, seen: Repairable | None = None) -> Case:
    return repair(desk, seen or repairable(desk, case, BOOK, TODAY), BOOK, "CANARY: seen in the record", day=TODAY)


def entries(store: Store, outlet: str) -> list[dict[str, Any]]:
    return [one.event for one in outlets.tail(store.redis, store.keys, outlet)]


def test_what_is_only_written_otherwise_is_shown_and_goes_to_billing_as_it_is_then(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, brought: Brought
) -> None:
    with pytest.raises(NotWaivable, match="front end refuses"):
        waivable(desk, case, TODAY)
    seen = repairable(desk, case, BOOK, TODAY)
    assert sorted(seen.paths) == ["/diagnoses/0", "/lines/0/modifiers/0"]
    assert sorted(map(str, seen.changes)) == [
        "diagnoses 1: m54.31  becomes M54.31", "line 1 modifiers: rt becomes RT",
    ]  # fmt: skip
    assert all("only" in sentence for sentence in seen.confirm)
    assert not store.redis.xlen(store.keys.stream(INNER))
    assert repaired(desk, case, seen).state == "mended"
    consumer.run()
    (held,), (billed,) = entries(store, "rework"), entries(store, "billing")
    claim, report = billed["data"]["claim"], billed["data"]["report"]
    assert (claim["diagnoses"], claim["lines"][0]["modifiers"]) == (["M54.31"], ["RT"])
    assert claim == held["data"]["claim"] | {"diagnoses": ["M54.31"], "lines": claim["lines"]}
    assert (report["disposition"], report["waived"]) == ("billing", None)
    assert (report["repaired"]["decision"], report["repaired"]["refused"]) == (held["id"], None)
    assert {name: billed[name] for name in ("eventsource", "eventid")} == {
        name: held[name] for name in ("eventsource", "eventid")
    }
    brought()
    assert (now(cases).state, now(cases).decision_id) == ("mended", billed["id"])
    front = store.redis.get(store.keys.front(case_mark("", "PCN-1")))
    assert front == f"{held['inboxentry']} billing P billed".encode()
    assert reconcile(store.redis, store.keys).balance == 0


def test_the_audit_log_has_who_and_what_without_values_or_text(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer
) -> None:
    repaired(desk, case)
    consumer.run()
    lines = claim_lines(store.settings.audit_path, "PCN-1", load_rings(store.settings.secret_path).audit, None)
    (act,) = [line.line for line in lines if line.line["event.action"] == "claim.repaired"]
    decided = standing(lines)[-1].line
    assert decided["claim.repair"] == act["claim.repair"]
    assert (
        sorted(decided["claim.repaired"]) == sorted(act["claim.repaired"]) == ["/diagnoses/0", "/lines/0/modifiers/0"]
    )
    assert (decided["claim.repaired_decision"], decided["claim.disposition"]) == (case.decision_id, "billing")
    for file in store.settings.audit_path.glob("*.jsonl"):
        assert b"CANARY" not in file.read_bytes()
        assert b"m54.31" not in file.read_bytes()


def test_a_repaired_claim_is_judged_as_any_other_and_what_else_is_wrong_holds_it(
    store: Store, desk: Desk, decide: Send, consumer: InboxConsumer, brought: Brought, cases: CaseStore
) -> None:
    decide(WRITTEN | {"lines": [{**LINE, "modifiers": ["rt"], "units": 2}]})
    brought()
    repaired(desk, now(cases))
    consumer.run()
    brought()
    assert not entries(store, "billing")
    found = now(cases)
    assert (found.state, "UNT001" in found.codes, "CLM005" in found.codes) == ("open", True, False)
    assert waivable(desk, found, TODAY).findings
    with pytest.raises(NotRepairable, match="no rule that holds it knows"):
        repairable(desk, found, BOOK, TODAY)


@pytest.mark.parametrize(
    "about", [{"lines": [{**LINE, "units": 2}]}, {"subscriber": {"member_id": "123"}}, {"diagnoses": ["S74.01XAA"]}]
)
def test_what_is_another_value_stays_a_suggestion(
    desk: Desk, decide: Send, brought: Brought, cases: CaseStore, about: dict[str, Any]
) -> None:
    decide(CLEAN | {"claim_id": "PCN-1"} | about)
    brought()
    with pytest.raises(NotRepairable, match="no rule that holds it knows"):
        repairable(desk, now(cases), BOOK, TODAY)


@pytest.mark.parametrize(
    ("was", "becomes", "same"),
    [("m5.431", "M54.31", True), ("1eg4-te5-mk73", "1EG4TE5MK73", True), ("RT", "LT", False), ("", "", False),
     ("64445", "64450", False), ("M5431", "M543", False)],
)  # fmt: skip
def test_one_value_is_one_value_however_it_is_written(was: str, becomes: str, same: bool) -> None:
    assert same_value(was, becomes) is same


def test_a_correction_of_the_host_wins_whenever_it_comes(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, decide: Send, brought: Brought
) -> None:
    seen = repairable(desk, case, BOOK, TODAY)
    repaired(desk, case, seen)
    ((id, fields),) = store.redis.xrange(store.keys.stream(INNER))
    store.redis.xdel(store.keys.stream(INNER), id)
    decide(CLEAN | {"claim_id": "PCN-1", "subscriber": {"member_id": "9AA8CD7EF66"}})
    store.redis.xadd(store.keys.stream(INNER), fields)
    consumer.run()
    (billed,) = entries(store, "billing")
    assert billed["data"]["claim"]["subscriber"]["member_id"] == "9AA8CD7EF66"
    refused = entries(store, "rework")[-1]["data"]["report"]["repaired"]["refused"]
    assert refused.startswith("a later version of it")
    brought()
    assert now(cases).decision_id == billed["id"]


def test_it_is_bound_to_what_was_seen_and_to_its_bytes(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer, brought: Brought, cases: CaseStore
) -> None:
    seen = repairable(desk, case, BOOK, TODAY)
    with pytest.raises(NotRepairable, match="not what you saw"):
        repaired(desk, case, replace(seen, content="0" * 64))
    repaired(desk, case, seen)
    ((id, fields),) = store.redis.xrange(store.keys.stream(INNER))
    store.redis.xdel(store.keys.stream(INNER), id)
    event = json.loads(fields[b"event"])
    event["data"]["lines"][0]["charge"] = "1.00"
    store.redis.xadd(store.keys.stream(INNER), {**fields, b"event": json.dumps(event).encode()})
    body = fields[b"waiver"].replace(b'"changes":["', b'"changes":["/x","')
    assert body != fields[b"waiver"]
    store.redis.xadd(store.keys.stream(INNER), {**fields, b"waiver": body})
    consumer.run()
    assert not entries(store, "billing")
    assert entries(store, "rework")[-1]["data"]["report"]["repaired"]["refused"] == (
        "the claim is not the one that was repaired"
    )
    assert len(entries(store, "quarantine")) == 1
    brought()
    assert (now(cases).state, now(cases).fault) == ("open", "not repaired: the claim is not the one that was repaired")


def test_two_at_once_and_a_second_delivery_are_one(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer
) -> None:
    repaired(desk, case)
    ((_, fields),) = store.redis.xrange(store.keys.stream(INNER))
    store.redis.xadd(store.keys.stream(INNER), fields)
    with pytest.raises(NotRepairable, match="it is mended"):
        repaired(desk, now(desk.cases))
    with pytest.raises(CaseChanged):
        desk.do(case, Act(kind="repair", moment="", account="lee", decision_id=case.decision_id), "", TODAY)
    consumer.run()
    found = reconcile(store.redis, store.keys)
    assert (len(entries(store, "billing")), found.repeated, found.balance) == (1, 1, 0)


@pytest.mark.parametrize("step", STEPS)
def test_what_broke_off_is_ended_by_who_comes_next_or_never_happened(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, brought: Brought, step: str
) -> None:
    with broken_off_after(step, store, desk):
        repaired(desk, case)
    assert bool(desk.finish()) == (step == "pending")
    consumer.run()
    brought()
    assert len(entries(store, "billing")) == (step != "pending")
    assert now(cases).state == ("open" if step == "pending" else "mended")
    assert reconcile(store.redis, store.keys).balance == 0


def test_its_decision_is_replayed(store: Store, desk: Desk, case: Case, consumer: InboxConsumer) -> None:
    repaired(desk, case)
    consumer.run()
    (billed,) = entries(store, "billing")
    report, claim = billed["data"]["report"], read_claim(billed["data"]["claim"])
    received = datetime.fromisoformat(billed["data"]["received"]).date() if billed["data"].get("received") else TODAY
    assert not replay(report, claim, consumer.partitions[0].book(), received).differences
