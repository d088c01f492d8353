"""A rule in force, and the rules of a claim and its lines in one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rules.book.assignment import Assigned
from rules.book.rule import Version
from rules.case import Case
from rules.facts import Facts


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """A rule with its version of the day; equal only to itself."""

    assigned: Assigned
    version: Version
    is_quiet: Callable[[Facts], bool]
    """Whether it has nothing to say."""
    order: int
    """Among all that are in force: a rule that is taken over comes after the payer's own."""


class ScopePlan(NamedTuple):
    """What is to be judged of the claim as a whole, or of one line."""

    active: tuple[Active, ...]
    tabled: tuple[Active, ...]
    """Those of them that look into a dated table: the report names the edition that judged."""
    lapsed: tuple[Active, ...] = ()
    """Gaps where rules that ended would have asked; they are not among the active ones, and do not count as run."""

    @property
    def judging(self) -> tuple[Active, ...]:
        """All that may find something."""
        return self.active + self.lapsed


Cases = tuple[Case, ...]
"""The claim as the form rules see it, as the rules on all lines do where the book has any, then as the rules of each
procedure that it carries do."""
Scope = tuple[int, int]
"""Place of the layer among those that judge the claim, then 0 for the claim as a whole, else the place of the line."""
ScopedRules = tuple[tuple[Scope, Active], ...]
"""Rules in the order of judging, each with its scope."""
AllFacts = Sequence[Sequence[Facts]]
"""By layer the facts of the claim, then those of each line."""
