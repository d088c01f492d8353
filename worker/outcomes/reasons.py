"""What the adjustments of a line say: denied, priced, shared, pended, or nothing at all.

Denied: the payer kept back money for a reason other than its price, the patient's share or another payer's payment.
The claim's status (CLP02) decides where the adjustments do not: payers use "denied" (4) in two ways, and "processed"
(1, 2, 3) says nothing of payment.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from rules.book.book import Book
from worker.intake.x12.remittance import Adjustment, Payment

Verdict = Literal["denied", "paid", "pending", "unexplained"]

PRICING = frozenset(
    (
        "1", "2", "3", "23", "24", "42", "44", "45", "59", "66", "85", "94", "100", "101", "102", "103", "104", "105",
        "118", "121", "122", "130", "131", "132", "137", "139", "142", "143", "144", "161", "187", "209", "225", "235",
        "237", "241", "245", "247", "248", "253", "281", "293", "294", "A2",
    )
)  # fmt: skip
"""CARCs (X12 code source 139) by which a payer prices, shares or withholds, or says who else pays: no denial. 42 and
A2 are retired, and stand for a contract's price where old remittances have them."""
PENDING = frozenset(("133", "257", "277"))
"""CARCs that say that the line is not decided yet."""
SHARED = frozenset(("1", "2", "3", "23", "66"))
"""CARCs by which a part of what was allowed is paid by the patient or another payer."""
EARLIER_PAYER = "23"
"""CARC: what an earlier payer paid or adjusted."""

DENIED, REVERSAL = "4", "22"
"""CLP02."""
UNDECIDED = frozenset(
    ("5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "23", "24", "25", "26", "27", "28",
     "29", "31")
)  # fmt: skip
"""CLP02 of claims that were not adjudicated here: pended, sent on to another payer, a predetermination."""
RANKS = {"1": 1, "19": 1, "30": 1, "2": 2, "20": 2, "3": 3, "21": 3}
"""CLP02 of claims that were, to the place of the payer in the order of payers. A denial (4) has none."""
SPLIT = "MA15"
"""RARC: the claim was split; why is not a reason for anything."""


def net(adjustments: Iterable[Adjustment]) -> list[Adjustment]:
    """One for each reason, with the sum of its amounts: a correction may take back a reason on the same line, in a
    group of its own (CR)."""
    every = list(adjustments)
    if len({one.reason for one in every}) == len(every):
        return every
    sums: dict[str, Adjustment] = {}
    for one in every:
        before = sums.get(one.reason)
        # The group is that of what is kept back, not of what is given.
        group = before.group if before and before.amount > 0 else one.group
        sums[one.reason] = Adjustment(group, one.reason, one.amount + (before.amount if before else 0))
    return list(sums.values())


def denials(adjustments: Iterable[Adjustment]) -> tuple[Adjustment, ...]:
    """The adjustments that deny."""
    return tuple([one for one in net(adjustments) if one.reason not in PRICING and one.amount > 0])


def kept_back(one: Verdict, charge: Decimal, paid: Decimal, adjustments: Iterable[Adjustment]) -> Decimal:
    """The money of a denial."""
    if one != "denied":
        return Decimal(0)
    return sum((each.amount for each in denials(adjustments)), Decimal(0)) or charge - paid


def verdict(payment: Payment, charge: Decimal, paid: Decimal, adjustments: Iterable[Adjustment]) -> Verdict:
    """What the payer decided on a line of the payment, or on the claim as a whole."""
    every = net(adjustments)
    kept = [one.reason for one in every if one.amount > 0]
    if not PENDING.isdisjoint(kept):
        return "pending"
    if not PRICING.issuperset(kept):
        return "denied"
    if paid > 0:
        return "paid"
    allowed = any(one.amount > 0 and one.reason in SHARED for one in (*every, *payment.adjustments))
    if payment.status == DENIED and not allowed:
        return "denied"
    explained = charge - sum((one.amount for one in every), Decimal(0)) == paid or payment.balances
    return "paid" if allowed or explained else "unexplained"


def expected_carcs(book: Book) -> dict[str, frozenset[str]]:
    """The CARCs that the rules of each code expect."""
    found: dict[str, set[str]] = {}
    for rule in book.rules:
        for version in rule.versions:
            if version.denial and version.denial.carc:
                found.setdefault(rule.code, set()).add(version.denial.carc)
    return {code: frozenset(carcs) for code, carcs in found.items()}
