"""A case: what is known of a claim that was held, folded from decisions and from what people did. No I/O.

A case is of a scope and a claim number. The scope is the configured facility of the producer that sent the claim, else
one for all; never the partition or the patient, so that a corrected member id keeps its case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal, Protocol, TypeVar, get_args

from rules.payment.sums import ClaimExpected
from rules.terms import GapRoute
from worker.errors import ActNotPossible

State = Literal["open", "pended", "mended", "waived", "closed"]
CloseReason = Literal[
    "without_billing", "billed_elsewhere", "paid", "denied", "denied_foreseen", "denied_otherwise", "unchecked"
]
"""denied_foreseen: for a reason that a rule had named, denied_otherwise: for another; a remittance says so. unchecked:
a later version of it has no line that rules here judge. Nobody closes a case by hand for one of these three."""
StateWanted = Literal["held", "open", "pended", "mended", "waived", "closed", "all"]
"""Of a list of cases. held: open, and pended ones too."""
Sort = Literal["urgency", "charge", "age", "expected"]
"""urgency: in groups by the last day to file, the highest charge first in each. expected: what is expected to be paid,
the most first, unknown last."""
ActKind = Literal[
    "pend", "assign", "note", "close", "reopen", "settle", "reverse", "waive", "repair", "preserve", "release"
]
"""settle: the payer's answer closes it; reverse: the payer took its answer back; preserve: it is kept from purging,
until it is released."""
SETTLED: tuple[CloseReason, ...] = ("paid", "denied_foreseen", "denied_otherwise")
"""What a remittance may come to."""
Urgency = Literal["past", "week", "month", "later", "unknown"]
URGENCIES: tuple[Urgency, ...] = get_args(Urgency)
HELD: tuple[State, ...] = ("open", "pended")
"""States in which somebody has something to do, now or later."""
STRANGER = "another patient's claim has this number, and was not held; "
"""Before what is wrong with the one that is held: it is still not billed."""
BESIDE = "another patient's claim has this number, and is held as well; "
"""The same: which is then the next one that the case is of."""
LEAST_DAYS = 2
"""Days that are left at least, when a pended case comes back, to file the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay:
    """The last day on which the payer takes the claim, by the rules on filing."""

    day: date
    rule: str
    """Code of the rule that says so."""
    grade: str
    """Of its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision on a claim, as far as a case needs it."""

    decision_id: str
    moment: str
    """When, ISO 8601 in UTC."""
    disposition: GapRoute
    scope: str
    claim_id: str
    superseded: bool = False
    """A later version of the claim was decided before."""
    stranger: bool = False
    """It is of another patient than the version that is held: a number was given twice."""
    waived: bool = False
    """A person let it go in spite of what blocks it."""
    payer: str | None = None
    """Key of the payer's rule set."""
    payer_name: str = ""
    charge_cents: int = 0
    codes: tuple[str, ...] = ()
    """Of what holds it, each once."""
    fault: str = ""
    """What is wrong first, in a few words."""
    service_from: date | None = None
    last_day: LastDay | None = None
    expected: ClaimExpected | None = None
    """Of a held claim; None: nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person did, or wants to do."""

    kind: ActKind
    moment: str
    account: str
    until: date | None = None
    """pend: the day on which it comes back; settle and reverse: the day of the remittance; waive: the last day on
    which the waiver holds."""
    owner: str = ""
    """assign: to whom; empty: to nobody. waive: who answers for it."""
    reason: CloseReason | None = None
    """close and settle."""
    decision_id: str = ""
    """On which it was begun: which stood then, or is waived or repaired; empty: an earlier release began it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A claim that was held at least once."""

    handle: str
    """Names it where a claim number must not stand."""
    scope: str
    claim_id: str
    state: State = "open"
    version: int = 1
    """Counts its changes, so that nobody writes over what he has not seen."""
    decision_id: str
    """The decision that stands."""
    moment: str
    """When it was made."""
    held_since: str
    """When it was held, since it was last not."""
    owner: str = ""
    pended_until: date | None = None
    pended_by: str = ""
    closed_reason: CloseReason | None = None
    payer: str | None = None
    payer_name: str = ""
    charge_cents: int = 0
    codes: tuple[str, ...] = ()
    fault: str = ""
    service_from: date | None = None
    last_day: LastDay | None = None
    expected: ClaimExpected | None = None
    """What it is expected to bring, beside its charge; None: an earlier release folded it, and nobody asked yet."""

    def state_on(self, day: date) -> State:
        """As of a day: a pended one comes back by itself."""
        back = self.state == "pended" and self.pended_until is not None and self.pended_until <= day
        return "open" if back else self.state

    def days_left(self, day: date) -> int | None:
        """Days to the last one on which it may be filed; negative: past it. None: not known."""
        return None if self.last_day is None else (self.last_day.day - day).days

    def urgency(self, day: date) -> Urgency:
        left = self.days_left(day)
        if left is None:
            return "unknown"
        return "past" if left < 0 else "week" if left <= 7 else "month" if left <= 30 else "later"


