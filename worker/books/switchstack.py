"""The stack of what was put in force, as Redis holds it, and the switches that made it.

Of each entry `book` holds the digest; what version 0.1.0 does not know of it is in `books`, under `laid:<height>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import orjson
from redis import Redis

from worker.audit.lines import AuditLine
from worker.books.switch import Basis, BookName, Switch, read_switch
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class StackEntry:
    """One entry of the stack of what was put in force."""

    basis: Basis
    first: bool = False
    """Whether it is what the workers judged by before the first switch."""


def read_stack(redis: Redis, keys: Keys) -> tuple[StackEntry, ...]:
    """What was put in force, the newest first.

    Raises:
        redis.exceptions.RedisError
    """
    digests = [digest.decode() for digest in cast(Any, redis.lrange(keys.book, 0, -1))]
    switches = [read_switch(text) for text in cast(Any, redis.lrange(keys.switches, 0, -1))]
    versions = {one.digest: one.version for switch in switches for one in (switch.book, switch.before)}
    entries = []
    for height, digest in zip(range(len(digests), 0, -1), digests, strict=True):
        text = cast(bytes | None, redis.hget(keys.books, f"laid:{height}"))
        stored = orjson.loads(text) if text else {}
        if stored.get("book") != digest:  # version 0.1.0 put it in force
            stored = {"version": versions.get(digest, "?"), "overrides": None, "first": False}
        entries.append(StackEntry(Basis(BookName(stored["version"], digest), stored["overrides"]), stored["first"]))
    return tuple(entries)


def stored_entry(entry: StackEntry) -> dict[str, Any]:
    """An entry as Redis holds it beside its digest."""
    basis = entry.basis
    return {
        "book": basis.book.digest,
        "version": basis.book.version,
        "overrides": basis.overrides,
        "first": entry.first,
    }


def stored_switch(done: Switch) -> dict[str, Any]:
    """As version 0.1.0 reads it, which knows these keys and no others."""
    return {
        "moment": done.moment,
        "book": {"version": done.book.version, "digest": done.book.digest},
        "before": {"version": done.before.version, "digest": done.before.digest},
        "who": done.who,
        "reason": done.reason,
        "own": done.own,
    }


def audit_line(done: Switch, basis: Basis, before: Basis) -> AuditLine:
    """The line of the audit log for a switch; both of its ends with their overrides."""
    line: AuditLine = {
        "log.level": "warning",
        "event.action": "book.switched",
        "event.outcome": "success",
        "event.reason": done.reason,
        "user.name": done.who,
        "book.version": done.book.version,
        "book.digest": done.book.digest,
        "book.previous_version": done.before.version,
        "book.previous_digest": done.before.digest,
    }
    if basis.overrides is not None:
        line["override.digest"] = basis.overrides
    if before.overrides is not None:
        line["override.previous_digest"] = before.overrides
    return line
