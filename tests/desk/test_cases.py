"""A case is folded from decisions and acts: what opens, mends, closes and reopens it, and what it refuses.

Elsewhere a work list knows only what was billed (openemr/openemr#7251), a state changes and no history says so
(masslight/ottehr#9520), and what is sent in bulk is not checked again (masslight/ottehr#8676).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.desk.cases import URGENCIES, Act, Case, Decided, LastDay, acted, decided
from worker.errors import ActNotPossible

TODAY = date(2026, 11, 30)
LAST = LastDay(day=date(2026, 12, 31), rule="TIM001", grade="A")


def handle() -> str:
    return "k7m2q9x4bd"


def one(moment: int, disposition: Any = "rework", **more: Any) -> Decided:
    known: dict[str, Any] = {"scope": "", "claim_id": "PCN-1", "charge_cents": 45000, "codes": ("UNT001",)}
    return Decided(
        decision_id=f"d{moment}", moment=f"2026-11-{moment:02}T00:00:00Z", disposition=disposition, **known | more
    )


def folded(*decisions: Decided) -> Case | None:
    case = None
    for decision in decisions:
        case = decided(case, decision, handle)
    return case


def held(**more: Any) -> Case:
    found = folded(one(1, last_day=LAST))
    assert found is not None
    return replace(found, **more)


def act(kind: Any, **more: Any) -> Act:
    return Act(kind=kind, moment="2026-11-30T10:00:00Z", account="marcus", **more)


def test_a_claim_that_was_never_held_has_no_case() -> None:
    assert folded(one(1, "billing"), one(2, "unchecked")) is None


def test_a_held_claim_is_open_and_knows_since_when_and_why() -> None:
    case = folded(one(1), one(2, codes=("DXN001",), charge_cents=90000))
    assert case is not None
    assert (case.state, case.held_since, case.codes, case.charge_cents, case.version) == (
        "open", "2026-11-01T00:00:00Z", ("DXN001",), 90000, 2,
    )  # fmt: skip


def test_a_version_that_goes_to_billing_mends_it_and_a_newer_fault_opens_it_again() -> None:
    case = folded(one(1), one(2, "billing"))
    assert case is not None
    assert case.state == "mended"
    again = decided(case, one(3), handle)
    assert again is not None
    assert (again.state, again.held_since, again.handle) == ("open", "2026-11-03T00:00:00Z", case.handle)


def test_a_waived_case_stays_so_once_it_is_billed_and_a_newer_fault_opens_it_again() -> None:
    case = acted(held(), act("waive", owner="dana", until=TODAY, decision_id="d1"), TODAY)
    assert (case.state, case.decision_id) == ("waived", "d1")
    billed = decided(case, one(2, "billing", waived=True), handle)
    assert billed is not None
    assert (billed.state, billed.decision_id) == ("waived", "d2")
    for later, state in ((one(3), "open"), (one(3, "billing"), "mended")):
        after = decided(billed, later, handle)
        assert after is not None
        assert after.state == state


def test_a_waiver_that_the_workers_refuse_leaves_it_open_and_says_why() -> None:
    case = acted(held(), act("waive", decision_id="d1"), TODAY)
    after = decided(case, one(2, fault="not waived: a later version"), handle)
    assert after is not None
    assert (after.state, after.fault) == ("open", "not waived: a later version")


@pytest.mark.parametrize("state", ["mended", "waived", "closed"])
def test_what_is_not_held_is_not_waived_nor_another_decision_than_the_one_that_stands(state: Any) -> None:
    with pytest.raises(ActNotPossible, match=f"it is {state}"):
        acted(held(state=state), act("waive", decision_id="d1"), TODAY)
    with pytest.raises(ActNotPossible, match="another decision"):
        acted(held(), act("waive", decision_id="d0"), TODAY)


def test_a_version_that_no_rule_is_for_closes_it() -> None:
    case = folded(one(1), one(2, "unchecked"))
    assert case is not None
    assert (case.state, case.closed_reason) == ("closed", "unchecked")


def test_an_older_version_that_comes_late_changes_nothing() -> None:
    case = folded(one(1), one(2, "billing"))
    assert decided(case, one(9, superseded=True), handle) is case


@pytest.mark.parametrize("state", ["pended", "closed", "mended"])
def test_a_new_fault_opens_what_was_put_off_or_done(state: Any) -> None:
    before = held(state=state, pended_until=date(2026, 12, 9), owner="dana", closed_reason="paid")
    after = decided(before, one(5), handle)
    assert after is not None
    assert (after.state, after.pended_until, after.closed_reason, after.owner) == ("open", None, None, "dana")


@given(st.lists(st.sampled_from(["billing", "rework", "unchecked"]), min_size=1, max_size=5))
def test_whatever_order_decisions_are_seen_in_the_case_ends_alike(dispositions: list[str]) -> None:
    """But for the number of changes, and since when it was held where the fold saw what lay in between."""
    decisions = [one(moment, disposition) for moment, disposition in enumerate(dispositions, 1)]
    held_ones = [decision for decision in decisions if decision.disposition == "rework"]
    if not held_ones:
        assert folded(*decisions) is None
        return
    ends = set()
    for order in permutations(decisions):
        # A case begins with a held version: those that were seen before it began are seen again by whoever follows.
        case = folded(*order, *order)
        assert case is not None
        ends.add((case.state, case.decision_id, case.codes, case.closed_reason))
    assert len(ends) == 1


def test_a_pended_case_comes_back_by_itself_on_its_day() -> None:
    case = acted(held(), act("pend", until=date(2026, 12, 4)), TODAY)
    assert [case.state_on(day) for day in (TODAY, date(2026, 12, 3), date(2026, 12, 4))] == ["pended", "pended", "open"]
    assert (case.pended_by, case.version) == ("marcus", 2)


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        (TODAY, "expected a day after today"),
        (None, "expected a day after today"),
        (date(2026, 12, 30), "the last day to file is 2026-12-31, so 2026-12-29 is the latest"),
    ],
)
def test_a_case_is_pended_until_two_days_before_the_last_day_at_most(until: date | None, sentence: str) -> None:
    with pytest.raises(ActNotPossible, match=sentence):
        acted(held(), act("pend", until=until), TODAY)
    assert acted(held(), act("pend", until=date(2026, 12, 29)), TODAY).state == "pended"
    late = held(last_day=replace(LAST, day=date(2026, 11, 1)))
    assert acted(late, act("pend", until=date(2027, 2, 1)), TODAY).state == "pended", "late claims still go, with proof"


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        ("mended", "pend", "it is mended"), ("closed", "close", "it is closed"), ("open", "reopen", "it is open"),
        ("mended", "close", "it is mended"),
    ],
)  # fmt: skip
def test_what_is_not_possible_says_what_is_in_the_way(state: Any, kind: Any, reason: str) -> None:
    with pytest.raises(ActNotPossible, match=reason):
        acted(held(state=state), act(kind, until=date(2026, 12, 4), reason="paid"), TODAY)


def test_it_is_closed_with_a_reason_from_the_list_and_may_be_opened_again() -> None:
    closed = acted(held(), act("close", reason="without_billing"), TODAY)
    assert (closed.state, closed.closed_reason) == ("closed", "without_billing")
    opened = acted(closed, act("reopen"), TODAY)
    assert (opened.state, opened.closed_reason) == ("open", None)
    with pytest.raises(ActNotPossible, match="expected a reason"):
        acted(held(), act("close"), TODAY)


def test_an_owner_and_a_note_change_no_state() -> None:
    case = acted(acted(held(), act("assign", owner="dana"), TODAY), act("note"), TODAY)
    assert (case.state, case.owner, case.version) == ("open", "dana", 3)


def test_urgency_is_by_the_days_that_are_left() -> None:
    found = [
        held(last_day=replace(LAST, day=TODAY + timedelta(days=days))).urgency(TODAY) for days in (-1, 0, 7, 8, 30, 31)
    ]
    assert found == ["past", "week", "week", "month", "month", "later"]
    assert held(last_day=None).urgency(TODAY) == "unknown" == URGENCIES[-1]
