"""Outcomes: what payers did with the claims, against what the rules had found on them.

Remittances (835) come weeks after the verdict, when the outlets have long been trimmed; the audit log is kept. So it is
the log that they are matched to: by claim id (CLP01), to the newest decision up to the day of the remittance, and
by line (REF*6R, or the only line of a procedure of the book). Where neither gives the line, a finding on any line
counts for all of the procedure's.

Denied: the payer kept back money for a reason other than its price, the patient's share or another payer's payment.
"""

from __future__ import annotations

import errno
import gzip
import operator
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from types import NoneType
from typing import Any

import orjson

from rules.terms import SEVERITIES
from worker.intake.x12.remittance import REVERSAL, Adjustment, Payment, Service

PRICING = frozenset(
    (
        "1", "2", "3", "23", "24", "42", "44", "45", "59", "66", "85", "94", "100", "101", "102", "103", "104", "105",
        "118", "121", "122", "130", "131", "132", "137", "139", "142", "143", "144", "161", "187", "209", "225", "235",
        "237", "241", "245", "247", "248", "253", "281", "293", "294", "A2",
    )
)  # fmt: skip
"""CARCs (X12 code source 139) by which a payer prices, shares or withholds, or says who else pays: no denial. 42 and
A2 are retired, and stand for a contract's price where old remittances have them."""
PENDING = frozenset(("133", "257", "277"))
"""CARCs that say that the line is not decided yet."""
_UNDECIDED = frozenset(("5", "11", "13", "15", "16", "17", "23", "25", "27"))
"""CLP02 of claims that were not adjudicated: pended, another payer's, a predetermination."""
_SECONDARY = frozenset(("2", "3", "20", "21"))
"""CLP02 of what another payer decided after the first one."""
_OTHER = "other"
_TABLES = """
CREATE TABLE payment (id INTEGER PRIMARY KEY, claim TEXT, day TEXT, trace TEXT UNIQUE, said BLOB);
CREATE TABLE decision (id TEXT PRIMARY KEY, claim TEXT, moment TEXT, stands INTEGER, said BLOB);
CREATE INDEX payment_claim ON payment (claim, day, id);
CREATE INDEX decision_claim ON decision (claim, moment);
"""


@dataclass(slots=True)
class Total:
    """How often, and for how much."""

    count: int = 0
    money: Decimal = Decimal(0)

    def add(self, money: Decimal) -> None:
        self.count += 1
        self.money += money


@dataclass(slots=True)
class RuleOutcome:
    """One rule for one payer."""

    denied: Total = field(default_factory=Total)
    """Predicted and denied; the money that was kept back."""
    as_expected: int = 0
    """Of these, with the CARC that the rule expects."""
    paid: Total = field(default_factory=Total)
    """Predicted and paid; the money that was paid."""
    mended: Total = field(default_factory=Total)
    """Found at first, and found no more in what was sent; the money that was paid then."""


@dataclass(frozen=True, slots=True)
class DenialReason:
    """Why something was denied."""

    group: str
    carc: str
    rarc: tuple[str, ...]


@dataclass(slots=True)
class Outcomes:
    """The whole comparison; no claim is named in it."""

    rules: dict[tuple[str, str], RuleOutcome] = field(default_factory=dict)
    """By code and payer."""
    missed: dict[tuple[str, DenialReason], Total] = field(default_factory=dict)
    """Denied and not predicted, by payer and reason."""
    payers: dict[str, Counter[str]] = field(default_factory=dict)
    """By payer: how many lines were `denied`, `paid`, `predicted` (denied, and a rule had said so)."""
    remittances: Counter[str] = field(default_factory=Counter)
    """Claims of the remittances: matched, and why others were not."""
    decisions: int = 0
    """Decisions on them in the audit log."""
    unreadable: int = 0
    """Lines of the audit log."""


@dataclass(frozen=True, slots=True)
class AuditedDecision:
    """What the log says of one decision."""

    payer: str
    judged: tuple[int, ...] | None
    """Numbers of the lines that carry the procedure; None: an older log does not say."""
    found: frozenset[tuple[str, int | None]]
    """Failed rules with their lines; None: the whole claim, or not said."""


Expected = Mapping[str, frozenset[str]]
"""The CARCs that the rules of a code expect."""


def compare(
    remittances: Iterable[Payment], log: Iterable[bytes], codes: Container[str], expected: Expected
) -> Outcomes:
    """Matches and counts. Memory does not grow with either: both go through a temporary database on the disk.

    `log`: lines of audit files, in any order.
    """
    outcomes = Outcomes()
    with closing(sqlite3.connect("", isolation_level=None)) as base:
        base.execute("PRAGMA synchronous = OFF")
        base.execute("PRAGMA journal_mode = OFF")
        base.executescript(_TABLES)
        for payment in remittances:
            _enter(base, payment, codes, outcomes)
        for line in log:
            _remember(base, line, outcomes)
        rows = base.execute("SELECT claim, day, said FROM payment ORDER BY claim, day, id")
        for claim, payments in groupby(rows, key=lambda row: str(row[0])):
            _match(base, claim, [(str(day), orjson.loads(said)) for _, day, said in payments], outcomes, expected)
    return outcomes


