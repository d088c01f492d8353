"""The documents that the book rests on: sources.yaml, one entry a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rules.tables.cadence import period_end
from rules.terms import Cadence, Grade
from rules.values import iso_date

Day = Annotated[date, BeforeValidator(iso_date)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Watch(_Shape):
    """Something that is known to change, or may, and that somebody must look up: the document is the place to look."""

    due: Day
    """From this day on the book names it, until the item is taken out."""
    what: Annotated[str, Field(min_length=1)]
    """What will change, or may."""
    rules: Annotated[tuple[str, ...], Field(min_length=1)]
    """Codes of the rules that it may change."""


class Source(_Shape):
    """One document. `starts` is the first date of service that it speaks for; a rule version may not start earlier."""

    title: str
    publisher: str
    edition: str | None = None
    starts: Day
    url: str | None = None
    grade: Grade
    """The best grade that a citation of this document may carry."""
    retrieved: Day | None = None
    review_by: Day | None = None
    """After this day the document wants to be looked at again."""
    cadence: Cadence | None = None
    """How often its publisher brings out a new edition; this one speaks for the period of `starts`."""
    last_day: Day | None = None
    """The last date of service that this edition speaks for, where no cadence says it: later claims are judged by what
    has a successor."""
    watch: tuple[Watch, ...] = ()
    """What is to be looked up, each from its day on."""

    @property
    def ends(self) -> date | None:
        """The last date of service that this edition speaks for; None: until it is revised, whenever that is."""
        return self.last_day or (period_end(self.cadence, self.starts) if self.cadence else None)

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.cadence and self.last_day:
            raise ValueError("`cadence` and `last_day` both say when the edition ends: give one of them")
        if self.last_day and self.last_day < self.starts:
            raise ValueError("`last_day` is before `starts`")
        return self


def past_review(sources: Mapping[str, Source], day: date) -> list[str]:
    """Keys of the sources whose review day lies before this day, in order."""
    return sorted(key for key, source in sources.items() if source.review_by and source.review_by < day)


def due_items(sources: Mapping[str, Source], day: date) -> Iterator[tuple[str, int, Watch]]:
    """What is to be looked up on this day: source, place among its items, and the item, the oldest first."""
    found = [(key, at, item) for key, source in sources.items() for at, item in enumerate(source.watch)]
    yield from sorted((entry for entry in found if entry[2].due <= day), key=lambda entry: (entry[2].due, entry[0]))
