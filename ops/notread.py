"""Writes docs/not-read.md from the readers' own list: `python -m ops.notread`; `--check` fails where it is stale."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ops import generated
from rules.unread import UNREAD, Unread

FILE = generated.ROOT / "docs" / "not-read.md"
_FORMS = {"P": "837P", "I": "837I", "PI": "both", "F": "FHIR"}
_HEAD = """# What is not read

Written by `make schemas` from [rules/unread.py](../rules/unread.py); what is read is in
`worker/intake/x12/fields.py` and `worker/intake/fhir.py`.

A claim that holds one of the first list is noted with its place in `not_read` (`2300 PWK`; never a value). Where a
rule that applies to the claim would have asked it, the report has a gap `field_not_read` that names the rule; nothing
else changes, and the claim goes where it would have gone. A segment of an 837 that is neither read nor in a list is
none of the guides, and refuses the claim; so does a key of JSON that the claim model does not know. Elements of a FHIR
Claim that are in no list are passed over.

## What a rule could ask
"""


def page() -> str:
    """The text of the page."""
    asked = [one for one in UNREAD if one.rules]
    other = [one for one in UNREAD if not one.rules]
    first = _table(("place", "form", "what it says", "rules"), ([*_row(one), ", ".join(one.rules)] for one in asked))
    second = _table(("place", "form", "why no rule asks it"), map(_row, other))
    return f"{_HEAD}\n{first}\n\n## What no rule asks\n\n{second}\n"


def _row(one: Unread) -> list[str]:
    places = ", ".join(f"`{place}`" for place in one.places())
    return [places if one.loop else f"{places} of any loop", _FORMS[one.forms], one.why]


def _table(head: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    sys.exit(generated.write({FILE: page()}, "make schemas"))
