"""Waivers: a person lets the claim of one case go, once, in spite of what blocks it.

`waivable` says before anything is asked whether that can be, and what would go; `waive` does it, for one case. What
goes to the workers is sealed and carries the content: they look nothing up, and are the ones who decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter

from rules.claim import Claim
from rules.engine import waiving
from rules.errors import ScrubError
from rules.report import Finding, Report
from worker.desk.acting import Desk, Waives, of_me
from worker.desk.cases import BESIDE, HELD, Act, Case
from worker.desk.casestore import Content
from worker.errors import NotWaivable
from worker.intake.events import claim_of
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import front, waivers
from worker.pipeline.frontstore import read_fronts
from worker.store.agreement import standing
from worker.store.keys import Keys, case_mark, event_identity
from worker.store.registry import producers_of

MOST_DAYS = 31
"""For which a waiver holds at most: it is for now. Whoever means a rule for longer writes an override."""
MOST_OWNER = 64
_LEAST_MS = 86_400_000
"""For which the file of a claim has to be remembered yet, so that what leaves later is written."""
_FORGOTTEN = (
    "its source leaves by file, and the file that it came with is not remembered any more (SCRUB_EVENT_MEMORY): send"
    " the claim again where it comes from"
)
_TWO = (
    "another patient's claim with this number is held as well: give one of the two another number in the billing system"
    " and send both again"
)
REPORT: TypeAdapter[Report] = TypeAdapter(Report)


@dataclass(frozen=True, slots=True)
class Waivable:
    """A decision that can be waived, as it is shown to who is about to."""

    case: Case
    findings: tuple[Finding, ...]
    """All that block the claim, and would be let go."""
    content: str
    """Digest of the claim as it was decided: to be given back, so that nobody waives what he has not seen."""
    _content: Content
    _report: Report


def waivable(desk: Desk, case: Case, day: date) -> Waivable:
    """Whether a case can be waived today.

    Raises:
        NotWaivable: with the reason.
        CaseStoreUnusable, redis.exceptions.RedisError
    """
    if (state := case.state_on(day)) not in HELD:
        raise _not(case, f"it is {state}")
    if case.fault.startswith(BESIDE):
        raise _not(case, _TWO)
    content = content_of(desk, case)
    try:
        report, claim = REPORT.validate_python(content.report), claim_of(content.claim)
    except (ScrubError, ValueError):
        raise _not(case, "another release wrote what was decided, and it cannot be read here") from None
    if problem := waiving.obstacle(report):
        raise _not(case, problem)
    if problem := in_the_way(desk, case, content, claim):
        raise _not(case, problem)
    return Waivable(case, report.blocking, waivers.content_digest(content.claim), content, report)


def waive(
    desk: Desk,
    seen: Waivable,
    reason: str,
    *,
    owner: str,
    until: date,
    day: date,
    act: Act | None = None,
) -> Case:
    """Lets the claim of a case go, as it was seen. `until`: the last day on which it holds; `act`: of kind `waive`, who
    does it and when, where that is not the account that runs this.

    Raises:
        NotWaivable, ActNotPossible, CaseChanged: nothing was written.
        CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError: `Desk.finish` ends what has its audit line.
    """
    case = seen.case
    if not reason.strip() or not 0 < len(owner.strip()) <= MOST_OWNER or not owner.isprintable():
        raise _not(case, f"expected a reason, and who answers for it in {MOST_OWNER} characters at most")
    done = act or of_me("waive")
    first, last = first_day(day, done.moment), day + timedelta(days=MOST_DAYS)
    if not first <= until <= last:
        raise _not(case, f"expected a last day from {first} to {last}")
    now = waivable(desk, case, day)
    if now.content != seen.content or names(now.findings) != names(seen.findings):
        raise _not(case, "what was decided is not what you saw; look again")
    about: dict[str, str] = now._content.about or {}
    named = waivers.Waiver(
        decision=case.decision_id, content=now.content, findings=names(now.findings), revision=about["revision"],
        reason=desk.digest(reason), owner=owner.strip(), until=until.isoformat(), account=done.account,
        moment=done.moment, source=about.get("source", ""), id=about.get("id", ""),
    )  # fmt: skip
    waiver, partition, fields = sent_on(desk, named, about, now._content.claim)
    written = Act(
        kind="waive", moment=done.moment, account=done.account, until=until, owner=owner.strip(),
        decision_id=case.decision_id,
    )  # fmt: skip
    return desk.do(case, written, reason, day, Waives(partition, waiver.digest, waiver.findings, fields))


def sent_on(
    desk: Desk, named: waivers.Waiver, about: Mapping[str, str], claim: Any
) -> tuple[waivers.Waiver, int, dict[str, str]]:
    """The waiver under its seal, and what goes onto the inner stream of which partition. `claim`: as JSON."""
    waiver = waivers.sealed(named, desk.ring)
    entry, partition = about["entry"], int(about["partition"])
    before, colon, _ = entry.partition(":")  # no producer's name is a number
    origin = entry if colon and before.isdecimal() else f"{partition}:{entry}"
    fields = waivers.fields_of(waiver, claim, origin, about.get("producer", ""), about.get("traceparent", ""))
    return waiver, partition, fields


def first_day(day: date, moment: str) -> date:
    """The first that may be a waiver's last one: workers look at the day in UTC, which in an American evening is the
    next one already. `moment`: of the act, in UTC."""
    return max(day, date.fromisoformat(moment[:10]))


def names(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The findings as a waiver names them, each once."""
    return tuple(dict.fromkeys(map(waiving.name_of, findings)))


