"""A batch of entries, read and judged one after the other: what one claim writes, the next one rests on."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence

from worker.errors import KeyNotHere
from worker.pipeline.context import Batch, BatchContext, batch_of
from worker.pipeline.deciding import decide, quarantined
from worker.pipeline.inbox import InboxEntry
from worker.pipeline.reading import Reading, failure
from worker.pipeline.reading import read as read_entry
from worker.pipeline.rendering import Rendered, render

_MOST_READ = 2**21
"""Bytes of events that are decoded and judged at once; a batch of usual claims has a tenth."""
_MOST_RENDERED = 2**25
"""Bytes of decisions that are committed at once: a claim of 1,000 lines may have findings of some megabytes."""


def parts_of(entries: Sequence[InboxEntry]) -> list[list[InboxEntry]]:
    """The entries in order, with `_MOST_READ` each, or one entry."""
    parts: list[list[InboxEntry]] = [[]]
    size = 0
    for entry in entries:
        size += len(entry.event or b"")
        if size > _MOST_READ and parts[-1]:
            parts.append([])
            size = len(entry.event or b"")
        parts[-1].append(entry)
    return parts


def read(entries: Iterable[InboxEntry], context: BatchContext) -> list[Reading]:
    """Decodes every entry; never raises for what is in one."""
    return [read_entry(entry, context) for entry in entries]


def keys_of(readings: Iterable[Reading]) -> list[str]:
    """The event keys, ledgers and fronts that the decisions on these readings will rest on, ledgers under keys of
    before as well."""
    keys = (
        key for one in readings for key in (one.event_key, one.ledger_key, one.front_key, *one.former_ledgers) if key
    )
    return list(dict.fromkeys(keys))


def to_adopt(readings: Iterable[Reading], memory: Mapping[str, str]) -> dict[str, str]:
    """The ledgers that stand under a patient key of before alone: by their names under the key in force."""
    found = dict[str, str]()
    for one in readings:
        if one.ledger_key and one.former_ledgers and one.ledger_key not in memory:
            before = next((key for key in one.former_ledgers if key in memory), None)
            if before:
                found[one.ledger_key] = before
    return found


def judge(
    readings: Sequence[Reading], memory: Mapping[str, str], context: BatchContext, until: float = math.inf
) -> list[Rendered]:
    """Decides and renders the readings in order; `memory`, what Redis holds under their keys, is carried along.

    The first of them alone, where those after `until` (by the monotonic clock) are left, or what they come to is more
    than is sent to Redis at once.
    """
    batch = batch_of(len(readings), memory, context)
    judged: list[Rendered] = []
    size = 0
    for reading in readings:
        if judged and (size > _MOST_RENDERED or time.monotonic() > until):
            break
        rendered = _judge(reading, batch)
        item = rendered.item
        size += len(item.payload)
        if item.event_key and item.writes:
            batch.memory[item.event_key] = item.writes
        if item.ledger_key and item.ledger_writes:
            batch.memory[item.ledger_key] = item.ledger_writes
        if item.front_key and item.front_writes:
            batch.memory[item.front_key] = item.front_writes
        judged.append(rendered)
    return judged


def _judge(reading: Reading, batch: Batch) -> Rendered:
    started = time.perf_counter_ns() - reading.nanoseconds
    try:
        return render(decide(reading, batch), batch, started)
    except KeyNotHere:
        raise  # of this machine, not of the claim, which waits until it is here
    except batch.context.interrupts:
        raise
    except Exception as error:
        failed = failure(error)
        return render(quarantined(reading, batch, failed.reason, failed.problems), batch, started)
