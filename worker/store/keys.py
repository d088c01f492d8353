"""Names of the Redis keys. All keys of a partition share a hash tag, so that one script may write them on a cluster.

A stream entry has one field, `event`, which holds the CloudEvent as JSON; one that came in may instead have the fields
of a CloudEvent in binary mode. What workers and operators put in has more: `INNER_FIELDS`. Which keys there are, in
which layout: `worker.store.layout`.

Entries come in on several streams, and two streams may hold one id: so an entry is named `<stream>:<id>`, where the
stream is a producer's name or `inner`. That of the shared inbox is its id alone, as it was in layout 1.

With several partitions a patient's claims, ledger and event memory are on one, the home partition, which the keyed
hash of the patient names. What is not split (gate, tend, workers, hold, producers, samples, progress) is on the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

FIELD = "event"
"""The only field of a stream entry in structured mode."""
FORWARDED = "forwarded_from"
"""Of an entry that was forwarded: `<partition>:<entry>`, where it first came in."""
REQUEUE = "requeue_of"
"""Of an entry that a person requeued: the quarantine entry."""
PRODUCER = "producer"
"""Of the same, and of a forwarded one: the registered producer that sent it, with all that is bound to that."""
RECEIVED = "received"
"""Of a forwarded one: when it was received, in ms since 1970, where the id of the first entry does not say so."""
REVISION = "revision"
"""Of a forwarded one: its place among the versions of its claim; see `worker.pipeline.inbox.InboxEntry.revision`."""
WAIVER = "waiver"
"""Of a claim that a person waived: `worker.pipeline.waivers.Waiver`, sealed. It is believed on `inner` alone, and under
its seal; never on an inbox, whatever the layout."""
INNER_FIELDS = (FORWARDED, REQUEUE, PRODUCER, RECEIVED, REVISION, WAIVER)
"""Fields that are believed where only workers and operators can write: on `inner`, and on the inbox in layout 1."""
SHARED, INNER = "", "inner"
"""Names of the streams that are no producer's: the inbox of those who trust one another, and the worker-only one."""
REGISTERED = "@"
"""In the event memory of an event's identity partition: begins the number of its home partition, where elsewhere the
decision is."""
WITHOUT_VERDICT = "held:"
"""The same, before the entry: it is in quarantine, and its file waits for no verdict."""
LEFT = "left:"
"""In the event memory, in place of an entry: begins the token of the file that was written without a verdict on it."""
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

    def incoming(self, name: str) -> tuple[str, str] | None:
        """The stream, as a key, and the id of an entry that came in, by its name in the audit log; None: it is none."""
        before, _, entry = name.rpartition(":")
        number, _, stream = before.partition(":") if before[:1].isdigit() else ("", "", before)
        place = self.found(f"{number}:{entry}" if number else entry)
        return place and (place[0].stream(stream), place[1])

    def _key(self, name: str) -> str:
        return self._tag + name

    def of(self, family: str) -> str:
        """The key of a family of `worker.store.layout` that has one key a partition."""
        return self._key(family)

    @property
    def inbox(self) -> str:
        return self._key("inbox")

    def stream(self, name: str) -> str:
        """The stream of a producer, `SHARED` or `INNER`, on which entries come in."""
        return self._key(f"in:{name}" if name not in (SHARED, INNER) else name or "inbox")

    def outlet(self, name: str) -> str:
        """The stream of an outlet of worker.store.outletspecs."""
        return self._key(name)

    @property
    def counters(self) -> str:
        """Hash: how many claims went to each outlet, plus `repeated`, `requeued`, `dropped`, `forwarded`, `received`;
        `taken:<producer>` of its entries, and `retired`, what producers had sent that were removed.

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
        """Hash: entry by name -> how each try of it ended, a line a try; the first was in a batch, the others alone."""
        return self._key("attempts")

    def end(self, name: str) -> str:
        """String with an expiry: how the work of an entry, or of a process `<host>-<pid>-<life>`, came to an end."""
        return self._key(f"end:{name}")

    @property
    def hold(self) -> str:
        """String with an expiry: since when, in ms, and why the workers take no more claims."""
        return self._key("hold")

    @property
    def step(self) -> str:
        """String with an expiry: during a hold for want of memory, whoever deletes it may take one batch."""
        return self._key("step")

    @property
    def producers(self) -> str:
        """Hash: name of a registered producer -> what is bound to its stream, as JSON; see worker.store.registry."""
        return self._key("producers")

    @property
    def receipts(self) -> str:
        """Hash: entry by name -> when a worker first read it, in ms, where its id does not say when it came."""
        return self._key("receipts")

    @property
    def texts(self) -> str:
        """Hash: name -> what reports on this partition's outlets give by that name; see worker.pipeline.namedtexts."""
        return self._key("texts")

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
    def rings(self) -> str:
        """String: ids of the audit key and of the patient key in force; none: nobody ever rotated, it is the secret.

        Each partition has it, so that a commit under other keys is refused by the script that would write it.
        """
        return self._key("rings")

    @property
    def meta(self) -> str:
        """Hash, on the first partition: `partitions` with the layout, `fingerprint` of the secret (after `rings ` once
        keys were rotated); `full`, which workers publish; drafts. On every one: `layout`, and `cut`, the last inbox
        entry of layout 1."""
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

    def front(self, case: str) -> str:
        """String with an expiry, the front of a case (`case_mark`): see worker.pipeline.front.

        It is on the home partition of the version that was decided there. Where the mark names another partition, that
        has which version is the newest and where it is decided.
        """
        return f"{self._tag}front:{case}"

    def exit(self, token: str) -> str:
        """Hash, on the first partition: a file that leaves by file, by the digest of its bytes; see
        worker.filing.state."""
        return self.first._key(f"exit:{token}")

    def owner(self, identity: str) -> str:
        """String with an expiry, on the first partition: the file that an event came with first."""
        return self.first._key(f"owner:{identity}")

    def handed(self, name: str) -> str:
        """String with an expiry: a requeued entry, by its name, was received; such a one is not looked for twice."""
        return self._key(f"handed:{name}")


def event_identity(source: str, event_id: str) -> str:
    """SHA-256 over CloudEvents `source` and `id`, hexadecimal; neither can be read back from it."""
    return sha256(f"{source}\0{event_id}".encode()).hexdigest()


def scoped_identity(producer: str, identity: str) -> str:
    """The identity of an event that no other producer's event can have. The text holds no NUL, as that of every
    unscoped one does."""
    return sha256(f"{producer}:{identity}".encode()).hexdigest()


def waived_identity(decision: str) -> str:
    """The identity of the event of a waived decision, which no producer's event can have: this text has neither a NUL
    nor a colon."""
    return sha256(f"waiver of {decision}".encode()).hexdigest()


def case_mark(facility: str, claim_id: str) -> str:
    """Names the front of a case, whatever the patient; 32 hexadecimal digits. The claim number stands in ledgers and
    outlets as it is, so no key is wanted here, nor a rotation of one."""
    return sha256(f"case\0{facility}\0{claim_id}".encode()).hexdigest()[:32]


def split_name(name: str) -> tuple[str, str]:
    """Stream and id of an entry by its name."""
    stream, _, entry = name.rpartition(":")
    return stream, entry
