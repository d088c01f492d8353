"""All wiring: the one place that opens Redis, checks the server, and puts the pieces together.

The command line, the tasks and the tests get what they need from here.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import quote, urlsplit

import orjson
from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from rules.book.book import Book
from rules.errors import first_problem
from worker.audit import chains
from worker.audit.chains import Archivist
from worker.audit.log import Audit, service_version
from worker.books.librarian import Librarian
from worker.books.offers import Own, Watch, offer, read_own
from worker.books.overrides import Layer
from worker.books.standin import UNUSABLE, StandIn, stand_in
from worker.books.switch import Choice, overrides_in_force
from worker.config import redisurl, sentinel
from worker.config.settings import Settings, load_settings
from worker.errors import (
    PartitionMismatch,
    PartitionsMoving,
    SecretMismatch,
)
from worker.logs import outputs
from worker.monitoring.pressure import put
from worker.pipeline.batch import Bench, Interrupts
from worker.pipeline.commit import Committer, Head, script
from worker.pipeline.consumer import Drain
from worker.pipeline.history import Recorder
from worker.pipeline.inbox import Inbox
from worker.pipeline.notification import Bell
from worker.pipeline.quarantine import Clerk
from worker.pipeline.repartition import standing
from worker.pipeline.routing import Crossing
from worker.store import reachability
from worker.store.credentials import FileLogin
from worker.store.embedded import Lease, socket_path
from worker.store.fitness import check_server
from worker.store.keys import Keys
from worker.store.private import close_state
from worker.store.reachability import ANSWER_SECONDS, CONNECT_SECONDS
from worker.store.secret import fingerprint, load_secret, read_password

_SOCKET: dict[str, Any] = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}

_PATIENCE = (ExponentialBackoff(cap=1, base=0.05), 3)

where = reachability.where


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
    """Of the embedded server, where this store holds it up."""

    def close(self) -> None:
        self.redis.close()
        self.once.close()
        if self.lease:
            self.lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(settings: Settings | None = None, *, hold: bool = True, check: bool = True) -> Store:
    """Opens Redis and checks that it is fit; the embedded server is started where none is configured.

    `hold`: whether the embedded server is to stay up for this store; a pool process needs not, as its parent holds it.
    `check`: for all but the doctor.

    Raises:
        SettingsInvalid, RedisUnusable (one of `worker.store.rediserrors`), RedisTooOld, RedisMayEvict, RedisForgets,
        PartitionMismatch, PartitionsMoving, PasswordUnusable, FolderUnusable, ServerMissing, ServerFailed: each a
        sentence with what to do.
    """
    settings = settings or load_settings()
    if check:
        close_state(settings.state_dir)
    lease = Lease(settings.server_path) if settings.embedded and hold else None
    # One that gives no answer at all is asked once: redis-py would try sixteen times what takes 5 seconds.
    redis = connect(settings, Retry(*_PATIENCE, supported_errors=(Disconnected,)))
    store = Store(settings, Keys(0, settings.partitions), redis, connect(settings, Retry(NoBackoff(), 0)), lease)
    if not check:
        return store
    try:
        if settings.redis_password_file:
            read_password(settings.redis_password_file)  # told at once, whether Redis is there or not
        check_server(store.redis, reachability.claims(settings))
        _agree_on_partitions(store)
    except (RedisError, OSError) as error:
        store.close()
        raise reachability.trouble(error, reachability.claims(settings)) from None
    except BaseException:
        store.close()
        raise
    redis.set_retry(Retry(*_PATIENCE))
    return store


def connect(settings: Settings, retry: Retry, **options: Any) -> Redis:
    """A client of the Redis of the claims; nothing is sent yet, and no password read."""
    options = {**_SOCKET, "retry": retry, "health_check_interval": 10, **options}
    login = _file_login(settings)
    if login:
        options["credential_provider"] = login
    if watched := sentinel.of(settings.redis_url):
        named = {} if login else {"username": watched.username, "password": watched.password}
        options = {"socket_keepalive": True, "db": watched.db, **named, **options}
        found: Any = Sentinel(watched.nodes, sentinel_kwargs=_SOCKET)  # type: ignore[no-untyped-call]
        return cast(Redis, found.master_for(watched.name, **options))
    url = settings.redis_url or f"unix://{quote(str(socket_path(settings.server_path)))}"
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    client: Redis = Redis.from_url(redisurl.without_user(url) if login else url, **options)
    return client


def _file_login(settings: Settings) -> FileLogin | None:
    """How to log in where the password is in a file."""
    url, file = settings.redis_url, settings.redis_password_file
    if not url or not file:
        return None
    watched = sentinel.of(url)
    return FileLogin(watched.username if watched else redisurl.username(url), file)


def impatient_store(settings: Settings) -> Store:
    """A store for a worker's main process, where everything else waits while Redis is slow; nothing is checked."""
    client = connect(settings, Retry(NoBackoff(), 0), socket_timeout=1, socket_connect_timeout=1)
    return Store(settings, Keys(0, settings.partitions), client, client)