def own_fault(case: Case) -> str:
    """What is wrong with its claim, without what is said of another patient's."""
    return case.fault.removeprefix(STRANGER).removeprefix(BESIDE)


class OfSomebody(Protocol):
    """A decision, as far as one has to know whose it is."""

    @property
    def disposition(self) -> str: ...
    @property
    def superseded(self) -> bool: ...
    @property
    def stranger(self) -> bool: ...


Of = TypeVar("Of", bound=OfSomebody)


def beside(known: Of | None, one: Of) -> Of | None:
    """The held claim of another patient that waits for the case to be of it, after a decision; None: there is none."""
    if one.stranger:
        return one if one.disposition == "rework" else None
    return known if one.superseded or one.disposition == "rework" else None


def decided(case: Case | None, one: Decided, handle: Callable[[], str], waiting: Decided | None = None) -> Case | None:
    """The case after a decision; None: there is none, since the claim was never held. `waiting`: what is `beside` it.

    What was decided before what stands changes nothing, in whatever order the two are seen; of one moment, as one batch
    decides several versions, what is seen later is later.
    """
    if case and one.stranger and case.state in HELD:
        fault = (BESIDE if one.disposition == "rework" else STRANGER) + own_fault(case)
        return case if case.fault == fault else replace(case, version=case.version + 1, fault=fault)
    if one.superseded or (case and (one.moment < case.moment or one.decision_id == case.decision_id)):
        return case
    if waiting and case and waiting.decision_id == case.decision_id:
        waiting = None
    if one.disposition == "rework":
        after = _held(case, one, handle)
        return replace(after, fault=BESIDE + after.fault) if waiting else after
    if case is None:
        return None
    known = replace(case, version=case.version + 1, decision_id=one.decision_id, moment=one.moment,
                    pended_until=None, pended_by="")  # fmt: skip
    if waiting:
        return replace(_held(replace(known, state="mended"), waiting, handle), moment=one.moment)
    if one.disposition == "billing":
        return replace(known, state="waived" if one.waived else "mended", closed_reason=None)
    return replace(known, state="closed", closed_reason="unchecked")


def _held(case: Case | None, one: Decided, handle: Callable[[], str]) -> Case:
    """A new fault opens the case again, whatever had become of it."""
    about: dict[str, Any] = {
        "decision_id": one.decision_id, "moment": one.moment, "payer": one.payer, "payer_name": one.payer_name,
        "charge_cents": one.charge_cents, "codes": one.codes, "fault": one.fault, "service_from": one.service_from,
        "last_day": one.last_day, "expected": one.expected,
    }  # fmt: skip
    if case is None:
        return Case(handle=handle(), scope=one.scope, claim_id=one.claim_id, held_since=one.moment, **about)
    since = case.held_since if case.state in HELD else one.moment
    return replace(
        case, state="open", version=case.version + 1, held_since=since, pended_until=None, pended_by="",
        closed_reason=None, **about,
    )  # fmt: skip


