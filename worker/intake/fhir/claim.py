"""A FHIR R4 Claim in the form of the claim model, with the resources that it refers to: the tables in fields.py, run.

A Claim in which no item has a CPT or HCPCS code is read as far as it goes, since nothing of it is judged: it is
unchecked. In every other Claim, what is in doubt refuses the claim with its element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rules.errors import Problem
from rules.unread import mattering
from worker.intake.fhir.fields import CHECKS, FIELDS, Field
from worker.intake.fhir.node import Node, Notes, Resource, Targets
from worker.intake.fhir.passed import look_over
from worker.intake.fhir.reading import Reading, reading_of
from worker.intake.fhir.scopes import SCOPES

Scopes = dict[str, list[Node]]
_SCOPES = {scope.name: scope for scope in SCOPES}
_REPEATED = {"lines[].": "Claim.item", "other_payers[].": "Claim.insurance[other]"}
_LISTS = (
    "diagnoses", "reason_diagnoses", "modifiers", "diagnosis_pointers", "related_causes", "present_on_admission",
    "condition_codes", "occurrences", "occurrence_spans", "value_codes",
)  # fmt: skip
_NO_CHARGE = "has neither net nor unitPrice, so that its charge is not known"
_NO_PAYER = "no payer id: expected Claim.insurer or Coverage.payor with an identifier, or an Organization that has one"


@dataclass(frozen=True, slots=True)
class Filled:
    """That a row filled a field of the claim, and from which object."""

    row: Field
    at: Node


def claim_of(
    value: Resource, targets: Targets, filled: list[Filled] | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """The claim, not yet validated, and every problem of reading it; with a problem the claim is not to be used.

    `filled`: is told which row filled what.
    """
    notes = Notes()
    claim = Node(value, "Claim", targets.within(value), notes)
    reading = reading_of(claim)
    look_over(claim)
    for check in _CHECKS:
        check(reading)
    scopes: Scopes = {"Claim": [claim]}
    found = _filled("", scopes, reading, filled)
    for prefix, name in _REPEATED.items():
        nodes = _nodes(name, scopes, reading)
        each = [_filled(prefix, {"Claim": [claim], name: [one]}, reading, filled) for one in nodes]
        found[prefix.partition("[")[0]] = each
    _complete(found, reading)
    if passed := sorted(notes.passed & _MATTERING):
        found["not_read"] = passed
    if notes.odd:
        found["oddities"] = sorted(notes.odd)
    return found, notes.problems + notes.doubts if reading.judged else notes.problems


def _complete(found: dict[str, Any], reading: Reading) -> None:
    """What every claim has: the only doubts that are not of an element that is there."""
    found["frequency_code"] = found["frequency_code"] or "1"
    if found["payer"]["id"] is None:
        reading.claim.doubt("insurer", _NO_PAYER)
        found["payer"]["id"] = "unknown"
    for item, line in zip(reading.items, found["lines"], strict=True):
        if line["charge"] is None and not reading.claim.notes.problems:
            item.doubt("", _NO_CHARGE)
            line["charge"] = "0.00"


def _filled(prefix: str, scopes: Scopes, reading: Reading, filled: list[Filled] | None) -> dict[str, Any]:
    """The fields of the claim, of a line or of another payer."""
    found: dict[str, Any] = {}
    for path, rows in _ROWS[prefix, (reading.form or " ")[0].upper()]:
        value = None
        for row in rows:
            if value is not None and value != []:
                _pass_by(row, scopes, reading)
                continue
            value, node = _value(row, scopes, reading)
            if filled is not None and value is not None and value != []:
                filled.append(Filled(row, node))
        _put(found, path, value)
    payer = found.get("payer")
    known = {key: _known(value) for key, value in found.items()}
    return {**known, "payer": {key: _known(value) for key, value in payer.items()}} if payer else known


def _pass_by(row: Field, scopes: Scopes, reading: Reading) -> None:
    """An element that could have filled a field, had no other."""
    if (
        not row.quiet
        and row.place in _MATTERING
        and any(node.value.get(row.element) for node in _nodes(row.at, scopes, reading))
    ):
        reading.claim.notes.passed.add(row.place)


def _value(row: Field, scopes: Scopes, reading: Reading) -> tuple[Any, Node]:
    """What the objects of the scope say; two that say different things are a doubt."""
    nodes = _nodes(row.at, scopes, reading)
    values: list[tuple[Any, Node]] = []
    for node in nodes:
        if row.element not in node.value and not any(name in node.value for name in row.also):
            continue
        value = row.convert(node, row.element, reading)
        if value is not None:
            values.append((value, node))
            if row.first:
                break
        elif not row.quiet and node.value.get(row.element):
            node.notes.passed.add(row.place)
    if not values:
        return None, reading.claim
    if any(value != values[0][0] for value, _ in values):
        what = Node({}, row.at.partition("[")[0], reading.claim.targets, reading.claim.notes)
        what.doubt("", f"{len(values)} of one kind say different things of what a claim says once ({row.path})")
    return values[0]


def _nodes(name: str, scopes: Scopes, reading: Reading) -> list[Node]:
    if name not in scopes:
        scope = _SCOPES[name]
        scopes[name] = [one for parent in _nodes(scope.parent, scopes, reading) for one in scope.find(parent, reading)]
    return scopes[name]


def _put(found: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        found = found.setdefault(step, {})
    found[last] = [] if value is None and last in _LISTS else value


def _known(value: Any) -> Any:
    """None where nothing is known: an object of nulls says no more."""
    if not isinstance(value, dict):
        return value
    inner = {key: _known(one) for key, one in value.items()}
    return None if all(one is None for one in inner.values()) else inner


def _rows(prefix: str, rows: Iterable[Field]) -> Iterator[tuple[str, list[Field]]]:
    """Field by field, the rows that may fill it."""
    for path in dict.fromkeys(row.path for row in rows):
        short = path.removeprefix(prefix)
        if path.startswith(prefix) and "[]." not in short:
            yield short, [row for row in rows if row.path == path]


_ROWS = {
    (prefix, form): [
        (path, [row for row in rows if form in row.forms or form == " "]) for path, rows in _rows(prefix, FIELDS)
    ]
    for prefix in ("", *_REPEATED)
    for form in "PI "
}
"""By the form; of a claim without one, which is refused, all of them."""
_MATTERING = frozenset(mattering("F"))
_CHECKS = tuple(dict.fromkeys(one.check for one in CHECKS))
