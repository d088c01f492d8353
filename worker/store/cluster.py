"""A Redis Cluster behind the face of one Redis.

Every key of ours begins with the hash tag of its partition, so a command goes to the node that holds this slot now, on
a plain connection; what names several partitions is split, and what names none goes where the first partition is.
Which node that is, redis-py's RedisCluster knows. Its own commands and pipelines are not used: they have no connection
that can be held for an answer that comes later, refuse EVALSHA in pipelines (redis-py#2914) and MULTI over slots, and
ask all nodes again at each failure.

A node that is away fails for its own partitions. It is not asked again for a moment, so that the others go on at speed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import ConnectionPool, parse_url
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
    SlotNotCoveredError,
)
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as Unanswered
from redis.retry import Retry

from worker.config.cluster import Cluster
from worker.store.commandkeys import READS, as_bytes, by_tag, key_of, streams_at, streams_of, tag_of, unblocked
from worker.store.keys import Keys

T = TypeVar("T")
_MANY = ("MGET", "DEL", "UNLINK", "EXISTS")
"""Commands whose arguments are keys and nothing else."""
_REDIRECTIONS = 5
_PAUSE = 0.1
"""Seconds between two looks at streams of several partitions, which no one node could wait for."""
AWAY_SECONDS = 1.0
"""For how long a node that did not answer is not asked again."""
LOST = (Disconnected, Unanswered)
"""What a node that is away raises."""


class NodeLost(Disconnected):
    """A node does not answer; its cause says how."""

    def __init__(self, node: str) -> None:
        super().__init__(f"{node} does not answer")
        self.node = node


@dataclass(frozen=True, slots=True)
class _Away:
    until: float
    error: RedisError


class ClusterClient(Redis):
    """Commands on the keys of partitions, each sent to the node that holds it. Nothing is sent when it is made."""

    def __init__(self, address: Cluster, retry: Retry, **options: Any) -> None:
        """`options`: of the connections to each node."""
        super().__init__(connection_pool=cast(Any, ConnectionPool)())  # for the encoder alone: nothing connects by it
        self._address = address
        self._retry = retry
        self._options = options
        self._found: RedisCluster | None = None
        self._away: dict[str, _Away] = {}
        self._lock = threading.Lock()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As one Redis answers.

        Raises:
            redis.exceptions.RedisError
        """
        name = str(args[0]).upper()
        if name in _MANY and len(parts := by_tag(args[1:])) > 1:
            return self._each(args, parts)
        if name in READS and len(parts := by_tag(streams_of(args))) > 1:
            return self._read(args, list(parts.values()), options)
        return self._patiently(lambda: self._on(args, lambda node: cast(Any, node).execute_command(*args, **options)))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: ARG002
        """Commands of any partitions; never a transaction, which could not be one."""
        return _Pipeline(self)

    def set_retry(self, retry: Retry) -> None:
        """As redis-py's."""
        self._retry = retry

    def scan_iter(self, *args: Any, **options: Any) -> Iterator[Any]:
        """The keys of all nodes."""
        for node in self.nodes():
            yield from node.scan_iter(*args, **options)

    def close(self) -> None:
        """As redis-py's."""
        found, self._found = getattr(self, "_found", None), None
        if found:
            found.close()
        super().close()

    def nodes(self) -> list[Redis]:
        """The primaries, by name.

        Raises:
            redis.exceptions.RedisError
        """
        found = cast(Any, self._cluster)
        return [found.get_redis_connection(node) for node in sorted(found.get_primaries(), key=lambda one: one.name)]

    def name(self, node: Redis) -> str:
        """Host and port of a node."""
        about = cast(Any, node).connection_pool.connection_kwargs
        return f"{about['host']}:{about['port']}"

    def home(self, keys: Keys) -> str:
        """Host and port of the node that holds a partition."""
        return str(self._owner([keys.meta]).name)

    def node(self, args: Sequence[Any]) -> Redis:
        """Where a command goes now.

        Raises:
            redis.exceptions.RedisError: also where its node was away a moment ago.
        """
        owner = self._owner(args)
        away = self._away.get(owner.name)
        if away and time.monotonic() < away.until:
            raise NodeLost(owner.name) from away.error
        return self._cluster.get_redis_connection(owner)

    def lost(self, args: Sequence[Any], error: RedisError) -> None:
        """Its node did not answer: asks the others who holds the slot now, and where it is the same one, that again."""
        before = self._owner(args)
        self._look_again(before.name)
        if self._owner(args).name != before.name:
            return
        try:
            self._cluster.get_redis_connection(before).ping()
        except LOST:
            self._away[before.name] = _Away(time.monotonic() + AWAY_SECONDS, error)
        except RedisError:  # it answers
            return

    def moved(self, error: MovedError) -> None:
        """Another node says who holds the slot now."""
        self._cluster.nodes_manager.move_slot(error)

    @property
    def _cluster(self) -> RedisCluster:
        with self._lock:
            if self._found is None:
                self._found = _looked_up(self._address, self._options)
            return self._found

    def _owner(self, args: Sequence[Any]) -> ClusterNode:
        for _ in range(2):
            with contextlib.suppress(SlotNotCoveredError):
                return cast(ClusterNode, cast(Any, self._cluster).get_node_from_key(key_of(args)))
            self._look_again()
        raise ClusterDownError("Hash slot not served")

    def _look_again(self, failed: str | None = None) -> None:
        try:
            self._cluster.nodes_manager.initialize(disconnect_startup_nodes_pools=False, last_failed_node_name=failed)
        except (RedisClusterException, RedisError):  # what was known stays, until one of them answers
            return

    def _patiently(self, act: Callable[[], T]) -> T:
        return self._retry.call_with_retry(act, lambda _: None, self._worth_trying)

    def _worth_trying(self, error: Exception) -> bool:
        """Not again where the node was just found to be away: others wait behind this."""
        away = self._away.get(error.node) if isinstance(error, NodeLost) else None
        return away is None or time.monotonic() >= away.until

    def _on(self, args: Sequence[Any], act: Callable[[Redis], T]) -> T:
        """Does it at the node that holds the key, wherever that is by now. What a node sends on it has not done."""
        for _ in range(_REDIRECTIONS):
            node = self.node(args)
            try:
                return act(node)
            except MovedError as error:
                self.moved(error)
            except LOST as error:
                self.lost(args, error)
                raise NodeLost(self.name(node)) from error
            except ClusterDownError:
                self._look_again()
                raise
        raise AskError(f"{_REDIRECTIONS} nodes named another one")

    def _each(self, args: Sequence[Any], parts: dict[bytes, list[Any]]) -> Any:
        """A command on many keys, a partition at a time."""
        if str(args[0]).upper() != "MGET":
            return sum(int(self.execute_command(args[0], *keys)) for keys in parts.values())
        found: dict[bytes, Any] = {}
        for keys in parts.values():
            found |= zip(map(as_bytes, keys), self.execute_command("MGET", *keys), strict=True)
        return [found[as_bytes(key)] for key in args[1:]]

    def _read(self, args: Sequence[Any], parts: Sequence[Sequence[Any]], options: dict[str, Any]) -> list[Any]:
        """XREAD and XREADGROUP on streams of several partitions; BLOCK becomes looking again and again.

        A node that is away takes nothing from what the others have; it is raised where they have nothing.
        """
        at = streams_at(args)
        streams = streams_of(args)
        starts = dict(zip(map(as_bytes, streams), args[at + 1 + len(streams) :], strict=True))
        head, wait = unblocked(list(args[: at + 1]))
        deadline = None if wait == 0 else time.monotonic() + (wait or 0) / 1000
        while True:
            found, lost = list[Any](), list[RedisError]()
            for keys in parts:
                try:
                    found += (
                        self.execute_command(*head, *keys, *(starts[as_bytes(key)] for key in keys), **options) or []
                    )
                except LOST as error:
                    lost.append(error)
            if lost and not found:
                raise lost[0]
            if found or wait is None or (deadline is not None and time.monotonic() >= deadline):
                return found
            time.sleep(_PAUSE)


