"""Remittances close cases: paid, denied as foreseen, denied otherwise; what the payer takes back opens them again.

A payer takes back by a claim with status 22 and negated amounts, and says anew what it decides by a claim of its own,
in front of the reversal, behind it, or on a later remittance (X12 RFI 227, 288, 791, 2442); both have the number under
which the claim was sent (RFI 2150). So what counts is the newest remittance on the newest version of the claim: an
older one that is read again changes nothing, and neither does the same one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from worker.desk.acting import Desk, of_me
from worker.desk.cases import Case, CloseReason
from worker.desk.casestore import WrittenAct
from worker.errors import ActNotPossible, CaseChanged
from worker.outcomes.answers import REVERSES, TAKEN_BACK, UNMATCHED
from worker.outcomes.matching import Match
from worker.outcomes.outcomes import HeldClaim
from worker.outcomes.reasons import denials
from worker.outcomes.tally import AMBIGUOUS, Expected, about_lines

Fate = Literal[
    "paid", "denied_foreseen", "denied_otherwise", "taken_back", "as_it_was", "older", "earlier_version", "undecided",
    "no_case", "several_cases", "changed_meanwhile",
]  # fmt: skip
"""What becomes of a claim of the remittances, as far as cases go: exactly one."""
SAYS: dict[Fate, str] = {
    "paid": "closed: paid",
    "denied_foreseen": "closed: denied as a rule had said",
    "denied_otherwise": "closed: denied for another reason",
    "taken_back": "opened again: the payer took its answer back",
    "as_it_was": "closed so before",
    "older": "a newer remittance was read before",
    "earlier_version": "about an earlier version of the claim",
    "undecided": "not decided by the payer, or not matched",
    "no_case": "never held: there is no case",
    "several_cases": "cases at several facilities: close them by hand",
    "changed_meanwhile": "the case was changed meanwhile: read the remittance again",
}


@dataclass(slots=True)
class Settled:
    """What all remittances together did."""

    claims: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)

    @property
    def reconciles(self) -> bool:
        """Whether every claim has one fate."""
        return self.claims == self.fates.total()


@dataclass(frozen=True, slots=True)
class Said:
    """What the remittances say of the newest version of a claim."""

    reason: CloseReason | None
    """None: what was said was taken back, and nothing else was said."""
    day: date
    reverses: bool
    """Whether something was taken back."""


def settle(desk: Desk, claim: HeldClaim, expected: Expected, day: date) -> Fate:
    """Closes the case of one claim, or opens it again; `day`: today, where its people work.

    Raises:
        CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError
    """
    with desk.cases.session() as session:
        found = session.of_number(claim.claim)
        acts = session.acts_of(found[0].handle) if len(found) == 1 else []
    if not found:
        return "no_case"
    if len(found) > 1:
        return "several_cases"
    case = found[0]
    said = said_of(claim, expected)
    if said is None:
        about_another = any(one.decision != len(claim.decisions) - 1 for one in claim.matches)
        return "earlier_version" if about_another else "undecided"
    if fate := _known(case, acts, said):
        return fate
    kind = "reverse" if said.reason is None else "settle"
    try:
        desk.do(case, of_me(kind, until=said.day, reason=said.reason), "", day)
    except (ActNotPossible, CaseChanged):
        return "changed_meanwhile"
    return said.reason or "taken_back"  # type: ignore[return-value]  # of SETTLED alone


def said_of(claim: HeldClaim, expected: Expected) -> Said | None:
    """What the payer says of the newest version; None: nothing yet, or nothing that is surely about it."""
    if AMBIGUOUS in claim.fates.values():
        return None
    back = [index for index, fate in claim.fates.items() if fate in (REVERSES, UNMATCHED)]
    newest = next((one for one in claim.matches if one.decision == len(claim.decisions) - 1), None)
    if newest:
        return Said(_reason(newest, claim, expected), newest.answer.day, bool(back))
    days = [one for index in back if (one := claim.payments[index].day)]
    if (
        not days
        or claim.matches
        or not claim.decisions
        or set(claim.fates.values()) - {REVERSES, UNMATCHED, TAKEN_BACK}
    ):
        return None
    return Said(None, max(days), True) if max(days).isoformat() >= claim.decisions[-1].moment[:10] else None


def _reason(match: Match, claim: HeldClaim, expected: Expected) -> CloseReason:
    lines = match.answer.lines
    denied = [line for line in lines if line.verdict == "denied"]
    if not denied:
        return "paid"
    for decision in claim.decisions[: match.decision + 1]:
        for code in {code for code, _ in decision.found}:
            for index in about_lines(code, decision, lines):
                reasons = {one.reason for one in denials(lines[index].adjustments)}
                if lines[index].verdict == "denied" and reasons & expected.get(code, frozenset()):
                    return "denied_foreseen"
    return "denied_otherwise"


def _known(case: Case, acts: Sequence[WrittenAct], said: Said) -> Fate | None:
    """Why nothing is to be done: it is so already, or something newer was said."""
    before = [one.act for one in acts if one.act.kind in ("settle", "reverse") and one.state == "done"]
    last = max(before, key=lambda one: (one.until or date.min, one.moment), default=None)
    if last and last.until:
        same = (last.until, last.reason) == (said.day, said.reason)
        if same:
            return "as_it_was"
        if said.day < last.until or (said.day == last.until and not said.reverses):
            return "older"
    settled_so = case.state == "closed" and case.closed_reason == said.reason
    if settled_so or (said.reason is None and last is None):
        return "as_it_was" if settled_so else "undecided"
    return None
