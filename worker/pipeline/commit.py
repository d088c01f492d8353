"""The commit of a batch: one script, which publishes each decided claim and takes its entry off the inbox.

The worker decides optimistically: each item says what it read of its event key and of its patient's ledger. If that
no longer holds, the item answers `retry` and stays pending, and with it all of that patient; if the entry was taken
over by another worker meanwhile, it answers `not_mine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from rules.report import Disposition
from worker.audit.log import Head
from worker.errors import CommitRefused
from worker.store.keys import GROUP, Keys
from worker.store.outletspecs import OUTLETS
from worker.store.pipelined import PipelinedCommand
from worker.store.scripts import script

Route = Disposition | Literal["repeated", "forwarded"]
"""An outlet, or why an entry goes to none."""
Status = Literal["done", "not_mine", "retry"]

ABSENT = ""
UNCHECKED = "*"


class Item(NamedTuple):
    """One decided claim, ready to commit."""

    entry: str
    """Inbox entry id."""
    route: Route
    payload: bytes
    """The outlet entry; empty for `repeated` and `forwarded`, which have none."""
    event_key: str | None = None
    expects: str = ABSENT
    """Value of the event key that the decision rests on; `ABSENT`, or `UNCHECKED` for a requeued event."""
    writes: str = ""
    """Value that the event key gets; empty: it stays as it is."""
    ledger_key: str | None = None
    """Of the claim's patient; None: the decision rests on no ledger."""
    ledger_version: str = ""
    """The version that the decision rests on: the one that was read, or that an earlier item of the batch writes."""
    ledger_writes: str = ""
    """The ledger once this item is committed; empty: it stays as it is."""
    ledger_until: int = 0
    """When what is written expires, in milliseconds since 1970."""


class EventWrite(NamedTuple):
    """Of an item: the event key that it rests on, what it is to hold, and what it gets. See `Item`."""

    key: str | None = None
    expects: str = ABSENT
    writes: str = ""


class LedgerWrite(NamedTuple):
    """Of an item: the ledger that it rests on, what becomes of it, and until when. See `Item`."""

    key: str | None = None
    version: str = ""
    writes: str = ""
    until: int = 0


class Committer:
    """Runs the script for one consumer. `redis` must not retry by itself: a lost reply would read as `not_mine`."""

    def __init__(self, redis: Redis, keys: Keys, consumer: str, *, memory_ms: int) -> None:
        self._redis = redis
        self._consumer = consumer
        self._memory_ms = memory_ms
        self._script = redis.register_script(script("commit"))
        self._fixed = [keys.inbox, keys.counters, keys.chains, keys.attempts, *map(keys.outlet, OUTLETS)]

    def commit(self, items: Sequence[Item], head: Head, meanwhile: Callable[[], None] = lambda: None) -> list[Status]:
        """Commits each item or leaves it pending, and stores the head of the audit chain.

        `meanwhile` is called while Redis is at it. Whatever it raises is raised here: whether it was committed is
        not known then.

        Raises:
            CommitRefused: a key has the wrong type; nothing was written.
            redis.exceptions.RedisError: no answer; whether it was committed is not known.
        """
        keys, positions = list(self._fixed), dict[str, int]()
        arguments: list[str | bytes | int] = [GROUP, self._consumer, head.chain, head.seq, head.mac, self._memory_ms]
        arguments += (len(OUTLETS), *OUTLETS)
        for item in items:
            event = _position(item.event_key, keys, positions)
            ledger = _position(item.ledger_key, keys, positions)
            arguments += (item.entry, item.route, item.payload, event, item.expects, item.writes)
            arguments += (ledger, item.ledger_version, item.ledger_writes, item.ledger_until)
        try:
            answer = self._run([len(keys), *keys, *arguments], meanwhile)
        except RedisConnectionError:
            raise
        except ResponseError as error:
            if str(error).startswith(("WRONGTYPE", "there is no outlet")):
                raise CommitRefused(count=len(items), reason=error) from None
            raise
        return [status.decode() for status in answer]

    def _run(self, arguments: Sequence[str | bytes | int], meanwhile: Callable[[], None]) -> Any:
        sent = PipelinedCommand(self._redis, "EVALSHA", self._script.sha, *arguments)
        try:
            meanwhile()
        except BaseException:
            sent.drop()
            raise
        try:
            return sent.answer()
        except NoScriptError:
            self._redis.script_load(self._script.script)
            return self._redis.execute_command("EVALSHA", self._script.sha, *arguments)  # type: ignore[no-untyped-call]


def _position(key: str | None, keys: list[str], positions: dict[str, int]) -> int:
    """The position of the key in KEYS, from 1; 0: none."""
    if key is None:
        return 0
    if key not in positions:
        keys.append(key)
        positions[key] = len(keys)
    return positions[key]
