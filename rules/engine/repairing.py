"""Repairs of form: values of a held claim that are written otherwise and stay what they are. A closed list: dots,
blanks, dashes and capitals of diagnoses, procedures, modifiers, NPIs, NDCs and member ids, where a rule suggests it.

A person confirms one; what comes of it is judged as any claim is. Nothing here sends or applies anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from rules.book.book import Book
from rules.claim import Claim
from rules.engine.steps import as_plain
from rules.engine.suggesting import Suggestion, suggestions_of
from rules.report import Repaired, Report


def repairs_of(claim: Claim, report: Report, book: Book, *, received: date | None = None) -> tuple[Suggestion, ...]:
    """What is suggested of this claim that is of form alone, the likeliest of each finding."""
    found = suggestions_of(claim, report, book, received=received)
    alone = [one for one in found if {step["class"] for step in one.operations} == {"format"}]
    first = {one.key[:-1]: one for one in reversed(alone)}
    return tuple(one for one in alone if first[one.key[:-1]] is one)


def same_value(was: Any, becomes: Any) -> bool:
    """Whether two texts are one value, written otherwise."""
    return isinstance(was, str) and isinstance(becomes, str) and _bare(was) == _bare(becomes) != ""


def _bare(text: str) -> str:
    return as_plain(text).replace(".", "")


def repaired(report: Report, said: Repaired, also: str | None = None) -> Report:
    """The report on a repaired claim, which the book has judged as any other. `also`: why it does not go, whatever the
    book says."""
    if also is None:
        return replace(report, repaired=said)
    return replace(report, disposition="rework", observed=None, repaired=replace(said, refused=also))
