"""Cases for tests of lists: by number, and one of each kind that filters tell apart."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

from rules.payment.sums import UNKNOWN, ClaimExpected
from worker.desk.cases import Case, LastDay
from worker.desk.casestore import CaseStore

DAY = date(2026, 11, 30)
WHOLE, PART, PACKAGED = (
    ClaimExpected("range", 16_193, 18_000), ClaimExpected("part", 500, 500), ClaimExpected("packaged", 0, 0)
)  # fmt: skip
EXPECTED = (None, UNKNOWN, PART, PACKAGED, WHOLE, ClaimExpected("amount", 16_193, 16_193))


def case(number: int, **about: object) -> Case:
    data: dict[str, object] = {
        "handle": f"h{number:09}", "scope": "", "claim_id": f"PCN-{number:05}", "decision_id": f"d{number}",
        "moment": "2026-11-29T10:00:00.000Z", "held_since": "2026-11-27T10:00:00.000Z", "payer": "medicare",
        "payer_name": "MEDICARE", "charge_cents": 100 * number, "codes": ("UNT001",), "fault": "Too many units",
    }  # fmt: skip
    return Case(**{**data, **about})  # type: ignore[arg-type]


def last(days: int) -> LastDay:
    return LastDay(day=DAY + timedelta(days=days), rule="form/medicare/TIM001-one-year", grade="A")


def put(store: CaseStore, *cases: Case) -> None:
    with store.session() as session:
        for one in cases:
            session.write(None, one)


EVERY = [
    case(
        number, state=state, pended_until=until, last_day=day, owner=owner, payer=payer, codes=codes, scope=scope,
        charge_cents=100 * (number % 5), expected=EXPECTED[number % len(EXPECTED)],
        payer_name=("MEDICARE", "ÄRZTE")[number % 2], held_since=f"2026-11-{number % 9 + 1:02}T10:00:00.000Z",
    )
    for number, (state, until, day, owner, payer, codes, scope) in enumerate(
        product(
            ("open", "pended", "mended"), (None, DAY), (None, last(-1), last(7), last(31)), ("", "dana"),
            (None, "medicare"), (("UNT001",), ("UNT001", "BND001"), ()), ("", "north"),
        )
    )
]  # fmt: skip
