"""The demonstration as it comes from a hospital: an event for each claim, some sent twice, some that are no claims."""

from __future__ import annotations

import json
from typing import Any

from worker.demo.claims import EXAMPLES
from worker.intake.events import TYPE

SOURCE = "/demo/hospital"
_TIME = "2026-07-20T09:00:00Z"


def event(name: str, data: Any, **changes: Any) -> bytes:
    """A claim event as the hospital's interface engine writes it."""
    return json.dumps(
        {
            "specversion": "1.0", "id": name, "source": SOURCE, "type": TYPE, "time": _TIME,
            "datacontenttype": "application/json", "data": data, **changes,
        }
    ).encode()  # fmt: skip


def _first() -> dict[str, Any]:
    return EXAMPLES[0].claim


def unreadable() -> list[bytes]:
    """Events that go to quarantine, each for another reason."""
    return [
        event("demo-cut", _first())[:200],
        b"ISA*00*          *00*          *ZZ*DEMO",
        b"\xff\xfe" + "{}".encode("utf-16-le"),
        event("demo-twice", _first()).replace(b'"claim_id"', b'"claim_id": "DEMO-X", "claim_id"', 1),
        event("demo-nan", _first()).replace(b'"450.00"', b"NaN", 1),
        event("demo-misspelt", {**_first(), "diagnosis": ["M54.31"]}),
        event("demo-no-lines", {**_first(), "lines": []}),
        event("demo-old", _first(), specversion="0.3"),
        event("demo-nested", [[[[]]]]),
    ]


def repeated() -> list[bytes]:
    """Events that were sent before, to the letter: they make no second result."""
    return [event(f"demo-{example.number}", example.claim) for example in EXAMPLES[:3]]


def duplicates() -> list[bytes]:
    """The first claim once more, under an event and a claim id of its own: the patient's ledger knows the block."""
    return [event("demo-again", {**_first(), "claim_id": "DEMO-0001-AGAIN"})]


def reused() -> list[bytes]:
    """An event id that was used before for another claim: quarantine, since one of the two would be lost in silence."""
    return [event("demo-1", EXAMPLES[-1].claim)]


def all_events() -> list[bytes]:
    """Everything that the demonstration submits, in order."""
    claims = [event(f"demo-{example.number}", example.claim) for example in EXAMPLES]
    return [*claims, *unreadable(), *repeated(), *duplicates(), *reused()]
