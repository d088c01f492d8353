"""A waiver, or a repair of form, as it travels: a sealed field beside the event, on the stream that workers and
operators alone write.

No worker looks it up anywhere. Its seal is made with the audit key, so that who can write to Redis and has no key can
waive nothing, and what a release that knows no waivers forwarded from a sender's stream is worth nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import orjson

from rules.engine import waiving
from rules.errors import Problem
from rules.report import Repaired
from worker.errors import EventInvalid
from worker.intake.events import TYPE, canonical, digest
from worker.store.keyring import Ring
from worker.store.keys import FIELD, FORWARDED, PRODUCER, REVISION, WAIVER
from worker.store.secret import derived, keyed

SOURCE = "urn:claim-scrubber:waiver"
"""CloudEvents source of a waived claim's event on its way; its outlet entry names the event that was waived."""
_MOST = 2**20
"""Bytes of a waiver: a claim of 1,000 lines may have some thousand findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One decision is waived; or, where there are changes, its claim was repaired and is judged as any other."""

    decision: str
    content: str
    """SHA-256 over the claim as it was decided, or repaired, hexadecimal: it goes as it is, or not at all."""
    findings: tuple[str, ...]
    """Every blocking finding, by `rules.engine.waiving.name_of`; of a repair none, which lets nothing go."""
    revision: str
    """Of the entry that was decided: a waiver makes no version newer than it was."""
    reason: str
    """Keyed digest of why, in a person's words, which stay in the case store."""
    owner: str
    until: str
    """The last day on which it holds, ISO 8601."""
    account: str
    """Of who waived it."""
    moment: str
    source: str
    """CloudEvents source and id of the event that was decided."""
    id: str
    changes: tuple[str, ...] = ()
    """Of a repair: what is written otherwise, as JSON pointers on the claim."""
    seal: str = ""
    """`KEY HMAC` over all of this under an audit key; empty: not sealed yet."""

    @property
    def digest(self) -> str:
        """Distinguishes two waivers of one decision, and lets nobody without the key try values of the claim; 32
        hexadecimal digits."""
        return self.seal.partition(" ")[2][:32]

    @property
    def day(self) -> date:
        """On which it was waived, UTC: that is when the payer is expected to receive the claim."""
        return date.fromisoformat(self.moment[:10])

    @property
    def repaired(self) -> Repaired:
        """A repair, as reports have it."""
        return Repaired(self.decision, self.changes, self.account, self.digest)

    def to_rules(self) -> waiving.Waiver:
        """As the core knows it."""
        return waiving.Waiver(
            decision=self.decision, findings=self.findings, owner=self.owner, until=date.fromisoformat(self.until),
            digest=self.digest,
        )  # fmt: skip


def fields_of(waiver: Waiver, claim: Mapping[str, Any], origin: str, producer: str, traceparent: str) -> dict[str, str]:
    """The fields of the entry that goes onto `inner`, of a sealed waiver.

    `origin`: `<partition>:<entry>`, where the claim first came in: a release that knows no waiver goes by it, and makes
    the version no newer either.
    """
    event = {
        "specversion": "1.0", "id": waiver.decision, "source": SOURCE, "type": TYPE, "time": waiver.moment,
        "data": claim,
    }  # fmt: skip
    if traceparent:
        event["traceparent"] = traceparent
    found = {
        FIELD: orjson.dumps(event, default=str).decode(), WAIVER: f"{waiver.seal} {_body(waiver).decode()}",
        FORWARDED: origin, REVISION: waiver.revision,
    }  # fmt: skip
    return found | ({PRODUCER: producer} if producer else {})


def content_digest(claim: object) -> str:
    """Of a claim as an outlet entry has it."""
    return digest(claim)


def sealed(waiver: Waiver, ring: Ring) -> Waiver:
    """The waiver under the audit key in force."""
    key = ring.active
    return replace(waiver, seal=f"{key.id} {_seal(key.secret, _body(waiver))}")


def opened(raw: bytes, ring: Ring) -> Waiver:
    """The waiver in a field, which is `KEY HMAC JSON`.

    Raises:
        EventInvalid: it was not made here, or not as it is. A key that is not on this machine is one that never was: no
            key is taken out of a ring, and who waits for one would let a sender stop the others.
    """
    try:
        name, seal, body = raw[:_MOST].split(b" ", 2)
        key = ring.find(name.decode())
        if key is None or not hmac.compare_digest(_seal(key.secret, body).encode(), seal):
            raise ValueError
        said = orjson.loads(body)
        lists = {name: tuple(said[name]) for name in ("findings", "changes")}
        return Waiver(**{**said, **lists}, seal=f"{key.id} {seal.decode()}")
    except (ValueError, TypeError, KeyError):
        sentence = "the seal of the waiver is none that was made here; nothing was waived"
        raise EventInvalid("envelope_invalid", [Problem("waiver", sentence)]) from None


def _body(waiver: Waiver) -> bytes:
    return canonical({name: value for name, value in asdict(waiver).items() if name != "seal"})


def _seal(secret: bytes, body: bytes) -> str:
    return keyed(derived(secret, b"waiver"), body).hex()
