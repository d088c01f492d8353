"""The workers of a Redis, as each says of itself every 5 seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

ALIVE = 15.0
"""Seconds for which a worker counts as alive after it last said so; it does every 5."""


UNREADABLE = "unreadable"
"""What a worker says of its keys where their file cannot be used."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as it says of itself: the main process, with its pool."""

    name: str
    """`<host>-<pid>-<life>`; before version 0.1.1 without a life."""
    seen: float
    """Seconds since it last said that it is alive."""
    host: str = ""
    pid: int = 0
    processes: tuple[int, ...] = ()
    """Process ids of its pool."""
    version: str = ""
    """Of claim-scrubber."""
    book_version: str = ""
    book_digest: str = ""
    started: float = 0
    """Seconds since 1970, by its own clock."""
    outputs: str = ""
    """What is wrong with its standard output or error; empty: nothing."""
    left_out: int = 0
    """Lines that it left out there since it started."""
    own_digest: str = ""
    """Of its own book without overrides; this and all that follows: empty where a version before 0.1.1 says nothing."""
    library: str = ""
    """The same without imported tables."""
    tables: str = ""
    """Digest of the imported tables, or `none`."""
    overrides: str = ""
    """Digest of the overrides file as it was read at the start, or `none`."""
    overrides_disk: str = ""
    """The same as it is on the disk now."""
    overrides_fault: str = ""
    """Why the file on the disk cannot be used."""
    own_fault: str = ""
    """Why its own book or overrides cannot be used, so that it judges by what is in force; empty: they can."""
    secret: str = ""
    """Fingerprint of the secret."""
    layout: int = 1
    """The newest layout of the keys that it reads; releases before it was told read the first."""
    revision: str = ""
    """Of its source code, where that is known."""
    audit_keys: str = ""
    """Ids of the keys of its audit ring, of the files as they are now; empty: a version that knows of no rings."""
    patient_keys: str = ""
    """The same of the patient ring."""
    waives: bool = False
    """Whether it knows waivers, and the fronts of cases; a version before 0.1.2 does not."""
    exits: bool = False
    """Whether it knows of sources that leave by file; releases before it was told do not."""
    life: str = ""
    """Distinguishes it from a worker of the same host name and process id."""

    @property
    def alive(self) -> bool:
        return self.seen <= ALIVE

    def runs(self, consumer: str) -> bool:
        """Whether the consumer `<host>-<pid>-<life>-<random>` is a process of this worker."""
        life = f"{self.life}-" if self.life else ""
        return any(consumer.startswith(f"{self.host}-{pid}-{life}") for pid in self.processes)


def reply_fields(flat: Any) -> Mapping[str, Any]:
    """The fields of a hash, which Redis gives to a script as one list of names and values."""
    return {flat[i].decode("utf-8", "backslashreplace"): flat[i + 1] for i in range(0, len(flat), 2)}


_SAID = (
    "host", "pid", "version", "book_version", "book_digest", "started", "life", "outputs", "left_out", "own_digest",
    "library", "tables", "overrides", "overrides_disk", "overrides_fault", "own_fault", "secret", "layout",
    "revision", "audit_keys", "patient_keys", "waives", "exits",
)  # fmt: skip


def worker_of(name: str, value: bytes, moment: float) -> Worker:
    """A worker from its entry in Redis; `moment`: now, seconds since 1970 by the clock of Redis."""
    seen, _, says = value.partition(b" ")
    about = {key: said for key, said in orjson.loads(says).items() if key in _SAID}  # a later version may say more
    return Worker(name, max(0.0, moment - int(seen) / 1000), **about, processes=tuple(orjson.loads(says)["processes"]))
