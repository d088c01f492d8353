"""What an audit line says for those who count: undetermined rules, denials that were avoided, lines taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.errors import Problem
from rules.report import Denial
from tests.book import BOOK
from worker.audit.lines import AuditLine, denial_code
from worker.demo.claims import EXAMPLES
from worker.pipeline import batch, rendering
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import InboxEntry
from worker.pipeline.reading import given_up
from worker.pipeline.rendering import Rendered
from worker.store.keyring import Rings
from worker.store.keys import Keys

CONTEXT = BatchContext(BOOK, Keys(), Rings.of(b"k" * 32), 2**20)


def decide(claim: dict[str, Any], attempt: int = 0) -> Rendered:
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "claim.submitted.v1", "data": claim}
    entry = InboxEntry("1-0", json.dumps({**event, "time": "2026-10-20T14:03:00Z"}).encode(), {}, attempt)
    (decision,) = batch.judge(batch.read([entry], CONTEXT), {}, CONTEXT)
    return decision


def example(shows: str) -> dict[str, Any]:
    return next(entry.claim for entry in EXAMPLES if entry.shows == shows)


def test_what_the_payer_would_have_answered_stands_once_on_the_line_of_a_claim_held_back() -> None:
    line = decide(example("several faults at once")).line
    assert line["claim.disposition"] == "rework"
    assert line["rule.denials"]
    assert len(set(line["rule.denials"])) == len(line["rule.denials"])
    clean = decide(example("right side in the office")).line
    assert (clean["rule.denials"], clean["rule.undetermined"]) == ([], [])


def test_a_rule_that_could_not_be_determined_is_distinguished_from_one_that_failed() -> None:
    claim = example("right side in the office")
    lines = [{key: value for key, value in line.items() if key != "units"} for line in claim["lines"]]
    line = decide({**claim, "lines": lines}).line
    assert set(line["rule.undetermined"]) <= set(line["rule.block"])
    assert line["rule.undetermined"], line["rule.block"]


@pytest.mark.parametrize(
    ("denial", "code"),
    [
        (Denial("denial", "CO", "151", "N362"), "CO-151 N362"),
        (Denial("denial", "CO", "97"), "CO-97"),
        (Denial("rejection", category="A7", status="255"), "277CA A7:255"),
        (Denial("rejection"), "277CA rejection"),
        (Denial("denial"), "denial"),
    ],
)
def test_a_denial_is_written_as_it_stands_on_a_remittance_or_a_277ca(denial: Denial, code: str) -> None:
    assert denial_code(denial) == code


def test_a_line_that_takes_another_back_repeats_it_so_that_sums_can_subtract_it() -> None:
    decision = decide(example("several faults at once"))
    line = rendering.superseded(decision, "retry")
    changed = {key for key in line if line.get(key) != decision.line.get(key)}
    assert changed == {"event.action", "event.outcome", "error.code"}
    assert (line["event.action"], line["error.code"]) == ("claim.superseded", "retry")


def test_the_line_of_a_claim_that_lost_its_worker_counts_its_lone_attempts() -> None:
    assert decide(example("right side in the office"), attempt=2).line["queue.attempt"] == 2
    assert "queue.attempt" not in decide(example("right side in the office")).line


def test_every_field_on_a_line_is_on_the_list_of_fields() -> None:
    for found in EXAMPLES:
        decision = decide(found.claim, attempt=1)
        for line in (decision.line, rendering.superseded(decision, "retry")):
            assert set(line) <= set(AuditLine.__annotations__)
    (refused,) = batch.judge([given_up(InboxEntry("1-0", b"", {}), [Problem("", "it was killed")])], {}, CONTEXT)
    assert set(refused.line) <= set(AuditLine.__annotations__)


def test_a_finding_that_is_shown_with_another_is_counted_like_any_other() -> None:
    claim = {**example("right side in the office"), "claim_id": "PCN-TWICE"}
    claim["lines"] = [{**claim["lines"][0], "units": "2"}, *claim["lines"][1:]]
    line = decide(claim).line
    number = claim["lines"][0]["number"]
    assert {"UNT001", "UNT002"} <= {*line["rule.block"], *line["rule.warn"]}
    assert {f"UNT001@{number}", f"UNT002@{number}"} <= set(line["rule.found"])


def test_gaps_and_the_files_to_import_stand_on_the_line_by_the_claims_own_date() -> None:
    claim = example("right side in the office")

    def dated(day: str) -> dict[str, Any]:
        return {**claim, "lines": [{**one, "service_date": day} for one in claim["lines"]]}

    july, august, october = (decide(dated(day)).line for day in ("2026-07-01", "2026-08-03", "2026-10-02"))
    assert july["claim.coverage"] == "partial"
    assert july["claim.gaps"] == ["edition_past", "field_not_read"]
    assert "MUE (practitioner) 2026 Q3" in july["claim.wanted"]
    assert july["claim.wanted"] == august["claim.wanted"]
    assert {"MUE (practitioner) 2026 Q4", "ICD-10-CM FY 2027"} <= set(october["claim.wanted"])
    broken = [{**one, "procedure": "99213"} for one in claim["lines"]]
    other = decide({**claim, "lines": broken}).line
    assert other["claim.gaps"] == ["table_not_imported"]
    assert {wanted.partition(" 20")[0] for wanted in other["claim.wanted"]} >= {"MUE (practitioner)"}
