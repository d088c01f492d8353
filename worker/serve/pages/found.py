"""What is shown of claims that were looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.audit.claimlines import ClaimLine
from worker.desk.cases import Case
from worker.desk.tabled import expected_text
from worker.pipeline.whereabouts import InOutlet, Waiting
from worker.serve.pages.frame import Pill, state_pill
from worker.serve.pages.history import Audited, audited
from worker.serve.pages.words import Words, money
from worker.serve.pages.worklist import payer_name
from worker.store.outletspecs import SPECS


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """A case whose number begins as what was looked for."""

    handle: str
    number: str
    state: Pill
    held: str
    payer: str
    facility: str
    charge: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Where a claim is, or was, that has no case."""

    number: str
    waits: tuple[str, ...]
    outlets: tuple[tuple[str, str, str], ...]
    """When, where, and what is next."""
    audited: tuple[Audited, ...]

    @property
    def nothing(self) -> bool:
        return not (self.waits or self.outlets or self.audited)


def found_rows(cases: Sequence[Case], words: Words, payers: Mapping[str, str]) -> tuple[FoundRow, ...]:
    """In the order in which they were found."""
    return tuple(
        FoundRow(
            handle=one.handle, number=one.claim_id, state=state_pill(one, words), payer=payer_name(one, payers),
            held=words.day(words.day_of(one.held_since)), facility=one.scope, charge=money(one.charge_cents),
            expected=expected_text(one.expected, money),
        )
        for one in cases
    )  # fmt: skip


def everywhere(
    number: str, waits: Sequence[Waiting], out: Sequence[InOutlet], lines: Sequence[ClaimLine], words: Words
) -> Elsewhere:
    """As `scrub claim` says it."""
    return Elsewhere(
        number=number,
        waits=tuple(
            "A worker has it now."
            if one.worker
            else "It waits: a worker decides it within seconds, where one is alive."
            for one in waits
        ),
        outlets=tuple(
            (words.moment(str(one.entry.event["time"])), one.outlet.capitalize(), SPECS[one.outlet].about)
            for one in reversed(out)
        ),
        audited=tuple(audited(one, words) for one in reversed(lines)),
    )
