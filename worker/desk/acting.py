"""What people do on cases. The order of an act: its row with its text, its audit line, the head of the chain, of a
waiver what goes to the workers, the case.

Whatever comes in between, nothing is lost and nothing happens unseen: `finish` ends the acts whose audit line stands,
and the others are told to whoever comes next, with who began them. The text of an act stays in the store; the audit log
has a keyed digest of it, by which it can be shown later that it was not changed.
"""

from __future__ import annotations

import hmac
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import orjson

from worker.audit.claimlines import claim_lines
from worker.audit.lines import Action, AuditLine, now, who
from worker.audit.log import AuditLog, host_name
from worker.desk.cases import Act, ActKind, Case, acted, ended
from worker.desk.casestore import CaseStore, WrittenAct, kept
from worker.errors import CaseChanged
from worker.store.connections import Store
from worker.store.keyring import Key, Ring
from worker.store.keys import INNER, Keys
from worker.store.secret import derived, keyed

ACTIONS: Mapping[ActKind, Action] = {
    "pend": "case.pended", "assign": "case.assigned", "note": "case.noted", "close": "case.closed",
    "reopen": "case.reopened", "settle": "case.closed", "reverse": "case.reopened", "waive": "claim.waived",
    "preserve": "case.preserved", "release": "case.released", "repair": "claim.repaired",
}  # fmt: skip
PATIENCE = timedelta(minutes=1)
"""After which an act that is not on the audit log of its own machine broke off; others wait for a day, since the line
may stand there."""


class Waives(NamedTuple):
    """What goes to the workers with a waiver or a repair."""

    partition: int
    digest: str
    """Of the waiver."""
    findings: Sequence[str]
    """Of a repair, what it changes."""
    fields: Mapping[str, str]
    """Of the entry."""

    def packed(self) -> bytes:
        return zlib.compress(orjson.dumps(self._asdict()))

    @classmethod
    def unpacked(cls, raw: bytes) -> Waives:
        return cls(**orjson.loads(zlib.decompress(raw)))


