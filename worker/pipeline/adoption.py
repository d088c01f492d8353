"""A ledger that stands under a patient key of before gets its name under the key in force, when its patient comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.errors import CommitRefused
from worker.store.agreement import stale
from worker.store.keys import Keys
from worker.store.scripts import script


def adopt(redis: Redis, keys: Keys, mark: str, ledgers: Mapping[str, str]) -> dict[str, str]:
    """Renames ledgers of a partition, given by new name and old; answers what each holds, under its new name.

    `mark`: the keys in force by which they were named. Doing it again is safe.

    Raises:
        KeysTurned: others are by now. CommitRefused, redis.exceptions.RedisError
    """
    if not ledgers:
        return {}
    names = [name for pair in ledgers.items() for name in pair]
    try:
        found = cast(list[bytes], redis.eval(script("adopt"), 1 + len(names), keys.rings, *names, mark))
    except ResponseError as error:
        if turned := stale(error):
            raise turned from None
        if str(error).startswith("WRONGTYPE"):
            raise CommitRefused(count=len(ledgers), reason=error) from None
        raise
    return {name: held.decode() for name, held in zip(ledgers, found, strict=True) if held}
