"""What was billed before for the claim's patient, as far as a rule may know it: no name, no member id, no birth date.

Who the patient is, and which earlier claims no longer count (replaced, voided, rejected by the payer), is settled
before: what is here is of the same person, or may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from rules.claim import Role

State = Literal["not_consulted", "consulted", "no_member_id"]
Side = Literal["LT", "RT", "50", ""]
Relation = Literal["other", "copy", "version"]


@dataclass(frozen=True, slots=True)
class Billed:
    """One line that went to billing under an earlier claim."""

    claim_id: str
    relation: Relation
    """other: another claim; copy: this very claim, to the letter; version: this claim with other content."""
    procedure: str
    day: date
    last_day: date
    side: Side
    """LT, RT, 50 for both, or nothing where the line names no side."""
    lifts: tuple[str, ...]
    """Its modifiers that can tell a block from another of the same day."""
    units: Decimal | None
    npi: str | None
    """Of the billing provider."""
    bills_as: Role
    certain: bool
    """Whether it is this patient for sure: birth date, and sex or first name, are known on both claims and agree."""

    def __str__(self) -> str:
        return f"{self.claim_id} of {self.day}"


@dataclass(frozen=True, slots=True)
class History:
    """The earlier lines, in no order."""

    state: State = "not_consulted"
    billed: tuple[Billed, ...] = ()
    superseded_by: str | None = None
    """Inbox entry of a later version of this claim that was decided before this one."""


NOT_CONSULTED = History()
NO_MEMBER_ID = History("no_member_id")
NOTHING_BILLED = History("consulted")
