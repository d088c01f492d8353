"""Shares with the interval that a handful of claims leaves open. Pure."""

from __future__ import annotations

from math import sqrt

from worker.backtest.result import Share

_Z = 1.959963984540054
"""Of 95 per cent, both sides."""
_DIGITS = 4


def wilson(found: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score: it holds where counts are small and shares are near 0 or 1.

    Source: R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statist. Med. 17 (1998), method 3.
    """
    if not whole:
        return 0.0, 1.0
    share, square = found / whole, _Z * _Z
    middle = share + square / (2 * whole)
    half = _Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    under = 1 + square / whole
    return max(0.0, (middle - half) / under), min(1.0, (middle + half) / under)


def share(found: int | None, whole: int | None) -> Share | None:
    """The share with its interval; None where a count is suppressed, or there is nothing to share."""
    if found is None or not whole:
        return None
    low, high = wilson(found, whole)
    return Share(round(found / whole, _DIGITS), round(low, _DIGITS), round(high, _DIGITS))
