"""Which rules meet which claims: the kind of a claim, and a rule as one kind of claim meets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rules.book.rule import Rule
from rules.case import Case
from rules.claim import VOID, Role
from rules.payers import Selection
from rules.report import OverrideId
from rules.terms import Severity


class ClaimKind(NamedTuple):
    """What decides which rules meet a claim."""

    selection: Selection
    role: Role
    void: bool
    """Whether it voids another claim."""
    consulted: bool
    """Whether its history is known."""
    provider: str | None = None
    """Billing NPI, where an override names it."""


def kind_of(case: Case) -> ClaimKind:
    """The kind of a claim."""
    return ClaimKind(
        case.selection, case.role, case.claim.frequency_code == VOID, case.history.state == "consulted", case.provider
    )


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rule as one kind of claim meets it."""

    rule: Rule
    at_most: Severity | None = None
    """A ceiling on its severity: rules that a Medicare Advantage plan takes over from Medicare."""
    override: OverrideId | None = None
    """The override of the hospital that touches it."""
    published: bool = False
    """Whether it is the book's own, where that override put something else, or nothing, in its place."""
    observed: str | None = None
    """Name of the override by which what it finds is on record and routes nothing."""
