"""Outcomes: what payers did with the claims, against what the rules had found on them.

Remittances (835) come weeks after the verdict, when the outlets have long been trimmed; the audit log is kept. So it is
the log that they are matched to: by claim id (CLP01), to the newest decision up to the day of the remittance, and
by line (REF*6R, or the only line of a procedure of the book). Where neither gives the line, a finding on any line
counts for all of the procedure's.

`answers` puts together what remittances say of a claim, `matching` holds it to decisions, `tally` counts: these are
pure. Here they are joined, by way of `store`. Nothing is kept from one comparison to the next.
"""

from __future__ import annotations

import errno
import gzip
import zlib
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from worker.intake.x12.remittance import Payment, ProviderAdjustment
from worker.outcomes.answers import settle
from worker.outcomes.matching import match
from worker.outcomes.store import meeting_place
from worker.outcomes.tally import ALIKE, AMBIGUOUS, READ, STRANGE, UNBALANCED, Expected, Outcomes, Total, count


def compare(
    remittances: Iterable[Payment | ProviderAdjustment],
    log: Iterable[bytes],
    codes: Container[str],
    expected: Expected,
) -> Outcomes:
    """Matches and counts. Memory does not grow with either: both go through a temporary database on the disk.

    `log`: lines of audit files, in any order.
    """
    outcomes = Outcomes()
    adjusted: set[ProviderAdjustment] = set()
    with meeting_place() as place:
        for one in remittances:
            if isinstance(one, ProviderAdjustment):
                adjusted.add(one)  # a few a check, and each once, however often its file is read
                continue
            outcomes.remittances[READ] += 1
            for what in (UNBALANCED,) * (not one.balances) + (STRANGE,) * one.strange:
                outcomes.note(what, one.file, one.position)
            place.enter(one)
        for each in adjusted:
            outcomes.provider_adjustments.setdefault(each.reason, Total()).add(each.amount)
        for line in log:
            place.remember(line)
        outcomes.unreadable = place.unreadable
        given, several = place.resolve()
        if given:
            outcomes.remittances[ALIKE] = given
        for claim, payments in place.claims():
            settled = settle(payments, codes)
            decisions = place.decisions(claim)
            matches, fates = match(settled.answers, decisions)
            if claim in several:
                fates = dict.fromkeys(fates, AMBIGUOUS)
            for index, fate in sorted((settled.fates | fates).items()):
                outcomes.note(fate, payments[index].file, payments[index].position)
            outcomes.decisions += len(decisions)
            for held in matches:
                count(outcomes, held.answer.lines, decisions[held.decision], decisions[: held.decision], expected)
    return outcomes


def log_lines(files: Iterable[Path], seen: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """The lines of audit files, packed by gzip where they are called `.gz`.

    Raises:
        OSError: one cannot be read.
    """
    for file in files:
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
                for line in stream:
                    seen(len(line))
                    yield line
        except (EOFError, zlib.error):
            raise OSError(errno.EIO, "the gzip stream is cut off or damaged", str(file)) from None
