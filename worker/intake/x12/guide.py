"""Which segments the guides have in which loop of the reader, under which qualifiers: by the tables of syntax.

The reader's own loops (fields.py) take more than that, so that nothing is refused for a segment too many; what stands
in a loop and is not in the guide there is named on the claim (`oddities`).

Source: ASC X12N 005010X222A1/A2 (837P) and 005010X223A2/A3 (837I); a test holds the list to the maps of pyx12.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from worker.intake.x12.fields import Form
from worker.intake.x12.grammar import first_codes, grammar

_QUALIFIED = frozenset({"NM1", "REF", "DTP", "AMT", "PRV", "CRC", "QTY"})
_OPENERS = frozenset({"HL", "CLM"})
"""Segments that the reader knows before any loop."""
_TOGETHER: Mapping[Form, Mapping[str, str]] = {
    "P": {**{f"2330{letter}": "2330C-G" for letter in "CDEFG"}, **{f"2420{letter}": "2420B-H" for letter in "BDEFGH"}},
    "I": {**{f"2330{letter}": "2330C-I" for letter in "CDEFGHI"}, **{f"2420{letter}": "2420A-D" for letter in "ABD"}},
}
"""Loops of the guide that the reader holds for one, by its name for them."""


@cache
def segments_of(form: Form, loop: str) -> frozenset[str]:
    """The segments of a loop, as the reader names it, each with its qualifier where it has one: `REF*G1`. None of the
    loops above the levels."""
    return frozenset(name for where, name in all_segments(form) if where == loop)


def all_segments(form: Form) -> Iterator[tuple[str, str]]:
    """Loop and segment of all that a level, a claim or a line of the form may have."""
    together = _TOGETHER[form]
    found: dict[tuple[str, str], None] = {}
    for loop in grammar(form).loops.values():
        place = together.get(loop.name, loop.name)
        for slot in loop.slots if loop.name.startswith("2") else ():
            if slot.segment in _QUALIFIED:
                found |= dict.fromkeys((place, f"{slot.segment}*{code}") for code in sorted(first_codes(slot)))
            elif slot.segment not in _OPENERS:
                found[place, slot.segment] = None
    return iter(found)


KNOWN_NAMES = frozenset(name for form in _TOGETHER for _, name in all_segments(form))
"""Segments with their qualifiers that may be named in a sentence; any other may hold a piece of a name."""