def _enter(base: sqlite3.Connection, payment: Payment, codes: Container[str], outcomes: Outcomes) -> None:
    outcomes.remittances["read"] += 1
    if not payment.balances:
        outcomes.remittances["do not balance"] += 1
    if payment.day is None:
        outcomes.remittances["without a date"] += 1
        return
    lines = [_packed(one) for one in payment.services if one.procedure in codes]
    whole = Service("", payment.charge, payment.paid, None, payment.adjustments, payment.remarks)
    others = bool(payment.services) and not lines and not _denials(whole)
    said = {
        "status": payment.status, "control": payment.control, "lines": lines, "claim": _packed(whole), "others": others,
    }  # fmt: skip
    key = f"{payment.trace}\0{payment.claim_id}\0{payment.status}"
    values = (payment.claim_id, payment.day.isoformat(), key, orjson.dumps(said))
    done = base.execute("INSERT OR IGNORE INTO payment (claim, day, trace, said) VALUES (?, ?, ?, ?)", values)
    if not done.rowcount:
        outcomes.remittances["there twice"] += 1


def _packed(one: Service) -> list[Any]:
    adjustments = [(each.group, each.reason, str(each.amount)) for each in one.adjustments]
    return [one.line, str(one.charge), str(one.paid), adjustments, one.remarks]


def _unpacked(said: list[Any]) -> Service:
    line, charge, paid, adjustments, remarks = said
    found = [Adjustment(group, reason, Decimal(amount)) for group, reason, amount in adjustments]
    return Service(None, Decimal(charge), Decimal(paid), line, found, remarks)


def _remember(base: sqlite3.Connection, raw: bytes, outcomes: Outcomes) -> None:
    """Enters a decision on a claim that was paid or denied; a decision that was taken back counts for nothing."""
    if b'"claim.scrubbed"' not in raw and b'"claim.superseded"' not in raw:
        return
    try:
        line = orjson.loads(raw)
        action, decision = line["event.action"], _typed(line, "claim.decision_id", str)
        if action == "claim.superseded":
            base.execute("UPDATE decision SET stands = stands - 1 WHERE id = ?", (decision,))
            return
        claim = line.get("claim.claim_id")
        if action != "claim.scrubbed" or not isinstance(claim, str):
            return
        if not base.execute("SELECT 1 FROM payment WHERE claim = ? LIMIT 1", (claim,)).fetchone():
            return
        said = orjson.dumps([_typed(line, "claim.payer", str, NoneType), _judged(line), _found(line)])
        moment = _typed(line, "@timestamp", str)
    except (KeyError, TypeError, ValueError, AttributeError):
        outcomes.unreadable += 1
        return
    base.execute(
        "INSERT INTO decision VALUES (?, ?, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET stands = stands + 1",
        (decision, claim, moment, said),
    )


def _typed(line: Mapping[str, Any], name: str, *kinds: type) -> Any:
    value = line.get(name)
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _judged(line: Mapping[str, Any]) -> list[int] | None:
    numbers = line.get("claim.judged")
    return None if numbers is None else [operator.index(number) for number in numbers]


def _found(line: Mapping[str, Any]) -> list[list[Any]]:
    """The rules that failed. An older log names only codes, those of undetermined rules among them."""
    if "rule.found" not in line:
        return [[code, None] for name in SEVERITIES for code in line[f"rule.{name}"]]
    pairs = (entry.partition("@") for entry in line["rule.found"] if not entry.endswith("?"))
    return [[code, int(number) if number else None] for code, _, number in pairs]


Paid = tuple[str, Any]


def _match(base: sqlite3.Connection, claim: str, payments: list[Paid], outcomes: Outcomes, expected: Expected) -> None:
    """Counts what came of one claim."""
    rows = base.execute(
        "SELECT id, moment, said FROM decision WHERE claim = ? AND stands > 0 ORDER BY moment", (claim,)
    ).fetchall()
    decisions = [(str(name), str(moment), _decision(orjson.loads(said))) for name, moment, said in rows]
    outcomes.decisions += len(decisions)
    last: dict[str, tuple[Any, int]] = {}
    for day, said in _without_reversals(payments, outcomes.remittances):
        before = [index for index, (_, moment, _) in enumerate(decisions) if moment[:10] <= day]
        if said["status"] in _UNDECIDED:
            outcomes.remittances["not adjudicated"] += 1
        elif said["others"]:
            outcomes.remittances["without a line of the procedure"] += 1
        elif not before:
            outcomes.remittances["decided later" if decisions else "not in the audit log"] += 1
        elif (name := decisions[before[-1]][0]) in last and _after_the_first(said, last[name][0]):
            outcomes.remittances["of a second payer"] += 1
        else:
            outcomes.remittances["replaced by a later one" if name in last else "matched"] += 1
            last[name] = (said, before[-1])
    for said, index in last.values():
        earlier = [decision for _, _, decision in decisions[:index]]
        _count(said, decisions[index][2], earlier, outcomes, expected)


