"""What becomes of each element of a FHIR Claim, and of what it refers to, by the tables that read it.

A part of docs/not-read.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.unread import UNREAD
from worker.intake.fhir.fields import FIELDS, elements_read
from worker.intake.fhir.passed import ELEMENTS, unread
from worker.intake.fhir.scopes import SCOPES, bases


def elements() -> Iterator[list[str]]:
    """Each element of an R4 Claim: the fields it fills, where it leads to, or why it is not read."""
    base = bases()
    filled: dict[str, dict[str, None]] = {}
    for row in FIELDS:
        for place in (*(f"{base[row.at]}.{name}" for name in (row.element, *row.also)), *row.behind):
            filled.setdefault(place, {})[f"`{row.path}`"] = None
    for scope in SCOPES:
        place = f"{base[scope.parent]}.{scope.element}"
        filled.setdefault(place, {}).update({f"`{row.path}`": None for row in FIELDS if row.at in _below(scope.name)})
    for name, names in ELEMENTS.items():
        if name in unread():
            continue
        for place in (f"{name}.{element}" for element in names):
            passed = [one for one in UNREAD if "F" in one.forms and place in one.places()]
            said = [one.why if not one.rules else f"not read where {one.why}: {', '.join(one.rules)}" for one in passed]
            if place in elements_read():
                said.insert(0, ", ".join(filled.get(place) or ["decides how the claim is read"]))
            yield [f"`{place}`", "; ".join(said)]


def _below(name: str) -> set[str]:
    """A scope and those that are reached through it alone, beside the Claim's own objects."""
    inner = [scope.name for scope in SCOPES if scope.parent == name and not scope.name.startswith("Claim.")]
    return {name, *(one for each in inner for one in _below(each))}
