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
from dataclasses import dataclass
from pathlib import Path

from worker.intake.x12.remittance import Payment, ProviderAdjustment
from worker.outcomes.answers import settle
from worker.outcomes.matching import AuditedDecision, Match, match
from worker.outcomes.store import MeetingPlace, meeting_place
from worker.outcomes.tally import ALIKE, AMBIGUOUS, READ, STRANGE, UNBALANCED, Expected, Outcomes, Total, count


def compare(
    remittances: Iterable[Payment | ProviderAdjustment],
    log: Iterable[bytes],
    codes: Container[str],
    expected: Expected,
    seen: Callable[[HeldClaim], None] = lambda _: None,
) -> Outcomes:
    """Matches and counts. Memory does not grow with either: both go through a temporary database on the disk.

    `log`: lines of audit files, in any order. `seen`: is given each claim of the remittances, once.
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
        for sum_ in adjusted:
            outcomes.provider_adjustments.setdefault(sum_.reason, Total()).add(sum_.amount)
        for line in log:
            place.remember(line)
        outcomes.unreadable = place.unreadable
        given, several = place.resolve()
        if given:
            outcomes.remittances[ALIKE] = given
        for each in held(place, codes, several):
            for index, fate in sorted(each.fates.items()):
                outcomes.note(fate, each.payments[index].file, each.payments[index].position)
            outcomes.decisions += len(each.decisions)
            for found in each.matches:
                before = each.decisions[: found.decision]
                count(outcomes, found.answer.lines, each.decisions[found.decision], before, expected)
            seen(each)
    return outcomes


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """One claim of the remittances, held to what was decided on it."""

    claim: str
    payments: list[Payment]
    decisions: list[AuditedDecision]
    """By moment."""
    matches: list[Match]
    fates: dict[int, str]
    """Of every payment, by its index."""


def held(place: MeetingPlace, codes: Container[str], several: Container[str]) -> Iterator[HeldClaim]:
    """Every claim of the remittances once all is entered and resolved; `several`: ids that may mean several claims."""
    for claim, payments in place.claims():
        yield held_to(claim, payments, place.decisions(claim), codes, several)


def held_to(
    claim: str,
    payments: list[Payment],
    decisions: list[AuditedDecision],
    codes: Container[str],
    several: Container[str],
) -> HeldClaim:
    """One claim of the remittances."""
    settled = settle(payments, codes)
    matches, fates = match(settled.answers, decisions)
    if claim in several:
        fates = dict.fromkeys(fates, AMBIGUOUS)
    return HeldClaim(claim, payments, decisions, matches, settled.fates | fates)


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
