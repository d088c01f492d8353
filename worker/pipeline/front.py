"""The front of a case: which version of its claim is the newest, and whether one was billed, whatever the patient.

A ledger knows that of the claims of one payer and member id, so that a version with another member id is another claim
to it, and one without is none. The front is by facility and claim number. Secondary claims carry the number of the
primary one: a later version is one of the same responsibility, but that a waived claim is the newest of all.

In Redis a front is one string, `REVISION STATE RESPONSIBILITY[ billed][ homes:1,3]`: the newest version, what became of
it (or `@PARTITION`, where that is decided), its place among the payers, whether one of that place went to billing, and
the other partitions on which versions were decided: a later one is registered with those as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

from rules.claim import VOID, Claim
from rules.report import Disposition
from worker.pipeline.ledger import order
from worker.store.keys import REGISTERED

State = Disposition | Literal["registered"]
_BILLED, _HOMES = "billed", "homes:"
ORIGINAL = "1"


class Front(NamedTuple):
    """What is known of a case."""

    revision: str
    """Of the newest version, see `worker.pipeline.inbox.InboxEntry.revision`."""
    state: State
    responsibility: str
    """P, S, T ...: which payer in turn it went to."""
    billed: bool = False
    """A version of that responsibility went to billing, and was not voided since."""
    partition: int = 0
    """registered: where it is decided."""
    homes: tuple[int, ...] = ()
    """Partitions of other versions, in order."""

    def __str__(self) -> str:
        state = f"{REGISTERED}{self.partition}" if self.state == "registered" else self.state
        homes = f" {_HOMES}{','.join(map(str, self.homes))}" if self.homes else ""
        return f"{self.revision} {state} {self.responsibility}" + f" {_BILLED}" * self.billed + homes

    @classmethod
    def parse(cls, text: str) -> Front | None:
        """The front in the string that Redis holds; None: there is none."""
        if not text:
            return None
        revision, state, responsibility, *more = text.split(" ")
        listed = next((word.removeprefix(_HOMES) for word in more if word.startswith(_HOMES)), "")
        homes = tuple(map(int, listed.split(","))) if listed else ()
        if state.startswith(REGISTERED):
            return cls(revision, "registered", responsibility, _BILLED in more, int(state[1:]), homes)
        return cls(revision, cast(Disposition, state), responsibility, _BILLED in more, homes=homes)

    @property
    def partitions(self) -> tuple[int, ...]:
        """On which versions of it were decided, or are, in order, as far as it says."""
        return tuple(sorted({*self.homes, self.partition})) if self.state == "registered" else self.homes

    def is_later(self, revision: str) -> bool:
        return order(self.revision) > order(revision)


def newest(fronts: Iterable[Front | None]) -> Front | None:
    """Of what two partitions know of a case, the later."""
    found = [one for one in fronts if one]
    return max(found, key=lambda one: order(one.revision)) if found else None


def responsibility_of(claim: Claim) -> str:
    """Which payer in turn it goes to; P where it does not say."""
    return claim.payer.responsibility or "P"


def after(known: Front | None, claim: Claim, revision: str, disposition: Disposition) -> Front | None:
    """The front once this version was decided; None: it stays as it is, since a later one is known."""
    if known and known.is_later(revision):
        return None
    turn = responsibility_of(claim)
    before = known is not None and known.billed and known.responsibility == turn
    billed = disposition == "billing"
    voided = billed and claim.frequency_code == VOID
    homes = known.partitions if known else ()
    return Front(revision, disposition, turn, (before or billed) and not voided, homes=homes)


def billed(known: Front | None, claim: Claim, revision: str) -> Front:
    """The front once a version went to billing without a verdict of the book's: what became of a later one stays."""
    turn, goes = responsibility_of(claim), claim.frequency_code != VOID
    if known and known.is_later(revision):
        return known._replace(billed=goes) if known.responsibility == turn else known
    return Front(revision, "billing", turn, goes, homes=known.partitions if known else ())


def rejected(known: Front | None) -> Front | None:
    """The front once a payer rejected what went to billing: it was never taken in, and may go again as it is."""
    return known._replace(billed=False) if known else None


def went_before(fronts: Iterable[Front], claim: Claim, revision: str) -> bool:
    """Whether another version went to billing, and this one does not say that it replaces that."""
    turn = responsibility_of(claim)
    return claim.frequency_code == ORIGINAL and any(
        one.billed and one.responsibility == turn and one.revision != revision for one in fronts
    )


def superseded_by(fronts: Iterable[Front | None], claim: Claim, revision: str, partition: int) -> str | None:
    """The later version of this claim, of its responsibility; None: nobody knows of one.

    Of what is only registered, that of other partitions counts: what is decided on this one is in order.
    """
    turn = responsibility_of(claim)
    later = newest(
        one
        for one in fronts
        if one and one.responsibility == turn and not (one.state == "registered" and one.partition == partition)
    )
    return later.revision if later and later.is_later(revision) else None


def elsewhere(fronts: Iterable[Front | None], known: Iterable[int]) -> tuple[int, ...]:
    """The partitions on which versions of a case were decided, but for those whose fronts these are."""
    return tuple(sorted({one for found in fronts if found for one in found.partitions} - set(known)))


def obstacle(
    fronts: Iterable[Front | None], claim: Claim, revision: str, others: Iterable[Front | None] = ()
) -> str | None:
    """Why a waived version of the claim does not go, as far as its case knows; None: it may.

    `fronts`: those on its home partition and on that of the case; `others`: those `elsewhere`.
    """
    found = list(fronts)
    every = [one for one in (*found, *others) if one]
    last = newest(every)
    if last is None or not all(found):
        return (
            "nobody knows any more which version of it is the newest (it was decided by an earlier release, or too long"
            " ago, or Redis was restored): send it again as a new event"
        )
    if last.revision != revision:
        return f"a later version of it (inbox entry {last.revision}) came in since"
    turn = responsibility_of(claim)
    if claim.frequency_code == ORIGINAL and any(one.billed and one.responsibility == turn for one in every):
        return "a version of it went to billing before, and this one does not say that it replaces that"
    return None
