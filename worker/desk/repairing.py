"""Repairs of form: a person confirms that values of one held claim are written otherwise, and it is judged again.

It goes the way of a waiver (`worker.desk.waiving`), with the claim as it is then: no worker looks anything up, and what
is wrong with it still holds it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rules.book.book import Book
from rules.claim import Claim
from rules.engine.edits import Contradiction
from rules.engine.patch import patched
from rules.engine.repairing import repairs_of, same_value
from rules.engine.suggesting import Suggestion, changes_of
from rules.engine.trying import Change, changes
from rules.errors import ScrubError
from rules.facts.diagnoses import undotted
from worker.desk.acting import Desk, Waives, of_me
from worker.desk.cases import HELD, Act, Case
from worker.desk.casestore import Content
from worker.desk.waiving import REPORT, by_file, content_of, in_the_way, sent_on
from worker.errors import NotRepairable, SplitFailed
from worker.exits.manifest import Repair
from worker.exits.repairing import changes_between, stands_within
from worker.intake.events import claim_of
from worker.pipeline import waivers

_OUTSIDE = (
    "its source leaves by file, and what is written otherwise stands outside of the claim's own segments, where it is"
    " other claims' as well: mend it in the system that exports the file"
)
_DIAGNOSIS = re.compile(r"/(reason_)?diagnoses/\d+|/admitting_diagnosis")
_NOTHING = "no rule that holds it knows a value that is only written otherwise than its form wants it"


@dataclass(frozen=True, slots=True)
class Repairable:
    """A decision whose claim can be repaired, as it is shown to who is about to."""

    case: Case
    changes: tuple[Change, ...]
    """As people read them."""
    paths: tuple[str, ...]
    """Of the claim, as JSON pointers."""
    confirm: tuple[str, ...]
    """What is confirmed against the record before."""
    codes: tuple[str, ...]
    """Of what they take away."""
    content: str
    """Digest of the claim as it would be: to be given back, so that nobody repairs what he has not seen."""
    _claim: Any
    """As JSON, with the changes."""
    _content: Content


def repairable(desk: Desk, case: Case, book: Book, day: date) -> Repairable:
    """What of a case's claim can be repaired here today.

    Raises:
        NotRepairable: with the reason.
        CaseStoreUnusable, redis.exceptions.RedisError
    """
    if (state := case.state_on(day)) not in HELD:
        raise _not(case, f"it is {state}")
    content = content_of(desk, case, NotRepairable)
    try:
        report, claim = REPORT.validate_python(content.report), claim_of(content.claim)
    except (ScrubError, ValueError):
        raise _not(case, "another release wrote what was decided, and it cannot be read here") from None
    if problem := in_the_way(desk, case, content, claim):
        raise _not(case, problem)
    ways = repairs_of(claim, report, book, received=day)
    within = by_file(desk, content) is not None
    fits = [one for one in ways if not within or all(stands_within(path) for path in _paths(content, one))]
    if not fits:
        raise _not(case, _OUTSIDE if ways else _NOTHING)
    steps = _steps(case, claim, fits, undot=within)
    after, repairs = _after(case, content, steps)
    return Repairable(
        case=case,
        changes=tuple(changes(claim, steps, told=True)),
        paths=tuple(one.path for one in repairs),
        confirm=tuple(dict.fromkeys(sentence for one in fits for sentence in one.confirm)),
        codes=tuple(dict.fromkeys(one.code for one in fits)),
        content=waivers.content_digest(after),
        _claim=after,
        _content=content,
    )


def repair(desk: Desk, seen: Repairable, book: Book, note: str = "", *, day: date, act: Act | None = None) -> Case:
    """Has the claim of a case judged again as it was seen, with the changes. `act`: of kind `repair`, who does it and
    when, where that is not the account that runs this.

    Raises:
        NotRepairable, ActNotPossible, CaseChanged: nothing was written.
        CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError: `Desk.finish` ends what has its audit line.
    """
    case, done = seen.case, act or of_me("repair")
    now = repairable(desk, case, book, day)
    if now.content != seen.content or now.paths != seen.paths:
        raise _not(case, "what was decided is not what you saw; look again")
    about: dict[str, str] = now._content.about or {}
    named = waivers.Waiver(
        decision=case.decision_id, content=now.content, findings=(), changes=now.paths, revision=about["revision"],
        reason=desk.digest(note), owner=done.account, until=max(day.isoformat(), done.moment[:10]),
        account=done.account, moment=done.moment, source=about.get("source", ""), id=about.get("id", ""),
    )  # fmt: skip
    written = Act(kind="repair", moment=done.moment, account=done.account, decision_id=case.decision_id)
    waiver, partition, fields = sent_on(desk, named, about, now._claim)
    return desk.do(case, written, note, day, Waives(partition, waiver.digest, now.paths, fields))


def _paths(content: Content, one: Suggestion) -> list[str]:
    try:
        return [found.path for found in changes_between(content.claim, patched(content.claim, one.operations))]
    except (SplitFailed, LookupError):
        return [""]  # of no field that has bytes of its own


def _steps(case: Case, claim: Claim, fits: Sequence[Suggestion], *, undot: bool) -> list[dict[str, Any]]:
    """All of them as one patch. `undot`: an 837 has no dots in diagnoses, and it is judged as it leaves."""
    try:
        steps = changes_of(claim, fits)
    except Contradiction:
        raise _not(case, _NOTHING) from None
    if not undot:
        return steps
    return [one | {"value": undotted(one["value"])} if _DIAGNOSIS.fullmatch(one["path"]) else one for one in steps]


def _after(case: Case, content: Content, steps: Sequence[dict[str, Any]]) -> tuple[Any, list[Repair]]:
    """The claim with the changes, and these; every one is the same value, written otherwise."""
    try:
        after = patched(content.claim, steps)
        repairs = [*changes_between(content.claim, after)]
        claim_of(after)
    except (LookupError, SplitFailed, ScrubError):
        raise _not(case, _NOTHING) from None
    if not repairs or not all(same_value(one.was, one.becomes) for one in repairs):
        raise _not(case, _NOTHING)
    return after, repairs


def _not(case: Case, reason: str) -> NotRepairable:
    return NotRepairable(case=case.handle, reason=reason)
