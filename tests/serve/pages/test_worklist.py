"""Lists: filters in addresses, orders that stay, rows; and the database's order against the same one in Python."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from tests.book import BOOK
from tests.desk.cases import DAY, EVERY, EXPECTED, WHOLE, case, last, put
from tests.desk.postgres import programs, server
from worker.desk import lists
from worker.desk.casestore import CaseStore
from worker.desk.lists import Choices
from worker.desk.wanted import Wanted, listed_of, payers_named
from worker.serve.pages.memory import Memory
from worker.serve.pages.words import Words
from worker.serve.pages.worklist import SIZE, Filters, OnList, Order, work_list

WORDS = Words(datetime(2026, 11, 30, 15, tzinfo=UTC))
NONE = Choices((), (), ())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    found = CaseStore(f"sqlite:///{tmp_path / 'desk' / 'cases.db'}")
    yield found
    found.close()


def test_while_the_database_is_away_lists_are_of_what_was_seen(store: CaseStore) -> None:
    memory = Memory()
    memory.keep(EVERY, WORDS.now)
    put(store, *EVERY)
    with store.session() as session:
        assert sorted(set(memory.payers()), key=str) == sorted(lists.payers(session), key=str)
        for state, payer, owner, due, sort in product(
            ("held", "open", "all"), ("", "medicare", "Ärzte"), ("", "me", "nobody"), ("", "week", "unknown", "31"),
            ("urgency", "expected"),
        ):  # fmt: skip
            filters = Filters.of({"state": state, "payer": payer, "owner": owner, "due": due, "sort": sort}, mine=False)
            payers = payers_named(payer, BOOK, memory.payers(), whole=True) if payer else None
            wanted = filters.wanted("dana", payers, None)
            assert memory.listed(wanted, DAY) == lists.listed(session, wanted, DAY) != [], filters


@pytest.mark.slow
def test_postgresql_counts_and_offers_as_sqlite_does(store: CaseStore) -> None:
    folder = programs()
    if folder is None:
        pytest.skip("there is no PostgreSQL server here: apt install postgresql")
    put(store, *EVERY)
    with server(folder) as postgresql:
        other = CaseStore(postgresql.empty())
        put(other, *EVERY)
        north = frozenset({"north"})
        with store.session() as one, other.session() as two:
            for scopes in (None, north, frozenset[str]()):
                assert lists.choices(one, scopes) == lists.choices(two, scopes)
                assert lists.by_code(one, scopes) == lists.by_code(two, scopes)
                assert sorted(lists.by_payer(one, scopes)) == sorted(lists.by_payer(two, scopes))
                assert lists.faults(one, scopes) == lists.faults(two, scopes)
                assert lists.beginning(one, "pcn 0001_", scopes) == lists.beginning(two, "pcn 0001_", scopes) == []
                assert lists.beginning(one, "pcn 0001", scopes) == lists.beginning(two, "pcn 0001", scopes)
            since = WORDS.now - timedelta(days=14)
            found = [[sorted(part) for part in lists.held_and_done(each, None, since)] for each in (one, two)]
            assert found[0] == found[1]
        other.close()


def test_filters_are_what_the_address_says_and_make_the_same_address() -> None:
    said = {"payer": "aetna", "code": "unt001", "owner": "me", "state": "pended", "due": "week", "sort": "expected"}
    filters = Filters.of(said, mine=False)
    assert filters.address() == "/held?payer=aetna&code=UNT001&owner=me&state=pended&due=week&sort=expected"
    assert Filters.of({"state": "burned", "due": "soon", "sort": "luck"}, mine=False) == Filters()
    assert Filters.of({"due": "45"}, mine=False).wanted("dana", None, None).due == 45
    assert Filters.of({"owner": "marcus"}, mine=True).wanted("dana", None, None).owner == "dana"
    assert filters.wanted("dana", None, None) == Wanted(
        state="pended", code="UNT001", owner="dana", due=7, sort="expected"
    )
    assert Filters.of({"owner": "nobody"}, mine=False).wanted("dana", None, None).owner == ""
    assert Filters().wanted("dana", None, None).owner is None
    assert Filters().address(list="x", page=2) == "/held?list=x&page=2"
    assert not Filters.of({}, mine=True).narrowed
    assert filters.narrowed


def test_a_case_has_its_place_with_neighbors_and_page(store: CaseStore) -> None:
    cases = [case(number, last_day=last(number % 40 - 1)) for number in range(1, 121)]
    put(store, *cases)
    with store.session() as session:
        order = Order.of(Filters(), lists.listed(session, Wanted(), DAY), WORDS.now.isoformat())
        found = lists.named(session, order.page(2))
    assert order.claims == 120
    assert order.sums.cents == sum(one.charge_cents for one in cases)
    every = order.all
    place = OnList.on(order, every[51])
    assert place == OnList(52, 120, every[50], every[52], 2)
    assert OnList.on(order, "gone") is None
    assert OnList.on(order, every[0]) == OnList(1, 120, "", every[1], 1)
    page = work_list(order, "t", 2, found, WORDS, {"medicare": "Medicare"}, NONE)
    assert sum(len(group.rows) for group in page.groups) == SIZE
    assert page.between == "51 to 100 of 120"
    assert [row.handle for group in page.groups for row in group.rows] == every[50:100]


def test_what_is_done_meanwhile_stays_in_its_place_and_what_is_gone_leaves_it() -> None:
    cases = [case(1, state="closed", closed_reason="paid"), case(2)]
    listed = [listed_of(one, DAY) for one in (*cases, case(3))]
    order = Order.of(Filters(), listed, WORDS.now.isoformat())
    page = work_list(order, "t", 1, {one.handle: one for one in cases}, WORDS, {}, NONE)
    rows = page.groups[0].rows
    assert [(row.handle, row.state.text) for row in rows] == [(cases[0].handle, "Paid"), (cases[1].handle, "Open")]
    assert page.first == cases[1].handle


def test_expected_payments_stand_beside_charges_with_their_sums() -> None:
    cases = [case(number, expected=one, charge_cents=45_000) for number, one in enumerate(EXPECTED, 1)]
    order = Order.of(Filters(), [listed_of(one, DAY) for one in cases], WORDS.now.isoformat())
    page = work_list(order, "t", 1, {one.handle: one for one in cases}, WORDS, {}, NONE)
    assert page.about == ("6 claims, $2,700.00 charged, expected: $323.86 to $341.93 for 3 of them, charged $1,350.00.")
    (group,) = page.groups
    assert group.about == page.about.removesuffix(".")
    assert [row.expected for row in group.rows] == [
        "unknown", "unknown", "$5.00 for a part of it", "nothing of its own", "$161.93 to $180.00", "$161.93",
    ]  # fmt: skip
    unknown = [listed_of(one, DAY) for one in cases[:2]]
    none = work_list(Order.of(Filters(), unknown, WORDS.now.isoformat()), "t", 1, {}, WORDS, {}, NONE)
    assert none.about == "2 claims, $900.00 charged, expected: unknown."


def test_in_another_order_a_list_is_one_group() -> None:
    cases = [case(1, last_day=last(3)), case(2, expected=WHOLE), case(3, last_day=last(-3))]
    found = Wanted(sort="expected").of(cases, DAY)
    order = Order.of(Filters(sort="expected"), [listed_of(one, DAY) for one in found], WORDS.now.isoformat())
    page = work_list(order, "t", 1, {one.handle: one for one in cases}, WORDS, {}, NONE)
    assert [(one.title, len(one.rows)) for one in page.groups] == [("Highest expected payment", 3)]
    assert page.groups[0].rows[0].handle == cases[1].handle
    assert page.export == "/held.csv?sort=expected"


def test_a_filter_offers_what_is_held_and_keeps_what_was_chosen() -> None:
    days = Order.of(Filters(due="45"), [], WORDS.now.isoformat())
    chosen = [one for one in work_list(days, "t", 1, {}, WORDS, {}, NONE).options["due"] if one.chosen]
    assert [(one.value, one.text) for one in chosen] == [("45", "Within 45 days")]
    choices = Choices(((None, "ACME HEALTH"), ("aetna", "AETNA INC")), ("BND001",), ("marcus",))
    order = Order.of(Filters(code="UNT001"), [], WORDS.now.isoformat())
    options = work_list(order, "t", 1, {}, WORDS, {"aetna": "Aetna"}, choices).options
    assert [(one.value, one.text) for one in options["payer"]] == [
        ("", "Any payer"), ("ACME HEALTH", "ACME HEALTH"), ("aetna", "Aetna"),
    ]  # fmt: skip
    assert [one.value for one in options["code"] if one.chosen] == ["UNT001"]
    assert [one.text for one in options["owner"]] == ["Anyone", "Me", "Nobody", "marcus"]


@pytest.mark.slow
def test_ten_thousand_cases_are_listed_within_200_ms_of_the_processor(tmp_path: Path) -> None:
    store = CaseStore(f"sqlite:///{tmp_path / 'cases.db'}")
    codes = [("UNT001", "UNT002"), ("BND001",), ("MOD004",), ("TIM001",)]
    put(store, *(case(n, last_day=last(n % 90 - 5) if n % 7 else None, codes=codes[n % 4], owner="dana" if n % 3 else "")
                 for n in range(10_000)))  # fmt: skip
    begin = time.process_time()
    with store.session() as session:
        order = Order.of(Filters(), lists.listed(session, Wanted(), DAY), WORDS.now.isoformat())
    listed = time.process_time() - begin
    begin = time.process_time()
    with store.session() as session:
        found, choices = lists.named(session, order.page(120)), lists.choices(session, None)
    work_list(order, "t", 120, found, WORDS, {}, choices)
    OnList.on(order, order.all[-1])
    shown = time.process_time() - begin
    begin = time.process_time()
    with store.session() as session:
        assert lists.beginning(session, "pcn 09", None)
        assert lists.by_code(session, None)[0].claims == 2_500
    counted = time.process_time() - begin
    store.close()
    assert order.claims == 10_000
    assert (listed < 0.2, shown < 0.2, counted < 0.2) == (True, True, True), (listed, shown, counted)
