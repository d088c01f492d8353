"""What the operational log says of the queue every 10 seconds."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from worker.monitoring.progress import standstills
from worker.monitoring.reconciliation import Books

BooksLine = TypedDict(
    "BooksLine",
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
        "queue.standstill_s": Annotated[
            float, Field(description="for how long claims could be taken and none was decided, seconds; 0: it moves")
        ],
        "queue.billing": Annotated[int, Field(description="claims that ever went to billing")],
        "queue.rework": Annotated[int, Field(description="claims that ever went to rework")],
        "queue.unchecked": Annotated[int, Field(description="claims that ever went to unchecked")],
        "queue.quarantine": Annotated[int, Field(description="claims that ever went to quarantine")],
        "queue.billing_unread": Annotated[int, Field(description="entries of billing that its reader has not had")],
        "queue.rework_unread": Annotated[int, Field(description="entries of rework that its reader has not had")],
        "book.version": Annotated[str, Field(description="version of the rule book")],
        "book.past_review": Annotated[int, Field(description="sources of the book past their review date")],
        "book.sources_past_review": Annotated[list[str], Field(description="which they are")],
    },
)
"""What the operational log says of the queue every 10 seconds; dashboards and alerts are made from these fields."""


def books_line(found: Books, version: str, past_review: list[str]) -> BooksLine:
    """The books as a log line. `version`: of the rule book; `past_review`: its sources that want to be looked at."""
    return {
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
        "queue.standstill_s": round(max(standstills(found)), 3),
        "queue.billing": found.outlet("billing").count,
        "queue.rework": found.outlet("rework").count,
        "queue.unchecked": found.outlet("unchecked").count,
        "queue.quarantine": found.outlet("quarantine").count,
        "queue.billing_unread": found.outlet("billing").unread,
        "queue.rework_unread": found.outlet("rework").unread,
        "book.version": version,
        "book.past_review": len(past_review),
        "book.sources_past_review": past_review,
    }
