"""What all who use a Redis have agreed on: partitions, the layout of the keys, the secret, and which keys are in force.

The field `partitions` of `meta` says the first two: `4`, which is layout 1, or `4 by layout 2`; `4 to 8 by layout 2`
while the number changes, `4 to layout 2` while the layout does. Releases that know no layout read a number there and
nothing else, so that none of them starts on another layout than theirs.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from redis import Redis
from redis.exceptions import ResponseError

from worker.errors import (
    KeysTurned,
    LayoutTooNew,
    LayoutTooOld,
    PartitionMismatch,
    PartitionsFixed,
    PartitionsMoving,
    SecretMismatch,
)
from worker.logs.operational import log
from worker.store.connections import Store
from worker.store.keyring import Rings, load_rings
from worker.store.keys import Keys
from worker.store.layout import NEWEST, OLDEST
from worker.store.scripts import script
from worker.store.secret import fingerprint, load_secret

TURNED = "rings "
"""Before the fingerprint of the secret in `meta` once keys were rotated: releases up to 0.1.1, which know of no rings,
then refuse to start, and so do not guess."""
STALE = "STALEKEYS"
"""Begins the error of a script that was sent under other keys than those in force."""

_NOTE = re.compile(r"(\d+)(?: to (\d+))?(?: (by|to) layout (\d+))?")


class Standing(NamedTuple):
    """What a Redis holds, and what it is to hold: more where a change broke off."""

    partitions: int = 1
    wanted: int = 1
    """Of the partitions."""
    layout: int = OLDEST
    migrating: bool = False
    """To the layout after it."""

    def __str__(self) -> str:
        change = f" to {self.wanted}" if self.wanted != self.partitions else ""
        if self.migrating:
            return f"{self.partitions}{change} to layout {self.layout + 1}"
        return f"{self.partitions}{change}" + (f" by layout {self.layout}" if self.layout > 1 else "")


def standing(redis: Redis, untold: int = OLDEST) -> Standing:
    """How many partitions Redis holds, and in which layout; `untold`: of a Redis where nobody has said so yet.

    Raises:
        PartitionsFixed: nobody can say.
    """
    found = cast(bytes | None, redis.hget(Keys().meta, "partitions"))
    return _read(found.decode("utf-8", "replace")) if found else Standing(layout=untold)


def _read(text: str) -> Standing:
    note = _NOTE.fullmatch(text)
    if note is None:
        raise PartitionsFixed(reason=f"the field partitions of {Keys().meta} holds no number")
    layout = int(note[4] or 1) - (note[3] == "to")
    return Standing(int(note[1]), int(note[2] or note[1]), layout, note[3] == "to")


def write(redis: Redis, to: Standing) -> None:
    """Puts it down, for all who come.

    Raises:
        redis.exceptions.RedisError
    """
    redis.hset(Keys().meta, "partitions", str(to))


def readable(layout: int, oldest: int = OLDEST, newest: int = NEWEST) -> None:
    """Whether this release reads a layout.

    Raises:
        LayoutTooOld, LayoutTooNew
    """
    if layout < oldest:
        raise LayoutTooOld(found=layout, oldest=oldest, newest=newest)
    if layout > newest:
        raise LayoutTooNew(found=layout, oldest=oldest, newest=newest)


def agree_on_partitions(store: Store) -> None:
    """Holds this process to the number of partitions that all others use, and to a layout that it can read. A Redis
    that nobody has used yet begins with the newest layout.

    Raises:
        LayoutTooOld, LayoutTooNew, PartitionMismatch, PartitionsMoving, redis.exceptions.RedisError
    """
    ours = store.settings.partitions
    found = _read(_settle(store, "partitions", str(Standing(ours, ours, NEWEST))))
    readable(found.layout)
    if found.partitions != found.wanted:
        raise PartitionsMoving(found=found.partitions, wanted=found.wanted)
    if found.partitions != ours:
        raise PartitionMismatch(found=found.partitions, wanted=ours)
    _agreed_layout[store.settings.state_dir] = found


def _settle(store: Store, name: str, ours: str) -> str:
    """What all have agreed on; ours, where we are the first. Asks before it writes, which a full Redis refuses."""
    found = cast(bytes | None, store.redis.hget(store.keys.meta, name))
    if found is None:
        store.redis.hsetnx(store.keys.meta, name, ours)
        found = cast(bytes, store.redis.hget(store.keys.meta, name))
    return found.decode("utf-8", "replace")


def agreed_secret(store: Store) -> bytes:
    """The secret, which must be the same for all who judge claims of this Redis.

    Raises:
        SecretUnusable, SecretMismatch
    """
    secret = load_secret(store.settings.secret_path)
    mark = fingerprint(secret)
    if _settle(store, "fingerprint", mark).removeprefix(TURNED) != mark:
        raise SecretMismatch(file=store.settings.secret_path)
    _agreed[store.settings.secret_path] = _Agreed(mark)
    return secret


_agreed_layout: dict[Path, Standing] = {}
"""By state folder, what this process, or the one that forked it, has last found."""


def agreed_rings(store: Store) -> Rings:
    """Both rings of keys, as they are in force on this Redis; where it says nothing, as this machine's files say.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere, redis.exceptions.RedisError
    """
    path = store.settings.secret_path
    agreed_secret(store)
    mark = in_force(store.redis, store.keys)
    rings = load_rings(path, mark)
    if rings.mark and mark is None:
        with suppress(ResponseError):  # a person's account may not: workers put it back
            settle_rings(store, rings.mark)
    _agreed[path].rings = rings.mark
    return rings


def in_force(redis: Redis, keys: Keys) -> str | None:
    """Which keys are in force, as the first partition says; None: it says nothing."""
    found = cast(bytes | None, redis.get(keys.first.rings))
    return None if found is None else found.decode()


def settle_rings(store: Store, mark: str, before: str = "") -> None:
    """Puts these keys in force on every partition where those of before are, or none."""
    for part in store.keys.all:
        for expected in dict.fromkeys((before, "")):
            store.once.eval(script("turn"), 1, part.rings, expected, mark)


def stale(error: Exception) -> KeysTurned | None:
    """What a script says that was sent under other keys than those in force; None: it is something else."""
    return KeysTurned(key="other keys are in force") if str(error).startswith(STALE) else None


@dataclass(slots=True)
class RingsInForce:
    """The rings by which a process works on one partition."""

    redis: Redis
    """Never tries again by itself."""
    keys: Keys
    secret: Path
    rings: Rings

    def look(self) -> Rings:
        """Those in force now; asked before every batch.

        Raises:
            KeyNotHere, RingUnusable, SecretUnusable: and those of before are in force no more.
            redis.exceptions.RedisError
        """
        found = cast(bytes | None, self.redis.get(self.keys.rings))
        if found is None and self.rings.mark:  # somebody emptied Redis
            self.redis.eval(script("turn"), 1, self.keys.rings, "", self.rings.mark)
        elif found is not None and (mark := found.decode()) != self.rings.mark:
            self.rings = load_rings(self.secret, mark)
            audit, _, patient = mark.partition(" ")
            log(__name__).info(f"took up other keys: audit {audit}, patient {patient}")
        return self.rings


@dataclass(slots=True)
class _Agreed:
    """What this process, or the one that forked it, has agreed on."""

    fingerprint: str
    rings: str = ""


_agreed: dict[Path, _Agreed] = {}
"""By secret file."""


def agree_again(store: Store) -> None:
    """Puts back what all have agreed on, where somebody emptied Redis.

    Raises:
        SecretMismatch: a worker with another secret was quicker.
        redis.exceptions.RedisError
    """
    partitions = store.settings.partitions
    known = _agreed_layout.get(store.settings.state_dir, Standing(partitions, partitions))
    _agreed_layout[store.settings.state_dir] = _read(
        _settle(store, "partitions", str(Standing(partitions, partitions, known.layout)))
    )
    ours = _agreed.get(store.settings.secret_path)
    if ours is None:
        return
    ours.rings = in_force(store.redis, store.keys) or ours.rings
    mark = f"{TURNED}{ours.fingerprint}" if ours.rings else ours.fingerprint
    if _settle(store, "fingerprint", mark).removeprefix(TURNED) != ours.fingerprint:
        raise SecretMismatch(file=store.settings.secret_path)
    if ours.rings:
        settle_rings(store, ours.rings)
