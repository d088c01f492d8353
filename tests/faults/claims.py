"""What the suite sends: claims of every kind, by number, and the name under which each must have one result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from worker.bench import claims as bench

Kind = Literal["claim", "copy", "broken", "unchecked", "poison"]
SOURCE = "/faults"
OURS = ("F-", "C-", "KILL-")
"""How the claim ids of the suite begin."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that is sent."""

    id: str
    kind: Kind
    number: int
    body: bytes


def claim(number: int) -> dict[str, Any]:
    """The claim of this number. Each has a patient of its own, so that only its copy can be a duplicate of it."""
    found = {**bench.claim(number), "claim_id": f"F-{number:06}"}
    if number % 5 == 0:  # Medicare, whose members are few there
        person = number // 5
        found["subscriber"] = {
            "member_id": f"{1 + person % 9}EG{person // 9 % 10}TE{person // 90 % 10}MK{person // 900:02}"
        }
    if number % 50 == 13:
        found["lines"] = [{**found["lines"][0], "procedure": "99213"}]
    return found


def sent(number: int, *, poison: bool = False) -> Sent:
    """The event of this number."""
    found = claim(number)
    kind: Kind = "unchecked" if number % 50 == 13 else "claim"
    if poison:
        kind, found = "poison", {**found, "claim_id": f"KILL-{number:06}"}
    elif number % 50 == 11:
        kind, found = "broken", {**found, "lines": "none"}
    return _sent(f"evt-{number}", kind, number, found)


def echoes(number: int) -> Iterator[Sent]:
    """What comes of this number besides: one in 20 has a copy under another claim id, another one in 20 is sent twice."""
    first = sent(number)
    if first.kind == "claim" and number % 20 == 3:
        yield _sent(f"evt-{number}-copy", "copy", number, {**claim(number), "claim_id": f"C-{number:06}"})
    if number % 20 == 7:
        yield first


def _sent(name: str, kind: Kind, number: int, data: dict[str, Any]) -> Sent:
    envelope = {
        "specversion": "1.0", "id": name, "source": SOURCE, "type": "claim.submitted.v1",
        "time": "2026-10-20T14:03:00Z", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return Sent(name, kind, number, orjson.dumps(envelope))