_LIFE = secrets.token_hex(4)
"""Of this process and those that it forks. Two containers may have one host name, and their workers one process id."""


def worker_name(pid: int | None = None) -> str:
    """`<host>-<pid>-<life>` of this process, or of one of its pool: what its consumers' names begin with."""
    return f"{socket.gethostname()}-{pid or os.getpid()}-{_LIFE}"


def beat(store: Store, processes: Sequence[int], started: float) -> None:
    """Says that this worker is alive, with these pool processes, since then (seconds since 1970).

    Raises:
        what `book_of_today` raises, redis.exceptions.RedisError
    """
    found = book_of_today(store.settings)
    settings, keys = store.settings, store.keys
    mine = own(settings)
    trouble, left_out = outputs.trouble(processes)
    says = {
        "host": socket.gethostname(), "pid": os.getpid(), "life": _LIFE, "processes": list(processes),
        "started": started, "version": service_version(), "book_version": found.version, "book_digest": found.digest,
        "outputs": trouble, "left_out": left_out,
        "own_digest": mine.book.digest, "library": mine.library, "tables": mine.tables, "secret": _mark(settings),
        "own_fault": mine.fault,
        **watch(settings).look(overrides_in_force(store.once, keys)),
    }  # fmt: skip
    store.once.eval(script("beat"), 1, keys.workers, worker_name(), orjson.dumps(says).decode())
    with suppress(ResponseError, OSError):  # Redis is full, or the state folder was emptied: the next beat tries again
        offer(store.once, keys, mine, layer(settings), settings.books_path)


def farewell(store: Store) -> None:
    """This worker is no more.

    Raises:
        redis.exceptions.RedisError
    """
    store.once.hdel(store.keys.workers, worker_name())


def note_end(store: Store, pid: int, end: str) -> None:
    """Keeps how a pool process of this worker came to its end, for whoever takes over what it had in hand.

    Raises:
        redis.exceptions.RedisError
    """
    put(store.once, store.keys.end(worker_name(pid)), end, int(store.settings.reclaim * 10_000))


def broker_url(settings: Settings) -> str:
    """Where the Celery bells go, in kombu's spelling; without the password where that is in a file."""
    url = settings.broker_url or settings.redis_url
    if url is None:
        return f"redis+socket://{quote(str(socket_path(settings.server_path)))}"
    in_file = bool(settings.redis_password_file and not settings.broker_url)
    if watched := sentinel.of(url):
        return (replace(watched, username=None) if in_file else watched).broker_url
    return redisurl.for_kombu(url, login=not in_file) if urlsplit(url).scheme in redisurl.SCHEMES else url


def broker_options(settings: Settings) -> dict[str, Any]:
    """What the transport of this broker wants to be told beside its URL."""
    watched = sentinel.of(settings.broker_url or settings.redis_url)
    login = None if settings.broker_url else _file_login(settings)
    group = {"master_name": watched.name, "sentinel_kwargs": dict(_SOCKET)} if watched else {}
    return {**group, "credential_provider": login}


def _agree_on_partitions(store: Store) -> None:
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


@cache
def own(settings: Settings) -> Own:
    """The book by which workers with these settings judge until somebody puts another in force, read once a process.

    Raises:
        FolderUnusable, and what `read_own` raises
    """
    found = _in_place.get(settings)
    return found.own if found else read_own(settings)


_in_place: dict[Settings, StandIn] = {}
"""What stands for book and overrides that this process, or the one that forked it, could not use."""


def take_own(store: Store) -> str:
    """Reads a worker's own book and overrides; where they cannot be used, takes what is in force for them.

    Answers why they cannot be used, in a line; empty: they can.

    Raises:
        what `book_of_today` raises, where nothing that can be used is in force; redis.exceptions.RedisError
    """
    settings = store.settings
    try:
        book_of_today(settings)
    except UNUSABLE as error:
        fault = first_problem(error)
        found = stand_in(store.redis, store.keys, settings, fault)
        if found is None:
            raise
        forget_own()
        _in_place[settings] = found
        return fault
    return ""


