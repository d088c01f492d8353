"""What all who use a Redis have agreed on: the number of partitions, and the secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from redis import Redis

from worker.errors import PartitionMismatch, PartitionsFixed, PartitionsMoving, SecretMismatch
from worker.store.connections import Store
from worker.store.keys import Keys
from worker.store.secret import fingerprint, load_secret

_NOTE = re.compile(r"(\d+)(?: to (\d+))?")


def standing(redis: Redis) -> tuple[int, int]:
    """How many partitions Redis holds, and how many it is to hold: more where a change broke off."""
    found = cast(bytes | None, redis.hget(Keys().meta, "partitions"))
    note = _NOTE.fullmatch((found or b"1").decode())
    if note is None:
        raise PartitionsFixed(reason=f"the field partitions of {Keys().meta} holds no number")
    return int(note[1]), int(note[2] or note[1])


def agree_on_partitions(store: Store) -> None:
    """Holds this process to the number of partitions that all others use.

    Raises:
        PartitionMismatch, PartitionsMoving, redis.exceptions.RedisError
    """
    ours = store.settings.partitions
    _settle(store, "partitions", str(ours))
    found, wanted = standing(store.redis)
    if found != wanted:
        raise PartitionsMoving(found=found, wanted=wanted)
    if found != ours:
        raise PartitionMismatch(found=found, wanted=ours)


def _settle(store: Store, name: str, ours: str) -> str:
    """What all have agreed on; ours, where we are the first. Asks before it writes, which a full Redis refuses."""
    found = cast(bytes | None, store.redis.hget(store.keys.meta, name))
    if found is None:
        store.redis.hsetnx(store.keys.meta, name, ours)
        found = cast(bytes, store.redis.hget(store.keys.meta, name))
    return found.decode()


def agreed_secret(store: Store) -> bytes:
    """The secret, which must be the same for all who judge claims of this Redis.

    Raises:
        SecretUnusable, SecretMismatch
    """
    secret = load_secret(store.settings.secret_path)
    mark = fingerprint(secret)
    if _settle(store, "fingerprint", mark) != mark:
        raise SecretMismatch(file=store.settings.secret_path)
    _agreed[store.settings.secret_path] = mark
    return secret


_agreed: dict[Path, str] = {}
"""By secret file, the fingerprint of what this process, or the one that forked it, judges with."""


def agree_again(store: Store) -> None:
    """Puts back what all have agreed on, where somebody emptied Redis.

    Raises:
        SecretMismatch: a worker with another secret was quicker.
        redis.exceptions.RedisError
    """
    _settle(store, "partitions", str(store.settings.partitions))
    mark = _agreed.get(store.settings.secret_path)
    if mark and _settle(store, "fingerprint", mark) != mark:
        raise SecretMismatch(file=store.settings.secret_path)
