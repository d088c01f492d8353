"""What a whole claim is expected to bring, of what its lines are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ClaimKind = Literal["amount", "range", "part", "packaged", "unknown"]
"""amount; range: from `low_cents` to `high_cents`; part: the same, of some of its lines alone; packaged: nothing of its
own; unknown: of no line can it be said."""


@dataclass(frozen=True, slots=True)
class ClaimExpected:
    """What lines of the book's procedures are expected to bring, together."""

    kind: ClaimKind = "unknown"
    low_cents: int | None = None
    """US cents; None: unknown, which is not 0."""
    high_cents: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is said of every line, so that it may stand beside the charge of the claim."""
        return self.kind not in ("part", "unknown")


UNKNOWN = ClaimExpected()


def claim_expected(lines: Iterable[tuple[str, int | None, int | None]]) -> ClaimExpected:
    """Of lines: the kind of each, the least and the most, US cents."""
    every = list(lines)
    priced = [(low, high) for _, low, high in every if low is not None and high is not None]
    if not priced:
        return UNKNOWN
    low, high = sum(one for one, _ in priced), sum(one for _, one in priced)
    kind: ClaimKind = "amount" if low == high else "range"
    if len(priced) < len(every):
        kind = "part"
    elif all(kind == "packaged" for kind, _, _ in every):
        kind = "packaged"
    return ClaimExpected(kind, low, high)
