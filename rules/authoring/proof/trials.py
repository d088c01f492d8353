"""Claims to try rules on: every example of every rule, and every claim of the corpus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from rules.authoring.proof.audience import Documents
from rules.authoring.stories import Story
from rules.authoring.trial import ROLES, book_of, examples_of
from rules.book.book import Book
from rules.book.rule import Rule
from rules.case import Location
from rules.claim import Role, read_claim
from rules.engine.check import check
from rules.errors import ClaimInvalid
from rules.history import History
from rules.report import Outcome, Report

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEPT = "birth_date"


@dataclass(frozen=True, slots=True)
class TrialClaim:
    """A claim as decoded JSON, with what it is judged with."""

    name: str
    """Where it stands: `procedures/<CODE>/medicare/UNT001-one-unit: two units`."""
    data: Mapping[str, Any]
    role: Role
    history: History
    tables: Mapping[str, tuple[str, ...]]
    rule: str | None = None
    """The rule file whose example it is."""
    index: int = 0
    """Its place among the examples."""
    expect: Outcome | None = None
    locations: tuple[Location, ...] = ()
    """What the hospital's overrides list as enrolled."""

    @property
    def day(self) -> date | None:
        """The first line's date of service."""
        text = self.data["lines"][0].get("service_date")
        return date.fromisoformat(text) if isinstance(text, str) and _DAY.fullmatch(text) else None

    def on(self, day: date) -> TrialClaim:
        """The same claim with its first line on that day, and all its other dates as far from it as they were."""
        return replace(self, data=_moved(self.data, day - self.day)) if self.day else self

    def report(self, book: Book) -> Report | None:
        """What the book says of it; None: it is no claim any more."""
        try:
            claim = read_claim(dict(self.data))
        except ClaimInvalid:
            return None
        return check(claim, book_of(book, claim, self.tables, self.locations), history=self.history)


def _moved(value: Any, by: timedelta, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _moved(part, by, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_moved(part, by, key) for part in value]
    if key == _KEPT or not isinstance(value, str) or not _DAY.fullmatch(value):
        return value
    return (date.fromisoformat(value) + by).isoformat()


def trial_claims(book: Book, documents: Documents, stories: Iterable[Story] = ()) -> list[TrialClaim]:
    """The claims, examples first; those of retired rules are left out."""
    found = [one for rule in book.rules if rule.status != "retired" for one in _of_rule(book, rule, documents)]
    for story in stories:
        role: Any = story.bills_as
        found.append(TrialClaim(f"{story.file}: {story.name}", story.data, role, story.history, story.tables))
    return found


def _of_rule(book: Book, rule: Rule, documents: Documents) -> list[TrialClaim]:
    document = documents[rule.file]
    first = ROLES[min(map(ROLES.index, rule.bills_as))]
    return [
        TrialClaim(
            f"{rule.file}: {one.name}", one.data, document.data["examples"][one.index].get("bills_as", first),
            one.history, one.tables, rule.file, one.index, one.expect, one.locations,
        )
        for one in examples_of(book, rule, document)
    ]  # fmt: skip
