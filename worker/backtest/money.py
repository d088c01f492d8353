"""Money as payers see it: what they allowed, and for what they denied, what they allowed for the same elsewhere. Pure.

What was billed says little: a payer allows a third of it. What a denied line would have brought is not known, so it is
an estimate, and drawn as one: the mean that the same payer allowed for the same code at the same site, or, where it
paid fewer than `PEERS` of these, for the code at any site. `Prices` is the seam for other prices, such as a contract's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt
from typing import NamedTuple, Protocol

from worker.backtest.result import Estimate
from worker.intake.x12.remittance import Adjustment
from worker.outcomes.reasons import SHARED, net

PEERS = 5
"""Paid lines, at the least, that a mean rests on."""
_NOTHING = Decimal(0)
_Z = 1.959963984540054


class Priced(NamedTuple):
    """Lines that a payer prices alike."""

    payer: str
    code: str
    site: str
    """Place of service, or the first digits of the type of bill; empty: any."""


class Price(NamedTuple):
    """What is known of what a payer allows."""

    mean: float
    """US cents."""
    deviation: float
    """From one line to another."""
    lines: int
    """That it rests on; 0: it is known otherwise, and exact."""


class Prices(Protocol):
    """What payers allow."""

    def price(self, of: Priced) -> Price | None: ...


def allowed_cents(paid: Decimal, adjustments: Iterable[Adjustment]) -> int:
    """What the payer allowed: what it paid, with what of that the patient or another payer owes."""
    shared = sum([one.amount for one in net(adjustments) if one.reason in SHARED], _NOTHING)
    return int((paid + shared) * 100)


@dataclass(slots=True)
class Seen:
    """The prices that paid lines show. All lines are entered before the first price is asked."""

    sums: dict[Priced, tuple[int, int, int]] = field(default_factory=dict)
    """Count, sum and sum of squares, in cents."""

    def add(self, of: Priced, cents: int) -> None:
        for key in (of, of._replace(site="")):
            count, total, squares = self.sums.get(key, (0, 0, 0))
            self.sums[key] = count + 1, total + cents, squares + cents * cents

    def join(self, other: Seen) -> None:
        """Takes what another one saw."""
        for key, (count, total, squares) in other.sums.items():
            mine = self.sums.get(key, (0, 0, 0))
            self.sums[key] = mine[0] + count, mine[1] + total, mine[2] + squares

    def price(self, of: Priced) -> Price | None:
        for key in (of, of._replace(site="")):
            count, total, squares = self.sums.get(key, (0, 0, 0))
            if count >= PEERS:
                # In whole numbers to the end: a difference of large floats would be noise.
                spread = (count * squares - total * total) / (count * (count - 1))
                return Price(total / count, sqrt(max(0.0, spread)), count)
        return None


@dataclass(slots=True)
class Stake:
    """Denied lines, by what they would be priced by."""

    lines: Counter[Priced] = field(default_factory=Counter)
    allowed: int = 0
    """What was allowed of them all the same, in cents."""

    def add(self, of: Priced, cents: int) -> None:
        self.lines[of] += 1
        self.allowed += cents

    def join(self, other: Stake) -> None:
        """Takes the lines of another one."""
        self.lines.update(other.lines)
        self.allowed += other.allowed


def estimate(stake: Stake, prices: Prices) -> Estimate:
    """What the denied lines would have brought."""
    total = variance = 0.0
    known = without = 0
    for of, count in sorted(stake.lines.items()):
        price = prices.price(of)
        if price is None:
            without += count
            continue
        known += count
        total += count * price.mean
        # Each line differs from the mean, and the mean itself is of so many lines.
        variance += price.deviation**2 * (count + (count * count / price.lines if price.lines else 0))
    total = max(0.0, total - stake.allowed)
    half = _Z * sqrt(variance)
    return Estimate(round(total), round(max(0.0, total - half)), round(total + half), known, without)
