"""The floor: the same streams, batches and commit, with no decoding, no rules and no audit.

`python -m worker.bench.floor` drains the inbox of the server in SCRUB_STATE_DIR until it is killed. What it publishes
is as long as a real result, and it writes an event key for each claim as the worker does.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256

from worker import wiring
from worker.commit import Committer, Head, Item
from worker.inbox import Inbox
from worker.settings import load_settings

_REPORT = b" " * 900
"""About what a report adds to its claim."""


def main() -> None:
    """Takes, commits, and starts again."""
    settings = load_settings()
    with wiring.open_store(settings, hold=False) as store:
        consumer = f"floor-{os.getpid()}"
        inbox = Inbox(store.redis, store.keys, consumer)
        inbox.ensure()
        committer = Committer(store.once, store.keys, consumer, memory_ms=settings.event_memory * 86_400_000)
        while True:
            entries = inbox.take(settings.batch)
            if not entries:
                time.sleep(0.002)
                continue
            keys = [store.keys.event(sha256(entry.id.encode()).hexdigest()) for entry in entries]
            inbox.remembered(keys)
            items = [
                Item(
                    entry.id,
                    "billing",
                    (entry.event or b"") + _REPORT,
                    key,
                    writes=f"{key[-64:]} {key[-32:]} {entry.id}",
                )
                for entry, key in zip(entries, keys, strict=True)
            ]
            committer.commit(items, Head())


if __name__ == "__main__":
    main()
