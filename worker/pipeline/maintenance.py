"""Maintenance: once a second one of the workers looks whether there is work that no notification announced.

It needs no beat process and no notifying producer: one that only knows XADD is served within a period.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from redis.exceptions import ResponseError

from rules.book.sources import past_review
from rules.errors import ScrubError
from worker.books import current
from worker.logs.operational import log
from worker.monitoring import pressure, progress
from worker.monitoring.line import reconciliation_line
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.inbox import ensure_groups
from worker.pipeline.notification import Notifier
from worker.store import agreement, memory
from worker.store.connections import Store
from worker.store.keys import GROUP, Keys
from worker.store.outletspecs import CONSUMED
from worker.store.scripts import script

_LOG_MS = 10_000
_NOTE_MS = 10_000
"""A note of progress that nobody renewed for this long is forgotten: whoever comes back begins a new one."""
_AWAY_PERIODS = 10
"""A consumer that has read nothing for this many reclaim times, and has nothing pending, is forgotten."""
_GONE_MS = "3600000"
"""A worker that has not said for this long that it is alive is forgotten."""
_SAMPLES = "12"
_TRIM = 20_000
"""Entries of an outlet that one round deletes at most, so that Redis never stops for long."""


def maintain(store: Store, notifier: Notifier) -> bool:
    """One round; answers whether it was for this worker to do.

    Raises:
        redis.exceptions.RedisError
    """
    settings, keys, redis = store.settings, store.keys, store.once
    if not memory.put(redis, keys.tend, "1", max(1, int(settings.tend * 900)), "NX"):
        return False
    idle = int(settings.reclaim * 1000)
    works, failures = list[bool | None](), list[ResponseError]()
    for part in keys.all:
        try:
            works.append(_look_after(store, part, idle))
        except ResponseError as error:  # a key in the way on one is no reason to leave the others
            failures.append(error)
            works.append(None)
    found = reconcile(redis, keys)
    held = _hold(store, found)
    note = progress.renewed(found, [work is not False and not held for work in works])
    memory.put(redis, keys.progress, note, int(max(_NOTE_MS, 3000 * settings.tend)))
    if any(works) and not held:
        notifier.notify()
    if memory.put(redis, keys.tend_log, "1", _LOG_MS, "NX"):
        _agree_again(store)
        _report(store, found)
        redis.eval(
            script("sample"), 1, keys.samples, f"{found.moment * 1000:.0f} {found.accepted} {found.taken_off}", _SAMPLES
        )
        for part in keys.all:
            names = (part.inbox, part.workers, part.judging)
            redis.eval(script("prune"), len(names), *names, GROUP, str(_AWAY_PERIODS * idle), _GONE_MS)
    if failures:
        raise failures[0]
    return True


def _look_after(store: Store, keys: Keys, idle: int) -> bool:
    """One partition; answers whether there is work on it. `idle`: ms after which an entry is taken over."""
    redis = store.once
    for name in CONSUMED:
        memory.trim(redis, keys.outlet(name), int(store.settings.retention * 86_400_000), _TRIM)
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.xinfo_groups(keys.inbox)
        pipeline.xlen(keys.inbox)
        pipeline.xpending(keys.inbox, GROUP)
        pipeline.xpending_range(keys.inbox, GROUP, "-", "+", 1, idle=idle)
        groups, length, pending, expired = cast(Any, pipeline.execute(raise_on_error=False))
    if isinstance(groups, Exception) or isinstance(pending, Exception):
        ensure_groups(redis, keys)
        return bool(redis.xlen(keys.inbox))
    return bool(expired) or length > int(pending["pending"])


def _hold(store: Store, found: Reconciliation) -> bool:
    """Makes the workers wait, or ends it, as the outlets and the memory are; says so in the log when it changes."""
    why = pressure.reasons(found, memory.memory(store.once), store.settings, held=found.hold is not None)
    pressure.hold(store.once, store.keys, found, why)
    if why and not found.hold:
        log(__name__).warning("the workers wait: " + "; ".join(why))
    elif found.hold and not why:
        log(__name__).info("the workers wait no longer")
    return bool(why)


def _agree_again(store: Store) -> None:
    try:
        agreement.agree_again(store)
    except ScrubError as error:
        log(__name__).error(str(error))


def _report(store: Store, found: Reconciliation) -> None:
    book = current.own_book(store.settings)
    line = reconciliation_line(found, book.version, past_review(book.sources, datetime.now(UTC).date()))
    say = log(__name__).info if found.balance == 0 else log(__name__).error
    say("the books" if found.balance == 0 else "the books do not balance", **line)
