"""What leaves without a verdict of the book's counts as billed, at the front of its case as in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from worker.desk.acting import Desk as CaseDesk
from worker.desk.waiving import waivable
from worker.errors import NotWaivable
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.front import Front
from worker.store.connections import Store
from worker.store.keys import case_mark

from .conftest import Open
from .filed import kinds, manifests, of
from .test_cutoff import failing
from .test_later import TODAY, case_of, cases, person

__all__ = ["cases", "failing", "person"]


def front_of(store: Store, name: str) -> Front | None:
    return Front.parse((store.redis.get(store.keys.front(case_mark("", name))) or b"").decode())


def test_what_leaves_unchecked_or_undecided_is_billed_at_the_front_and_no_other_version_is_waived_past_it(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk, failing: Callable[[str], None]
) -> None:
    store.settings.__dict__.update(send_unchecked="send", send_undecided="send")
    one = desk("1s")
    failing("C-2")
    one.put("batch.837", of("U-1", "C-2"))
    one.steps()
    worker.run()
    assert [front_of(store, name) and front_of(store, name).billed for name in ("U-1", "C-2")] == [False, None]  # type: ignore[union-attr]
    time.sleep(1)
    one.until_written("batch")
    assert kinds(manifests(one.out)["batch"]) == {"U-1": "unchecked", "C-2": "undecided"}
    found = [front_of(store, name) for name in ("U-1", "C-2")]
    assert [front and (front.state, front.billed) for front in found] == [("unchecked", True), ("billing", True)]
    failing("")
    one.put("later.837", of("C-2", control=300).replace(b"UN*1*", b"UN*0*"))
    one.steps()
    worker.run()
    one.until_written("later")
    assert kinds(manifests(one.out)["later"]) == {"C-2": "held"}
    with pytest.raises(NotWaivable, match="a version of it went to billing before"):
        waivable(person, case_of(person, "C-2"), TODAY)


def test_what_is_kept_is_not_billed(
    desk: Open, worker: InboxConsumer, store: Store, failing: Callable[[str], None]
) -> None:
    one = desk("1s")
    failing("C-2")
    one.put("batch.837", of("U-1", "C-2"))
    one.steps()
    worker.run()
    time.sleep(1)
    one.until_written("batch")
    fronts = [front_of(store, name) for name in ("U-1", "C-2")]
    assert [front and front.billed for front in fronts] == [False, None]
