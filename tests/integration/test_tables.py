"""Imported tables in the pipe: a worker judges by what was there when it started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rules.book.pack import packed
from rules.loader import whole_book
from tests.tables.official import quarter
from worker import bootstrap
from worker.books import current
from worker.books.switch import InForce, in_force
from worker.doctor import judging
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store
from worker.tables import editionstore
from worker.tables.official import editions_in

from .helpers import Worker, claim, event, settled


def test_a_worker_takes_imported_tables_up_when_it_starts(
    store: Store, home: Path, start_worker: Callable[..., Worker]
) -> None:
    pairs = [("28285", "64445", "20170101", "*", "0"), ("64445", "20550", "20060101", "*", "1")]
    editionstore.add(store.settings.tables_path, editions_in(quarter(home, pairs), "64445", lambda _: None))
    start_worker().wait_ready()
    base = claim(1)
    line = base["lines"][0]
    lines = [line, {**line, "number": 2, "procedure": "28285"}]
    medicare = {"id": "04412", "filing_indicator": "MB", "responsibility": "P"}
    data = claim(1, payer=medicare, lines=lines, total_charge=str(2 * float(line["charge"])))
    send(store.redis, store.keys, [event(1, data=data)], source="test", settings=store.settings)
    settled(store, 1)
    (entry,) = tail(store.redis, store.keys, "rework")
    report = entry.data["report"]
    assert "BND002" in {finding["code"] for finding in report["findings"]}
    assert "2026 Q3, v322r0" in {edition["edition"] for edition in report["editions"]}


def test_a_book_in_force_judges_with_its_own_tables_until_one_that_was_packed_anew_is_in_force(
    store: Store, home: Path
) -> None:
    switcher = bootstrap.book_switcher(store)
    switcher.switch(packed(whole_book(None, store.settings.tables_path)), b"", "shipped.book", "as it ships")
    pairs = [("28285", "64445", "20170101", "*", "0"), ("64445", "20550", "20060101", "*", "1")]
    editionstore.add(store.settings.tables_path, editions_in(quarter(home, pairs), "64445", lambda _: None))
    current.forget_own()
    shown = [one for one in judging.workers(store.settings, *now(store)) if "put in force" in one.sentence]
    assert [("scrub rules pack" in one.mend, one.about) for one in shown] == [(True, "rule book")]
    done = switcher.switch(packed(whole_book(None, store.settings.tables_path)), b"", "new.book", "with tables")
    assert done is not None
    current.forget_own()
    assert [one for one in judging.workers(store.settings, *now(store)) if "put in force" in one.sentence] == []


def now(store: Store) -> tuple[Reconciliation, InForce]:
    return reconcile(store.redis, store.keys), in_force(store.redis, store.keys)
