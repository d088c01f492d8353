"""Where payments and decisions wait for each other: a temporary database on the disk, gone with the process.

Remittances and audit logs come in any order and any size; memory does not grow with either.
"""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from itertools import groupby
from types import NoneType
from typing import Any

import orjson

from rules.terms import SEVERITIES
from worker.intake.x12.remittance import Adjustment, Payment, Service
from worker.outcomes.claimids import folded, spellings
from worker.outcomes.matching import AuditedDecision

Packed = tuple[str, str, bytes]
"""A payment: claim id, the same as spellings of it are compared, and the rest as JSON."""
PackedDecision = tuple[str, str, bytes]
"""A decision: id, moment, and the rest as JSON."""
_OTHER = "other"
_TABLES = """
CREATE TABLE payment (id INTEGER PRIMARY KEY, claim TEXT, written TEXT, folded TEXT, said BLOB);
CREATE TABLE decision (id TEXT PRIMARY KEY, claim TEXT, moment TEXT, stands INTEGER, said BLOB);
CREATE TABLE spelling (folded TEXT, claim TEXT, PRIMARY KEY (folded, claim)) WITHOUT ROWID;
CREATE INDEX payment_claim ON payment (claim, id);
CREATE INDEX payment_folded ON payment (folded);
CREATE INDEX decision_claim ON decision (claim, moment);
"""


class MeetingPlace:
    """The payments of all remittances, and the decisions on their claims; enter all payments first."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self.unreadable = 0
        """Lines of the log."""
        base.execute("PRAGMA synchronous = OFF")
        base.execute("PRAGMA journal_mode = OFF")
        base.executescript(_TABLES)

    def enter(self, payment: Payment) -> None:
        """Keeps a payment."""
        self.enter_packed(packed_payment(payment))

    def enter_packed(self, payment: Packed) -> None:
        """Keeps a payment."""
        name, spelled, said = payment
        values = (name, name, spelled, said)
        self._base.execute("INSERT INTO payment (claim, written, folded, said) VALUES (?, ?, ?, ?)", values)

    def remember(self, raw: bytes) -> None:
        """Enters a decision on a claim that was paid or denied; one that was taken back counts for nothing."""
        if b'"claim.scrubbed"' not in raw and b'"claim.superseded"' not in raw:
            return
        try:
            line = orjson.loads(raw)
            action, decision = line["event.action"], _typed(line, "claim.decision_id", str)
            if action == "claim.superseded":
                self._base.execute("UPDATE decision SET stands = stands - 1 WHERE id = ?", (decision,))
                return
            claim = line.get("claim.claim_id")
            if action != "claim.scrubbed" or not isinstance(claim, str) or not self._answered(claim):
                return
            said = orjson.dumps(
                [_typed(line, "claim.payer", str, NoneType), _judged(line), _found(line), _cents(line)]
            )  # fmt: skip
            moment = _typed(line, "@timestamp", str)
        except (KeyError, TypeError, ValueError, AttributeError):
            self.unreadable += 1
            return
        self._decide(decision, claim, moment, said)

    def _decide(self, decision: str, claim: str, moment: str, said: bytes) -> None:
        self._base.execute(
            "INSERT INTO decision VALUES (?, ?, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET stands = stands + 1",
            (decision, claim, moment, said),
        )

    def decided(self, claim: str, decision: PackedDecision) -> bool:
        """Enters a decision that is in no log, if there is a payment for its claim; whether there is one."""
        if not self._answered(claim):
            return False
        one, moment, said = decision
        self._decide(one, claim, moment, said)
        return True

    def _answered(self, claim: str) -> bool:
        """Whether there is a payment for the claim, its id written as it is or otherwise."""
        found = self._one("SELECT 1 FROM payment WHERE claim = ? LIMIT 1", claim)
        for one in spellings(claim):
            if self._one("SELECT 1 FROM payment WHERE folded = ? AND claim <> ? LIMIT 1", one, claim):
                self._base.execute("INSERT OR IGNORE INTO spelling VALUES (?, ?)", (one, claim))
                found = True
        return found

    def _one(self, statement: str, *values: str) -> bool:
        return self._base.execute(statement, values).fetchone() is not None

    def resolve(self) -> tuple[int, frozenset[str]]:
        """Gives payments whose claim id is not in the log to the one claim that may be meant, once the log is read.

        How many payments they are, and the claim ids that may mean several.
        """
        rows = self._base.execute(
            "SELECT DISTINCT written, folded FROM payment JOIN spelling USING (folded) "
            "WHERE NOT EXISTS (SELECT 1 FROM decision WHERE decision.claim = written AND stands > 0)"
        ).fetchall()
        given, several = 0, set()
        for written, spelled in rows:
            names = self._base.execute("SELECT claim FROM spelling WHERE folded = ?", (spelled,)).fetchall()
            fit = [str(name) for (name,) in names if self._may_be(written, str(name))]
            if len(fit) == 1:
                done = self._base.execute("UPDATE payment SET claim = ? WHERE written = ?", (fit[0], written))
                given += done.rowcount
            elif fit:
                several.add(str(written))
        return given, frozenset(several)

    def _may_be(self, written: str, claim: str) -> bool:
        """Whether the payments are about a charge of the claim, whole or in parts, as far as the log says charges."""
        charges = {one.charge for one in self.decisions(claim)}
        if not charges or None in charges:
            return bool(charges)
        rows = self._base.execute("SELECT said FROM payment WHERE written = ?", (written,))
        found = [abs(_unpacked(written, orjson.loads(said)).charge) for (said,) in rows]
        return bool(charges.intersection(found)) or sum(found, Decimal(0)) in charges

    def claims(self) -> Iterator[tuple[str, list[Payment]]]:
        """The payments by claim id, each claim's in the order in which they came."""
        for claim, payments in self.packed_claims():
            yield claim, [unpacked_payment(claim, said) for said in payments]

    def packed_claims(self) -> Iterator[tuple[str, list[bytes]]]:
        """The same as they are kept."""
        rows = self._base.execute("SELECT claim, said FROM payment ORDER BY claim, id")
        for claim, group in groupby(rows, key=lambda row: str(row[0])):
            yield claim, [said for _, said in group]

    def decisions(self, claim: str) -> list[AuditedDecision]:
        """The decisions on a claim, by moment."""
        return [unpacked_decision(one) for one in self.packed_decisions(claim)]

    def packed_decisions(self, claim: str) -> list[PackedDecision]:
        """The same as they are kept."""
        rows = self._base.execute(
            "SELECT id, moment, said FROM decision WHERE claim = ? AND stands > 0 ORDER BY moment", (claim,)
        )
        return rows.fetchall()


