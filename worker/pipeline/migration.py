"""Another layout of the keys: from 1, which release 0.1 knows, to 2.

It may be done while claims come in and workers of this release run. What is on an inbox by then was written under
layout 1 and is read so; each partition changes in one step, and says itself which layout it has, so that whoever puts
something back puts it where it is believed. It cannot be undone: releases that do not know layout 2 refuse to start.
"""

from __future__ import annotations

from typing import Any, cast

from redis import Redis

from worker.errors import LayoutFixed
from worker.monitoring.reconciliation import reconcile
from worker.store.agreement import Standing, readable, standing, write
from worker.store.keys import GROUP, INNER, Keys
from worker.store.layout import NEWEST
from worker.store.scripts import call, named


def migrate(redis: Redis) -> Standing:
    """Makes it the newest layout; answers what there was before.

    Raises:
        LayoutFixed: it cannot be now; nothing changed.
        LayoutTooNew: it is newer already.
        redis.exceptions.NoPermissionError: this user may not do that; nothing changed.
        redis.exceptions.RedisError: it broke off; do it again.
    """
    before = standing(redis, NEWEST)
    readable(before.layout)
    if before.layout == NEWEST:
        return before
    if before.partitions != before.wanted:
        wanted = before.wanted
        raise LayoutFixed(reason=f"a change to {wanted} partitions broke off: `scrub partitions {wanted}` comes first")
    keys = Keys(0, before.partitions)
    marked = before._replace(migrating=True)
    _assert_new(redis, keys)
    write(redis, marked)
    try:
        _assert_new(redis, keys)  # an older worker may have started until this moment, and no later
    except LayoutFixed:
        if not before.migrating:
            write(redis, before)
        raise
    for part in reversed(keys.all):
        used = {"meta": part.meta, "inbox": part.inbox, "inner": part.stream(INNER)}
        redis.eval(named("migrate"), *cast(Any, call(used, GROUP)))
    write(redis, before._replace(layout=before.layout + 1, migrating=False))
    return before


def _assert_new(redis: Redis, keys: Keys) -> None:
    old = [one.name for one in reconcile(redis, keys).alive if one.layout < NEWEST]
    if old:
        raise LayoutFixed(
            reason=f"{len(old)} worker(s) of an older release run ({', '.join(old)}); upgrade or stop them first"
        )
