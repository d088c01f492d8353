"""Counting: what a rule said of a claim, beside what the payer did with it. No claim is named in what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from worker.outcomes.answers import (
    NOT_ADJUDICATED,
    NOT_NEGATED,
    OTHER_LINES,
    REVERSES,
    TAKEN_BACK,
    TWICE,
    UNDATED,
    UNKNOWN_STATUS,
    UNMATCHED,
    Line,
)
from worker.outcomes.matching import (
    ABSENT,
    LATER,
    MATCHED,
    PART,
    PENDED,
    REPLACED,
    SECOND,
    UNEXPLAINED,
    AuditedDecision,
)
from worker.outcomes.reasons import denials, kept_back, net

READ, ALIKE, AMBIGUOUS = "read", "with the claim id written otherwise", "with a claim id that fits several claims"
UNBALANCED, STRANGE = "do not balance", "with a segment that is not known"
FATES = (
    MATCHED, PART, REPLACED, TAKEN_BACK, REVERSES, UNMATCHED, NOT_NEGATED, SECOND, NOT_ADJUDICATED, PENDED, UNEXPLAINED,
    UNKNOWN_STATUS, OTHER_LINES, LATER, ABSENT, AMBIGUOUS, UNDATED, TWICE,
)  # fmt: skip
"""What becomes of a claim on a remittance: of each exactly one, so that they add up to what was read."""
LISTED = frozenset((*FATES, UNBALANCED, STRANGE)) - {MATCHED, PART, REPLACED, TAKEN_BACK, REVERSES, OTHER_LINES}
"""What a person may want to look at, and what is listed by file and place."""
MOST_LISTED = 1_000
"""Places that are kept of each; all are counted."""


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
    """Why something was denied; no group and no CARC: the payer denied it and gave no reason."""

    group: str
    carc: str
    rarc: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A claim of a remittance that counts for nothing, or that may say less than it should."""

    file: str
    position: str
    what: str
    """One of LISTED."""


@dataclass(slots=True)
class Outcomes:
    """The whole comparison; no claim is named in it."""

    rules: dict[tuple[str, str], RuleOutcome] = field(default_factory=dict)
    """By code and payer."""
    missed: dict[tuple[str, DenialReason], Total] = field(default_factory=dict)
    """Denied and not predicted, by payer and reason."""
    payers: dict[str, Counter[str]] = field(default_factory=dict)
    """By payer: how many lines were `denied`, `paid`, `predicted` (denied, and a rule had said so), and where there are
    any `pending` and `unexplained`."""
    remittances: Counter[str] = field(default_factory=Counter)
    """Claims of the remittances that were read, by what became of them (FATES); and what was odd about some."""
    listed: list[Listed] = field(default_factory=list)
    """Of each word of LISTED the first ones."""
    provider_adjustments: dict[str, Total] = field(default_factory=dict)
    """By reason (PLB): money that the payer kept (positive) or added beside what it says of claims."""
    decisions: int = 0
    """Decisions on them in the audit log."""
    unreadable: int = 0
    """Lines of the audit log."""

    @property
    def reconciles(self) -> bool:
        """Whether every claim that was read has one fate."""
        return self.remittances[READ] == sum(self.remittances[fate] for fate in FATES)

    def note(self, what: str, file: str, position: str) -> None:
        """Counts what became of a claim on a remittance, or what is odd about it."""
        self.remittances[what] += 1
        if what in LISTED and self.remittances[what] <= MOST_LISTED:
            self.listed.append(Listed(file, position, what))


Expected = Mapping[str, frozenset[str]]
"""The CARCs that the rules of a code expect."""


def count(
    outcomes: Outcomes,
    lines: Sequence[Line],
    decision: AuditedDecision,
    earlier: Iterable[AuditedDecision],
    expected: Expected,
) -> None:
    """Adds one answer. `earlier`: the decisions on the claim before the one that it is held to."""
    counts = outcomes.payers.setdefault(decision.payer, Counter())
    predicted = set()
    now = {code for code, _ in decision.found}
    for code in now:
        about = [lines[index] for index in about_lines(code, decision, lines)]
        predicted |= {id(line) for line in about if line.verdict == "denied"}
        _count_rule(outcomes, (code, decision.payer), about, expected)
    for code in {code for before in earlier for code, _ in before.found} - now:
        row = outcomes.rules.setdefault((code, decision.payer), RuleOutcome())
        row.mended.add(sum((line.paid for line in lines), Decimal(0)))
    for line in lines:
        counts[line.verdict] += 1
        if id(line) in predicted:
            counts["predicted"] += 1
        elif line.verdict == "denied":
            key = (decision.payer, reason_of(line))
            outcomes.missed.setdefault(key, Total()).add(_kept_back(line))


def _count_rule(outcomes: Outcomes, key: tuple[str, str], about: Sequence[Line], expected: Expected) -> None:
    denied = [line for line in about if line.verdict == "denied"]
    paid = [line for line in about if line.verdict == "paid"]
    if denied:
        row = outcomes.rules.setdefault(key, RuleOutcome())
        row.denied.add(sum((_kept_back(line) for line in denied), Decimal(0)))
        reasons = {one.reason for line in denied for one in denials(line.adjustments)}
        row.as_expected += bool(reasons & expected.get(key[0], frozenset()))
    elif paid:
        outcomes.rules.setdefault(key, RuleOutcome()).paid.add(sum((line.paid for line in paid), Decimal(0)))


def _kept_back(line: Line) -> Decimal:
    return kept_back(line.verdict, line.charge, line.paid, line.adjustments)


def reason_of(line: Line) -> DenialReason:
    """The dearest reason of a denial; where a payer denies and names only prices, the dearest of these."""
    reasons = denials(line.adjustments) or tuple(one for one in net(line.adjustments) if one.amount > 0)
    largest = max(reasons, key=lambda one: one.amount, default=None)
    rarc = tuple(sorted(set(line.remarks)))
    return DenialReason(largest.group, largest.reason, rarc) if largest else DenialReason("", "", rarc)


def about_lines(code: str, decision: AuditedDecision, lines: Sequence[Line]) -> list[int]:
    """The indexes of the lines that the rule's findings are about."""
    wanted = {line for found, line in decision.found if found == code}
    if None in wanted or (len(lines) == 1 and len(decision.judged or ()) < 2):
        return list(range(len(lines)))
    numbers = [claim_line(line.number, decision.judged) for line in lines]
    return [index for index, number in enumerate(numbers) if number is None or number in wanted]


def claim_line(control: str | None, judged: tuple[int, ...] | None) -> int | None:
    """The line of a line item control number, where it is the number of one; a hospital may give others."""
    if control is None or judged is None or not (control.isascii() and control.isdigit() and len(control) <= 6):
        return None
    return int(control) if int(control) in judged else None
