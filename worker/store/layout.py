"""The layout of the keys in Redis: each family of keys once, and in which layouts it is.

Doctor, users (`ops/access.py`) and documents (`docs/layout.md`) are made from this table; `worker.store.keys` has the
names of one partition. A release reads the layout before its own and its own (`OLDEST`, `NEWEST`), and leaves a store
as it is until `scrub migrate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from worker.store.outletspecs import SPECS

OLDEST, NEWEST = 1, 2
"""The layouts that this release reads. What it writes is the layout that `meta` names."""
Kind = Literal["stream", "hash", "string", "list"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Keys of one name, or of names that begin alike (`event:*`)."""

    name: str
    kind: Kind
    about: str
    """What it holds: a sentence for those who read it."""
    shared: bool = False
    """It is on the first partition alone."""
    since: int = OLDEST
    incoming: bool = False
    """Entries that workers take: one consumer group, `worker.store.keys.GROUP`."""
    fixed: bool = False
    """Every script wants it in its right kind, so that the doctor looks."""


_TABLE = (
    Family(name="inbox", kind="stream", incoming=True, fixed=True,
           about="What senders put in that trust one another. In layout 1 also what workers and operators put back."),
    Family(name="inner", kind="stream", incoming=True, fixed=True, since=2,
           about="What workers and operators alone put in: forwarded and requeued entries. No sender writes it."),
    Family(name="in:*", kind="stream", incoming=True, since=2,
           about="What one registered producer put in, under the producer's name; nobody else writes it."),
    *(Family(name=spec.name, kind="stream", fixed=True, about=spec.about) for spec in SPECS.values()),
    Family(name="counters", kind="hash", fixed=True, about="The terms of the reconciliation."),
    Family(name="chains", kind="hash", fixed=True, about="Of each audit chain the head of what was committed."),
    Family(name="attempts", kind="hash", fixed=True, about="How the tries of an entry ended, by its name."),
    Family(name="receipts", kind="hash", fixed=True, since=2,
           about="When a worker first read an entry whose id does not say when it came; until it is decided."),
    Family(name="texts", kind="hash", fixed=True, since=2,
           about="What many reports say alike, editions and gaps, by the name that stands for it in their results."
                 " Those that no entry of an outlet names are deleted where they are more than a megabyte."),
    Family(name="event:*", kind="string", about="Event memory: what was decided on an event, by its identity."),
    Family(name="ledger:*", kind="string", about="What went to billing for a patient, by the patient's keyed hash."),
    Family(name="front:*", kind="string",
           about="The newest version of a case's claim, whether it was billed, whatever the patient, and the partitions"
                 " of all versions; by a hash of facility and claim number."),
    Family(name="exit:*", kind="hash", shared=True, since=2,
           about="A file whose claims leave by file: how far it is, what was decided, until it is written, and what of"
                 " it leaves later."),
    Family(name="owner:*", kind="string", shared=True, since=2,
           about="With which file an event came first, where it leaves by file; by its identity."),
    Family(name="handed:*", kind="string", about="A requeued entry was received here; it is not received twice."),
    Family(name="end:*", kind="string", about="How the work of an entry, or of a process, came to its end."),
    Family(name="meta", kind="hash",
           about="What all agree on: layout, partitions, fingerprint of the secret, drafts of an upgrade; and, for"
                 " senders, whether there is room. Of the other partitions: layout, and where layout 1 ended."),
    Family(name="rings", kind="string", about="Which keys of the rings are in force; none: the first ones."),
    Family(name="producers", kind="hash", shared=True, since=2,
           about="The registered producers: facility, source, whether their dates are receipt."),
    Family(name="gate", kind="string", shared=True, about="A notification is on its way."),
    Family(name="tend", kind="string", shared=True, about="A worker does this period's maintenance."),
    Family(name="tend:log", kind="string", shared=True, about="The books of this period are in the log."),
    Family(name="hold", kind="string", shared=True, about="Since when and why the workers take no more claims."),
    Family(name="step", kind="string", shared=True, since=2,
           about="During a hold for memory, while nothing is unread: one batch may be taken."),
    Family(name="workers", kind="hash", shared=True, about="Which worker lives, and what it says of itself."),
    Family(name="samples", kind="list", shared=True, about="What was accepted and decided, every 10 seconds."),
    Family(name="progress", kind="string", shared=True, about="Since when nothing was decided though claims wait."),
    Family(name="judging", kind="hash", shared=True, about="By which book each process judges."),
    Family(name="book", kind="list", shared=True, about="Digests of the books that were put in force."),
    Family(name="books", kind="hash", shared=True, about="Those books, packed."),
    Family(name="offer:*", kind="string", shared=True, about="A book or overrides that a worker has of its own."),
    Family(name="switches", kind="list", shared=True, about="Who put which book in force, and why."),
)  # fmt: skip
FAMILIES: Mapping[str, Family] = {family.name: family for family in _TABLE}


def family_of(key: str) -> Family | None:
    """The family of a key by its full name; None: it is of none."""
    name = key.partition("}:")[2]
    if name in FAMILIES:
        return FAMILIES[name]
    head = name.partition(":")[0]
    return FAMILIES.get(f"{head}:*")
