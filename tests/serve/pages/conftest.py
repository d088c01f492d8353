"""The desk as it runs, behind a proxy that names people, with the demonstration's claims decided."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.cli.conftest import home, scrub
from tests.serve.conftest import Service, _over, _served
from tests.serve.pages.watched import browser
from worker import bootstrap
from worker.config.settings import load_settings
from worker.demo.claims import EXAMPLES
from worker.desk.casestore import CaseStore
from worker.pipeline.notification import Notifier
from worker.store import opening

__all__ = ["browser", "home", "scrub"]
PROXY = {"SCRUB_SERVE_PROXIES": "127.0.0.1", "SCRUB_TIMEZONE": "America/Chicago"}


_CLIENTS: list[httpx.Client] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _CLIENTS:
        _CLIENTS.pop().close()


class Person:
    """Somebody at a browser without scripts, whom the proxy names."""

    def __init__(
        self, service: Service, name: str = "dana", groups: str = "scrub-read,scrub-work", **more: Any
    ) -> None:
        self.service = service
        self.http = httpx.Client(
            base_url=service.url, timeout=60, follow_redirects=True,
            headers={"X-Forwarded-User": name, "X-Forwarded-Groups": groups, "Accept": "text/html",
                     "X-Forwarded-For": f"10.9.0.{sum(name.encode()) % 250}", **more},
        )  # fmt: skip
        _CLIENTS.append(self.http)
        self.page = self.url = ""

    def get(self, path: str, status: int = 200) -> str:
        answer = self.http.get(path)
        assert answer.status_code == status, (answer.status_code, answer.text[:2_000])
        self.page, self.url = answer.text, str(answer.url)
        return self.page

    @property
    def csrf(self) -> str:
        return found(r'name="csrf" value="(\w+)"', self.page)

    def post(self, path: str, status: int = 200, **fields: Any) -> str:
        """As a form of the page that he has open does it."""
        answer = self.http.post(path, data={"csrf": self.csrf, **fields})
        assert answer.status_code == status, (answer.status_code, answer.text[:3_000])
        self.page, self.url = answer.text, str(answer.url)
        return self.page

    def open(self, number: str) -> str:
        """The page of a claim; answers its handle."""
        self.get("/find")
        self.post("/find", number=number)
        return found(r"/cases/(\w+)", self.url)

    def act(self, handle: str, kind: str, status: int = 200, query: str = "", **fields: Any) -> str:
        """By the form of an act, as it is then."""
        page = self.get(f"/cases/{handle}/{kind}{query}")
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
        return self.post(f"/cases/{handle}/{kind}", status, **{**hidden, **fields})


def found(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    assert match, (pattern, page[:3_000])
    return html.unescape(match[1])


def text_of(page: str) -> str:
    """What is read on a page."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


def decide(service: Service, *claims: dict[str, Any], raw: tuple[str, ...] = (), producer: str = "") -> None:
    """Has claims decided, and waits until the desk knows."""
    with opening.open_store(load_settings(state_dir=service.home / "state")) as store:
        consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
        for place, data in enumerate(claims):
            event = {"specversion": "1.0", "id": f"e{time.time_ns()}-{place}", "source": "/ehr",
                     "type": "claim.submitted.v1", "data": data}  # fmt: skip
            store.redis.xadd(store.keys.stream(producer), {"event": json.dumps(event)})
        for text in raw:
            store.redis.xadd(store.keys.stream(producer), {"event": text})
        consumer.run()
        consumer.audit.close()
        wanted = sum(int(store.redis.xlen(store.keys.outlet(name))) for name in ("billing", "rework", "unchecked"))
        cases, until = CaseStore(store.settings.case_store_url), time.monotonic() + 120
        while time.monotonic() < until:
            with cases.session() as session:
                folded = sum(
                    session.cursor(store.keys.outlet(name)).count for name in ("billing", "rework", "unchecked")
                )
            if folded >= wanted:
                break
            time.sleep(0.05)
        cases.close()
        assert folded >= wanted


def held_claims() -> list[dict[str, Any]]:
    return [one.claim for one in EXAMPLES if one.expect == "rework"]


@pytest.fixture(scope="module")
def desk() -> Iterator[Service]:
    """With all of the demonstration's claims, and a message that is none. Tests that change a case take one of their
    own by its number."""
    started: list[Service] = []
    service = _served(started, **PROXY)
    decide(service, *(one.claim for one in EXAMPLES), raw=("<html>no claim</html>",))
    yield service
    _over(started)


@pytest.fixture
def person(desk: Service) -> Callable[..., Person]:
    return lambda *about, **more: Person(desk, *about, **more)
