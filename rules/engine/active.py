"""A rule in force, and the rules of a claim and its lines in one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rules.book.assignment import Assigned
from rules.book.rule import Version
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


ScopedRules = tuple[tuple[int, Active], ...]
"""Rules in the order of judging, each with the number of its scope: 0 the claim as a whole, then each line."""