def content_of(desk: Desk, case: Case, refusal: type[ScrubError] = NotWaivable) -> Content:
    """What was decided on the case, as it can be sent on.

    Raises:
        ScrubError: of this type.
    """
    with desk.cases.session() as session:
        decisions = session.decisions_of(case.handle)
    content = next((one.content for one in decisions if one.decision_id == case.decision_id), None)
    if content is None:
        said = "only the audit log knows its decision, and what was decided on is gone: send the claim again"
        raise refusal(case=case.handle, reason=said)
    if content.about is None or "id" not in content.about:
        said = "an earlier release brought its decision here: send the claim again as a new event"
        raise refusal(case=case.handle, reason=said)
    return content


def in_the_way(desk: Desk, case: Case, content: Content, claim: Claim) -> str | None:
    """Why the claim of a decision does not go on again: what the queue knows that no report does."""
    redis, keys, about = desk.store.redis, desk.store.keys, content.about or {}
    if standing(redis).layout < 2:
        return "an upgrade is not finished here, and nothing is waived before it is: `scrub migrate` comes first"
    if old := [one.name for one in reconcile(redis, keys).alive if not one.waives]:
        return f"{len(old)} worker(s) of an older release run ({', '.join(old)}), which know no waivers: upgrade them"
    if (left := by_file(desk, content)) is not None and left <= _LEAST_MS:
        return _FORGOTTEN
    mark = case_mark(case.scope, case.claim_id)
    fronts = read_fronts(redis, Keys(int(about["partition"]), keys.count), mark)
    return front.obstacle(fronts.near, claim, about["revision"], fronts.others)


def by_file(desk: Desk, content: Content) -> int | None:
    """For how many milliseconds the file is remembered that the claim came with; None: it does not leave by file."""
    redis, keys, about = desk.store.redis, desk.store.keys, content.about or {}
    sender = producers_of(redis, keys).get(about.get("producer", ""))
    if sender is None or sender.exit != "file":
        return None
    return redis.pttl(keys.owner(sender.identity(event_identity(about.get("source", ""), about["id"]))))


def _not(case: Case, reason: str) -> NotWaivable:
    return NotWaivable(case=case.handle, reason=reason)