class _Pipeline(Pipeline):
    """Commands that go to their nodes together, each node's in order."""

    def __init__(self, client: ClusterClient) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, False, None)
        self._client = client

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As redis-py's: an answer for each command, in order."""
        stack = list(self.command_stack)
        answers: dict[int, Any] = {}
        self.reset()
        by_tag: dict[bytes, list[int]] = {}
        for number, (args, _) in enumerate(stack):
            by_tag.setdefault(tag_of(key_of(args)), []).append(number)
        for numbers in by_tag.values():
            answers |= zip(numbers, self._send([stack[number] for number in numbers]), strict=True)
        found = [answers[number] for number in range(len(stack))]
        if raise_on_error and (error := next((one for one in found if isinstance(one, Exception)), None)):
            raise error
        return found

    def _send(self, commands: Sequence[Any]) -> list[Any]:
        """Those of one partition; a node that is away answers each of them with why."""
        client = self._client
        try:
            found = client._patiently(lambda: client._on(commands[0][0], lambda node: _at_once(node, commands)))
        except LOST as error:
            return [error] * len(commands)
        return [
            _alone(client, command) if isinstance(answer, MovedError) else answer
            for command, answer in zip(commands, found, strict=True)
        ]


def _at_once(node: Redis, commands: Sequence[Any]) -> list[Any]:
    with node.pipeline(transaction=False) as pipeline:
        pipeline.command_stack = list(commands)
        return pipeline.execute(raise_on_error=False)


