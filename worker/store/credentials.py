"""Logging in with a password that is in a file: read for each new connection, so that it can be rotated under a worker
that runs. A connection that stands stays logged in, as Redis wants it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError

from worker.errors import PasswordUnusable
from worker.store.secret import read_password


@dataclass(frozen=True, slots=True)
class FileLogin(CredentialProvider):
    """A user, and the file with its password; redis-py and kombu ask for both whenever they connect."""

    username: str | None
    """None: the user `default`."""
    file: Path

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """User and password, or the password alone.

        Raises:
            redis.exceptions.AuthenticationError: the file cannot be read now, as its cause says. It is one of Redis'
                own, so that the connection is closed and tried again like any other that failed.
        """
        try:
            password = read_password(self.file)
        except PasswordUnusable as error:
            raise AuthenticationError(str(error)) from error
        return (self.username, password) if self.username else (password,)