def acted(case: Case, act: Act, day: date) -> Case:
    """The case after an act; `day`: today, where its people work.

    Raises:
        ActNotPossible: with what is in the way.
    """
    if problem := _problem(case, act, day):
        raise ActNotPossible(act=act.kind, case=case.handle, reason=problem)
    return ended(case, act)


def ended(case: Case, act: Act) -> Case:
    """The case after an act of which the audit log knows, whatever came in since it was begun: a decision on the claim
    counts as later than it, so that nobody closes or puts off what he has not seen.
    """
    after = replace(case, version=case.version + 1)
    if act.decision_id and act.decision_id != case.decision_id and act.kind != "assign":
        return after
    if act.kind == "pend":
        return replace(after, state="pended", pended_until=act.until, pended_by=act.account)
    if act.kind == "assign":
        return replace(after, owner=act.owner)
    if act.kind in ("close", "settle"):
        return replace(after, state="closed", closed_reason=act.reason, pended_until=None, pended_by="")
    if act.kind in ("waive", "repair"):
        state: State = "waived" if act.kind == "waive" else "mended"
        return replace(after, state=state, closed_reason=None, pended_until=None, pended_by="")
    if act.kind in ("reopen", "reverse"):
        return replace(after, state="open", closed_reason=None, pended_until=None, pended_by="")
    return after


def refolded(decisions: Iterable[Decided], acts: Sequence[Act], handle: Callable[[], str]) -> Case | None:
    """The case that all decisions on a claim, in any order but those of one moment, and all that people did, in theirs,
    come to: an act comes behind the decision on which it was begun, or where that is not known, behind the last one
    before it.
    """
    order = sorted(decisions, key=lambda one: one.moment)
    known = {one.decision_id for one in order}
    behind: dict[str, list[Act]] = {}
    for act in acts:
        before = [one.decision_id for one in order if one.moment <= act.moment][-1:]
        on = act.decision_id if act.decision_id in known else "".join(before)
        behind.setdefault(on, []).append(act if on == act.decision_id else replace(act, decision_id=""))
    case: Case | None = None
    waiting: Decided | None = None
    for one in order:
        case, waiting = decided(case, one, handle, waiting), beside(waiting, one)
        for act in behind.get(one.decision_id, ()) if case else ():
            assert case
            after = ended(case, act)
            case = replace(after, version=after.version + 1)  # one for its begin, one for its end
    return case


def _problem(case: Case, act: Act, day: date) -> str:
    state = case.state_on(day)
    if act.kind in ("pend", "close", "waive", "repair") and state not in HELD:
        return f"it is {state}"
    if act.kind in ("waive", "repair") and act.decision_id != case.decision_id:
        return "another decision on the claim came in since"
    if act.kind == "reopen" and case.state not in ("pended", "closed"):
        return f"it is {case.state}"
    if act.kind == "close" and act.reason in (None, "denied_foreseen", "denied_otherwise", "unchecked"):
        return "expected a reason for closing it"
    if act.kind == "settle" and (act.reason not in SETTLED or act.until is None):
        return "expected what the payer decided, and when"
    if act.kind == "reverse" and (case.state != "closed" or case.closed_reason not in SETTLED):
        return f"it is {case.state}, and no remittance closed it"
    return _not_until(case, act.until, day) if act.kind == "pend" else ""


def _not_until(case: Case, until: date | None, day: date) -> str:
    if until is None or until <= day:
        return "expected a day after today"
    if case.last_day and until > case.last_day.day - timedelta(days=LEAST_DAYS) and case.last_day.day >= day:
        latest = case.last_day.day - timedelta(days=LEAST_DAYS)
        return f"the last day to file is {case.last_day.day}, so {latest} is the latest ({LEAST_DAYS} days before)"
    return ""
