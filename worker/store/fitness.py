"""Whether a Redis is fit for claims: new enough, never evicting, and with its append-only file on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis

from rules.errors import ScrubError
from worker.errors import RedisForgets, RedisMayEvict, RedisTooOld
from worker.store.cluster import answering, is_cluster
from worker.store.reachability import MISREAD, Address, trouble
from worker.store.rediserrors import NoRedis, ReplicaOnly, SentinelInstead, StillLoading

_LEAST_REDIS = (7, 0)
_LEAST_VALKEY = (7, 2)


def check_server(redis: Redis, address: Address) -> None:
    """Refuses a server that could lose claims, or a cluster with one among its nodes that answer. Reads INFO alone,
    since managed servers forbid CONFIG.

    Raises:
        NoRedis, SentinelInstead, StillLoading, RedisTooOld, RedisMayEvict, RedisForgets, redis.exceptions.RedisError
    """
    for node in answering(redis) if is_cluster(redis) else [redis]:
        try:
            info = node.info()
        except MISREAD as error:
            raise trouble(error, address) from None
        if reasons := unfit(info, address):
            raise reasons[0]


def check_primary(redis: Redis, address: Address) -> None:
    """Refuses a server that takes no claims, though it may be asked: for who is to decide on some.

    Raises:
        ReplicaOnly, redis.exceptions.RedisError
    """
    # Of a cluster only primaries are asked, and those by which node holds a slot.
    if not is_cluster(redis) and redis.info("replication").get("role") == "slave":
        raise ReplicaOnly(what=address.what, setting=address.setting)


def unfit(info: Mapping[str, Any], address: Address) -> list[ScrubError]:
    """Why a server with this INFO could lose claims: RedisTooOld, RedisMayEvict, RedisForgets, or nothing; one that is
    no Redis, or says nothing yet, for that reason alone.
    """
    where, named = address.where, {"what": address.what, "setting": address.setting}
    if "sentinel" in (info.get("redis_mode"), info.get("server_mode")):
        return [SentinelInstead(**named)]
    if info.get("loading"):  # its append-only file counts as off until then
        return [StillLoading(**named)]
    found: list[ScrubError] = []
    valkey = info.get("valkey_version")
    if "redis_version" not in info:
        return [NoRedis(**named)]
    number, least = (valkey, _LEAST_VALKEY) if valkey else (info["redis_version"], _LEAST_REDIS)
    if tuple(int(part) for part in str(number).split(".")[:2]) < least:
        found.append(RedisTooOld(where=where, found=f"{'Valkey' if valkey else 'Redis'} {number}"))
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        found.append(RedisMayEvict(where=where, found=info["maxmemory_policy"]))
    if not info.get("aof_enabled"):
        found.append(RedisForgets(where=where))
    return found
