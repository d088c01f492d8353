"""Replays: the same book and claim give the same report, and what is not the same is named field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest

from rules.claim import read_claim
from rules.engine.check import check
from rules.history import NO_MEMBER_ID, NOT_CONSULTED, NOTHING_BILLED, History
from tests.book import BOOK
from worker.demo.claims import EXAMPLES
from worker.pipeline.ledger import EMPTY, entry_of, person_of
from worker.rejudging.replay import ReportDifference, replay

DAY = date(2026, 10, 20)
FAULTY = next(entry.claim for entry in EXAMPLES if entry.shows == "several faults at once")


def report(claim: dict[str, Any], history: History = NOT_CONSULTED) -> dict[str, Any]:
    found = check(read_claim(claim), BOOK, received=DAY, history=history)
    return orjson.loads(orjson.dumps(found, default=str))


@pytest.mark.parametrize("history", [NOT_CONSULTED, NOTHING_BILLED, NO_MEMBER_ID])
def test_every_demonstration_claim_is_judged_as_before(history: History) -> None:
    for entry in EXAMPLES:
        done = replay(report(entry.claim, history), read_claim(entry.claim), BOOK, DAY)
        assert done.identical, (entry.shows, done.differences)
        assert not done.taken


def test_a_changed_claim_a_changed_report_and_a_lost_finding_are_reported_by_their_fields() -> None:
    claim = read_claim(FAULTY)
    then = report(FAULTY)
    then["disposition"], then["rules_run"] = "billing", 1
    lost = then["findings"].pop(0)
    then["findings"][0]["evidence"]["units"] = 99
    done = replay(then, claim, BOOK, DAY)
    paths = {one.path: one for one in done.differences}
    assert paths["disposition"] == ReportDifference("disposition", "billing", "rework")
    assert paths["rules_run"].then == 1
    place = "claim" if lost["line"] is None else f"line {lost['line']}"
    whole = paths[f"findings[{lost['code']} {place}, {lost['rule']}: {lost['outcome']}]"]
    assert (whole.then, whole.now) == ("absent", lost["message"])
    kept = [one for path, one in paths.items() if path.endswith(".evidence.units")]
    assert len(kept) == 1
    assert (kept[0].then, len(done.differences)) == (99, 4)


def test_findings_on_history_are_taken_from_the_report_since_the_ledger_of_then_is_gone() -> None:
    clean = next(entry.claim for entry in EXAMPLES if entry.shows == "right side in the office")
    claim = read_claim({**clean, "claim_id": "PCN-NEW"})
    earlier = read_claim(clean)
    secret = b"k" * 32
    first = entry_of(earlier, "1729432980000-0", "a" * 64, BOOK.codes, person_of(secret, "p", earlier))
    ledger = EMPTY.after(first, billed=True, version="1-1", since=date(2020, 1, 1))
    second = entry_of(claim, "1729432990000-0", "b" * 64, BOOK.codes, person_of(secret, "p", claim))
    found = check(claim, BOOK, received=DAY, history=ledger.history(second))
    then = orjson.loads(orjson.dumps(found, default=str))
    assert then["disposition"] == "rework"
    done = replay(then, claim, BOOK, DAY)
    assert done.identical, done.differences
    assert any(code.startswith("DUP") for code in done.taken)


def test_a_claim_that_came_too_late_is_judged_so_again() -> None:
    claim = EXAMPLES[0].claim
    then = report(claim, History("consulted", (), "1729432980000-0"))
    assert then["reason"].startswith("superseded")
    assert replay(then, read_claim(claim), BOOK, DAY).identical


TWICE: dict[str, Any] = {**FAULTY, "claim_id": "PCN-TWICE"}


def test_a_report_that_shows_a_finding_with_another_is_replayed_and_a_lost_one_is_named() -> None:
    then = report(TWICE)
    leader = next(one for one in then["findings"] if one["because"])
    assert replay(then, read_claim(TWICE), BOOK, DAY).identical
    lost = leader["because"].pop()
    paths = {one.path: one for one in replay(then, read_claim(TWICE), BOOK, DAY).differences}
    whole = next(path for path in paths if path.startswith(f"findings[{lost['code']} "))
    assert (paths[whole].then, paths[whole].now) == ("absent", lost["message"])


def test_a_report_from_before_findings_were_shown_together_is_replayed_by_its_book() -> None:
    then = report(TWICE)
    flat = [one for leader in then["findings"] for one in (leader, *leader["because"])]
    assert len(flat) > len(then["findings"])
    plain = replace(BOOK, rules=tuple(replace(rule, cause=None, fault=None) for rule in BOOK.rules))
    before = orjson.loads(orjson.dumps(check(read_claim(TWICE), plain, received=DAY), default=str))
    for finding in (*before["findings"], *before["shadow"], *before["overridden"]):
        del finding["because"], finding["cause"], finding["fault"]
    assert len(before["findings"]) == len(flat)
    assert replay(before, read_claim(TWICE), plain, DAY).identical
