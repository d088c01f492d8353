"""Lists: filters in addresses, orders that stay, rows; and the database's order against the same one in Python."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.desk.postgres import programs, server
from worker.desk import lists
from worker.desk.cases import Case, LastDay
from worker.desk.casestore import CaseStore
from worker.desk.lists import NOBODY, Choices, Wanted
from worker.serve.pages.memory import Memory
from worker.serve.pages.words import Words
from worker.serve.pages.worklist import SIZE, Filters, OnList, Order, work_list

DAY = date(2026, 11, 30)
WORDS = Words(datetime(2026, 11, 30, 15, tzinfo=UTC))
NONE = Choices((), (), ())


def case(number: int, **about: object) -> Case:
    data: dict[str, object] = {
        "handle": f"h{number:09}", "scope": "", "claim_id": f"PCN-{number:05}", "decision_id": f"d{number}",
        "moment": "2026-11-29T10:00:00.000Z", "held_since": "2026-11-27T10:00:00.000Z", "payer": "medicare",
        "payer_name": "MEDICARE", "charge_cents": 100 * number, "codes": ("UNT001",), "fault": "Too many units",
    }  # fmt: skip
    return Case(**{**data, **about})  # type: ignore[arg-type]


def last(days: int) -> LastDay:
    return LastDay(day=DAY + timedelta(days=days), rule="form/medicare/TIM001-one-year", grade="A")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    found = CaseStore(f"sqlite:///{tmp_path / 'desk' / 'cases.db'}")
    yield found
    found.close()


def put(store: CaseStore, *cases: Case) -> None:
    with store.session() as session:
        for one in cases:
            session.write(None, one)


CASES = st.lists(
    st.fixed_dictionaries(
        {
            "state": st.sampled_from(["open", "pended", "mended", "closed"]),
            "pended_until": st.sampled_from([None, DAY, DAY + timedelta(days=3)]),
            "last_day": st.sampled_from([None, last(-1), last(0), last(7), last(8), last(30), last(31)]),
            "charge_cents": st.sampled_from([0, 100, 90_000]),
            "owner": st.sampled_from(["", "dana", "marcus"]),
            "payer": st.sampled_from([None, "medicare", "aetna"]),
            "codes": st.sampled_from([(), ("UNT001",), ("UNT001", "BND001"), ("UNT0011",)]),
            "scope": st.sampled_from(["", "north"]),
        }
    ),
    max_size=12,
)
WANTED = st.builds(
    Wanted, which=st.sampled_from(lists.WHICH), payer=st.sampled_from(["", "medicare", "MEDICARE"]),
    code=st.sampled_from(["", "UNT001", "%"]), owner=st.sampled_from(["", "dana", NOBODY]),
    due=st.sampled_from(lists.DUES), scopes=st.sampled_from([None, frozenset({"north"}), frozenset()]),
)  # fmt: skip


@given(found=CASES, wanted=WANTED)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_finds_and_orders_what_the_cases_themselves_say(
    tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, object]], wanted: Wanted
) -> None:
    cases = [case(number, **about) for number, about in enumerate(found, 1)]
    store, memory = CaseStore(f"sqlite:///{tmp_path_factory.mktemp('cases') / 'cases.db'}"), Memory()
    try:
        put(store, *cases)
        memory.keep(cases, WORDS.now)
        with store.session() as session:
            assert lists.listed(session, wanted, DAY) == memory.listed(wanted, DAY)
    finally:
        store.close()


EVERY = [
    case(number, state=state, pended_until=until, last_day=day, owner=owner, payer=payer, codes=codes, scope=scope)
    for number, (state, until, day, owner, payer, codes, scope) in enumerate(
        product(
            ("open", "pended", "mended"), (None, DAY), (None, last(-1), last(7), last(31)), ("", "dana"),
            (None, "medicare"), (("UNT001",), ("UNT001", "BND001"), ()), ("", "north"),
        )
    )
]  # fmt: skip


@pytest.mark.slow
def test_postgresql_finds_orders_and_counts_as_sqlite_does(store: CaseStore) -> None:
    folder = programs()
    if folder is None:
        pytest.skip("there is no PostgreSQL server here: apt install postgresql")
    memory = Memory()
    memory.keep(EVERY, WORDS.now)
    put(store, *EVERY)
    with server(folder) as postgresql:
        other = CaseStore(postgresql.empty())
        put(other, *EVERY)
        north, asked = frozenset({"north"}), 0
        with store.session() as one, other.session() as two:
            for which, payer, code, owner, due, scopes in product(
                lists.WHICH,
                ("", "medicare", "MEDICARE"),
                ("", "BND001", "%"),
                ("", "dana", NOBODY),
                lists.DUES,
                (None, north),
            ):
                wanted = Wanted(which=which, payer=payer, code=code, owner=owner, due=due, scopes=scopes)
                assert lists.listed(two, wanted, DAY) == memory.listed(wanted, DAY), wanted
                asked += 1
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
    assert asked > 1_000


def test_filters_are_what_the_address_says_and_make_the_same_address() -> None:
    said = {"payer": "aetna", "code": "unt001", "owner": "me", "state": "pended", "due": "week"}
    filters = Filters.of(said, mine=False)
    assert filters.address() == "/held?payer=aetna&code=UNT001&owner=me&state=pended&due=week"
    assert Filters.of({"state": "burned", "due": "soon"}, mine=False) == Filters()
    assert Filters.of({"owner": "marcus"}, mine=True).wanted("dana", None).owner == "dana"
    assert filters.wanted("dana", None).owner == "dana"
    assert Filters.of({"owner": "nobody"}, mine=False).wanted("dana", None).owner == NOBODY
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
    assert order.cents == sum(one.charge_cents for one in cases)
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
    listed = [lists.Listed(one.handle, one.charge_cents, "unknown") for one in (*cases, case(3))]
    order = Order.of(Filters(), listed, WORDS.now.isoformat())
    page = work_list(order, "t", 1, {one.handle: one for one in cases}, WORDS, {}, NONE)
    rows = page.groups[0].rows
    assert [(row.handle, row.state.text) for row in rows] == [(cases[0].handle, "Paid"), (cases[1].handle, "Open")]
    assert page.first == cases[1].handle


def test_a_filter_offers_what_is_held_and_keeps_what_was_chosen() -> None:
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
