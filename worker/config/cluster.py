"""The address of a Redis Cluster: redis+cluster://[USER[:PASSWORD]@]HOST[:PORT],HOST[:PORT],...[?OPTIONS], or
rediss+cluster:// where its nodes speak TLS.

Any of the nodes will do, as each names the others; several are for the day on which one is away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from worker.config import redisurl

SCHEMES = ("redis+cluster", "rediss+cluster")
SHAPE = (
    "expected redis+cluster://host:6379,host:6379 (rediss+cluster:// for TLS), and no database, as clusters have one"
)
_PORT = 6379


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes of a cluster that are asked for the others, and how to log in at all of them."""

    nodes: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str | None = None
    password: str | None = None
    query: str = ""
    """Options as in the URL of one Redis."""

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
        if parts.scheme not in SCHEMES or parts.path.strip("/") not in ("", "0") or parts.fragment:
            raise ValueError(SHAPE)
        nodes = redisurl.nodes(hosts.replace("%5B", "[").replace("%5D", "]"), _PORT)
        return cls(
            nodes, parts.scheme == SCHEMES[1], unquote(user) or None, unquote(password) or None,
            parts.query.replace("%5B", "[").replace("%5D", "]"),
        )  # fmt: skip

    def url(self, number: int = 0) -> str:
        """Of one node in the spelling for one Redis, without a login."""
        host, port = self.nodes[number]
        query = f"?{self.query}" if self.query else ""
        return f"redis{'s' * self.tls}://{redisurl.bracketed(host)}:{port}{query}"

    def __str__(self) -> str:
        return f"cluster of {', '.join(f'{redisurl.bracketed(host)}:{port}' for host, port in self.nodes)}"


def named(url: str | None) -> bool:
    """Whether the URL says that it is of a cluster."""
    return bool(url) and str(url).partition(":")[0] in SCHEMES


def of(url: str | None) -> Cluster | None:
    """The cluster, where the URL names one."""
    return Cluster.parse(url) if url and named(url) else None


def problem(url: str) -> str | None:
    """What is wrong with it, a sentence that shows no value of it; None: nothing."""
    try:
        found = Cluster.parse(url)
    except ValueError:
        return SHAPE
    if "db=" in found.query:
        return f"option db of the query: {SHAPE}"
    if "username=" in found.query or "password=" in found.query:
        return "expected user and password before the @, not in the query"
    return redisurl.problem(found.url())