def _after_the_first(said: Mapping[str, Any], first: Mapping[str, Any]) -> bool:
    """A second payer's remittance says nothing about the verdict on the claim to the first."""
    return said["status"] in _SECONDARY and first["status"] not in _SECONDARY


def _decision(said: list[Any]) -> AuditedDecision:
    payer, judged, found = said
    return AuditedDecision(payer or _OTHER, judged and tuple(judged), frozenset((code, line) for code, line in found))


def _without_reversals(payments: list[Paid], counts: Counter[str]) -> list[Paid]:
    """Without what was taken back: a reversal (CLP02 22) names the payment by the payer's own number."""
    left: list[Paid] = []
    for day, said in payments:
        if said["status"] != REVERSAL:
            left.append((day, said))
            continue
        counts["reversals"] += 1
        same = [one for one in left if one[1]["control"] == said["control"]] or left
        if same:
            counts["taken back"] += 1
            left.remove(same[-1])
    return left


def _count(
    said: Mapping[str, Any],
    decision: AuditedDecision,
    earlier: Iterable[AuditedDecision],
    outcomes: Outcomes,
    expected: Expected,
) -> None:
    claim, lines = _unpacked(said["claim"]), [_unpacked(line) for line in said["lines"]]
    if _denials(claim) or not lines:
        lines = [_whole(claim, lines)]
    if any(one.reason in PENDING for line in lines for one in line.adjustments):
        outcomes.remittances["pending"] += 1
        return
    counts = outcomes.payers.setdefault(decision.payer, Counter())
    predicted = set()
    for code in {code for code, _ in decision.found}:
        about = _about(code, decision, lines)
        row = outcomes.rules.setdefault((code, decision.payer), RuleOutcome())
        denied = [index for index in about if _denials(lines[index])]
        predicted.update(denied)
        if denied:
            row.denied.add(sum((_kept_back(lines[index]) for index in denied), Decimal(0)))
            reasons = {one.reason for index in denied for one in _denials(lines[index])}
            row.as_expected += bool(reasons & expected.get(code, frozenset()))
        else:
            row.paid.add(sum((lines[index].paid for index in about), Decimal(0)))
    now = {code for code, _ in decision.found}
    for code in {code for before in earlier for code, _ in before.found} - now:
        outcomes.rules.setdefault((code, decision.payer), RuleOutcome()).mended.add(
            sum((line.paid for line in lines), Decimal(0))
        )
    for index, line in enumerate(lines):
        denials = _denials(line)
        counts["denied" if denials else "paid"] += 1
        if index in predicted:
            counts["predicted"] += 1
        elif denials:
            largest = max(denials, key=lambda one: one.amount)
            reason = DenialReason(largest.group, largest.reason, tuple(sorted({*line.remarks, *claim.remarks})))
            outcomes.missed.setdefault((decision.payer, reason), Total()).add(_kept_back(line))


def _whole(claim: Service, lines: list[Service]) -> Service:
    """The claim as one line: it was denied as a whole, or no line of it is on the remittance."""
    adjustments = [*claim.adjustments, *(one for line in lines for one in line.adjustments)]
    remarks = [*claim.remarks, *(remark for line in lines for remark in line.remarks)]
    return Service(None, claim.charge, claim.paid, None, adjustments, remarks)


def _about(code: str, decision: AuditedDecision, lines: list[Service]) -> list[int]:
    """The indexes of the lines that the rule's findings are about."""
    wanted = {line for found, line in decision.found if found == code}
    numbers = [_number(line.line, decision.judged) for line in lines]
    if None in wanted or len(lines) == 1:
        return list(range(len(lines)))
    return [index for index, number in enumerate(numbers) if number is None or number in wanted]


def _number(control: str | None, judged: tuple[int, ...] | None) -> int | None:
    """The line of a line item control number, where it is the number of one; a hospital may give others."""
    if control is None or judged is None or not (control.isascii() and control.isdigit() and len(control) <= 6):
        return None
    return int(control) if int(control) in judged else None


def _denials(line: Service) -> list[Adjustment]:
    return [one for one in line.adjustments if one.amount > 0 and one.reason not in PRICING]


def _kept_back(line: Service) -> Decimal:
    return sum((one.amount for one in _denials(line)), Decimal(0))


def log_lines(files: Iterable[Path], seen: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """The lines of audit files, packed by gzip where they are called `.gz`.

    Raises:
        OSError: one cannot be read.
    """
    for file in files:
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
                for line in stream:
                    seen(len(line))
                    yield line
        except (EOFError, zlib.error):
            raise OSError(errno.EIO, "the gzip stream is cut off or damaged", str(file)) from None
