"""A bounded memory of what was asked for last."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """At most `most` values by key, in two halves: when the newer is full, the older is dropped at once.

    What is asked for goes to the newer half, so that what comes again and again stays.
    """

    __slots__ = ("_half", "_newer", "_older")

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self.clear()

    def clear(self) -> None:
        self._newer: dict[Hashable, T] = {}
        self._older: dict[Hashable, T] = {}

    def get(self, key: Hashable) -> T | None:
        found = self._newer.get(key)
        if found is None and (found := self._older.get(key)) is not None:
            self[key] = found
        return found

    def __setitem__(self, key: Hashable, value: T) -> None:
        if len(self._newer) >= self._half:
            self._newer, self._older = {}, self._newer
        self._newer[key] = value

    def __len__(self) -> int:
        return len(self._newer.keys() | self._older.keys())
