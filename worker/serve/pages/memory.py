"""What pages have shown last, for as long as the case store does not answer: old, and said to be so."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from worker.desk.cases import HELD, URGENCIES, Case
from worker.desk.casestore import WrittenAct, WrittenDecision
from worker.desk.lists import NOBODY, Choices, Listed, Wanted

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
        """As worker/desk/lists.py does it, of what was seen."""
        with self._lock:
            found = [one for one in self._cases.values() if _wanted(one, wanted, day)]
        listed = [Listed(one.handle, one.charge_cents, one.urgency(day)) for one in found]
        return sorted(listed, key=lambda one: (URGENCIES.index(one.urgency), -one.cents, one.handle))


def _wanted(one: Case, wanted: Wanted, day: date) -> bool:
    state, left = one.state_on(day), one.days_left(day)
    which = {"held": one.state in HELD, "all": True}.get(wanted.which, state == wanted.which)
    due = {"": True, "unknown": left is None}.get(
        wanted.due, left is not None and left <= {"past": -1, "week": 7, "month": 30}.get(wanted.due, 0)
    )
    return (
        which
        and due
        and (wanted.scopes is None or one.scope in wanted.scopes)
        and wanted.payer in ("", one.payer or one.payer_name)
        and (not wanted.code or wanted.code in one.codes)
        and (not wanted.owner or one.owner == ("" if wanted.owner == NOBODY else wanted.owner))
    )
