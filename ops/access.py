"""Who may do what in Redis: the table behind `ops/redis/users.acl`. `python -m ops.access` writes it.

A Redis user has a first set of rights and then selectors, each a set of commands on a set of keys; a command is let
through where one of them allows it with all its keys. Redis asks the same of every command within a script, so EVAL
on a key gives nobody more than the commands of the other selectors. Passwords are put in at start, as SHA-256, by
`ops/redis/start.sh`; the user `default` is off.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from worker.store.outletspecs import BY_HAND, CONSUMED, OUTLETS, listed

FILE = Path(__file__).parent / "redis" / "users.acl"
CLAIMS = "{claims:*}"
"""The hash tag of the keys of all partitions."""
CELERY = "scrub:"
"""Prefix of everything that Celery keeps: notifications, and no claim data."""
CONTROL = f"{CELERY}/0.celery.pidbox"
"""Celery's control channel in database 0. A pattern subscription wants it word for word."""
_HELLO = "@connection -@dangerous -client|tracking -client|caching -client|trackinginfo -client|getredir info"
"""What a client does before its first real command, by category: Redis 7.0 refuses the names of what came later. Not
CLIENT LIST and KILL, which are dangerous. Not CLIENT TRACKING and what belongs to it: with BCAST a server without
redis#15371 sends every connection the names of all keys that are written. INFO has numbers and no keys' content."""


@dataclass(frozen=True, slots=True)
class Right:
    """Commands on keys, `-` before what is taken out again. `%R~` before a key: only to read; `%W~`: only to write."""

    commands: str
    keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys = (key if key.startswith("%") else f"~{key}" for key in self.keys)
        commands = (word if word[0] == "-" else f"+{word}" for word in self.commands.split())
        return " ".join([*keys, *(f"&{channel}" for channel in self.channels), "-@all", *commands])


@dataclass(frozen=True, slots=True)
class User:
    """A user of Redis, and what for."""

    name: str
    about: str
    rights: tuple[Right, ...]

    def __str__(self) -> str:
        """As a line of an ACL file; `@name@` stands for the SHA-256 of the password."""
        first, *others = self.rights
        selectors = " ".join(f"({right})" for right in others)
        return (
            f"user {self.name} on sanitize-payload #@{self.name}@ resetkeys resetchannels {first} {selectors}".strip()
        )


def _claims(*names: str, mode: str = "") -> tuple[str, ...]:
    return tuple(f"{mode}~{CLAIMS}:{name}" if mode else f"{CLAIMS}:{name}" for name in names)


def _reader(outlet: str) -> User:
    reads = "xreadgroup xack xautoclaim xpending xinfo|groups xgroup|create exists"
    about = f"Takes entries of `{outlet}` with its group and acknowledges them. Sees no other stream."
    return User(
        outlet, about, (Right(_HELLO), Right(reads, _claims(outlet)), Right("hget", _claims("meta", mode="%R")))
    )


_STREAMS = "xadd xreadgroup xack xdel xclaim xpending xlen xrange xtrim"
_LOOKS = "xinfo|stream xinfo|groups xinfo|consumers"
USERS = (
    User(
        "worker",
        f"Judges claims: the only one who writes {listed(CONSUMED, 'and')}. No CONFIG, FLUSHALL, KEYS or ACL.",
        (
            Right(_HELLO + " time script|load script|exists multi exec discard unwatch"),
            Right(
                f"{_STREAMS} {_LOOKS} xgroup|create xgroup|delconsumer eval evalsha type exists "
                "get getdel set mget del pttl hget hset hsetnx hdel hincrby hgetall lpush ltrim lrange lindex",
                _claims("*"),
            ),
            Right(
                "lpush rpush brpop rpop llen sadd smembers srem zadd zrem zrange zrangebyscore pexpire "
                "hset hget hdel hlen set get del exists evalsha watch",
                (f"{CELERY}*",),
            ),
            Right(
                "publish subscribe unsubscribe psubscribe punsubscribe", channels=(CONTROL, f"{CELERY}/0.celeryev/*")
            ),
        ),
    ),
    User(
        "producer",
        "Puts claims on the inbox; reads none of them, nor any verdict. Notifies nobody: workers look once a second.",
        (
            Right(_HELLO),
            Right("xadd", _claims("inbox", mode="%W")),
            Right("hget", _claims("meta", mode="%R")),
            Right("exists set pttl del eval evalsha", _claims("full")),
            # Whether an event was sent before: by its identity, which only its sender knows.
            Right("mget", _claims("event:*", mode="%R")),
        ),
    ),
    *map(_reader, CONSUMED),
    User(
        "operator",
        "A person who runs it: sees everything, takes entries out of quarantine (back onto the inbox, or away), "
        "enters billing history, puts rule books in force, retires audit chains. Writes no other outlet.",
        (
            Right(_HELLO + " time scan script|load script|exists multi exec discard"),
            Right(
                f"xrange xrevrange xread xlen xpending {_LOOKS} type exists get mget hget hgetall hkeys lrange "
                "lindex pttl",
                _claims("*", mode="%R"),
            ),
            Right("eval evalsha", _claims("*")),
            Right("xadd", _claims("inbox", mode="%W")),
            Right("xdel", _claims(*BY_HAND)),
            Right("hincrby", _claims("counters")),
            Right("hset hdel", _claims("chains")),
            Right("set", _claims("ledger:*", "full")),
            Right("del", _claims("full")),
            Right("hset hdel lpush lpop ltrim", _claims("book", "books", "switches")),
            Right("hsetnx", _claims("meta")),
        ),
    ),
    User(
        "monitor",
        "For probes and autoscaling: lengths and lags. Sees no entry (XINFO STREAM would show two, so it is left out).",
        (Right(_HELLO), Right("xlen xpending xinfo|groups", _claims("inbox", *OUTLETS, mode="%R"))),
    ),
)
ADMIN = "user admin on sanitize-payload #@admin@ ~* &* +@all"
"""For emergencies and for settings: everything. Nothing that runs by itself has its password."""
DEFAULT = "user default off resetpass ~* &* +@all"
"""Nobody: it is off and has no password. Its rights are those of the append-only file's own reader. Without them a
restart drops everything that a script wrote, and says so in the log alone (redis/redis#14541, valkey-io/valkey#3983).
"""


def text() -> str:
    """The ACL file, which Redis wants without comments."""
    return "\n".join([DEFAULT, *map(str, USERS), ADMIN]) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if FILE.read_text("utf-8") == text() else "ops/redis/users.acl is stale; run: make access")
    FILE.write_text(text(), "utf-8")
