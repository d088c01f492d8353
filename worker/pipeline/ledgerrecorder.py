"""What a person enters into the ledgers: claims that were billed before the project came, or that a payer rejected.

Both are audited before they happen. A ledger that a worker writes meanwhile is read again, so nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from secrets import token_hex
from typing import Any, Literal, cast

from redis import Redis
from redis.exceptions import ResponseError

from rules.case import date_of
from rules.claim import VOID, Claim
from rules.facts.history import months_after
from worker.audit.lines import AuditLine, who
from worker.audit.log import AuditLog, Head
from worker.errors import CommitRefused
from worker.intake.document import Document
from worker.intake.events import digest
from worker.pipeline.ledger import (
    REPLACEMENT,
    Ledger,
    LedgerEntry,
    entry_of,
    expiry_ms,
    imported_revision,
    patient_hash,
    person_of,
)
from worker.store.keys import Keys
from worker.store.scripts import script

Fate = Literal["entered", "known", "too_old", "no_procedure", "no_date", "no_member_id"]
"""What becomes of a claim that is imported; `known`: the ledger has it, or a later version of it."""
_CHUNK = 500
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class LedgerRecorder:
    """Writes into ledgers for a person."""

    redis: Redis
    keys: Keys
    secret: bytes
    audit: AuditLog
    codes: Container[str]
    """Of the rule book: lines with another one are not kept."""
    months: int
    """For how long a ledger keeps what went to billing."""

    def enter(
        self, documents: Iterable[Document], today: date, on_progress: Callable[[int], None] = lambda _: None
    ) -> Counter[Fate]:
        """Enters claims that were billed before; those that are there already change nothing.

        The order of a claim's versions is that of their days of receipt, else of service, then of the files.

        Raises:
            AuditUnwritable, CommitRefused, redis.exceptions.RedisError: what was entered so far stays; to import the
                same again is safe.
        """
        counts: Counter[Fate] = Counter()
        rest = iter(documents)
        while chunk := list(islice(rest, _CHUNK)):
            patients: dict[Keys, dict[str, list[LedgerEntry]]] = {}
            for document in chunk:
                fate = self._sort(document, today, patients)
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
            AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        done = 0
        for keys, key in self._keys_with(claim_id):
            head = Head()
            while True:
                found = self._read([key])[key]
                entry = found.entries.get(claim_id)
                if entry is None or entry.state != "billed":
                    break
                if not head.chain:
                    head = self.audit.write([_line("history.rejected", claim_id=claim_id, why=why)])
                if not self._write(keys, {key: (found, found.rejected(claim_id, _version()))}, head):
                    done += 1
                    break
        return done

    def _sort(self, document: Document, today: date, patients: dict[Keys, dict[str, list[LedgerEntry]]]) -> Fate | None:
        """Puts the claim with its patient; or answers why no ledger takes it."""
        claim = document.claim
        lines = [line for line in claim.lines if line.procedure in self.codes]
        if not lines:
            return "no_procedure"
        patient = patient_hash(self.secret, claim)
        if patient is None:
            return "no_member_id"
        day = _day(document, claim)
        if day is None:
            return "no_date"
        if day < months_after(today, -self.months):
            return "too_old"
        data = document.value["data"] if document.event else document.value
        person = person_of(self.secret, patient, claim)
        entry = entry_of(claim, imported_revision(min(day, today)), digest(data), self.codes, person)
        keys = self.keys.at(patient)
        patients.setdefault(keys, {}).setdefault(keys.ledger(patient), []).append(entry)
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
            for key, found in self._read(list(left)).items():
                after, fates[key] = _folded(found, left[key], version, since)
                if after is not found:
                    changes[key] = (found, after)
            refused = self._write(keys, changes, head)
            for key in left.keys() - refused:
                counts += fates[key]
            left = {key: left[key] for key in refused}
        return counts

    def _read(self, keys: Sequence[str]) -> dict[str, Ledger]:
        if not keys:
            return {}
        values = cast(list[bytes | None], self.redis.mget(keys))
        return {key: Ledger.parse((value or b"").decode()) for key, value in zip(keys, values, strict=True)}

    def _write(self, keys: Keys, changes: dict[str, tuple[Ledger, Ledger]], head: Head) -> set[str]:
        """Writes each ledger of a partition in place of the one that was read; answers those that changed meanwhile."""
        arguments: list[str | int] = [head.chain, head.seq, head.mac]
        for found, after in changes.values():
            arguments += (found.version, str(after), expiry_ms(after, self.months))
        try:
            statuses = cast(
                Any, self.redis.eval(script("ledgers"), 1 + len(changes), keys.chains, *changes, *arguments)
            )
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CommitRefused(count=len(changes), reason=error) from None
            raise
        return {key for key, status in zip(changes, statuses, strict=True) if not status}

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
        known = _known(after.entries.get(entry.claim_id), entry)
        fates["known" if known else "entered"] += 1
        if not known:
            after = after.after(entry, billed=True, version=version, since=since)
    return after, fates


def _known(known: LedgerEntry | None, new: LedgerEntry) -> bool:
    """Whether the ledger has this version of the claim, or a later one. A claim that only went to rework since may
    well have been billed before; and of a claim's versions of one day a replacement or void is the later one."""
    if known is None or known.state == "seen":
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
