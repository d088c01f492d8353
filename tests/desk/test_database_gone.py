"""The database of the cases goes and comes back while acts are under way: what was written stands, what was begun is
ended, decisions are brought in when it is there again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from worker.audit.lines import now
from worker.desk.acting import Desk
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed
from worker.errors import CaseStoreUnusable
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Send
from .postgres import PostgreSQL, programs, server
from .test_acting import lines
from .test_cases import TODAY, act
from .test_rebuilding import number

pytestmark = pytest.mark.slow


@pytest.fixture
def own() -> Iterator[PostgreSQL]:
    """One that a test may stop."""
    found = programs()
    if found is None:
        pytest.skip("there is no PostgreSQL server here: apt install postgresql")
    with server(found) as started:
        yield started


@pytest.fixture
def url(own: PostgreSQL) -> str:
    return own.empty()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_what_was_begun_when_the_database_went_is_ended_when_it_is_back(
    own: PostgreSQL, store: Store, desk: Desk, cases: CaseStore, decide: Send, brought: Callable[[], Followed],
    monkeypatch: pytest.MonkeyPatch, how: signal.Signals,
) -> None:  # fmt: skip
    decide(FAULTY | number(1), FAULTY | number(2))
    brought()
    with cases.session() as session:
        first, second = session.named("PCN-1"), session.named("PCN-2")
    real = desk.audit.write

    def and_then_it_goes(said: list[object]) -> object:
        done = real(said)  # type: ignore[arg-type]
        own.stop(how)
        return done

    monkeypatch.setattr(desk.audit, "write", and_then_it_goes)
    with pytest.raises(CaseStoreUnusable):
        desk.do(first, replace(act("close", reason="paid"), moment=now()), "why", TODAY)
    monkeypatch.undo()
    with pytest.raises(CaseStoreUnusable):
        desk.do(second, act("assign", owner="dana"), "", TODAY)
    assert [line["event.action"] for line in lines(store)] == ["case.closed"], "what cannot be kept is not on the log"
    decide(CLEAN | number(2))
    with pytest.raises(CaseStoreUnusable):
        brought()
    own.start()
    assert desk.finish() == []
    brought()
    with cases.session() as session:
        first, second = session.named("PCN-1"), session.named("PCN-2")
        assert [(one.state, one.text) for one in session.acts_of(first.handle)] == [("done", "why")]
    assert (first.state, second.state, second.owner) == ("closed", "mended", "")
