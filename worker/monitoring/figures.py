"""The figures of queue, workers and outlets for Prometheus: one list for `scrub status --format prometheus` and the
service's /metrics, so that a board and an alert may read either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from worker.monitoring.progress import standstills
from worker.monitoring.reconciliation import Reconciliation

PREFIX = "scrub_"


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric with its samples."""

    name: str
    """Without the prefix, and of a counter without `_total`."""
    kind: Literal["gauge", "counter"]
    about: str
    samples: tuple[tuple[str, float], ...]
    """The label's value, empty where there is no label, and the number."""
    label: str = ""


def _one(name: str, about: str, value: float, kind: Literal["gauge", "counter"] = "gauge") -> Figure:
    return Figure(name, kind, about, (("", value),))


def figures(found: Reconciliation) -> Iterator[Figure]:
    """Of one reconciliation."""
    yield _one("waiting", "Claims that no worker has had yet", found.waiting)
    yield _one("in_flight", "Claims that a worker has in hand", found.in_flight)
    yield _one("oldest_seconds", "Age of the oldest claim without a decision; 0: none", found.oldest or 0)
    yield _one("hold", "1: the workers take no more claims for now", int(found.hold is not None))
    yield _one("hold_seconds", "For how long", found.held)
    yield _one("full", "1: producers are told to wait", int(found.full))
    yield _one("standstill_seconds", "For how long claims could be taken and none was decided", max(standstills(found)))
    yield _one("unreconciled", "Claims by which the books are off", abs(found.balance))
    yield _one("workers_alive", "Workers that are alive", len(found.alive))
    yield _one("producers_deleted", "Entries that producers deleted of their own", sum(one.gone for one in found.short))
    yield _one("accepted", "Claims that were accepted", found.accepted, "counter")
    yield _one("repeated", "Events that were sent again", found.repeated, "counter")
    yield Figure(
        "decided", "counter", "Claims that were decided",
        tuple((outlet.name, outlet.count) for outlet in found.outlets), "route",
    )  # fmt: skip
    yield Figure(
        "outlet_unread", "gauge", "Entries that the slowest group has not done",
        tuple((outlet.name, outlet.unread) for outlet in found.outlets), "outlet",
    )  # fmt: skip


def exposition(every: Iterable[Figure]) -> Sequence[str]:
    """The lines of Prometheus' text format, version 0.0.4. Labels are of closed lists of ours: none wants escaping."""
    lines = []
    for one in every:
        name = PREFIX + one.name + ("_total" if one.kind == "counter" else "")
        lines += [f"# HELP {name} {one.about}", f"# TYPE {name} {one.kind}"]
        for value, number in one.samples:
            labels = f'{{{one.label}="{value}"}}' if one.label else ""
            lines.append(f"{name}{labels} {float(number)!r}")
    return lines
