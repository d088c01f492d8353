"""Connections to Redis, and how Celery connects to its broker. Nothing is checked here: see `worker.store.opening`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self, cast
from urllib.parse import quote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from worker.config import cluster, redisurl, sentinel
from worker.config.settings import Settings
from worker.errors import BrokerMissing
from worker.store.cluster import ClusterClient
from worker.store.credentials import FileLogin
from worker.store.embedded import Lease, socket_path
from worker.store.keys import Keys
from worker.store.reachability import ANSWER_SECONDS, CONNECT_SECONDS

_SOCKET: dict[str, Any] = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}


@dataclass(frozen=True, slots=True)
class Store:
    """An open and checked Redis. Use it in a `with`, or `close` it."""

    settings: Settings
    keys: Keys
    """Of the first partition; these know the others."""
    redis: Redis
    """Tries again by itself after a lost connection."""
    once: Redis
    """Never tries again by itself: for what must not be done twice without knowing."""
    lease: Lease | None = None
    """Of the embedded server, where this store keeps it running."""

    def close(self) -> None:
        self.redis.close()
        self.once.close()
        if self.lease:
            self.lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(settings: Settings, retry: Retry, **options: Any) -> Redis:
    """A client of the Redis of the claims; nothing is sent yet, and no password read."""
    options = {**_SOCKET, "health_check_interval": 10, **options}
    login = _file_login(settings)
    if login:
        options["credential_provider"] = login
    if watched := sentinel.of(settings.redis_url):
        named = {} if login else {"username": watched.username, "password": watched.password}
        options = {"socket_keepalive": True, "retry": retry, "db": watched.db, **named, **options}
        found: Any = Sentinel(watched.nodes, sentinel_kwargs=_SOCKET)  # type: ignore[no-untyped-call]
        return cast(Redis, found.master_for(watched.name, **options))
    if several := cluster.of(settings.redis_url):
        return ClusterClient(several, retry, **{"socket_keepalive": True, **options})
    url = settings.redis_url or f"unix://{quote(str(socket_path(settings.server_path)))}"
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    client: Redis = Redis.from_url(redisurl.without_user(url) if login else url, retry=retry, **options)
    return client


def _file_login(settings: Settings) -> FileLogin | None:
    """How to log in where the password is in a file."""
    url, file = settings.redis_url, settings.redis_password_file
    if not url or not file:
        return None
    named = sentinel.of(url) or cluster.of(url)
    return FileLogin(named.username if named else redisurl.username(url), file)


def impatient_store(settings: Settings) -> Store:
    """A store for a worker's main process, where everything else waits while Redis is slow; nothing is checked."""
    client = connect(settings, Retry(NoBackoff(), 0), socket_timeout=1, socket_connect_timeout=1)
    return Store(settings, Keys(0, settings.partitions), client, client)


def broker_url(settings: Settings) -> str:
    """The broker URL of the notifications, in kombu's spelling; without the password where that is in a file.

    Raises:
        BrokerMissing
    """
    if settings.broker_url is None and cluster.named(settings.redis_url):
        raise BrokerMissing
    url = settings.broker_url or settings.redis_url
    if url is None:
        return f"redis+socket://{quote(str(socket_path(settings.server_path)))}"
    in_file = bool(settings.redis_password_file and not settings.broker_url)
    if watched := sentinel.of(url):
        return (replace(watched, username=None) if in_file else watched).broker_url
    return redisurl.for_kombu(url, login=not in_file) if urlsplit(url).scheme in redisurl.SCHEMES else url


def broker_options(settings: Settings) -> dict[str, Any]:
    """What the transport of this broker needs beside its URL."""
    watched = sentinel.of(settings.broker_url or settings.redis_url)
    login = None if settings.broker_url else _file_login(settings)
    group = {"master_name": watched.name, "sentinel_kwargs": dict(_SOCKET)} if watched else {}
    return {**group, "credential_provider": login}
