"""Expected payments as JSON: amounts as texts of US dollars, as claims have them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from rules.payment.claims import LineExpected
from rules.payment.money import cents_of, dollars_of
from rules.payment.question import Expected, Kind
from rules.payment.sums import ClaimExpected, claim_expected


class ToldExpected(TypedDict):
    """What a line is expected to bring."""

    kind: Kind
    """amount; range: from `low` to `high`; packaged: nothing of its own; unknown: see `missing`."""
    low: str | None
    """US dollars: payer's and patient's part together, before deductible and sequestration."""
    high: str | None
    schedule: str | None
    """By which it is paid: `physician fee schedule`, `contract`."""
    steps: list[str]
    """How it comes about."""
    notes: list[str]
    missing: list[str]
    """What would have to be known."""
    editions: list[str]
    """The tables that it rests on."""


class ToldLine(TypedDict):
    """A line with its charge, and what it is expected to bring."""

    line: int
    """LX01 of the service line."""
    procedure: str
    charge: str
    """US dollars."""
    expected: ToldExpected


def told(expected: Expected) -> ToldExpected:
    """An answer as JSON."""
    return {
        "kind": expected.kind,
        "low": text_of(expected.low),
        "high": text_of(expected.high),
        "schedule": expected.schedule,
        "steps": list(expected.steps),
        "notes": list(expected.notes),
        "missing": list(expected.missing),
        "editions": list(expected.editions),
    }


def told_lines(lines: Iterable[LineExpected]) -> list[ToldLine]:
    """The lines of a claim as JSON."""
    return [
        {
            "line": one.number,
            "procedure": one.procedure,
            "charge": str(dollars_of(one.charge)),
            "expected": told(one.expected),
        }
        for one in lines
    ]


def together(lines: Iterable[ToldLine]) -> ClaimExpected:
    """What a claim is expected to bring, of its lines as JSON."""
    told = (one["expected"] for one in lines)
    return claim_expected((one["kind"], _cents(one["low"]), _cents(one["high"])) for one in told)


def _cents(text: str | None) -> int | None:
    return None if text is None else cents_of(Decimal(text))


def text_of(cents: int | None) -> str | None:
    """US cents as the text of dollars."""
    return None if cents is None else str(dollars_of(cents))
