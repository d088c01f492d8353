"""A bounded cache of what was asked for last."""

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
    """Whether it was asked for since it was looked at last."""


class Recent(Generic[T]):
    """At most `most` values by key; which one goes is found by the CLOCK algorithm (second chance).

    When room is wanted, the values are looked at in the order of a queue: one that was asked for since it was looked at
    last stays and goes to the end, another one is dropped. So what comes again and again stays, nearly as in an LRU
    cache, and a hit moves nothing.
    """

    __slots__ = ("_entries", "_most", "_queue")

    def __init__(self, most: int) -> None:
        self._most = most
        self.clear()

    def clear(self) -> None:
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._queue: deque[_Entry[T]] = deque()

    def get(self, key: Hashable) -> T | None:
        found = self._entries.get(key)
        if found is None:
            return None
        found.asked = True
        return found.value

    def __setitem__(self, key: Hashable, value: T) -> None:
        found = self._entries.get(key)
        if found is not None:
            found.value = value
            return
        while len(self._queue) >= self._most:
            first = self._queue.popleft()
            if first.asked:
                first.asked = False
                self._queue.append(first)
            else:
                del self._entries[first.key]
        entry = self._entries[key] = _Entry(key, value)
        self._queue.append(entry)

    def __iter__(self) -> Iterator[T]:
        return (entry.value for entry in self._queue)

    def __len__(self) -> int:
        return len(self._entries)
