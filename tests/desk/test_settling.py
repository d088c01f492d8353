"""What remittances say of a claim as far as its case goes, and the acts that come of it. No database, no Redis."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.desk.test_cases import TODAY, act, held
from tests.worker.remitted import EXPECTED, clp, era, remitted, svc
from worker.desk.cases import acted
from worker.desk.settling import SAYS, Said, said_of
from worker.errors import ActNotPossible
from worker.intake.x12.remittance import Payment
from worker.outcomes.matching import AuditedDecision
from worker.outcomes.outcomes import held_to

FOUND = frozenset({("UNT001", 1)})
PAID = svc("450", "450", "1")
DENIED = svc("450", "0", "1", "CO*151*450")
OTHERWISE = svc("450", "0", "1", "CO*197*450")
BACK = svc("-450", "-450", "1")


def said(*files: bytes, decided: tuple[str, ...] = ("2026-10-20",), found: Any = FOUND) -> Said | None:
    payments = [one for one in remitted(*files) if isinstance(one, Payment)]
    decisions = [AuditedDecision(f"{day}T10:00:00Z", "uhc", (1,), found) for day in decided]
    return said_of(held_to("A", payments, decisions, {"64445"}, frozenset()), EXPECTED)


def day(number: int) -> date:
    return date(2026, 11, number)


@pytest.mark.parametrize(
    ("lines", "found", "reason"),
    [
        (PAID, FOUND, "paid"),
        (DENIED, FOUND, "denied_foreseen"),
        (OTHERWISE, FOUND, "denied_otherwise"),
        (DENIED, frozenset(), "denied_otherwise"),
        (DENIED, frozenset({("UNT001", 2)}), "denied_foreseen"),
        (DENIED, frozenset({("OTHER1", 1)}), "denied_otherwise"),
    ],
)
def test_a_denial_is_foreseen_where_a_rule_named_its_reason(lines: list[str], found: Any, reason: str) -> None:
    """On a claim with one judged line its findings are about that line, whatever number they have."""
    assert said(era(clp("A", "1", "450", "0", "I1", *lines)), found=found) == Said(reason, day(10), False)  # type: ignore[arg-type]


def test_what_an_earlier_version_was_held_for_was_foreseen() -> None:
    """It was billed otherwise and denied for the very reason."""
    answer = era(clp("A", "1", "450", "0", "I1", *DENIED))
    payments = [one for one in remitted(answer) if isinstance(one, Payment)]
    decisions = [
        AuditedDecision("2026-10-20T10:00:00Z", "uhc", (1,), FOUND),
        AuditedDecision("2026-10-21T10:00:00Z", "uhc", (1,), frozenset()),
    ]
    found = said_of(held_to("A", payments, decisions, {"64445"}, frozenset()), EXPECTED)
    assert found == Said("denied_foreseen", day(10), False)


def test_a_reversal_alone_takes_back_and_with_its_payment_too() -> None:
    paid = era(clp("A", "1", "450", "450", "I1", *PAID), day="20261110")
    back = era(clp("A", "22", "-450", "-450", "I1", *BACK), trace="CHK2", day="20261120")
    assert said(back) == Said(None, day(20), True)
    assert said(paid, back) == Said(None, day(20), True)
    assert said(back, paid) == said(paid, back)
    again = era(clp("A", "1", "450", "0", "I2", *OTHERWISE), trace="CHK3", day="20261125")
    assert said(paid, back, again) == Said("denied_otherwise", day(25), True)


def test_what_is_not_decided_or_about_another_version_says_nothing() -> None:
    assert said(era(clp("A", "25", "450", "0", "I1"))) is None
    answer = era(clp("A", "1", "450", "450", "I1", *PAID))
    assert said(answer, decided=("2026-11-20",)) is None, "it was decided after it was answered"
    assert said(answer, decided=("2026-10-20", "2026-11-20")) is None, "a newer version was decided since"
    assert said(answer, decided=()) is None


def test_the_acts_of_a_remittance_close_and_open() -> None:
    for state in ("open", "mended"):
        settled = acted(held(state=state), act("settle", reason="paid", until=day(10)), TODAY)
        assert (settled.state, settled.closed_reason, settled.pended_until) == ("closed", "paid", None)
    opened = acted(settled, act("reverse", until=day(20)), TODAY)
    assert (opened.state, opened.closed_reason) == ("open", None)
    corrected = acted(settled, act("settle", reason="denied_otherwise", until=day(20)), TODAY)
    assert corrected.closed_reason == "denied_otherwise"


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        (held(), act("reverse", until=day(1))),
        (held(state="closed", closed_reason="without_billing"), act("reverse", until=day(1))),
        (held(), act("settle", reason="without_billing", until=day(1))),
        (held(), act("settle", reason="paid")),
        (held(), act("close", reason="denied_foreseen")),
    ],
)
def test_nobody_says_by_hand_what_a_remittance_says_and_nothing_else_is_taken_back(case: Any, wanted: Any) -> None:
    with pytest.raises(ActNotPossible):
        acted(case, wanted, TODAY)


def test_every_fate_has_its_words() -> None:
    from typing import get_args

    from worker.desk.settling import Fate

    assert set(SAYS) == set(get_args(Fate))
