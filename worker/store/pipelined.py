"""What is sent now and whose answer is read later, a command or a transaction: Redis is at it meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from redis import Redis
from redis.exceptions import MovedError, RedisError, ResponseError

from worker.store.cluster import LOST, ClusterClient, NodeLost

Command = Sequence[str | bytes | int]
"""Its name, in capitals, and its arguments."""


class PipelinedCommand:
    """On a connection of its own until it is answered or dropped; one of the two has to come. Where another node of a
    cluster holds its partition by now, it was not carried out, and counts as lost."""

    def __init__(self, redis: Redis, *command: str | bytes | int) -> None:
        """Raises: redis.exceptions.RedisError."""
        self._cluster = redis if isinstance(redis, ClusterClient) else None
        self._command = command
        self._redis = cast(Any, self._cluster.node(command) if self._cluster else redis)
        self._connection: Any = None
        try:
            self._connection = self._redis.connection_pool.get_connection()
            self._send()
        except LOST as error:
            self._lost(error)
            raise
        except BaseException:
            self.drop()
            raise

    def _send(self) -> None:
        self._connection.send_command(*self._command)

    def answer(self) -> Any:
        """Waits for it where need be.

        Raises:
            redis.exceptions.ResponseError: it was refused.
            redis.exceptions.RedisError: no answer; whether it was carried out is not known.
        """
        whole = False
        try:
            found = self._read()
            whole = True
            return found
        except MovedError as error:
            whole = True
            if self._cluster is None:
                raise
            # Not sent on: whoever has it now may have forgotten what this process did, and that is looked at first.
            self._cluster.moved(error)
            raise NodeLost(self._cluster.name(self._redis)) from error
        except ResponseError:
            whole = True
            raise
        except LOST as error:
            self._lost(error)
            raise
        finally:
            self._let_go(whole)

    def _read(self) -> Any:
        return self._redis.parse_response(self._connection, self._command[0])

    def drop(self) -> None:
        """Never reads the answer. It is still to come, and would be taken for that to the next command: so the
        connection goes too."""
        self._let_go(whole=False)

    def _lost(self, error: RedisError) -> None:
        self.drop()
        if self._cluster:
            self._cluster.lost(self._command, error)

    def _let_go(self, whole: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not whole:
            connection.disconnect()
        self._redis.connection_pool.release(connection)


class PipelinedTransaction(PipelinedCommand):
    """Several commands on one partition, all in one step of Redis; it answers a list, with the error in place of what
    was refused."""

    def __init__(self, redis: Redis, commands: Sequence[Command]) -> None:
        """Raises: redis.exceptions.RedisError."""
        self._commands = commands
        super().__init__(redis, *commands[0])

    def _send(self) -> None:
        packed = self._connection.pack_commands([("MULTI",), *self._commands, ("EXEC",)])
        self._connection.send_packed_command(packed)

    def _read(self) -> Any:
        refused: ResponseError | None = None
        for _ in range(len(self._commands) + 1):
            try:
                self._connection.read_response()
            except ResponseError as error:  # why EXEC will be refused, and the better sentence
                refused = refused or error
        try:
            return self._connection.read_response()
        except ResponseError as error:
            raise refused or error from None
