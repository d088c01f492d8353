"""Denials that were foreseen, in the payers' money: weighed by what a backtest says of claims that are held.

Until remittances are in, nobody knows which of them a payer would have sent: a held claim is worth its charge, times
the share of its charges that the payer allows, times the share of held claims that it denied.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from worker.backtest.result import EVERY, FORMAT, HELD, BacktestResult
from worker.errors import BacktestInvalid
from worker.reporting.load import Row


@dataclass(frozen=True, slots=True)
class Weighed:
    """An estimate, in cents."""

    cents: int
    low_cents: int
    high_cents: int
    claims: int
    """That it is of."""
    without: int
    """Claims of payers of which the backtest shows too few; nothing is added for them."""


def read_backtest(file: Path) -> BacktestResult:
    """What a backtest wrote as JSON.

    Raises:
        BacktestInvalid
    """
    try:
        result = TypeAdapter(BacktestResult).validate_json(file.read_bytes())
    except OSError as error:
        raise BacktestInvalid(file=file, reason=error.strerror or "it cannot be read") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        raise BacktestInvalid(file=file, reason=f"{where} is not what it should be") from None
    if result.format != FORMAT or not result.judged:
        raise BacktestInvalid(file=file, reason=f"it has format {result.format}")
    return result


def weigh(foreseen: Iterable[Row], result: BacktestResult) -> Weighed:
    """The foreseen denials, by payer, in the payers' money; a payer that the backtest shows too little of is left out.

    The last book of the backtest counts, which is that under trial where there are two.
    """
    held = next(rule for rule in result.judged[-1].rules if rule.code == HELD)
    middle = low = high = 0.0
    claims = without = 0
    for row in foreseen:
        payer = row["payer"] or "other"
        share, allowed = held.precision.get(payer), result.allowed_share.get(payer)
        if payer == EVERY or share is None or allowed is None:
            without += row["claims"]
            continue
        claims += row["claims"]
        worth = row["cents"] * allowed
        middle, low, high = middle + worth * share.share, low + worth * share.low, high + worth * share.high
    return Weighed(round(middle), round(low), round(high), claims, without)
