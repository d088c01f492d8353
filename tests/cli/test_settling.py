"""`scrub outcomes import --close`: remittances close cases, and open them again where a payer takes back its answer.

How payers take back and correct: X12 RFI 791 (the reversal should stand before the correction, and may not), 227 (both
may come on remittances of their own), 288 (the correction has a status of its own and not 22), 2442 (a reversal negates
amounts and reasons), 2150 (both have the number that the claim was sent with).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.remitted import clp, era, svc
from worker.desk.casestore import CaseStore
from worker.desk.lists import held_and_done

from .conftest import CLEAN, Run, example
from .test_rework import TODAY, Decide, consumer, decide, listed

__all__ = ("consumer", "decide")
UNITS = example("three units in a hospital")
DENIED = svc("450", "0", "1", "CO*151*450")
OTHERWISE = svc("450", "0", "1", "CO*197*450")
PAID = svc("450", "450", "1")
BACK = svc("-450", "-450", "1")
Import = Callable[..., dict[str, Any]]


@pytest.fixture
def remit(scrub: Run, home: Path) -> Import:
    def remit(*claims: list[str], days: int = 10, trace: str = "CHK1") -> dict[str, Any]:
        day = (TODAY + timedelta(days=days)).strftime("%Y%m%d")
        (home / f"{trace}.835").write_bytes(era(*claims, trace=trace, day=day))
        done = scrub("outcomes", "import", "--close", f"{trace}.835", "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        cases: dict[str, Any] = json.loads(done.stdout)["cases"]
        assert cases.pop("claims") == sum(cases.values()), "every claim has one fate"
        return cases

    return remit


def how(scrub: Run, claim: str) -> tuple[str, str | None]:
    (case,) = [one for one in listed(scrub, "--state", "all") if one["claim_id"] == claim]
    return case["state"], case["closed_reason"]


def test_remittances_close_cases_as_the_payer_decided(scrub: Run, decide: Decide, remit: Import, home: Path) -> None:
    decide(*(UNITS | {"claim_id": f"P-{number}"} for number in range(4)), CLEAN | {"claim_id": "P-CLEAN"})
    answered = [
        clp("P-0", "1", "450", "450", "I0", *PAID),
        clp("P-1", "4", "450", "0", "I1", *DENIED),
        clp("P-2", "4", "450", "0", "I2", *OTHERWISE),
        clp("P-CLEAN", "1", "450", "450", "I4", *PAID),
    ]
    assert remit(*answered) == {"paid": 1, "denied_foreseen": 1, "denied_otherwise": 1, "no_case": 1}
    assert [how(scrub, f"P-{number}") for number in range(4)] == [
        ("closed", "paid"),
        ("closed", "denied_foreseen"),
        ("closed", "denied_otherwise"),
        ("open", None),
    ]
    assert len(listed(scrub, "--state", "all")) == 4, "no case of a claim that was never held"
    assert remit(*answered) == {"as_it_was": 3, "no_case": 1}
    lines = [json.loads(line) for file in (home / "state").rglob("*.jsonl") for line in file.read_text().splitlines()]
    closed = [line for line in lines if line.get("event.action") == "case.closed"]
    assert sorted(line["case.reason"] for line in closed) == ["denied_foreseen", "denied_otherwise", "paid"]
    shown = scrub("rework", "show", "P-1").stdout
    assert f"closed by the remittance of {TODAY + timedelta(days=10)}: denied_foreseen" in shown


def test_what_a_remittance_closes_is_among_what_was_closed_today(
    scrub: Run, decide: Decide, remit: Import, home: Path
) -> None:
    decide(UNITS | {"claim_id": "P-0"}, UNITS | {"claim_id": "P-1"})
    remit(clp("P-0", "1", "450", "450", "I0", *PAID))
    assert scrub("rework", "close", "P-1", "--as", "without_billing").returncode == 0
    store = CaseStore(f"sqlite:///{home / 'state/desk/cases.db'}")
    with store.session() as session:
        _, done = held_and_done(session, None, datetime.now(UTC) - timedelta(hours=12))
    store.close()
    assert sorted(how for _, how, _ in done) == ["paid", "without_billing"]


def test_where_a_claim_is_says_how_its_case_ended_from_the_audit_log_alone(
    scrub: Run, decide: Decide, remit: Import
) -> None:
    decide(UNITS | {"claim_id": "P-0"})
    assert scrub("rework", "assign", "P-0", "marcus").returncode == 0
    remit(clp("P-0", "1", "450", "450", "I0", *PAID))
    for more in ((), ("--offline",)):
        told = scrub("claim", "P-0", *more).stdout
        assert "assigned to marcus" in told
        assert "closed; paid" in told
        assert "Next: Nothing: its case was closed (paid)." in told
    remit(clp("P-0", "22", "-450", "-450", "I0", *BACK), days=20, trace="CHK2")
    told = scrub("claim", "P-0", "--offline").stdout
    assert "opened again" in told
    assert "its case was closed" not in told


def test_what_is_taken_back_is_open_until_it_is_decided_anew(scrub: Run, decide: Decide, remit: Import) -> None:
    decide(UNITS | {"claim_id": "P-0"})
    paid = clp("P-0", "1", "450", "450", "I0", *PAID)
    back = clp("P-0", "22", "-450", "-450", "I0", *BACK)
    assert remit(paid, days=10) == {"paid": 1}
    assert remit(back, days=20, trace="CHK2") == {"taken_back": 1}
    assert how(scrub, "P-0") == ("open", None)
    assert remit(back, days=20, trace="CHK2") == {"as_it_was": 1}
    assert remit(paid, days=10) == {"older": 1}
    assert how(scrub, "P-0") == ("open", None)
    assert remit(clp("P-0", "4", "450", "0", "I1", *DENIED), days=30, trace="CHK3") == {"denied_foreseen": 1}
    assert remit(back, days=20, trace="CHK2") == {"older": 1}
    assert how(scrub, "P-0") == ("closed", "denied_foreseen")


@pytest.mark.parametrize("first", [True, False])
def test_a_reversal_and_its_correction_on_one_remittance_come_to_the_correction(
    first: bool, scrub: Run, decide: Decide, remit: Import
) -> None:
    decide(UNITS | {"claim_id": "P-0"})
    remit(clp("P-0", "1", "450", "450", "I0", *PAID))
    both = [clp("P-0", "22", "-450", "-450", "I0", *BACK), clp("P-0", "1", "450", "0", "I1", *OTHERWISE)]
    assert remit(*(both if first else both[::-1]), days=20, trace="CHK2") == {"denied_otherwise": 1}
    assert how(scrub, "P-0") == ("closed", "denied_otherwise")


def test_a_second_payers_remittance_changes_nothing(scrub: Run, decide: Decide, remit: Import) -> None:
    decide(UNITS | {"claim_id": "P-0"})
    first = clp("P-0", "1", "450", "0", "I0", *DENIED)
    second = clp("P-0", "2", "450", "450", "J0", *PAID)
    assert remit(first, second) == {"denied_foreseen": 1}
    assert how(scrub, "P-0") == ("closed", "denied_foreseen")


def test_an_answer_to_an_earlier_version_closes_no_newer_one(scrub: Run, decide: Decide, remit: Import) -> None:
    """Sent again with another charge and held again: the payer's answer is about the first."""
    decide(UNITS | {"claim_id": "P-0"})
    line = UNITS["lines"][0] | {"charge": "900.00"}
    decide(UNITS | {"claim_id": "P-0", "total_charge": "900.00", "lines": [line]})
    assert remit(clp("P-0", "4", "450", "0", "I0", *DENIED)) == {"earlier_version": 1}
    assert how(scrub, "P-0") == ("open", None)
