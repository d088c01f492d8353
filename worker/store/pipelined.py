"""A command that is sent now and whose answer is read later: Redis is at it meanwhile."""

from __future__ import annotations

from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError


class PipelinedCommand:
    """On a connection of its own until it is answered or dropped; one of the two has to come."""

    def __init__(self, redis: Redis, name: str, *arguments: str | bytes | int) -> None:
        """Raises: redis.exceptions.RedisError."""
        self._redis = cast(Any, redis)
        self._name = name
        self._connection = self._redis.connection_pool.get_connection()
        try:
            self._connection.send_command(name, *arguments)
        except BaseException:
            self.drop()
            raise

    def answer(self) -> Any:
        """Waits for it where need be.

        Raises:
            redis.exceptions.ResponseError: it was refused.
            redis.exceptions.RedisError: no answer; whether it was carried out is not known.
        """
        whole = False
        try:
            found = self._redis.parse_response(self._connection, self._name)
            whole = True
            return found
        except ResponseError:
            whole = True
            raise
        finally:
            self._let_go(whole)

    def drop(self) -> None:
        """Never reads the answer. It is still to come, and would be taken for that to the next command: so the
        connection goes too."""
        self._let_go(whole=False)

    def _let_go(self, whole: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not whole:
            connection.disconnect()
        self._redis.connection_pool.release(connection)
