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
        """Hash: how many claims went to each outlet, plus `repeated` and `requeued`."""
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
        """Hash: inbox entry -> how often it was tried alone after its first worker was lost."""
        return self._key("attempts")

    @property
    def chains(self) -> str:
        """Hash: audit chain -> `seq mac` of its last line that was followed by a commit."""
        return self._key("chains")

    @property
    def meta(self) -> str:
        """Hash: number of partitions and fingerprint of the secret, set once."""
        return self._key("meta")

    def event(self, identity: str) -> str:
        """String with an expiry, the event memory: `digest decision entry` of the first decision on an event."""
        return self._key(f"event:{identity}")


def event_identity(source: str, event_id: str) -> str:
    """SHA-256 over CloudEvents `source` and `id`, hexadecimal; neither can be read back from it."""
    return sha256(f"{source}\0{event_id}".encode()).hexdigest()
