"""A book with a second procedure: the shipped library and a package for 64447, made from that for 64445 by copying its
files and replacing the codes, the nerve and the rows. Its rows are made up: what a hospital's own would say is sourced."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rules.loader import LIBRARY
from rules.terms import PROCEDURES

FIRST, SECOND = "64445", "64447"
SHARED = ("mue", "ncci_ptp", "fee_schedule", "relative_values")
"""Tables that all packages share, with rows of the procedure."""
_SWAPPED = {FIRST: SECOND, SECOND: FIRST, "64446": "64448", "64448": "64446", "sciatic": "femoral"}
"""Examples of the first package name the second as another nerve."""


def _told(text: str) -> str:
    return re.sub("|".join(_SWAPPED), lambda found: _SWAPPED[found[0]], text)


def book_of_two(place: Path) -> Path:
    """The folder of that book."""
    folder = place / "two"
    shutil.copytree(LIBRARY, folder)
    package = folder / PROCEDURES / SECOND
    for file in (folder / PROCEDURES / FIRST).rglob("*"):
        if file.is_file():
            path = package / file.relative_to(folder / PROCEDURES / FIRST)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_told(file.read_text("utf-8")), "utf-8")
    for name in SHARED:
        head, *rows = (folder / "tables" / f"{name}.csv").read_text("utf-8").splitlines()
        own = [_told(row) for row in rows if FIRST in row]
        (package / "tables" / f"{name}.csv").write_text("\n".join([head, *own, ""]), "utf-8")
    return folder
