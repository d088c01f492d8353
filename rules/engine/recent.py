"""A bounded memory of what was asked for last."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    key: Hashable
    value: T
    asked: bool = False
    """Whether it was asked for since its turn came last."""


class Recent(Generic[T]):
    """At most `most` values by key: a clock, in which each value has its turn when room is wanted.

    One that was asked for since its last turn stays until the next, another one goes. So what comes again and again
    stays, nearly as if the longest unasked went first, and to ask for something moves nothing.
    """

    __slots__ = ("_kept", "_most", "_turns")

    def __init__(self, most: int) -> None:
        self._most = most
        self.clear()

    def clear(self) -> None:
        self._kept: dict[Hashable, _Entry[T]] = {}
        self._turns: deque[_Entry[T]] = deque()

    def get(self, key: Hashable) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        found.asked = True
        return found.value

    def __setitem__(self, key: Hashable, value: T) -> None:
        found = self._kept.get(key)
        if found is not None:
            found.value = value
            return
        while len(self._turns) >= self._most:
            first = self._turns.popleft()
            if first.asked:
                first.asked = False
                self._turns.append(first)
            else:
                del self._kept[first.key]
        entry = self._kept[key] = _Entry(key, value)
        self._turns.append(entry)

    def __iter__(self) -> Iterator[T]:
        return (entry.value for entry in self._turns)

    def __len__(self) -> int:
        return len(self._kept)
