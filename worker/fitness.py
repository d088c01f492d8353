"""Whether a Redis is fit for claims: new enough, never evicting, and with its append-only file on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.sentinel import MasterNotFoundError

from rules.errors import ScrubError
from worker.errors import RedisForbids, RedisForgets, RedisMayEvict, RedisRefuses, RedisTooOld, RedisUnreachable

_LEAST_REDIS = (7, 0)
_LEAST_VALKEY = (7, 2)


def check_server(redis: Redis, address: str) -> None:
    """Refuses a server that could lose claims. Reads INFO alone, since managed servers forbid CONFIG.

    Raises:
        RedisUnreachable, RedisTooOld, RedisMayEvict, RedisForgets
    """
    try:
        info = redis.info()
    except AuthenticationError:
        raise RedisRefuses(where=address) from None
    except NoPermissionError as error:
        raise RedisForbids(address, error) from None
    except (RedisError, OSError) as error:
        raise RedisUnreachable(where=address, reason=why_silent(error)) from None
    if reasons := unfit(info, address):
        raise reasons[0]


def why_silent(error: BaseException) -> str:
    """Why Redis does not answer, in words where the name of the error says too little; none of the error's own."""
    if isinstance(error, MasterNotFoundError):
        return "none of the sentinels answers with a primary of that group"
    return type(error).__name__


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
