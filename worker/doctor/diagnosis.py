"""What the doctor found in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["well", "poor", "ill"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in one place."""

    level: Level
    about: str
    """The place: packages, state folder, Redis, ..."""
    sentence: str
    mend: str = ""
    """What to do; empty where all is well, or where the sentence says it."""
