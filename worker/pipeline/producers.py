"""Registering senders: a stream each, so that none of them can harm another.

What is bound to a stream (facility, source, whether its dates count) is in the registry, which no sender can write; the
stream's consumer group is there before its first entry. A producer that is removed leaves its name behind, with what
was bound to it: claims of it may still be in quarantine.
"""

from __future__ import annotations

from typing import Any, cast

from redis import Redis

from worker.errors import ProducerBusy, ProducerRefused, ProducerUnknown
from worker.pipeline.inbox import ensure_group
from worker.store.agreement import standing
from worker.store.keys import GROUP, INNER, Keys
from worker.store.registry import NAME, Producer, producers_of
from worker.store.rights import user_of
from worker.store.scripts import call, named


def add(redis: Redis, keys: Keys, new: Producer) -> bool:
    """Registers it; False: it was registered in the same way before.

    Raises:
        ProducerRefused, redis.exceptions.RedisError
    """
    if reason := _against(redis, keys, new):
        raise ProducerRefused(name=new.name, reason=reason)
    known = producers_of(redis, keys).get(new.name)
    for part in keys.all:
        ensure_group(redis, part.stream(new.name), GROUP)
    redis.hset(keys.first.producers, new.name, new.packed())
    return known != new


def _against(redis: Redis, keys: Keys, new: Producer) -> str:
    if not NAME.fullmatch(new.name) or new.name == INNER:
        return "expected a name of a small letter, then small letters, digits and -, 32 at most, and not `inner`"
    found = standing(redis)
    if found.layout < 2:
        return "this Redis is of layout 1, where all senders share the inbox; `scrub migrate` comes first"
    known = producers_of(redis, keys)
    if (before := known.get(new.name)) and before.facility != new.facility:
        return f"it was registered for facility {before.facility or '(none)'}, which its claims keep; take another name"
    if before and before.exit != new.exit and not before.removed:
        left = sum(int(redis.xlen(part.stream(new.name))) for part in keys.all)
        if left:
            return f"{left} of its claims wait still, which leave by {before.exit}; change its exit when none does"
    for other in known.values():
        if other.name != new.name and other.facility != new.facility and _overlap(other.source, new.source):
            return f"its source is that of {other.name}, which is of another facility"
    return ""


def _overlap(one: str, other: str) -> bool:
    return bool(one and other) and (Producer(source=one).has(other) or Producer(source=other).has(one))


def remove(redis: Redis, keys: Keys, name: str) -> int:
    """Takes its streams away, once nothing is on them; answers how many of its entries went another way than to a
    worker.

    Raises:
        ProducerUnknown, ProducerBusy, redis.exceptions.RedisError
    """
    known = producers_of(redis, keys).get(name)
    if known is None or known.removed:
        raise ProducerUnknown(name=name)
    left = sum(int(redis.xlen(part.stream(name))) for part in keys.all)
    if left:
        raise ProducerBusy(name=name, count=left, user=user_of(name))
    gone = 0
    for part in keys.all:
        used = {"counters": part.counters, "stream": part.stream(name)}
        answer = cast(int, redis.eval(named("unregister"), *cast(Any, call(used, name))))
        if answer == -2:
            raise ProducerBusy(name=name, count=1, user=user_of(name))
        gone += max(0, answer)
    redis.hset(keys.first.producers, name, known._replace(removed=True).packed())
    return gone
