"""Replays from the audit line, which is all that is left of a verdict months later."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from rules.claim import read_claim
from rules.engine.check import check
from rules.history import NO_MEMBER_ID, NOT_CONSULTED, NOTHING_BILLED, History
from tests.book import BOOK
from worker.audit.lines import claim_fields, report_fields
from worker.demo.claims import EXAMPLES
from worker.pipeline.ledger import EMPTY, entry_of, person_of
from worker.rejudging.fromline import GONE, day_of, is_line, replay_line

DAY = date(2026, 10, 20)
FAULTY = next(entry.claim for entry in EXAMPLES if entry.shows == "several faults at once")
CLEAN = next(entry.claim for entry in EXAMPLES if entry.shows == "right side in the office")


def line(claim: dict[str, Any], history: History = NOT_CONSULTED, **more: Any) -> dict[str, Any]:
    read = read_claim(claim)
    found = report_fields(check(read, BOOK, received=DAY, history=history))
    about = {
        "@timestamp": "2026-10-21T00:00:00.500Z", "event.action": "claim.scrubbed", "claim.decision_id": "d",
        "audit.key": "k", "book.digest": BOOK.digest, "queue.latency_ms": 1_000,
    }  # fmt: skip
    said: dict[str, Any] = orjson.loads(orjson.dumps({**about, **claim_fields(read, "hash"), **found}, default=str))
    return said | more


@pytest.mark.parametrize("history", [NOT_CONSULTED, NOTHING_BILLED, NO_MEMBER_ID])
def test_every_demonstration_claim_is_judged_as_its_line_says(history: History) -> None:
    for entry in EXAMPLES:
        done = replay_line(line(entry.claim, history), read_claim(entry.claim), BOOK, DAY)
        assert done.identical, (entry.shows, done.differences)
        assert (done.taken, done.gone) == ((), (GONE,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("claim.disposition", "billing"), ("rule.block", []), ("rule.run", 1), ("claim.payer", "aetna"),
        ("rule.found", ["UNT001@2"]), ("rule.evidence", ["UNT001@1 units=9"]), ("claim.charge_cents", 1),
        ("claim.lines", 9), ("rule.denials", ["CO-1"]), ("claim.gaps", ["edition_past"]), ("claim.bills_as", "asc"),
    ],
)  # fmt: skip
def test_what_is_not_as_the_line_has_it_is_named_by_its_field(name: str, value: Any) -> None:
    done = replay_line(line(FAULTY) | {name: value}, read_claim(FAULTY), BOOK, DAY)
    assert [(one.path, one.then) for one in done.differences] == [(name, value)]


def test_another_content_under_the_same_number_is_no_replay() -> None:
    done = replay_line(line(FAULTY), read_claim(CLEAN | {"claim_id": FAULTY["claim_id"]}), BOOK, DAY)
    assert {"rule.found", "claim.disposition", "claim.charge_cents"} <= {one.path for one in done.differences}


def test_findings_on_history_are_taken_from_the_line() -> None:
    claim, earlier = read_claim({**CLEAN, "claim_id": "PCN-NEW"}), read_claim(CLEAN)
    secret = b"k" * 32
    first = entry_of(earlier, "1729432980000-0", "a" * 64, BOOK.codes, person_of(secret, "p", earlier))
    ledger = EMPTY.after(first, billed=True, version="1-1", since=date(2020, 1, 1))
    second = entry_of(claim, "1729432990000-0", "b" * 64, BOOK.codes, person_of(secret, "p", claim))
    then = line({**CLEAN, "claim_id": "PCN-NEW"}, ledger.history(second))
    assert then["claim.disposition"] == "rework"
    done = replay_line(then, claim, BOOK, DAY)
    assert done.identical, done.differences
    assert any(code.startswith("DUP") for code in done.taken)


def test_a_version_that_came_late_and_a_waived_claim_are_as_the_line_has_them() -> None:
    late = line(CLEAN, History("consulted", (), "1729432980000-0"))
    assert late["error.code"] == "superseded"
    assert replay_line(late, read_claim(CLEAN), BOOK, DAY).identical
    held = line(FAULTY)
    names = [one for one in held["rule.found"] if one.partition("@")[0] in held["rule.block"]]
    waived = {"claim.waived": names, "claim.waiver": "w", "claim.waived_decision": "d0", "claim.disposition": "billing"}
    assert replay_line(held | waived, read_claim(FAULTY), BOOK, DAY).identical
    done = replay_line(held | waived | {"claim.waived": names[:1]}, read_claim(FAULTY), BOOK, DAY)
    assert [one.path for one in done.differences] == ["claim.disposition"]


def test_a_line_of_an_earlier_release_is_compared_as_far_as_it_went() -> None:
    old = {name: value for name, value in line(FAULTY).items() if name not in ("audit.key", "rule.evidence")}
    assert replay_line(old, read_claim(FAULTY), BOOK, DAY).identical


def test_the_day_of_receipt_is_when_it_came_and_not_when_it_was_decided() -> None:
    assert day_of(line(FAULTY)) == DAY
    assert day_of(line(FAULTY, **{"claim.revision": "0:1729432980000-0"})) == date(2024, 10, 20)
    assert is_line(line(FAULTY))
    assert not is_line({"event.action": "case.noted", "claim.decision_id": "d"})
