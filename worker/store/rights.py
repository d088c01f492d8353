"""Rights of Redis users, as lines of an ACL file; and the line of a registered producer.

A Redis user has a first set of rights and then selectors, each a set of commands on a set of keys; a command is let
through where one of them allows it with all its keys. Redis asks the same of every command within a script, so EVAL
on a key gives nobody more than the commands of the other selectors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from worker.store.keys import Keys

HELLO = (
    "@connection -@dangerous -client|tracking -client|caching -client|trackinginfo -client|getredir info cluster|slots"
)
"""What a client does before its first real command, by category: Redis 7.0 refuses the names of what came later. Not
CLIENT LIST and KILL, which are dangerous. Not CLIENT TRACKING and what belongs to it: with BCAST a server without
redis#15371 sends every connection the names of all keys that are written. INFO has numbers and no keys' content;
CLUSTER SLOTS has addresses of nodes."""


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


def line(user: str, password: str, rights: Iterable[Right]) -> str:
    """A line of an ACL file; `password`: its SHA-256, or what stands for it."""
    first, *others = rights
    selectors = " ".join(f"({right})" for right in others)
    return f"user {user} on sanitize-payload #{password} resetkeys resetchannels {first} {selectors}".strip()


def user_of(producer: str) -> str:
    """The Redis user of a registered producer."""
    return f"producer-{producer}"


def producer_rights(streams: Iterable[str], meta: str) -> tuple[Right, ...]:
    """What a sender may: add to these streams, ask `meta` whether there is room. It reads no claim and no verdict, runs
    no script, and puts nothing anywhere else."""
    writes = tuple(f"%W~{stream}" for stream in streams)
    return Right(HELLO), Right("xadd", writes), Right("hget", (f"%R~{meta}",))


def producer_line(producer: str, keys: Keys, password: str) -> str:
    """The ACL line of a registered producer, with every partition by name: a pattern would let it make streams that
    nobody reads."""
    rights = producer_rights([part.stream(producer) for part in keys.all], keys.first.meta)
    return line(user_of(producer), sha256(password.encode()).hexdigest(), rights)
