"""The commit of a batch: one script, which publishes each decided claim and takes its entry off the inbox.

The worker decides optimistically: each item says what it read of its event key, of its patient's ledger and of its
case's front. If that no longer holds, the item answers `retry` and stays pending, and with it all of that patient; if
the entry was taken over by another worker meanwhile, it answers `not_mine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from worker.audit.log import Head
from worker.errors import CommitRefused
from worker.store.agreement import stale
from worker.store.cluster import home_of
from worker.store.keys import GROUP, Keys, split_name
from worker.store.outletspecs import OUTLETS, Outlet
from worker.store.pipelined import PipelinedCommand
from worker.store.scripts import call, named

Route = Outlet | Literal["repeated", "forwarded"]
"""An outlet, or why an entry goes to none."""
Status = Literal["done", "not_mine", "retry"]

ABSENT = ""
UNCHECKED = "*"


class Item(NamedTuple):
    """One decided claim, ready to commit."""

    entry: str
    """Its name: `<stream>:<id>`, or the id alone on the shared inbox."""
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
    front_key: str | None = None
    """Of the claim's case; None: the decision rests on no front."""
    front_expects: str = ABSENT
    """Value of the front that the decision rests on: as it was read, or as an earlier item of the batch writes it."""
    front_writes: str = ""
    """Value that the front gets; empty: it stays as it is."""
    front_ms: int = 0
    """For how long what is written is kept."""
    texts: Mapping[str, bytes] = MappingProxyType({})
    """What the payload gives by name; see `worker.pipeline.namedtexts`."""


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


class FrontWrite(NamedTuple):
    """Of an item: the front that it rests on, what becomes of it, and for how long. See `Item`."""

    key: str | None = None
    expects: str = ABSENT
    writes: str = ""
    ms: int = 0


class Committer:
    """Runs the script for one consumer. `redis` must not retry by itself: a lost reply would read as `not_mine`."""

    def __init__(self, redis: Redis, keys: Keys, consumer: str, *, memory_ms: int) -> None:
        self._redis = redis
        self._consumer = consumer
        self._memory_ms = memory_ms
        self._keys = keys
        self._script = redis.register_script(named("commit"))
        self.rings = ""
        """The keys in force under which it was judged: `worker.store.keyring.Rings.mark`."""
        self._outlets = [keys.outlet(name) for name in OUTLETS]

    @property
    def home(self) -> str:
        """Which node of a cluster a commit goes to."""
        return home_of(self._redis, self._keys)

    def commit(self, items: Sequence[Item], head: Head, meanwhile: Callable[[], None] = lambda: None) -> list[Status]:
        """Commits each item or leaves it pending, and stores the head of the audit chain.

        `meanwhile` is called while Redis is at it. Whatever it raises is raised here: whether it was committed is
        not known then.

        Raises:
            CommitRefused: a key has the wrong type; nothing was written.
            KeysTurned: other keys are in force by now; nothing was written.
            redis.exceptions.RedisError: no answer; whether it was committed is not known.
        """
        streams, memory, texts = dict[str, int](), dict[str, int](), dict[str, bytes]()
        arguments: list[str | bytes | int] = []
        for item in items:
            stream, entry = split_name(item.entry)
            event, ledger = _number(item.event_key, memory), _number(item.ledger_key, memory)
            front = _number(item.front_key, memory)
            texts.update(item.texts)
            arguments += (_number(stream, streams), entry, item.route, item.payload, event, item.expects, item.writes)
            arguments += (ledger, item.ledger_version, item.ledger_writes, item.ledger_until)
            arguments += (front, item.front_expects, item.front_writes, item.front_ms)
        keys = {
            "rings": self._keys.rings, "counters": self._keys.counters, "chains": self._keys.chains,
            "attempts": self._keys.attempts, "receipts": self._keys.receipts, "texts": self._keys.texts,
            "outlets": self._outlets, "streams": [*map(self._keys.stream, streams)], "memory": [*memory],
        }  # fmt: skip
        fixed = (GROUP, self._consumer, head.chain, head.seq, head.stored, self._memory_ms, self.rings, len(texts))
        said = [part for text in texts.items() for part in text]
        try:
            answer = self._run(call(keys, *fixed, *OUTLETS, *streams, *said, *arguments), meanwhile)
        except RedisConnectionError:
            raise
        except ResponseError as error:
            if turned := stale(error):
                raise turned from None
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
            return self._redis.execute_command("EVAL", self._script.script, *arguments)  # type: ignore[no-untyped-call]


def _number(key: str | None, known: dict[str, int]) -> int:
    """The number of a key in its list, from 1; 0: none."""
    return 0 if key is None else known.setdefault(key, len(known) + 1)
