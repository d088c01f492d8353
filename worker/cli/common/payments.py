"""What is expected to be paid, as people read it, beside the charge of each held claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from worker.cli.common.terminal import dollars, hung, paint, plain

if TYPE_CHECKING:
    from rules.claim import Claim
    from rules.payment.question import Expected
    from worker.pipeline.expected import ToldLine

_LABEL = 2 + len("charge: ")
CONTRACT = "a contract with "
"""Begins what is missing where there is no table of contracts, which is said once for all claims."""


def between_text(low: Decimal, high: Decimal) -> str:
    """An amount, or from one to another."""
    return dollars(low) if low == high else f"{dollars(low)} to {dollars(high)}"


def amount_text(expected: Expected) -> str:
    """`$172.56`, `$161.93 to $180.00`, `nothing of its own`, `unknown`."""
    if expected.low is None or expected.high is None:
        return "unknown"
    if expected.kind == "packaged":
        return "nothing of its own"
    return between_text(Decimal(expected.low) / 100, Decimal(expected.high) / 100)


def beside_charge(claim: Claim, lines: Sequence[ToldLine]) -> Iterator[str]:
    """A line with the charge of a held claim and what is expected of it; none where no line is of a procedure of the
    book."""
    if not lines:
        return
    text = f"{dollars(charge_of(claim))}, expected: {_expected(lines)}"
    if more := list(dict.fromkeys(_reason(one) for one in lines if _reason(one))):
        text += f" ({'; '.join(more)})"
    yield "  " + paint("charge: ", "dim") + hung(plain(text), _LABEL)


def charge_of(claim: Claim) -> Decimal:
    """Of all lines; the total that a claim gives may be missing, or be another."""
    return sum((line.charge for line in claim.lines), Decimal(0))


def _expected(lines: Sequence[ToldLine]) -> str:
    low, high, priced = together(lines)
    if not priced:
        return "unknown"
    if all(one["expected"]["kind"] == "packaged" for one in lines):
        return "nothing of its own"
    of = "" if priced == len(lines) else f" for {priced} of {len(lines)} lines"
    return between_text(low, high) + of


def _reason(line: ToldLine) -> str:
    """What the amount depends on, or why there is none."""
    expected = line["expected"]
    if expected["kind"] == "packaged":
        return expected["steps"][0] if expected["steps"] else ""
    if expected["kind"] == "unknown":
        return "; ".join(one for one in expected["missing"] if not one.startswith(CONTRACT))
    return "; ".join([expected["schedule"] or "", *expected["notes"]])


def together(lines: Sequence[ToldLine]) -> tuple[Decimal, Decimal, int]:
    """The least and the most that lines are expected to bring, and of how many that can be said."""
    priced = [one["expected"] for one in lines if one["expected"]["low"] is not None]
    low = sum((Decimal(one["low"] or 0) for one in priced), Decimal(0))
    high = sum((Decimal(one["high"] or 0) for one in priced), Decimal(0))
    return low, high, len(priced)
