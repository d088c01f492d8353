"""What somebody does who has stolen the password of a registered producer.

Attacks on streams whose senders choose ids and lengths are as old as XADD's options: redis#5344 and redis#9176 ask what
an id of the sender's choice may be, and rights finer than a command there are none (redis#11708).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from worker.store.keys import Keys

from .helpers import claim, event

KEYS = Keys()
TODAY = datetime.now(UTC).date()
HONEST = "ehr"
"""Beside whom it happens."""


@dataclass(frozen=True)
class Attacker:
    """A connection with the stolen password."""

    client: Redis
    name: str

    @property
    def stream(self) -> str:
        return KEYS.stream(self.name)

    def put(self, *events: bytes, **more: Any) -> None:
        for one in events:
            self.client.xadd(self.stream, {"event": one}, **more)


def fresh(number: int, **changes: Any) -> dict[str, Any]:
    """A claim of a service of today, whose sender says nothing of receipt."""
    made = claim(number, **changes)
    del made["received_date"]
    made["lines"][0]["service_date"] = TODAY.isoformat()
    return made


def trims(evil: Attacker) -> None:
    """Attack 1: the claims of others that wait."""
    for name in (HONEST, "", "inner"):
        with pytest.raises(NoPermissionError):
            evil.client.xadd(KEYS.stream(name), {"event": "x"}, maxlen=1, approximate=False)
    evil.put(event(900), event(901))
    evil.client.xadd(evil.stream, {"event": event(902)}, maxlen=1, approximate=False)


def exhausts(evil: Attacker) -> None:
    """Attack 2: the last id that there can be."""
    last = 2**64 - 1
    evil.put(event(900, data=fresh(900)), id=f"{last}-{last}")
    with pytest.raises(ResponseError):
        evil.put(event(901))


def postdates(evil: Attacker) -> None:
    """Attack 3: an id of the year 10000."""
    evil.put(event(900, data=fresh(900)), id="253402300800001-0")


def loops(evil: Attacker) -> None:
    """Attack 4: a script that never ends."""
    for numkeys, key in ((0, ()), (1, (evil.stream,)), (1, ("{claims:0}:full",))):
        with pytest.raises(NoPermissionError):
            evil.client.eval("while true do end", numkeys, *key)


def exceeds(evil: Attacker) -> None:
    """Attack 5: a script that passes the limit of memory."""
    script = "#!lua flags=allow-oom\nreturn redis.call('XADD', KEYS[1], '*', 'event', string.rep('x', 400000000))"
    with pytest.raises(NoPermissionError):
        evil.client.eval(script, 1, evil.stream)


def forges(evil: Attacker) -> None:
    """Attack 7: what workers alone say."""
    past = "0:1767700000000-0"
    evil.put(event(900, data=fresh(900)))
    body = event(901, data=fresh(901), requeue_of="0:1-1")
    fields = {"forwarded_from": past, "requeue_of": "1-1", "producer": HONEST, "received": "1", "revision": "1-1"}
    evil.client.xadd(evil.stream, {"event": body, **fields})
    # Twice, as a requeued one is billed twice.
    evil.client.xadd(evil.stream, {"event": body, **fields})
    mode = {"ce_specversion": "1.0", "ce_id": "evt-902", "ce_source": "/hospital/ehr", "ce_type": "claim.submitted.v1"}
    injected = json.dumps(fresh(902)) + ',"requeue_of":"1-1"'
    for _ in range(2):
        evil.client.xadd(evil.stream, {**mode, **fields, "data": injected})


def takes_names(evil: Attacker) -> None:
    """The identity of events that the honest one is about to send, with other data."""
    evil.put(*(event(number, data=fresh(900 + number)) for number in range(5)))


def voids(evil: Attacker) -> None:
    """Voids of the honest one's claims, before and after they come, and replacements of those that came."""
    for code, numbers in (("8", range(5)), ("7", range(3))):
        for number in numbers:
            data = fresh(number, frequency_code=code, original_reference_number="ICN1")
            evil.put(event(900 + number, id=f"{code}-{number}", data=data))


def floods(evil: Attacker) -> None:
    """What it may do: as much as it likes, of no claims at all."""
    with evil.client.pipeline(transaction=False) as pipeline:
        for _ in range(2_000):
            pipeline.xadd(evil.stream, {"event": "no claim"})
        pipeline.execute()


ATTACKS: list[Callable[[Attacker], None]] = [trims, exhausts, postdates, loops, exceeds, forges, takes_names]
