"""Overrides in the pipe: what a worker judges by, what it writes down, and that they end with their last day."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.impact import Comparison
from rules.book.overridefile import read_overrides
from rules.errors import OverridesInvalid
from tests.book import BOOK
from worker import bootstrap
from worker.books import current, overrides
from worker.config.settings import Settings, load_settings
from worker.cores import in_order
from worker.doctor import examinations as doctor
from worker.pipeline.notification import Notifier
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.rejudging.impact import ImpactJob, examine, outlet_parts
from worker.store.connections import Store

from .helpers import Worker, claim, event, settled

LAST = date(2027, 6, 30)
TEXT = """\
overrides:
  - name: contract-2026
    filing_limit: 3
    severity: block
    payers: [uhc]
    reason: section 4.2
    owner: J. Miller
    expires: {last}
    written_for: "{pin}"
"""


@pytest.fixture
def file(home: Path) -> Path:
    """A contract by which every claim of these tests is late."""
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", TEXT.replace('    written_for: "{pin}"\n', "").format(last=LAST), BOOK)
    pin = str(caught.value.problems[0]).split()[-2]
    (home / "o.yaml").write_text(TEXT.format(last=LAST, pin=pin))
    return home / "o.yaml"


@pytest.fixture
def settings(home: Path, file: Path, unset: None) -> Settings:
    return load_settings(state_dir=home, overrides=file)


def late(number: int) -> bytes:
    data = claim(number, received_date="2026-10-20", payer={"id": "87726", "responsibility": "P"})
    data["lines"][0]["service_date"] = "2026-10-01"
    return event(number, data=data)


def audited(home: Path) -> list[dict[str, Any]]:
    lines = [line for path in (home / "audit").glob("*.jsonl") for line in path.read_text().splitlines()]
    return [found for found in map(json.loads, lines) if found["event.action"] == "claim.scrubbed"]


def test_a_worker_judges_by_them_and_outlet_and_audit_line_name_them(
    store: Store, home: Path, file: Path, start_worker: Callable[..., Worker]
) -> None:
    start_worker(env={"SCRUB_OVERRIDES": str(file)}).wait_ready()
    send(store.redis, store.keys, [late(1)], source="test", settings=store.settings)
    settled(store, 1)
    (entry,) = tail(store.redis, store.keys, "rework")
    report = entry.data["report"]
    (found,) = [finding for finding in report["findings"] if finding["code"] == "TIM001"]
    assert found["override"]["name"] == "contract-2026"
    assert (found["override"]["owner"], found["override"]["reason"]) == ("J. Miller", "section 4.2")
    assert report["book"]["digest"] != BOOK.digest
    (line,) = audited(home)
    assert line["rule.overridden"] == ["TIM001"]
    assert line["override.name"] == ["contract-2026"]
    assert "J. Miller, until 2027-06-30" in line["override.told"][0]


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The calendar: its last entry is today."""
    found = [LAST]
    monkeypatch.setattr(overrides, "today", lambda: found[-1])
    return found


@pytest.fixture
def run(store: Store, days: list[date]) -> Iterator[Callable[[int | bytes], None]]:
    assert days
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: None))

    def run(what: int | bytes) -> None:
        raw = late(what) if isinstance(what, int) else what
        send(store.redis, store.keys, [raw], source="test", settings=store.settings)
        consumer.run()

    yield run
    consumer.audit.close()


def test_after_its_last_day_a_running_worker_judges_by_the_book_and_says_so(
    store: Store, home: Path, days: list[date], run: Callable[[int], None]
) -> None:
    run(1)
    days.append(LAST + timedelta(days=1))
    run(2)
    first, second = audited(home)
    assert (first["claim.disposition"], "TIM001" in first["rule.block"]) == ("rework", True)
    assert "TIM001" not in second["rule.block"]
    assert first["book.digest"] != second["book.digest"]
    assert store.redis.xlen(store.keys.inbox) == 0


def test_impact_reads_what_went_through_the_outlets_since_a_day(store: Store, run: Callable[[int], None]) -> None:
    run(1)
    run(2)
    comparison = Comparison(current.book_of_today(store.settings), BOOK)
    job = ImpactJob(comparison, LAST, 2**20, 5)
    today = datetime.now(UTC).date()
    (found,) = in_order(examine, outlet_parts(store.redis, store.keys, today), job, 1)
    assert found.tally.claims == 2
    assert found.tally.touched == 2
    assert {find.code for find in found.tally.finds} >= {"TIM001"}
    assert list(outlet_parts(store.redis, store.keys, today + timedelta(days=1))) == []


def test_impact_counts_a_claim_once_that_was_mended_and_judged_again(
    store: Store, run: Callable[[int | bytes], None]
) -> None:
    """It lies in rework as it was and in billing as it is now; what was mended says nothing of a new book."""
    run(1)
    mended = claim(1, received_date="2026-10-02", payer={"id": "87726", "responsibility": "P"})
    mended["lines"][0]["service_date"] = "2026-10-01"
    run(event(2, data=mended))
    assert [len(list(tail(store.redis, store.keys, outlet))) for outlet in ("rework", "billing")] == [1, 1]
    parts = list(outlet_parts(store.redis, store.keys, datetime.now(UTC).date()))
    ((found, _),) = [one for part in parts for one in part.claims]
    assert found["received_date"] == "2026-10-02", "the newest version"


def test_the_doctor_names_overrides_that_want_a_person(settings: Settings) -> None:
    def levels(day: date) -> list[tuple[str, str]]:
        return [(f.level, f.sentence) for f in doctor.examine(settings, day, None) if f.about == "overrides"]

    assert [level for level, _ in levels(date(2026, 11, 23))] == ["well"]
    assert "holds until 2027-06-30" in levels(LAST)[0][1]
    assert (
        levels(LAST + timedelta(days=1))[0][0],
        levels(LAST + timedelta(days=1))[0][1][23:44],
    ) == ("poor", "expired on 2027-06-30")


def test_a_worker_does_not_start_with_faulty_overrides(
    home: Path, file: Path, start_worker: Callable[..., Worker]
) -> None:
    file.write_text(file.read_text().replace("filing_limit", "filling_limit"))
    worker = start_worker(env={"SCRUB_OVERRIDES": str(file)})
    assert worker.process.wait(60) != 0
    assert "did you mean 'filing_limit'?" in worker.log.read_text()
