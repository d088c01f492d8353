"""Who may do what in Redis: the table behind `ops/redis/users.acl`. `python -m ops.access` writes it.

Rights are those of `worker.store.rights`, which also has the users of registered producers. Keys are families of
`worker.store.layout`. Passwords are put in at start, as SHA-256, by `ops/redis/start.sh`; the user `default` is off.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from worker.store.layout import FAMILIES
from worker.store.outletspecs import BY_HAND, CONSUMED, FILES, OUTLETS, listed
from worker.store.rights import HELLO, Right, line, producer_rights

FILE = Path(__file__).parent / "redis" / "users.acl"
CLAIMS = "{claims:*}"
"""The hash tag of the keys of all partitions."""
CELERY = "scrub:"
"""Prefix of everything that Celery keeps: notifications, and no claim data."""
CONTROL = f"{CELERY}/0.celery.pidbox"
"""Celery's control channel in database 0. A pattern subscription wants it word for word."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of Redis, and what for."""

    name: str
    about: str
    rights: tuple[Right, ...]

    def __str__(self) -> str:
        """As a line of an ACL file; `@name@` stands for the SHA-256 of the password."""
        return line(self.name, f"@{self.name}@", self.rights)


def _claims(*names: str, mode: str = "") -> tuple[str, ...]:
    """The keys of these families on every partition."""
    unknown = {*names} - {"*", *FAMILIES}
    assert not unknown, f"{unknown} are no families of worker.store.layout"
    return tuple(f"{mode}~{CLAIMS}:{name}" if mode else f"{CLAIMS}:{name}" for name in names)


def _reader(outlet: str) -> User:
    if outlet == FILES:
        return _filer()
    reads = "xreadgroup xack xautoclaim xpending xinfo|groups xgroup|create exists"
    about = f"Takes entries of `{outlet}` with its group and acknowledges them. Sees no other stream."
    asks = (Right("hget", _claims("meta", mode="%R")), Right("hget hmget", _claims("texts", mode="%R")))
    return User(outlet, about, (Right(HELLO), Right(reads, _claims(outlet)), *asks))


def _filer() -> User:
    """It has the secret as a worker has, and says in ledgers and event memory what left by file."""
    about = (
        "`scrub submit --out`: puts claims of sources that leave by file on their streams, takes what is decided off "
        "`files`, and says of what left without a verdict that it did. Sees no outlet of the hospital's."
    )
    return User(
        FILES,
        about,
        (
            Right(HELLO + " time script|load script|exists multi exec discard unwatch"),
            Right("xreadgroup xack xautoclaim xpending xinfo|groups xgroup|create exists", _claims(FILES)),
            Right("xadd", _claims("in:*", mode="%W")),
            Right("xlen", _claims("in:*", "inner", mode="%R")),
            Right("xrange", _claims("quarantine", mode="%R")),
            Right(
                "hget hgetall get exists",
                _claims("meta", "producers", "workers", "rings", mode="%R"),
            ),
            Right("eval evalsha", _claims("exit:*", "event:*", "ledger:*", "front:*", "rings", "chains")),
            Right("hget hset hsetnx hdel hkeys hexists pexpire type", _claims("exit:*")),
            Right("set get mget del pttl exists", _claims("owner:*", "event:*", "ledger:*")),
            Right("set get", _claims("front:*")),
            Right("hset hget", _claims("chains")),
            Right("hget hmget", _claims("texts", mode="%R")),
        ),
    )


_STREAMS = "xadd xreadgroup xack xdel xclaim xpending xlen xrange xtrim"
_LOOKS = "xinfo|stream xinfo|groups xinfo|consumers"
USERS = (
    User(
        "worker",
        f"Judges claims: the only one who writes {listed(CONSUMED, 'and')}. No CONFIG, FLUSHALL, KEYS or ACL.",
        (
            Right(HELLO + " time script|load script|exists multi exec discard unwatch"),
            Right(
                f"{_STREAMS} {_LOOKS} xgroup|create xgroup|delconsumer eval evalsha type exists "
                "get getdel set mget del pttl memory|usage hget hmget hexists hset hsetnx hdel hincrby hgetall "
                "lpush ltrim lrange lindex",
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
        "Those who share the inbox, and trust one another: puts claims there. Reads none of them, nor any verdict, and "
        "runs no script. Notifies nobody: workers look once a second. A sender of its own: `scrub producer add`.",
        producer_rights([f"{CLAIMS}:inbox"], f"{CLAIMS}:meta"),
    ),
    *map(_reader, CONSUMED),
    User(
        "operator",
        "A person who runs it: sees everything, takes entries out of quarantine (back onto the inbox, or away), "
        "enters billing history, puts rule books in force, retires audit chains. Writes no other outlet.",
        (
            Right(HELLO + " time scan script|load script|exists multi exec discard"),
            Right(
                f"xrange xrevrange xread xlen xpending {_LOOKS} type exists get mget hget hmget hgetall hkeys "
                "lrange lindex pttl",
                _claims("*", mode="%R"),
            ),
            Right("eval evalsha", _claims("*")),
            Right("xadd", _claims("inbox", "inner", mode="%W")),
            Right("xdel", _claims(*BY_HAND)),
            Right("hincrby", _claims("counters")),
            Right("hset hdel", _claims("chains")),
            Right("set del", _claims("ledger:*")),
            Right("set", _claims("front:*")),
            Right("hset hdel lpush lpop ltrim", _claims("book", "books", "switches")),
            Right("hsetnx", _claims("meta")),
        ),
    ),
    User(
        "serve",
        "The HTTP service: puts claims on producers' streams and the inbox, waivers on the inner stream; reads what "
        "was decided and how the queue stands; takes entries out of quarantine for a person; keeps the heads of its "
        "audit chain. Writes no other outlet, puts no book in force, notifies nobody.",
        (
            Right(HELLO + " time script|load script|exists multi exec discard"),
            Right(
                f"xrange xrevrange xlen xpending {_LOOKS} type exists get mget pttl "
                "hget hmget hgetall hkeys lrange lindex",
                _claims("*", mode="%R"),
            ),
            Right("eval evalsha", _claims("*")),
            Right("xadd", _claims("inbox", "in:*", "inner", mode="%W")),
            Right("xdel", _claims("quarantine")),
            Right("hincrby", _claims("counters")),
            Right("hset", _claims("chains")),
            Right("hsetnx", _claims("meta")),
        ),
    ),
    User(
        "monitor",
        "For probes and autoscaling: lengths and lags. Sees no entry (XINFO STREAM would show two, so it is left out).",
        (Right(HELLO), Right("xlen xpending xinfo|groups", _claims("inbox", "inner", "in:*", *OUTLETS, mode="%R"))),
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
