"""Progress: whether claims that a worker could take wait, and none is decided.

Maintenance notes each second how many entries were taken off the inbox, and since when that is so. It begins anew
while nothing is there to take, while the workers are held, and after there was no maintenance for a while: idle hours,
a hold, a worker that has just started and claims that a lost worker still has in hand are no standstill. There is a
note of each partition as well: one that moves must not hide one that does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from worker.config.settings import Settings
from worker.monitoring.reconciliation import Mark, Reconciliation

_BESIDES = 5.0
"""Seconds beside the time that a task may spend on a batch: for taking, logging and committing it."""


def renewed(found: Reconciliation, works: Sequence[bool]) -> str:
    """What the key `progress` is to hold now. `works`: of each partition, whether there is something that workers
    may take.
    """
    waits = [any(works), *works]
    marks = [
        before if busy and before and before.taken_off == one.taken_off else Mark(found.moment, one.taken_off)
        for one, busy, before in zip(_each(found), waits, _of_each(found), strict=True)
    ]
    return ";".join(f"{mark.since * 1000:.0f} {mark.taken_off}" for mark in marks)


def standstills(found: Reconciliation) -> list[float]:
    """Seconds since when nothing moves though it could: of all partitions together, then of each. 0: it moves."""
    return [
        max(0.0, found.moment - mark.since)
        if mark and not found.hold and one.waiting + one.in_flight and mark.taken_off == one.taken_off
        else 0.0
        for one, mark in zip(_each(found), _of_each(found), strict=True)
    ]


def standing_still(found: Reconciliation, settings: Settings) -> str | None:
    """The sentence of a standstill; None: it moves, or a batch may still be at work that takes its time."""
    longest = settings.soft_time_limit + _BESIDES
    total, *parts = standstills(found)
    if total > longest:
        return f"{_what(found)}, and none was decided for {total:.0f} s"
    if len(found.parts) < 2:
        return None
    for number, (seconds, one) in enumerate(zip(parts, found.parts, strict=True)):
        # A process may have served all the others before.
        if seconds > longest * len(parts):
            return f"{_what(one)} on partition {number}, and none of them was decided for {seconds:.0f} s"
    return None


def _what(found: Reconciliation) -> str:
    if not found.waiting:
        return f"{found.in_flight} claims are in flight"
    return f"{found.waiting} claims wait" + (f", {found.in_flight} are in flight" if found.in_flight else "")


def _each(found: Reconciliation) -> list[Reconciliation]:
    return [found, *(found.parts or (found,))]


def _of_each(found: Reconciliation) -> list[Mark | None]:
    """The marks, where they are of as many partitions."""
    number = len(_each(found))
    return list(found.marks) if len(found.marks) == number else [None] * number
