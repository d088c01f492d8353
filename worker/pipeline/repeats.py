"""Repeated events while the workers are held: they make no result, so that to drop them frees memory and nothing else.

They are looked at where they wait, without being taken: what is no repeat stays as it is and where it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from worker.audit.log import AuditLog
from worker.pipeline import batch
from worker.pipeline.context import Batch, BatchContext, batch_of
from worker.pipeline.deciding import decide
from worker.pipeline.inbox import Inbox
from worker.pipeline.reading import Reading
from worker.pipeline.rendering import Rendered, render, superseded
from worker.pipeline.routing import home_partition
from worker.store.keys import GROUP, Keys, split_name
from worker.store.scripts import call, named


@dataclass(slots=True)
class RepeatDropper:
    """Of one partition."""

    inbox: Inbox
    keys: Keys
    audit: AuditLog
    _looked: dict[str, str] = field(default_factory=dict)
    """By stream, how far it has looked."""

    def drop(self, context: BatchContext, count: int) -> int:
        """Looks at up to so many waiting entries of each stream, from where it left off, and drops the repeats.

        Raises:
            AuditUnwritable, redis.exceptions.RedisError: to do it again is safe.
        """
        dropped = 0
        for stream in self.inbox.incoming:
            waiting = self.inbox.waiting(stream, self._looked.get(stream, ""), count)
            self._looked[stream] = waiting[-1].id if waiting else ""
            readings = batch.read(waiting, context)
            memory = self.inbox.remembered([one.event_key for one in readings if one.event_key])
            found = list(self._repeats(readings, batch_of(len(readings), memory, context)))
            dropped += self._commit(found) if found else 0
        return dropped

    def _repeats(self, readings: Sequence[Reading], known: Batch) -> Iterator[Rendered]:
        for reading in readings:
            here = reading.event_key in known.memory and home_partition(reading, self.keys) == self.keys
            if here and not reading.requeued:
                decision = decide(reading, known)
                if decision.route == "repeated":
                    yield render(decision, known, time.perf_counter_ns() - reading.nanoseconds)

    def _commit(self, found: Sequence[Rendered]) -> int:
        head = self.audit.write([one.text for one in found])
        streams, memory, items = dict[str, int](), dict[str, int](), list[str | int]()
        for one in found:
            stream, entry = split_name(one.item.entry)
            number = streams.setdefault(stream, len(streams) + 1)
            event = memory.setdefault(one.item.event_key or "", len(memory) + 1)
            items += (number, entry, event, one.item.expects)
        keys = {
            "counters": self.keys.counters, "chains": self.keys.chains,
            "streams": [*map(self.keys.stream, streams)], "memory": [*memory],
        }  # fmt: skip
        arguments = call(keys, GROUP, head.chain, head.seq, head.stored, *streams, *items)
        statuses = cast(Any, self.inbox.redis.eval(named("drop"), *cast(Any, arguments)))
        refused = [(one, status.decode()) for one, status in zip(found, statuses, strict=True) if status != b"done"]
        self.audit.write([superseded(one, status) for one, status in refused])
        return len(found) - len(refused)
