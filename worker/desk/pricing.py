"""What cases are expected to bring that an earlier release folded: asked once, by the book in force, of the claim as it
was decided last. Those whose content is gone are unknown, until they are decided again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rules.book.book import Book
from rules.claim import read_claim
from rules.errors import ScrubError
from rules.payment.claims import Ours, expected_of
from rules.payment.sums import UNKNOWN, ClaimExpected
from worker.config.settings import Settings
from worker.desk.casestore import CaseStore, WrittenDecision
from worker.pipeline.expected import ToldLine, together, told_lines
from worker.tables.contracts import ours_of

_PAGE = 100
"""Cases of one transaction, for which nobody else can write."""


def price(into: CaseStore, settings: Settings, book: Callable[[], Book]) -> int:
    """Asks for each of which nobody did; answers how many. `book`: made where one is asked for.

    Raises:
        CaseStoreUnusable
        ContractsInvalid: nothing was asked.
    """
    done, known = 0, None
    while True:
        with into.session(alone=True) as session:
            page = session.unpriced(_PAGE)
            if not page:
                return done
            if known is None:
                judged = book()
                known = judged, ours_of(settings, judged.registry)
            for handle in page:
                session.price(handle, _of(session.decisions_of(handle), *known))
            done += len(page)


def _of(decisions: Sequence[WrittenDecision], book: Book, ours: Ours) -> ClaimExpected:
    content = next((one.content for one in reversed(decisions) if one.content), None)
    if content is None:
        return UNKNOWN
    return together(asked(content.claim, book, ours) if content.expected is None else content.expected)


def asked(data: object, book: Book, ours: Ours) -> list[ToldLine]:
    """What lines of a kept claim are expected to bring by this book; none: this release cannot read it."""
    try:
        claim = read_claim(data)
    except ScrubError:
        return []
    return told_lines(expected_of(claim, book.registry.select(claim.payer), book.tables, book.codes, ours))
