"""Names of the Redis keys. All keys of a partition share a hash tag, so that one script may write them on a cluster.

A stream entry has one field, `event`, which holds the CloudEvent as JSON; an inbox entry may instead have the fields
of a CloudEvent in binary mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

FIELD = "event"
"""The only field of a stream entry in structured mode."""
GROUP = "scrub"
"""The consumer group of the workers on the inbox."""
OUTLETS = ("billing", "rework", "unchecked", "quarantine")
GROUPED_OUTLETS = ("billing", "rework")
"""Outlets whose consumer group, of the same name, exists before the first entry."""

TRIMMED_OUTLETS = ("billing", "rework", "unchecked")
"""Not quarantine: only a person takes something out of there."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one partition."""

    partition: int = 0

    def _key(self, name: str) -> str:
        return f"{{claims:{self.partition}}}:{name}"

    @property
    def inbox(self) -> str:
        return self._key("inbox")

    def outlet(self, name: str) -> str:
        """The stream of an outlet: billing, rework, unchecked or quarantine."""
        return self._key(name)

    @property
    def counters(self) -> str:
        """Hash: how many claims went to each outlet, plus `repeated`, `requeued` and `dropped`.

        A requeue takes one off `quarantine` and adds one to `requeued`. `dropped` is a part of `quarantine`.
        """
        return self._key("counters")

    @property
    def gate(self) -> str:
        """String with an expiry: a bell has been rung and not yet been answered."""
        return self._key("gate")

    @property
    def tend(self) -> str:
        """String with an expiry: a worker tends the queue in this period."""
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
        """String with an expiry: how the work of an entry, or of a process `<host>-<pid>`, came to an end."""
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
        """Hash: worker `<host>-<pid>` -> when it was last alive, in ms, and what it says of itself, as JSON."""
        return self._key("workers")

    @property
    def samples(self) -> str:
        """List, the newest first: `ms accepted decided`, every 10 seconds."""
        return self._key("samples")

    @property
    def chains(self) -> str:
        """Hash: audit chain -> `seq mac` of its last line that was followed by a commit."""
        return self._key("chains")

    @property
    def meta(self) -> str:
        """Hash: number of partitions and fingerprint of the secret, set once."""
        return self._key("meta")

    def ledger(self, patient: str) -> str:
        """String with an expiry, the ledger of a patient hash: see worker.ledger."""
        return self._key(f"ledger:{patient}")

    def event(self, identity: str) -> str:
        """String with an expiry, the event memory: `digest decision entry` of the first decision on an event."""
        return self._key(f"event:{identity}")


def event_identity(source: str, event_id: str) -> str:
    """SHA-256 over CloudEvents `source` and `id`, hexadecimal; neither can be read back from it."""
    return sha256(f"{source}\0{event_id}".encode()).hexdigest()
