"""Plots of a backtest, drawn without a script: shares with their intervals, sums of money with what is estimated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from worker.backtest.result import Estimate, Share
from worker.reporting.html import escape, money


class Ranged(NamedTuple):
    """A row of shares."""

    name: str
    share: Share
    text: str
    """At its right."""


class Sum(NamedTuple):
    """A row of money: measured cents, or an estimate."""

    name: str
    amount: int | Estimate


def shares(about: str, rows: Sequence[Ranged]) -> str:
    """A dot for each share, a whisker for its 95 % interval."""
    marks = "".join(f'<i class="mark" style="left:{25 * part}%"></i>' for part in range(5))
    found = []
    for row in rows:
        inside = marks + _whisker(row.share.low, row.share.high)
        inside += f'<i class="dot" style="left:{_percent(row.share.share)}"></i>'
        found.append(_row(row.name, inside, row.text))
    scale = "".join(f'<i style="left:{25 * part}%">{25 * part} %</i>' for part in range(5))
    told = (f"{row.name} {100 * row.share.share:.0f} %" for row in rows)
    return _drawn(about, told, [_row("", scale, "", "scale"), *found])


def sums(about: str, rows: Sequence[Sum]) -> str:
    """A bar for each sum: filled where it is measured, hatched and with a whisker where it is an estimate."""
    most = max([_high(row.amount) for row in rows] + [1])
    found, told = [], []
    for row in rows:
        estimate = None if isinstance(row.amount, int) else row.amount
        cents = estimate.cents if estimate else _high(row.amount)
        kind = "estimated" if estimate else "measured"
        inside = f'<i class="{kind}" style="width:{_percent(cents / most)}"></i>'
        if estimate:
            inside += _whisker(estimate.low_cents / most, estimate.high_cents / most)
        text = f"about {money(cents)}" if estimate else money(cents)
        found.append(_row(row.name, inside, text))
        told.append(f"{row.name} {text}")
    return _drawn(about, told, found)


def _high(amount: int | Estimate) -> int:
    return amount if isinstance(amount, int) else amount.high_cents


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _whisker(low: float, high: float) -> str:
    return f'<i class="whisker" style="left:{_percent(low)};width:{_percent(high - low)}"></i>'


def _row(name: str, inside: str, text: str, more: str = "") -> str:
    track = f'<span class="track {more}">{inside}</span>' if more else f'<span class="track">{inside}</span>'
    return f'<span class="name">{escape(name)}</span>{track}<span class="said">{escape(text)}</span>'


def _drawn(about: str, told: Iterable[str], rows: Sequence[str]) -> str:
    label = f"{about}: {'; '.join(told)}"
    return f'<div class="ranges" role="img" aria-label="{escape(label)}">{"".join(rows)}</div>'
