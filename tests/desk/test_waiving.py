"""A waiver lets one decision's claim go, as it was decided, and nothing else.

What others let go: an edit switched off for everybody and forgotten, a claim let through that had been corrected
meanwhile, and bulk overrides without a reason (openemr/openemr#7251, masslight/ottehr#8676).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.loader import read_book, whole_book
from tests.book import BOOK, shelf
from worker import bootstrap
from worker.audit.claimlines import claim_lines, standing
from worker.desk.acting import Desk
from worker.desk.cases import Act, Case
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed, follow
from worker.desk.waiving import Waivable, names, waivable, waive
from worker.errors import CaseChanged, NotWaivable
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import context, outlets, producers, waivers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.store.agreement import Standing, write
from worker.store.connections import Store
from worker.store.keyring import Ring, load_rings
from worker.store.keys import INNER, case_mark
from worker.store.registry import Producer

from .breaking import STEPS, broken_off_after
from .conftest import CLEAN, Send

TODAY = datetime.now().astimezone().date()
REASON = "CANARY: agreed with Dr. CANARY by phone"
Brought = Callable[[], Followed]
HELD = CLEAN | {"claim_id": "PCN-1", "lines": [{**CLEAN["lines"][0], "units": 2}]}
LATER = CLEAN | {"claim_id": "PCN-1", "lines": [{**CLEAN["lines"][0], "units": 3}]}
"""A version that is held as well."""


@pytest.fixture
def case(decide: Send, brought: Brought, cases: CaseStore) -> Case:
    decide(HELD)
    brought()
    return now(cases)


def now(cases: CaseStore) -> Case:
    with cases.session() as session:
        return session.named("PCN-1")


def let_go(desk: Desk, case: Case, seen: Waivable | None = None, **more: Any) -> Case:
    about = {"owner": "dana", "until": TODAY + timedelta(days=2), "day": TODAY} | more
    return waive(desk, seen or waivable(desk, case, TODAY), REASON, **about)


def entries(store: Store, outlet: str) -> list[dict[str, Any]]:
    return [one.event for one in outlets.tail(store.redis, store.keys, outlet)]


def test_a_waived_claim_goes_to_billing_with_its_findings_shown_as_waived(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, brought: Brought
) -> None:
    seen = waivable(desk, case, TODAY)
    assert names(seen.findings) == ("UNT001@1", "UNT002@1")
    waiting = let_go(desk, case, seen)
    assert (waiting.state, waiting.decision_id) == ("waived", case.decision_id)
    consumer.run()
    (held,), (billed,) = entries(store, "rework"), entries(store, "billing")
    report = billed["data"]["report"]
    assert report["disposition"] == "billing"
    assert [one["code"] for one in report["findings"] if one["severity"] == "block"] == ["UNT001"]
    waived = report["waived"]
    assert (waived["decision"], waived["findings"], waived["owner"], waived["refused"]) == (
        held["id"], ["UNT001@1", "UNT002@1"], "dana", None,
    )  # fmt: skip
    same = {"eventsource", "eventid"}
    assert {name: billed[name] for name in same} == {name: held[name] for name in same}
    assert billed["data"]["claim"] == held["data"]["claim"]
    brought()
    found = now(cases)
    assert (found.state, found.decision_id, found.handle) == ("waived", billed["id"], case.handle)
    assert reconcile(store.redis, store.keys).balance == 0


def test_the_act_is_on_the_audit_log_without_its_reason_and_the_decision_names_the_waiver(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer
) -> None:
    let_go(desk, case)
    consumer.run()
    (billed,) = entries(store, "billing")
    lines = claim_lines(store.settings.audit_path, "PCN-1", load_rings(store.settings.secret_path).audit, None)
    assert {line.state for line in lines} == {"sound"}
    (act,) = [line.line for line in lines if line.line["event.action"] == "claim.waived"]
    assert act["case.text"] == desk.digest(REASON)
    assert (act["claim.waived"], act["case.owner"], act["claim.decision_id"]) == (
        ["UNT001@1", "UNT002@1"], "dana", case.decision_id,
    )  # fmt: skip
    decided = standing(lines)[-1].line
    assert decided["claim.waiver"] == act["claim.waiver"] == billed["data"]["report"]["waived"]["digest"]
    assert (decided["claim.waived"], decided["claim.waived_decision"]) == (act["claim.waived"], case.decision_id)
    assert (decided["claim.disposition"], decided["claim.decision_id"]) == ("billing", billed["id"])
    for file in store.settings.audit_path.glob("*.jsonl"):
        assert b"CANARY" not in file.read_bytes()
    for key in store.redis.scan_iter():
        dumped = store.redis.dump(key) or b""
        assert b"CANARY" not in dumped


def test_it_keeps_the_revision_of_the_entry_that_was_decided(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer
) -> None:
    (held,) = entries(store, "rework")
    let_go(desk, case)
    consumer.run()
    front = store.redis.get(store.keys.front(case_mark("", "PCN-1")))
    assert front == f"{held['inboxentry']} billing P billed".encode()
    (billed,) = entries(store, "billing")
    assert billed["claimrevision"] == held["inboxentry"]
    (ledger,) = [store.redis.get(key) for key in store.redis.scan_iter(match="*ledger:*")]
    assert ledger is not None
    assert json.loads(ledger.split(b" ", 1)[1])[0][1:3] == [held["inboxentry"], "b"]


def test_what_the_front_end_refuses_is_not_waived(desk: Desk, decide: Send, brought: Brought, cases: CaseStore) -> None:
    decide(HELD | {"subscriber": {"member_id": "123"}})
    brought()
    with pytest.raises(NotWaivable, match=r"front end refuses it .*IDN004"):
        waivable(desk, now(cases), TODAY)


def test_a_claim_that_leaves_by_file_is_not_waived_onto_the_outlet_of_the_others(
    store: Store, desk: Desk, decide: Send, consumer: InboxConsumer, brought: Brought, cases: CaseStore
) -> None:
    producers.add(store.redis, store.keys, Producer("drop", "east", exit="file"))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    decide(HELD, producer="drop")
    brought()
    with pytest.raises(NotWaivable, match="its source leaves by file"):
        waivable(desk, now(cases), TODAY)
    assert not entries(store, "billing")


def test_an_exact_duplicate_is_not_waived(desk: Desk, decide: Send, brought: Brought, cases: CaseStore) -> None:
    decide(CLEAN | {"claim_id": "PCN-0"}, CLEAN | {"claim_id": "PCN-1"})
    brought()
    assert "DUP001" in now(cases).codes
    with pytest.raises(NotWaivable, match="exact duplicate"):
        waivable(desk, now(cases), TODAY)


@pytest.mark.parametrize(
    "about",
    [{"owner": " "}, {"until": TODAY - timedelta(days=1)}, {"until": TODAY + timedelta(days=32)}],
)
def test_it_has_an_owner_and_a_last_day_that_is_near(
    store: Store, desk: Desk, case: Case, about: dict[str, Any]
) -> None:
    with pytest.raises(NotWaivable):
        let_go(desk, case, **about)
    with pytest.raises(NotWaivable):
        waive(desk, waivable(desk, case, TODAY), " ", owner="dana", until=TODAY, day=TODAY)
    assert not store.redis.xlen(store.keys.stream(INNER))


def test_what_was_changed_since_it_was_seen_is_not_waived(
    store: Store, desk: Desk, case: Case, cases: CaseStore, decide: Send, brought: Brought
) -> None:
    seen = waivable(desk, case, TODAY)
    with pytest.raises(NotWaivable, match="not what you saw"):
        let_go(desk, case, replace(seen, content="0" * 64))
    decide(LATER)
    with pytest.raises(NotWaivable, match="a later version of it"):
        let_go(desk, case, seen)
    brought()
    with pytest.raises(NotWaivable, match="a later version of it"):
        let_go(desk, case, seen)
    assert let_go(desk, now(cases)).state == "waived"
    with pytest.raises(NotWaivable, match="it is waived"):
        waivable(desk, now(cases), TODAY)


def sent(store: Store) -> dict[bytes, bytes]:
    """The waiver that waits, taken off the stream."""
    ((id, fields),) = store.redis.xrange(store.keys.stream(INNER))
    store.redis.xdel(store.keys.stream(INNER), id)
    return dict(fields)


def test_a_claim_that_is_not_the_one_that_was_waived_stays_held(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, brought: Brought
) -> None:
    let_go(desk, case)
    fields = sent(store)
    event = json.loads(fields[b"event"])
    event["data"]["lines"][0]["units"] = 3
    store.redis.xadd(store.keys.stream(INNER), {**fields, b"event": json.dumps(event).encode()})
    consumer.run()
    assert not entries(store, "billing")
    (_, still) = entries(store, "rework")
    assert still["data"]["report"]["waived"]["refused"] == "the claim is not the one that was waived"
    brought()
    assert (now(cases).state, now(cases).fault) == ("open", "not waived: the claim is not the one that was waived")


CORRECTED = CLEAN | {"claim_id": "PCN-1", "subscriber": {"member_id": "9AA8CD7EF66"}}
WITHOUT = {name: value for name, value in (CLEAN | {"claim_id": "PCN-1"}).items() if name != "subscriber"}


@pytest.mark.parametrize("later", [CORRECTED, WITHOUT, LATER])
def test_an_old_version_is_never_billed_after_a_later_one_whatever_its_member_id(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, decide: Send, brought: Brought,
    later: dict[str, Any],
) -> None:  # fmt: skip
    """The waiver was on its way already when the correction was decided."""
    let_go(desk, case)
    fields = sent(store)
    decide(later)
    before = len(entries(store, "billing"))
    store.redis.xadd(store.keys.stream(INNER), fields)  # type: ignore[arg-type]
    consumer.run()
    assert len(entries(store, "billing")) == before
    refused = entries(store, "rework")[-1]["data"]["report"]["waived"]["refused"]
    assert refused.startswith("a later version of it")
    brought()
    assert now(cases).decision_id != entries(store, "rework")[-1]["id"] or now(cases).state == "open"


def test_the_commit_sees_a_correction_that_comes_while_the_waived_claim_is_judged(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer, decide: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    committer = other.partitions[0].committer
    real = committer.commit

    def meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        decide(CORRECTED)
        return real(*given)

    let_go(desk, case)
    monkeypatch.setattr(committer, "commit", meanwhile)
    other.run()
    other.audit.close()
    (billed,) = entries(store, "billing")
    assert billed["data"]["claim"]["subscriber"]["member_id"] == "9AA8CD7EF66"
    assert entries(store, "rework")[-1]["data"]["report"]["waived"]["refused"].startswith("a later version")


def test_one_of_two_waivers_at_once_counts(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer, tmp_path: Path, cases: CaseStore
) -> None:
    """In one case store the second person is told; from two stores the second event is a repeated one."""
    seen = waivable(desk, case, TODAY)
    others = CaseStore(f"sqlite:///{tmp_path / 'others.sqlite'}")
    follow(store, others, lambda: BOOK)
    with others.session() as session:
        theirs = session.named("PCN-1")
    elsewhere = replace(desk, cases=others)
    second = waivable(elsewhere, theirs, TODAY)
    let_go(desk, case, seen)
    with pytest.raises(CaseChanged):
        desk.do(case, Act(kind="waive", moment="", account="lee", decision_id=case.decision_id), "", TODAY)
    waive(elsewhere, second, "another reason", owner="lee", until=TODAY, day=TODAY)
    consumer.run()
    assert len(entries(store, "billing")) == 1
    found = reconcile(store.redis, store.keys)
    assert (found.repeated, found.balance) == (1, 0)
    others.close()


def test_a_new_finding_of_another_book_holds_it_still_and_is_said(
    store: Store, desk: Desk, consumer: InboxConsumer, decide: Send, brought: Brought, cases: CaseStore, tmp_path: Path
) -> None:
    (part,) = consumer.partitions
    whole, smaller = part.book, read_book(whole_book(shelf(tmp_path, "UNT001")).library, examples=False)
    part.book = lambda: smaller
    decide(HELD)
    brought()
    seen = waivable(desk, now(cases), TODAY)
    assert names(seen.findings) == ("UNT001@1",)
    let_go(desk, now(cases), seen)
    part.book = whole
    consumer.run()
    assert not entries(store, "billing")
    brought()
    found = now(cases)
    assert (found.state, found.fault) == (
        "open", "not waived: the waiver does not name UNT002@1, which was found since",
    )  # fmt: skip
    let_go(desk, found)
    consumer.run()
    assert len(entries(store, "billing")) == 1


def test_after_its_last_day_it_holds_no_longer(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go(desk, case, until=TODAY)
    late = f"{TODAY + timedelta(days=2)}T00:00:00.000Z"
    monkeypatch.setattr(context, "moment", lambda: late)
    consumer.run()
    assert not entries(store, "billing")
    waived = entries(store, "rework")[-1]["data"]["report"]["waived"]
    assert waived["refused"] == f"the last day of the waiver was {TODAY}"


def test_in_an_american_evening_its_last_day_is_not_one_that_is_over_for_the_workers(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer
) -> None:
    """They look at the day in UTC: a waiver that ends today would hold for nobody."""
    utc = datetime.now(UTC).date()
    seen, yesterday = waivable(desk, case, TODAY), utc - timedelta(days=1)
    with pytest.raises(NotWaivable, match=f"expected a last day from {utc} to"):
        let_go(desk, case, seen, until=yesterday, day=yesterday)
    let_go(desk, case, seen, until=utc, day=yesterday)
    consumer.run()
    assert len(entries(store, "billing")) == 1


def test_a_store_of_before_has_no_front_and_its_claims_are_not_waived(
    store: Store, desk: Desk, case: Case, consumer: InboxConsumer
) -> None:
    key = store.keys.front(case_mark("", "PCN-1"))
    let_go_at = waivable(desk, case, TODAY)
    known = store.redis.getdel(key)
    with pytest.raises(NotWaivable, match="nobody knows any more"):
        let_go(desk, case, let_go_at)
    assert known is not None
    store.redis.set(key, known)
    let_go(desk, case, let_go_at)
    store.redis.delete(key)
    consumer.run()
    assert not entries(store, "billing")
    assert "nobody knows any more" in entries(store, "rework")[-1]["data"]["report"]["waived"]["refused"]


def test_beside_a_worker_of_an_older_release_or_in_layout_1_nothing_is_waived(
    store: Store, desk: Desk, case: Case
) -> None:
    about = {"host": "h", "pid": 1, "processes": []}
    store.redis.hset(store.keys.workers, "old", f"{store.redis.time()[0] * 1000} {json.dumps(about)}")
    with pytest.raises(NotWaivable, match="older release"):
        waivable(desk, case, TODAY)
    store.redis.hdel(store.keys.workers, "old")
    write(store.redis, Standing(1, 1, 1))
    with pytest.raises(NotWaivable, match="scrub migrate"):
        waivable(desk, case, TODAY)


def test_no_sender_can_waive(store: Store, desk: Desk, case: Case, consumer: InboxConsumer) -> None:
    """Not by a field that was made here, on a stream of its own or the shared one; nor who has no key, on the inner."""
    producers.add(store.redis, store.keys, Producer("east"))
    let_go(desk, case)
    fields = sent(store)
    for stream in ("", "east"):
        store.redis.xadd(store.keys.stream(stream), fields)  # type: ignore[arg-type]
    for part in consumer.partitions:
        part.inbox._streams.forget()  # type: ignore[attr-defined]
    consumer.run()
    assert not entries(store, "billing")
    key, seal, body = fields[b"waiver"].split(b" ", 2)
    for forged in (body.replace(b'"dana"', b'"eve"'), body):
        seal = seal if forged != body else seal[::-1]
        store.redis.xadd(store.keys.stream(INNER), {**fields, b"waiver": b" ".join((key, seal, forged))})  # type: ignore[dict-item]
    consumer.run()
    assert not entries(store, "billing")
    held = entries(store, "quarantine")
    assert [one["data"]["problems"][0]["path"] for one in held] == ["waiver", "waiver"]


@pytest.mark.parametrize("step", STEPS)
def test_what_broke_off_after_a_step_is_ended_by_who_comes_next_or_never_happened(
    store: Store, desk: Desk, case: Case, cases: CaseStore, consumer: InboxConsumer, brought: Brought, step: str
) -> None:
    with broken_off_after(step, store, desk):
        let_go(desk, case)
    if step == "xadd":
        consumer.run()  # the workers are quicker than whoever comes next
        brought()
    assert bool(desk.finish()) == (step == "pending")
    consumer.run()
    brought()
    assert len(entries(store, "billing")) == (step != "pending")
    assert now(cases).state == ("open" if step == "pending" else "waived")
    assert not [one for one in desk.finish() if step != "pending"]
    assert reconcile(store.redis, store.keys).balance == 0
    if step == "pending":
        desk.give_up(desk.finish()[0])
        assert let_go(desk, now(cases)).state == "waived"


def test_the_front_of_a_held_claim_outlives_the_event_memory_and_has_nothing_of_a_patient(
    store: Store, decide: Send
) -> None:
    decide(HELD, CLEAN | {"claim_id": "PCN-2"}, WITHOUT | {"claim_id": "PCN-3"})
    keys = {name: store.keys.front(case_mark("", name)) for name in ("PCN-1", "PCN-2", "PCN-3")}
    day = 86_400_000
    days = {name: round(store.redis.pttl(key) / day) for name, key in keys.items()}  # type: ignore[operator]
    assert days == {"PCN-1": 400, "PCN-2": store.settings.event_memory, "PCN-3": 400}
    for key in keys.values():
        revision, state, turn, *more = (store.redis.get(key) or b"").decode().split(" ")
        assert (revision.count("-"), turn, more) == (1, "P", ["billed"] * (state == "billing"))


def test_its_digest_is_another_one_under_another_key(desk: Desk, case: Case) -> None:
    seen = waivable(desk, case, TODAY)
    said = waivers.Waiver(
        decision=case.decision_id, content=seen.content, findings=names(seen.findings), revision="1-1", reason="",
        owner="dana", until=TODAY.isoformat(), account="marcus", moment="", source="", id="",
    )  # fmt: skip
    one, other = (waivers.sealed(said, Ring.of(secret * 32)) for secret in (b"a", b"b"))
    assert one.digest != other.digest
    assert len(one.digest) == 32
