"""The last day on which a payer takes a claim: no rule says it, so the rules on filing are asked for each day."""

from __future__ import annotations

from datetime import timedelta

from rules.book.book import Book
from rules.claim import Claim
from rules.engine.check import check
from rules.report import Finding
from worker.desk.cases import LastDay
from worker.intake.plain import undated

FILING = "TIM001"
"""Code of the rules on the filing limit."""
_MOST = 2_000
"""Days after the last service within which a limit is looked for."""


def last_day(claim: Claim, book: Book) -> LastDay | None:
    """The last received date on which no rule on filing speaks; None: none would ever, or what it needs is missing."""
    days = [day for line in claim.lines if (day := line.service_date_end or line.service_date)]
    if not days:
        return None
    served, bare = max(days), undated(claim)

    def late(after: int) -> Finding | None:
        report = check(bare, book, received=served + timedelta(days=after))
        return next((one for one in report.every if one.code == FILING and one.outcome == "fail"), None)

    last, spoke = _MOST, late(_MOST)
    if spoke is None:
        return None
    first = 0
    if late(first):
        return None  # it speaks on the day of service already: this is no limit in days
    while last - first > 1:
        middle = (first + last) // 2
        if found := late(middle):
            last, spoke = middle, found
        else:
            first = middle
    return LastDay(day=served + timedelta(days=first), rule=spoke.rule, grade=spoke.citation.grade)
