"""The address of a Redis behind Sentinel: redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],.../NAME[/DB].

User and password are those of Redis; NAME is the group that the sentinels watch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from worker.config import redisurl

SCHEME = "redis+sentinel"
_PORT = 26379


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The sentinels, which know which server is the primary, and how to log in there."""

    nodes: tuple[tuple[str, int], ...]
    name: str
    db: int = 0
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Reads the address.

        Raises:
            ValueError: it is not one.
        """
        # Newer Pythons refuse a list of hosts with brackets in it (python/cpython#105704); one at a time they may be.
        parts = urlsplit(url.replace("[", "%5B").replace("]", "%5D"))
        login, _, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        name, _, db = parts.path.removeprefix("/").partition("/")
        if parts.scheme != SCHEME or not name or parts.query:
            raise ValueError(SCHEME)
        return cls(
            redisurl.nodes(hosts.replace("%5B", "[").replace("%5D", "]"), _PORT), unquote(name), int(db or 0),
            unquote(user) or None, unquote(password) or None,
        )  # fmt: skip

    @property
    def broker_url(self) -> str:
        """The same in kombu's spelling, which names the group elsewhere: `master_name` in the transport options."""
        user, password = quote(self.username or "", safe=""), quote(self.password or "", safe="")
        login = f"{user}:{password}@" if self.password else ""
        return ";".join(f"sentinel://{login}{redisurl.bracketed(host)}:{port}/{self.db}" for host, port in self.nodes)

    def __str__(self) -> str:
        return f"{self.name} of {', '.join(f'{redisurl.bracketed(host)}:{port}' for host, port in self.nodes)}"


def of(url: str | None) -> Sentinels | None:
    """The sentinels, where the URL names some."""
    return Sentinels.parse(url) if url and url.startswith(f"{SCHEME}:") else None
