"""What was looked for and not found: missing.yaml, by payer or payer/plan. A book need not have one.

No verdict rests on it. It is for the page that says what stands behind a clean claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from rules.book.conditions import did_you_mean
from rules.book.rulefile import Day, Text, YamlDocument, YamlModel, validated
from rules.payers import Registry

MISSING = "missing.yaml"


class MissingText(YamlModel):
    """One text of a payer that no rule rests on, since nobody found it."""

    about: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """Three letters of the codes that would rest on it, such as BND."""
    what: Text
    """The text in a few words, as one says it to a biller."""
    looked: Day | None = None
    """The last day on which somebody looked for it; without it: nobody has yet."""
    where: Text
    """Where it was looked for, or where it would be."""


def read_missing(document: YamlDocument, registry: Registry) -> Mapping[str, tuple[MissingText, ...]]:
    """The texts of missing.yaml by payer or payer/plan, in the order of the file; what is wrong with it is noted in the
    document."""
    found: dict[str, tuple[MissingText, ...]] = {}
    if document.problems:
        return found
    if not isinstance(document.data, dict):
        document.complain((), "expected payers, each with a list of texts that were not found")
        return found
    names = tuple(name for name in registry.names if name not in registry.groups)
    for name, entries in document.data.items():
        if name not in names:
            document.complain((name,), f"unknown payer {name!r}{did_you_mean(name, names)}")
        elif not isinstance(entries, list):
            document.complain((name,), "expected a list of texts")
        else:
            read = (validated(document, MissingText, one, (name, place)) for place, one in enumerate(entries))
            found[name] = tuple(one for one in read if one)
    return found
