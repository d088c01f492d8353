"""What the tables of the 837's syntax are made of: a slot is a segment in its loop, with its elements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Element:
    """An element or component; `parts`: its components, where it is a composite."""

    usage: str
    """R required, S situational, N not used."""
    kind: str = ""
    """AN, ID, N0, N2, R, DT or TM."""
    least: int = 0
    most: int = 0
    codes: frozenset[str] = frozenset()
    parts: tuple[Element, ...] = ()


def _never(_text: str) -> object:
    return None


@dataclass(eq=False, slots=True)
class Slot:
    """A segment in its loop. Compared and hashed by identity: `ordercheck` keeps what it found of rows of slots."""

    loop: str
    segment: str
    name: str
    """`REF*EI`: with its qualifier, where it has one that tells it from others."""
    required: bool
    most: int
    """0: any number."""
    order: int
    notes: tuple[str, ...]
    elements: tuple[Element, ...]
    opens: bool = False
    """Whether it is the first of its loop."""
    follow: dict[str, Slot | dict[str, Slot]] = field(default_factory=dict)
    """Of its loop."""
    match: Callable[[str], object] = _never
    """Answers what is true where nothing is wrong with the text of a segment; see `patterns`."""


@dataclass(eq=False, slots=True)
class Misplaced:
    """Stands for a segment that has no slot where it stands."""

    loop: str
    name: str
    known: bool
    """Whether the guide has it elsewhere in the claim."""


Entry = Slot | dict[str, Slot]
"""What a segment's name leads to; where several slots of a loop share it, by the first element."""
