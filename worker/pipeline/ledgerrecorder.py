"""What a person enters into the ledgers: claims that were billed before the project came, or that a payer rejected.

Both are audited before they happen. A ledger that a worker writes meanwhile is read again, so nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice, zip_longest
from secrets import token_hex
from typing import Literal, cast

from redis import Redis

from rules.case import date_of
from rules.claim import VOID, Claim
from rules.facts.history import months_after
from worker.audit.lines import AuditLine, who
from worker.audit.log import AuditLog, Head
from worker.intake.document import Document
from worker.intake.events import digest
from worker.pipeline import front, frontstore
from worker.pipeline.adoption import adopt
from worker.pipeline.ledger import (
    REPLACEMENT,
    Ledger,
    LedgerEntry,
    entry_of,
    imported_revision,
)
from worker.pipeline.ledgerstore import read_ledgers, write_ledgers
from worker.pipeline.patients import Patients
from worker.store.keyring import Rings
from worker.store.keys import Keys, case_mark

Fate = Literal["entered", "known", "too_old", "no_procedure", "no_date", "no_member_id"]
"""What becomes of a claim that is imported; `known`: the ledger has it, or a later version of it."""
_CHUNK = 500
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class LedgerRecorder:
    """Writes into ledgers for a person."""

    redis: Redis
    keys: Keys
    rings: Rings
    audit: AuditLog
    codes: Container[str]
    """Of the rule book: lines with another one are not kept."""
    months: int
    """For how long a ledger keeps what went to billing."""
    _former: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By ledger: where it may be under patient keys of before."""

    @property
    def _patients(self) -> Patients:
        return Patients(self.rings.patient, self.months)

    def enter(
        self, documents: Iterable[Document], today: date, on_progress: Callable[[int], None] = lambda _: None,
        facility: str = "",
    ) -> Counter[Fate]:  # fmt: skip
        """Enters claims that were billed before, of a facility; those that are there already change nothing.

        The order of a claim's versions is that of their days of receipt, else of service, then of the files.

        Raises:
            AuditUnwritable, CommitRefused, KeysTurned, redis.exceptions.RedisError: what was entered so far stays; to
                import the same again is safe.
        """
        counts: Counter[Fate] = Counter()
        rest = iter(documents)
        while chunk := list(islice(rest, _CHUNK)):
            patients: dict[Keys, dict[str, list[LedgerEntry]]] = {}
            for document in chunk:
                fate = self._sort(document, today, patients, facility)
                if fate:
                    counts[fate] += 1
            for keys, ledgers in patients.items():
                counts += self._entered(keys, ledgers, months_after(today, -self.months))
            on_progress(counts.total())
        return counts

    def reject(self, claim_id: str, why: str) -> int:
        """Records that a payer rejected a claim that went to billing; answers in how many ledgers it counted: several
        where one claim id went to several payers, which cannot be told apart here.

        Raises:
            AuditUnwritable, CommitRefused, KeysTurned, redis.exceptions.RedisError
        """
        done = 0
        # A ledger under a key of before may get its new name behind the back of the first look; no ledger does twice.
        looks = 2 if self._patients.former_keys() else 1
        for keys, key in chain.from_iterable(self._keys_with(claim_id) for _ in range(looks)):
            head = Head()
            while True:
                found = self._read([key])[key]
                billed = [one for one in found.entries.values() if (one.claim_id, one.state) == (claim_id, "billed")]
                if not billed:
                    break
                if not head.chain:
                    head = self.audit.write([_line("history.rejected", claim_id=claim_id, why=why)])
                after = found
                for entry in billed:  # of several facilities where each has that number
                    self._rejected(keys, entry)
                    after = after.rejected(entry.name, _version())
                if not self._write(keys, {key: (found, after)}, head):
                    done += 1
                    break
        return done

    def _rejected(self, home: Keys, entry: LedgerEntry) -> None:
        """The fronts of its case know of it before the ledger does: who begins again looks for what is billed there."""
        mark = case_mark(entry.facility, entry.claim_id)
        for there in frontstore.places(home, mark):
            frontstore.change_front(self.redis, there, mark, front.rejected)

    def _sort(
        self, document: Document, today: date, patients: dict[Keys, dict[str, list[LedgerEntry]]], facility: str
    ) -> Fate | None:
        """Puts the claim with its patient; or answers why no ledger takes it."""
        claim = document.claim
        lines = [line for line in claim.lines if line.procedure in self.codes]
        if not lines:
            return "no_procedure"
        patient = self._patients.of(claim)
        if patient is None:
            return "no_member_id"
        day = _day(document, claim)
        if day is None:
            return "no_date"
        if day < months_after(today, -self.months):
            return "too_old"
        data = document.value["data"] if document.event else document.value
        revision, person = imported_revision(min(day, today)), patient.person
        entry = entry_of(claim, revision, digest(data), self.codes, person, patient.key, patient.persons, facility)
        keys = self.keys.at(patient.name)
        ledger = keys.ledger(patient.name)
        self._former[ledger] = tuple(map(keys.ledger, patient.former))
        patients.setdefault(keys, {}).setdefault(ledger, []).append(entry)
        return None

    def _entered(self, keys: Keys, patients: dict[str, list[LedgerEntry]], since: date) -> Counter[Fate]:
        counts: Counter[Fate] = Counter()
        left = patients
        if left:
            head = self.audit.write([_line("history.imported", claims=sum(map(len, left.values())))])
        while left:
            changes: dict[str, tuple[Ledger, Ledger]] = {}
            fates: dict[str, Counter[Fate]] = {}
            version = _version()
            self._adopt(keys, list(left))
            for key, found in self._read(list(left)).items():
                after, fates[key] = _folded(found, left[key], version, since)
                if after is not found:
                    changes[key] = (found, after)
            refused = self._write(keys, changes, head)
            for key in left.keys() - refused:
                counts += fates[key]
            left = {key: left[key] for key in refused}
        return counts

    def _adopt(self, keys: Keys, ledgers: Sequence[str]) -> None:
        """Gives what stands under a key of before its name under the one in force."""
        for former in zip_longest(*(self._former.get(one, ()) for one in ledgers)):
            pairs = {now: before for now, before in zip(ledgers, former, strict=True) if before}
            adopt(self.redis, keys, self.rings.mark, pairs)

    def _read(self, keys: Sequence[str]) -> dict[str, Ledger]:
        return read_ledgers(self.redis, keys)

    def _write(self, keys: Keys, changes: dict[str, tuple[Ledger, Ledger]], head: Head) -> set[str]:
        return write_ledgers(self.redis, keys, changes, head, self.rings.mark, self.months)

    def _keys_with(self, claim_id: str) -> Iterator[tuple[Keys, str]]:
        """Ledgers whose text holds the claim id. There is no index: it would cost as much as the ledgers."""
        wanted = claim_id.encode()
        for keys in self.keys.all:
            pages = self.redis.scan_iter(match=keys.ledger("*"), count=_PAGE)
            while page := [key.decode() for key in islice(pages, _PAGE)]:
                values = cast(list[bytes | None], self.redis.mget(page))
                yield from ((keys, key) for key, value in zip(page, values, strict=True) if value and wanted in value)


