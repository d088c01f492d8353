"""What pages have shown last, for as long as the case store does not answer: old, and said to be so."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from worker.desk.cases import Case
from worker.desk.casestore import WrittenAct, WrittenDecision
from worker.desk.lists import Choices
from worker.desk.wanted import Listed, Wanted, listed_of

_MOST_CASES, _MOST_OPENED = 5_000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A case with all that a page shows of it."""

    case: Case
    decisions: tuple[WrittenDecision, ...]
    acts: tuple[WrittenAct, ...]


class Memory:
    """Of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cases: OrderedDict[str, Case] = OrderedDict()
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self.choices = Choices((), (), ())
        self.last: datetime | None = None
        """When the store answered last."""

    def keep(self, cases: Iterable[Case], now: datetime) -> None:
        with self._lock:
            self.last = now
            for one in cases:
                self._cases[one.handle] = one
                self._cases.move_to_end(one.handle)
            while len(self._cases) > _MOST_CASES:
                self._cases.popitem(last=False)

    def keep_opened(self, one: Opened, now: datetime) -> None:
        self.keep([one.case], now)
        with self._lock:
            self._opened[one.case.handle] = one
            self._opened.move_to_end(one.case.handle)
            while len(self._opened) > _MOST_OPENED:
                self._opened.popitem(last=False)

    def opened(self, handle: str) -> Opened | None:
        with self._lock:
            return self._opened.get(handle)

    def named(self, handles: Iterable[str]) -> dict[str, Case]:
        with self._lock:
            return {one: self._cases[one] for one in handles if one in self._cases}

    def listed(self, wanted: Wanted, day: date) -> list[Listed]:
        """As `worker.desk.lists` does it, of what was seen."""
        with self._lock:
            every = [*self._cases.values()]
        return [listed_of(one, day) for one in wanted.of(every, day)]

    def payers(self) -> list[tuple[str | None, str]]:
        """Key and name of every payer, as claims have them."""
        with self._lock:
            return [(one.payer, one.payer_name) for one in self._cases.values()]
