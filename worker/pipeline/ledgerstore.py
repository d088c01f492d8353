"""Ledgers in Redis, for who writes them beside the workers: read, and written where nobody wrote them meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.audit.log import Head
from worker.errors import CommitRefused
from worker.pipeline.ledger import Ledger, expiry_ms
from worker.store.agreement import stale
from worker.store.keys import Keys
from worker.store.scripts import script


def read_ledgers(redis: Redis, names: Sequence[str]) -> dict[str, Ledger]:
    """What stands under these keys; an empty ledger where there is none.

    Raises:
        redis.exceptions.RedisError
    """
    if not names:
        return {}
    values = cast(list[bytes | None], redis.mget(names))
    return {name: Ledger.parse((value or b"").decode()) for name, value in zip(names, values, strict=True)}


def write_ledgers(
    redis: Redis, keys: Keys, changes: Mapping[str, tuple[Ledger, Ledger]], head: Head, mark: str, months: int
) -> set[str]:
    """Writes each ledger of a partition in place of the one that was read; answers those that changed meanwhile.

    `mark`: the keys in force by which they were named.

    Raises:
        KeysTurned: others are by now. CommitRefused, redis.exceptions.RedisError
    """
    arguments: list[str | int] = [head.chain, head.seq, head.stored, mark]
    for found, after in changes.values():
        arguments += (found.version, str(after), expiry_ms(after, months))
    try:
        answer = redis.eval(script("ledgers"), 2 + len(changes), keys.chains, keys.rings, *changes, *arguments)
    except ResponseError as error:
        if turned := stale(error):
            raise turned from None
        if str(error).startswith("WRONGTYPE"):
            raise CommitRefused(count=len(changes), reason=error) from None
        raise
    return {name for name, status in zip(changes, cast(Any, answer), strict=True) if not status}
