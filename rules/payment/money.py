"""Cents, and the one way in which they are rounded: half a cent up, as CMS prints its amounts."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def cents_of(dollars: Decimal) -> int:
    """US dollars as whole cents."""
    return int(dollars.quantize(_CENT, ROUND_HALF_UP).scaleb(2))


def dollars_of(cents: int) -> Decimal:
    """And back."""
    return Decimal(cents).scaleb(-2)


def share_of(cents: int, share: Decimal) -> int:
    """A part of an amount, rounded to the cent."""
    return cents_of(dollars_of(cents) * share)
