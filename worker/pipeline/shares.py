"""How the entries of a batch are shared among the streams of a partition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_WORTH = 16
"""What part of a batch may stay free."""


@dataclass(slots=True)
class Round:
    """Which streams are asked at once, and for how many entries each, so that all together give no more than `count`.

    Those that were left with more the last time share it; each of the others is asked for one entry. Where there are
    more streams than entries, each of the first gets one, and the rest come after them.
    """

    count: int
    names: tuple[str, ...]
    """The streams, in the order of their turns."""
    before: Collection[str]
    """Those that were left with more."""
    whole: int
    """The count of the first round."""
    found: Mapping[str, int] = field(default_factory=dict)
    """How many entries each gave."""
    asked: list[tuple[tuple[str, ...], int]] = field(init=False)

    def __post_init__(self) -> None:
        names = self.names[: self.count]
        busy = tuple(name for name in names if name in self.before) if len(names) == len(self.names) else ()
        quiet = tuple(name for name in names if name not in busy) if busy else ()
        busy = busy or names
        self.asked = [(busy, (self.count - len(quiet)) // len(busy))] if busy else []
        self.asked += [(quiet, 1)] if quiet else []

    @property
    def busy(self) -> frozenset[str]:
        """Those that gave all that they were asked for."""
        return frozenset(name for names, quota in self.asked for name in names if self.found.get(name, 0) >= quota)

    def after(self, taken: int) -> Round | None:
        """The next round, where it is worth one; `taken`: in this one."""
        left, busy = self.count - taken, self.busy
        unasked = self.names[self.count :]
        rest = (*unasked, *(name for name in self.names if name in busy))
        if left <= 0 or not rest or (not unasked and left * _WORTH <= self.whole):
            return None
        return Round(left, rest, rest, self.whole)
