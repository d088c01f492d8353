"""Outcomes: remittances matched to what the audit log says of the claims, and counted by rule and payer."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from worker.intake.x12.remittance import Adjustment, Payment, Service
from worker.outcomes.outcomes import compare, log_lines
from worker.outcomes.tally import DenialReason, Outcomes

EXPECTED = {"UNT001": frozenset({"151"}), "DX001": frozenset({"11", "50"})}
CO151, CO45 = Adjustment("CO", "151", Decimal(450)), Adjustment("CO", "45", Decimal(350))
PAID = Service("64445", Decimal(450), Decimal(100), "1", (CO45,))
DENIED = Service("64445", Decimal(450), Decimal(0), "1", (CO151,), ("N362",))
NUMBERS = iter(range(10**9))


def pay(claim: str = "A", *services: Service, status: str = "1", day: str = "2026-11-01", **more: Any) -> Payment:
    charge = sum((one.charge for one in services), Decimal(0))
    given = {"adjustments": (), "remarks": (), "control": "ICN1", "trace": f"CHECK {next(NUMBERS)}", **more}
    return Payment(
        claim, status, more.pop("charge", charge), sum((one.paid for one in services), Decimal(0)),
        given["control"], date.fromisoformat(day) if day else None, given["trace"], tuple(given["adjustments"]),
        tuple(given["remarks"]), services,
    )  # fmt: skip


def line(claim: str = "A", *found: str, moment: str = "2026-10-20T10:00:00Z", **more: Any) -> bytes:
    """An audit line of a decision with these findings."""
    said = {
        "@timestamp": moment, "event.action": "claim.scrubbed", "claim.claim_id": claim,
        "claim.decision_id": f"D{next(NUMBERS)}", "claim.payer": "uhc", "claim.judged": [1], "rule.found": found,
        **more,
    }  # fmt: skip
    return orjson.dumps({name: value for name, value in said.items() if value is not None})


def counted(payments: list[Payment], log: list[bytes]) -> Outcomes:
    return compare(payments, log, {"64445"}, EXPECTED)


def row(found: Outcomes, code: str, payer: str = "uhc") -> tuple[Any, ...]:
    one = found.rules[code, payer]
    pairs = [(tally.count, tally.money) for tally in (one.denied, one.paid, one.mended)]
    return (*pairs, one.as_expected)


NONE = (0, Decimal(0))


def test_what_a_rule_said_is_held_to_what_the_payer_did() -> None:
    found = counted(
        [pay("A", DENIED), pay("B", DENIED), pay("C", PAID), pay("D", DENIED), pay("E", PAID)],
        [line("A", "UNT001@1"), line("B", "DX001@1"), line("C", "UNT001@1"), line("D"), line("E")],
    )
    assert row(found, "UNT001") == ((1, Decimal(450)), (1, Decimal(100)), NONE, 1)
    assert row(found, "DX001") == ((1, Decimal(450)), NONE, NONE, 0)
    ((missed, tally),) = found.missed.items()
    assert missed == ("uhc", DenialReason("CO", "151", ("N362",)))
    assert (tally.count, tally.money) == (1, Decimal(450))
    assert dict(found.payers["uhc"]) == {"denied": 3, "predicted": 2, "paid": 2}
    assert found.remittances["matched"] == 5


def test_a_finding_speaks_of_its_line_where_the_remittance_names_the_line() -> None:
    two = Service("64445", Decimal(450), Decimal(100), "2", (CO45,))
    log = [line("A", "UNT001@2", **{"claim.judged": [1, 2]})]
    found = counted([pay("A", DENIED, two)], log)
    assert row(found, "UNT001") == (NONE, (1, Decimal(100)), NONE, 0)
    assert dict(found.payers["uhc"]) == {"denied": 1, "paid": 1}
    unnamed = [Service("64445", one.charge, one.paid, "HOSPITAL-77", one.adjustments) for one in (DENIED, two)]
    found = counted([pay("A", *unnamed)], log)
    assert row(found, "UNT001") == ((1, Decimal(450)), NONE, NONE, 1)


def test_a_finding_on_the_claim_speaks_of_all_its_lines_and_other_procedures_do_not_count() -> None:
    drug = Service("J3301", Decimal(50), Decimal(0), "2", (Adjustment("CO", "18", Decimal(50)),))
    found = counted([pay("A", DENIED, drug), pay("B", drug)], [line("A", "DX001@"), line("B", "DX001@")])
    assert row(found, "DX001") == ((1, Decimal(450)), NONE, NONE, 0)
    assert found.remittances["without a line of the procedure"] == 1


def test_a_claim_that_was_denied_as_a_whole_denies_its_line() -> None:
    late = [Adjustment("CO", "29", Decimal(450))]
    bare = Service("64445", Decimal(450), Decimal(0), None)
    whole = pay("A", bare, adjustments=late, status="4", remarks=["N211"])
    no_lines = pay("B", adjustments=late, status="4")
    found = counted([whole, no_lines], [line("A", "FIL001@"), line("B")])
    assert row(found, "FIL001") == ((1, Decimal(450)), NONE, NONE, 0)
    assert list(found.missed) == [("uhc", DenialReason("CO", "29", ()))]


@pytest.mark.parametrize("reason", ["1", "2", "3", "23", "45", "253"])
def test_price_patient_share_and_other_payers_are_no_denial(reason: str) -> None:
    service = Service("64445", Decimal(450), Decimal(0), "1", (Adjustment("PR", reason, Decimal(450)),))
    assert dict(counted([pay("A", service)], [line("A")]).payers["uhc"]) == {"paid": 1}


def test_what_was_mended_before_it_was_sent_is_to_the_rules_credit() -> None:
    log = [line("A", "UNT001@1", "DX001@1"), line("A", "DX001@1", moment="2026-10-21T10:00:00Z")]
    found = counted([pay("A", PAID)], log)
    assert row(found, "UNT001") == (NONE, NONE, (1, Decimal(100)), 0)
    assert row(found, "DX001") == (NONE, (1, Decimal(100)), NONE, 0)


def test_the_newest_decision_up_to_the_day_counts_and_one_that_was_taken_back_does_not() -> None:
    back = line("A", "UNT001@1", moment="2026-10-25T10:00:00Z", **{"claim.decision_id": "X"})
    again = line("A", **{"event.action": "claim.superseded", "claim.decision_id": "X"})
    later = line("A", "UNT001@1", moment="2026-11-02T10:00:00Z")
    found = counted(
        [pay("A", DENIED), pay("B", DENIED), pay("C", DENIED)],
        [later, line("A"), back, again, line("B", moment="2026-12-01T10:00:00Z")],
    )
    assert not found.rules
    assert found.remittances == {"read": 3, "matched": 1, "decided later": 1, "not in the audit log": 1}
    twice = counted([pay("A", DENIED)], [back, back, again])
    assert row(twice, "UNT001")[0] == (1, Decimal(450))


def test_a_reversal_takes_a_payment_back_and_its_correction_counts() -> None:
    minus = Service("64445", Decimal(-450), Decimal(0), "1", (Adjustment("CO", "151", Decimal(-450)),))
    reversal = pay("A", minus, status="22", day="2026-11-20")
    log = [line("A", "UNT001@1")]
    alone = counted([pay("A", DENIED), reversal], log)
    assert not alone.rules
    corrected = counted([reversal, pay("A", PAID, day="2026-11-20"), pay("A", DENIED)], log)
    assert row(corrected, "UNT001") == (NONE, (1, Decimal(100)), NONE, 0)
    assert corrected.remittances["taken back"] == 1


def test_pended_forwarded_and_undecided_claims_and_second_payers_do_not_count() -> None:
    pending = Service("64445", Decimal(450), Decimal(0), "1", (Adjustment("OA", "133", Decimal(450)),))
    paid = [
        pay("A", DENIED, status="23"), pay("B", DENIED, status="25"), pay("C", pending), pay("D", PAID),
        pay("D", DENIED, status="2", day="2026-11-20"), pay("E", DENIED, day=""),
    ]  # fmt: skip
    found = counted(paid, [line(name) for name in "ABCDE"])
    assert dict(found.payers) == {"uhc": {"paid": 1}}
    assert (found.remittances["not adjudicated"], found.remittances["pending"]) == (2, 1)
    assert (found.remittances["of a second payer"], found.remittances["without a date"]) == (1, 1)


def test_the_same_file_twice_counts_once() -> None:
    one = pay("A", DENIED)
    found = counted([one, one], [line("A", "UNT001@1")])
    assert (found.remittances["there twice"], found.remittances["matched"]) == (1, 1)


def test_undetermined_rules_predict_nothing_and_an_older_log_still_names_codes() -> None:
    old = line("B", **{"rule.found": None, "claim.judged": None, "claim.payer": None})
    old = orjson.dumps({**orjson.loads(old), "rule.block": ["UNT001"], "rule.warn": ["DX001"], "rule.note": []})
    found = counted([pay("A", DENIED), pay("B", DENIED)], [line("A", "UNT001@1?"), old])
    assert set(found.rules) == {("UNT001", "other"), ("DX001", "other")}
    assert len(found.missed) == 1


def test_torn_lines_of_the_log_are_counted_and_passed_over() -> None:
    broken = [
        b'{"event.action": "claim.scrubbed", "claim.',
        b'["claim.scrubbed"]',
        b'{"event.action":"claim.scrubbed"}',
    ]
    found = counted([pay("A", DENIED)], [*broken, line("A", "UNT001@1")])
    assert found.unreadable == 3
    assert row(found, "UNT001")[0][0] == 1


ODD = [7, 1e300, True, "", "x@y", [], {}, ["x"], [["A"]], [None], [1.5], {"a": 1}]


@pytest.mark.parametrize("name", ["claim.decision_id", "claim.claim_id", "claim.payer", "claim.judged", "rule.found",
                                  "@timestamp", "event.action"])  # fmt: skip
def test_a_line_of_the_log_that_holds_something_else_than_a_log_does_stops_nothing(name: str) -> None:
    log = [line("A", **{"rule.found": ["UNT001@1"], name: value}) for value in ODD]
    found = counted([pay("A", DENIED)], [*log, line("A", "UNT001@1", moment="2026-10-30T10:00:00Z")])
    assert row(found, "UNT001")[0][0] == 1
    assert sorted(found.payers) == ["uhc"]


def test_an_audit_file_that_is_cut_off_or_damaged_is_an_error_of_the_file(tmp_path: Path) -> None:
    packed = gzip.compress(line("A", "UNT001@1") * 1_000)
    for number, content in enumerate([packed[:-9], packed[:60], packed[:30] + b"\xff" * 30, b"no gzip"]):
        (file := tmp_path / f"{number}.jsonl.gz").write_bytes(content)
        with pytest.raises(OSError, match="cut off or damaged|Not a gzipped file"):
            list(log_lines([file]))


def test_memory_does_not_grow_with_the_claims() -> None:
    def peak(claims: int) -> int:
        def payments() -> Iterator[Payment]:
            yield from (pay(f"PCN-{number}", DENIED) for number in range(claims))

        def log() -> Iterator[bytes]:
            yield from (line(f"PCN-{number}", "UNT001@1") for number in range(claims))

        tracemalloc.start()
        try:
            assert compare(payments(), log(), {"64445"}, EXPECTED).remittances["matched"] == claims
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(4_000) < peak(500) * 1.5 + 100_000
