"""Decisions come into the case store once each, in the order in which they were made, whatever was missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.book import BOOK
from worker.desk.acting import Desk
from worker.desk.cases import BESIDE, STRANGER, Case
from worker.desk.casestore import CaseStore, Session, WrittenDecision
from worker.desk.following import Followed, follow, handle_of
from worker.desk.waiving import waivable
from worker.errors import NotWaivable
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.store.connections import Store
from worker.store.keyring import Key, load_rings
from worker.store.registry import Producer

from .breaking import Broken
from .conftest import CLEAN, FAULTY, Send
from .test_cases import held

Brought = Callable[[], Followed]
HELD = FAULTY | {"claim_id": "PCN-1"}
MENDED = CLEAN | {"claim_id": "PCN-1"}


def found(cases: CaseStore) -> dict[tuple[str, str], Case]:
    with cases.session() as session:
        return {(one.scope, one.claim_id): one for one in session.all()}


def test_a_held_claim_is_a_case_with_its_money_its_codes_and_its_last_day(
    decide: Send, brought: Brought, cases: CaseStore
) -> None:
    decide(HELD, CLEAN)
    assert brought() == Followed(2)
    (case,) = found(cases).values()
    assert (case.state, case.claim_id, case.payer, case.charge_cents) == ("open", "PCN-1", "medicare", 66000)
    assert {"UNT001", "CLM001"} <= set(case.codes)
    assert case.last_day is not None
    assert case.service_from is not None
    assert case.last_day.day == case.service_from.replace(year=case.service_from.year + 1)
    with cases.session() as session:
        (decision,) = session.decisions_of(case.handle)
    assert decision.content is not None
    assert decision.content.claim["claim_id"] == "PCN-1"
    assert decision.content.report["findings"]


def test_what_was_folded_is_not_folded_again(decide: Send, brought: Brought, cases: CaseStore) -> None:
    decide(HELD)
    assert brought().decisions == 1
    assert brought().decisions == 0
    decide(MENDED)
    assert brought().decisions == 1
    (case,) = found(cases).values()
    assert (case.state, case.version) == ("mended", 2)
    with cases.session() as session:
        assert [one.disposition for one in session.decisions_of(case.handle)] == ["rework", "billing"]


def test_held_and_mended_before_anybody_looked_is_mended(decide: Send, brought: Brought, cases: CaseStore) -> None:
    decide(HELD)
    decide(MENDED)
    decide(HELD | {"claim_id": "PCN-2"})
    brought()
    assert {one.claim_id: one.state for one in found(cases).values()} == {"PCN-1": "mended", "PCN-2": "open"}


@pytest.mark.parametrize("last", [MENDED, HELD], ids=["mended", "held again"])
def test_of_versions_that_one_batch_decides_the_later_one_stands(
    decide: Send, brought: Brought, cases: CaseStore, last: dict[str, object]
) -> None:
    """Each outlet counts the entries of one commit by itself."""
    first = HELD if last is MENDED else MENDED
    decide(*(FAULTY | {"claim_id": f"OTHER-{count}"} for count in range(3)), HELD | {"total_charge": "1"}, first, last)
    brought()
    case = found(cases)["", "PCN-1"]
    assert case.state == ("mended" if last is MENDED else "open")


def test_a_corrected_member_id_keeps_its_case(decide: Send, brought: Brought, cases: CaseStore) -> None:
    decide(HELD)
    decide(MENDED | {"subscriber": {"member_id": "9AA8CD7EF66"}})
    brought()
    (case,) = found(cases).values()
    assert case.state == "mended"


def test_another_patients_clean_claim_under_the_same_number_mends_nothing(
    decide: Send, brought: Brought, cases: CaseStore
) -> None:
    """Numbers are given twice where two systems send as one facility: the first claim would be forgotten."""
    decide(HELD)
    other = MENDED | {"subscriber": {"member_id": "9AA8CD7EF66"}, "patient": {"birth_date": "1999-01-01", "sex": "M"}}
    decide(other)
    brought()
    (case,) = found(cases).values()
    assert (case.state, case.fault.startswith("another patient's claim has this number")) == ("open", True)
    decide(MENDED | {"subscriber": HELD["subscriber"], "patient": {**HELD["patient"], "birth_date": "1999-01-01"}})
    brought()
    (case,) = found(cases).values()
    assert case.state == "mended", "a birth date that was corrected"


OTHER = {"subscriber": {"member_id": "9AA8CD7EF66"}, "patient": {"birth_date": "1999-01-01", "sex": "M"}}
OTHER_HELD = MENDED | OTHER | {"lines": [{**MENDED["lines"][0], "units": 3}]}


@pytest.fixture
def both(decide: Send, brought: Brought, cases: CaseStore) -> Case:
    """The case of a number under which claims of two patients are held."""
    decide(HELD)
    brought()
    (first,) = found(cases).values()
    decide(OTHER_HELD)
    brought()
    (case,) = found(cases).values()
    assert (case.decision_id, case.codes) == (first.decision_id, first.codes)
    assert case.fault == BESIDE + first.fault
    assert case.version == first.version + 1
    return case


def decisions(cases: CaseStore) -> list[WrittenDecision]:
    with cases.session() as session:
        return session.decisions_of(session.named("PCN-1").handle)


def test_another_patients_held_claim_under_the_same_number_takes_no_case_over_and_is_said(
    both: Case, cases: CaseStore, decide: Send, brought: Brought
) -> None:
    assert [one.stranger for one in decisions(cases)] == [False, True]
    decide(HELD | {"total_charge": "1"})
    brought()
    (case,) = found(cases).values()
    assert case.decision_id not in (both.decision_id, decisions(cases)[1].decision_id)
    assert case.fault.startswith(BESIDE), "a version of the first that is held as well"


def test_the_case_goes_over_to_the_other_patients_claim_once_the_first_is_mended(
    both: Case, cases: CaseStore, decide: Send, brought: Brought
) -> None:
    decide(MENDED)
    brought()
    (case,) = found(cases).values()
    *_, other, _ = decisions(cases)
    assert (case.state, case.decision_id, case.handle) == ("open", other.decision_id, both.handle)
    assert (case.codes, case.held_since) == (("UNT001", "UNT002"), other.moment)
    assert not case.fault.startswith(BESIDE)
    decide(OTHER_HELD)
    brought()
    decide(MENDED | OTHER)
    brought()
    (case,) = found(cases).values()
    assert case.state == "mended"


def test_the_other_patients_claim_that_is_mended_leaves_the_case_to_the_first(
    both: Case, cases: CaseStore, decide: Send, brought: Brought
) -> None:
    decide(MENDED | OTHER)
    brought()
    (case,) = found(cases).values()
    assert (case.state, case.decision_id, case.fault.startswith(STRANGER)) == ("open", both.decision_id, True)
    decide(MENDED)
    brought()
    (case,) = found(cases).values()
    assert case.state == "mended"


def test_a_waiver_lets_neither_of_two_patients_claims_under_one_number_go(both: Case, desk: Desk) -> None:
    with pytest.raises(NotWaivable, match="another patient's claim with this number is held as well"):
        waivable(desk, both, datetime.now(UTC).date())


def test_a_held_claim_that_leaves_by_file_is_a_case_as_well(
    store: Store, consumer: InboxConsumer, decide: Send, brought: Brought, cases: CaseStore
) -> None:
    producers.add(store.redis, store.keys, Producer("ehr", exit="file"))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    decide(HELD, CLEAN | {"claim_id": "PCN-2"}, producer="ehr")
    assert store.redis.xlen(store.keys.outlet("rework")) == 0
    assert brought() == Followed(2)
    assert {one.claim_id: one.state for one in found(cases).values()} == {"PCN-1": "open"}


def test_one_number_of_two_facilities_is_two_cases(
    store: Store, consumer: InboxConsumer, decide: Send, brought: Brought, cases: CaseStore
) -> None:
    for name in ("east", "west"):
        producers.add(store.redis, store.keys, Producer(name, f"{name} hospital"))
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]
    decide(HELD, producer="east")
    decide(HELD, producer="west")
    decide(MENDED, producer="west")
    brought()
    states = {scope: one.state for (scope, _), one in found(cases).items()}
    assert states == {"east hospital": "open", "west hospital": "mended"}


def test_no_group_of_ours_is_on_the_hospitals_outlets(store: Store, decide: Send, brought: Brought) -> None:
    decide(HELD)
    brought()
    groups = [group["name"] for group in store.redis.xinfo_groups(store.keys.outlet("rework"))]
    assert groups == [b"rework"]


@pytest.mark.parametrize("before", [True, False], ids=["away since", "never there"])
def test_what_was_trimmed_before_it_was_seen_is_folded_from_the_audit_log(
    store: Store, decide: Send, brought: Brought, cases: CaseStore, before: bool
) -> None:
    if before:
        decide(HELD | {"claim_id": "PCN-0"})
        brought()
    decide(HELD, HELD | {"claim_id": "PCN-2"})
    decide(MENDED | {"claim_id": "PCN-2"})
    for name in ("billing", "rework"):
        store.redis.xtrim(store.keys.outlet(name), maxlen=0, approximate=False)
    decide(HELD | {"claim_id": "PCN-3"})
    done = brought()
    assert (done.from_audit, done.decisions) == (4, 5), "the last is on the audit log as well, and folded once"
    states = {one.claim_id: one.state for one in found(cases).values()}
    assert {name: states[name] for name in ("PCN-1", "PCN-2", "PCN-3")} == {
        "PCN-1": "open", "PCN-2": "mended", "PCN-3": "open",
    }  # fmt: skip
    one = found(cases)["", "PCN-1"]
    assert (one.payer, one.charge_cents) == ("medicare", 60000)
    assert "UNT001" in one.codes
    assert one.last_day is None, "the audit log has no claim to ask it of"
    with cases.session() as session:
        assert [decision.content for decision in session.decisions_of(one.handle)] == [None]
    assert brought().decisions == 0


def test_trimming_what_was_seen_is_no_reason_to_read_the_audit_log(
    store: Store, decide: Send, brought: Brought, cases: CaseStore
) -> None:
    decide(HELD)
    brought()
    store.redis.xtrim(store.keys.outlet("rework"), maxlen=0, approximate=False)
    assert brought() == Followed()
    decide(HELD | {"claim_id": "PCN-2"})
    assert brought() == Followed(1)


def test_after_redis_was_emptied_cases_stay_and_new_decisions_come_in(
    store: Store, consumer: InboxConsumer, decide: Send, brought: Brought, cases: CaseStore
) -> None:
    decide(HELD)
    brought()
    store.redis.flushall()
    for part in consumer.partitions:
        part.inbox.ensure()
    decide(MENDED, HELD | {"claim_id": "PCN-2"})
    brought()
    assert {one.claim_id: one.state for one in found(cases).values()} == {"PCN-1": "mended", "PCN-2": "open"}


def test_a_book_is_only_made_where_a_held_claim_wants_it(store: Store, decide: Send, cases: CaseStore) -> None:
    decide(CLEAN)
    store.redis.ping()

    def none() -> None:
        raise AssertionError("nobody is held")

    while store.redis.time() == store.redis.time():
        pass
    follow(store, cases, none)  # type: ignore[arg-type]


class Breaking(CaseStore):
    """Ends in the fourth transaction after it was opened, after all was written and before it is committed."""

    sessions = 0

    @contextmanager
    def session(self, *, alone: bool = False) -> Iterator[Session]:
        self.sessions += 1
        with super().session(alone=alone) as found:
            yield found
            if self.sessions == 5:
                raise Broken


def test_a_kill_between_two_pages_loses_and_doubles_nothing(
    store: Store, decide: Send, cases: CaseStore, url: str
) -> None:
    decide(*[HELD | {"claim_id": f"PCN-{number}"} for number in range(7)])
    while store.redis.time() == store.redis.time():
        pass
    breaking = Breaking(url)
    with pytest.raises(Broken):
        follow(store, breaking, lambda: BOOK, page_size=2)
    breaking.close()
    assert len(found(cases)) == 4
    assert follow(store, cases, lambda: BOOK).decisions == 3
    assert len(found(cases)) == 7
    assert {one.version for one in found(cases).values()} == {1}


def test_a_kill_while_the_audit_log_is_folded_loses_nothing(
    store: Store, decide: Send, cases: CaseStore, url: str
) -> None:
    decide(*[HELD | {"claim_id": f"PCN-{number}"} for number in range(7)])
    store.redis.xtrim(store.keys.outlet("rework"), maxlen=0, approximate=False)
    breaking = Breaking(url)
    with pytest.raises(Broken):
        follow(store, breaking, lambda: BOOK)
    breaking.close()
    assert len(found(cases)) == 2
    assert follow(store, cases, lambda: BOOK).from_audit == 5
    assert len(found(cases)) == 7
    assert follow(store, cases, lambda: BOOK) == Followed()


@pytest.mark.parametrize("pages", [1, 3])
def test_two_who_follow_at_once_fold_each_decision_once(
    store: Store, decide: Send, brought: Brought, cases: CaseStore, pages: int
) -> None:
    brought()
    decide(*({**FAULTY, "claim_id": f"PCN-{number % 20}"} for number in range(60)))
    while store.redis.time() == store.redis.time():
        pass
    with ThreadPoolExecutor(4) as at_once:
        done = [at_once.submit(follow, store, cases, lambda: BOOK, pages) for _ in range(4)]
    assert [one.exception() for one in done] == [None] * 4
    with cases.session() as session:
        assert len({*(case.claim_id for case in session.all())}) == 20 == session.open_count()
        assert [len(session.decisions_of(case.handle)) for case in session.all()] == [3] * 20


def test_a_handle_says_nothing_of_the_claim_without_a_key_and_is_the_cases_own() -> None:
    key, other = (Key(name, name.encode() * 16) for name in ("k1", "k2"))
    made = {handle_of(key, scope, f"PCN-{number}") for number in range(500) for scope in ("", "north")}
    assert len(made) == 1_000
    assert {len(one) for one in made} == {10}
    assert not made & {handle_of(other, "", f"PCN-{number}") for number in range(500)}
    assert handle_of(key, "", "PCN-7") == handle_of(key, "", "PCN-7")


def test_a_handle_that_another_case_has_is_not_given_twice(
    store: Store, decide: Send, brought: Brought, cases: CaseStore
) -> None:
    name = handle_of(load_rings(store.settings.secret_path).audit.first, "", "PCN-1")
    with cases.session() as session:
        session.write(None, held(handle=name, claim_id="another"))
    decide(HELD)
    brought()
    assert len({one.handle for one in found(cases).values()}) == 2
