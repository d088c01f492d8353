"""The documents that the book rests on: sources.yaml, one entry a document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from rules.claim import iso_date
from rules.terms import Grade

Day = Annotated[date, BeforeValidator(iso_date)]


class Source(BaseModel):
    """One document. `starts` is the first date of service that it speaks for; a rule version may not start earlier."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    title: str
    publisher: str
    edition: str | None = None
    starts: Day
    url: str | None = None
    grade: Grade
    """The best grade that a citation of this document may carry."""
    retrieved: Day | None = None
    last_day: Day | None = None
    """The last date of service that this edition speaks for; later claims are judged by what has a successor."""
    review_by: Day | None = None
    """After this day the document wants to be looked at again."""


def past_review(sources: Mapping[str, Source], day: date) -> list[str]:
    """Keys of the sources whose review day lies before this day, in order."""
    return sorted(key for key, source in sources.items() if source.review_by and source.review_by < day)
