"""Names of the Redis keys. All keys of a partition share a hash tag, so that one script may write them on a cluster.

A stream entry has one field, `event`, which holds the CloudEvent as JSON; an inbox entry may instead have the fields
of a CloudEvent in binary mode, and has the field `forwarded_from` besides where a worker forwarded it.

With several partitions a patient's claims, ledger and event memory are on one, the home partition, which the keyed
hash of the patient names. What is not split (gate, tend, workers, hold, samples, progress, meta) is on the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

FIELD = "event"
"""The only field of a stream entry in structured mode."""
FORWARDED = "forwarded_from"
"""Field of an inbox entry that was forwarded: `<partition>:<entry>`, where it first came in."""
REGISTERED = "@"
"""In the event memory of an event's identity partition: begins the number of its home partition, where elsewhere the
decision is."""
GROUP = "scrub"
"""The consumer group of the workers on the inbox."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one partition, of `count`."""

    partition: int = 0
    count: int = 1
    _tag: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tag", f"{{claims:{self.partition}}}:")

    @property
    def all(self) -> tuple[Keys, ...]:
        """The keys of every partition, the first one first."""
        return tuple(Keys(partition, self.count) for partition in range(self.count))

    @property
    def first(self) -> Keys:
        """The keys of the partition that has what all share."""
        return self if self.partition == 0 else Keys(0, self.count)

    def at(self, fingerprint: str) -> Keys:
        """The keys of the partition that a hash in hexadecimal falls to: of a patient, else of an event's identity."""
        return self if self.count == 1 else Keys(int(fingerprint[:8], 16) % self.count, self.count)

    def named(self, entry: str) -> str:
        """The name of an entry outside of its stream: its id, after `<partition>:` where there are several."""
        return entry if self.count == 1 else f"{self.partition}:{entry}"

    def found(self, name: str) -> tuple[Keys, str] | None:
        """The partition and the id of an entry by its name; None: it is no name."""
        number, colon, entry = name.rpartition(":")
        if not colon:
            return self.first, entry
        known = number.isdecimal() and number.isascii() and int(number) < self.count
        return (Keys(int(number), self.count), entry) if known else None

    def _key(self, name: str) -> str:
        return self._tag + name

    @property
    def inbox(self) -> str:
        return self._key("inbox")

    def outlet(self, name: str) -> str:
        """The stream of an outlet of worker.store.outletspecs."""
        return self._key(name)

    @property
    def counters(self) -> str:
        """Hash: how many claims went to each outlet, plus `repeated`, `requeued`, `dropped`, `forwarded`, `received`.

        A requeue takes one off `quarantine` and adds one to `requeued`. `dropped` is a part of `quarantine`. What one
        partition forwarded another has received; after a crash in between, maybe once more.
        """
        return self._key("counters")

    @property
    def gate(self) -> str:
        """String with an expiry: a notification was sent and not yet acknowledged."""
        return self._key("gate")

    @property
    def tend(self) -> str:
        """String with an expiry: a worker does the maintenance of this period."""
        return self._key("tend")

    @property
    def tend_log(self) -> str:
        """String with an expiry: the depth was logged in this period."""
        return self._key("tend:log")

    @property
    def attempts(self) -> str:
        """Hash: inbox entry -> how each try of it ended, a line a try; the first was in a batch, the others alone."""
        return self._key("attempts")

    def end(self, name: str) -> str:
        """String with an expiry: how the work of an entry, or of a process `<host>-<pid>-<life>`, came to an end."""
        return self._key(f"end:{name}")

    @property
    def hold(self) -> str:
        """String with an expiry: since when, in ms, and why the workers take no more claims."""
        return self._key("hold")

    @property
    def full(self) -> str:
        """String with an expiry: memory was above the producers' ceiling, and has not fallen well below it yet."""
        return self._key("full")

    @property
    def workers(self) -> str:
        """Hash: worker `<host>-<pid>-<life>` -> when it was last alive, in ms, and what it says of itself, as JSON."""
        return self._key("workers")

    @property
    def samples(self) -> str:
        """List, the newest first: `ms accepted decided`, every 10 seconds."""
        return self._key("samples")

    @property
    def progress(self) -> str:
        """String with an expiry: `ms decided` since when no more was decided though work waits; first of all partitions
        together, then of each, divided by `;`.
        """
        return self._key("progress")

    @property
    def book(self) -> str:
        """List: digest of the book in force, then those before it; none: each worker's own."""
        return self._key("book")

    @property
    def books(self) -> str:
        """Hash: digest -> signature and packed book, of those in `book`; and more: see worker.books.switch."""
        return self._key("books")

    def offer(self, digest: str) -> str:
        """String with an expiry: signature and content of a book or of overrides that a worker has of its own."""
        return self._key(f"offer:{digest}")

    @property
    def switches(self) -> str:
        """List, the newest first: who put which book in force, when and why, as JSON."""
        return self._key("switches")

    @property
    def judging(self) -> str:
        """Hash: consumer of the inbox -> since when, in ms, and the book that it judges by, as JSON."""
        return self._key("judging")

    @property
    def chains(self) -> str:
        """Hash: audit chain -> `seq mac` of its last line that was followed by a commit; until a person retires it."""
        return self._key("chains")

    @property
    def meta(self) -> str:
        """Hash: number of partitions and fingerprint of the secret, set once."""
        return self._key("meta")

    def ledger(self, patient: str) -> str:
        """String with an expiry, the ledger of a patient hash: see worker.pipeline.ledger."""
        return f"{self._tag}ledger:{patient}"

    def event(self, identity: str) -> str:
        """String with an expiry, the event memory: `digest decision entry` of the first decision on an event.

        It is on the home partition, where the event is decided. Where the identity partition is another one, that has
        `digest @home`, so that the same identity with the data of another patient is found out.
        """
        return f"{self._tag}event:{identity}"

    def handed(self, name: str) -> str:
        """String with an expiry: a requeued entry, by its name, was received; such a one is not looked for twice."""
        return self._key(f"handed:{name}")


def event_identity(source: str, event_id: str) -> str:
    """SHA-256 over CloudEvents `source` and `id`, hexadecimal; neither can be read back from it."""
    return sha256(f"{source}\0{event_id}".encode()).hexdigest()
