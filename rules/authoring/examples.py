"""A rule file's examples: each a claim written as a small difference from the base claim of its form."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from rules.claim import Role
from rules.procedures import Procedure, shipped

PLAIN: Mapping[str, Any] = {
    "claim_id": "EXAMPLE",
    "received_date": "2026-07-20",
    "payer": {"id": "00000", "responsibility": "P"},
    "subscriber": {"member_id": "1EG4TE5MK73"},
    "patient": {"birth_date": "1970-03-02", "sex": "F"},
    "billing_provider": {
        "npi": "1234567893",
        "taxonomy": "208VP0000X",
        "entity": "organization",
        "state": "TX",
        "participating": True,
    },
    "diagnoses": ["Z98.890"],
}
LINE: Mapping[str, Any] = {
    "units": "1",
    "unit_basis": "UN",
    "charge": "450.00",
    "service_date": "2026-07-13",
}
BASES: Mapping[Role, Mapping[str, Any]] = {
    "practitioner": {
        "form": "professional",
        "place_of_service": "11",
        "rendering_provider": {"npi": "1234567893", "taxonomy": "208VP0000X"},
    },
    "asc": {
        "form": "professional",
        "place_of_service": "24",
        "billing_provider": {"taxonomy": "261QA1903X", "npi": "1234567893"},
    },
    "hospital_outpatient": {
        "form": "institutional",
        "type_of_bill": "0131",
        "statement_from_date": "2026-07-13",
        "statement_through_date": "2026-07-13",
        "attending_provider": {"npi": "1245319599"},
    },
}
LINES: Mapping[Role, Mapping[str, Any]] = {
    "practitioner": {"diagnosis_pointers": [1]},
    "asc": {"diagnosis_pointers": [1]},
    "hospital_outpatient": {"revenue_code": "0361"},
}
MEDICARE: Mapping[str, str] = {"professional": "MB", "institutional": "MA"}
"""The part of Medicare that takes claims of that form."""
_WHOLE = {"number", "diagnosis_pointers", "diagnosis", "group"}


def example_claim(
    role: Role, difference: Mapping[str, Any], payer: Mapping[str, Any], package: Procedure | None = None
) -> dict[str, Any]:
    """The base claim of the role and the procedure with the difference applied to it, as decoded JSON; default: the
    first procedure that ships.

    Mappings merge, other values replace, null removes. Each entry of `lines` is applied to the base line and
    numbered by its place; the total charge follows the lines unless the difference states it; a service date
    on the first line moves the statement dates and the date of receipt along unless they are stated.
    """
    package = package or shipped()[0]
    if payer.get("filing_indicator") in MEDICARE.values():
        payer = {**payer, "filing_indicator": MEDICARE[BASES[role]["form"]]}
    claim = merged(merged(merged(PLAIN, BASES[role]), package.example.claim), {"payer": payer})
    lines = difference.get("lines") or [{}]
    claim = merged(claim, {key: value for key, value in difference.items() if key != "lines"})
    base = merged(merged(LINE, LINES[role]), {"procedure": package.codes[0], **package.example.line})
    claim["lines"] = [{"number": place, **merged(base, line)} for place, line in enumerate(lines, 1)]
    first = claim["lines"][0].get("service_date")
    if first and first != LINE["service_date"]:
        for key in ("statement_from_date", "statement_through_date", "received_date"):
            if key in claim and key not in difference:
                claim[key] = first
    if "total_charge" not in difference:
        claim["total_charge"] = _sum(claim["lines"])
    typed: dict[str, Any] = _typed(claim)
    return typed


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge, other values replace, null stays as null."""
    result = dict(base)
    for key, value in over.items():
        under = result.get(key)
        result[key] = merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return result


def _sum(lines: list[dict[str, Any]]) -> str:
    try:
        return str(sum((Decimal(str(line.get("charge"))) for line in lines), Decimal(0)))
    except InvalidOperation:
        return "0"


def _typed(value: Any, key: str = "") -> Any:
    """Rule files hold strings alone; the claim has whole numbers and flags where its model says so."""
    if isinstance(value, Mapping):
        return {name: _typed(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_typed(part, key) for part in value]
    if key in _WHOLE and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
