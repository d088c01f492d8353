"""Cases made again from the audit log: where the store was lost, or put back from an older copy.

Decisions are on the log, and so is what people did, but for their words: of those it has keyed digests, by which what
the store still has is verified. So a case comes to what it was, with its owner, state, day and reasons. What the store
knows and these files do not, as of other machines, stays as it is; what a person purged stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple, cast

from rules.book.book import Book
from worker.audit.claimlines import ClaimLine, by_claim, folder_lines, standing
from worker.audit.lines import AuditLine, who
from worker.desk.acting import ACTIONS, Desk
from worker.desk.cases import Act, ActKind, Case, CloseReason, Decided, own_fault, refolded
from worker.desk.casestore import Session, WrittenAct, WrittenDecision
from worker.desk.following import DueDays, Handles, Purge, of_content, of_line, purges
from worker.store.keyring import Ring
from worker.store.registry import producers_of

TEXT_GONE = "(what was written is gone: the audit log has its digest alone)"
"""In place of a text."""
_KINDS: Mapping[str, ActKind] = {action: kind for kind, action in ACTIONS.items() if kind not in ("settle", "reverse")}
_OF_REMITTANCE: Mapping[ActKind, ActKind] = {"close": "settle", "reopen": "reverse"}
"""Of the same action: they have the day of the remittance."""


@dataclass(slots=True)
class Rebuilt:
    """What was found, and made."""

    cases: int = 0
    """That were looked at."""
    changed: list[str] = field(default_factory=list)
    """Handles of those that are otherwise than in the store, or were not there."""
    acts: int = 0
    """That the store did not have."""
    texts: int = 0
    """Of these, such as had a text, which is gone."""
    decisions: int = 0
    purged: list[str] = field(default_factory=list)
    """Handles of cases that a person had purged and that had come back."""
    altered: list[str] = field(default_factory=list)
    """Handles of cases of which a text is not the one that was written."""
    unverified: int = 0
    """Texts whose digest was made under a key that is not here."""
    unsound: int = 0
    """Audit lines that were left out, since they are not as they were written."""


class _Known(NamedTuple):
    """A case as the store has it."""

    case: Case | None
    decisions: Sequence[WrittenDecision] = ()
    acts: Sequence[WrittenAct] = ()


class _Logged(NamedTuple):
    """What the audit log says of the case of a claim."""

    scope: str
    claim_id: str
    decisions: Mapping[str, Decided]
    acts: Sequence[ClaimLine]
    purge: Purge | None

    def stays(self, decision_id: str, moment: str) -> bool:
        """Whether a decision was made after the case was purged, if it was."""
        logged = self.decisions.get(decision_id)
        return self.purge is None or (logged.moment if logged else moment) > self.purge.decided


def lines_of_cases(folders: Sequence[Path], ring: Ring, known: Iterable[str]) -> tuple[dict[str, list[ClaimLine]], int]:
    """The sound lines of claims that were held, or that are `known`, by claim number, the oldest first; and how many of
    all are not sound. The files are read twice: nearly all claims were never held, and their lines are not kept.

    Raises:
        OSError
    """
    wanted, unsound = set(known), 0
    for folder in folders:
        for one in folder_lines(folder, ring):
            unsound += one.state != "sound"
            if one.line.get("claim.disposition") == "rework" or "case.handle" in one.line:
                wanted.add(str(one.line.get("claim.claim_id")))
    every = (one for folder in folders for one in folder_lines(folder, ring))
    return by_claim(one for one in every if one.line.get("claim.claim_id") in wanted), unsound


def rebuild(desk: Desk, book: Callable[[], Book], folders: Sequence[Path], *, write: bool) -> Rebuilt:
    """Makes cases again from the audit files of these folders, each case in one transaction; call it once all decided
    is folded and what broke off is ended. `write`: else it says what it would do.

    Raises:
        CaseStoreUnusable, AuditUnwritable, OSError, redis.exceptions.RedisError
    """
    done = Rebuilt()
    with desk.cases.session() as session:
        known = {one.claim_id for one in session.all()}
    lines, done.unsound = lines_of_cases(folders, desk.ring, known)
    rebuilder = _Rebuilder(desk, DueDays(book), Handles(desk.store), done, write)
    facilities = {name: one.facility for name, one in producers_of(desk.store.redis, desk.store.keys).items()}
    for claim_id, said in lines.items():
        for logged in _logged(claim_id, said, facilities):
            rebuilder.one(logged)
    if write and (done.changed or done.purged or done.acts):
        line: AuditLine = {
            "log.level": "warning", "event.action": "cases.rebuilt", "event.outcome": "success", "user.name": who(),
            "access.cases": len(done.changed) + len(done.purged),
        }  # fmt: skip
        desk.put([line])
    return done


def _logged(claim_id: str, said: Sequence[ClaimLine], facilities: Mapping[str, str]) -> list[_Logged]:
    acts = {line.line["case.act"]: line for line in said if line.line["event.action"] in _KINDS}
    # An act says of which facility its decision is; who sent it may not be registered any more.
    known = {line.decision_id: line.line.get("case.facility", "") for line in acts.values()}
    found: dict[str, dict[str, Decided]] = {}
    for line in standing(said):
        if one := of_line(claim_id, line, facilities):
            scope = known.get(one.decision_id, one.scope)
            found.setdefault(scope, {})[one.decision_id] = replace(one, scope=scope)
    purged = purges(said)
    return [
        _Logged(scope, claim_id, found.get(scope, {}), [
            line for line in acts.values() if line.line.get("case.facility", "") == scope
        ], purged.get(scope))
        for scope in sorted({*found, *known.values(), *purged})
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rebuilder:
    desk: Desk
    due: DueDays
    handles: Handles
    done: Rebuilt
    write: bool

    def one(self, logged: _Logged) -> None:
        with self.desk.cases.session(alone=True) as session:
            case = session.of_claim(logged.scope, logged.claim_id)
            known = _Known(None)
            if case:
                known = _Known(case, session.decisions_of(case.handle), session.acts_of(case.handle))
            known = self._without_purged(session, logged, known)
            decisions = self._decisions(logged, known)
            acts = _acts(logged, known)
            after = refolded(decisions, [one.act for one in acts], lambda: self._handle(session, logged))
            if after is None:
                return
            self.done.cases += 1
            self._verify(logged, known)
            self._put(session, known, after, decisions, acts)

    def _without_purged(self, session: Session, logged: _Logged, known: _Known) -> _Known:
        """Takes out what a person had purged and is there again, since the store was lost in between."""
        left = [one for one in known.decisions if logged.stays(one.decision_id, one.moment)]
        if known.case is None or logged.purge is None or len(left) == len(known.decisions):
            return known
        self.done.purged.append(known.case.handle)
        if self.write:
            session.delete(known.case)
        return _Known(None, left, [one for one in known.acts if one.act.moment > logged.purge.moment])

    def _handle(self, session: Session, logged: _Logged) -> str:
        """The one under which people acted on it, where they did."""
        used = next((line.line["case.handle"] for line in reversed(logged.acts)), "")
        if used and not session.has_handle(used):
            return used
        return self.handles.new(session, logged.scope, logged.claim_id)

    def _decisions(self, logged: _Logged, known: _Known) -> list[Decided]:
        found = {name: one for name, one in logged.decisions.items() if logged.stays(name, one.moment)}
        stands = known.case.decision_id if known.case else ""
        held = [one for one in known.decisions if one.disposition == "rework" and not one.superseded]
        held.sort(key=lambda one: one.decision_id == stands)
        for row in known.decisions:
            one = found.get(row.decision_id) or _of_row(row, logged, known.case)
            if row.content:
                one = of_content(row.decision_id, row.moment, logged.scope, row.content, self.due)
            if known.case and held and row is held[-1]:
                one = _as_there(one, known.case)
            found[row.decision_id] = replace(one, moment=row.moment, stranger=row.stranger)
        return list(found.values())

    def _verify(self, logged: _Logged, known: _Known) -> None:
        """Whether texts are those that were written."""
        texts = {one.id: one.text for one in known.acts}
        for line in logged.acts:
            text, digest = texts.get(line.line["case.act"]), line.line.get("case.text", "")
            if text is None or text == TEXT_GONE or (not text and not digest):
                continue
            same = self.desk.is_of(digest, text) if digest else False
            self.done.unverified += same is None
            if same is False:
                self.done.altered.append(line.line["case.handle"])

    def _put(
        self, session: Session, known: _Known, after: Case, decisions: Iterable[Decided], acts: Iterable[WrittenAct]
    ) -> None:
        there = known.case if known.case and session.has_handle(known.case.handle) else None
        if there:
            after = replace(after, handle=there.handle, version=there.version)
        rows = {one.id: one for one in known.acts} if there else {}
        stored = {one.decision_id: one.content for one in known.decisions}
        new_acts = [one for one in acts if one.id not in rows]
        new_decisions = [one for one in decisions if not there or one.decision_id not in stored]
        self.done.acts += len([one for one in new_acts if one.id not in {act.id for act in known.acts}])
        self.done.texts += sum(one.text == TEXT_GONE for one in new_acts)
        self.done.decisions += len([one for one in new_decisions if one.decision_id not in stored])
        if after != there:
            self.done.changed.append(after.handle)
        if not self.write:
            return
        if after != there:
            session.write(there, replace(after, version=after.version + 1))
        for one in new_decisions:
            session.add_decision(after.handle, one, stored.get(one.decision_id))
        for act in new_acts:
            session.add_act(replace(act, handle=after.handle, state="done", sends=None))
        for act in rows.values():
            if act.state != "done" and act.id in {one.id for one in acts}:
                session.end_act(act.id, "done")


def _as_there(one: Decided, case: Case) -> Decided:
    """What was known of the claim stays as it was found out then: by the book of that day."""
    return replace(
        one, payer=case.payer, payer_name=case.payer_name, charge_cents=case.charge_cents, codes=case.codes,
        fault=own_fault(case), service_from=case.service_from, last_day=case.last_day,
        expected=case.expected,
    )  # fmt: skip


def _of_row(row: WrittenDecision, logged: _Logged, case: Case | None) -> Decided:
    """A decision of which these audit files have no line."""
    stands = case is not None and case.decision_id == row.decision_id
    return Decided(
        decision_id=row.decision_id, moment=row.moment, disposition=row.disposition,  # type: ignore[arg-type]
        scope=logged.scope, claim_id=logged.claim_id, superseded=row.superseded, codes=row.codes,
        waived=stands and case is not None and case.state == "waived",
    )  # fmt: skip


def _acts(logged: _Logged, known: _Known) -> list[WrittenAct]:
    """What happened, of the log and of the store, in its order: with its text where that is there."""
    rows = {one.id: one for one in known.acts}
    found: list[tuple[str, WrittenAct]] = []
    for line in logged.acts:
        if logged.purge and line.moment <= logged.purge.moment:
            continue
        id = line.line["case.act"]
        found.append((line.moment, rows.pop(id) if id in rows else _written(id, line)))
    found += [(one.act.moment, one) for one in rows.values() if one.state == "done"]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _written(id: str, line: ClaimLine) -> WrittenAct:
    said = line.line
    kind, until = _KINDS[said["event.action"]], said.get("case.until")
    act = Act(
        kind=_OF_REMITTANCE.get(kind, kind) if until else kind, moment=line.moment, account=said["user.name"],
        until=date.fromisoformat(until) if until else None, owner=said.get("case.owner", ""),
        reason=cast(CloseReason | None, said.get("case.reason")), decision_id=line.decision_id,
    )  # fmt: skip
    text = TEXT_GONE if "case.text" in said else ""
    return WrittenAct(id=id, handle=said["case.handle"], act=act, text=text, state="done", host=said["host.name"])
