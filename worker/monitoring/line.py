"""What the operational log says of the queue every 10 seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from worker.logs.fields import LineField, fields_of
from worker.monitoring import pressure
from worker.monitoring.progress import standstills
from worker.monitoring.reconciliation import Reconciliation
from worker.store.outletspecs import GROUPED, OUTLETS

QueueFields = TypedDict(
    "QueueFields",
    {
        "event.action": Annotated[Literal["queue.books"], Field(description="what happened")],
        "queue.accepted": Annotated[int, Field(description="events that were ever taken in")],
        "queue.waiting": Annotated[int, Field(description="claims that no worker has had yet")],
        "queue.in_flight": Annotated[int, Field(description="claims that a worker has and did not commit")],
        "queue.repeated": Annotated[int, Field(description="events that were sent again")],
        "queue.requeued": Annotated[int, Field(description="claims put on the queue again from quarantine")],
        "queue.forwarded": Annotated[int, Field(description="events handed on to the partition of their patient")],
        "queue.balance": Annotated[int, Field(description="accepted less accounted for: 0, or something is wrong")],
        "queue.oldest_s": Annotated[float, Field(description="age of the oldest claim that waits, seconds; 0: none")],
        "queue.consumers": Annotated[int, Field(description="worker processes that took claims of late or hold some")],
        "queue.workers": Annotated[int, Field(description="workers that said of late that they are alive")],
        "queue.held": Annotated[bool, Field(description="whether the workers wait: an outlet or Redis is full")],
        "queue.held_s": Annotated[float, Field(description="for how long they do, seconds; 0: they do not")],
        "queue.held_by": Annotated[
            str, Field(description="while they do: the outlet with most that its reader has not had; empty: none")
        ],
        "queue.full": Annotated[bool, Field(description="whether producers are told to wait: Redis is nearly full")],
        "queue.deleted": Annotated[
            int, Field(description="entries that registered producers deleted from their own streams")
        ],
        "queue.deleted_by": Annotated[list[str], Field(description="which producers")],
        "queue.standstill_s": Annotated[
            float, Field(description="for how long claims could be taken and none was decided, seconds; 0: it moves")
        ],
    },
)
BookFields = TypedDict(
    "BookFields",
    {
        "book.version": Annotated[str, Field(description="version of the rule book")],
        "book.past_review": Annotated[int, Field(description="sources of the book past their review date")],
        "book.sources_past_review": Annotated[list[str], Field(description="which they are")],
    },
)


def reconciliation_fields() -> dict[str, LineField]:
    """What the operational log says of the queue; dashboards and alerts are made from these fields."""
    counts = (LineField(f"queue.{name}", "whole", f"claims that ever went to {name}") for name in OUTLETS)
    unread = (
        LineField(f"queue.{name}_unread", "whole", f"entries of {name} that its reader has not had") for name in GROUPED
    )
    outlets = {field.name: field for field in (*counts, *unread)}
    return {**fields_of(QueueFields), **outlets, **fields_of(BookFields)}


def reconciliation_line(found: Reconciliation, version: str, past_review: list[str]) -> dict[str, Any]:
    """The reconciliation as a log line, with the fields of `reconciliation_fields`.

    `version`: of the rule book; `past_review`: its sources that want to be looked at.
    """
    most = pressure.to_read(found) if found.hold else None
    queue: QueueFields = {
        "event.action": "queue.books",
        "queue.accepted": found.accepted,
        "queue.waiting": found.waiting,
        "queue.in_flight": found.in_flight,
        "queue.repeated": found.repeated,
        "queue.requeued": found.requeued,
        "queue.forwarded": found.forwarded,
        "queue.balance": found.balance,
        "queue.oldest_s": round(found.oldest_waiting or 0, 3),
        "queue.consumers": len(found.consumers),
        "queue.workers": len(found.alive),
        "queue.held": found.hold is not None,
        "queue.held_s": round(found.held, 3),
        "queue.held_by": most.name if most else "",
        "queue.full": found.full,
        "queue.deleted": sum(one.gone for one in found.short),
        "queue.deleted_by": [one.name for one in found.short],
        "queue.standstill_s": round(max(standstills(found)), 3),
    }
    counts = {f"queue.{name}": found.outlet(name).count for name in OUTLETS}
    unread = {f"queue.{name}_unread": found.outlet(name).unread for name in GROUPED}
    book: BookFields = {
        "book.version": version,
        "book.past_review": len(past_review),
        "book.sources_past_review": past_review,
    }
    return {**queue, **counts, **unread, **book}