def _folded(found: Ledger, entries: Sequence[LedgerEntry], version: str, since: date) -> tuple[Ledger, Counter[Fate]]:
    fates: Counter[Fate] = Counter()
    after = found
    for entry in entries:
        known = _known(after.entries.get(entry.name), entry)
        fates["known" if known else "entered"] += 1
        if not known:
            after = after.after(entry, billed=True, version=version, since=since)
    return after, fates


def _known(known: LedgerEntry | None, new: LedgerEntry) -> bool:
    """Whether the ledger has this version of the claim, or a later one. A claim that only went to rework since may
    well have been billed before, and of one that was recovered from the audit log the ledger knows no services; of a
    claim's versions of one day a replacement or void is the later one."""
    if known is None or known.bare:
        return False
    if known.order != new.order:
        return known.order > new.order
    return known.state == "ended" or known.digest == new.digest or new.frequency not in (REPLACEMENT, VOID)


def _day(document: Document, claim: Claim) -> date | None:
    """When it was billed: the day of receipt, of the event, or the last day of service."""
    if claim.received_date:
        return claim.received_date
    if document.event and document.event.day:
        return document.event.day
    return max((day for line in claim.lines if (day := date_of(claim, line))), default=None)


def _version() -> str:
    """Not an inbox entry, and never the same twice."""
    return f"by-hand-{token_hex(6)}"


def _line(
    action: Literal["history.imported", "history.rejected"], *, claim_id: str = "", claims: int = 0, why: str = ""
) -> AuditLine:
    line: AuditLine = {
        "log.level": "warning", "event.action": action, "event.outcome": "success", "user.name": who(),
    }  # fmt: skip
    if action == "history.imported":
        line["history.claims"] = claims
    else:
        line["claim.claim_id"] = claim_id
        line["event.reason"] = why
    return line
