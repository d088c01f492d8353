"""Writes docs/not-read.md from the readers' own list: `python -m ops.notread`; `--check` fails where it is stale."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ops import generated
from ops.fhirelements import elements
from rules.unread import ODDITIES, UNREAD, Unread
from worker.intake.x12.fields import CHECKED, DIAGNOSES, FIELDS, Form
from worker.intake.x12.guide import all_segments

FILE = generated.ROOT / "docs" / "not-read.md"
_FORMS = {"P": "837P", "I": "837I", "PI": "both", "F": "FHIR"}
_HEAD = """# What is not read

Written by `make schemas` from [rules/unread.py](../rules/unread.py); what is read is in
`worker/intake/x12/fields.py` and `worker/intake/fhir/fields.py`.

A claim that holds one of the first list is noted with its place in `not_read` (`2300 PWK`; never a value). Where a
rule that applies to the claim would have asked it, the report has a gap `field_not_read` that names the rule; nothing
else changes, and the claim goes where it would have gone. A segment that the guide does not have where it stands is
named in `oddities`, as is what stands twice where it may stand once; where it may be what is left of a level or a
claim, it refuses what follows. So does a key of JSON that the claim model does not know, an element that no FHIR R4
Claim has, and a `modifierExtension`; other extensions add to what is said and never change it.

## What a rule could ask
"""

_FHIR = """## A FHIR Claim, element by element

Every element that an R4 Claim has, and then those of what it refers to, by
[the table that reads it](../worker/intake/fhir/fields.py): the fields of the claim that it fills, itself or through
what it refers to, or why it is not read.
"""


def page() -> str:
    """The text of the page."""
    asked = [one for one in UNREAD if one.rules]
    other = [one for one in UNREAD if not one.rules]
    first = _table(("place", "form", "what it says", "rules"), ([*_row(one), ", ".join(one.rules)] for one in asked))
    second = _table(("place", "form", "why no rule asks it"), map(_row, other))
    odd = _table(("word", "what it says"), ([f"`{word}`", says.format(place="...")] for word, says in ODDITIES.items()))
    fhir = _table(("element", "what becomes of it"), elements())
    every = _table(("loop", "form", "segment", "what becomes of it"), _every())
    return (
        f"{_HEAD}\n{first}\n\n## What no rule asks\n\n{second}\n\n## What is odd and read all the same\n\n{odd}\n\n"
        f"## Every segment of the guides\n\n{every}\n\n{_FHIR}\n{fhir}\n"
    )


def outcome(form: Form, loop: str, segment: str) -> str:
    """What becomes of a segment of the guides: the fields that it fills, or how it is classed; empty: neither."""
    name = segment.partition("*")[0]
    rows = [row for row in FIELDS if form in row.forms and row.loop == loop]
    paths = [row.path for row in rows if row.segment in (segment, name)]
    if (loop, segment) == ("2300", "HI"):
        paths += [path for path in DIAGNOSES.values() if path]
    if paths:
        return "read: " + ", ".join(f"`{path}`" for path in dict.fromkeys(paths))
    if any((row.loop, row.segment) == (loop, segment) and form in row.forms for row in CHECKED):
        return "read, and refused where it changes what others mean"
    for place in (f"{loop} {segment}", f"{loop} {name}", segment, name):
        for one in UNREAD:
            if form in one.forms and place in one.places():
                return "a rule could ask it: " + ", ".join(one.rules) if one.rules else "no rule asks it"
    return ""


def _every() -> Iterable[list[str]]:
    kinds: dict[tuple[str, str, str], list[str]] = {}
    forms: tuple[Form, ...] = ("P", "I")
    for form in forms:
        for loop, segment in all_segments(form):
            kinds.setdefault((loop, form, outcome(form, loop, segment)), []).append(segment)
    merged: dict[tuple[str, str, str], str] = {}
    for (loop, form, what), segments in kinds.items():
        key = (loop, what, ", ".join(f"`{one}`" for one in segments))
        merged[key] = merged.get(key, "") + form
    return [[loop, _FORMS[forms], segments, what] for (loop, what, segments), forms in sorted(merged.items())]


def _row(one: Unread) -> list[str]:
    places = ", ".join(f"`{place}`" for place in one.places())
    return [places if one.loop else f"{places} of any loop", _FORMS[one.forms], one.why]


def _table(head: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    sys.exit(generated.write({FILE: page()}, "make schemas"))
