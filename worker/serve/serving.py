"""What one process of the service has open: Redis, the case store, the audit log. Safe to use from several threads.

The case store may be gone while claims are decided on: it is opened when it is wanted, and who wants it is told. A
thread folds in what was decided, once a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError

from rules.book.book import Book
from rules.errors import ScrubError
from worker.audit.actlines import acts_logged
from worker.audit.lines import AuditLine, now
from worker.audit.log import AuditLog, check_folder
from worker.books.current import payment_terms
from worker.bootstrap import process_book
from worker.config.settings import Settings
from worker.desk.acting import Desk, broke_off
from worker.desk.cases import Act, ActKind, Case, CloseReason
from worker.desk.casestore import CaseStore, WrittenAct
from worker.desk.following import follow
from worker.desk.repairing import Repairable, repair, repairable
from worker.desk.waiving import Waivable, names, waivable, waive
from worker.errors import CaseAmbiguous, CaseChanged, CaseElsewhere, CaseUnknown, NotRepairable, NotWaivable
from worker.logs.operational import log, safe_exception
from worker.pipeline.outlets import OutletEntry
from worker.pipeline.quarantine import QuarantineDesk
from worker.process.celeryapp import notifier
from worker.serve.gate import Gate
from worker.serve.identity import Caller
from worker.serve.judges import Judges
from worker.serve.times import Times
from worker.serve.tokens import TokenFile
from worker.serve.webhook import Webhook, load_key
from worker.store.agreement import RingsInForce, agreed_rings
from worker.store.connections import Store
from worker.store.keyring import Ring

_EVERY = 1.0
"""Seconds between two looks for what was decided, and what is in force."""
AGAIN = 5.0
"""Seconds before the webhook goes on where it could not."""
_FINISH = 60.0
"""Seconds between two looks for acts that broke off."""


class Serving:
    """One process of the service. Routes find it as `request.app.state.serving`."""

    def __init__(self, store: Store) -> None:
        """Raises what a worker raises that cannot start: SecretUnusable, BookInvalid, ContractsInvalid and others."""
        self.settings: Settings = store.settings
        self.store = store
        self._source = process_book(store)
        self._book = self._source.book()
        payment_terms(self.settings)
        self.judges = Judges(self.settings)
        self.times = Times()
        self.notifier = notifier(store)
        rings = agreed_rings(store)
        self._rings = RingsInForce(store.once, store.keys.first, self.settings.secret_path, rings)
        self._ring: Ring = rings.audit
        check_folder(self.settings.audit_path)
        self._audit = AuditLog.of(self.settings, self._ring)
        self._acting = threading.RLock()
        self._opening = threading.Lock()
        self._cases: CaseStore | None = None
        self.gate = Gate(self.settings, TokenFile(self.settings.token_path), self.refused)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._follow, name="cases", daemon=True)]
        if self.settings.webhook:
            key = load_key(self.settings.webhook_secret_file)
            self._webhook = Webhook(self.settings, store.redis, store.keys, key)
            self._threads.append(threading.Thread(target=self._tell, name="webhook", daemon=True))

    async def start(self) -> None:
        """Returns once claims can be judged."""
        await self.judges.start()
        for one in self._threads:
            one.start()

    def close(self) -> None:
        self._ending.set()
        for one in self._threads:
            if one.is_alive():
                one.join(10)
        self.judges.close()
        self._audit.close()
        if self._cases:
            self._cases.close()

    @property
    def book(self) -> Book:
        """The book in force, with its overrides: what claims are judged by now."""
        return self._book

    @property
    def book_said(self) -> str:
        """Version and digest of that book, or why the one in force is not used."""
        return self._source.refused or f"{self.book.version}+{self.book.digest[:8]}"

    def now(self) -> datetime:
        """This moment, where the people of the hospital are (SCRUB_TIMEZONE)."""
        zone = self.settings.timezone
        return datetime.now(ZoneInfo(zone)) if zone else datetime.now().astimezone()

    def today(self) -> date:
        """The day of acts, and of what is due."""
        return self.now().date()

    def cases(self) -> CaseStore:
        """The case store; `with serving.cases().session() as session` reads and writes.

        Raises:
            CaseStoreUnusable, CaseStoreTooNew: pages say so, and are read-only.
        """
        with self._opening:
            if self._cases and self._cases.lost:
                self._cases.close()
                self._cases = None
            if self._cases is None:
                self._cases = CaseStore(self.settings.case_store_url, self.settings.case_store_password_file)
                if self._cases.made and (lost := len(acts_logged(self.settings.audit_path))):
                    log(__name__).warning("the case store is a new one; see scrub doctor", acts_elsewhere=lost)
            return self._cases

    def case(self, caller: Caller, handle: str) -> Case:
        """A case that the caller may see, by its handle; never by a claim number.

        Raises:
            CaseUnknown: CaseElsewhere where it is another facility's, which the answer does not say.
            CaseStoreUnusable
        """
        try:
            with self.cases().session() as session:
                found = session.named(handle)
        except CaseAmbiguous:  # a claim number may look like a handle
            raise CaseUnknown(case=handle) from None
        if found.handle != handle:
            raise CaseUnknown(case=handle)
        if not caller.sees(found):
            raise CaseElsewhere(case=handle)
        return found

    def act(
        self,
        caller: Caller,
        case: Case,
        kind: ActKind,
        text: str = "",
        *,
        seen: int | None = None,
        until: date | None = None,
        owner: str = "",
        reason: CloseReason | None = None,
    ) -> Case:
        """Does an act on a case for somebody who saw it at version `seen` (None: whatever it is).

        Raises:
            NotAllowed, ActNotPossible, CaseChanged: nothing was written.
            CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError
        """
        caller.may("work")
        if seen is not None and case.version != seen:
            raise self._changed(case.handle, case.version, seen)
        act = Act(kind=kind, moment=now(), account=caller.account, until=until, owner=owner, reason=reason)
        try:
            with self._desk() as desk:
                return desk.do(case, act, text, self.today())
        except CaseChanged:
            raise self._changed(case.handle, None, case.version) from None

    def waivable(self, caller: Caller, case: Case) -> Waivable:
        """What a waiver of the case would let go, as it is now.

        Raises:
            NotAllowed
            NotWaivable: with the reason.
            CaseStoreUnusable, redis.exceptions.RedisError
        """
        caller.may("waive")
        return waivable(Desk(self.store, self.cases(), self._audit, self._ring), case, self.today())

    def waive(
        self, caller: Caller, case: Case, reason: str, *, seen: int, content: str, findings: Sequence[str], owner: str,
        until: date,
    ) -> Case:  # fmt: skip
        """Lets the claim of a case go for somebody who saw it at version `seen`, with this content and these findings
        by name.

        Raises:
            NotAllowed, NotWaivable, ActNotPossible, CaseChanged: nothing was written.
            CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError
        """
        caller.may("waive")
        if case.version != seen:
            raise self._changed(case.handle, case.version, seen)
        act, day = Act(kind="waive", moment=now(), account=caller.account), self.today()
        try:
            with self._desk() as desk:
                found = waivable(desk, case, day)
                if (found.content, set(names(found.findings))) != (content, set(findings)):
                    raise NotWaivable(case=case.handle, reason="what was decided is not what you saw; look again")
                return waive(desk, found, reason, owner=owner, until=until, day=day, act=act)
        except CaseChanged:
            raise self._changed(case.handle, None, case.version) from None

    def repairable(self, caller: Caller, case: Case) -> Repairable:
        """What of a case's claim can be written otherwise here, as it is now.

        Raises:
            NotAllowed
            NotRepairable: with the reason.
            CaseStoreUnusable, redis.exceptions.RedisError
        """
        caller.may("work")
        return repairable(Desk(self.store, self.cases(), self._audit, self._ring), case, self.book, self.today())

    def repair(self, caller: Caller, case: Case, note: str, *, seen: int, content: str) -> Case:
        """Has the claim judged again so, for somebody who saw it at version `seen`, and what it would be by digest.

        Raises:
            NotAllowed, NotRepairable, ActNotPossible, CaseChanged: nothing was written.
            CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError
        """
        caller.may("work")
        if case.version != seen:
            raise self._changed(case.handle, case.version, seen)
        act, day = Act(kind="repair", moment=now(), account=caller.account), self.today()
        try:
            with self._desk() as desk:
                found = repairable(desk, case, self.book, day)
                if found.content != content:
                    raise NotRepairable(case=case.handle, reason="what was decided is not what you saw; look again")
                return repair(desk, found, self.book, note, day=day, act=act)
        except CaseChanged:
            raise self._changed(case.handle, None, case.version) from None

    def _changed(self, handle: str, found: int | None, seen: int) -> CaseChanged:
        """That somebody was quicker: who, and when, as far as a person did it."""
        with self.cases().session() as session:
            case, acts = session.named(handle), session.acts_of(handle)
        last = acts[-1].act if acts else None
        by_person = last is not None and last.moment >= case.moment
        error = CaseChanged(case=handle, found=found or case.version, seen=seen)
        error.members = {
            "version": case.version,
            "seen": seen,
            "state": case.state_on(self.today()),
            "changed_by": last.account if last and by_person else "a decision on the claim",
            "changed_at": last.moment if last and by_person else case.moment,
        }
        return error

    def take_quarantined(self, caller: Caller, entry: OutletEntry, verb: Literal["requeue", "drop"], why: str) -> bool:
        """Takes an entry out of quarantine; False: somebody else did before.

        Raises:
            NotAllowed, NotRequeueable, AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        caller.may("admin")
        with self._acting:
            taker = QuarantineDesk(self.store.once, self.store.keys, self._audit, caller.account)
            done = taker.requeue(entry, why) if verb == "requeue" else taker.drop(entry, why)
        if done and verb == "requeue":
            self.notifier.notify()
        return done

    def viewed(self, caller: Caller, case: Case) -> None:
        """Puts into the audit log that somebody looked at a claim: before it is shown, or it is not shown.

        Raises:
            AuditUnwritable, redis.exceptions.RedisError
        """
        self._write(
            {
                "log.level": "info", "event.action": "case.viewed", "event.outcome": "success",
                "trace.id": case.decision_id, "user.name": caller.account, "claim.claim_id": case.claim_id,
                "claim.decision_id": case.decision_id, "case.handle": case.handle,
            }
        )  # fmt: skip

    def looked_up(self, caller: Caller, claim_id: str) -> None:
        """Puts into the audit log that somebody looked for a claim that has no case, by its number.

        Raises:
            AuditUnwritable, redis.exceptions.RedisError
        """
        self._write(
            {
                "log.level": "info", "event.action": "case.viewed", "event.outcome": "success",
                "user.name": caller.account, "claim.claim_id": claim_id,
            }
        )  # fmt: skip

    def listed(self, caller: Caller, cases: Sequence[Case]) -> None:
        """Puts into the audit log that somebody saw a list, and of how many cases.

        Raises:
            AuditUnwritable, redis.exceptions.RedisError
        """
        self._write(
            {
                "log.level": "info", "event.action": "case.listed", "event.outcome": "success",
                "user.name": caller.account, "access.cases": len(cases),
            }
        )  # fmt: skip

    def look_at_redis(self) -> None:
        """Raises redis.exceptions.RedisError where it does not answer."""
        self.store.once.ping()

    def look_at_audit(self) -> None:
        """Raises AuditUnwritable."""
        check_folder(self.settings.audit_path)

    def look_at_cases(self) -> None:
        """Raises CaseStoreUnusable, CaseStoreTooNew."""
        with self.cases().session() as session:
            session.open_count()

    def refused(self, account: str, route: str, reason: str, address: str) -> None:
        """Puts into the audit log that somebody was refused. `account`: empty where nobody knows; `route`, `address`:
        see `route_of` and `address_of` in `worker.serve.gate`.

        Raises:
            AuditUnwritable, redis.exceptions.RedisError
        """
        self._write(
            {
                "log.level": "warning", "event.action": "access.refused", "event.outcome": "failure",
                "user.name": account, "access.route": route, "access.reason": reason, "access.address": address,
            }
        )  # fmt: skip

    def _write(self, line: AuditLine) -> None:
        with self._acting:
            head = self._audit.write([line])
            self.store.redis.hset(self.store.keys.chains, head.chain, f"{head.seq} {head.stored}")

    @contextmanager
    def _desk(self) -> Iterator[Desk]:
        """One act at a time: the lines of a chain and its head in Redis go together."""
        with self._acting:
            yield Desk(self.store, self.cases(), self._audit, self._ring)

    def _follow(self) -> None:
        since, trouble = 0.0, ""
        while not self._ending.wait(_EVERY):
            try:
                self._book = self._source.book()
                self._turn()
                self.fold()
                if time.monotonic() - since > _FINISH:
                    since = time.monotonic()
                    self.finish()
                found = ""
            except (ScrubError, RedisError, OSError) as error:
                found = str(error) if isinstance(error, ScrubError) else type(error).__name__
            except Exception as error:  # noqa: BLE001 - a defect: without this thread no case would come in any more
                found = type(error).__name__
                if found != trouble:
                    log(__name__).error("cases could not be brought in", **safe_exception(error))
            if found and found != trouble:
                log(__name__).warning("what was decided is not brought in", **{"error.message": found})
            trouble = found

    def _tell(self) -> None:
        """Tells the webhook; where Redis or the disk is away, from where it stood."""
        while not self._ending.is_set():
            try:
                self._webhook.run(self._ending.wait)
            except (ScrubError, RedisError, OSError) as error:
                log(__name__).warning("the webhook waits", **{"error.message": type(error).__name__})
                self._ending.wait(AGAIN)
            except Exception as error:  # noqa: BLE001 - a defect, or a file of ours that somebody changed
                log(__name__).error("the webhook failed", **safe_exception(error))
                self._ending.wait(AGAIN)

    def fold(self) -> None:
        """Brings in what was decided until now.

        Raises:
            CaseStoreUnusable, OSError, redis.exceptions.RedisError
        """
        done = follow(self.store, self.cases(), lambda: self.book)
        if done.decisions:
            log(__name__).debug("folded", decisions=done.decisions)

    def finish(self) -> list[WrittenAct]:
        """Ends acts that broke off where their audit line stands; answers those that have none. Their pages tell their
        authors.

        Raises:
            CaseStoreUnusable, OSError
        """
        with self._desk() as desk:
            left = desk.finish()
            for one in filter(broke_off, left):
                desk.give_up(one)
            return left

    def _turn(self) -> None:
        """Writes on under the audit key that is in force."""
        ring = self._rings.look().audit
        if ring is not self._ring:
            with self._acting:
                self._audit.turn(ring)
                self._ring = ring
