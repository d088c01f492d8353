"""What other programs in Python call.

    from worker.inbox import submit
    receipt = submit([claim, claim], source="/hospital/ehr")

    from worker.outlets import consume
    for entry in consume("billing"):
        send(entry.data["claim"])        # acknowledged when the loop asks for the next one

Both use the Redis that the settings name.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator

from worker.config.settings import Settings
from worker.pipeline.outlets import OutletEntry, Reader
from worker.pipeline.producer import SOURCE, Receipt, Submittable, send
from worker.store.opening import open_store


def submit(
    items: Iterable[Submittable],
    *,
    source: str = SOURCE,
    settings: Settings | None = None,
    on_progress: Callable[[int], None] | None = None,
    wait: float | None = 0,
    on_wait: Callable[[str], None] | None = None,
) -> Receipt:
    """Puts claims on the queue and notifies a worker.

    Each item is a plain claim (a mapping in the form of `rules.claim.Claim`), a CloudEvent (a mapping with
    `specversion`), a `Document` of `read_documents`, or bytes, which are sent as they are. Nothing is checked against
    the claim model here: the worker does, and puts what it cannot read into quarantine. Sending the same again is
    safe: the id of a plain claim's event is made of its position among `items` and its content. `on_progress` gets
    the number accepted so far, after each pipeline.

    `wait`: seconds to wait for room, each time that Redis is near its memory limit; 0: none, None: as long as it
    takes. `on_wait` gets a sentence each second of it.

    Raises:
        InboxFull: there was no room within `wait`; its `accepted` says how many of the items went through.
        EventTooLarge: an event has more than SCRUB_MAX_EVENT_BYTES; those before it may have been accepted.
        RedisUnusable and the other errors of `worker.store.opening.open_store`.
    """
    with open_store(settings) as store:
        receipt = send(
            store.redis, store.keys, items, source=source, settings=store.settings, on_progress=on_progress,
            wait=wait, on_wait=on_wait,
        )  # fmt: skip
        if receipt.entries:
            from worker.process.celeryapp import notifier  # who only reads an outlet needs no Celery

            notifier(store).notify()
    return receipt


def consume(
    outlet: str,
    *,
    group: str | None = None,
    consumer: str | None = None,
    settings: Settings | None = None,
    follow: bool = True,
) -> Iterator[OutletEntry]:
    """The entries of an outlet, each acknowledged when the caller asks for the next one.

    A caller that breaks off or dies gets the entry in hand again, at its next start under the same consumer name
    (default: the host's), or another consumer does after SCRUB_RECLAIM seconds. What this call has yielded before
    is dropped by its decision id. With `follow` it waits for more; without, it ends when there is nothing left.

    Raises:
        OutletUnknown, and the errors of `worker.store.opening.open_store`.
    """
    with open_store(settings) as store:
        reader = Reader(
            store.redis, store.keys, outlet, group or outlet, consumer or socket.gethostname(),
            reclaim_ms=int(store.settings.reclaim * 1000),
        )  # fmt: skip
        yield from reader.entries(follow=follow)
