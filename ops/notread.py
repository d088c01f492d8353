"""Writes docs/not-read.md from the readers' own list: `python -m ops.notread`; `--check` fails where it is stale."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from ops import generated
from rules.unread import UNREAD, Unread
from worker.intake.fhir.fields import FIELDS, SCOPES, elements_read
from worker.intake.fhir.passed import ELEMENTS, classed

FILE = generated.ROOT / "docs" / "not-read.md"
_FORMS = {"P": "837P", "I": "837I", "PI": "both", "F": "FHIR"}
_HEAD = """# What is not read

Written by `make schemas` from [rules/unread.py](../rules/unread.py); what is read is in
`worker/intake/x12/fields.py` and `worker/intake/fhir/fields.py`.

A claim that holds one of the first list is noted with its place in `not_read` (`2300 PWK`; never a value). Where a
rule that applies to the claim would have asked it, the report has a gap `field_not_read` that names the rule; nothing
else changes, and the claim goes where it would have gone. A segment of an 837 that is neither read nor in a list is
none of the guides, and refuses the claim; so does a key of JSON that the claim model does not know, and an element that
no FHIR R4 Claim has. A `modifierExtension` refuses it too; other extensions add to what is said and never change it.

## What a rule could ask
"""

_FHIR = """## A FHIR Claim, element by element

Every element that an R4 Claim has, by [the table that reads it](../worker/intake/fhir/fields.py): the fields of the
claim that it fills, itself or through what it refers to, or why it is not read.
"""


def page() -> str:
    """The text of the page."""
    asked = [one for one in UNREAD if one.rules]
    other = [one for one in UNREAD if not one.rules]
    first = _table(("place", "form", "what it says", "rules"), ([*_row(one), ", ".join(one.rules)] for one in asked))
    second = _table(("place", "form", "why no rule asks it"), map(_row, other))
    fhir = _table(("element", "what becomes of it"), _elements())
    return f"{_HEAD}\n{first}\n\n## What no rule asks\n\n{second}\n\n{_FHIR}\n{fhir}\n"


def _elements() -> Iterator[list[str]]:
    """Each element of an R4 Claim: the fields it fills, where it leads to, or why it is not read."""
    base = {scope.name: scope.name.partition("[")[0] for scope in SCOPES}
    filled: dict[str, dict[str, None]] = {}
    for row in FIELDS:
        for name in (row.element, *row.also):
            filled.setdefault(f"{base.get(row.at, row.at)}.{name}", {})[f"`{row.path}`"] = None
    for scope in SCOPES:
        place = f"{base.get(scope.parent, scope.parent)}.{scope.element}"
        filled.setdefault(place, {}).update({f"`{row.path}`": None for row in FIELDS if row.at in _below(scope.name)})
    for name, elements in ELEMENTS.items():
        if name in classed():
            continue
        for place in (f"{name}.{element}" for element in elements):
            passed = [one for one in UNREAD if "F" in one.forms and place in one.places()]
            said = [one.why if not one.rules else f"not read where {one.why}: {', '.join(one.rules)}" for one in passed]
            if place in elements_read():
                said.insert(0, ", ".join(filled.get(place) or ["decides how the claim is read"]))
            yield [f"`{place}`", "; ".join(said)]


def _below(name: str) -> set[str]:
    """A scope and those that are reached through it alone, beside the Claim's own objects."""
    inner = [scope.name for scope in SCOPES if scope.parent == name and not scope.name.startswith("Claim.")]
    return {name, *(one for each in inner for one in _below(each))}


def _row(one: Unread) -> list[str]:
    places = ", ".join(f"`{place}`" for place in one.places())
    return [places if one.loop else f"{places} of any loop", _FORMS[one.forms], one.why]


def _table(head: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    sys.exit(generated.write({FILE: page()}, "make schemas"))
