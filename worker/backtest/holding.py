"""Holding what was judged against what payers answered, claim by claim, in plain values between processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from worker.backtest.counting import Counts, count
from worker.backtest.result import BEFORE_SENT, Mended
from worker.backtest.spool import Spool
from worker.outcomes.matching import ABSENT, LATER, MATCHED, PART, REPLACED
from worker.outcomes.outcomes import HeldClaim, held_to
from worker.outcomes.store import MeetingPlace, PackedDecision, unpacked_decision, unpacked_payment
from worker.outcomes.tally import Expected

NO_CLAIM = "without their claim"
OTHER_TIME = "without their claim, of a time before or long after the claims"
_FATES = {ABSENT: NO_CLAIM, LATER: BEFORE_SENT}
_FOUND = frozenset((MATCHED, PART, REPLACED))
_LONG_AFTER = 730
"""Days behind the last claim from which a remittance is of another time."""
_CHUNK = 400


class _Every:
    """All codes: every line of a claim counts, whatever its procedure."""

    def __contains__(self, code: object) -> bool:
        return True


_EVERY = _Every()


class Answered(NamedTuple):
    """A claim of the remittances, as it is packed."""

    claim: str
    payments: list[bytes]
    decisions: list[PackedDecision]
    verdicts: list[bytes]
    """What the rules said, of each decision."""


@dataclass(frozen=True, slots=True)
class HoldJob:
    """What every process has from the start."""

    originals: Mapping[str, str]
    """Payers' own numbers to the claims that they are of."""
    references: Mapping[str, str]
    """Claims that name the payer's number of the claim that they replace or void."""
    several: frozenset[str]
    """Claim ids that may mean several claims."""
    first: date | None
    last: date | None
    """The days on which claims were sent."""
    expects: Sequence[Expected]


@dataclass
class Mending:
    """Claims that were denied at first, and what came of their later versions."""

    denied: set[str] = field(default_factory=set)
    paid: dict[str, Decimal] = field(default_factory=dict)

    def again(self, claim: str, answer: Any) -> None:
        """Takes the answer to a later version."""
        if all(line.verdict != "denied" for line in answer.lines) and (
            money := sum((line.paid for line in answer.lines), Decimal(0))
        ):
            self.paid[claim] = max(money, self.paid.get(claim, Decimal(0)))

    def add(self, other: Mending) -> None:
        """Takes what another one took."""
        self.denied |= other.denied
        for claim, money in other.paid.items():
            self.paid[claim] = max(money, self.paid.get(claim, Decimal(0)))

    def result(self, least: int) -> Mended:
        """What it comes to; fewer than `least` are not shown."""
        paid = [self.paid[claim] for claim in self.denied & self.paid.keys()]
        if 0 < len(paid) < least:
            return Mended(None, None)
        return Mended(len(paid), int(sum(paid, Decimal(0)) * 100))


@dataclass
class Held:
    """What came of some claims, or of all."""

    counts: Counts = field(default_factory=Counts)
    mended: Mending = field(default_factory=Mending)
    claims: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    found_in: Counter[str] = field(default_factory=Counter)
    """By file of remittances: payments that found their claim."""
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """What, file and position."""
    answered: list[int] = field(default_factory=list)
    """Claims by their numbers in the spool."""

    def add(self, other: Held) -> None:
        """Takes what came of the claims behind these, but for notes and numbers."""
        self.counts.add(other.counts)
        self.mended.add(other.mended)
        self.claims += other.claims
        self.fates += other.fates
        self.found_in += other.found_in


def chunks(place: MeetingPlace, spool: Spool) -> Iterator[list[Answered]]:
    """The claims of the remittances, once all is resolved."""
    chunk = list[Answered]()
    for claim, payments in place.packed_claims():
        decisions = place.packed_decisions(claim)
        chunk.append(Answered(claim, payments, decisions, [spool.verdict(int(one[0])) for one in decisions]))
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def hold(chunk: Iterable[Answered], job: HoldJob) -> Held:
    """Matches and counts some claims."""
    found = Held()
    for one in chunk:
        payments = [unpacked_payment(one.claim, said) for said in one.payments]
        decisions = [unpacked_decision(said) for said in one.decisions]
        whole = held_to(one.claim, payments, decisions, _EVERY, job.several)
        _fates(found, whole, job)
        _count(found, whole, one.verdicts, job)
    return found


def _fates(found: Held, one: HeldClaim, job: HoldJob) -> None:
    for index, fate in sorted(one.fates.items()):
        payment = one.payments[index]
        what = _FATES.get(fate, fate)
        if fate == ABSENT and payment.day and _of_another_time(payment.day, job):
            what = OTHER_TIME
        found.fates[what] += 1
        if fate in _FOUND:
            found.found_in[payment.file] += 1
        elif fate in _FATES:
            found.notes.append((what, payment.file, payment.position))


def _count(found: Held, one: HeldClaim, verdicts: Sequence[bytes], job: HoldJob) -> None:
    """Counts the first version of the claim that was answered; what came later may have mended it."""
    original = job.originals.get(job.references.get(one.claim, ""), one.claim)
    first = original == one.claim
    for match in sorted(one.matches, key=lambda match: match.decision):
        found.answered.append(int(one.decisions[match.decision].id))
        found.claims["matched"] += 1
        if not first:
            found.claims["again"] += 1
            found.mended.again(original, match.answer)
            continue
        decided = count(found.counts, match.answer, orjson.loads(verdicts[match.decision]), job.expects)
        if decided == "undecided":
            found.claims["undecided"] += 1
            continue
        first = False
        found.claims["counted"] += 1
        if decided == "denied":
            found.mended.denied.add(one.claim)


def _of_another_time(day: date, job: HoldJob) -> bool:
    if not job.first or not job.last:
        return False
    return day < job.first or (day - job.last).days > _LONG_AFTER
