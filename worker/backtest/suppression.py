"""Counts of few people are not shown, nor what they could be worked out from. Pure.

A count of 1 to `least` - 1 is suppressed; 0 says nothing of anybody and is shown, as the rule of the Centers for
Medicare & Medicaid Services for published data has it: no cell of 1 to 10, nor what it could be worked out from, shares
among it (https://www.hhs.gov/guidance/document/cms-cell-suppression-policy).

Sums tie counts together, so others go with it: until of no sum only one part is missing, until what is missing of a
sum is not few itself, and until no combination of all sums gives a suppressed count away, as elimination tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_PRIME = 2**61 - 1
"""Elimination is done modulo it: coefficients are 1 and -1, so that what it finds is what holds for whole numbers."""
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Sum(Generic[Key]):
    """A count and the counts that it is made of."""

    total: Key
    parts: tuple[Key, ...]


def suppressed(
    counts: Mapping[Key, int],
    sums: Sequence[Sum[Key]],
    least: int,
    given: Iterable[Key] = (),
    worth: Callable[[Key], int] = lambda _: 0,
    rest: Mapping[Key, int] | None = None,
) -> frozenset[Key]:
    """The counts that are not to be shown. `given`: some that are not shown whatever they are. What is not among the
    counts is 0, and known; a 0 among them may be hidden.

    Of several that may go with a small one that of the least `worth` goes, of these the smallest, and of equal ones the
    first in the order of the sums. `rest`: what is left of a known whole beside each count, and is shown and hidden
    with it: it is not to be few either.
    """
    small = {key for of in (counts, rest or {}) for key, count in of.items() if 0 < count < least}
    hiding = _Hiding((counts, rest or {}), sums, least, small, small | set(given), worth)
    while hiding.complete() or hiding.break_up():
        pass
    return frozenset(hiding.hidden)


class _Hiding(Generic[Key]):
    """What is hidden so far, and of each sum what that leaves."""

    def __init__(
        self,
        counts: tuple[Mapping[Key, int], Mapping[Key, int]],
        sums: Sequence[Sum[Key]],
        least: int,
        small: set[Key],
        hidden: set[Key],
        worth: Callable[[Key], int],
    ) -> None:
        self._counts, self._rest = counts
        self._sums, self._least, self._small, self._worth = sums, least, small, worth
        self._of_part: dict[Key, list[int]] = defaultdict(list)
        self._of_total: dict[Key, list[int]] = defaultdict(list)
        for at, one in enumerate(sums):
            self._of_total[one.total].append(at)
            for key in one.parts:
                self._of_part[key].append(at)
        self._missing = [0] * len(sums)
        """Of each sum the hidden parts."""
        self._few = [0] * len(sums)
        """What they come to."""
        self._few_rest = [0] * len(sums)
        self._open: dict[int, None] = {}
        """Sums to be looked at, in order."""
        self.hidden: set[Key] = set()
        for key in hidden:
            self._hide(key)
        self._open = dict.fromkeys(sorted(self._open))

    def _hide(self, key: Key) -> None:
        self.hidden.add(key)
        for at in self._of_part[key]:
            self._missing[at] += 1
            self._few[at] += self._counts.get(key, 0)
            self._few_rest[at] += self._rest.get(key, 0)
            self._open[at] = None
        for at in self._of_total[key]:
            self._open[at] = None

    def complete(self) -> bool:
        """Hides more of each sum of which one count alone is hidden, or few are; whether there was such a sum."""
        before = len(self.hidden)
        while self._open:
            at = next(iter(self._open))
            while self._tells(at) and (found := self._next(at)) is not None:
                self._hide(found)
            self._open.pop(at, None)
        return len(self.hidden) > before

    def _tells(self, at: int) -> bool:
        missing = self._missing[at]
        if self._sums[at].total in self.hidden:
            return not missing
        few = self._few[at] < self._least or 0 < self._few_rest[at] < self._least
        return missing == 1 or (bool(missing) and few)

    def break_up(self) -> bool:
        """Hides more where all sums together still give small counts away; whether they did."""
        given = given_away(self._sums, self.hidden) & self._small
        before = len(self.hidden)
        for key in sorted(given, key=repr):
            near = (self._next(at) for at in (*self._of_part[key], *self._of_total[key]))
            if (found := next((one for one in near if one is not None), None)) is not None:
                self._hide(found)
        if given and len(self.hidden) == before:
            far = (at for at, one in enumerate(self._sums) if not self.hidden.isdisjoint((one.total, *one.parts)))
            if (found := next((one for at in far if (one := self._next(at)) is not None), None)) is not None:
                self._hide(found)
        return len(self.hidden) > before

    def _next(self, at: int) -> Key | None:
        """What of the sum goes next: of what is shown, the parts before the total, and a 0 that hides nothing last."""
        one, few = self._sums[at], self._few[at] < self._least
        parts = [key for key in one.parts if key not in self.hidden and self._may_be_hidden(key)]
        if parts:
            return min(parts, key=lambda key: (few and not self._counts[key], self._worth(key), self._counts[key]))
        return one.total if one.total not in self.hidden and self._counts.get(one.total, 0) else None

    def _may_be_hidden(self, key: Key) -> bool:
        """A 0 may where no sum of it is 0: counts are never below 0, so that the parts of that are known."""
        if self._counts.get(key, 0):
            return True
        totals = (self._sums[at].total for at in self._of_part[key])
        return key in self._counts and all(one in self.hidden or self._counts.get(one, 1) for one in totals)


def given_away(sums: Iterable[Sum[Key]], hidden: set[Key] | frozenset[Key]) -> set[Key]:
    """The suppressed counts that follow from the sums and from what is shown: those that are alone in a row once the
    sums are brought into reduced row echelon form."""
    rows = [row for one in sums if (row := _row(one, hidden))]
    pivots: dict[Key, dict[Key, int]] = {}
    users: dict[Key, set[Key]] = defaultdict(set)
    """By key the pivots whose rows hold it."""
    for given, alone in _in_order(rows):
        row = given
        for key in [key for key in row if key in pivots]:
            _subtract(row, pivots[key], row[key])
        if not row:
            continue
        pivot = min(row, key=lambda key: len(users[key])) if alone is None else alone
        inverse = pow(row[pivot], -1, _PRIME)
        if inverse != 1:
            row = {key: value * inverse % _PRIME for key, value in row.items()}
        for other in [name for name in users.pop(pivot, ()) if pivot in pivots[name]]:
            _subtract(pivots[other], row, pivots[other][pivot])
            for key in row:
                users[key].add(other)
        pivots[pivot] = row
        for key in row:
            users[key].add(pivot)
    return {pivot for pivot, row in pivots.items() if len(row) == 1}


def _row(one: Sum[Key], hidden: set[Key] | frozenset[Key]) -> dict[Key, int]:
    """What of a sum is hidden, with its sign."""
    row = {key: _PRIME - 1 for key in one.parts if key in hidden}
    if one.total in hidden:
        row[one.total] = 1
    return row


def _in_order(rows: list[dict[Key, int]]) -> list[tuple[dict[Key, int], Key | None]]:
    """The rows, those last that hold a key which no row before them holds, each with that key: to eliminate by it costs
    nothing. Most sums have one, once those that need them are out of the way."""
    holders: dict[Key, set[int]] = defaultdict(set)
    for at, row in enumerate(rows):
        for key in row:
            holders[key].add(at)
    ready = [key for key, held in holders.items() if len(held) == 1]
    peeled: list[tuple[dict[Key, int], Key | None]] = []
    gone: set[int] = set()
    while ready:
        key = ready.pop()
        if not holders[key]:
            continue
        (at,) = holders[key]
        gone.add(at)
        peeled.append((rows[at], key))
        for other in rows[at]:
            holders[other].discard(at)
            if len(holders[other]) == 1:
                ready.append(other)
    core: list[tuple[dict[Key, int], Key | None]] = [(row, None) for at, row in enumerate(rows) if at not in gone]
    return core + peeled[::-1]


def _subtract(row: dict[Key, int], other: Mapping[Key, int], factor: int) -> None:
    for key, value in other.items():
        left = (row.get(key, 0) - factor * value) % _PRIME
        if left:
            row[key] = left
        else:
            row.pop(key, None)
