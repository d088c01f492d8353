"""The partition on which a producer puts a claim. It is free to choose: a worker forwards what is misrouted.

A producer that has the workers' secret spares them that. Nothing here is checked, and nothing is refused: what cannot
be read goes to the first partition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from redis import Redis

from rules.errors import ScrubError
from worker.config.settings import Settings
from worker.pipeline.ledger import patient_of
from worker.store.agreement import TURNED
from worker.store.keys import Keys, event_identity
from worker.store.secret import fingerprint, load_secret


@dataclass(frozen=True, slots=True)
class Partitioner:
    """Maps an event to its partition."""

    keys: Keys
    secret: bytes | None
    """First key of the patient ring, which decides the partition; None: it is not known here, or not the workers'."""

    def of(self, event: bytes) -> Keys:
        """The keys of the partition where this event is judged, as far as that can be read from it."""
        if self.keys.count == 1 or self.secret is None:
            return self.keys.first
        try:
            found = orjson.loads(event)
            mark = _patient(self.secret, found["data"]) or event_identity(found["source"], found["id"])
        except (ValueError, TypeError, KeyError, AttributeError):
            return self.keys.first
        return self.keys.at(mark)


def _patient(secret: bytes, claim: Mapping[str, Any]) -> str | None:
    subscriber = claim.get("subscriber") or {}
    return patient_of(secret, claim["payer"]["id"], subscriber.get("member_id"))


def partitioner_of(redis: Redis, keys: Keys, settings: Settings) -> Partitioner:
    """For the producers of this Redis.

    Raises:
        redis.exceptions.RedisError
    """
    if keys.count == 1:
        return Partitioner(keys, None)
    try:
        secret = load_secret(settings.secret_path) if settings.secret_path.exists() else None
    except (ScrubError, OSError):
        secret = None
    if secret is None:
        return Partitioner(keys, None)
    agreed = cast(bytes | None, redis.hget(keys.first.meta, "fingerprint"))
    same = agreed is None or agreed.decode().removeprefix(TURNED) == fingerprint(secret)
    return Partitioner(keys, secret if same else None)