@dataclass(frozen=True, slots=True)
class Desk:
    """Does acts for a person."""

    store: Store
    cases: CaseStore
    audit: AuditLog
    ring: Ring
    """Of the audit keys: the one in force makes the digest of a text."""

    def do(self, case: Case, act: Act, text: str, day: date, waives: Waives | None = None) -> Case:
        """Does an act on a case as it was seen. `waives`: of a waiver, what goes to the workers.

        Raises:
            ActNotPossible, CaseChanged: nothing was written.
            CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError
        """
        begun = replace(act, decision_id=case.decision_id)
        after, text = acted(case, begun, day), kept(text)
        one = WrittenAct(
            id=secrets.token_hex(16), handle=case.handle, act=begun, text=text, sends=waives and waives.packed(),
            host=host_name(),
        )  # fmt: skip
        self._clear(case)
        with self.cases.session(alone=True) as session:
            # The version counts on now, so that whoever acts at the same time on what he saw before is told.
            session.write(case, replace(case, version=after.version))
            if session.pending_acts(case.handle):  # acts end in the order of their audit lines
                raise CaseChanged(case=case.handle, found=after.version, seen=case.version)
            session.add_act(one)
        self.put([self._line(case, one, waives)])
        if waives:
            self._send(waives)
        return self._end(one)

    def put(self, lines: Sequence[AuditLine]) -> None:
        """Writes audit lines, and where their chain stands then.

        Raises:
            AuditUnwritable, redis.exceptions.RedisError
        """
        head = self.audit.write(lines)
        self.store.redis.hset(self.store.keys.chains, head.chain, f"{head.seq} {head.stored}")

    def _clear(self, case: Case) -> None:
        """Ends what broke off on a case, so that it is seen before anything else is done."""
        with self.cases.session() as session:
            pending = session.pending_acts(case.handle)
        for one in pending:
            if self._stands(one, case.claim_id):
                self._finish(one)
            elif broke_off(one):
                self.give_up(one)

    def finish(self) -> list[WrittenAct]:
        """Ends what was begun and broke off, where its audit line stands; answers what has none, for its author.

        Raises:
            CaseStoreUnusable, OSError, redis.exceptions.RedisError
        """
        with self.cases.session() as session:
            pending = session.pending_acts()
            found = {one.handle: session.named(one.handle) for one in pending}
        left = []
        for one in pending:
            if not self._stands(one, found[one.handle].claim_id):
                left.append(one)
                continue
            self._finish(one)
        return left

    def _finish(self, one: WrittenAct) -> None:
        if one.sends:
            self._send(Waives.unpacked(one.sends))  # maybe once more: it is a repeated event then
        self._end(one)

    def _end(self, one: WrittenAct) -> Case:
        """Brings an act whose audit line stands to its case, as that is now: a decision may have come in between. A
        waiver is with the workers by then, and what they say of it stands."""
        with self.cases.session(alone=True) as session:
            case = session.named(one.handle)
            if not session.end_act(one.id, "done"):
                return case
            after = ended(case, one.act)
            session.write(case, after)
        return after

    def _send(self, waives: Waives) -> None:
        keys = Keys(waives.partition, self.store.keys.count)
        self.store.once.xadd(keys.stream(INNER), dict(waives.fields))  # type: ignore[arg-type]

    def give_up(self, one: WrittenAct) -> None:
        """Forgets an act that has no audit line: it never happened."""
        with self.cases.session() as session:
            session.end_act(one.id, "gone")

    def digest(self, text: str) -> str:
        """Of a text, under the audit key in force: `KEY:HMAC`."""
        return _digest(self.ring.active, text)

    def is_of(self, digest: str, text: str) -> bool | None:
        """Whether a digest is of this text; None: it was made under a key that is not here."""
        key = self.ring.find(digest.partition(":")[0])
        return None if key is None else hmac.compare_digest(_digest(key, text), digest)

    def _stands(self, one: WrittenAct, claim_id: str) -> bool:
        lines = claim_lines(self.store.settings.audit_path, claim_id, self.ring, None)
        return any(line.line.get("case.act") == one.id and line.state == "sound" for line in lines)

    def _line(self, case: Case, one: WrittenAct, waives: Waives | None = None) -> AuditLine:
        act = one.act
        line = line_of(case, ACTIONS[act.kind], act.account)
        line["case.act"] = one.id
        if one.text:
            line["case.text"] = self.digest(one.text)
        if act.until:
            line["case.until"] = act.until.isoformat()
        if act.kind in ("assign", "waive"):
            line["case.owner"] = act.owner
        if waives and act.kind == "repair":
            line["claim.repair"], line["claim.repaired"] = waives.digest, list(waives.findings)
        elif waives:
            line["claim.waiver"], line["claim.waived"] = waives.digest, list(waives.findings)
        if act.reason:
            line["case.reason"] = act.reason
        return line


def broke_off(one: WrittenAct) -> bool:
    """Whether an act that is not on the audit log here is no longer under way anywhere."""
    patience = PATIENCE if one.host in ("", host_name()) else timedelta(days=1)
    return datetime.fromisoformat(one.act.moment) < datetime.now(UTC) - patience


def line_of(case: Case, action: Action, account: str) -> AuditLine:
    """What each line of an act on a case has."""
    line: AuditLine = {
        "log.level": "info", "event.action": action, "event.outcome": "success", "trace.id": case.decision_id,
        "user.name": account, "claim.claim_id": case.claim_id, "claim.decision_id": case.decision_id,
        "case.handle": case.handle,
    }  # fmt: skip
    if case.scope:
        line["case.facility"] = case.scope
    return line


def _digest(key: Key, text: str) -> str:
    return f"{key.id}:{keyed(derived(key.secret, b'case text'), text.encode()).hex()}"


def of_me(kind: str, **about: object) -> Act:
    """An act of the account that runs this, now."""
    return Act(kind=kind, moment=now(), account=who(), **about)  # type: ignore[arg-type]
