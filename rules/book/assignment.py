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

OF_MEDICARE = "(This is Medicare's own rule; whether this Medicare Advantage plan follows it was not read.)"
"""What a finding adds where a plan takes the rule over: CMS's text is not the plan's."""
OF_PAYER = "(This is a rule of {payer}; that it binds {plan} was not read.)"
OF_HOST = "(By the prefix of the member id this is another plan's member: that plan decides.)"
OF_HOME = "(By the prefix of the member id this is a member of {plan}: that plan decides.)"


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
    carried: frozenset[str] = frozenset()
    """The groups of fields that are there to be asked."""


def kind_of(case: Case) -> ClaimKind:
    """The kind of a claim."""
    return ClaimKind(
        case.selection, case.role, case.claim.frequency_code == VOID, case.history.state == "consulted", case.provider,
        case.carried,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rule as one kind of claim meets it."""

    rule: Rule
    at_most: Severity | None = None
    """A ceiling on its severity, where it is not certain that it binds the plan."""
    override: OverrideId | None = None
    """The override of the hospital that touches it."""
    published: bool = False
    """Whether it is the book's own, where that override put something else, or nothing, in its place."""
    whose: str = ""
    """A sentence for the finding, where there is a ceiling: whose rule it is."""
    observed: str | None = None
    """Name of the override by which what it finds is on record and routes nothing."""
