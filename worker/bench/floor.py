"""The floor: the same streams, batches and commit, with no decoding, no rules and no audit.

`python -m worker.bench.floor` works off the inbox of the server in SCRUB_STATE_DIR until it is killed. To Redis it is a
worker: what it publishes is as long as a real result, and each claim has its event key, its patient's ledger and its
case's front, which are read, checked and written. A test holds its commits to those of a worker.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256

from worker.audit.log import Head
from worker.config.settings import load_settings
from worker.pipeline.commit import Committer, Item
from worker.pipeline.inbox import Inbox, InboxEntry
from worker.store import opening
from worker.store.keys import Keys

_REPORT = b" " * 2_601
"""As much as envelope and report add to an event, on average over the claims of the bench."""
_LEDGER = " " * 111
"""A ledger with one claim, without its version."""
_YEARS = 3


def item(entry: InboxEntry, keys: Keys) -> Item:
    """What a worker would commit of this entry, as far as Redis can see."""
    name = sha256(entry.name.encode()).hexdigest()
    return Item(
        entry.name, "billing", (entry.event or b"") + _REPORT,
        keys.event(name), "", f"{name} {name[:32]} {entry.name}",
        keys.ledger(name[:32]), "", f"{entry.name} {_LEDGER}", entry.milliseconds + _YEARS * 365 * 86_400_000,
        keys.front(name[32:]), "", f"{entry.name} billing P billed", 35 * 86_400_000,
    )  # fmt: skip


def _keys(item: Item) -> tuple[str | None, ...]:
    return item.event_key, item.ledger_key, item.front_key


def main() -> None:
    """Takes, commits, and starts again."""
    settings = load_settings()
    with opening.open_store(settings, hold=False) as store:
        consumer = f"floor-{os.getpid()}"
        inbox = Inbox(store.redis, store.keys, consumer)
        inbox.ensure()
        committer = Committer(store.once, store.keys, consumer, memory_ms=settings.event_memory * 86_400_000)
        while True:
            entries = inbox.take(settings.batch)
            if not entries:
                time.sleep(0.002)
                continue
            items = [item(entry, store.keys) for entry in entries]
            inbox.remembered([key for item in items for key in _keys(item) if key])
            committer.commit(items, Head(consumer, 1, consumer))


if __name__ == "__main__":
    main()
