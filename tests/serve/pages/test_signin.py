"""Codes, proxies and visits, without a network.

Others let a forwarded header in from anywhere (oauth2-proxy's trusted-proxy option came late, see its docs), and took
an address that a client wrote itself for the loopback.
"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request

from worker.config.settings import Settings
from worker.serve.identity import Caller
from worker.serve.pages import signin, visits
from worker.serve.pages.here import foreign
from worker.serve.pages.signroutes import led_to


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def codes(told: list[str], clock: Clock) -> signin.Codes:
    found = signin.Codes(told.append, clock)
    found.begin()
    return found


def test_a_code_counts_once_and_the_next_one_is_told(codes: signin.Codes, told: list[str]) -> None:
    assert codes.take(told[0].lower().replace("-", " "))
    assert not codes.take(told[0])
    assert codes.take(told[1])


def test_five_wrong_codes_shut_the_door_for_a_quarter_of_an_hour_and_make_a_new_code(
    codes: signin.Codes, told: list[str], clock: Clock
) -> None:
    for _ in range(signin.WRONG):
        assert not codes.take("ABCD")
    assert codes.wait() == 15
    assert len(told) == 2
    assert not codes.take(told[1])
    clock.now = signin.SHUT
    assert codes.wait() == 0
    assert not codes.take(told[0])
    assert codes.take(told[1])


def test_before_a_code_is_made_none_counts(told: list[str]) -> None:
    assert not signin.Codes(told.append).take("")


def request(peer: str = "127.0.0.1", **headers: str) -> Request:
    raw = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw,
                             "client": (peer, 1), "scheme": "http", "server": ("desk", 80)}  # fmt: skip
    return Request(scope)


def test_a_code_is_for_this_machine_alone() -> None:
    settings = Settings()
    assert signin.way(request(), settings) == signin.way(request("::1"), settings) == "code"
    assert signin.way(request("10.0.0.9"), settings) == "none"
    assert signin.way(request(X_Forwarded_For="10.0.0.9"), settings) == "none"
    assert signin.way(request(Forwarded="for=10.0.0.9"), settings) == "none"


def test_a_proxy_counts_by_its_address_alone() -> None:
    settings = Settings(serve_proxies="10.0.0.7,10.1.0.0/16")
    said = {"X_Forwarded_User": "dana", "X_Forwarded_Groups": "scrub-read"}
    assert signin.way(request("10.1.2.3", **said), settings) == "proxy"
    assert signin.way(request("127.0.0.1", **said), settings) == "none"
    assert signin.way(request("10.0.0.8", **said), settings) == "none"


def test_rights_and_facilities_are_what_the_proxy_says() -> None:
    settings = Settings(serve_proxies="127.0.0.1")

    def caller(user: str, groups: str) -> Caller | None:
        return signin.by_proxy(request(X_Forwarded_User=user, X_Forwarded_Groups=groups), settings)

    dana = caller("Dana Whitlock", "everybody, scrub-read,scrub-work, scrub-facility-north")
    assert dana == Caller(
        account="Dana Whitlock", scopes=frozenset({"read", "work"}), facilities=frozenset({"north"}), person=True
    )
    lee = caller("lee", "read,work,scrub-submit,scrub-check")
    assert lee is not None
    assert lee.scopes == frozenset()
    for nearly in (
        "scrub-facilty-north",
        "Scrub-Facility-north",
        "scrub_facility_north",
        "scrub-facility-",
        "scrub-all",
    ):
        kim = caller("kim", f"scrub-read,scrub-work,{nearly}")
        assert kim is not None
        assert kim.scopes == frozenset(), nearly
    assert caller("", "scrub-read") is None
    assert caller("a" * 65, "scrub-read") is None
    assert caller("a\x01b", "scrub-read") is None


def test_a_page_of_another_site_is_known_by_what_the_browser_says() -> None:
    assert foreign(request(Sec_Fetch_Site="cross-site"))
    assert foreign(request(Sec_Fetch_Site="same-site"))
    assert not foreign(request(Sec_Fetch_Site="same-origin"))
    assert not foreign(request(Sec_Fetch_Site="none"))
    assert foreign(request(Origin="https://evil.example", Host="desk"))
    assert not foreign(request(Origin="http://desk", Host="desk"))
    assert not foreign(request(Origin="null", Host="desk"))


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/cases/abc?next=//evil", "/\\evil.example", "/sign-out", "/work\n"],
)
def test_a_sign_in_leads_to_pages_of_ours_alone(path: str) -> None:
    assert led_to(path) == "/work"
    assert led_to("/cases/k7m2q9x4bd/note") == "/cases/k7m2q9x4bd/note"


DANA = Caller(account="dana", scopes=frozenset({"read"}), person=True)


def test_a_visit_ends_when_nobody_comes_and_after_a_day_of_work_in_any_case(clock: Clock) -> None:
    found = visits.Visits(clock)
    name, visit = found.begin(DANA)
    assert found.find(name) is visit
    clock.now += visits.IDLE + 1
    assert found.find(name) is None
    name, _ = found.begin(DANA)
    for _ in range(int(visits.LONGEST / visits.IDLE) + 1):
        clock.now += visits.IDLE - 1
        found.find(name)
    assert found.find(name) is None
    assert found.find("") is None


def test_forms_are_of_one_browser_and_what_was_written_goes_on_with_it() -> None:
    found = visits.Visits()
    name, _ = found.begin(DANA)
    other, _ = found.begin(DANA)
    assert not found.forged(name, found.token(name))
    assert found.forged(name, found.token(other))
    assert found.forged("", found.token(""))
    found.keep_text("before", "/cases/x/note", "my words")
    _, visit = found.begin(DANA, "before")
    assert visit.kept == {"/cases/x/note": "my words"}
    assert found.begin(DANA, "before")[1].kept == {}


def test_a_visit_keeps_no_more_than_it_needs() -> None:
    from worker.serve.pages.frame import Said

    found = visits.Visits()
    _, visit = found.begin(DANA)
    tokens = [visit.keep_said(Said("good", str(place))) for place in range(100)]
    assert len(visit.said) < 100
    assert visit.said[tokens[-1]].title == "99"
    names = [found.begin(DANA)[0] for _ in range(visits.MOST + 1)]
    assert found.find(names[0]) is None
    assert all(found.find(name) for name in names[1:])
