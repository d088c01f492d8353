"""The batch step, on the shipped book: each claim stands alone, and earlier ones count for later ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.payment.claims import Ours
from rules.payment.contracts import COLUMNS, read_contracts
from tests.book import BOOK
from worker.pipeline import batch, deciding
from worker.pipeline.context import BatchContext
from worker.pipeline.deciding import decision_id
from worker.pipeline.inbox import InboxEntry
from worker.pipeline.rendering import Rendered
from worker.store.keyring import Rings
from worker.store.keys import Keys

CLAIM: dict[str, Any] = {
    "claim_id": "PCN-1",
    "form": "professional",
    "payer": {"id": "87726"},
    "subscriber": {"member_id": "M1"},
    "diagnoses": ["M54.31"],
    "total_charge": "450.10",
    "lines": [{"number": 1, "procedure": "64445", "charge": "450.10", "service_date": "2026-10-01"}],
}


@pytest.fixture
def context() -> BatchContext:
    return BatchContext(BOOK, Keys(), Rings.of(b"k" * 32), 2**20)


def entry(number: int, **changes: Any) -> InboxEntry:
    envelope = {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "/ehr",
        "type": "claim.submitted.v1",
        "time": "2026-10-20T23:30:00-05:00",
        "data": CLAIM,
        **changes,
    }
    return InboxEntry(f"{number}-0", json.dumps(envelope).encode(), {})


def decide(context: BatchContext, *entries: InboxEntry, memory: dict[str, str] | None = None) -> list[Rendered]:
    return batch.judge(batch.read(entries, context), memory or {}, context)


def routes(decisions: list[Rendered]) -> list[str]:
    return [decision.item.route for decision in decisions]


def test_a_decision_id_depends_on_entry_book_and_ledger_alone() -> None:
    same = decision_id("{claims:0}:inbox", "1-0", "book", "")
    assert same == decision_id("{claims:0}:inbox", "1-0", "book", "")
    others = {
        decision_id("{claims:1}:inbox", "1-0", "book"),
        decision_id("{claims:0}:inbox", "1-1", "book"),
        decision_id("{claims:0}:inbox", "1-0", "other"),
        decision_id("{claims:0}:inbox", "1-0", "book", "7"),
    }
    assert len(others | {same}) == 5


def test_the_same_event_within_a_batch_is_judged_once(context: BatchContext) -> None:
    decisions = decide(context, entry(1), InboxEntry("2-0", entry(1).event, {}), entry(3))
    assert routes(decisions)[1] == "repeated"
    assert decisions[1].line["claim.first_decision_id"] == decisions[0].line["claim.decision_id"]
    assert decisions[1].item.expects == decisions[0].item.writes
    assert decisions[2].item.route == decisions[0].item.route


def test_a_repeat_of_an_event_that_could_not_be_read_is_a_repeat(context: BatchContext) -> None:
    bad = entry(1, data={"claim_id": "PCN-1"})
    assert routes(decide(context, bad, InboxEntry("2-0", bad.event, {}))) == ["quarantine", "repeated"]


def test_the_event_memory_decides_on_repeat_and_reuse(context: BatchContext) -> None:
    (first,) = decide(context, entry(1))
    assert first.item.event_key is not None
    memory = {first.item.event_key: first.item.writes}
    again, changed = entry(1), entry(1, data={**CLAIM, "total_charge": "1.00"})
    assert routes(decide(context, again, memory=memory)) == ["repeated"]
    (reused,) = decide(context, changed, memory=memory)
    assert (reused.item.route, reused.line["error.code"], reused.item.writes) == ("quarantine", "event_id_reused", "")
    (requeued,) = decide(context, entry(1, requeue_of="1-0"), memory=memory)
    assert (requeued.item.route, requeued.item.expects) == (first.item.route, "*")


def test_a_check_that_fails_is_the_fate_of_its_claim_alone(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = deciding.check

    def failing(claim: Any, *arguments: Any, **options: Any) -> Any:
        if claim.claim_id == "PCN-BAD":
            raise RuntimeError("CANARY")
        return real(claim, *arguments, **options)

    monkeypatch.setattr(deciding, "check", failing)
    decisions = decide(context, entry(1), entry(2, data={**CLAIM, "claim_id": "PCN-BAD"}), entry(3))
    assert routes(decisions)[1] == "quarantine"
    assert routes(decisions)[0] == routes(decisions)[2] != "quarantine"
    assert decisions[1].line["error.code"] == "check_failed"
    assert "CANARY" not in str(decisions[1].line)
    assert b"CANARY" not in decisions[1].item.payload


def test_an_interrupt_is_no_fault_of_a_claim(context: BatchContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr(deciding, "check", interrupted)
    context = BatchContext(context.book, context.keys, context.rings, context.limit, (TimeoutError,))
    with pytest.raises(TimeoutError):
        decide(context, entry(1))


def test_the_day_of_the_event_is_the_senders(context: BatchContext) -> None:
    (reading,) = batch.read([entry(1)], context)
    assert reading.received == date(2026, 10, 20)


def test_a_line_says_what_a_dashboard_needs_and_nothing_of_the_person(context: BatchContext) -> None:
    (decision,) = decide(context, entry(1))
    line = decision.line
    assert line["claim.charge_cents"] == 45_010
    assert line["claim.disposition"] == decision.item.route
    assert line["event.duration"] > 0
    assert "M1" not in [value for name, value in line.items() if name != "rule.run"]
    (other,) = decide(context, entry(2, data={**CLAIM, "subscriber": {"member_id": "M2"}}))
    assert line["claim.patient_hash"] != other.line["claim.patient_hash"]
    (absent,) = decide(context, entry(3, data={**CLAIM, "subscriber": None}))
    assert "claim.patient_hash" not in absent.line


def test_a_draft_is_logged_and_never_routes(context: BatchContext) -> None:
    drafts = ("form/common/CLM001-total-charge", "procedures/64445/common/UNT001-other-payers")
    rules = tuple(replace(rule, status="draft") if rule.file in drafts else rule for rule in context.book.rules)
    shadow = replace(context, book=replace(context.book, rules=rules))
    faulty = example_claim("practitioner", {"total_charge": "1.00", "lines": [{"units": "2"}]}, {"id": "87726"})
    (active,), (logged,) = decide(context, entry(1, data=faulty)), decide(shadow, entry(1, data=faulty))
    assert (active.item.route, active.line["rule.block"], active.line["rule.shadow"]) == ("rework", ["CLM001"], [])
    assert (logged.item.route, logged.line["rule.block"]) == ("billing", [])
    assert (logged.line["rule.shadow"], logged.line["rule.shadow_block"]) == (["CLM001", "UNT001"], ["CLM001"])
    assert "UNT001" not in logged.line["rule.warn"]


def medicare(**changes: Any) -> dict[str, Any]:
    base = example_claim("practitioner", {"diagnoses": ["XX"], **changes}, {"filing_indicator": "MB"})
    return {"data": {**base, "total_charge": "450.00"}}


def test_a_held_claim_carries_what_its_lines_are_expected_to_bring(context: BatchContext) -> None:
    (held,) = decide(context, entry(1, **medicare()))
    assert held.item.route == "rework"
    (line,) = json.loads(held.item.payload)["data"]["expected"]
    assert (line["line"], line["procedure"], line["charge"]) == (1, "64445", "450.00")
    assert [line["expected"][name] for name in ("kind", "low", "high")] == ["range", "161.93", "180.00"]
    assert (held.line["claim.expected_cents"], held.line["claim.expected_high_cents"]) == (16_193, 18_000)
    assert held.line["claim.expected_kind"] == "range"


def test_an_expected_payment_that_is_unknown_is_no_figure_of_the_log(context: BatchContext) -> None:
    (held,) = decide(context, entry(1))
    assert held.item.route == "rework"
    (line,) = json.loads(held.item.payload)["data"]["expected"]
    assert (line["expected"]["kind"], line["expected"]["low"]) == ("unknown", None)
    assert not any(name.startswith("claim.expected") for name in held.line)


def test_a_claim_for_billing_or_unchecked_carries_none(context: BatchContext) -> None:
    (clean, visit) = decide(
        context,
        entry(1, **medicare(diagnoses=["M54.31"])),
        entry(2, **medicare(claim_id="V", lines=[{"procedure": "99213", "modifiers": []}], diagnoses=["M54.31"])),
    )
    for one in (clean, visit):
        assert one.item.route != "rework"
        assert "expected" not in json.loads(one.item.payload)["data"]


def test_a_held_claim_is_priced_by_the_hospitals_own_contracts(context: BatchContext) -> None:
    text = ",".join(COLUMNS) + "\nuhc,,64445,office,,dollars,310.00,2026-01-01,\n"
    contracts, _ = read_contracts("c.csv", text, BOOK.registry.names, ())
    own = replace(context, ours=Ours(contracts))
    one = medicare(payer={"id": "87726", "filing_indicator": "CI"})
    (held,) = decide(own, entry(1, **one))
    assert (held.line["claim.expected_cents"], held.line["claim.expected_high_cents"]) == (31_000, 31_000)
