"""Claims by number: the same number is the same claim on every machine, and a million of them need no memory.

The mix is a pain service's: all payers and forms, most claims with one block, many with a visit, a drug or imaging
beside it, one in six with a fault. Patients, members and provider numbers are made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

import orjson

from rules.authoring.examples import example_claim
from rules.claim import Role

PAYERS: Mapping[str, Mapping[str, Any]] = {
    "medicare": {"id": "04412", "filing_indicator": "MB", "responsibility": "P"},
    "aetna": {"id": "60054", "filing_indicator": "CI", "responsibility": "P"},
    "bcbs": {"id": "84980", "filing_indicator": "BL", "responsibility": "P"},
    "cigna": {"id": "62308", "filing_indicator": "CI", "responsibility": "P"},
    "uhc": {"id": "87726", "filing_indicator": "CI", "responsibility": "P"},
}
"""Those of the registry, in a fixed order: one more in between would change the claim of every number."""
_LETTERS = "ACDEFGHJKMNPQRTUVWXY"
_MBI = ("123456789", _LETTERS, _LETTERS, "0123456789", _LETTERS, _LETTERS, "0123456789", _LETTERS, _LETTERS)
_MEMBERS = {"aetna": "W{:09}", "bcbs": "ZGP{:09}", "cigna": "U{:08}", "uhc": "{:09}"}
_ROLES: tuple[Role, ...] = ("practitioner", "practitioner", "practitioner", "hospital_outpatient", "asc")
_FIRST, _DAYS = date(2026, 2, 2), 240
_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"units": "2"}, {"modifiers": ["50", "RT"]}, {"modifiers": []}, {"modifiers": ["26", "RT"]}, {"charge": "0"},
    {"modifiers": ["RT", "25"]},
)  # fmt: skip
_BESIDE: tuple[Mapping[str, Any], ...] = (
    {"procedure": "99213", "modifiers": ["25"], "charge": "120.00"},
    {"procedure": "99213", "modifiers": [], "charge": "120.00"},
    {"procedure": "J3301", "modifiers": ["JZ"], "units": "4", "charge": "18.00",
     "drug": {"ndc": "00003029305", "quantity": "1", "unit": "ML"}},
    {"procedure": "20610", "modifiers": ["RT", "59"], "charge": "210.00"},
    {"procedure": "76942", "modifiers": [], "charge": "160.00"},
)  # fmt: skip
_REVENUE = {"99213": "0510", "J3301": "0636", "20610": "0361", "76942": "0402"}


def claim(number: int, payer: str | None = None) -> dict[str, Any]:
    """The claim of this number, as decoded JSON; of this payer, or of the payer that comes next."""
    chance = Random(number)  # noqa: S311  no secret hangs on it
    name = payer or list(PAYERS)[number % len(PAYERS)]
    role = chance.choice(_ROLES)
    day = (_FIRST + timedelta(days=chance.randrange(_DAYS))).isoformat()
    left = chance.random() < 0.5
    block = {"modifiers": ["LT" if left else "RT"], "service_date": day}
    if chance.random() < 1 / 6:
        block |= chance.choice(_FAULTS)
    beside = chance.sample(_BESIDE, chance.choice((0, 0, 0, 1, 1, 2)))
    lines = [block, *({"service_date": day, **_of_role(line, role)} for line in beside)]
    person = number * 4 // 5
    difference = {
        "claim_id": f"BENCH-{number:09}",
        "received_date": (date.fromisoformat(day) + timedelta(days=9)).isoformat(),
        "diagnoses": [
            "M54.32" if left else "M54.31",
            *chance.sample(("G89.29", "M54.16", "Z79.891"), chance.randrange(3)),
        ],
        "subscriber": {"member_id": _member(name, person)},
        "patient": {"birth_date": f"{1935 + person % 60}-0{1 + person % 9}-11", "sex": "FM"[person % 2]},
        "lines": lines,
    }
    return example_claim(role, difference, PAYERS[name])


def _member(payer: str, person: int) -> str:
    """A member id of the payer's usual form, one for each person."""
    if payer != "medicare":
        return _MEMBERS[payer].format(person)
    found, rest = "", person
    for characters in _MBI:
        rest, index = divmod(rest, len(characters))
        found += characters[index]
    return f"{found}{person % 100:02}"


def _of_role(line: Mapping[str, Any], role: Role) -> dict[str, Any]:
    return {**line, "revenue_code": _REVENUE[line["procedure"]]} if role == "hospital_outpatient" else dict(line)


def event(number: int) -> bytes:
    """The claim in its CloudEvent, as a producer puts it on the queue."""
    envelope = {
        "specversion": "1.0", "id": f"bench-{number}", "source": "/bench", "type": "claim.submitted.v1",
        "time": "2026-10-20T14:03:00Z", "datacontenttype": "application/json", "data": claim(number),
    }  # fmt: skip
    return orjson.dumps(envelope)


def events(first: int, count: int) -> Iterator[bytes]:
    """The events of `count` claims, from number `first` on."""
    return map(event, range(first, first + count))
