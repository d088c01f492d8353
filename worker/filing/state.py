"""What Redis holds of a file on its way: how far it is, what was decided, and which file had a claim first.

A file is known by the digest of its bytes: the same bytes are the same file, whatever their name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson
from redis import Redis

from worker.store.keys import Keys
from worker.store.scripts import script

State = Literal["", "open", "writing", "written"]
"""Empty: Redis knows nothing of it. open: it collects decisions; writing: they stand, and files may have names."""
Kept = Literal["kept", "known", "late", "unknown"]
_KEPT: Mapping[int, Kept] = {1: "kept", 0: "known", -1: "late", -2: "unknown"}
_DECISION = "decision:"
_LATER = "later:"
_WAITING = "waiting"
"""In place of a file's digest: those of which claims wait to leave later."""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Record:
    """Of one file."""

    redis: Redis
    keys: Keys
    token: str
    """Digest of its bytes."""
    memory_ms: int
    """For how long it is remembered."""

    @property
    def _key(self) -> str:
        return self.keys.exit(self.token)

    def state(self) -> State:
        """How far it is."""
        found = cast(bytes | None, self.redis.hget(self._key, "state"))
        return cast(State, (found or b"").decode())

    def begin(self, name: str) -> None:
        """Redis knows of it from now on."""
        with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(self._key, "name", name)
            pipeline.hsetnx(self._key, "state", "open")
            pipeline.pexpire(self._key, self.memory_ms)
            pipeline.execute()

    def name(self) -> str:
        """Under which name it came first."""
        found = cast(bytes | None, self.redis.hget(self._key, "name"))
        return (found or b"").decode("utf-8", "replace")

    def advance(self, before: State, after: State) -> bool:
        """Whether it is in the second state now, and was in the first."""
        answer = cast(bytes, self.redis.eval(script("advance"), 1, self._key, before, after, self.memory_ms))
        return answer.decode() == before

    def sent(self) -> bool:
        """Whether all of its claims are on the queue."""
        return bool(self.redis.hexists(self._key, "sent"))

    def all_sent(self) -> None:
        """They are."""
        self.redis.hset(self._key, "sent", 1)

    def decided(self) -> set[str]:
        """The events on which there is a decision."""
        found = cast(list[bytes], self.redis.hkeys(self._key))
        return {name.decode().removeprefix(_DECISION) for name in found if name.startswith(_DECISION.encode())}

    def decision(self, identity: str) -> Mapping[str, Any] | None:
        """What was decided on an event: `id` and `report`."""
        found = cast(bytes | None, self.redis.hget(self._key, _DECISION + identity))
        return None if found is None else orjson.loads(found)

    def keep(self, identity: str, decision: str, report: Any) -> Kept:
        """Keeps a decision, where it is the first and the file waits for it."""
        text = orjson.dumps({"id": decision, "report": report})
        answer = self.redis.eval(script("collect"), 1, self._key, _DECISION + identity, text)
        return _KEPT[int(cast(Any, answer))]

    def keep_later(self, identity: str, decision: str, report: Any, claim: Any) -> Kept:
        """Keeps that a held claim of it leaves after all: once, and by the first decision that says so.

        `claim`: as it was decided, by its JSON.
        """
        if not self.state():
            return "unknown"
        text = orjson.dumps({"id": decision, "report": report, "claim": claim})
        waiting = self.keys.exit(_WAITING)
        with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(self._key, _LATER + identity, text)
            pipeline.pexpire(self._key, self.memory_ms)
            pipeline.hset(waiting, self.token, 1)
            pipeline.pexpire(waiting, self.memory_ms)
            answers = pipeline.execute()
        return "kept" if answers[0] else "known"

    def later(self) -> dict[str, Mapping[str, Any]]:
        """What waits to leave later, by event: `id`, `report` and `claim`."""
        names = [name for name in cast(list[bytes], self.redis.hkeys(self._key)) if name.startswith(_LATER.encode())]
        found = ((name.decode(), cast(bytes | None, self.redis.hget(self._key, name.decode()))) for name in names)
        return {
            name.removeprefix(_LATER): orjson.loads(text) for name, text in found if text and not text.startswith(b"@")
        }

    def departed(self, number: int, identities: Iterable[str]) -> None:
        """Those left with the file of that number."""
        fields = [_LATER + identity for identity in identities]
        keys = (self._key, self.keys.exit(_WAITING))
        self.redis.eval(script("departed"), 2, *keys, _LATER, self.token, self.memory_ms, number, *fields)

    def forget_decisions(self) -> None:
        """It is written, and they are in its reports."""
        for identity in self.decided():
            self.redis.hdel(self._key, _DECISION + identity)


def own(redis: Redis, keys: Keys, identities: Iterable[str], token: str, memory_ms: int) -> dict[str, str]:
    """With which file each event came first: this one, where there was none before."""
    names = list(dict.fromkeys(identities))
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.set(keys.owner(name), token, px=memory_ms, nx=True)
            pipeline.get(keys.owner(name))
        answers = pipeline.execute()
    return {name: (found or b"").decode() for name, found in zip(names, answers[1::2], strict=True)}


def waiting(redis: Redis, keys: Keys) -> set[str]:
    """The files of which claims wait to leave later, by their digests."""
    return {name.decode() for name in cast(list[bytes], redis.hkeys(keys.exit(_WAITING)))}


def owner(redis: Redis, keys: Keys, identity: str) -> str:
    """The same, of an event that was sent; empty: it came with no file."""
    found = cast(bytes | None, redis.get(keys.owner(identity)))
    return (found or b"").decode()
