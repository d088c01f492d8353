"""Another number of partitions: ledgers and event memory move to where the new number has their patients and events.

Only upwards: outlets, quarantine and counters stay where they are, and every partition stays served. It is done while
nothing is on the queue and no worker runs. What breaks off half way leaves a note in Redis that keeps everybody out,
and is finished by doing it again: each step may be done twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, cast

from redis import Redis

from worker.errors import PartitionsFixed
from worker.monitoring.reconciliation import reconcile
from worker.store.agreement import readable, standing, write
from worker.store.keys import REGISTERED, Keys
from worker.store.layout import NEWEST

Kind = Literal["ledger", "event"]
_KEY = re.compile(r"\{claims:(\d+)\}:(ledger|event):([0-9a-f]+)")
_PAGE = 500


def repartition(redis: Redis, count: int, on_progress: Callable[[int], None] = lambda _: None) -> Counter[Kind]:
    """Makes it `count` partitions; answers what moved. `on_progress` gets the number of keys looked at so far.

    Raises:
        PartitionsFixed: the number cannot change, or not now; nothing moved.
        redis.exceptions.NoPermissionError: this user may not do that; nothing moved.
        redis.exceptions.RedisError: it broke off; do it again.
    """
    before = standing(redis, NEWEST)
    readable(before.layout)
    now, wanted = before.partitions, before.wanted
    if before.migrating:
        raise PartitionsFixed(reason="a change of the layout broke off, and comes first: `scrub migrate`")
    if wanted not in (now, count):
        raise PartitionsFixed(reason=f"a change to {wanted} broke off, and comes first")
    if count < now:
        raise PartitionsFixed(reason=f"there are {now}, and they can only become more")
    if count == wanted == now:
        return Counter()
    rings = cast(bytes | None, redis.get(Keys().rings))
    if rings and count & (count - 1):
        raise PartitionsFixed(reason="keys were rotated, so the number has to be a power of two")
    _assert_idle(redis, Keys(0, now))
    _try_rights(redis)
    write(redis, before._replace(wanted=count))
    try:
        _assert_idle(redis, Keys(0, now))  # a worker may have started until this moment, and no later
    except PartitionsFixed:
        write(redis, before)
        raise
    moved: Counter[Kind] = Counter()
    seen = 0
    names = (key.decode() for key in redis.scan_iter(match="{claims:*}:*:*", count=_PAGE))
    while page := list(islice(names, _PAGE)):
        seen += len(page)
        moved += _move(redis, list(_misplaced(page, count)))
        on_progress(seen)
    for part in Keys(0, count).all if rings else ():
        redis.set(part.rings, rings or b"")
    write(redis, before._replace(partitions=count, wanted=count))
    return moved


def _try_rights(redis: Redis) -> None:
    """Before anything is noted, what only an administrator may: from then on no worker starts until it is done."""
    nothing = f"{Keys().meta}:nothing"
    redis.scan(count=1)
    redis.pexpiretime(nothing)
    redis.unlink(nothing)


def _assert_idle(redis: Redis, keys: Keys) -> None:
    found = reconcile(redis, keys)
    if found.alive:
        raise PartitionsFixed(reason=f"{len(found.alive)} worker(s) run; stop all of them first")
    if found.waiting or found.in_flight:
        reason = (
            f"{found.waiting} claims wait and {found.in_flight} are in flight; let the workers finish, then stop them"
        )
        raise PartitionsFixed(reason=reason)
    if found.balance:
        raise PartitionsFixed(reason="the books do not balance; see `scrub status`")


def _misplaced(page: Sequence[str], count: int) -> Iterator[tuple[Kind, str, str]]:
    """Of these keys, those that belong elsewhere: kind, old name, new name."""
    for name in page:
        if found := _KEY.fullmatch(name):
            there = Keys(0, count).at(found[3])
            if there.partition != int(found[1]):
                kind = cast(Kind, found[2])
                yield kind, name, there.ledger(found[3]) if kind == "ledger" else there.event(found[3])


def _move(redis: Redis, moves: Sequence[tuple[Kind, str, str]]) -> Counter[Kind]:
    """Copies first, then deletes. What was only registered, on its identity partition, is decided elsewhere."""
    with redis.pipeline(transaction=False) as reads:
        for _, old, new in moves:
            reads.get(old)
            reads.pexpiretime(old)
            reads.get(new)
        answers = cast(Any, reads.execute())
    moved: Counter[Kind] = Counter()
    with redis.pipeline(transaction=False) as writes:
        for (kind, _, new), value, until, there in zip(moves, answers[::3], answers[1::3], answers[2::3], strict=True):
            if value is None or (kind == "event" and (_registered(value) or not (there is None or _registered(there)))):
                continue
            writes.set(new, value, pxat=until if until > 0 else None)
            moved[kind] += 1
        writes.execute()
    if moves:
        redis.unlink(*(old for _, old, _ in moves))
    return moved


def _registered(value: bytes) -> bool:
    return value.partition(b" ")[2].startswith(REGISTERED.encode())
