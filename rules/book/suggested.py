"""The closed list of changes that a rule file may suggest, as they are compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

ChangeClass = Literal["format", "decision", "follows"]
"""format: the same value, written as the form wants it; decision: a person decides by the record; follows: an amount or
a pointer that goes with another change."""
CHANGE_CLASSES: tuple[ChangeClass, ...] = get_args(ChangeClass)
Tidied = Literal["diagnoses", "member_id", "npis", "procedures", "modifiers", "ndcs"]
"""What may be written otherwise without becoming another value: blanks and dashes go, letters are capitals, and a
diagnosis code has its dot after the third character."""
THIS = "this"
"""In place of a fact: the line of the finding."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change as the rule file has it, before it meets a claim."""

    units: str | None = None
    """The units of the line."""
    charge_per_unit: bool = False
    """The line's charge is divided by its units."""
    swap: Mapping[str, str | None] | None = None
    """Modifiers of the line, each with what takes its place; None: it goes."""
    add: str | None = None
    """A modifier that is added."""
    remove_lines: str | None = None
    """The lines of this fact go."""
    remove_repeats: str | None = None
    """Those lines of this fact go that repeat the line of the finding: same side, same provider."""
    join_sides: str | None = None
    """The lines of this fact, LT and RT, become the line of the finding, with 50 and the charge of both."""
    split_sides: bool = False
    """The line with 50 becomes two, LT and RT, each with half of the charge."""
    total_of_lines: bool = False
    """The total charge becomes the sum of the lines."""
    frequency: str | None = None
    """The claim's frequency code."""
    distinct_diagnoses: bool = False
    """Each diagnosis stands once; pointers go where it stands."""
    tidy: Tidied | None = None
    on: str = THIS
    """The fact whose lines are changed."""