def forget_own() -> None:
    """Has book and overrides read anew by who asks next."""
    _in_place.clear()
    for read in (own, layer, watch):
        read.cache_clear()


def own_book(settings: Settings) -> Book:
    """The same, without where it is from. Raises what `own` raises."""
    return own(settings).book


@cache
def watch(settings: Settings) -> Watch:
    """Looks after the overrides file, for the main process of a worker.

    Raises:
        OverridesInvalid, and what `own` raises
    """
    return Watch(layer(settings), own_book(settings))


@cache
def _mark(settings: Settings) -> str:
    """Fingerprint of the secret that this process started with."""
    return fingerprint(load_secret(settings.secret_path))


@cache
def layer(settings: Settings) -> Layer:
    """The hospital's overrides, read once a process, as the book is: all claims of a day are judged by the same ones.

    Raises:
        OverridesInvalid
    """
    found = _in_place.get(settings)
    return found.layer if found else Layer(settings.overrides, settings.books_path)


def book_of_today(settings: Settings) -> Book:
    """The workers' own book with the overrides as they stand today.

    Raises:
        OverridesInvalid, and what `own_book` raises
    """
    return layer(settings).over(own_book(settings))


def bell(store: Store) -> Bell:
    """The doorbell of this store's workers."""
    broker = broker_url(store.settings)

    def send() -> None:
        # Imported at the first ring: who only reads an outlet or the books needs no Celery.
        from worker.tasks import knock

        knock(broker, broker_options(store.settings))

    return Bell(store.redis, store.keys, gate_ms=int(store.settings.gate * 1000), send=send)


def drain(
    store: Store, door: Bell, *, stopping: Callable[[], bool] = lambda: False, interrupts: Interrupts = ()
) -> Drain:
    """A consumer of all inboxes, with its own name and audit file. Make it in the process that uses it.

    Raises:
        SecretUnusable, SecretMismatch, and what `own_book` raises
    """
    settings = store.settings
    secret, rules = agreed_secret(store), book_of_today(settings)
    consumer = f"{worker_name()}-{secrets.token_hex(4)}"
    audit = Audit(settings.audit_path, secret, stdout=settings.audit_stdout, fsync=settings.audit_fsync)
    memory_ms = settings.event_memory * 86_400_000
    choice = Choice(
        store.redis, store.keys, consumer, own_book(settings), settings.books_path, layer(settings), settings.book_key
    )
    drains = []
    for keys in store.keys.all:
        inbox = Inbox(store.redis, keys, consumer)
        inbox.ensure()
        drains.append(
            Drain(
                settings=settings,
                bench=Bench(rules, keys, secret, settings.max_event_bytes, interrupts, settings.history_months),
                inbox=inbox,
                committer=Committer(store.once, keys, consumer, memory_ms=memory_ms),
                crossing=Crossing(store.redis, keys, memory_ms),
                audit=audit,
                bell=door,
                book=choice.book,
                stopping=stopping,
            )
        )
    drains[0].others = drains[1:]
    return drains[0]


def recorder(store: Store) -> Recorder:
    """Who writes into ledgers for a person, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, and what `own_book` raises
    """
    settings, secret = store.settings, agreed_secret(store)
    audit = Audit(settings.audit_path, secret, stdout=False, fsync=settings.audit_fsync)
    procedure = own_book(settings).procedure
    return Recorder(store.redis, store.keys, secret, audit, procedure, settings.history_months)


def clerk(store: Store) -> Clerk:
    """Who takes entries out of quarantine, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings = store.settings
    audit = Audit(settings.audit_path, agreed_secret(store), stdout=False, fsync=settings.audit_fsync)
    return Clerk(store.once, store.keys, audit)


def archivist(store: Store) -> Archivist:
    """Who retires audit chains, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings, secret = store.settings, agreed_secret(store)
    audit = Audit(settings.audit_path, secret, stdout=False, fsync=settings.audit_fsync)
    return Archivist(store.once, store.keys, audit, secret, settings.audit_path)


def librarian(store: Store) -> Librarian:
    """Who puts books in force, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings = store.settings
    audit = Audit(settings.audit_path, agreed_secret(store), stdout=False, fsync=settings.audit_fsync)
    return Librarian(store.once, store.keys, audit, lambda: own(settings), lambda: layer(settings), settings.books_path)


def chain_head(store: Store, chain: str) -> Head | None:
    """Where Redis says that an audit chain stood at its last commit; None: it has no commit."""
    return chains.known(store.redis, store.keys).get(chain)
