"""Cases as JSON, and as rows of a spreadsheet: the same for the command line, HTTP and the browser. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Any

from rules.payment.sums import ClaimExpected
from worker.desk.cases import Case
from worker.desk.wanted import Sums

COLUMNS = (
    "case", "facility", "claim", "state", "payer", "charge", "expected", "expected_low", "expected_high", "last_day",
    "last_day_grade", "days_left", "owner", "pended_until", "held_since", "codes", "fault",
)  # fmt: skip
Money = Callable[[int], str]
"""US cents as people read them."""


def shown(case: Case, day: date) -> dict[str, Any]:
    """A case as JSON has it, as of a day."""
    return {**asdict(case), "state": case.state_on(day), "urgency": case.urgency(day), "days_left": case.days_left(day)}


def row_of(case: Case, day: date) -> tuple[object, ...]:
    """A case as a row, as of a day: amounts in US dollars, nothing where they are unknown."""
    last, expected = case.last_day, case.expected or ClaimExpected()
    return (
        case.handle, case.scope, case.claim_id, case.state_on(day), case.payer_name, _dollars(case.charge_cents),
        expected.kind, _dollars(expected.low_cents), _dollars(expected.high_cents), last and last.day,
        last and last.grade, case.days_left(day), case.owner, case.pended_until, case.held_since, " ".join(case.codes),
        case.fault,
    )  # fmt: skip


def expected_text(expected: ClaimExpected | None, money: Money) -> str:
    """`$172.56`, `$161.93 to $180.00`, `$172.56 for a part of it`, `nothing of its own`, `unknown`."""
    if expected is None or expected.low_cents is None or expected.high_cents is None:
        return "unknown"
    if expected.kind == "packaged":
        return "nothing of its own"
    text = _between(expected.low_cents, expected.high_cents, money)
    return f"{text} for a part of it" if expected.kind == "part" else text


def sums_text(sums: Sums, money: Money) -> str:
    """`$900.00 charged, expected: $161.93 to $180.00`; and of how many, where it is not of all."""
    charged = f"{money(sums.cents)} charged"
    if not sums.claims:
        return charged
    return f"{charged}, expected: {between_text(sums, money)}"


def between_text(sums: Sums, money: Money) -> str:
    """What is expected of the cases: `$161.93 to $180.00 for 1 of them, charged $450.00`, `unknown`."""
    if not sums.priced:
        return "unknown"
    of = "" if sums.priced == sums.claims else f" for {sums.priced:,} of them, charged {money(sums.priced_cents)}"
    return _between(sums.low_cents, sums.high_cents, money) + of


def _between(low: int, high: int, money: Money) -> str:
    return money(low) if low == high else f"{money(low)} to {money(high)}"


def _dollars(cents: int | None) -> str | None:
    return None if cents is None else f"{cents / 100:.2f}"