@contextmanager
def meeting_place() -> Iterator[MeetingPlace]:
    """A place of its own for one comparison."""
    with closing(sqlite3.connect("", isolation_level=None)) as base:
        yield MeetingPlace(base)


def packed_payment(payment: Payment) -> Packed:
    """A payment in plain values."""
    return payment.claim_id, folded(payment.claim_id), orjson.dumps(_packed(payment))


def unpacked_payment(claim: str, said: bytes) -> Payment:
    """What it was packed from; `claim`: the one that it is of."""
    return _unpacked(claim, orjson.loads(said))


def packed_decision(decision: AuditedDecision) -> PackedDecision:
    """A decision in plain values."""
    cents = None if decision.charge is None else int(decision.charge * 100)
    said = [decision.payer, decision.judged, sorted(decision.found, key=str), cents]
    return decision.id, decision.moment, orjson.dumps(said)


def unpacked_decision(packed: PackedDecision) -> AuditedDecision:
    """What it was packed from."""
    one, moment, said = packed
    return _decision(one, moment, orjson.loads(said))


def _packed(payment: Payment) -> list[Any]:
    services = [
        [one.procedure, str(one.charge), str(one.paid), one.line, _plain(one.adjustments), one.remarks, one.modifiers]
        for one in payment.services
    ]
    return [
        payment.status, str(payment.charge), str(payment.paid), payment.control,
        payment.day.isoformat() if payment.day else None, payment.trace, _plain(payment.adjustments), payment.remarks,
        services, payment.file, payment.position, payment.strange,
    ]  # fmt: skip


def _plain(adjustments: Iterable[Adjustment]) -> list[tuple[str, str, str]]:
    return [(one.group, one.reason, str(one.amount)) for one in adjustments]


def _adjustments(said: Iterable[Any]) -> tuple[Adjustment, ...]:
    return tuple(Adjustment(group, reason, Decimal(amount)) for group, reason, amount in said)


def _unpacked(claim: str, said: list[Any]) -> Payment:
    status, charge, paid, control, day, trace, adjustments, remarks, services, file, position, strange = said
    return Payment(
        claim, status, Decimal(charge), Decimal(paid), control, date.fromisoformat(day) if day else None, trace,
        _adjustments(adjustments), tuple(remarks),
        tuple(
            Service(procedure, Decimal(cost), Decimal(given), line, _adjustments(why), tuple(notes), tuple(modifiers))
            for procedure, cost, given, line, why, notes, modifiers in services
        ),
        file, position, strange,
    )  # fmt: skip


def _decision(one: str, moment: str, said: list[Any]) -> AuditedDecision:
    payer, judged, found, cents = said
    return AuditedDecision(
        moment,
        payer or _OTHER,
        judged and tuple(judged),
        frozenset((code, line) for code, line in found),
        None if cents is None else Decimal(cents) / 100,
        one,
    )


def _typed(line: Mapping[str, Any], name: str, *kinds: type) -> Any:
    value = line.get(name)
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _judged(line: Mapping[str, Any]) -> list[int] | None:
    numbers = line.get("claim.judged")
    return None if numbers is None else [operator.index(number) for number in numbers]


def _cents(line: Mapping[str, Any]) -> int | None:
    """A charge that is no whole number of cents only keeps the log from telling two decisions apart."""
    cents = line.get("claim.charge_cents")
    return cents if isinstance(cents, int) and not isinstance(cents, bool) else None


def _found(line: Mapping[str, Any]) -> list[list[Any]]:
    """The rules that failed. An older log names only codes, those of undetermined rules among them."""
    if "rule.found" not in line:
        return [[code, None] for name in SEVERITIES for code in line[f"rule.{name}"]]
    pairs = (entry.partition("@") for entry in line["rule.found"] if not entry.endswith("?"))
    return [[code, int(number) if number else None] for code, _, number in pairs]
