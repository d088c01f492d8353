"""What people do on cases. The order of an act: its row with its text, its audit line, the head of the chain, of a
waiver what goes to the workers, the case.

Whatever comes in between, nothing is lost and nothing happens unseen: `finish` ends the acts whose audit line stands,
and the others are told to whoever comes next, with who began them. The text of an act stays in the store; the audit log
has a keyed digest of it, by which it can be shown later that it was not changed.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import orjson

from worker.audit.claimlines import claim_lines
from worker.audit.lines import AuditLine, now, who
from worker.audit.log import AuditLog
from worker.desk.cases import Act, Case, acted
from worker.desk.casestore import CaseStore, WrittenAct
from worker.errors import ActNotPossible
from worker.store.connections import Store
from worker.store.keyring import Ring
from worker.store.keys import INNER, Keys
from worker.store.secret import derived, keyed

_ACTIONS = {
    "pend": "case.pended", "assign": "case.assigned", "note": "case.noted", "close": "case.closed",
    "reopen": "case.reopened", "settle": "case.closed", "reverse": "case.reopened", "waive": "claim.waived",
    "repair": "claim.repaired",
}  # fmt: skip


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
        id, after = secrets.token_hex(16), acted(case, act, day)
        with self.cases.session() as session:
            # The version counts on now, so that whoever acts at the same time on what he saw before is told.
            session.write(case, replace(case, version=after.version))
            session.add_act(id, case.handle, act, text, waives and waives.packed())
        head = self.audit.write([self._line(case, act, id, text, waives)])
        self.store.redis.hset(self.store.keys.chains, head.chain, f"{head.seq} {head.stored}")
        if waives:
            self._send(waives)
        return self._end(id, case.handle, act, day)

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
            if one.sends:
                self._send(Waives.unpacked(one.sends))  # maybe once more: it is a repeated event then
            with suppress(ActNotPossible):  # somebody did something else on it since
                self._end(one.id, one.handle, one.act, date.fromisoformat(one.act.moment[:10]))
        return left

    def _end(self, id: str, handle: str, act: Act, day: date) -> Case:
        """Brings an act whose audit line stands to its case, as that is now: a decision may have come in between. A
        waiver is with the workers by then, and what they say of it stands."""
        with self.cases.session() as session:
            case, refused = session.named(handle), None
            try:
                after = acted(case, act, day)
            except ActNotPossible as error:
                after, refused = case, error
            sent = act.kind in ("waive", "repair")
            if session.end_act(id, "refused" if refused and not sent else "done") and not refused:
                session.write(case, after)
        if refused and not sent:
            raise refused
        return after

    def _send(self, waives: Waives) -> None:
        keys = Keys(waives.partition, self.store.keys.count)
        self.store.once.xadd(keys.stream(INNER), dict(waives.fields))  # type: ignore[arg-type]

    def give_up(self, one: WrittenAct) -> None:
        """Forgets an act that has no audit line: it never happened."""
        with self.cases.session() as session:
            session.end_act(one.id, "refused")

    def digest(self, text: str) -> str:
        """Of a text, under the audit key in force: `KEY:HMAC`."""
        key = self.ring.active
        return f"{key.id}:{keyed(derived(key.secret, b'case text'), text.encode()).hex()}"

    def _stands(self, one: WrittenAct, claim_id: str) -> bool:
        lines = claim_lines(self.store.settings.audit_path, claim_id, self.ring, None)
        return any(line.line.get("case.act") == one.id and line.state == "sound" for line in lines)

    def _line(self, case: Case, act: Act, id: str, text: str, waives: Waives | None = None) -> AuditLine:
        line: AuditLine = {
            "log.level": "info",
            "event.action": _ACTIONS[act.kind],  # type: ignore[typeddict-item]
            "event.outcome": "success",
            "trace.id": case.decision_id,
            "user.name": act.account,
            "claim.claim_id": case.claim_id,
            "claim.decision_id": case.decision_id,
            "case.handle": case.handle,
            "case.act": id,
        }
        if text:
            line["case.text"] = self.digest(text)
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


def of_me(kind: str, **about: object) -> Act:
    """An act of the account that runs this, now."""
    return Act(kind=kind, moment=now(), account=who(), **about)  # type: ignore[arg-type]