def _alone(client: ClusterClient, command: Any) -> Any:
    args, options = command
    try:
        return client.execute_command(*args, **options)
    except RedisError as error:
        return error


def home_of(redis: Redis, keys: Keys) -> str:
    """Which node holds a partition, as far as is known; empty: there is one server.

    Raises:
        redis.exceptions.RedisError
    """
    return redis.home(keys) if isinstance(redis, ClusterClient) else ""


def everywhere(redis: Redis) -> list[Redis]:
    """The servers: of a cluster its primaries, else the one.

    Raises:
        redis.exceptions.RedisError
    """
    return redis.nodes() if isinstance(redis, ClusterClient) else [redis]


def answering(redis: Redis) -> list[Redis]:
    """As `everywhere`, without the nodes of a cluster that are away.

    Raises:
        redis.exceptions.RedisError: also where none is left.
    """
    found, lost = [], RedisError("a cluster has nodes")
    for node in everywhere(redis):
        try:
            node.ping()
        except LOST as error:
            lost = error
        else:
            found.append(node)
    if not found:
        raise lost
    return found


def is_cluster(redis: Redis) -> bool:
    """Whether partitions may be on several servers."""
    return isinstance(redis, ClusterClient)


def _looked_up(address: Cluster, options: dict[str, Any]) -> RedisCluster:
    about = cast(Any, parse_url)(address.url())
    for name in ("host", "port", "connection_class"):
        about.pop(name, None)
    if address.tls:
        about["ssl"] = True
    login = {"username": address.username, "password": address.password}
    if "credential_provider" in options:
        login = {}
    nodes = [cast(Any, ClusterNode)(host, port) for host, port in address.nodes]
    # Slots that nobody serves are the trouble of their own partitions.
    make: Any = RedisCluster
    try:
        return cast(
            RedisCluster,
            make(
                startup_nodes=nodes, require_full_coverage=False, retry=Retry(ExponentialBackoff(0.5, 0.05), 3),
                **{**login, **options, **about},
            ),
        )  # fmt: skip
    except RedisClusterException as error:
        found = _under(error)
    raise found  # out of there, so that it keeps what lies under it


def _under(error: BaseException) -> RedisError:
    """What Redis itself said, or that it said nothing; redis-py's own error of clusters is none of its others."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, RedisError):
            return found
        found = found.__cause__ or found.__context__
    return Disconnected(str(error))
