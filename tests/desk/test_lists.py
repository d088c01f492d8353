"""A list is the same whoever answers: the database, which has many thousand cases, and the cases in memory, which are
all there is while it is away. Every filter with every other, every order, page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.book import BOOK
from worker.desk import lists
from worker.desk.cases import Case, StateWanted
from worker.desk.casestore import CaseStore
from worker.desk.wanted import (
    DUE_WORDS,
    SORTS,
    Sums,
    Wanted,
    due_of,
    listed_of,
    payers_named,
    place_in,
    place_of,
    token_of,
)
from worker.errors import PlaceUnknown

from .cases import DAY, EVERY, EXPECTED, case, last, put
from .postgres import PostgreSQL

STATES = get_args(StateWanted)
PAYERS = (None, frozenset({"medicare"}), frozenset({"ÄRZTE"}), frozenset[str]())
CODES = (None, "BND001", "%", 'UNT001", "BND001', "UNT")
OWNERS = (None, "", "dana")
DUES = (None, *map(due_of, DUE_WORDS), 0, 31, -2)
SCOPES = (None, frozenset({"north"}), frozenset[str]())
NUMBERS = (None, frozenset({"PCN-00001", "PCN-00777", "PCN-00002"}), frozenset[str]())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    found = CaseStore(f"sqlite:///{tmp_path_factory.mktemp('desk') / 'cases.db'}")
    put(found, *EVERY)
    yield found
    found.close()


def alike(store: CaseStore, every: list[Case], wanted: Wanted) -> None:
    """The database answers what the cases themselves say."""
    found = wanted.of(every, DAY)
    with store.session() as session:
        assert lists.page(session, wanted, DAY) == found, wanted
        assert lists.listed(session, wanted, DAY) == [listed_of(one, DAY) for one in found], wanted
        whole = replace(wanted, limit=None, after=None).of(every, DAY)
        assert lists.sums(session, wanted, DAY) == Sums.of(listed_of(one, DAY) for one in whole), wanted
        assert lists.numbers(session, wanted, DAY) == {one.claim_id for one in whole}, wanted


def each_filter() -> Iterator[Wanted]:
    """Every combination of what a reader can choose, with orders, facilities and numbers in turn."""
    for number, (state, payers, code, owner, due) in enumerate(product(STATES, PAYERS, CODES, OWNERS, DUES)):
        yield Wanted(
            state=state, payers=payers, code=code, owner=owner, due=due, sort=SORTS[number % len(SORTS)],
            scopes=SCOPES[number % 5 % len(SCOPES)], claim_ids=NUMBERS[number % 7 % len(NUMBERS)] if number % 7 else None,
        )  # fmt: skip


def test_database_and_memory_answer_alike_whatever_is_asked(store: CaseStore) -> None:
    asked = 0
    with store.session() as session:
        for wanted in each_filter():
            found = wanted.of(EVERY, DAY)
            assert lists.listed(session, wanted, DAY) == [listed_of(one, DAY) for one in found], wanted
            asked += 1
    assert asked == len(STATES) * len(PAYERS) * len(CODES) * len(OWNERS) * len(DUES)


@pytest.mark.slow
def test_postgresql_answers_as_memory_does(postgresql: PostgreSQL) -> None:
    other, asked = CaseStore(postgresql.empty()), 0
    put(other, *EVERY)
    for wanted in each_filter():
        with other.session() as session:
            assert lists.page(session, wanted, DAY) == wanted.of(EVERY, DAY), wanted
            asked += 1
    for sort in SORTS:
        assert walked(other, Wanted(state="all", sort=sort, limit=37)) == Wanted(state="all", sort=sort).of(EVERY, DAY)
        alike(other, EVERY, Wanted(state="all", sort=sort))
    other.close()
    assert asked > 3_000


MANY = st.lists(
    st.fixed_dictionaries(
        {
            "state": st.sampled_from(["open", "pended", "mended", "waived", "closed"]),
            "pended_until": st.sampled_from([None, DAY, DAY + timedelta(days=3)]),
            "last_day": st.sampled_from([None, *map(last, (-1, 0, 7, 8, 30, 31))]),
            "charge_cents": st.sampled_from([0, 100, 90_000, -100]),
            "owner": st.sampled_from(["", "dana", "marcus"]),
            "payer": st.sampled_from([None, "medicare", "aetna"]),
            "payer_name": st.sampled_from(["MEDICARE", "ÄRZTE", "a'; --", ""]),
            "codes": st.sampled_from([(), ("UNT001",), ("UNT001", "BND001"), ("UNT0011",)]),
            "scope": st.sampled_from(["", "north"]),
            "expected": st.sampled_from(EXPECTED),
            "held_since": st.sampled_from(["2026-11-27T10:00:00.000Z", "2026-11-27T10:00:00.001Z"]),
        }
    ),
    max_size=12,
)
WANTED = st.builds(
    Wanted, state=st.sampled_from(STATES), payers=st.sampled_from(PAYERS), code=st.sampled_from(CODES),
    owner=st.sampled_from(OWNERS), due=st.sampled_from(DUES), scopes=st.sampled_from(SCOPES),
    claim_ids=st.sampled_from(NUMBERS), sort=st.sampled_from(SORTS), limit=st.sampled_from([None, 1, 5]),
)  # fmt: skip


@given(found=MANY, wanted=WANTED, behind=st.integers(0, 12))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_any_cases_any_page_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, object]], wanted: Wanted, behind: int
) -> None:
    cases = [case(number, **about) for number, about in enumerate(found, 1)]
    store = CaseStore(f"sqlite:///{tmp_path_factory.mktemp('cases') / 'cases.db'}")
    try:
        put(store, *cases)
        alike(store, cases, wanted)
        if behind < len(cases):  # also behind one that is not on the list any more
            alike(store, cases, replace(wanted, after=place_of(cases[behind], wanted.sort, DAY)))
    finally:
        store.close()


def walked(store: CaseStore, wanted: Wanted) -> list[Case]:
    """All pages, each by the token of the one before."""
    every: list[Case] = []
    while True:
        with store.session() as session:
            page = lists.page(session, wanted, DAY)
        every += page
        if not page:
            return every
        token = token_of(place_of(page[-1], wanted.sort, DAY), wanted.sort)
        assert not any(one.claim_id in token for one in page)
        wanted = replace(wanted, after=place_in(token, wanted.sort))


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 37, 1_000])
def test_page_by_page_each_case_comes_once(store: CaseStore, sort: str, limit: int) -> None:
    wanted = Wanted(state="all", sort=sort, scopes=frozenset({"north"}), limit=limit)  # type: ignore[arg-type]
    assert walked(store, wanted) == replace(wanted, limit=None).of(EVERY, DAY)


def test_what_is_done_between_two_pages_moves_nobody_past_a_page(tmp_path: Path) -> None:
    store = CaseStore(f"sqlite:///{tmp_path / 'cases.db'}")
    cases = [case(number) for number in range(1, 21)]
    put(store, *cases)
    wanted, seen = Wanted(state="open", sort="charge", limit=5), list[str]()
    while True:
        with store.session() as session:
            page = lists.page(session, wanted, DAY)
            for one in page:  # a program that closes what it is given
                session.write(one, replace(one, version=2, state="closed", closed_reason="paid"))
        if not page:
            break
        seen += [one.handle for one in page]
        wanted = replace(wanted, after=place_of(page[-1], "charge", DAY))
    store.close()
    assert seen == [one.handle for one in reversed(cases)]


def test_the_highest_expected_payment_comes_first_and_unknown_last_and_never_as_nothing() -> None:
    cases = [case(number, expected=one) for number, one in enumerate(EXPECTED, 1)]
    found = Wanted(sort="expected").of(cases, DAY)
    told = [one.expected and one.expected.kind for one in found]
    assert told == ["range", "amount", "part", "packaged", None, "unknown"]
    sums = Sums.of(listed_of(one, DAY) for one in cases)
    assert (sums.claims, sums.priced) == (6, 3), "neither unknown nor a part stands beside a charge"
    assert (sums.low_cents, sums.high_cents) == (2 * 16_193, 16_193 + 18_000)
    assert sums.priced_cents == sum(one.charge_cents for one in cases[3:])


@pytest.mark.parametrize(
    ("text", "due"),
    [("past", -1), ("week", 7), ("month", 30), ("unknown", "unknown"), ("0", 0), ("365", 365), ("-3", -3),
     ("", None), ("soon", None), ("99999", None), ("1.5", None), ("week ", None), ("²", None), ("7\n", None)],
)  # fmt: skip
def test_due_is_a_word_or_a_number_of_days(text: str, due: object) -> None:
    assert due_of(text) == due


def test_a_payer_is_meant_by_its_key_its_name_or_how_that_begins() -> None:
    known = [(None, "ÄRZTE VON NORD"), ("medicare", "MEDICARE PART B"), (None, "ACME")]
    assert payers_named("medicare", BOOK, known, whole=True) == {"medicare"}
    name = BOOK.registry.payers["medicare"].name
    assert payers_named(name, BOOK, known, whole=True) == {"medicare"}
    assert payers_named("ärzte", BOOK, known) == {"ÄRZTE VON NORD"}
    assert payers_named("ärzte", BOOK, known, whole=True) == set()
    assert payers_named("Acme", BOOK, known, whole=True) == {"ACME"}
    assert {"medicare", "MEDICARE PART B"} <= payers_named("medic", BOOK, known)


@pytest.mark.parametrize(
    "token", ["", "x", "AAAA", "W10", token_of((1, "h"), "charge")[:-2], token_of((0, 1, "h"), "urgency"), "ä",
              token_of((2**63, "h"), "charge"), token_of((True, "h"), "charge"), token_of((1, "h", "h"), "charge")],
)  # fmt: skip
def test_a_place_that_no_list_gave_is_refused(token: str) -> None:
    with pytest.raises(PlaceUnknown, match="no place that a list in the order charge gave"):
        place_in(token, "charge")


@pytest.mark.slow
def test_of_ten_thousand_cases_each_page_takes_less_than_200_ms_of_the_processor(tmp_path: Path) -> None:
    store = CaseStore(f"sqlite:///{tmp_path / 'cases.db'}")
    put(store, *(
        case(n, last_day=last(n % 90 - 5) if n % 7 else None, owner="dana" if n % 3 else "", expected=EXPECTED[n % 6])
        for n in range(10_000)
    ))  # fmt: skip
    took = {}
    for sort in SORTS:
        begin = time.process_time()
        with store.session() as session:
            wanted = Wanted(
                state="all", sort=sort, limit=101, payers=payers_named("medic", BOOK, lists.payers(session))
            )
            page, sums = lists.page(session, wanted, DAY), lists.sums(session, wanted, DAY)
        took[sort] = time.process_time() - begin
        assert (len(page), sums.claims) == (101, 10_000)
    store.close()
    assert {sort: seconds < 0.2 for sort, seconds in took.items()} == dict.fromkeys(SORTS, True), took
