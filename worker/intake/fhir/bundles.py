"""The Claims among the resources of a Bundle or of a line, in order, and what else is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from rules.errors import Problem
from rules.problems import MOST
from worker.intake.fhir.claim import claim_of
from worker.intake.fhir.fields import source_of
from worker.intake.fhir.node import Node, Notes, Resource, Targets

_REFERRED = frozenset((
    "ClaimResponse", "Condition", "Coverage", "Location", "Organization", "Patient", "Practitioner",
    "PractitionerRole", "Procedure", "RelatedPerson", "ServiceRequest",
))  # fmt: skip
_BUNDLES = ("collection", "batch", "searchset", "transaction", "document", "message")


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One resource of the input: a claim, a claim that cannot be read, or a resource that is no claim."""

    number: int
    """Position in the Bundle, from 1; 0 outside of one."""
    kind: str
    """Resource type; `unnamed` where it is no type's name."""
    claim: dict[str, Any] | None = None
    """In the form of the claim model, not yet validated."""
    problems: tuple[Problem, ...] = ()


def read_fhir(value: Resource, known: Targets) -> Iterator[BundleEntry]:
    """Every resource of a decoded resource or Bundle, in order; a Bundle in a Bundle gives the entry of the outer one.

    `known`: what references may point to besides. A resource that a later Claim may refer to is added to it, so that
    a bulk file may hold Organizations, Patients and Coverages before its Claims.
    """
    kind = _kind(value)
    if kind == "Bundle":
        yield from _bundle(value, known)
    elif kind == "Claim":
        claim, problems = claim_of(value, known)
        yield BundleEntry(0, kind, None if problems else claim, tuple(dict.fromkeys(problems)))
    else:
        if kind in _REFERRED:
            known.add(value)
        yield BundleEntry(0, kind)


def with_source(problem: Problem) -> Problem:
    """A problem of the claim model, with the FHIR path that its field comes from."""
    source = source_of(re.sub(r"\[\d+\]", "[]", problem.safe_path))
    return replace(problem, sentence=f"{problem.sentence} ({source})") if source else problem


def _kind(value: Resource) -> str:
    kind = value.get("resourceType")
    return kind if isinstance(kind, str) and re.fullmatch(r"[A-Z][A-Za-z]{1,40}", kind) else "unnamed"


def _bundle(value: Resource, known: Targets) -> Iterator[BundleEntry]:
    rows = value.get("entry")
    entries: list[object] = rows if isinstance(rows, list) else [] if rows is None else [None]
    yield from read_entries(value, lambda: entries, known)


def read_entries(head: Resource, entries: Callable[[], Iterable[object]], known: Targets) -> Iterator[BundleEntry]:
    """The resources of a Bundle, whose entries are gone through twice: for what they may refer to, and for the claims.

    `head`: the Bundle, with or without its entries.
    """
    bundle = Node(head, "Bundle", Targets(), Notes())
    problems = bundle.notes.problems
    if bundle.text("type") not in _BUNDLES:
        bundle.note("type", f"expected a Bundle of type {', '.join(_BUNDLES)}")
    targets = Targets(known)
    for number, entry in enumerate(entries()):
        if not isinstance(entry, dict):
            bundle.note("entry", "expected a list of objects")
            break
        if not entry:
            continue
        node = Node(entry, f"Bundle.entry[{number}]", bundle.targets, bundle.notes)
        resource = node.object("resource").value
        kind = _kind(resource)
        # Of what no Claim refers to, no more than that it is there: two of one name point to neither.
        named = resource if kind in _REFERRED else {"resourceType": kind, "id": resource.get("id")}
        targets.add(named, node.text("fullUrl") or "")
        if len(problems) > MOST:
            break
    if problems:
        yield BundleEntry(0, "Bundle", problems=tuple(problems))
        return
    for number, entry in enumerate(entries(), 1):
        part = entry.get("resource") if isinstance(entry, dict) else None
        if not part:
            yield BundleEntry(number, "unnamed")
            continue
        for found in read_fhir(part, targets):
            yield BundleEntry(number, found.kind, found.claim, found.problems)
