"""Whether a Redis is fit for claims: new enough, never evicting, and with its append-only file on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis

from rules.errors import ScrubError
from worker.errors import RedisForgets, RedisMayEvict, RedisTooOld

_LEAST_REDIS = (7, 0)
_LEAST_VALKEY = (7, 2)


def check_server(redis: Redis, address: str) -> None:
    """Refuses a server that could lose claims. Reads INFO alone, since managed servers forbid CONFIG.

    Raises:
        RedisTooOld, RedisMayEvict, RedisForgets, redis.exceptions.RedisError
    """
    if reasons := unfit(redis.info(), address):
        raise reasons[0]


def unfit(info: Mapping[str, Any], address: str) -> list[ScrubError]:
    """Why a server with this INFO could lose claims: RedisTooOld, RedisMayEvict, RedisForgets, or nothing."""
    found: list[ScrubError] = []
    valkey = info.get("valkey_version")
    number, least = (valkey, _LEAST_VALKEY) if valkey else (info["redis_version"], _LEAST_REDIS)
    if tuple(int(part) for part in str(number).split(".")[:2]) < least:
        found.append(RedisTooOld(where=address, found=f"{'Valkey' if valkey else 'Redis'} {number}"))
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        found.append(RedisMayEvict(where=address, found=info["maxmemory_policy"]))
    if not info.get("aof_enabled"):
        found.append(RedisForgets(where=address))
    return found
